CREATE TABLE `history_candles` (
	`symbol_id` integer NOT NULL,
	`start` integer NOT NULL,
	`known_at` integer NOT NULL,
	`open` real NOT NULL,
	`high` real NOT NULL,
	`low` real NOT NULL,
	`close` real NOT NULL,
	`open_at` integer NOT NULL,
	`close_at` integer NOT NULL,
	`volume` real NOT NULL,
	`tick_count` integer NOT NULL,
	`day_total` real,
	`day_total_at` integer,
	`seconds` blob NOT NULL,
	PRIMARY KEY(`symbol_id`, `start`, `known_at`),
	FOREIGN KEY (`symbol_id`) REFERENCES `history_symbols`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `history_marks` (
	`underlying` text NOT NULL,
	`sequence` integer NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`underlying`, `at`, `sequence`)
);
--> statement-breakpoint
CREATE TABLE `history_symbols` (
	`id` integer PRIMARY KEY NOT NULL,
	`symbol` text NOT NULL,
	`underlying` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `history_symbols_symbol_unique` ON `history_symbols` (`symbol`);