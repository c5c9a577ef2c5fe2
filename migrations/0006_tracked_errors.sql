CREATE TABLE `tracked_errors` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`code` text,
	`frames` text NOT NULL,
	`kind` text NOT NULL,
	`route` text,
	`trace_id` text,
	`version` text NOT NULL,
	`count` integer NOT NULL,
	`first_seen_at` integer NOT NULL,
	`last_seen_at` integer NOT NULL,
	`resolved_at` integer
);
--> statement-breakpoint
CREATE INDEX `tracked_errors_by_time` ON `tracked_errors` (`last_seen_at`,`id`);