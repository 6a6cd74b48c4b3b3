CREATE INDEX `usage_writers_node` ON `usage_writers` (`node_id`);
