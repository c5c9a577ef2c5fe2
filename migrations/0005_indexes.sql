CREATE INDEX `users_by_role` ON `users` (`role`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `users_by_disabled` ON `users` (`created_at`,`id`) WHERE "users"."disabled_at" is not null;--> statement-breakpoint
CREATE INDEX `login_challenges_by_user` ON `login_challenges` (`user_id`);--> statement-breakpoint
CREATE INDEX `login_sessions_by_end` ON `login_sessions` (`ended_at`) WHERE "login_sessions"."ended_at" is not null;--> statement-breakpoint
CREATE INDEX `refresh_tokens_by_expiry` ON `refresh_tokens` (`expires_at`);