CREATE INDEX `usage_days_age` ON `usage_days` (`starts_at`);
