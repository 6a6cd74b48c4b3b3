CREATE TABLE `call_errors` (
  `id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `org_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `endpoint_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `key_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `occurred_at` datetime(3) NOT NULL,
  `method` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `code` int,
  `reason` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `status` smallint NOT NULL,
  `duration_ms` int NOT NULL,
  `upstream_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin,
  `request_id` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `params` varchar(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  CONSTRAINT `call_errors_id` PRIMARY KEY(`id`)
);
