// The one table the stream owns: tickets that open a socket. A ticket is kept as SHA-256, for half a minute at most.

import { index, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { microseconds } from "../../storage/columns";

export const streamTickets = sqliteTable(
  "stream_tickets",
  {
    /** SHA-256 of the ticket, hexadecimal. */
    ticketHash: text("ticket_hash").primaryKey().notNull(),
    /** Whom it lets in, as JSON: what the credential that asked for it could do. */
    admits: text("admits").notNull(),
    expiresAt: microseconds("expires_at").notNull(),
  },
  (table) => [index("stream_tickets_by_expiry").on(table.expiresAt)],
);
