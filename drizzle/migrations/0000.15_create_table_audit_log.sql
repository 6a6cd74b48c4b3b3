CREATE TABLE `audit_log` (
  `id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `org_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin,
  `user_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin,
  `action` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `target_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin,
  `ip` varchar(45),
  `request_id` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `detail` text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `created_at` datetime(3) NOT NULL,
  CONSTRAINT `audit_log_id` PRIMARY KEY(`id`)
);
