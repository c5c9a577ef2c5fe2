// Slow hashes of passwords, one or two at a time on the runtime's threads, so that the event loop stays free and a flood of
// sign-ins costs memory and a core within bounds: what finds no place in the queue is refused at once. Separate because it
// knows no user, no table and no rule about passwords. It must never keep a password longer than its turn takes.
// Source of the parameters: OWASP Password Storage Cheat Sheet, argon2id with m = 19 MiB, t = 2, p = 1; RFC 9106.

import { BoundedQueue } from "./bounded-queue";
import type { Clock } from "./clock";
import { BsoptError } from "./errors";

/** Memory of one hash in KiB: 19 MiB. */
export const memoryCostKibibytes = 19_456;
/** Passes over it. */
export const timeCost = 2;
/** What every hash made now begins with (PHC format). */
const presentForm = `$argon2id$v=19$m=${memoryCostKibibytes},t=${timeCost},p=1$`;
/** A hash of the present form that no password opens: its bytes were never the outcome of any. */
export const noPasswordHash = `${presentForm}${"bm8gcGFzc3dvcmQgaGFzIHRoaXMgYXMgaXRzIHNhbHQ"}$${"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`;

const waitingCountMaxDefault = 64;
const retryAfterSeconds = 2;

/** The two slow functions; the runtime's unless a test counts or holds them. */
export interface SlowHash {
  hash(password: string): Promise<string>;
  verify(password: string, hash: string): Promise<boolean>;
}

const parameters = { algorithm: "argon2id", memoryCost: memoryCostKibibytes, timeCost } as const;

/** argon2id at once, in the calling thread. Both throw where the runtime refuses, as for a text that is no hash. */
export const argon2idNow = {
  hash: (password: string): string => Bun.password.hashSync(password, parameters),
  verify: (password: string, hash: string): boolean => Bun.password.verifySync(password, hash, "argon2id"),
};

/** argon2id as the runtime computes it, on a thread of its own pool. */
export const argon2id: SlowHash = {
  hash: (password) => Bun.password.hash(password, parameters),
  verify: (password, hash) => Bun.password.verify(password, hash, "argon2id"),
};

export interface PasswordHasherOptions {
  /** Hashes under way at once: each takes a core and 19 MiB while it runs. */
  readonly concurrency: number;
  /** Calls that may wait for their turn. */
  readonly waitingCountMax?: number;
  readonly slowHash?: SlowHash;
  /**
   * With a clock, a queue that is more than half full is worked off at half the pace, resting as long as each hash took: a flood then takes half a
   * core and half of its memory's pace from whoever asks for something else.
   */
  readonly clock?: Pick<Clock, "monotonicMilliseconds" | "sleep">;
}

export interface PasswordHasher {
  /** The password's hash in PHC format. Throws BsoptError `unavailable` PASSWORDS_BUSY where the queue is full. */
  hash(password: string): Promise<string>;
  /** Whether the hash is the password's; false where the text is no hash. Throws as `hash` does. */
  verify(password: string, hash: string): Promise<boolean>;
  /**
   * Throws PASSWORDS_BUSY where a call made now would find no place, for whoever wants to know before doing anything else: a flood
   * is then refused before it costs a look into the database.
   */
  requireRoom(): void;
  /** Whether the hash was made with other parameters than those of today. */
  isDated(hash: string): boolean;
  /** Hashes under way and waiting. */
  readonly loadCount: number;
}

/** A hasher with its own queue. One a process, or the bound means nothing. */
export function createPasswordHasher(options: PasswordHasherOptions): PasswordHasher {
  const { concurrency, waitingCountMax = waitingCountMaxDefault, slowHash = argon2id, clock } = options;
  const waiting = new BoundedQueue<() => void>(waitingCountMax);
  let runningCount = 0;

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (runningCount >= concurrency) {
      const { promise: turn, resolve } = Promise.withResolvers<void>();
      if (!waiting.push(resolve)) throw busy();
      await turn;
    } else runningCount += 1;
    const begunMilliseconds = clock?.monotonicMilliseconds() ?? 0;
    try {
      return await work();
    } finally {
      if (clock === undefined || waiting.count <= waitingCountMax / 2) passOn();
      else void clock.sleep(clock.monotonicMilliseconds() - begunMilliseconds).then(passOn);
    }
  }

  /** The place passes on to the next in line; nobody who comes now can take it in between. */
  function passOn(): void {
    const next = waiting.shift();
    if (next) next();
    else runningCount -= 1;
  }

  return {
    hash: (password) => inTurn(() => slowHash.hash(password)),
    verify: (password, hash) => inTurn(() => slowHash.verify(password, hash).catch(notAHash)),
    requireRoom() {
      if (runningCount >= concurrency && waiting.count >= waitingCountMax) throw busy();
    },
    isDated: (hash) => !hash.startsWith(presentForm),
    get loadCount() {
      return runningCount + waiting.count;
    },
  };
}

/** A text that is no hash opens for nothing; that nobody could look is another matter. */
function notAHash(error: unknown): false {
  if (error instanceof BsoptError) throw error;
  return false;
}

function busy(): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "PASSWORDS_BUSY",
    detail: "Too many passwords are being checked at once.",
    retryAfterSeconds,
  });
}
