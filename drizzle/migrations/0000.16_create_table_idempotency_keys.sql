CREATE TABLE `idempotency_keys` (
  `user_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `key` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `request_hash` binary(32) NOT NULL,
  `status_code` int,
  `answer` mediumblob,
  `created_at` datetime(3) NOT NULL,
  CONSTRAINT `idempotency_keys_user_id_key_pk` PRIMARY KEY(`user_id`,`key`)
);
