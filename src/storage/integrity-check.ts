// After a start that found the database not closed: checks it whole, beside serving, and tells what came of it. Separate because a
// start must not wait for gigabytes to be read, while nobody should take the answers for sound before they are.

import type { Log } from "../foundation/log";
import type { LongWork } from "./long-work";

/** `running`: nobody knows yet. `unknown`: the check itself failed. */
export type IntegrityState = "sound" | "running" | "damaged" | "unknown";

export interface IntegrityCheck {
  readonly state: IntegrityState;
  /** Resolves once the state is final. Never rejects. */
  readonly finished: Promise<void>;
}

/** Begins the check of the database at that path. */
export function startIntegrityCheck(options: { path: string; longWork: LongWork; log: Log }): IntegrityCheck {
  const { path, longWork, log } = options;
  let state: IntegrityState = "running";
  const finished = longWork.run({ kind: "inspect", path, depth: "quick" }).then(
    ({ damage }) => {
      state = damage.length === 0 ? "sound" : "damaged";
      if (state === "sound") log.info({}, "the database was checked whole and is sound");
      else log.error({ damage }, "the database is damaged: stop the server, keep a copy, restore a backup");
    },
    (error) => {
      state = "unknown";
      log.error({ err: error }, "the database could not be checked");
    },
  );
  return {
    get state() {
      return state;
    },
    finished,
  };
}
