CREATE INDEX `api_keys_endpoint` ON `api_keys` (`endpoint_id`);
