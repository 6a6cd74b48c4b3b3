CREATE INDEX `gateway_nodes_seen` ON `gateway_nodes` (`seen_at`);
