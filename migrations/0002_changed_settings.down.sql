DROP TABLE `changed_settings`;
