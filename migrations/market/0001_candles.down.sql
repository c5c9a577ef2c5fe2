DROP TABLE history_marks;
--> statement-breakpoint
DROP TABLE history_candles;
--> statement-breakpoint
DROP TABLE history_symbols;
