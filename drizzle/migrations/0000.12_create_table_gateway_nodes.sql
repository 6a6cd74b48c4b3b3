CREATE TABLE `gateway_nodes` (
  `node_id` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `boot_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `booted_at` datetime(3) NOT NULL,
  `seen_at` datetime(3) NOT NULL,
  `applied_change_id` bigint NOT NULL,
  CONSTRAINT `gateway_nodes_node_id` PRIMARY KEY(`node_id`)
);
