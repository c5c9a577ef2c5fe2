CREATE TABLE `leases` (
	`name` text PRIMARY KEY NOT NULL,
	`holder` text,
	`fence` integer NOT NULL,
	`beat` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `subscriptions` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`account_id` text NOT NULL,
	`kind` text NOT NULL,
	`underlying` text,
	`definition` text NOT NULL,
	`fingerprint` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "subscriptions_kind" CHECK("subscriptions"."kind" in ('symbols', 'ladder'))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `subscriptions_once` ON `subscriptions` (`user_id`,`account_id`,`fingerprint`);--> statement-breakpoint
CREATE INDEX `subscriptions_by_user` ON `subscriptions` (`user_id`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `subscriptions_by_account` ON `subscriptions` (`user_id`,`account_id`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `subscriptions_by_underlying` ON `subscriptions` (`user_id`,`underlying`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `subscriptions_by_time` ON `subscriptions` (`created_at`,`id`);