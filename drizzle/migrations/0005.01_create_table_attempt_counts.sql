CREATE TABLE `attempt_counts` (
  `id` binary(32) NOT NULL,
  `attempts` int NOT NULL,
  `expires_at` datetime(3) NOT NULL,
  CONSTRAINT `attempt_counts_id` PRIMARY KEY(`id`)
);
