-- Indexes before the columns they are over. Erasures that were still under way are forgotten: let the server finish them first.
DROP TABLE `audit_erasures`;--> statement-breakpoint
DROP INDEX `idempotency_answers_by_about`;--> statement-breakpoint
ALTER TABLE `idempotency_answers` DROP COLUMN `about`;--> statement-breakpoint
DROP INDEX `outbox_messages_by_about`;--> statement-breakpoint
ALTER TABLE `outbox_messages` DROP COLUMN `about`;--> statement-breakpoint
DROP INDEX `users_by_confirm_by`;--> statement-breakpoint
ALTER TABLE `users` DROP COLUMN `confirm_by`;--> statement-breakpoint
ALTER TABLE `login_sessions` DROP COLUMN `reauthenticated_at`;--> statement-breakpoint
ALTER TABLE `passwords` DROP COLUMN `contested_at`;
