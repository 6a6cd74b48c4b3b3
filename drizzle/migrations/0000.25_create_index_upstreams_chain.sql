CREATE INDEX `upstreams_chain` ON `upstreams` (`chain_id`);
