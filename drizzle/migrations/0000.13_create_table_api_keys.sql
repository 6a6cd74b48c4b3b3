CREATE TABLE `api_keys` (
  `id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `endpoint_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `hash` binary(32) NOT NULL,
  `prefix` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `last4` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `secret` varbinary(4096),
  `created_at` datetime(3) NOT NULL,
  `expires_at` datetime(3),
  `revoked_at` datetime(3),
  `last_used_at` datetime(3),
  CONSTRAINT `api_keys_id` PRIMARY KEY(`id`),
  CONSTRAINT `api_keys_hash` UNIQUE(`hash`)
);
