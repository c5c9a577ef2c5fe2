// Whether the database takes writes just now, as its last writes found it. Separate from the writer, which only reports: a server
// that can read and price but not write must say so before somebody asks it to write, and must find out by itself when that is over.
// Only a trial write ends it: a transaction that changed nothing commits on a full disk too.

import { sql } from "drizzle-orm";
import { Agent } from "../foundation/agent";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import type { Log } from "../foundation/log";
import type { Tx } from "./bind";

export interface Writability {
  /** The code of what refuses writes, e.g. DATABASE_FULL; null while none is known to be refused. */
  readonly refusedBy: string | null;
  /** A write was refused; errors that tell nothing of the database are passed over. */
  refused(error: unknown): void;
  /** While writes are refused, tries one every second: "write-trial". */
  readonly agent: Agent;
}

const trialEveryMilliseconds = 1_000;

export interface WritabilityOptions {
  readonly write: (work: (tx: Tx) => Promise<unknown>) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Log;
}

export function createWritability({ write, clock, log }: WritabilityOptions): Writability {
  let refusedBy: string | null = null;

  async function round(): Promise<void> {
    if (refusedBy === null) return;
    try {
      // Changes nothing, and yet writes a page.
      await write((tx) => tx.run(sql`UPDATE schema_migrations SET tag = tag`));
    } catch {
      // Still refused; \`refused\` was told.
      return;
    }
    refusedBy = null;
    log.info({}, "the database takes writes again");
  }

  return {
    get refusedBy() {
      return refusedBy;
    },
    refused(error) {
      if (!(error instanceof BsoptError) || error.reason !== "unavailable" || !error.code.startsWith("DATABASE_"))
        return;
      if (refusedBy === null) log.warn({ code: error.code, hint: error.hint }, "the database takes no writes");
      refusedBy = error.code;
    },
    agent: new Agent({
      name: "write-trial",
      intervalMilliseconds: trialEveryMilliseconds,
      failuresMax: 1,
      clock,
      round,
      onFailure: () => undefined,
    }),
  };
}
