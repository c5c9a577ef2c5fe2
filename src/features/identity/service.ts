// Who there is: users, what each may do at most, and whether anything of theirs is honoured. Separate from what users prove themselves
// with (keys, passwords, sessions), which are features to the right that refer to a user. Invariants:
//   1. There is always an administrator who is not disabled: judged inside the write that would end it.
//   2. What a change of role or a disabling takes away is refused at once in this process, and within seconds in every other.
//   3. Erasing blanks what names the person everywhere in one transaction; the row stays, for others refer to it.
//   4. Every act writes its audit line in its own transaction. No address is logged or put in an error.

import type { Role } from "../../domain/permission";
import { noOrigin, type RequestOrigin } from "../../domain/principal";
import { type Clock, type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import { uuid7 } from "../../foundation/identifier";
import type { Log } from "../../foundation/log";
import { pageOf, parseCursor } from "../../foundation/page-mark";
import type { Random } from "../../foundation/random";
import type { Storage, Tx } from "../../storage/storage";
import type { Audit, AuditEvent } from "../audit/service";
import type { User, UserExport, UserPage, UserPatch } from "./model";
import {
  countOtherAdministrators,
  deleteUser,
  extendConfirmBy,
  findOldestAdministrator,
  findUnconfirmed,
  findUserById,
  findUserWithEmail,
  hasAnyUser,
  insertUserRow,
  pageOfUsers,
  type UserFilter,
  type UserRow,
  updateUser,
} from "./repository";
import { erasedName, normalizeEmail } from "./rules";

export { pageLimitDefault as userPageLimitDefault, User as userSchema } from "./model";
export { normalizeEmail } from "./rules";

/** A user as it is stored; moments in microseconds since 1970. */
export interface UserRecord {
  readonly id: string;
  readonly name: string;
  /** In its one spelling; null: owns keys and never signs in, or was erased. */
  readonly email: string | null;
  readonly emailVerifiedAt: bigint | null;
  readonly role: Role;
  /** Set: none of the user's credentials is honoured. */
  readonly disabledAt: bigint | null;
  readonly erasedAt: bigint | null;
  /** Login sessions begun before this moment are over. */
  readonly sessionsValidFrom: bigint;
  readonly createdAt: bigint;
  readonly updatedAt: bigint;
}

/** Who does something, and from where. Without a user: whoever holds the machine and its files. */
export interface Actor {
  readonly userId: string | null;
  readonly origin: RequestOrigin;
}

/** Whoever holds the machine and its files, acting through the command line. */
export const operator: Actor = { userId: null, origin: noOrigin };

/** The process by itself. */
const system: Actor = { userId: null, origin: noOrigin };

/** Another part that holds something about people. */
export interface PersonalData {
  /** What the part is called in an export, in snake_case. */
  readonly name: string;
  /** What is held about the user, without secrets; a bounded list. */
  collect(userId: string): Promise<readonly unknown[]>;
  /** Blanks or deletes it, in the transaction that erases the user, who is given as before. */
  erase(tx: Tx, user: UserRecord, now: EpochMicroseconds): Promise<void>;
}

export interface NewPerson {
  /** In any spelling that normalizeEmail takes; null: owns keys and never signs in. */
  readonly email: string | null;
  readonly name: string;
  readonly role: Role;
  readonly isVerified: boolean;
  /** Whoever registers by themselves and has not confirmed the address by then is swept away; left out: stays. */
  readonly confirmBy?: EpochMicroseconds;
  readonly now: EpochMicroseconds;
}

export interface IdentityOptions {
  readonly storage: Pick<Storage, "write" | "read" | "onForeignWrite">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly audit: Pick<Audit, "append" | "erasePersonal" | "list">;
  /** The parts to the right that hold something about people; asked for when it is needed, for they are built later. */
  readonly personalData: () => readonly PersonalData[];
}

export interface Identity {
  /** With a transaction: as it stands there, after every write before it. */
  findUser(id: string, tx?: Tx): Promise<UserRecord | null>;
  /** Takes any spelling; null also where the text is no address. */
  findUserByEmail(email: string): Promise<UserRecord | null>;
  /** Writes a user. Throws `conflict` EMAIL_TAKEN, `invalid` EMAIL_INVALID. */
  insertPerson(tx: Tx, person: NewPerson): Promise<UserRecord>;
  markEmailVerified(tx: Tx, userId: string, now: EpochMicroseconds): Promise<void>;
  /** Gives somebody whose address was not confirmed until that moment for it, where there was a moment at all. */
  extendConfirmBy(tx: Tx, userId: string, confirmBy: EpochMicroseconds): Promise<void>;
  /** Deletes some users whose moment has passed, with their passwords and tokens, each with its audit line; says how many. */
  sweepUnconfirmed(): Promise<number>;
  /** Ends every login session of the user that began before `now`. */
  endSessions(tx: Tx, userId: string, now: EpochMicroseconds): Promise<void>;
  userOnWire(user: UserRecord): User;
  /** Drops what is remembered about users, here and by everybody who listens. Call it once the write is committed. */
  forget(): void;
  /** Calls `listener` whenever what is known about users may have changed: here, or by another process's write. Returns the way to stop. */
  onForget(listener: () => void): () => void;

  /** Makes a user in one write with its audit line; `also` runs in the same transaction. Throws as insertPerson does. */
  createUser(options: {
    actor: Actor;
    person: Omit<NewPerson, "now">;
    also?: (tx: Tx, user: UserRecord, now: EpochMicroseconds) => Promise<void>;
  }): Promise<UserRecord>;
  /** Throws `not-found` USER_NOT_FOUND. */
  getUser(id: string): Promise<User>;
  /** One page of users, newest first. */
  listUsers(options: { filter: UserFilter; limit: number; cursor?: string }): Promise<UserPage>;
  /** Changes a user. Throws `not-found` USER_NOT_FOUND, `conflict` LAST_ADMINISTRATOR or USER_ERASED. */
  changeUser(options: { actor: Actor; userId: string; patch: UserPatch }): Promise<User>;
  /** Blanks what names the person and ends all their credentials; again, it changes nothing. Throws as changeUser does. */
  eraseUser(options: { actor: Actor; userId: string }): Promise<void>;
  /** Everything held about a user. Throws `not-found` USER_NOT_FOUND. */
  exportUser(options: { actor: Actor; userId: string }): Promise<UserExport>;
  hasUsers(tx?: Tx): Promise<boolean>;
  /** The administrator who has been here longest and is not disabled. Throws `not-found` NO_ADMINISTRATOR. */
  oldestAdministrator(): Promise<string>;
  /** Stops listening to storage. */
  close(): void;
}

/** Audit lines in an export: 50 pages of 200. */
const exportedPageCountMax = 50;
const exportedPageLimit = 200;
/** Users one sweep deletes: a few milliseconds of the event loop. */
const sweepCountMax = 16;

export function createIdentity(options: IdentityOptions): Identity {
  const { storage, clock, random, log, audit, personalData } = options;
  const listeners = new Set<() => void>();

  function forget(): void {
    for (const listener of listeners) listener();
  }
  const stopListening = storage.onForeignWrite(forget);

  async function findUserByEmail(text: string): Promise<UserRecord | null> {
    const email = emailOrNull(text);
    return email === null ? null : findUserWithEmail(storage.read, email);
  }

  async function insertPerson(tx: Tx, person: NewPerson): Promise<UserRecord> {
    const { name, role, confirmBy = null, now } = person;
    const email = person.email === null ? null : normalizeEmail(person.email);
    if (email !== null && (await findUserWithEmail(tx, email)) !== null) {
      throw new BsoptError({ reason: "conflict", code: "EMAIL_TAKEN", detail: "There is a user with this address." });
    }
    const user: UserRow = {
      id: uuid7(now, random),
      name,
      email,
      emailVerifiedAt: person.isVerified && email !== null ? now : null,
      role,
      sessionsValidFrom: 0n,
      disabledAt: null,
      confirmBy,
      erasedAt: null,
      createdAt: now,
      updatedAt: now,
    };
    await insertUserRow(tx, user);
    return user;
  }

  async function createUser(input: Parameters<Identity["createUser"]>[0]): Promise<UserRecord> {
    const { actor, person, also } = input;
    const now = clock.nowMicroseconds();
    const user = await storage.write(async (tx) => {
      const made = await insertPerson(tx, { ...person, now });
      await also?.(tx, made, now);
      await note(tx, actor, "admin.user.created", made.id, "create", { role: made.role, verified: person.isVerified });
      return made;
    });
    log.info({ user_id: user.id, role: user.role, by_user_id: actor.userId }, "user made");
    return user;
  }

  async function listUsers(page: Parameters<Identity["listUsers"]>[0]): Promise<UserPage> {
    const { limit, cursor } = page;
    const filter = { ...page.filter };
    if (filter.email !== undefined) filter.email = normalizeEmail(filter.email, "/query/email");
    const after = cursor === undefined ? null : parseCursor(cursor);
    const rows = await pageOfUsers(storage.read, { filter, after, limit: limit + 1 });
    return pageOf(rows, limit, { shown: userOnWire, mark: ({ createdAt, id }) => ({ createdAt, id }) });
  }

  async function changeUser(input: Parameters<Identity["changeUser"]>[0]): Promise<User> {
    const { actor, userId, patch } = input;
    const now = clock.nowMicroseconds();
    const { user, takesAway } = await storage.write(async (tx) => {
      const before = await required(tx, userId);
      if (before.erasedAt !== null) throw userErased();
      const wasDisabled = before.disabledAt !== null;
      const isDisabled = patch.disabled ?? wasDisabled;
      const role = patch.role ?? before.role;
      const isChanged = {
        name: (patch.name ?? before.name) !== before.name,
        role: role !== before.role,
        disabled: isDisabled !== wasDisabled,
      };
      if (!isChanged.name && !isChanged.role && !isChanged.disabled) return { user: before, takesAway: false };
      if (isChanged.role || isDisabled) await requireAnotherAdministrator(tx, before, { role, isDisabled });
      const takesAway = isChanged.role || isChanged.disabled;
      const after = await updateUser(tx, userId, {
        name: patch.name ?? before.name,
        role,
        disabledAt: isDisabled ? (before.disabledAt ?? now) : null,
        ...(takesAway && { sessionsValidFrom: now }),
        // Whom somebody else has looked after is no stranger's leftover.
        ...(actor.userId !== userId && { confirmBy: null }),
        updatedAt: now,
      });
      await note(tx, actor, actor.userId === userId ? "user.updated" : "admin.user.updated", userId, "update", {
        name_changed: isChanged.name,
        ...(isChanged.role && { role_before: before.role, role }),
        ...(isChanged.disabled && { disabled: isDisabled }),
      });
      return { user: after ?? before, takesAway };
    });
    if (takesAway) {
      forget();
      log.info({ user_id: userId, role: user.role, is_disabled: user.disabledAt !== null }, "user changed");
    }
    return userOnWire(user);
  }

  async function eraseUser({ actor, userId }: Parameters<Identity["eraseUser"]>[0]): Promise<void> {
    const now = clock.nowMicroseconds();
    await storage.write(async (tx) => {
      const before = await required(tx, userId);
      if (before.erasedAt !== null) return;
      await requireAnotherAdministrator(tx, before, { role: before.role, isDisabled: true });
      await updateUser(tx, userId, {
        name: erasedName,
        email: null,
        emailVerifiedAt: null,
        disabledAt: before.disabledAt ?? now,
        confirmBy: null,
        erasedAt: now,
        sessionsValidFrom: now,
        updatedAt: now,
      });
      const isOwn = actor.userId === userId;
      await note(tx, actor, "user.erased", userId, "erase", { by_the_user: isOwn });
      if (!isOwn) await note(tx, actor, "admin.user.deleted", userId, "delete", { role: before.role });
      for (const part of personalData()) await part.erase(tx, before, now);
      // The audit comes last, so that what this act itself recorded about the person goes too.
      await audit.erasePersonal(tx, userId);
    });
    forget();
    log.info({ user_id: userId, by_user_id: actor.userId }, "user erased");
  }

  async function sweepUnconfirmed(): Promise<number> {
    // Looked at before it is written: most rounds find nothing and cost no write.
    if ((await findUnconfirmed(storage.read, clock.nowMicroseconds(), 1)).length === 0) return 0;
    return storage.write(async (tx) => {
      const doomed = await findUnconfirmed(tx, clock.nowMicroseconds(), sweepCountMax);
      for (const { id } of doomed) {
        await deleteUser(tx, id);
        await note(tx, system, "user.erased", id, "erase", { by_the_user: false, unconfirmed: true });
      }
      return doomed.length;
    });
  }

  async function exportUser({ actor, userId }: Parameters<Identity["exportUser"]>[0]): Promise<UserExport> {
    const user = await required(storage.read, userId);
    const parts: Record<string, readonly unknown[]> = {};
    for (const part of personalData()) parts[part.name] = await part.collect(userId);
    parts.audit = await recorded(userId);
    await storage.write((tx) => note(tx, actor, "user.exported", userId, "export", {}));
    return { ...parts, exported_at: formatTimestamp(clock.nowMicroseconds()), user: userOnWire(user) } as UserExport;
  }

  /** What the audit holds of the user's own acts, newest first; the oldest are left out past a limit. */
  async function recorded(userId: string): Promise<readonly unknown[]> {
    const lines: unknown[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < exportedPageCountMax; page++) {
      const { data, next_cursor }: Awaited<ReturnType<Audit["list"]>> = await audit.list({
        filter: { userId, eventTypes: [], status: null, from: null, to: null },
        limit: exportedPageLimit,
        ...(cursor !== null && { cursor }),
      });
      lines.push(...data);
      cursor = next_cursor;
      if (cursor === null) break;
    }
    return lines;
  }

  /** Throws where nobody could undo it: the user is the last administrator who can act, and would not be afterwards. */
  async function requireAnotherAdministrator(
    tx: Tx,
    before: UserRow,
    after: { role: Role; isDisabled: boolean },
  ): Promise<void> {
    const acted = before.role === "admin" && before.disabledAt === null;
    const acts = after.role === "admin" && !after.isDisabled;
    if (!acted || acts || (await countOtherAdministrators(tx, before.id)) > 0) return;
    throw new BsoptError({
      reason: "conflict",
      code: "LAST_ADMINISTRATOR",
      detail: "This is the last administrator who can act; make another one first.",
    });
  }

  async function required(database: Parameters<typeof findUserById>[0], userId: string): Promise<UserRow> {
    const user = await findUserById(database, userId);
    if (user !== null) return user;
    throw new BsoptError({ reason: "not-found", code: "USER_NOT_FOUND", detail: "There is no such user." });
  }

  function note(
    tx: Tx,
    actor: Actor,
    eventType: AuditEvent["eventType"],
    userId: string,
    action: string,
    details: AuditEvent["details"],
  ): Promise<void> {
    return audit.append(tx, {
      eventType,
      userId: actor.userId,
      resource: `users/${userId}`,
      action,
      status: "success",
      details: actor.userId === null && actor !== system ? { by: "operator", ...details } : details,
      origin: actor.origin,
    });
  }

  return {
    findUser: (id, tx) => findUserById(tx ?? storage.read, id),
    findUserByEmail,
    insertPerson,
    async markEmailVerified(tx, userId, now) {
      await updateUser(tx, userId, { emailVerifiedAt: now, confirmBy: null, updatedAt: now });
    },
    extendConfirmBy: (tx, userId, confirmBy) => extendConfirmBy(tx, userId, confirmBy),
    sweepUnconfirmed,
    async endSessions(tx, userId, now) {
      await updateUser(tx, userId, { sessionsValidFrom: now });
    },
    userOnWire,
    forget,
    onForget(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    createUser,
    getUser: async (id) => userOnWire(await required(storage.read, id)),
    listUsers,
    changeUser,
    eraseUser,
    exportUser,
    hasUsers: (tx) => hasAnyUser(tx ?? storage.read),
    async oldestAdministrator() {
      const userId = await findOldestAdministrator(storage.read);
      if (userId !== null) return userId;
      throw new BsoptError({
        reason: "not-found",
        code: "NO_ADMINISTRATOR",
        detail: "There is no administrator who could do this.",
      });
    },
    close: stopListening,
  };
}

function userOnWire(user: UserRecord): User {
  const moment = (microseconds: bigint | null) => (microseconds === null ? null : formatTimestamp(microseconds));
  return {
    id: user.id,
    name: user.name,
    email: user.email,
    email_verified_at: moment(user.emailVerifiedAt),
    role: user.role,
    disabled_at: moment(user.disabledAt),
    erased_at: moment(user.erasedAt),
    created_at: formatTimestamp(user.createdAt),
    updated_at: formatTimestamp(user.updatedAt),
  };
}

function emailOrNull(text: string): string | null {
  try {
    return normalizeEmail(text);
  } catch (error) {
    if (error instanceof BsoptError) return null;
    throw error;
  }
}

function userErased(): BsoptError {
  return new BsoptError({ reason: "conflict", code: "USER_ERASED", detail: "The user was erased and stays so." });
}
