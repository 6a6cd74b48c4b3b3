ALTER TABLE `orgs` ADD `suspended_at` datetime(3);
