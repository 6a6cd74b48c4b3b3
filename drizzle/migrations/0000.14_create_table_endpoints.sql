CREATE TABLE `endpoints` (
  `id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `org_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `chain_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `name` varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `requests_per_second` int,
  `burst` int,
  `daily_quota` bigint,
  `allowed_methods` text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  `allowed_origins` text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  `allowed_ips` text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  `status` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `created_at` datetime(3) NOT NULL,
  `updated_at` datetime(3) NOT NULL,
  `deleted_at` datetime(3),
  CONSTRAINT `endpoints_id` PRIMARY KEY(`id`)
);
