ALTER TABLE `usage_days` DROP PRIMARY KEY, ADD PRIMARY KEY(`scope_id`,`key_id`,`starts_at`,`chain_id`,`method`);
