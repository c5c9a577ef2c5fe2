CREATE TABLE `audit_erasures` (
	`user_id` text PRIMARY KEY NOT NULL,
	`due_at` integer NOT NULL,
	`is_last` integer NOT NULL,
	`up_to_id` integer,
	`after_timestamp` integer,
	`after_id` integer,
	`count` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `idempotency_answers` ADD `about` text;--> statement-breakpoint
CREATE INDEX `idempotency_answers_by_about` ON `idempotency_answers` (`about`) WHERE "idempotency_answers"."about" is not null;--> statement-breakpoint
ALTER TABLE `outbox_messages` ADD `about` text;--> statement-breakpoint
CREATE INDEX `outbox_messages_by_about` ON `outbox_messages` (`about`) WHERE "outbox_messages"."about" is not null;--> statement-breakpoint
ALTER TABLE `users` ADD `confirm_by` integer;--> statement-breakpoint
CREATE INDEX `users_by_confirm_by` ON `users` (`confirm_by`) WHERE "users"."confirm_by" is not null;--> statement-breakpoint
ALTER TABLE `passwords` ADD `contested_at` integer;--> statement-breakpoint
ALTER TABLE `login_sessions` ADD `reauthenticated_at` integer;