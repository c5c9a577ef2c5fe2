// How people come in and prove who they are: registering, confirming an address, setting and losing a password. Separate from
// identity, which holds users and never sees a password, and from login, which only asks whether one is right. Invariants:
//   1. A password or a mailed token is never stored, logged or put in an error; no answer holds either.
//   2. No answer, and no time it takes, tells whether an address is known. Registering hashes once and writes once in every case;
//      asking for a mail writes one message in every case, and whether anybody is there is looked up after the answer.
//   3. A mailed token works once, until it expires or its successor is sent; it is used up in the transaction of what it allows.
//   4. Whoever confirms an address never confirms a stranger's password: where an address was registered with more than one, none of
//      them counts, and who reads its mail says which does.

import { createHash } from "node:crypto";
import { commonPasswordTest } from "../../domain/common-passwords";
import type { Role } from "../../domain/permission";
import type { RequestOrigin } from "../../domain/principal";
import { Agent } from "../../foundation/agent";
import { type Clock, type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import type { Log } from "../../foundation/log";
import { noPasswordHash, type PasswordHasher } from "../../foundation/password-hasher";
import type { Random } from "../../foundation/random";
import { nextTurn } from "../../foundation/turn";
import { createUnderWay } from "../../foundation/under-way";
import { aboutAddress, forgetAbout } from "../../storage/about";
import { finish, type IdempotencyTicket } from "../../storage/idempotency";
import { addMessage, type OutboxHandler } from "../../storage/outbox";
import type { Storage, Tx } from "../../storage/storage";
import type { Audit, AuditEvent } from "../audit/service";
import { type Identity, normalizeEmail, type PersonalData, type UserRecord } from "../identity/service";
import {
  burnTokens,
  contestPassword,
  eraseCredentials,
  findPasswordHash,
  findPasswordTime,
  findToken,
  hasOwnPassword,
  hasUsedToken,
  insertToken,
  putPasswordHash,
  renewPasswordHash,
  sweepCountMax,
  sweepTokens,
  tokenTimes,
  useToken,
} from "./repository";
import {
  canonicalPassword,
  confirmMicroseconds,
  dayMicroseconds,
  faultsOfPassword,
  type Letter,
  letterText,
  mayMail,
  passwordNeeded,
  passwordRefused,
  registrationClosed,
  tokenBytes,
  tokenInvalid,
  tokenLifeMicroseconds,
} from "./rules";
import type { TokenPurpose } from "./table";

/** What registration asks of identity. */
export type People = Pick<
  Identity,
  | "findUser"
  | "findUserByEmail"
  | "insertPerson"
  | "markEmailVerified"
  | "extendConfirmBy"
  | "sweepUnconfirmed"
  | "endSessions"
  | "userOnWire"
  | "forget"
>;

/** A user as the wire shows it. */
type User = ReturnType<Identity["userOnWire"]>;

/** Takes a mail; throws BsoptError `invalid` where no attempt will ever do better. */
export type SendMail = (
  mail: { readonly id: string; readonly to: string; readonly subject: string; readonly text: string },
  signal: AbortSignal,
) => Promise<void>;

export interface RegistrationOptions {
  readonly storage: Pick<Storage, "write" | "read">;
  readonly people: People;
  readonly audit: Pick<Audit, "append" | "note">;
  readonly hasher: PasswordHasher;
  readonly sendMail: SendMail;
  /** Messages not yet delivered: past a bound nobody's request adds one. */
  readonly pendingMessageCount: () => number;
  /**
   * Who may register: everybody, whom an administrator made a user for, nobody. Administrators make users in any case. Asked at
   * each request, for it may change.
   */
  readonly mode: "open" | "invite" | "closed";
  /** Where people reach this server, without a slash at the end; asked when a mail is sent. */
  readonly publicUrl: () => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface Registration {
  /**
   * Makes an unconfirmed viewer and mails them; of a known address only its owner hears, and where an invitation is needed nobody else does.
   * Throws `forbidden`, `invalid`, `unavailable`.
   */
  register(request: { email: string; password: string; name?: string; origin: RequestOrigin }): Promise<void>;
  /**
   * Confirms the address of the user whose token it is; a password given with it is the user's from then on. Throws `invalid` TOKEN_INVALID,
   * PASSWORD_…; without a password PASSWORD_NEEDED where the registered one may be a stranger's, and the token still works.
   */
  verifyEmail(request: { token: string; password?: string; origin: RequestOrigin }): Promise<User>;
  /** Mails what the address's owner asks for; does nothing, and tells nothing, where it may not. */
  requestMail(request: { email: string; kind: MailRequest["kind"] }): Promise<void>;
  /** Sets a password by a mailed token, which also confirms the address and ends every session. Throws `invalid`. */
  resetPassword(request: { token: string; password: string; origin: RequestOrigin }): Promise<void>;
  /** Changes a user's own password and ends every session, the present one too. Throws `invalid` PASSWORD_…. */
  changePassword(request: {
    userId: string;
    currentPassword: string;
    newPassword: string;
    origin: RequestOrigin;
  }): Promise<void>;
  /** An administrator makes a user, who is mailed a way to set a password. Throws `conflict` EMAIL_TAKEN. */
  createUser(request: {
    actorId: string;
    email: string;
    name: string;
    role: Role;
    origin: RequestOrigin;
    idempotency: IdempotencyTicket | null;
  }): Promise<{ user: User }>;
  /**
   * The user whose address and password these are, or null: the same work whether the address is known or not. It looks at nothing
   * else: whether the address is confirmed and the user enabled is the caller's to judge. Throws `unavailable` PASSWORDS_BUSY.
   */
  checkPassword(email: string, password: string): Promise<UserRecord | null>;
  /** Throws `unavailable` PASSWORDS_BUSY where a password could not be checked now. */
  requirePasswordRoom(): void;
  /** The hash to store for a password. Throws `invalid` PASSWORD_… where it is not taken for that address, `unavailable` PASSWORDS_BUSY. */
  hashPassword(password: string, email?: string | null): Promise<string>;
  /** Gives a user the password of that hash. The sessions are the caller's to end. */
  setPassword(tx: Tx, password: { userId: string; hash: string; now: EpochMicroseconds }): Promise<void>;
  /** What this feature holds about people, for identity's exports and erasures. */
  readonly personalData: PersonalData;
  /** What the outbox does with this feature's messages. */
  readonly handlers: Readonly<Record<string, OutboxHandler>>;
  readonly agents: readonly Agent[];
}

/** Topic of a mail that is to be sent. */
const mailTopic = "mail";
/** Topic of a wish for one. */
const requestTopic = "mail-request";

/** A letter on its way, or nothing at all: a message with nothing in it stands for what an unknown address would get. */
interface MailMessage {
  readonly letter: Letter | null;
  readonly to: string;
  /** Past it the letter would only mislead; microseconds as text. */
  readonly uselessAt: string | null;
}

interface MailRequest {
  readonly kind: "verify_email" | "reset_password";
  readonly email: string;
}

const pendingMessageCountMax = 10_000;
const registerAttemptsMax = 3;
const sweepEveryMilliseconds = 10 * 60 * 1000;

export function createRegistration(options: RegistrationOptions): Registration {
  const { storage, people, audit, hasher, sendMail, publicUrl, clock, random, log } = options;
  const isCommon = commonPasswordTest();
  const underWay = createUnderWay(random);

  async function register(request: Parameters<Registration["register"]>[0]): Promise<void> {
    const { mode } = options;
    if (mode === "closed") throw registrationClosed();
    const email = normalizeEmail(request.email);
    requirePassword(request.password, email, "/password");
    requireRoom();
    const password = canonicalPassword(request.password);
    const entry = { email, name: request.name ?? nameOf(email), origin: request.origin };
    await underWay.during(email, password, async (beside) => {
      // One slow hash in every case: a new one, or whether it is the password of the first time.
      let known = await people.findUserByEmail(email);
      const stored = await findPasswordHash(storage.read, known?.id ?? "");
      const hash = known ? null : await hasher.hash(password);
      let isSame = known !== null && (await hasher.verify(password, stored ?? noPasswordHash));
      for (let attempt = 1; ; attempt++) {
        try {
          if (known) await enterAgain(entry, known, isSame);
          else {
            const id = await enter(entry, mode, hash ?? (await hasher.hash(password)));
            if (id !== undefined) beside.made(id);
          }
          return;
        } catch (error) {
          // Another registration of the address, or its confirming, came in between. That it is known must not be told.
          if (!isOvertaken(error)) throw error;
          if (attempt >= registerAttemptsMax) throw overtaken();
        }
        const before = known;
        known = await people.findUserByEmail(email);
        // A hash more would tell that the address was new a moment ago: who entered it here says whether it was with this password.
        if (known?.id !== before?.id) isSame = known !== null && beside.madeWithSame(known.id);
      }
    });
    // Nothing that is remembered about users has changed: were it forgotten, a flood of strangers would slow everybody's keys.
  }

  interface Entry {
    readonly email: string;
    readonly name: string;
    readonly origin: RequestOrigin;
  }

  /** Somebody new; the user's id. Where an invitation is needed all of it is undone again, so that it costs the same. */
  function enter(
    { email, name, origin }: Entry,
    mode: RegistrationOptions["mode"],
    hash: string,
  ): Promise<string | undefined> {
    return storage.write(async (tx) => {
      const now = clock.nowMicroseconds();
      const made = async (inner: Tx): Promise<string> => {
        const confirmBy = now + confirmMicroseconds;
        const person = { email, name, role: "viewer", isVerified: false, confirmBy, now } as const;
        const { id } = await people.insertPerson(inner, person);
        await putPasswordHash(inner, { userId: id, hash, now });
        await sendToken(inner, { userId: id, email, kind: "verify_email", now });
        return id;
      };
      const id = mode === "open" ? await made(tx) : await undone(tx, made);
      if (id === undefined) await sendNothing(tx, email, now);
      await audit.append(tx, {
        ...acted("auth.register", "register", id ?? null, origin, { is_known: false }),
        ...(id === undefined && { status: "failure" }),
      });
      return id;
    });
  }

  /** Does it and undoes it. */
  async function undone(tx: Tx, work: (inner: Tx) => Promise<unknown>): Promise<undefined> {
    const end = new Error("undone on purpose");
    try {
      await tx.nested(async (inner) => {
        await work(inner);
        throw end;
      });
    } catch (error) {
      if (error !== end) throw error;
    }
  }

  /** The address is known. Confirmed: its owner is told. Not confirmed: a mail is sent again, and another password settles nothing. */
  async function enterAgain(entry: Entry, known: UserRecord, isSame: boolean): Promise<void> {
    const { email, origin } = entry;
    await storage.write(async (tx) => {
      const now = clock.nowMicroseconds();
      await enterInVain(tx, entry, known, now);
      const isOpen = known.disabledAt === null && known.erasedAt === null;
      const sentAt = await tokenTimes(tx, { userId: known.id, purpose: "verify_email", since: now - dayMicroseconds });
      const isWaiting = known.emailVerifiedAt === null;
      // Read before this transaction: confirmed meanwhile, the password is settled.
      if (isWaiting && (await hasUsedToken(tx, known.id))) throw overtaken();
      await contestPassword(tx, known.id, isWaiting && isOpen && !isSame ? now : null);
      if (!isOpen || !mayMail(sentAt, now)) await sendNothing(tx, email, now);
      else if (isWaiting) {
        await sendToken(tx, { userId: known.id, email, kind: "verify_email", now });
        await people.extendConfirmBy(tx, known.id, now + confirmMicroseconds);
      } else {
        // Never sent, so it opens nothing: it marks when the address was written to.
        const { tokenHash } = newToken();
        await insertToken(tx, { tokenHash, userId: known.id, purpose: "verify_email", createdAt: now, expiresAt: now });
        await post(tx, { letter: { kind: "already_registered" }, to: email, uselessAt: null }, now);
      }
      await audit.append(tx, acted("auth.register", "register", known.id, origin, { is_known: true }));
    });
  }

  /** What entering somebody new costs, to no effect: an answer that came sooner would tell that the address is known. */
  async function enterInVain(tx: Tx, { email, name }: Entry, known: UserRecord, now: EpochMicroseconds): Promise<void> {
    try {
      await people.insertPerson(tx, { email, name, role: "viewer", isVerified: false, now });
    } catch (error) {
      if (!isOvertaken(error)) throw error;
      await contestPassword(tx, known.id, null);
      await burnTokens(tx, { userId: "", purposes: ["verify_email"], now });
      return;
    }
    // Erased meanwhile: the address is free, and what was just written is undone.
    throw overtaken();
  }

  async function verifyEmail({ token, password, origin }: Parameters<Registration["verifyEmail"]>[0]): Promise<User> {
    const tokenHash = hashOfToken(token);
    const owner = await ownerOf(tokenHash, "verify_email");
    if (password !== undefined) requirePassword(password, owner.email, "/password");
    const hash = password === undefined ? null : await hasher.hash(canonicalPassword(password));
    await storage.write(async (tx) => {
      const now = clock.nowMicroseconds();
      if (!(await useToken(tx, { tokenHash, purpose: "verify_email", now }))) throw tokenInvalid();
      // Confirmed meanwhile by another mail: this one must not set a password any more.
      if ((await people.findUser(owner.id, tx))?.emailVerifiedAt !== null) throw tokenInvalid();
      if (hash !== null) await putPasswordHash(tx, { userId: owner.id, hash, now });
      else if (!(await hasOwnPassword(tx, owner.id))) throw passwordNeeded();
      await people.markEmailVerified(tx, owner.id, now);
      const details = { password_given: hash !== null };
      await audit.append(tx, acted("auth.email.verified", "verify", owner.id, origin, details));
    });
    people.forget();
    return people.userOnWire((await people.findUser(owner.id)) ?? owner);
  }

  async function requestMail({ email, kind }: Parameters<Registration["requestMail"]>[0]): Promise<void> {
    const payload: MailRequest = { kind, email: normalizeEmail(email) };
    requireRoom();
    const about = aboutAddress(payload.email);
    await storage.write((tx) =>
      addMessage(tx, { topic: requestTopic, payload, about, now: clock.nowMicroseconds(), random }),
    );
  }

  /** What `requestMail` left for after its answer. */
  async function answerRequest({ kind, email }: MailRequest): Promise<void> {
    const user = await people.findUserByEmail(email);
    if (user === null || user.disabledAt !== null || user.erasedAt !== null) return;
    if (kind === "verify_email" && user.emailVerifiedAt !== null) return;
    await storage.write(async (tx) => {
      const now = clock.nowMicroseconds();
      const sentAt = await tokenTimes(tx, { userId: user.id, purpose: kind, since: now - dayMicroseconds });
      if (mayMail(sentAt, now)) await sendToken(tx, { userId: user.id, email, kind, now });
    });
  }

  async function resetPassword(request: Parameters<Registration["resetPassword"]>[0]): Promise<void> {
    const tokenHash = hashOfToken(request.token);
    const owner = await ownerOf(tokenHash, "reset_password");
    requirePassword(request.password, owner.email, "/password");
    const hash = await hasher.hash(canonicalPassword(request.password));
    await storage.write(async (tx) => {
      const now = clock.nowMicroseconds();
      if (!(await useToken(tx, { tokenHash, purpose: "reset_password", now }))) throw tokenInvalid();
      await people.markEmailVerified(tx, owner.id, now);
      await replacePassword(tx, owner, hash, now);
      await audit.append(tx, acted("auth.password.reset", "reset", owner.id, request.origin));
    });
    people.forget();
  }

  async function changePassword(request: Parameters<Registration["changePassword"]>[0]): Promise<void> {
    const { userId, origin } = request;
    const user = await people.findUser(userId);
    const stored = await findPasswordHash(storage.read, userId);
    const isRight = await hasher.verify(canonicalPassword(request.currentPassword), stored ?? noPasswordHash);
    const wrong = passwordRefused([
      { pointer: "/current_password", code: "PASSWORD_WRONG", detail: "is not the present password" },
    ]);
    if (user === null || stored === null || !isRight) {
      const event = acted("auth.password.changed", "change", userId, origin, { code: "PASSWORD_WRONG" });
      audit.note({ ...event, status: "failure" });
      throw wrong;
    }
    requirePassword(request.newPassword, user.email, "/new_password");
    const hash = await hasher.hash(canonicalPassword(request.newPassword));
    await storage.write(async (tx) => {
      // Replaced meanwhile, say by its owner through a mail: what was checked is not the present password any more.
      if ((await findPasswordHash(tx, userId)) !== stored) throw wrong;
      await replacePassword(tx, user, hash, clock.nowMicroseconds());
      await audit.append(tx, acted("auth.password.changed", "change", userId, origin));
    });
    people.forget();
  }

  /** A new password ends what the old one opened: sessions, and mails that would set another. Its owner is told. */
  async function replacePassword(tx: Tx, user: UserRecord, hash: string, now: EpochMicroseconds): Promise<void> {
    await putPasswordHash(tx, { userId: user.id, hash, now });
    await people.endSessions(tx, user.id, now);
    await burnTokens(tx, { userId: user.id, purposes: ["reset_password", "verify_email"], now });
    if (user.email !== null)
      await post(tx, { letter: { kind: "password_changed" }, to: user.email, uselessAt: null }, now);
  }

  async function createUser(request: Parameters<Registration["createUser"]>[0]): Promise<{ user: User }> {
    const { actorId, name, role, origin, idempotency } = request;
    const email = normalizeEmail(request.email);
    return storage.write(async (tx) => {
      const now = clock.nowMicroseconds();
      const person = await people.insertPerson(tx, { email, name, role, isVerified: false, now });
      await sendToken(tx, { userId: person.id, email, kind: "invitation", now });
      const event = acted("admin.user.created", "create", actorId, origin, { role });
      await audit.append(tx, { ...event, resource: `users/${person.id}` });
      const made = { user: people.userOnWire(person) };
      const body = JSON.stringify(made);
      await finish(tx, idempotency, { status: 201, body, about: aboutAddress(email) });
      return made;
    });
  }

  async function checkPassword(email: string, password: string): Promise<UserRecord | null> {
    const text = canonicalPassword(password);
    const user = await people.findUserByEmail(email);
    // Asked for an unknown user too: it costs the same, and finds nothing.
    const stored = await findPasswordHash(storage.read, user?.id ?? "");
    const isRight = await hasher.verify(text, stored ?? noPasswordHash);
    if (user === null || stored === null || !isRight) return null;
    if (hasher.isDated(stored)) await renew(user.id, text, stored);
    return user;
  }

  /** A password hashed with parameters of the past gets today's, now that it is at hand. */
  async function renew(userId: string, text: string, dated: string): Promise<void> {
    try {
      const hash = await hasher.hash(text);
      await storage.write((tx) => renewPasswordHash(tx, { userId, dated, hash }));
    } catch (error) {
      log.warn({ user_id: userId, err: error }, "a password could not be hashed anew; it keeps its old hash");
    }
  }

  async function hashPassword(password: string, email: string | null = null): Promise<string> {
    requirePassword(password, email, "/password");
    return hasher.hash(canonicalPassword(password));
  }

  function requirePassword(password: string, email: string | null, pointer: string): void {
    const faults = faultsOfPassword({ password, email, pointer, isCommon });
    if (faults.length > 0) throw passwordRefused(faults);
  }

  /** The mails' queue has a limit, as every queue has. The same for known and unknown addresses. */
  function requireRoom(): void {
    if (options.pendingMessageCount() < pendingMessageCountMax) return;
    throw new BsoptError({
      reason: "unavailable",
      code: "MAILS_BUSY",
      detail: "Too many mails are waiting to be sent.",
      retryAfterSeconds: 60,
    });
  }

  async function ownerOf(tokenHash: string, purpose: TokenPurpose): Promise<UserRecord> {
    const userId = await findToken(storage.read, { tokenHash, purpose, now: clock.nowMicroseconds() });
    const user = userId === null ? null : await people.findUser(userId);
    if (user === null || user.erasedAt !== null) throw tokenInvalid();
    return user;
  }

  function newToken(): { token: string; tokenHash: string } {
    const token = Buffer.from(random.bytes(tokenBytes)).toString("base64url");
    return { token, tokenHash: hashOfToken(token) };
  }

  /** Mails a fresh token; those of its purpose that were sent before stop working. */
  async function sendToken(
    tx: Tx,
    { userId, email, kind, now }: { userId: string; email: string; kind: TokenKind; now: EpochMicroseconds },
  ): Promise<void> {
    const purpose: TokenPurpose = kind === "invitation" ? "reset_password" : kind;
    const expiresAt = now + tokenLifeMicroseconds[kind];
    const { token, tokenHash } = newToken();
    await burnTokens(tx, { userId, purposes: [purpose], now });
    await insertToken(tx, { tokenHash, userId, purpose, createdAt: now, expiresAt });
    await post(tx, { letter: { kind, token }, to: email, uselessAt: String(expiresAt) }, now);
  }

  function sendNothing(tx: Tx, email: string, now: EpochMicroseconds): Promise<void> {
    return post(tx, { letter: null, to: email, uselessAt: null }, now);
  }

  async function post(tx: Tx, payload: MailMessage, now: EpochMicroseconds): Promise<void> {
    await addMessage(tx, { topic: mailTopic, payload, about: aboutAddress(payload.to), now, random });
  }

  async function deliver({ letter, to, uselessAt }: MailMessage, id: string, signal: AbortSignal): Promise<void> {
    if (letter === null) return;
    if (uselessAt !== null && clock.nowMicroseconds() >= BigInt(uselessAt)) {
      log.warn({ message_id: id, kind: letter.kind }, "a mail was not sent in time and would be of no use any more");
      return;
    }
    await sendMail({ id, to, ...letterText(letter, publicUrl()) }, signal);
    log.info({ message_id: id, kind: letter.kind }, "mail sent");
  }

  async function sweep(signal: AbortSignal): Promise<void> {
    let deleted: number;
    do {
      const now = clock.nowMicroseconds();
      // Kept for a day whatever their life was: they tell how often an address was written to.
      deleted = await storage.write((tx) => sweepTokens(tx, { now, madeBefore: now - dayMicroseconds }));
    } while (deleted === sweepCountMax && !signal.aborted);
  }

  async function sweepUnconfirmed(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await people.sweepUnconfirmed()) > 0) await nextTurn();
  }

  const agentOf = (name: string, round: (signal: AbortSignal) => Promise<void>) =>
    new Agent({
      name,
      intervalMilliseconds: sweepEveryMilliseconds,
      failuresMax: 5,
      clock,
      round,
      onFailure: (error) => log.warn({ agent: name, err: error }, "background round failed"),
    });

  return {
    register,
    verifyEmail,
    requestMail,
    resetPassword,
    changePassword,
    createUser,
    checkPassword,
    requirePasswordRoom: () => hasher.requireRoom(),
    hashPassword,
    setPassword: (tx, password) => putPasswordHash(tx, password),
    personalData: {
      name: "password",
      async collect(userId) {
        const changedAt = await findPasswordTime(storage.read, userId);
        return changedAt === null ? [] : [{ changed_at: formatTimestamp(changedAt) }];
      },
      async erase(tx, { id, email }) {
        await eraseCredentials(tx, id);
        if (email !== null) await forgetAbout(tx, aboutAddress(email));
      },
    },
    handlers: {
      [mailTopic]: (payload, { messageId, signal }) => deliver(payload as MailMessage, messageId, signal),
      [requestTopic]: (payload) => answerRequest(payload as MailRequest),
    },
    agents: [agentOf("mailed-token-sweep", sweep), agentOf("unconfirmed-user-sweep", sweepUnconfirmed)],
  };
}

type TokenKind = keyof typeof tokenLifeMicroseconds;

function acted(
  eventType: AuditEvent["eventType"],
  action: string,
  userId: string | null,
  origin: RequestOrigin,
  details: AuditEvent["details"] = {},
): AuditEvent {
  const resource = userId === null ? null : `users/${userId}`;
  return { eventType, userId, resource, action, status: "success", details, origin };
}

/** SHA-256 in hexadecimal; a token is 256 random bits, so there is no dictionary for a slow hash to slow down. */
function hashOfToken(token: string): string {
  return createHash("sha256").update(token, "utf8").digest("hex");
}

/** What somebody is called who gave no name: the address's first part. */
function nameOf(email: string): string {
  return email.slice(0, email.lastIndexOf("@")).slice(0, 100);
}

const overtakenCode = "REGISTRATION_OVERTAKEN";

function overtaken(): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: overtakenCode,
    detail: "Something else happened to this at the same moment.",
    retryAfterSeconds: 1,
  });
}

function isOvertaken(error: unknown): boolean {
  return error instanceof BsoptError && (error.code === "EMAIL_TAKEN" || error.code === overtakenCode);
}
