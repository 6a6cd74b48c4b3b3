CREATE INDEX `audit_log_user` ON `audit_log` (`user_id`,`org_id`,`id`);
