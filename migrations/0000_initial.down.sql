-- Children before parents.
DROP TABLE `api_keys`;--> statement-breakpoint
DROP TABLE `users`;--> statement-breakpoint
DROP TABLE `idempotency_answers`;
