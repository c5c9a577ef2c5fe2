CREATE TABLE `changed_settings` (
	`id` integer PRIMARY KEY NOT NULL,
	`revision` integer NOT NULL,
	`settings` text NOT NULL,
	`changed_at` integer NOT NULL,
	CONSTRAINT "changed_settings_one" CHECK("changed_settings"."id" = 1)
);
