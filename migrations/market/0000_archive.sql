CREATE TABLE `archive_blocks` (
	`underlying_id` integer NOT NULL,
	`first_sequence` integer NOT NULL,
	`last_sequence` integer NOT NULL,
	`first_at` integer NOT NULL,
	`last_at` integer NOT NULL,
	`form` integer NOT NULL,
	`plain_bytes` integer NOT NULL,
	`body` blob NOT NULL,
	PRIMARY KEY(`underlying_id`, `first_sequence`),
	FOREIGN KEY (`underlying_id`) REFERENCES `archive_underlyings`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `archive_checkpoints` (
	`underlying_id` integer NOT NULL,
	`sequence` integer NOT NULL,
	`at` integer NOT NULL,
	`gap_from` integer,
	`is_start` integer NOT NULL,
	`body` blob NOT NULL,
	PRIMARY KEY(`underlying_id`, `sequence`),
	FOREIGN KEY (`underlying_id`) REFERENCES `archive_underlyings`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `archive_checkpoints_by_time` ON `archive_checkpoints` (`underlying_id`,`at`,`sequence`);--> statement-breakpoint
CREATE TABLE `archive_underlyings` (
	`id` integer PRIMARY KEY NOT NULL,
	`name` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `archive_underlyings_name_unique` ON `archive_underlyings` (`name`);