CREATE TABLE `change_log` (
  `id` bigint NOT NULL,
  `entity` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `entity_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `org_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin,
  `endpoint_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin,
  `chain_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin,
  `created_at` datetime(3) NOT NULL,
  CONSTRAINT `change_log_id` PRIMARY KEY(`id`)
);
