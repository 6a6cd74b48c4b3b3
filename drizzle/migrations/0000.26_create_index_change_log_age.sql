CREATE INDEX `change_log_age` ON `change_log` (`created_at`);
