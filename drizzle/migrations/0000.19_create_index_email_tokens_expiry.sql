CREATE INDEX `email_tokens_expiry` ON `email_tokens` (`expires_at`);
