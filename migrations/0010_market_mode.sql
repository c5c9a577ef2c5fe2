CREATE TABLE `market_mode_changes` (
	`at` integer PRIMARY KEY NOT NULL,
	`mode` text NOT NULL,
	`policy` text NOT NULL,
	`calendar` text NOT NULL
);
