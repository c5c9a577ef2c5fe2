DROP TABLE `subscriptions`;
--> statement-breakpoint
DROP TABLE `leases`;
