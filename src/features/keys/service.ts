// API keys, and who a request with one acts for. Separate from http, which only asks it, and from identity, which says what the
// key's owner may do at most. Invariants:
//   1. A secret is never stored, logged or put in an error; only its SHA-256 is compared, in constant time.
//   2. Whoever has not proven a secret learns nothing about the key: every refusal before that is the same.
//   3. What a revocation ended is refused at once in this process, and within seconds in every other.
//   4. No request waits for a write: uses are noted in memory and written in batches by a background agent.

import { hash, timingSafeEqual } from "node:crypto";
import type { AddressBlock } from "../../domain/address";
import { type Permission, permissions, permissionsOfRole } from "../../domain/permission";
import {
  type Authenticator,
  type Credentials,
  noOrigin,
  type Principal,
  type RateClass,
  type RequestOrigin,
} from "../../domain/principal";
import { Agent } from "../../foundation/agent";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import { formatTimestamp } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import { randomBase62 } from "../../foundation/identifier";
import type { Log } from "../../foundation/log";
import { pageOf, parseCursor } from "../../foundation/page-mark";
import type { Random } from "../../foundation/random";
import { finish, type IdempotencyTicket } from "../../storage/idempotency";
import type { Storage, Tx } from "../../storage/storage";
import type { Audit } from "../audit/service";
import type { Identity, PersonalData, UserRecord } from "../identity/service";
import type { ApiKey, ApiKeyCreated, ApiKeyPage, ApiKeyRequest } from "./model";
import {
  countLiveKeys,
  countMadeBy,
  endKey,
  endKeysOf,
  findKeyForUse,
  findKeyRow,
  hasKey,
  insertKey,
  type KeyForUse,
  noteUses,
  pageOfKeys,
} from "./repository";
import {
  effectivePermissions,
  expiryOf,
  formatKeyText,
  keyIdLength,
  keyNotFound,
  keySecretLength,
  liveKeyCountPerUserMax,
  parseIpAllow,
  parseKeyText,
  peerAllowed,
  requireGrantable,
  requireRateClass,
  userNotFound,
} from "./rules";

/** Where the first administrator's key is kept for people to find. The file is the caller's; this is its shape. */
export interface KeyFile {
  /** Its text without the line's end, or null where there is no file. */
  read(): string | null;
  /** Makes it, whole and durable, readable by its owner alone. False, and untouched, where it exists. */
  create(text: string): boolean;
  remove(): void;
}

/** Who asks for a key: a request's principal, or whoever holds the machine and its files. */
export type Maker = { readonly kind: "principal"; readonly principal: Principal } | { readonly kind: "operator" };

/** Whose keys: everybody's, for the operator; else one user's, the principal's own where none is named. */
export type KeysOf =
  | { readonly kind: "everybody" }
  | { readonly kind: "user"; readonly by: Principal; readonly userId?: string };

export interface KeysOptions {
  readonly storage: Pick<Storage, "write" | "read">;
  /** Whose keys they are: what the owner may do, and when that may have changed. */
  readonly identity: Pick<Identity, "findUser" | "onForget" | "insertPerson" | "hasUsers" | "oldestAdministrator">;
  readonly audit: Pick<Audit, "append">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** False: no key is honoured, so that only people who sign in come in. */
  readonly isEnabled?: boolean;
  /** Narrower bounds of what is kept in memory, for tests. */
  readonly limits?: Partial<KeysLimits>;
}

/** How much keys keeps in memory at most. */
export interface KeysLimits {
  /** Keys remembered as admitted. */
  readonly admissionCountMax: number;
  /** Ids remembered as belonging to no key. */
  readonly absentCountMax: number;
  /** Lookups under way at once. */
  readonly lookupCountMax: number;
  /** Uses noted and not yet written; past it a use goes unnoted. */
  readonly usesPendingCountMax: number;
}

const defaultLimits: KeysLimits = {
  admissionCountMax: 10_000,
  absentCountMax: 10_000,
  lookupCountMax: 1_000,
  usesPendingCountMax: 10_000,
};

export interface Keys extends Authenticator {
  /**
   * The principal of a key whose secret was proven earlier, as for a token given for it: as the key, its maker, its owner and its list of
   * addresses are now. Throws `unauthenticated` like authenticate.
   */
  admitKey(keyId: string, peerAddress: string): Principal | Promise<Principal>;
  /**
   * Makes a key; its text is in the answer and noOrigin else. With a ticket, the answer is stored beside it. `userId`: whose key it is to
   * be, the maker's own where it is left out. Throws `forbidden` SCOPE_NOT_HELD, RATE_CLASS_NOT_ALLOWED, `not-found` USER_NOT_FOUND,
   * `conflict` KEY_COUNT_LIMIT, USER_DISABLED.
   */
  createKey(options: {
    maker: Maker;
    request: ApiKeyRequest;
    userId?: string;
    idempotency?: IdempotencyTicket | null;
    origin?: RequestOrigin;
  }): Promise<ApiKeyCreated>;
  /** One page of the keys that `of` names, newest first. Throws `not-found` USER_NOT_FOUND where they are not the principal's to see. */
  listKeys(options: { of: KeysOf; limit: number; cursor?: string }): Promise<ApiKeyPage>;
  /** Throws `not-found` KEY_NOT_FOUND. */
  getKey(options: { by: Maker; id: string }): Promise<ApiKey>;
  /** Ends a key. Throws `not-found` KEY_NOT_FOUND. `madeCount`: living keys it had made, which go on. */
  revokeKey(options: { by: Maker; id: string; origin?: RequestOrigin }): Promise<{ madeCount: number }>;
  /**
   * Makes the user "owner" and the first key, once in a database's life; returns the key's text if it was made now.
   * The file comes first and the commit after it, so that no crash can leave a key whose text nobody has.
   */
  ensureFirstAdminKey(keyFile: KeyFile): Promise<string | null>;
  /** Keys as part of what is held about somebody: all of a user's keys, which erasing ends and strips of their names. */
  readonly personalData: PersonalData;
  /** Writes the noted uses now. */
  flushUses(): Promise<void>;
  readonly agents: readonly Agent[];
  /** Stops listening to identity and writes what was noted. Agents are stopped by whoever started them. */
  close(): Promise<void>;
}

/** A key ready to admit requests, with its principal made once. */
interface Admission {
  readonly key: KeyForUse;
  readonly isOwnerEnabled: boolean;
  readonly secretHash: Buffer;
  readonly blocks: readonly AddressBlock[] | null;
  readonly principal: Principal;
  readonly freshUntilMilliseconds: number;
  lastUsedAt: EpochMicroseconds | null;
}

const usesPerFlushMax = 500;
/** How long a looked-up key is believed without hearing from the database. */
const freshMilliseconds = 5_000;
const noteUseEveryMicroseconds = 60_000_000n;
const flushEveryMilliseconds = 10_000;
/** Keys in an export, at most: more than anybody can have alive, so that what is left out is old. */
const exportedCountMax = 5_000;
const allPermissions: ReadonlySet<Permission> = new Set(permissions);

export function createKeys(options: KeysOptions): Keys {
  const { storage, identity, audit, clock, random, log } = options;
  const isEnabled = options.isEnabled ?? true;
  const { admissionCountMax, absentCountMax, lookupCountMax, usesPendingCountMax } = {
    ...defaultLimits,
    ...options.limits,
  };
  const admissions = new Map<string, Admission>();
  const absent = new Map<string, number>();
  const lookups = new Map<string, Promise<Admission | null>>();
  const uses = new Map<string, EpochMicroseconds>();
  /** Counts forgettings: a lookup that began before one must not be remembered after it. */
  let generation = 0;

  function forgetAll(): void {
    generation += 1;
    admissions.clear();
    absent.clear();
    lookups.clear();
  }
  const stopListening = identity.onForget(forgetAll);

  function authenticate(credentials: Credentials): Principal | Promise<Principal> {
    if (credentials.apiKey === undefined) {
      throw credentials.bearerToken === undefined
        ? unauthenticated("CREDENTIALS_MISSING", "This needs an API key, in the header X-API-Key.")
        : refused();
    }
    requireEnabled();
    const text = parseKeyText(credentials.apiKey);
    if (!text) throw refused();
    const known = remembered(text.id);
    if (known) return admitProven(known, text.secret, credentials);
    return lookUp(text.id).then((found) => {
      if (!found) throw refused();
      return admitProven(found, text.secret, credentials);
    });
  }

  function admitKey(keyId: string, peerAddress: string): Principal | Promise<Principal> {
    requireEnabled();
    const known = remembered(keyId);
    if (known) return admit(known, { peerAddress });
    return lookUp(keyId).then((found) => {
      if (!found) throw refused();
      return admit(found, { peerAddress });
    });
  }

  function requireEnabled(): void {
    if (!isEnabled) throw unauthenticated("API_KEYS_DISABLED", "API keys are switched off here.");
  }

  /** What is remembered of a key and still believed; throws where that is that there is none. */
  function remembered(id: string): Admission | null {
    const now = clock.monotonicMilliseconds();
    const known = admissions.get(id);
    if (known && now < known.freshUntilMilliseconds) return known;
    const absentUntil = absent.get(id);
    if (absentUntil !== undefined && now < absentUntil) throw refused();
    return null;
  }

  function admitProven(admission: Admission, secret: string, credentials: Credentials): Principal {
    if (!timingSafeEqual(hashOf(secret), admission.secretHash)) throw refused();
    return admit(admission, credentials);
  }

  function admit(admission: Admission, peer: Pick<Credentials, "peerAddress">): Principal {
    const { key } = admission;
    const now = clock.nowMicroseconds();
    // The same answer as for an unknown key: whoever stole one must not learn that it works from elsewhere.
    // The peer is asked for only where the key has a list: it is a call into the socket.
    if (admission.blocks !== null && !peerAllowed(admission.blocks, peer.peerAddress)) {
      log.warn({ key_id: key.id, peer: peer.peerAddress }, "an API key was shown from an address outside its list");
      throw refused();
    }
    if (key.revokedAt !== null) throw unauthenticated("API_KEY_REVOKED", "The API key was revoked.");
    if (key.expiresAt !== null && now >= key.expiresAt) {
      throw unauthenticated("API_KEY_EXPIRED", "The API key has expired.");
    }
    if (!admission.isOwnerEnabled) throw unauthenticated("USER_DISABLED", "The key's owner is disabled.");
    noteUse(admission, now);
    return admission.principal;
  }

  /** One lookup a key at a time, however many requests wait for it. */
  function lookUp(id: string): Promise<Admission | null> {
    const running = lookups.get(id);
    if (running) return running;
    if (lookups.size >= lookupCountMax) {
      throw new BsoptError({
        reason: "unavailable",
        code: "TOO_MANY_LOOKUPS",
        detail: "Too many keys are being looked up at once.",
        retryAfterSeconds: 1,
      });
    }
    const begun = generation;
    const lookup = findWithOwner(id)
      .then((found) => {
        const admission = found && admissionOf(found, clock.monotonicMilliseconds() + freshMilliseconds);
        if (begun === generation) {
          if (admission) remember(admissions, id, admission, admissionCountMax);
          else remember(absent, id, clock.monotonicMilliseconds() + freshMilliseconds, absentCountMax);
        }
        return admission;
      })
      .finally(() => {
        if (lookups.get(id) === lookup) lookups.delete(id);
      });
    lookups.set(id, lookup);
    return lookup;
  }

  async function findWithOwner(id: string): Promise<{ key: KeyForUse; owner: UserRecord } | null> {
    const key = await findKeyForUse(storage.read, id);
    const owner = key && (await identity.findUser(key.userId));
    return key && owner && { key, owner };
  }

  function noteUse(admission: Admission, now: EpochMicroseconds): void {
    if (admission.lastUsedAt !== null && now - admission.lastUsedAt < noteUseEveryMicroseconds) return;
    if (uses.size >= usesPendingCountMax && !uses.has(admission.key.id)) return;
    admission.lastUsedAt = now;
    uses.set(admission.key.id, now);
  }

  async function flushUses(): Promise<void> {
    while (uses.size > 0) {
      const batch = new Map([...uses].slice(0, usesPerFlushMax));
      await storage.write((tx) => noteUses(tx, batch));
      for (const [id, usedAt] of batch) if (uses.get(id) === usedAt) uses.delete(id);
    }
  }

  const agents = [
    new Agent({
      name: "api-key-uses",
      intervalMilliseconds: flushEveryMilliseconds,
      failuresMax: 5,
      clock,
      round: flushUses,
      onFailure: (error) => log.warn({ err: error }, "noting when API keys were used failed; it will be tried again"),
    }),
  ];

  async function createKey(input: Parameters<Keys["createKey"]>[0]): Promise<ApiKeyCreated> {
    const { maker, request, idempotency = null } = input;
    const now = clock.nowMicroseconds();
    const held = maker.kind === "operator" ? allPermissions : maker.principal.permissions;
    requireGrantable(request.scopes, held);
    requireRateClass(request.rate_class ?? "standard", held);
    const expiresAt = request.expires_at === undefined ? null : expiryOf(request.expires_at, now);
    if (request.ip_allow) parseIpAllow(request.ip_allow);
    const userId = await ownerOf(maker, input.userId, request.scopes);
    const text = newKeyText();
    const created: ApiKeyCreated = {
      id: text.id,
      user_id: userId,
      name: request.name,
      scopes: request.scopes,
      rate_class: request.rate_class ?? "standard",
      expires_at: expiresAt === null ? null : formatTimestamp(expiresAt),
      ip_allow: request.ip_allow ?? null,
      created_by_key_id: keyOfMaker(maker),
      created_at: formatTimestamp(now),
      revoked_at: null,
      last_used_at: null,
      secret: formatKeyText(text),
    };
    await storage.write(async (tx) => {
      if ((await countLiveKeys(tx, userId, now)) >= liveKeyCountPerUserMax) {
        throw new BsoptError({
          reason: "conflict",
          code: "KEY_COUNT_LIMIT",
          detail: `A user can have ${liveKeyCountPerUserMax} living keys; revoke one first.`,
        });
      }
      await insertKey(tx, {
        id: text.id,
        userId,
        name: created.name,
        secretHash: hashOf(text.secret).toString("hex"),
        scopes: JSON.stringify(created.scopes),
        rateClass: created.rate_class,
        expiresAt,
        ipAllow: created.ip_allow === null ? null : JSON.stringify(created.ip_allow),
        createdByKeyId: created.created_by_key_id,
        createdAt: now,
      });
      await note(tx, { eventType: "apikey.created", action: "create", by: maker, id: text.id }, input.origin, {
        by: maker.kind,
        owner_id: userId,
        made_by_key_id: created.created_by_key_id,
        scopes: created.scopes.join(" "),
        rate_class: created.rate_class,
        expires_at: created.expires_at,
      });
      await finish(tx, idempotency, { status: 201, body: JSON.stringify({ ...created, secret: null }) });
    });
    log.info({ key_id: created.id, user_id: userId, made_by_key_id: created.created_by_key_id }, "API key made");
    return created;
  }

  /** Whose the key is to be. An administrator makes keys for others too; to anybody else another user's id is one that is not. */
  async function ownerOf(maker: Maker, asked: string | undefined, scopes: readonly Permission[]): Promise<string> {
    if (maker.kind === "operator") return asked ?? (await identity.oldestAdministrator());
    const { userId, permissions: held } = maker.principal;
    if (asked === undefined || asked === userId) return userId;
    const owner = held.has("admin") ? await identity.findUser(asked) : null;
    if (owner === null) throw userNotFound();
    if (owner.disabledAt !== null) {
      throw new BsoptError({ reason: "conflict", code: "USER_DISABLED", detail: "The user is disabled." });
    }
    requireGrantable(scopes, permissionsOfRole[owner.role], "owner");
    return owner.id;
  }

  async function listKeys(page: Parameters<Keys["listKeys"]>[0]): Promise<ApiKeyPage> {
    const { of, limit } = page;
    const after = page.cursor === undefined ? null : parseCursor(page.cursor);
    const userId = of.kind === "everybody" ? null : await listedUser(of.by, of.userId);
    const rows = await pageOfKeys(storage.read, { userId, after, limit: limit + 1 });
    return pageOf(rows, limit, { shown: ({ key }) => key, mark: ({ mark }) => mark });
  }

  async function listedUser(by: Principal, asked: string | undefined): Promise<string> {
    if (asked === undefined || asked === by.userId) return by.userId;
    if (by.permissions.has("admin") && (await identity.findUser(asked)) !== null) return asked;
    throw userNotFound();
  }

  async function getKey({ by, id }: Parameters<Keys["getKey"]>[0]): Promise<ApiKey> {
    const key = await findKeyRow(storage.read, { id, userId: reachOf(by) });
    if (key === null) throw keyNotFound();
    return key;
  }

  async function revokeKey({ by, id, origin }: Parameters<Keys["revokeKey"]>[0]): Promise<{ madeCount: number }> {
    const now = clock.nowMicroseconds();
    const madeCount = await storage.write(async (tx) => {
      const ended = await endKey(tx, { id, userId: reachOf(by), now });
      if (ended === null) throw keyNotFound();
      const count = await countMadeBy(tx, id);
      if (ended.wasAlive) {
        await note(tx, { eventType: "apikey.revoked", action: "revoke", by, id }, origin, {
          by: by.kind,
          by_key_id: keyOfMaker(by),
          owner_id: ended.userId,
          living_keys_it_made: count,
        });
      }
      return count;
    });
    forgetAll();
    log.info({ key_id: id }, "API key revoked");
    return { madeCount };
  }

  function note(
    tx: Tx,
    act: { eventType: "apikey.created" | "apikey.revoked"; action: string; by: Maker; id: string },
    origin: RequestOrigin = noOrigin,
    details: Readonly<Record<string, string | number | null>>,
  ): Promise<void> {
    return audit.append(tx, {
      eventType: act.eventType,
      userId: act.by.kind === "operator" ? null : act.by.principal.userId,
      resource: `api_keys/${act.id}`,
      action: act.action,
      status: "success",
      details,
      origin,
    });
  }

  const personalData: PersonalData = {
    name: "api_keys",
    async collect(userId) {
      const rows = await pageOfKeys(storage.read, { userId, after: null, limit: exportedCountMax });
      return rows.map(({ key }) => key);
    },
    async erase(tx, { id: userId }, now) {
      await endKeysOf(tx, { userId, now, name: "erased" });
    },
  };

  async function ensureFirstAdminKey(keyFile: KeyFile): Promise<string | null> {
    if (await identity.hasUsers()) return null;
    const { text, isOurs } = keyInFile(keyFile);
    const outcome = await storage.write(async (tx) => {
      if (await identity.hasUsers(tx)) return (await hasKey(tx, text.id)) ? "theirs" : "lost";
      const now = clock.nowMicroseconds();
      const owner = await identity.insertPerson(tx, {
        email: null,
        name: "owner",
        role: "admin",
        isVerified: false,
        now,
      });
      await insertKey(tx, {
        id: text.id,
        userId: owner.id,
        name: "first administrator",
        secretHash: hashOf(text.secret).toString("hex"),
        scopes: JSON.stringify(permissions),
        rateClass: "unlimited" satisfies RateClass,
        createdAt: now,
      });
      const first = { userId: null, action: "create", status: "success", origin: noOrigin } as const;
      await audit.append(tx, {
        ...first,
        eventType: "admin.user.created",
        resource: `users/${owner.id}`,
        details: { by: "first start", role: "admin" },
      });
      await audit.append(tx, {
        ...first,
        eventType: "apikey.created",
        resource: `api_keys/${text.id}`,
        details: { by: "first start", owner_id: owner.id, scopes: permissions.join(" "), rate_class: "unlimited" },
      });
      return "made";
    });
    // Another process made the first key from another file: what this one wrote opens nothing.
    if (outcome === "lost" && isOurs) keyFile.remove();
    return outcome === "made" ? formatKeyText(text) : null;
  }

  /** The key in the file, written now or by whoever came first (another start at this moment, or one that crashed). */
  function keyInFile(keyFile: KeyFile): { text: { id: string; secret: string }; isOurs: boolean } {
    const ours = newKeyText();
    // Look before making: most disks can refuse an existing file, but all can read one.
    const isOurs = keyFile.read() === null && keyFile.create(formatKeyText(ours));
    if (isOurs) return { text: ours, isOurs };
    const text = parseKeyText(keyFile.read() ?? "");
    if (text) return { text, isOurs };
    throw new BsoptError({
      reason: "invalid",
      code: "ADMIN_KEY_FILE_INVALID",
      detail: "The file for the first administrator's key holds no key.",
      hint: "Remove the file admin-api-key from the data folder and start again.",
    });
  }

  function newKeyText(): { id: string; secret: string } {
    return { id: randomBase62(keyIdLength, random), secret: randomBase62(keySecretLength, random) };
  }

  return {
    authenticate,
    admitKey,
    createKey,
    listKeys,
    getKey,
    revokeKey,
    personalData,
    ensureFirstAdminKey,
    flushUses,
    agents,
    close: async () => {
      stopListening();
      await flushUses();
    },
  };
}

function admissionOf(found: { key: KeyForUse; owner: UserRecord }, freshUntilMilliseconds: number): Admission {
  const { key, owner } = found;
  return {
    key,
    isOwnerEnabled: owner.disabledAt === null,
    secretHash: Buffer.from(key.secretHashHex, "hex"),
    blocks: key.ipAllow === null ? null : parseIpAllow(key.ipAllow),
    principal: Object.freeze({
      userId: key.userId,
      role: owner.role,
      permissions: effectivePermissions(key.scopes, owner.role, key.makerScopes),
      credential: { kind: "api_key" as const, id: key.id },
      rateClass: key.rateClass,
    }),
    freshUntilMilliseconds,
    lastUsedAt: key.lastUsedAt,
  };
}

/** SHA-256, because a secret is 256 random bits: there is no dictionary for a slow hash to slow down. */
function hashOf(secret: string): Buffer {
  // In one call: a hash object to be updated takes three times as long.
  return hash("sha256", secret, "buffer");
}

/** The key that a key is made with, or null: a person's own hand, or the operator's. */
function keyOfMaker(maker: Maker): string | null {
  if (maker.kind === "operator") return null;
  const { credential } = maker.principal;
  return credential.kind === "api_key" ? credential.id : null;
}

/** Whose keys somebody may look at and end: null for everybody's. */
function reachOf(by: Maker): string | null {
  if (by.kind === "operator" || by.principal.permissions.has("admin")) return null;
  return by.principal.userId;
}

/** Puts a value last and drops the oldest past the limit. */
function remember<Value>(map: Map<string, Value>, id: string, value: Value, countMax: number): void {
  map.delete(id);
  map.set(id, value);
  if (map.size > countMax) map.delete(map.keys().next().value!);
}

function unauthenticated(code: string, detail: string): BsoptError {
  return new BsoptError({ reason: "unauthenticated", code, detail });
}

/** The one answer to whoever has not proven a secret. */
function refused(): BsoptError {
  return unauthenticated("API_KEY_INVALID", "The API key is not valid here.");
}
