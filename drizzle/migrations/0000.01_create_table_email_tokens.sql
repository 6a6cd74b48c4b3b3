CREATE TABLE `email_tokens` (
  `hash` binary(32) NOT NULL,
  `user_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `purpose` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `email` varchar(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `created_at` datetime(3) NOT NULL,
  `expires_at` datetime(3) NOT NULL,
  `used_at` datetime(3),
  CONSTRAINT `email_tokens_hash` PRIMARY KEY(`hash`)
);
