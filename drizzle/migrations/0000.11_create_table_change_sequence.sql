CREATE TABLE `change_sequence` (
  `id` tinyint NOT NULL,
  `last_id` bigint NOT NULL,
  CONSTRAINT `change_sequence_id` PRIMARY KEY(`id`)
);
