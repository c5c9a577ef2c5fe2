// How people come in and prove who they are: registering, confirming an address, setting and losing a password. Separate from
// identity, which holds users and keys and never sees a password, and from login, which only asks whether one is right. Invariants:
//   1. A password or a mailed token is never stored, logged or put in an error; an answer holds neither.
//   2. No answer, and no time it takes, tells whether an address is known.

import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import type { Log } from "../../foundation/log";
import { noPasswordHash, type PasswordHasher } from "../../foundation/password-hasher";
import type { Random } from "../../foundation/random";
import type { Storage, Tx } from "../../storage/storage";
import { findPasswordHash, putPasswordHash } from "./repository";
import { canonicalPassword } from "./rules";

/** What registration asks of identity. */
export interface People<User extends Person = Person> {
  findUserByEmail(email: string): Promise<User | null>;
}

/** What registration reads of a user. */
export interface Person {
  readonly id: string;
  readonly email: string | null;
}

export interface RegistrationOptions<User extends Person> {
  readonly storage: Pick<Storage, "write" | "read">;
  readonly people: People<User>;
  readonly hasher: PasswordHasher;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface Registration<User extends Person = Person> {
  /**
   * The user whose address and password these are, or null: the same work whether the address is known or not. It looks at nothing
   * else: whether the address is confirmed and the user enabled is the caller's to judge. Throws `unavailable` PASSWORDS_BUSY.
   */
  checkPassword(email: string, password: string): Promise<User | null>;
  /** The hash to store for a password. Throws `unavailable` PASSWORDS_BUSY. */
  hashPassword(password: string): Promise<string>;
  /** Gives a user the password of that hash. The sessions are the caller's to end. */
  setPassword(tx: Tx, password: { userId: string; hash: string; now: EpochMicroseconds }): Promise<void>;
}

export function createRegistration<User extends Person>(options: RegistrationOptions<User>): Registration<User> {
  const { storage, people, hasher, clock, log } = options;

  async function checkPassword(email: string, password: string): Promise<User | null> {
    const text = canonicalPassword(password);
    const user = await people.findUserByEmail(email);
    // Asked for an unknown user too: it costs the same, and finds nothing.
    const stored = await findPasswordHash(storage.read, user?.id ?? "");
    const isRight = await hasher.verify(text, stored ?? noPasswordHash);
    if (user === null || stored === null || !isRight) return null;
    if (hasher.isDated(stored)) await renew(user.id, text);
    return user;
  }

  /** A password hashed with parameters of the past gets today's, now that it is at hand. */
  async function renew(userId: string, text: string): Promise<void> {
    try {
      const hash = await hasher.hash(text);
      await storage.write((tx) => putPasswordHash(tx, { userId, hash, now: clock.nowMicroseconds() }));
    } catch (error) {
      log.warn({ user_id: userId, err: error }, "a password could not be hashed anew; it keeps its old hash");
    }
  }

  return {
    checkPassword,
    hashPassword: (password) => hasher.hash(canonicalPassword(password)),
    setPassword: (tx, password) => putPasswordHash(tx, password),
  };
}
