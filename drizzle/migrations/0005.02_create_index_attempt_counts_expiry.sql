CREATE INDEX `attempt_counts_expiry` ON `attempt_counts` (`expires_at`);
