CREATE INDEX `call_errors_endpoint` ON `call_errors` (`endpoint_id`,`id`);
