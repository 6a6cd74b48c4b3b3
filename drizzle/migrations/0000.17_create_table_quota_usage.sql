CREATE TABLE `quota_usage` (
  `scope_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `day` date NOT NULL,
  `boot_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `used` bigint NOT NULL,
  CONSTRAINT `quota_usage_scope_id_day_boot_id_pk` PRIMARY KEY(`scope_id`,`day`,`boot_id`)
);
