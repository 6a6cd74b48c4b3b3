CREATE INDEX `quota_usage_age` ON `quota_usage` (`day`);
