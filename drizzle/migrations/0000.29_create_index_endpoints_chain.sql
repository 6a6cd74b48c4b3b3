CREATE INDEX `endpoints_chain` ON `endpoints` (`chain_id`);
