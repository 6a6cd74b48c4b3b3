CREATE TABLE `usage_writers` (
  `boot_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `node_id` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `seq` bigint NOT NULL,
  `complete_until` datetime(3) NOT NULL,
  `updated_at` datetime(3) NOT NULL,
  CONSTRAINT `usage_writers_boot_id` PRIMARY KEY(`boot_id`)
);
