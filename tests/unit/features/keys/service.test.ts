// Keys on a real database: who is admitted, what a revocation ends and when, what the cache may remember,
// and how the first key comes to be exactly once, whatever crashes.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eq, sql } from "drizzle-orm";
import type { Permission, Role } from "../../../../src/domain/permission";
import type { Credentials, Principal } from "../../../../src/domain/principal";
import { insertUserRow } from "../../../../src/features/identity/repository";
import { operator } from "../../../../src/features/identity/service";
import { users } from "../../../../src/features/identity/table";
import type { ApiKeyRequest } from "../../../../src/features/keys/model";
import { insertKey } from "../../../../src/features/keys/repository";
import { liveKeyCountPerUserMax } from "../../../../src/features/keys/rules";
import type { KeyFile, Keys, KeysLimits, Maker } from "../../../../src/features/keys/service";
import { apiKeys } from "../../../../src/features/keys/table";
import { type ManualClock, systemClock } from "../../../../src/foundation/clock";
import { BsoptError } from "../../../../src/foundation/errors";
import { silentLog } from "../../../../src/foundation/log";
import { seededRandom } from "../../../../src/foundation/random";
import { find } from "../../../../src/storage/idempotency";
import { openStorage } from "../../../../src/storage/storage";
import { type IdentityFixture, openIdentity, peopleOver } from "../../../harness/identity";

let fixture: IdentityFixture;
let keys: Keys;
let clock: ManualClock;
beforeEach(async () => {
  fixture = await openIdentity();
  ({ keys, clock } = fixture);
});
afterEach(() => fixture.close());

const peerAddress = "192.0.2.7";
const second = 1_000;
const minute = 60 * second;

const admit = async (apiKey: string | null, peer = peerAddress): Promise<Principal> =>
  keys.authenticate({ apiKey: apiKey!, peerAddress: peer });

async function failureOf(act: () => unknown): Promise<BsoptError> {
  try {
    await act();
  } catch (error) {
    expect(error).toBeInstanceOf(BsoptError);
    return error as BsoptError;
  }
  throw new Error("nothing was thrown");
}

/** The same queries, whose answers come no earlier than the gate opens. */
function delayed<Query extends object>(query: Query, gate: Promise<void>): Query {
  return new Proxy(query, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name === "then") {
        return (done: (rows: unknown) => void, failed: (error: unknown) => void) =>
          value.call(target, (rows: unknown) => gate.then(() => done(rows)), failed);
      }
      return (...args: unknown[]) => {
        const next = value.apply(target, args);
        return typeof next === "object" && next !== null && !(next instanceof Promise) ? delayed(next, gate) : next;
      };
    },
  });
}

async function firstKey(): Promise<{ text: string; principal: Principal; maker: Maker }> {
  const text = (await keys.ensureFirstAdminKey(fixture.keyFile))!;
  const principal = await admit(text);
  return { text, principal, maker: { kind: "principal", principal } };
}

async function madeKey(request: Partial<ApiKeyRequest> = {}): Promise<{ id: string; secret: string }> {
  if ((await keys.listKeys({ of: { kind: "everybody" }, limit: 1 })).data.length === 0) await firstKey();
  const made = await keys.createKey({
    maker: { kind: "operator" },
    request: { name: "bot", scopes: ["pricing:read"], ...request },
  });
  return { id: made.id, secret: made.secret! };
}

/** A user in some role with a key of some scopes, put straight into the tables. */
async function userWithKey(
  role: Role,
  scopes: readonly Permission[],
): Promise<{ userId: string; id: string; text: string }> {
  const { id, secret } = await madeKey();
  const userId = `user-${role}`;
  await fixture.storage.write(async (tx) => {
    await insertUserRow(tx, { id: userId, name: role, role, createdAt: 1n, updatedAt: 1n });
    await tx
      .update(apiKeys)
      .set({ userId, scopes: JSON.stringify(scopes) })
      .where(eq(apiKeys.id, id));
  });
  return { userId, id, text: secret };
}

describe("S2.14 credentials", () => {
  test("with the right secret are admitted as the key's owner with the key's scopes and rate class", async () => {
    const { id, secret } = await madeKey({ scopes: ["pricing:read", "market:read"], rate_class: "bot" });
    const principal = await admit(secret);
    expect(principal.credential).toEqual({ kind: "api_key", id });
    expect([...principal.permissions]).toEqual(["pricing:read", "market:read"]);
    expect(principal.rateClass).toBe("bot");
    expect(principal.role).toBe("admin");
  });

  test("that prove nothing are refused alike, whatever is wrong with them", async () => {
    const { secret } = await madeKey();
    const { secret: elsewhere } = await madeKey({ ip_allow: ["10.0.0.0/8"] });
    const changed = `${secret.slice(0, -1)}${secret.endsWith("0") ? "1" : "0"}`;
    const wrong: readonly Credentials[] = [
      { apiKey: changed, peerAddress },
      { apiKey: secret.replace(/^bso_.{12}/, "bso_000000000000"), peerAddress },
      { apiKey: `${secret}0`, peerAddress },
      { apiKey: "", peerAddress },
      { apiKey: "bso_' or '1'='1", peerAddress },
      { apiKey: secret.toLowerCase(), peerAddress },
      { apiKey: elsewhere, peerAddress },
      { bearerToken: "eyJhbGciOiJub25lIn0.e30.", peerAddress },
    ];
    const answers = new Set<string>();
    for (const credentials of wrong) {
      const failure = await failureOf(() => keys.authenticate(credentials));
      answers.add(`${failure.reason} ${failure.code} ${failure.detail}`);
    }
    expect([...answers]).toEqual(["unauthenticated API_KEY_INVALID The API key is not valid here."]);
  });

  test("that are missing are asked for", async () => {
    expect((await failureOf(() => keys.authenticate({ peerAddress }))).code).toBe("CREDENTIALS_MISSING");
  });

  test("of a revoked, expired or disabled one are named only to whoever proves the secret", async () => {
    const revoked = await madeKey();
    await keys.revokeKey({ by: { kind: "operator" }, id: revoked.id });
    const expired = await madeKey({ expires_at: "2099-01-01T00:00:00Z" });
    const disabled = await userWithKey("viewer", ["pricing:read"]);
    await fixture.storage.write(async (tx) => {
      await tx.update(apiKeys).set({ expiresAt: 1n }).where(eq(apiKeys.id, expired.id));
      await tx.update(users).set({ disabledAt: 1n }).where(eq(users.id, disabled.userId));
    });
    const rows: readonly (readonly [string, string])[] = [
      [revoked.secret, "API_KEY_REVOKED"],
      [expired.secret, "API_KEY_EXPIRED"],
      [disabled.text, "USER_DISABLED"],
    ];
    for (const [text, code] of rows) {
      expect((await failureOf(() => admit(text))).code).toBe(code);
      const guessed = `${text.slice(0, -1)}${text.endsWith("0") ? "1" : "0"}`;
      expect((await failureOf(() => admit(guessed))).code).toBe("API_KEY_INVALID");
    }
  });

  test("are honoured up to the microsecond they expire at, also out of the cache", async () => {
    const { secret } = await madeKey({ expires_at: "2025-06-15T15:06:43Z" });
    clock.advance(2999.999);
    await admit(secret);
    clock.advance(0.001);
    expect((await failureOf(() => admit(secret))).code).toBe("API_KEY_EXPIRED");
  });

  test("are tied to the addresses of their list", async () => {
    const { secret } = await madeKey({ ip_allow: ["10.0.0.0/8", "2001:db8::/32"] });
    await admit(secret, "10.1.2.3");
    await admit(secret, "::ffff:10.1.2.3");
    await admit(secret, "2001:db8::7");
    for (const peer of ["11.0.0.1", "2001:db9::7", ""]) {
      expect((await failureOf(() => admit(secret, peer))).code).toBe("API_KEY_INVALID");
    }
  });

  test("carry no more than the owner's role, which is looked at again when another process changes it", async () => {
    const { userId, text } = await userWithKey("trader", ["pricing:read", "orders:write", "admin"]);
    expect([...(await admit(text)).permissions]).toEqual(["pricing:read", "orders:write"]);
    await fixture.storage.write((tx) => tx.update(users).set({ role: "viewer" }).where(eq(users.id, userId)));
    fixture.tellForeignWrite();
    expect([...(await admit(text)).permissions]).toEqual(["pricing:read"]);
  });

  test("carry no more than their maker's scopes at each use, and outlive a maker that was revoked", async () => {
    const { principal } = await firstKey();
    const maker = await madeKey({ scopes: ["admin", "pricing:read", "market:read"] });
    const child = await keys.createKey({
      maker: { kind: "principal", principal: await admit(maker.secret) },
      request: { name: "child", scopes: ["pricing:read", "market:read"] },
    });
    expect(child.created_by_key_id).toBe(maker.id);
    expect(child.user_id).toBe(principal.userId);
    await fixture.storage.write((tx) =>
      tx.update(apiKeys).set({ scopes: '["admin","market:read"]' }).where(eq(apiKeys.id, maker.id)),
    );
    fixture.tellForeignWrite();
    expect([...(await admit(child.secret)).permissions]).toEqual(["market:read"]);
    expect(await keys.revokeKey({ by: { kind: "operator" }, id: maker.id })).toEqual({ madeCount: 1 });
    expect([...(await admit(child.secret)).permissions]).toEqual(["market:read"]);
  });
});

describe("S2.14 the cache of keys", () => {
  test("answers a second use at once and without the database, with the very same principal", async () => {
    const { secret } = await madeKey();
    const first = await admit(secret);
    const reads = fixture.readCount();
    expect(keys.authenticate({ apiKey: secret, peerAddress })).toBe(first);
    expect(fixture.readCount()).toBe(reads);
  });

  test("does not believe a key for longer than five seconds", async () => {
    const { secret } = await madeKey();
    await admit(secret);
    const reads = fixture.readCount();
    clock.advance(4.999 * second);
    await admit(secret);
    expect(fixture.readCount()).toBe(reads);
    clock.advance(0.001 * second);
    await admit(secret);
    expect(fixture.readCount()).toBe(reads + 2);
  });

  test("looks a key up once, however many requests wait for it", async () => {
    const { secret } = await madeKey();
    const reads = fixture.readCount();
    await Promise.all(Array.from({ length: 100 }, () => admit(secret)));
    // The key and its owner.
    expect(fixture.readCount()).toBe(reads + 2);
  });

  test("remembers for a while that there is no such key, until another process writes", async () => {
    const absent = `bso_abcdefghijkl_${"s".repeat(43)}`;
    const reads = fixture.readCount();
    for (let use = 0; use < 5; use++) await failureOf(() => admit(absent));
    expect(fixture.readCount()).toBe(reads + 1);
    fixture.tellForeignWrite();
    await failureOf(() => admit(absent));
    expect(fixture.readCount()).toBe(reads + 2);
    clock.advance(5 * second);
    await failureOf(() => admit(absent));
    expect(fixture.readCount()).toBe(reads + 3);
  });

  const absentKey = (index: number) => `bso_${String(index).padStart(12, "0")}_${"s".repeat(43)}`;
  const bounded = (limits: Partial<KeysLimits>) =>
    peopleOver({ storage: fixture.watched, clock, random: seededRandom(31n), log: silentLog, limits }).keys;

  test("is bounded: past its limit an unknown id pushes the oldest out", async () => {
    const small = bounded({ absentCountMax: 10 });
    const look = (index: number) => failureOf(() => small.authenticate({ apiKey: absentKey(index), peerAddress }));
    for (let index = 0; index <= 10; index++) await look(index);
    const reads = fixture.readCount();
    for (let index = 1; index <= 10; index++) await look(index);
    expect(fixture.readCount()).toBe(reads);
    await look(0);
    expect(fixture.readCount()).toBe(reads + 1);
  });

  test("is bounded: past its limit a known key pushes the oldest out", async () => {
    const small = bounded({ admissionCountMax: 2 });
    const texts = [(await madeKey()).secret, (await madeKey()).secret, (await madeKey()).secret];
    for (const apiKey of texts) await small.authenticate({ apiKey, peerAddress });
    const reads = fixture.readCount();
    for (const apiKey of texts.slice(1)) await small.authenticate({ apiKey, peerAddress });
    expect(fixture.readCount()).toBe(reads);
    await small.authenticate({ apiKey: texts[0]!, peerAddress });
    expect(fixture.readCount()).toBe(reads + 2);
  });

  test("refuses to queue more lookups at once than its limit", async () => {
    const small = bounded({ lookupCountMax: 10 });
    const outcomes = await Promise.all(
      Array.from({ length: 15 }, (_, index) =>
        failureOf(() => small.authenticate({ apiKey: absentKey(index), peerAddress })),
      ),
    );
    const busy = outcomes.filter((failure) => failure.reason === "unavailable");
    expect(busy.length).toBe(5);
    expect(busy[0]!.retryAfterSeconds).toBe(1);
    expect((await failureOf(() => small.authenticate({ apiKey: absentKey(99), peerAddress }))).reason).toBe(
      "unauthenticated",
    );
  });

  test("forgets at once what this process revokes", async () => {
    const { id, secret } = await madeKey();
    await admit(secret);
    await keys.revokeKey({ by: { kind: "operator" }, id });
    expect((await failureOf(() => admit(secret))).code).toBe("API_KEY_REVOKED");
  });

  test("does not remember a lookup that began before a revocation and ended after it", async () => {
    const { id, secret } = await madeKey();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const slow = peopleOver({
      storage: { ...fixture.watched, read: delayed(fixture.storage.read, gate) },
      clock,
      random: seededRandom(41n),
      log: silentLog,
    }).keys;
    const early = slow.authenticate({ apiKey: secret, peerAddress });
    // Another process revokes while the answer about the living key is on the way.
    await fixture.storage.read.all(sql`select 1`);
    await keys.revokeKey({ by: { kind: "operator" }, id });
    fixture.tellForeignWrite();
    open();
    await early;
    expect((await failureOf(() => slow.authenticate({ apiKey: secret, peerAddress }))).code).toBe("API_KEY_REVOKED");
  });

  test("stops listening once closed", async () => {
    const { secret } = await madeKey();
    await admit(secret);
    await keys.close();
    const reads = fixture.readCount();
    fixture.tellForeignWrite();
    await admit(secret);
    expect(fixture.readCount()).toBe(reads);
  });
});

test("S2.14 a revocation by another process holds within seconds, through the real watch on the file", async () => {
  const { id, secret } = await madeKey();
  const here = peopleOver({
    storage: fixture.storage,
    clock: systemClock,
    random: seededRandom(1n),
    log: silentLog,
  }).keys;
  const there = await openStorage({
    url: `file:${join(fixture.folder, "bsopt.db")}`,
    clock: systemClock,
    random: seededRandom(2n),
    log: silentLog,
  });
  const elsewhere = peopleOver({ storage: there, clock, random: seededRandom(3n), log: silentLog }).keys;
  await here.authenticate({ apiKey: secret, peerAddress });
  await elsewhere.revokeKey({ by: { kind: "operator" }, id });
  const start = systemClock.monotonicMilliseconds();
  let outcome = "";
  while (outcome !== "API_KEY_REVOKED" && systemClock.monotonicMilliseconds() - start < 30_000) {
    await new Promise((resolve) => setImmediate(resolve));
    outcome = await (async () => here.authenticate({ apiKey: secret, peerAddress }))().then(
      () => "admitted",
      (error: BsoptError) => error.code,
    );
  }
  expect(outcome).toBe("API_KEY_REVOKED");
  await elsewhere.close();
  await there.close();
  await here.close();
});

describe("S2.14 uses of keys", () => {
  const lastUsedOf = async (id: string) =>
    (await keys.listKeys({ of: { kind: "everybody" }, limit: 10 })).data.find((key) => key.id === id)!.last_used_at;

  test("are noted off the request's path, at most once a minute", async () => {
    const { id, secret } = await madeKey();
    await keys.flushUses();
    const before = { ...fixture.storage.statistics() };
    await admit(secret);
    expect(fixture.storage.statistics()).toEqual(before);
    expect(await lastUsedOf(id)).toBeNull();
    await keys.flushUses();
    expect(await lastUsedOf(id)).toBe("2025-06-15T15:06:40.000000Z");

    clock.advance(minute - 1);
    await admit(secret);
    await keys.flushUses();
    expect(await lastUsedOf(id)).toBe("2025-06-15T15:06:40.000000Z");

    clock.advance(1);
    await admit(secret);
    await keys.flushUses();
    expect(await lastUsedOf(id)).toBe("2025-06-15T15:07:40.000000Z");
  });

  test("never move backwards, whichever process notes them", async () => {
    const { id, secret } = await madeKey();
    const { keys: another } = fixture.another(99n);
    await another.authenticate({ apiKey: secret, peerAddress });
    clock.advance(2 * minute);
    await admit(secret);
    await keys.flushUses();
    await another.flushUses();
    expect(await lastUsedOf(id)).toBe("2025-06-15T15:08:40.000000Z");
    await another.close();
  });

  test("that are not a proven key's are not noted", async () => {
    const { id, secret } = await madeKey();
    await failureOf(() => admit(`${secret.slice(0, -1)}${secret.endsWith("0") ? "1" : "0"}`));
    await keys.flushUses();
    expect(await lastUsedOf(id)).toBeNull();
  });

  test("survive a write that fails and are written by the next", async () => {
    const { id, secret } = await madeKey();
    let isDown = true;
    const frail = peopleOver({
      storage: {
        read: fixture.storage.read,
        onForeignWrite: () => () => {},
        write: (work) => (isDown ? Promise.reject(new Error("down")) : fixture.storage.write(work)),
      },
      clock,
      random: seededRandom(5n),
      log: silentLog,
    }).keys;
    await frail.authenticate({ apiKey: secret, peerAddress });
    await expect(frail.flushUses()).rejects.toThrow("down");
    isDown = false;
    await frail.close();
    expect(await lastUsedOf(id)).toBe("2025-06-15T15:06:40.000000Z");
  });

  test("that the agent cannot write are warned of, and tried again", async () => {
    const { id, secret } = await madeKey();
    const warnings: string[] = [];
    let isDown = true;
    const frail = peopleOver({
      storage: {
        ...fixture.watched,
        write: (work) => (isDown ? Promise.reject(new Error("down")) : fixture.storage.write(work)),
      },
      clock,
      random: seededRandom(6n),
      log: { ...silentLog, warn: (_fields, message) => void warnings.push(message) },
    }).keys;
    await frail.authenticate({ apiKey: secret, peerAddress });
    const [agent] = frail.agents;
    agent!.start();
    while (warnings.length === 0) await new Promise((resolve) => setImmediate(resolve));
    isDown = false;
    await frail.close();
    await agent!.stop();
    expect(warnings[0]).toContain("tried again");
    expect(await lastUsedOf(id)).toBe("2025-06-15T15:06:40.000000Z");
  });

  test("are written by the agent in the background", async () => {
    const { id, secret } = await madeKey();
    await admit(secret);
    const [agent] = keys.agents;
    agent!.start();
    clock.advance(10 * second);
    await agent!.stop();
    expect(agent!.state).toBe("stopped");
    expect(await lastUsedOf(id)).toBe("2025-06-15T15:06:40.000000Z");
  });
});

describe("S2.35 making a key", () => {
  test("stores no trace of its secret", async () => {
    const { secret } = await madeKey();
    const part = secret.split("_")[2]!;
    const rows = await fixture.storage.read.all(sql`select * from api_keys`);
    expect(JSON.stringify(rows, (_key, value) => (typeof value === "bigint" ? String(value) : value))).not.toContain(
      part,
    );
    await fixture.storage.ping();
    for (const name of ["bsopt.db", "bsopt.db-wal"]) {
      expect(readFileSync(join(fixture.folder, name)).includes(part)).toBe(false);
    }
  });

  test("by a maker without the scopes is forbidden, and nothing is made", async () => {
    await firstKey();
    const limited = await madeKey({ scopes: ["admin"] });
    const maker: Maker = { kind: "principal", principal: await admit(limited.secret) };
    const failure = await failureOf(() =>
      keys.createKey({ maker, request: { name: "more", scopes: ["admin", "orders:write"] } }),
    );
    expect(failure.reason).toBe("forbidden");
    expect((await keys.listKeys({ of: { kind: "everybody" }, limit: 10 })).data.map((key) => key.name)).not.toContain(
      "more",
    );
  });

  const refused: readonly (readonly [string, Partial<ApiKeyRequest>, string])[] = [
    ["an expiry gone by", { expires_at: "2025-06-15T15:06:39Z" }, "/expires_at"],
    ["an expiry at this very moment", { expires_at: "2025-06-15T15:06:40Z" }, "/expires_at"],
    ["an expiry that is a bare date", { expires_at: "2099-01-01" }, "/expires_at"],
    ["an address that is none", { ip_allow: ["10.0.0.0/8", "everywhere"] }, "/ip_allow/1"],
  ];
  for (const [title, request, pointer] of refused) {
    test(`with ${title} is refused, pointing at ${pointer}`, async () => {
      const failure = await failureOf(() => madeKey(request));
      expect(failure.reason).toBe("invalid");
      expect(failure.faults.map((fault) => fault.pointer)).toEqual([pointer]);
    });
  }

  test("stores the answer of its idempotency ticket without the secret, and a second ticket makes nothing", async () => {
    const { maker } = await firstKey();
    const idempotency = { principalId: "p", route: "POST /api/v1/api-keys", key: "k", bodyHash: "h" };
    const request: ApiKeyRequest = { name: "once", scopes: ["pricing:read"] };
    const made = await keys.createKey({ maker, request, idempotency });
    const stored = await find(fixture.storage.read, idempotency);
    expect(stored!.answer.status).toBe(201);
    expect(JSON.parse(stored!.answer.body)).toEqual({ ...made, secret: null });
    expect((await failureOf(() => keys.createKey({ maker, request, idempotency }))).code).toBe("IDEMPOTENCY_RACED");
    expect(
      (await keys.listKeys({ of: { kind: "everybody" }, limit: 10 })).data.filter((key) => key.name === "once").length,
    ).toBe(1);
  });

  test(`stops at ${liveKeyCountPerUserMax} living keys of one user and goes on when one is revoked`, async () => {
    const { principal } = await firstKey();
    await fixture.storage.write(async (tx) => {
      for (let index = 1; index < liveKeyCountPerUserMax; index++) {
        await insertKey(tx, {
          id: `key${String(index).padStart(9, "0")}`,
          userId: principal.userId,
          name: "filler",
          secretHash: "0".repeat(64),
          scopes: "[]",
          rateClass: "standard",
          createdAt: BigInt(index),
        });
      }
    });
    expect((await failureOf(() => madeKey())).code).toBe("KEY_COUNT_LIMIT");
    await keys.revokeKey({ by: { kind: "operator" }, id: "key000000001" });
    await madeKey();
  });

  test("from the command line with no administrator left says so", async () => {
    const failure = await failureOf(() =>
      keys.createKey({ maker: { kind: "operator" }, request: { name: "x", scopes: ["admin"] } }),
    );
    expect(failure.code).toBe("NO_ADMINISTRATOR");
  });
});

describe("S1.08 listing keys", () => {
  test("pages through one user's keys newest first, each once, without the others'", async () => {
    const { principal } = await firstKey();
    const stranger = await userWithKey("viewer", ["pricing:read"]);
    const ids: string[] = [principal.credential.id];
    for (let index = 0; index < 6; index++) {
      // Three keys share a moment, so that the page must be cut by id.
      if (index % 3 === 0) clock.advance(1);
      ids.push((await madeKey({ name: `key ${index}` })).id);
    }
    const seen: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await keys.listKeys({
        of: { kind: "user", by: principal },
        limit: 2,
        ...(cursor !== undefined && { cursor }),
      });
      seen.push(...page.data.map((key) => key.id));
      expect(page.has_more).toBe(page.next_cursor !== null);
      cursor = page.next_cursor ?? undefined;
      pages += 1;
    } while (cursor !== undefined);
    expect(pages).toBe(4);
    expect([...seen].sort()).toEqual([...ids].sort());
    const times = (await keys.listKeys({ of: { kind: "user", by: principal }, limit: 50 })).data.map(
      (key) => key.created_at,
    );
    expect(times).toEqual([...times].sort().reverse());
    expect(seen).not.toContain(stranger.id);
    const everybody = await keys.listKeys({ of: { kind: "everybody" }, limit: 50 });
    expect(everybody.data.map((key) => key.id)).toContain(stranger.id);
    expect(everybody.next_cursor).toBeNull();
  });

  test("uses the index made for it, for one user and for everybody", async () => {
    const plans = await Promise.all(
      [
        sql`explain query plan select * from api_keys where user_id = 'u' and (created_at < 5 or (created_at = 5 and id < 'x')) order by created_at desc, id desc limit 3`,
        sql`explain query plan select * from api_keys order by created_at desc, id desc limit 3`,
        sql`explain query plan select * from api_keys where created_by_key_id = 'k'`,
      ].map(async (query) =>
        JSON.stringify(await fixture.storage.read.all(query), (_k, v) => (typeof v === "bigint" ? Number(v) : v)),
      ),
    );
    expect(plans[0]).toContain("api_keys_by_user");
    expect(plans[1]).toContain("api_keys_by_time");
    expect(plans[2]).toContain("api_keys_by_maker");
    for (const plan of plans) expect(plan).not.toContain("TEMP B-TREE");
  });
});

describe("S1.08 revoking a key", () => {
  test("of another user is not found, and it goes on", async () => {
    const { text, principal } = await firstKey();
    const stranger = await admit((await userWithKey("viewer", ["pricing:read"])).text);
    const by: Maker = { kind: "principal", principal: stranger };
    const failure = await failureOf(() => keys.revokeKey({ by, id: principal.credential.id }));
    expect(failure.reason).toBe("not-found");
    expect((await failureOf(() => keys.getKey({ by, id: principal.credential.id }))).reason).toBe("not-found");
    await admit(text);
  });
  test("that never was is not found", async () => {
    expect((await failureOf(() => keys.revokeKey({ by: { kind: "operator" }, id: "nobody000000" }))).reason).toBe(
      "not-found",
    );
  });
  test("twice keeps the first moment", async () => {
    const { id } = await madeKey();
    await keys.revokeKey({ by: { kind: "operator" }, id });
    clock.advance(minute);
    await keys.revokeKey({ by: { kind: "operator" }, id });
    const { data } = await keys.listKeys({ of: { kind: "everybody" }, limit: 1 });
    expect(data[0]!.revoked_at).toBe("2025-06-15T15:06:40.000000Z");
  });
});

describe("S1.08 the first administrator's key", () => {
  test("is made once, unlimited and with every scope, and stands in the file", async () => {
    const { text, principal } = await firstKey();
    expect(fixture.keyFile.read()).toBe(text);
    expect(statSync(join(fixture.folder, "admin-api-key")).mode & 0o777).toBe(0o600);
    expect(principal.role).toBe("admin");
    expect(principal.rateClass).toBe("unlimited");
    expect(principal.permissions.has("admin")).toBe(true);
    expect(principal.permissions.size).toBe(10);
    expect(await keys.ensureFirstAdminKey(fixture.keyFile)).toBeNull();
    expect((await keys.listKeys({ of: { kind: "everybody" }, limit: 10 })).data.length).toBe(1);
  });

  test("is the file's where a start died between file and commit", async () => {
    const text = `bso_abcdefghijkl_${"s".repeat(43)}`;
    fixture.keyFile.create(text);
    expect(await keys.ensureFirstAdminKey(fixture.keyFile)).toBe(text);
    expect((await admit(text)).credential.id).toBe("abcdefghijkl");
  });

  test("is written to the file before it is committed, so that a failing commit loses nothing", async () => {
    const failing = peopleOver({
      storage: { ...fixture.storage, read: fixture.storage.read, write: () => Promise.reject(new Error("power cut")) },
      clock,
      random: seededRandom(8n),
      log: silentLog,
    }).keys;
    await expect(failing.ensureFirstAdminKey(fixture.keyFile)).rejects.toThrow("power cut");
    const text = fixture.keyFile.read();
    expect(await keys.ensureFirstAdminKey(fixture.keyFile)).toBe(text);
    await admit(text);
    await failing.close();
  });

  test("is not made over a file that holds something else, and the hint says what to do", async () => {
    for (const content of ["", "my notes\n", "bso_short_x\n"]) {
      writeFileSync(join(fixture.folder, "admin-api-key"), content);
      const failure = await failureOf(() => keys.ensureFirstAdminKey(fixture.keyFile));
      expect(failure.code).toBe("ADMIN_KEY_FILE_INVALID");
      expect(failure.hint).toContain("admin-api-key");
      expect(readFileSync(join(fixture.folder, "admin-api-key"), "utf8")).toBe(content);
    }
    expect((await keys.listKeys({ of: { kind: "everybody" }, limit: 1 })).data).toEqual([]);
  });

  test("of sixteen starts at the same moment on one folder is one, and each reads it in the file", async () => {
    const starts = await Promise.all(
      Array.from({ length: 16 }, async (_, index) => {
        const storage = await openStorage({
          url: `file:${join(fixture.folder, "bsopt.db")}`,
          clock: systemClock,
          random: seededRandom(BigInt(index)),
          log: silentLog,
        });
        return {
          storage,
          each: peopleOver({ storage, clock, random: seededRandom(100n + BigInt(index)), log: silentLog }).keys,
        };
      }),
    );
    const made = await Promise.all(starts.map(({ each }) => each.ensureFirstAdminKey(fixture.keyFile)));
    const texts = made.filter((text) => text !== null);
    expect(texts).toEqual([fixture.keyFile.read()!]);
    await admit(texts[0]!);
    expect((await keys.listKeys({ of: { kind: "everybody" }, limit: 10 })).data.length).toBe(1);
    for (const { storage, each } of starts) {
      await each.close();
      await storage.close();
    }
  });

  test("made by another folder's start on the same database leaves no dead key in this folder's file", async () => {
    let isFirst = true;
    const memory: { text: string | null } = { text: null };
    const elsewhere: KeyFile = {
      read: () => memory.text,
      create: (text) => {
        memory.text = text;
        return true;
      },
      remove: () => {
        memory.text = null;
      },
    };
    const late = peopleOver({
      storage: {
        read: fixture.storage.read,
        onForeignWrite: () => () => {},
        write: async (work) => {
          // The other start commits between this one's look and its own commit.
          if (isFirst) await keys.ensureFirstAdminKey(fixture.keyFile);
          isFirst = false;
          return fixture.storage.write(work);
        },
      },
      clock,
      random: seededRandom(21n),
      log: silentLog,
    }).keys;
    expect(await late.ensureFirstAdminKey(elsewhere)).toBeNull();
    expect(memory.text).toBeNull();
    await admit(fixture.keyFile.read());
    await late.close();
  });
});

describe("S4.72 keys switched off", () => {
  test("are refused before anything is looked up, and can still be made and listed", async () => {
    const { secret, id } = await madeKey();
    const off = peopleOver({ storage: fixture.watched, clock, random: seededRandom(2n), isEnabled: false }).keys;
    const reads = fixture.readCount();
    for (const act of [
      () => off.authenticate({ apiKey: secret, peerAddress }),
      () => off.authenticate({ apiKey: "nonsense", peerAddress }),
      () => off.admitKey(id, peerAddress),
    ]) {
      expect((await failureOf(act)).code).toBe("API_KEYS_DISABLED");
    }
    expect(fixture.readCount()).toBe(reads);
    const made = await off.createKey({ maker: { kind: "operator" }, request: { name: "x", scopes: ["pricing:read"] } });
    await admit(made.secret);
    await off.close();
  });
});

describe("S3.02 a key known by a token that was given for it", () => {
  test("is admitted as the key is now: no secret, but its state, its owner, its maker and its addresses", async () => {
    const { id, secret } = await madeKey({ scopes: ["pricing:read", "market:read"], ip_allow: ["192.0.2.0/24"] });
    const principal = await keys.admitKey(id, peerAddress);
    expect(principal).toBe(await admit(secret));
    expect((await failureOf(() => keys.admitKey(id, "198.51.100.7"))).code).toBe("API_KEY_INVALID");
    expect((await failureOf(() => keys.admitKey("abcdefghijkl", peerAddress))).code).toBe("API_KEY_INVALID");
    expect((await failureOf(() => keys.admitKey("abcdefghijkl", peerAddress))).code).toBe("API_KEY_INVALID");
    await keys.revokeKey({ by: { kind: "operator" }, id });
    expect((await failureOf(() => keys.admitKey(id, peerAddress))).code).toBe("API_KEY_REVOKED");
  });

  test("is refused once it expired or its owner is disabled, and asks the database once for many", async () => {
    const expiring = await madeKey({ expires_at: "2025-06-15T15:06:43Z" });
    const reads = fixture.readCount();
    await Promise.all(Array.from({ length: 50 }, () => keys.admitKey(expiring.id, peerAddress)));
    expect(fixture.readCount()).toBe(reads + 2);
    clock.advance(3 * second);
    expect((await failureOf(() => keys.admitKey(expiring.id, peerAddress))).code).toBe("API_KEY_EXPIRED");
    const theirs = await userWithKey("viewer", ["pricing:read"]);
    await keys.admitKey(theirs.id, peerAddress);
    await fixture.identity.changeUser({ actor: operator, userId: theirs.userId, patch: { disabled: true } });
    expect((await failureOf(() => keys.admitKey(theirs.id, peerAddress))).code).toBe("USER_DISABLED");
  });
});
