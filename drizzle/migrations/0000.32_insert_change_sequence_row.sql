INSERT INTO `change_sequence` (`id`, `last_id`) VALUES (1, 0);
