CREATE INDEX `endpoints_org` ON `endpoints` (`org_id`,`id`);
