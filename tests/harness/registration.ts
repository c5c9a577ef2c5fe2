// Registration over a real database with a clock the test moves: mails are caught where they would be sent, hashes are quick and counted,
// and the outbox is worked off when the test says so.

import {
  createRegistration,
  type Registration,
  type RegistrationOptions,
} from "../../src/features/registration/service";
import { createPasswordHasher, type SlowHash } from "../../src/foundation/password-hasher";
import { seededRandom } from "../../src/foundation/random";
import { createOutbox, type Outbox } from "../../src/storage/outbox";
import { type IdentityFixture, openIdentity } from "./identity";
import { recordingLog } from "./storage";

export interface CaughtMail {
  readonly id: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

export interface RegistrationFixture extends IdentityFixture {
  readonly registration: Registration;
  /** What it is made of, to make another. */
  readonly parts: RegistrationOptions;
  readonly outbox: Outbox;
  readonly mails: CaughtMail[];
  readonly log: ReturnType<typeof recordingLog>;
  /** Slow hashes asked for, and transactions written, since the start. */
  readonly counts: { hashes: number; verifications: number; writes: number };
  /** Sends what is due and gives the mails it made; a wish for a mail is a message before the mail is one. */
  sendMails(): Promise<CaughtMail[]>;
  /** The token in the last mail to that address. */
  tokenTo(address: string): string;
}

/** A hash that is no secret and takes no time; its form is argon2id's, so that nothing counts as dated. */
export const quickHash: SlowHash = {
  hash: async (password) => `$argon2id$v=19$m=19456,t=2,p=1$${Buffer.from(password).toString("base64url")}`,
  verify: async (password, hash) => (await quickHash.hash(password)) === hash,
};

export async function openRegistration(
  options: {
    mode?: "open" | "invite" | "closed";
    slowHash?: SlowHash;
    pendingMessageCount?: () => number;
    waitingCountMax?: number;
  } = {},
): Promise<RegistrationFixture> {
  const { mode = "open", slowHash = quickHash } = options;
  const fixture = await openIdentity();
  const { clock, identity, storage } = fixture;
  const mails: CaughtMail[] = [];
  const log = recordingLog();
  const random = seededRandom(77n);
  const counts = { hashes: 0, verifications: 0, writes: 0 };
  const parts: RegistrationOptions = {
    storage: {
      read: storage.read,
      write: (work) => {
        counts.writes += 1;
        return storage.write(work);
      },
    },
    people: identity,
    audit: {
      async append(tx, line) {
        await fixture.audit.append(tx, line);
        fixture.auditLines.push(line);
      },
      note: (line) => void fixture.auditLines.push(line),
    },
    hasher: createPasswordHasher({
      concurrency: 1,
      waitingCountMax: options.waitingCountMax ?? 200,
      slowHash: {
        hash: (password) => {
          counts.hashes += 1;
          return slowHash.hash(password);
        },
        verify: (password, hash) => {
          counts.verifications += 1;
          return slowHash.verify(password, hash);
        },
      },
    }),
    sendMail: async (mail) => void mails.push(mail),
    pendingMessageCount: options.pendingMessageCount ?? (() => 0),
    mode,
    publicUrl: () => "https://bsopt.example",
    clock,
    random,
    log,
  };
  const registration = createRegistration(parts);
  const outbox = createOutbox({ storage, clock, random, log, handlers: registration.handlers });
  return {
    ...fixture,
    registration,
    parts,
    outbox,
    mails,
    log,
    counts,
    async sendMails() {
      const before = mails.length;
      await outbox.sendDue();
      await outbox.sendDue();
      return mails.slice(before);
    },
    tokenTo(address) {
      const mail = mails.findLast(({ to }) => to === address);
      const token = /#([A-Za-z0-9_-]{43})$/m.exec(mail?.text ?? "")?.[1];
      if (token === undefined) throw new Error(`no token was mailed to ${address}`);
      return token;
    },
  };
}
