CREATE INDEX `usage_minutes_age` ON `usage_minutes` (`starts_at`);
