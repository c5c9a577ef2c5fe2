// The stream's SQL: its tickets. A ticket is taken by deleting it, so that of many who show one at once, in whatever process, one gets it.

import { eq, lt } from "drizzle-orm";
import type { ReadDatabase, Tx } from "../../storage/storage";
import { streamTickets } from "./table";

export type TicketRow = typeof streamTickets.$inferSelect;

export async function insertTicket(tx: Tx, row: TicketRow): Promise<void> {
  await tx.insert(streamTickets).values(row);
}

/** Whether there is such a ticket, without taking it: a guess must not take a turn of the writer. */
export async function hasTicket(database: ReadDatabase, ticketHash: string): Promise<boolean> {
  const rows = await database
    .select({ ticketHash: streamTickets.ticketHash })
    .from(streamTickets)
    .where(eq(streamTickets.ticketHash, ticketHash))
    .limit(1);
  return rows.length > 0;
}

/** The ticket, which is gone with it; null where there is none. */
export async function takeTicket(tx: Tx, ticketHash: string): Promise<TicketRow | null> {
  const rows = await tx.delete(streamTickets).where(eq(streamTickets.ticketHash, ticketHash)).returning();
  return rows[0] ?? null;
}

/** Whether any ticket was over before that moment. */
export async function hasOldTickets(database: ReadDatabase, before: bigint): Promise<boolean> {
  const rows = await database
    .select({ ticketHash: streamTickets.ticketHash })
    .from(streamTickets)
    .where(lt(streamTickets.expiresAt, before))
    .limit(1);
  return rows.length > 0;
}

export async function deleteOldTickets(tx: Tx, before: bigint): Promise<void> {
  await tx.delete(streamTickets).where(lt(streamTickets.expiresAt, before));
}
