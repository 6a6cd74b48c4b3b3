CREATE TABLE `refresh_tokens` (
  `hash` binary(32) NOT NULL,
  `session_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `created_at` datetime(3) NOT NULL,
  `expires_at` datetime(3) NOT NULL,
  `used_at` datetime(3),
  CONSTRAINT `refresh_tokens_hash` PRIMARY KEY(`hash`)
);
