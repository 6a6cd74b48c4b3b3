CREATE INDEX `usage_hours_age` ON `usage_hours` (`starts_at`);
