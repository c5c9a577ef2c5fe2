DROP TABLE archive_checkpoints;
--> statement-breakpoint
DROP TABLE archive_blocks;
--> statement-breakpoint
DROP TABLE archive_underlyings;
