CREATE INDEX `call_errors_age` ON `call_errors` (`occurred_at`);
