DROP INDEX `refresh_tokens_by_expiry`;--> statement-breakpoint
DROP INDEX `login_sessions_by_end`;--> statement-breakpoint
DROP INDEX `login_challenges_by_user`;--> statement-breakpoint
DROP INDEX `users_by_disabled`;--> statement-breakpoint
DROP INDEX `users_by_role`;
