CREATE TABLE `memberships` (
  `org_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `user_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `role` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `created_at` datetime(3) NOT NULL,
  CONSTRAINT `memberships_org_id_user_id_pk` PRIMARY KEY(`org_id`,`user_id`)
);
