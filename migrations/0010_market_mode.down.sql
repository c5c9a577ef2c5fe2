DROP TABLE `market_mode_changes`;
