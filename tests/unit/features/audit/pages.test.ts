// Reading the audit log: what each filter gives, page by page and as one export, by an index and never by a sort.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { aheadQuery, type EventFilter, shownEvents } from "../../../../src/features/audit/repository";
import { auditEventTypes } from "../../../../src/features/audit/rules";
import { BsoptError } from "../../../../src/foundation/errors";
import { type AuditFixture, eventOf, openAudit } from "../../../harness/audit";

let fixture: AuditFixture;
/** Of every recorded event what filters go by, newest first. */
const all: { id: number; type: string; user: string | null; status: string; timestamp: bigint }[] = [];
const everything: EventFilter = { eventTypes: [], userId: null, status: null, from: null, to: null };
const types = ["apikey.created", "auth.login.success", "auth.login.failure"] as const;
const users = ["user-1", "user-2", null];
let start = 0n;

beforeAll(async () => {
  fixture = await openAudit();
  start = fixture.clock.nowMicroseconds();
  await fixture.storage.write(async (tx) => {
    for (let index = 0; index < 300; index++) {
      const eventType = types[index % 3]!;
      const userId = users[index % 2 === 0 ? 0 : index % 5 === 0 ? 2 : 1]!;
      const status = index % 7 === 0 ? "failure" : "success";
      await fixture.audit.append(tx, eventOf({ eventType, userId, status }));
      all.unshift({ id: index + 1, type: eventType, user: userId, status, timestamp: fixture.clock.nowMicroseconds() });
      // Three events of every moment, so that the id has to decide.
      if (index % 3 === 2) fixture.clock.advance(1);
    }
  });
});
afterAll(() => fixture.close());

const filters: readonly (readonly [string, () => Partial<EventFilter>])[] = [
  ["everything", () => ({})],
  ["one type", () => ({ eventTypes: ["auth.login.failure"] })],
  ["two types", () => ({ eventTypes: ["auth.login.failure", "apikey.created"] })],
  ["a type that never happened", () => ({ eventTypes: ["config.update"] })],
  ["one user", () => ({ userId: "user-2" })],
  ["a user nobody knows", () => ({ userId: "nobody" })],
  ["a user and a type", () => ({ userId: "user-1", eventTypes: ["apikey.created"] })],
  ["what failed", () => ({ status: "failure" })],
  ["what failed, of one type", () => ({ status: "failure", eventTypes: ["auth.login.success"] })],
  ["from a moment on", () => ({ from: start + 50_000n })],
  ["before a moment", () => ({ to: start + 50_000n })],
  [
    "between moments, of a user, failed",
    () => ({ from: start + 20_000n, to: start + 80_000n, userId: "user-1", status: "failure" }),
  ],
  ["an empty stretch of time", () => ({ from: start + 5_000n, to: start + 5_000n })],
];

const wanted = (filter: EventFilter) =>
  all
    .filter(
      ({ type, user, status, timestamp }) =>
        (filter.eventTypes.length === 0 || (filter.eventTypes as readonly string[]).includes(type)) &&
        (filter.userId === null || user === filter.userId) &&
        (filter.status === null || status === filter.status) &&
        (filter.from === null || timestamp >= filter.from) &&
        (filter.to === null || timestamp < filter.to),
    )
    .map(({ id }) => id);

describe("S2.34 a question", () => {
  for (const [name, partial] of filters) {
    test(`for ${name} gives just that, newest first, in pages of any size`, async () => {
      const filter = { ...everything, ...partial() };
      for (const limit of [1, 7, 50, 300]) {
        const ids: number[] = [];
        let cursor: string | undefined;
        for (let pages = 0; pages < 400; pages++) {
          const page = await fixture.audit.list({ filter, limit, ...(cursor !== undefined && { cursor }) });
          expect(page.data.length).toBeLessThanOrEqual(limit);
          ids.push(...page.data.map(({ id }) => id));
          expect(page.has_more).toBe(page.next_cursor !== null);
          if (page.next_cursor === null) break;
          cursor = page.next_cursor;
        }
        expect(ids).toEqual(wanted(filter));
      }
    });

    test(`for ${name} is answered by an index alone, without a sort`, async () => {
      const filter = { ...everything, ...partial() };
      const mark = { timestamp: start + 60_000n, id: 150 };
      for (const query of [
        shownEvents(fixture.storage.read, filter, { after: mark, last: mark, limit: 10 }),
        aheadQuery(fixture.storage.read, filter, mark, 100),
      ]) {
        const { sql, params } = query.toSQL();
        const plan = await fixture.rows(explained(sql, params));
        const steps = plan.map(({ detail }) => String(detail));
        expect(steps.filter((step) => /TEMP B-TREE|SCAN/.test(step))).toEqual([]);
        const index = filter.userId !== null ? "by_user" : filter.eventTypes.length === 1 ? "by_type" : "by_time";
        expect(steps[0]).toContain(`audit_events_${index}`);
      }
    });
  }

  test("with a cursor nobody gave is refused", async () => {
    const failure = await fixture.audit.list({ filter: everything, limit: 1, cursor: "eA" }).catch((error) => error);
    expect(failure).toBeInstanceOf(BsoptError);
    expect(failure.code).toBe("CURSOR_INVALID");
  });

  test("shows every column of the contract, with what names a person joined in", async () => {
    const { data } = await fixture.audit.list({ filter: everything, limit: 1 });
    expect(data[0]).toEqual({
      id: 300,
      timestamp: expect.stringMatching(/^2025-06-15T15:06:40\.099000Z$/),
      event_type: "auth.login.failure",
      user_id: "user-2",
      ip_address: "192.0.2.1",
      user_agent: "test/1",
      resource: "api_keys/abc",
      action: "create",
      status: "success",
      details: { scopes: "pricing:read" },
      personal: null,
      erased_at: null,
      created_at: expect.any(String),
      prev_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });
});

describe("S2.34 an export", () => {
  const by = { userId: "user-9", origin: { ipAddress: null, userAgent: null }, format: "csv" };

  test("gives everything that pages would, and is itself recorded but not in it", async () => {
    for (const [, partial] of filters) {
      const filter = { ...everything, ...partial() };
      const { count, pages } = await fixture.audit.export({ filter, by });
      const ids: number[] = [];
      for await (const page of pages) ids.push(...page.map(({ id }) => id));
      // The exports before this one are recorded too, and are asked for where everything is.
      expect(ids.filter((id) => id <= 300)).toEqual(wanted(filter));
      expect(count).toBe(ids.length);
      const { data } = await fixture.audit.list({
        filter: { ...everything, eventTypes: ["audit.exported"] },
        limit: 1,
      });
      expect(data[0]).toMatchObject({ user_id: "user-9", details: { format: "csv", count } });
      expect(ids).not.toContain(data[0]!.id);
    }
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true });
  });

  test("of more than its limit is refused before anything is given", async () => {
    const small = fixture.another({ limits: { exportRowsMax: 100 } });
    const failure = await small.export({ filter: everything, by }).catch((error) => error);
    expect(failure).toMatchObject({ reason: "invalid", code: "EXPORT_TOO_LARGE" });
    const { count } = await small.export({ filter: { ...everything, eventTypes: ["auth.login.success"] }, by });
    expect(count).toBe(100);
  });
});

describe("S2.34 a question that most rows do not answer", () => {
  test("looks through a bounded part, gives what it found, and a cursor that goes on", async () => {
    const large = await openAudit();
    try {
      await large.storage.write(async (tx) => {
        await large.audit.append(tx, eventOf({ status: "failure" }));
        for (let index = 0; index < 5000; index++) await large.audit.append(tx, eventOf());
        await large.audit.append(tx, eventOf({ status: "failure" }));
      });
      const filter: EventFilter = { ...everything, status: "failure" };
      const { data, has_more } = await large.audit.list({ filter, limit: 10 });
      expect(data.map(({ id }) => id)).toEqual([5002, 1]);
      expect(has_more).toBe(false);
    } finally {
      await large.close();
    }
  });

  test("every type has a name that a filter takes", () => {
    expect(auditEventTypes.length).toBeGreaterThan(20);
  });
});

/** The statement with its values written in, for its plan. */
function explained(sql: string, params: unknown[]): string {
  let index = 0;
  const literal = (value: unknown) => (typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value));
  return `EXPLAIN QUERY PLAN ${sql.replaceAll("?", () => literal(params[index++]))}`;
}
