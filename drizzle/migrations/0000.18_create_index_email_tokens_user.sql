CREATE INDEX `email_tokens_user` ON `email_tokens` (`user_id`);
