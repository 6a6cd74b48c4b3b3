ALTER TABLE `usage_writers` ADD `ended_at` datetime(3);
