CREATE TABLE `change_applications` (
  `change_id` bigint NOT NULL,
  `node_id` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `boot_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `applied_at` datetime(3) NOT NULL,
  CONSTRAINT `change_applications_change_id_node_id_pk` PRIMARY KEY(`change_id`,`node_id`)
);
