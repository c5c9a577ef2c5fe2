// Users on a real database: who is made, changed, erased and by whom; that an administrator always remains; and what is heard elsewhere.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { type Role, roles } from "../../../../src/domain/permission";
import type { Identity, PersonalData, UserRecord } from "../../../../src/features/identity/service";
import { operator } from "../../../../src/features/identity/service";
import { BsoptError } from "../../../../src/foundation/errors";
import { seededRandom } from "../../../../src/foundation/random";
import { type IdentityFixture, openIdentity, peopleOver, withPersons } from "../../../harness/identity";

let fixture: IdentityFixture;
let identity: Identity;
beforeEach(async () => {
  fixture = await openIdentity();
  ({ identity } = fixture);
});
afterEach(() => fixture.close());

async function failureOf(act: () => unknown): Promise<BsoptError> {
  try {
    await act();
  } catch (error) {
    expect(error).toBeInstanceOf(BsoptError);
    return error as BsoptError;
  }
  throw new Error("nothing was thrown");
}

let count = 0;
const made = (role: Role, email: string | null = `${role}${++count}@example.org`): Promise<UserRecord> =>
  identity.createUser({ actor: operator, person: { email, name: `a ${role}`, role, isVerified: true } });
const by = (user: UserRecord) => ({
  userId: user.id,
  origin: { ipAddress: "192.0.2.7", userAgent: "a browser" },
});
const everything = async (): Promise<string> => {
  const tables = ["users", "api_keys", "audit_events", "audit_personal", "idempotency_answers"];
  const rows = await Promise.all(tables.map((table) => fixture.storage.read.all(sql.raw(`select * from ${table}`))));
  return JSON.stringify(rows, (_key, value) => (typeof value === "bigint" ? String(value) : value));
};

describe("S1.01 a user", () => {
  test("is found by id and by any spelling of the address", async () => {
    const user = await made("trader", " Ada@Example.ORG ");
    expect(user.email).toBe("ada@example.org");
    expect(await identity.findUser(user.id)).toEqual(user);
    for (const text of ["ada@example.org", "ADA@example.org\n", "ａda@example.org"]) {
      expect((await identity.findUserByEmail(text))?.id).toBe(user.id);
    }
    for (const text of ["bob@example.org", "no address", "", "ada@example.org' or '1'='1"]) {
      expect(await identity.findUserByEmail(text)).toBeNull();
    }
    expect(await identity.findUser("nobody")).toBeNull();
  });

  test("of an address that is taken is refused, and what was to be written beside goes with it", async () => {
    await made("viewer", "ada@example.org");
    let isBeside = false;
    const failure = await failureOf(() =>
      identity.createUser({
        actor: operator,
        person: { email: "ADA@example.org", name: "another", role: "viewer", isVerified: false },
        also: async () => {
          isBeside = true;
        },
      }),
    );
    expect([failure.reason, failure.code, isBeside]).toEqual(["conflict", "EMAIL_TAKEN", false]);
    expect((await identity.listUsers({ filter: {}, limit: 10 })).data.length).toBe(1);
  });

  test("of one address asked for a hundred times at once is made once", async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => made("viewer", "ada@example.org")));
    expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBe(1);
    expect((await identity.listUsers({ filter: {}, limit: 200 })).data.length).toBe(1);
  });

  test("is written together with what belongs to it, or not at all", async () => {
    const person = { email: "ada@example.org", name: "Ada", role: "viewer", isVerified: false } as const;
    const also = () => Promise.reject(new Error("no room"));
    await expect(identity.createUser({ actor: operator, person, also })).rejects.toThrow("no room");
    expect(await identity.findUserByEmail("ada@example.org")).toBeNull();
  });

  test("has the address marked as verified, and sessions ended, in whoever's transaction it is", async () => {
    const person = { email: "ada@example.org", name: "Ada", role: "viewer", isVerified: false, now: 5n } as const;
    const user = await fixture.storage.write((tx) => identity.insertPerson(tx, person));
    expect([user.emailVerifiedAt, user.sessionsValidFrom]).toEqual([null, 0n]);
    await fixture.storage.write(async (tx) => {
      await identity.markEmailVerified(tx, user.id, 7n);
      await identity.endSessions(tx, user.id, 8n);
    });
    expect(await identity.findUser(user.id)).toMatchObject({ emailVerifiedAt: 7n, sessionsValidFrom: 8n });
    expect(identity.userOnWire((await identity.findUser(user.id))!)).toMatchObject({
      email_verified_at: "1970-01-01T00:00:00.000007Z",
      disabled_at: null,
    });
  });
});

describe("S2.13 changing a user", () => {
  test("ends sessions and is told at once where role or state change, and not where only the name does", async () => {
    await made("admin");
    const user = await made("viewer");
    let told = 0;
    identity.onForget(() => {
      told += 1;
    });
    const change = (patch: Parameters<Identity["changeUser"]>[0]["patch"]) => {
      fixture.clock.advance(1);
      return identity.changeUser({ actor: operator, userId: user.id, patch });
    };
    expect(await change({ name: "Ada" })).toMatchObject({ name: "Ada", role: "viewer" });
    expect([told, (await identity.findUser(user.id))!.sessionsValidFrom]).toEqual([0, 0n]);
    const rows = [{ role: "risk" }, { disabled: true }, { disabled: false }] as const;
    for (const [index, patch] of rows.entries()) {
      await change(patch);
      expect([told, (await identity.findUser(user.id))!.sessionsValidFrom]).toEqual([
        index + 1,
        fixture.clock.nowMicroseconds(),
      ]);
    }
    expect((await identity.findUser(user.id))!.disabledAt).toBeNull();
  });

  test("to what it is already changes nothing and leaves no line", async () => {
    const user = await made("viewer");
    fixture.clock.advance(1);
    const lines = fixture.auditLines.length;
    await identity.changeUser({ actor: operator, userId: user.id, patch: { role: "viewer", disabled: false } });
    expect(await identity.findUser(user.id)).toEqual(user);
    expect(fixture.auditLines.length).toBe(lines);
  });

  test("keeps the first moment of a disabling", async () => {
    await made("admin");
    const user = await made("viewer");
    await identity.changeUser({ actor: operator, userId: user.id, patch: { disabled: true } });
    const { disabledAt } = (await identity.findUser(user.id))!;
    fixture.clock.advance(60_000);
    await identity.changeUser({ actor: operator, userId: user.id, patch: { disabled: true, name: "x" } });
    expect((await identity.findUser(user.id))!.disabledAt).toBe(disabledAt);
  });

  test("that is not there is not found; that was erased stays so", async () => {
    await made("admin");
    const user = await made("viewer");
    const patch = { disabled: false };
    expect((await failureOf(() => identity.changeUser({ actor: operator, userId: "x", patch }))).code).toBe(
      "USER_NOT_FOUND",
    );
    await identity.eraseUser({ actor: operator, userId: user.id });
    expect((await failureOf(() => identity.changeUser({ actor: operator, userId: user.id, patch }))).code).toBe(
      "USER_ERASED",
    );
  });

  test("takes a key's permissions at once in this process and, when the write is heard of, in another", async () => {
    await made("admin");
    const user = await made("trader");
    const persons = withPersons(fixture);
    const principal = await persons.authenticate({ bearerToken: `person.${user.id}`, peerAddress: "" });
    const maker = { kind: "principal", principal } as const;
    const { secret } = await fixture.keys.createKey({ maker, request: { name: "x", scopes: ["orders:write"] } });
    const another = fixture.another(5n);
    const admit = async (people: { keys: IdentityFixture["keys"] }) =>
      [...(await people.keys.authenticate({ apiKey: secret!, peerAddress: "" })).permissions].join();
    expect([await admit(fixture), await admit(another)]).toEqual(["orders:write", "orders:write"]);
    await identity.changeUser({ actor: operator, userId: user.id, patch: { role: "viewer" } });
    expect([await admit(fixture), await admit(another)]).toEqual(["", "orders:write"]);
    fixture.tellForeignWrite();
    expect(await admit(another)).toBe("");
    await identity.changeUser({ actor: operator, userId: user.id, patch: { disabled: true } });
    expect((await failureOf(() => admit(fixture))).code).toBe("USER_DISABLED");
    // Whoever heard of nothing believes for five seconds and no longer.
    fixture.clock.advance(5_000);
    expect((await failureOf(() => admit(another))).code).toBe("USER_DISABLED");
    await another.keys.close();
  });
});

describe("S2.13 the last administrator who can act", () => {
  const acts: readonly (readonly [string, (userId: string) => Promise<unknown>])[] = [
    ["given another role", (userId) => identity.changeUser({ actor: operator, userId, patch: { role: "trader" } })],
    ["disabled", (userId) => identity.changeUser({ actor: operator, userId, patch: { disabled: true } })],
    ["erased", (userId) => identity.eraseUser({ actor: operator, userId })],
  ];
  for (const [title, act] of acts) {
    test(`is not ${title}, whatever other users there are; with another administrator it is`, async () => {
      const last = await made("admin");
      for (const role of roles.filter((each) => each !== "admin")) await made(role);
      const gone = await made("admin");
      await identity.changeUser({ actor: operator, userId: gone.id, patch: { disabled: true } });
      const failure = await failureOf(() => act(last.id));
      expect([failure.reason, failure.code]).toEqual(["conflict", "LAST_ADMINISTRATOR"]);
      expect(await identity.findUser(last.id)).toEqual(last);
      await made("admin");
      await act(last.id);
      expect(await identity.findUser(last.id)).not.toEqual(last);
    });
  }

  test("is one of two who end each other at the same moment", async () => {
    const [one, other] = [await made("admin"), await made("admin")];
    const another = fixture.another(9n);
    const outcomes = await Promise.allSettled([
      identity.changeUser({ actor: by(other), userId: one.id, patch: { role: "viewer" } }),
      another.identity.eraseUser({ actor: by(one), userId: other.id }),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await identity.oldestAdministrator()).toBeString();
    await another.keys.close();
  });

  test("may be renamed, and given the role it has", async () => {
    const last = await made("admin");
    const patch = { name: "the boss", role: "admin", disabled: false } as const;
    expect(await identity.changeUser({ actor: operator, userId: last.id, patch })).toMatchObject({ name: "the boss" });
  });
});

describe("S3.18 erasing a user", () => {
  test("leaves the row and nothing of the person anywhere, and ends every key", async () => {
    await made("admin");
    const user = await made("trader", "ada.lovelace@example.org");
    await identity.changeUser({ actor: by(user), userId: user.id, patch: { name: "Countess" } });
    const principal = await withPersons(fixture).authenticate({ bearerToken: `person.${user.id}`, peerAddress: "" });
    const { secret, id } = await fixture.keys.createKey({
      maker: { kind: "principal", principal },
      request: { name: "countess's bot", scopes: ["pricing:read"], ip_allow: ["198.51.100.7"] },
      origin: by(user).origin,
    });
    await fixture.keys.authenticate({ apiKey: secret!, peerAddress: "198.51.100.7" });
    const traces = ["ada.lovelace", "Countess", "countess", "198.51.100.7", "192.0.2.7", "a browser"];
    const before = await everything();
    for (const trace of traces) expect([trace, before.includes(trace)]).toEqual([trace, true]);

    fixture.clock.advance(1);
    await identity.eraseUser({ actor: by(user), userId: user.id });
    const after = await everything();
    for (const trace of traces) expect([trace, after.includes(trace)]).toEqual([trace, false]);
    const now = fixture.clock.nowMicroseconds();
    expect(await identity.findUser(user.id)).toMatchObject({
      name: "erased",
      email: null,
      emailVerifiedAt: null,
      role: "trader",
      disabledAt: now,
      erasedAt: now,
      sessionsValidFrom: now,
      createdAt: user.createdAt,
    });
    expect(await identity.findUserByEmail("ada.lovelace@example.org")).toBeNull();
    const shown = await fixture.keys.getKey({ by: { kind: "operator" }, id });
    expect([shown.revoked_at === null, shown.ip_allow]).toEqual([false, null]);
    expect((await failureOf(() => fixture.keys.authenticate({ apiKey: secret!, peerAddress: "" }))).code).toBe(
      "API_KEY_REVOKED",
    );
    await made("viewer", "ada.lovelace@example.org");
  });

  test("again changes nothing", async () => {
    await made("admin");
    const user = await made("viewer");
    await identity.eraseUser({ actor: operator, userId: user.id });
    const erased = await identity.findUser(user.id);
    fixture.clock.advance(1);
    const lines = fixture.auditLines.length;
    await identity.eraseUser({ actor: operator, userId: user.id });
    expect(await identity.findUser(user.id)).toEqual(erased);
    expect(fixture.auditLines.length).toBe(lines);
  });

  test("asks every part that holds something, in one transaction: where one fails nothing is erased", async () => {
    const asked: string[] = [];
    let isBroken = true;
    const part: PersonalData = {
      name: "letters",
      collect: async (userId) => [{ to: userId }],
      erase: async (_tx, { id }) => {
        asked.push(id);
        if (isBroken) throw new Error("the drawer is stuck");
      },
    };
    const { storage, clock } = fixture;
    const here = peopleOver({ storage, clock, random: seededRandom(3n), personalData: [part] });
    await made("admin");
    const user = await made("viewer");
    await expect(here.identity.eraseUser({ actor: operator, userId: user.id })).rejects.toThrow("stuck");
    expect(await identity.findUser(user.id)).toEqual(user);
    isBroken = false;
    await here.identity.eraseUser({ actor: operator, userId: user.id });
    expect(asked).toEqual([user.id, user.id]);
    const exported = await here.identity.exportUser({ actor: operator, userId: user.id });
    expect(exported).toMatchObject({ user: { id: user.id, name: "erased" }, letters: [{ to: user.id }], api_keys: [] });
    await here.keys.close();
  });
});

describe("S2.32 the audit", () => {
  test("hears of every act on a user: who, what and on whom, without a name or an address", async () => {
    const boss = await made("admin", "boss@example.org");
    const user = await made("viewer", "ada@example.org");
    await identity.changeUser({ actor: by(user), userId: user.id, patch: { name: "Ada" } });
    await identity.changeUser({ actor: by(boss), userId: user.id, patch: { role: "trader", disabled: true } });
    await identity.exportUser({ actor: by(user), userId: user.id });
    await identity.eraseUser({ actor: by(boss), userId: user.id });
    const resource = `users/${user.id}`;
    expect(
      fixture.auditLines
        .slice(1)
        .map((line) => [line.eventType, line.userId, line.resource === resource, line.details]),
    ).toEqual([
      ["admin.user.created", null, true, { by: "operator", role: "viewer", verified: true }],
      ["user.updated", user.id, true, { name_changed: true }],
      [
        "admin.user.updated",
        boss.id,
        true,
        { name_changed: false, role_before: "viewer", role: "trader", disabled: true },
      ],
      ["user.exported", user.id, true, {}],
      ["user.erased", boss.id, true, { by_the_user: false }],
      ["admin.user.deleted", boss.id, true, { role: "trader" }],
    ]);
    expect(JSON.stringify(fixture.auditLines)).not.toMatch(/example\.org|Ada/);
  });
});

describe("S2.13 listing users", () => {
  test("pages through all, newest first, each once, and through those that a filter lets pass", async () => {
    const ids: string[] = [];
    for (let index = 0; index < 7; index++) {
      if (index % 3 === 0) fixture.clock.advance(1);
      ids.push((await made(index < 4 ? "viewer" : "admin")).id);
    }
    await identity.changeUser({ actor: operator, userId: ids[0]!, patch: { disabled: true } });
    const all = async (filter: Parameters<Identity["listUsers"]>[0]["filter"]) => {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page = await identity.listUsers({ filter, limit: 2, ...(cursor !== null && { cursor }) });
        expect(page.has_more).toBe(page.next_cursor !== null);
        seen.push(...page.data.map(({ id }) => id));
        ({ next_cursor: cursor } = page);
      } while (cursor !== null);
      return seen;
    };
    expect((await all({})).sort()).toEqual([...ids].sort());
    const times = (await identity.listUsers({ filter: {}, limit: 9 })).data.map((user) => user.created_at);
    expect(times).toEqual([...times].sort().reverse());
    expect((await all({ role: "admin" })).sort()).toEqual(ids.slice(4).sort());
    expect(await all({ isDisabled: true })).toEqual([ids[0]!]);
    expect((await all({ isDisabled: false, role: "viewer" })).sort()).toEqual(ids.slice(1, 4).sort());
    const { email } = (await identity.findUser(ids[2]!))!;
    expect(await all({ email: email!.toUpperCase() })).toEqual([ids[2]!]);
  });

  test("uses the index made for it", async () => {
    const plan = await fixture.storage.read.all(
      sql`explain query plan select * from users where (created_at < 5 or (created_at = 5 and id < 'x')) order by created_at desc, id desc limit 3`,
    );
    const text = JSON.stringify(plan, (_k, v) => (typeof v === "bigint" ? Number(v) : v));
    expect(text).toContain("users_by_time");
    expect(text).not.toContain("TEMP B-TREE");
  });
});
