// Who a request acts for, and the keys that say so. Separate from http, which only asks it, and from storage,
// which does not know what a key means. Invariants:
//   1. A secret is never stored, logged or put in an error; only its SHA-256 is compared, in constant time.
//   2. Whoever has not proven a secret learns nothing about the key: every refusal before that is the same.
//   3. What a revocation ended is refused at once in this process, and within seconds in every other.
//   4. No request waits for a write: uses are noted in memory and written in batches by a background agent.

import { hash, timingSafeEqual } from "node:crypto";
import type { AddressBlock } from "../../domain/address";
import { parseTimestamp, timestampFaultDetail } from "../../domain/day-count";
import { permissions } from "../../domain/permission";
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
import { randomBase62, uuid7 } from "../../foundation/identifier";
import type { Log } from "../../foundation/log";
import type { Random } from "../../foundation/random";
import { finish, type IdempotencyTicket } from "../../storage/idempotency";
import type { Storage } from "../../storage/storage";
import type { Audit } from "../audit/service";
import type { ApiKey, ApiKeyCreated, ApiKeyPage, ApiKeyRequest } from "./model";
import {
  countLiveKeys,
  countMadeBy,
  endKey,
  findKeyForUse,
  findOperator,
  hasKey,
  hasUsers,
  insertKey,
  insertUser,
  type KeyForUse,
  noteUses,
  pageOfKeys,
} from "./repository";
import {
  effectivePermissions,
  formatCursor,
  formatKeyText,
  keyIdLength,
  keySecretLength,
  liveKeyCountPerUserMax,
  parseCursor,
  parseIpAllow,
  parseKeyText,
  peerAllowed,
  requireGrantable,
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

export interface IdentityOptions {
  readonly storage: Pick<Storage, "write" | "read" | "onForeignWrite">;
  readonly audit: Pick<Audit, "append">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Narrower bounds of what is kept in memory, for tests. */
  readonly limits?: Partial<IdentityLimits>;
}

/** How much identity keeps in memory at most. */
export interface IdentityLimits {
  /** Keys remembered as admitted. */
  readonly admissionCountMax: number;
  /** Ids remembered as belonging to no key. */
  readonly absentCountMax: number;
  /** Lookups under way at once. */
  readonly lookupCountMax: number;
  /** Uses noted and not yet written; past it a use goes unnoted. */
  readonly usesPendingCountMax: number;
}

const defaultLimits: IdentityLimits = {
  admissionCountMax: 10_000,
  absentCountMax: 10_000,
  lookupCountMax: 1_000,
  usesPendingCountMax: 10_000,
};

export interface Identity extends Authenticator {
  /** Makes a key; its text is in the answer and nowhere else. With a ticket, the answer is stored beside it. */
  createKey(options: {
    maker: Maker;
    request: ApiKeyRequest;
    idempotency?: IdempotencyTicket | null;
    origin?: RequestOrigin;
  }): Promise<ApiKeyCreated>;
  /** One page of a user's keys, newest first; of everybody's where the user is null. */
  listKeys(options: { userId: string | null; limit: number; cursor?: string }): Promise<ApiKeyPage>;
  /** Ends a key of that user (null: of anyone). Throws `not-found`. `madeCount`: living keys it had made, which go on. */
  revokeKey(options: {
    userId: string | null;
    id: string;
    /** Who revokes it; the operator unless said. */
    maker?: Maker;
    origin?: RequestOrigin;
  }): Promise<{ madeCount: number }>;
  /**
   * Makes the user "owner" and the first key, once in a database's life; returns the key's text if it was made now.
   * The file comes first and the commit after it, so that no crash can leave a key whose text nobody has.
   */
  ensureFirstAdminKey(keyFile: KeyFile): Promise<string | null>;
  /** Writes the noted uses now. */
  flushUses(): Promise<void>;
  readonly agents: readonly Agent[];
  /** Stops listening to storage and writes what was noted. Agents are stopped by whoever started them. */
  close(): Promise<void>;
}

/** A key ready to admit requests, with its principal made once. */
interface Admission {
  readonly key: KeyForUse;
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

export function createIdentity(options: IdentityOptions): Identity {
  const { storage, audit, clock, random, log } = options;
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
  const stopListening = storage.onForeignWrite(forgetAll);

  function authenticate(credentials: Credentials): Principal | Promise<Principal> {
    if (credentials.apiKey === undefined) {
      throw credentials.bearerToken === undefined
        ? unauthenticated("CREDENTIALS_MISSING", "This needs an API key, in the header X-API-Key.")
        : refused();
    }
    const text = parseKeyText(credentials.apiKey);
    if (!text) throw refused();
    const now = clock.monotonicMilliseconds();
    const known = admissions.get(text.id);
    if (known && now < known.freshUntilMilliseconds) return admit(known, text.secret, credentials);
    const absentUntil = absent.get(text.id);
    if (absentUntil !== undefined && now < absentUntil) throw refused();
    return lookUp(text.id).then((found) => {
      if (!found) throw refused();
      return admit(found, text.secret, credentials);
    });
  }

  function admit(admission: Admission, secret: string, credentials: Credentials): Principal {
    if (!timingSafeEqual(hashOf(secret), admission.secretHash)) throw refused();
    const { key } = admission;
    const now = clock.nowMicroseconds();
    // The same answer as for an unknown key: whoever stole one must not learn that it works from elsewhere.
    // The peer is asked for only where the key has a list: it is a call into the socket.
    if (admission.blocks !== null && !peerAllowed(admission.blocks, credentials.peerAddress)) {
      log.warn(
        { key_id: key.id, peer: credentials.peerAddress },
        "an API key was shown from an address outside its list",
      );
      throw refused();
    }
    if (key.revokedAt !== null) throw unauthenticated("API_KEY_REVOKED", "The API key was revoked.");
    if (key.expiresAt !== null && now >= key.expiresAt) {
      throw unauthenticated("API_KEY_EXPIRED", "The API key has expired.");
    }
    if (key.userDisabledAt !== null) throw unauthenticated("USER_DISABLED", "The key's owner is disabled.");
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
    const lookup = findKeyForUse(storage.read, id)
      .then((key) => {
        const admission = key && admissionOf(key, clock.monotonicMilliseconds() + freshMilliseconds);
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

  async function createKey(input: Parameters<Identity["createKey"]>[0]): Promise<ApiKeyCreated> {
    const { maker, request, idempotency = null, origin = noOrigin } = input;
    const now = clock.nowMicroseconds();
    requireGrantable(request.scopes, maker.kind === "operator" ? new Set(permissions) : maker.principal.permissions);
    const expiresAt = request.expires_at === undefined ? null : expiryOf(request.expires_at, now);
    if (request.ip_allow) parseIpAllow(request.ip_allow);
    const userId = maker.kind === "operator" ? await operator() : maker.principal.userId;
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
      await audit.append(tx, {
        eventType: "apikey.created",
        userId: userOfMaker(maker),
        resource: `api_keys/${text.id}`,
        action: "create",
        status: "success",
        details: {
          by: maker.kind,
          owner_id: userId,
          made_by_key_id: created.created_by_key_id,
          scopes: created.scopes.join(" "),
          rate_class: created.rate_class,
          expires_at: created.expires_at,
        },
        origin,
      });
      await finish(tx, idempotency, { status: 201, body: JSON.stringify({ ...created, secret: null }) });
    });
    log.info({ key_id: created.id, user_id: userId, made_by_key_id: created.created_by_key_id }, "API key made");
    return created;
  }

  async function listKeys(page: Parameters<Identity["listKeys"]>[0]): Promise<ApiKeyPage> {
    const after = page.cursor === undefined ? null : parseCursor(page.cursor);
    // One row more than asked for tells whether there are more.
    const rows = await pageOfKeys(storage.read, { userId: page.userId, after, limit: page.limit + 1 });
    const shown = rows.slice(0, page.limit);
    const last = shown.at(-1);
    const hasMore = rows.length > shown.length;
    return {
      data: shown.map((row): ApiKey => row.key),
      next_cursor: hasMore && last ? formatCursor(last.mark) : null,
      has_more: hasMore,
    };
  }

  async function revokeKey(input: Parameters<Identity["revokeKey"]>[0]): Promise<{ madeCount: number }> {
    const { maker = { kind: "operator" }, origin = noOrigin, ...key } = input;
    const now = clock.nowMicroseconds();
    const madeCount = await storage.write(async (tx) => {
      if (!(await endKey(tx, { ...key, now }))) {
        throw new BsoptError({ reason: "not-found", code: "KEY_NOT_FOUND", detail: "There is no such API key." });
      }
      const count = await countMadeBy(tx, key.id);
      await audit.append(tx, {
        eventType: "apikey.revoked",
        userId: userOfMaker(maker),
        resource: `api_keys/${key.id}`,
        action: "revoke",
        status: "success",
        details: { by: maker.kind, by_key_id: keyOfMaker(maker), living_keys_it_made: count },
        origin,
      });
      return count;
    });
    forgetAll();
    log.info({ key_id: key.id }, "API key revoked");
    return { madeCount };
  }

  async function ensureFirstAdminKey(keyFile: KeyFile): Promise<string | null> {
    if (await hasUsers(storage.read)) return null;
    const { text, isOurs } = keyInFile(keyFile);
    const outcome = await storage.write(async (tx) => {
      if (await hasUsers(tx)) return (await hasKey(tx, text.id)) ? "theirs" : "lost";
      const now = clock.nowMicroseconds();
      const userId = uuid7(now, random);
      await insertUser(tx, { id: userId, name: "owner", role: "admin", now });
      await insertKey(tx, {
        id: text.id,
        userId,
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
        resource: `users/${userId}`,
        details: { by: "first start", role: "admin" },
      });
      await audit.append(tx, {
        ...first,
        eventType: "apikey.created",
        resource: `api_keys/${text.id}`,
        details: { by: "first start", owner_id: userId, scopes: permissions.join(" "), rate_class: "unlimited" },
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

  async function operator(): Promise<string> {
    const userId = await findOperator(storage.read);
    if (userId !== null) return userId;
    throw new BsoptError({
      reason: "not-found",
      code: "NO_ADMINISTRATOR",
      detail: "There is no administrator whose key this could be.",
    });
  }

  function newKeyText(): { id: string; secret: string } {
    return { id: randomBase62(keyIdLength, random), secret: randomBase62(keySecretLength, random) };
  }

  return {
    authenticate,
    createKey,
    listKeys,
    revokeKey,
    ensureFirstAdminKey,
    flushUses,
    agents,
    close: async () => {
      stopListening();
      await flushUses();
    },
  };
}

function admissionOf(key: KeyForUse, freshUntilMilliseconds: number): Admission {
  return {
    key,
    secretHash: Buffer.from(key.secretHashHex, "hex"),
    blocks: key.ipAllow === null ? null : parseIpAllow(key.ipAllow),
    principal: Object.freeze({
      userId: key.userId,
      role: key.userRole,
      permissions: effectivePermissions(key.scopes, key.userRole, key.makerScopes),
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

/** Whose act it is, or null: whoever holds the machine. */
function userOfMaker(maker: Maker): string | null {
  return maker.kind === "operator" ? null : maker.principal.userId;
}

/** Puts a value last and drops the oldest past the limit. */
function remember<Value>(map: Map<string, Value>, id: string, value: Value, countMax: number): void {
  map.delete(id);
  map.set(id, value);
  if (map.size > countMax) map.delete(map.keys().next().value!);
}

function expiryOf(text: string, now: EpochMicroseconds): EpochMicroseconds {
  const moment = parseTimestamp(text);
  if (typeof moment === "bigint" && moment > now) return moment;
  const detail = typeof moment === "bigint" ? "must lie in the future" : timestampFaultDetail[moment];
  throw new BsoptError({
    reason: "invalid",
    code: "EXPIRY_INVALID",
    detail: `expires_at ${detail}.`,
    faults: [{ pointer: "/expires_at", code: "EXPIRY_INVALID", detail }],
  });
}

function unauthenticated(code: string, detail: string): BsoptError {
  return new BsoptError({ reason: "unauthenticated", code, detail });
}

/** The one answer to whoever has not proven a secret. */
function refused(): BsoptError {
  return unauthenticated("API_KEY_INVALID", "The API key is not valid here.");
}
