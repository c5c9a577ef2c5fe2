// Which secret made what, among acts of one name that are under way at the same time in this process: of two that race, the loser learns
// whether the winner brought the same secret, without a slow hash more than a race would be told by. Separate because it
// knows no user and no table. It must never keep a secret, nor a fingerprint longer than the acts take.

import { createHmac } from "node:crypto";
import type { Random } from "./random";

/** What one act tells and asks of those beside it. */
export interface Beside {
  /** This act made that. */
  made(id: string): void;
  /** Whether another act under way made that, with the very secret of this one. */
  madeWithSame(id: string): boolean;
}

export interface UnderWay {
  /** Runs an act of a name with a secret, beside those of that name that run already. */
  during<T>(name: string, secret: string, act: (beside: Beside) => Promise<T>): Promise<T>;
  /** Names with acts under way. */
  readonly count: number;
}

/** As many names as acts may run at once: whoever calls bounds that. */
export function createUnderWay(random: Random): UnderWay {
  const key = random.bytes(32);
  const names = new Map<string, { acts: number; readonly made: Map<string, string> }>();
  return {
    async during(name, secret, act) {
      const fingerprint = createHmac("sha256", key).update(secret, "utf8").digest("base64");
      const entry = names.get(name) ?? { acts: 0, made: new Map<string, string>() };
      names.set(name, entry);
      entry.acts += 1;
      try {
        return await act({
          made: (id) => void entry.made.set(id, fingerprint),
          madeWithSame: (id) => entry.made.get(id) === fingerprint,
        });
      } finally {
        entry.acts -= 1;
        if (entry.acts === 0) names.delete(name);
      }
    },
    get count() {
      return names.size;
    },
  };
}
