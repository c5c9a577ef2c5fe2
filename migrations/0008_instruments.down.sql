DROP TABLE `instruments`;
--> statement-breakpoint
DROP TABLE `instrument_quarantine`;
