-- Children before parents; an index before the column it is over.
DROP TABLE `audit_personal`;--> statement-breakpoint
DROP TABLE `audit_checkpoints`;--> statement-breakpoint
DROP TABLE `audit_events`;--> statement-breakpoint
DROP TABLE `outbox_messages`;--> statement-breakpoint
DROP TABLE `signing_keys`;--> statement-breakpoint
DROP TABLE `login_challenges`;--> statement-breakpoint
DROP TABLE `recovery_codes`;--> statement-breakpoint
DROP TABLE `totp_factors`;--> statement-breakpoint
DROP TABLE `refresh_tokens`;--> statement-breakpoint
DROP TABLE `login_sessions`;--> statement-breakpoint
DROP TABLE `mailed_tokens`;--> statement-breakpoint
DROP TABLE `passwords`;--> statement-breakpoint
DROP INDEX `users_by_email`;--> statement-breakpoint
DROP INDEX `users_by_time`;--> statement-breakpoint
ALTER TABLE `users` DROP COLUMN `erased_at`;--> statement-breakpoint
ALTER TABLE `users` DROP COLUMN `sessions_valid_from`;--> statement-breakpoint
ALTER TABLE `users` DROP COLUMN `email_verified_at`;--> statement-breakpoint
ALTER TABLE `users` DROP COLUMN `email`;
