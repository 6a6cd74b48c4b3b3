CREATE TABLE `sessions` (
  `id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `user_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `user_agent` varchar(255),
  `ip` varchar(45),
  `created_at` datetime(3) NOT NULL,
  `expires_at` datetime(3) NOT NULL,
  `revoked_at` datetime(3),
  CONSTRAINT `sessions_id` PRIMARY KEY(`id`)
);
