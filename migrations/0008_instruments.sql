CREATE TABLE `instrument_quarantine` (
	`id` text PRIMARY KEY NOT NULL,
	`received_at` integer NOT NULL,
	`format` text NOT NULL,
	`line` integer NOT NULL,
	`detail` text NOT NULL,
	`content` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `instrument_quarantine_by_time` ON `instrument_quarantine` (`received_at`,`id`);--> statement-breakpoint
CREATE TABLE `instruments` (
	`symbol` text NOT NULL,
	`kind` text NOT NULL,
	`underlying` text NOT NULL,
	`root` text NOT NULL,
	`expiry` integer,
	`strike` integer,
	`option_type` text,
	`style` text,
	`settlement` text,
	`multiplier` integer NOT NULL,
	`tick_size` integer,
	`currency` text NOT NULL,
	`calendar` text NOT NULL,
	`source` text NOT NULL,
	`listed_at` integer NOT NULL,
	`ended_at` integer,
	`end_reason` text,
	`revision` integer NOT NULL,
	PRIMARY KEY(`symbol`, `listed_at`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `instruments_listed` ON `instruments` (`symbol`) WHERE "instruments"."ended_at" is null;--> statement-breakpoint
CREATE INDEX `instruments_by_underlying` ON `instruments` (`underlying`,`symbol`,`listed_at`);--> statement-breakpoint
CREATE INDEX `instruments_by_expiry` ON `instruments` (`expiry`) WHERE "instruments"."ended_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX `instruments_by_revision` ON `instruments` (`revision`);