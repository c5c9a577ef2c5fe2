// Errors kept account of, on a real database: what is counted, what is written, what is bounded, and when somebody is told.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import {
  alertsPerHourMax,
  createErrorTracking,
  type ErrorAlert,
  type ErrorTracking,
  pendingErrorsMax,
  trackedErrorsMax,
} from "../../../../src/features/errors/service";
import { type IdentityFixture, openIdentity } from "../../../harness/identity";
import { recordingLog } from "../../../harness/storage";

let fixture: IdentityFixture;
let errors: ErrorTracking;
let alerts: ErrorAlert[];
let log: ReturnType<typeof recordingLog>;
/** Makes the next writes fail. */
let failing: Error | null;
beforeEach(async () => {
  fixture = await openIdentity();
  alerts = [];
  failing = null;
  log = recordingLog();
  errors = createErrorTracking({
    storage: {
      read: fixture.storage.read,
      write: (work) =>
        fixture.storage.write(async (tx) => {
          const done = await work(tx);
          if (failing) throw failing;
          return done;
        }),
    },
    audit: fixture.audit,
    clock: fixture.clock,
    log,
    version: "1.2.3",
    addAlert: async (_tx, alert) => void alerts.push(alert),
  });
});
afterEach(() => fixture.close());

const named = (name: string) => Object.assign(new Error("says who"), { name });
const request = (name: string, more: object = {}) => ({ error: named(name), kind: "request" as const, ...more });
const list = async (isResolved?: boolean) =>
  (await errors.list({ limit: 200, ...(isResolved !== undefined && { isResolved }) })).data;
/** What one round of the agent does. */
const write = () => errors.close();
const me = { userId: "u", origin: { ipAddress: null, userAgent: null } };

describe("S4.63 errors", () => {
  test("of one kind are one row with a count, when it came first and last, and its last trace", async () => {
    errors.record(request("First", { route: "/api/v1/a", traceId: "t1" }));
    fixture.clock.advance(1000);
    errors.record(request("First", { route: "/api/v1/b", traceId: "t2" }));
    await write();
    fixture.clock.advance(1000);
    errors.record({ error: named("First"), kind: "unhandled_rejection" });
    errors.record(request("Other"));
    await write();
    const [one, two] = (await list()).sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(one).toMatchObject({
      name: "First",
      count: 3,
      kind: "unhandled_rejection",
      route: null,
      trace_id: null,
      version: "1.2.3",
    });
    expect([one!.first_seen_at, one!.last_seen_at].map((text) => Date.parse(text) - 1_750_000_000_000)).toEqual([
      0, 2000,
    ]);
    expect(two).toMatchObject({ name: "Other", count: 1, code: null, resolved_at: null });
    expect(JSON.stringify([one, two])).not.toContain("says who");
  });

  test("in a flood cost nothing until a write, and are all counted", async () => {
    for (let index = 0; index < 10_000; index++) errors.record(request("Flood"));
    expect(await list()).toEqual([]);
    await write();
    expect((await list()).map(({ count }) => count)).toEqual([10_000]);
  });

  test("that cannot be written are kept and counted on, and written later", async () => {
    failing = new Error("the disk is full");
    errors.record(request("One"));
    fixture.clock.advance(5000);
    await write();
    errors.record(request("One"));
    errors.record(request("Two"));
    await write();
    expect(await list()).toEqual([]);
    failing = null;
    await write();
    const rows = await list();
    expect(rows.map(({ name, count }) => [name, count]).sort()).toEqual([
      ["One", 2],
      ["Two", 1],
    ]);
    expect(Date.parse(rows.find(({ name }) => name === "One")!.first_seen_at)).toBe(1_750_000_000_000);
    expect(log.lines.map(({ message }) => message)).toEqual([
      "errors could not be written down",
      "errors could not be written down",
    ]);
  });

  test("whose own fields throw are told in the log, and nobody who records one is disturbed", () => {
    const hostile = new Error("x");
    Object.defineProperty(hostile, "name", {
      get() {
        throw new Error("no name");
      },
    });
    errors.record({ error: hostile, kind: "request" });
    expect(log.lines.map(({ message }) => message)).toEqual(["an error could not be told from others"]);
  });

  test("of too many kinds between two writes are dropped past the bound", async () => {
    for (let index = 0; index < pendingErrorsMax + 10; index++) errors.record(request(`Kind${index}`));
    await write();
    expect((await list()).length).toBe(pendingErrorsMax);
  });

  test("of too many kinds altogether push out the resolved first, then what was not seen for longest", async () => {
    errors.record(request("Resolved"));
    errors.record(request("Oldest"));
    await write();
    const [resolved] = (await list()).filter(({ name }) => name === "Resolved");
    await errors.resolve({ id: resolved!.id, ...me });
    const fill = async (from: number, to: number) => {
      for (let index = from; index < to; index++) {
        fixture.clock.advance(1);
        errors.record(request(`Kind${index}`));
        if (index % 100 === 99) await write();
      }
      await write();
    };
    const namesLeft = async () =>
      new Set(
        (await fixture.storage.read.all<{ name: string }>(sql`SELECT name FROM tracked_errors`)).map(
          ({ name }) => name,
        ),
      );
    await fill(0, trackedErrorsMax - 1);
    const left = await namesLeft();
    expect([left.size, left.has("Resolved"), left.has("Oldest")]).toEqual([trackedErrorsMax, false, true]);
    await fill(trackedErrorsMax - 1, trackedErrorsMax);
    const later = await namesLeft();
    expect([later.size, later.has("Oldest"), later.has("Kind0")]).toEqual([trackedErrorsMax, false, true]);
  });

  test("are listed what was seen last first, in pages, all or by state", async () => {
    for (const name of ["A", "B", "C"]) {
      errors.record(request(name));
      fixture.clock.advance(1000);
    }
    await write();
    const first = await errors.list({ limit: 2 });
    expect([first.data.map(({ name }) => name), first.has_more]).toEqual([["C", "B"], true]);
    const second = await errors.list({ limit: 2, cursor: first.next_cursor! });
    expect([second.data.map(({ name }) => name), second.has_more, second.next_cursor]).toEqual([["A"], false, null]);
    await errors.resolve({ id: first.data[1]!.id, ...me });
    expect((await list(false)).map(({ name }) => name)).toEqual(["C", "A"]);
    expect((await list(true)).map(({ name }) => name)).toEqual(["B"]);
  });

  test("that are resolved say so once in the audit log, and are open again where they come again", async () => {
    errors.record(request("One"));
    await write();
    const { id } = (await list())[0]!;
    fixture.clock.advance(1000);
    const resolved = await errors.resolve({ id, ...me });
    expect(Date.parse(resolved.resolved_at!)).toBe(1_750_000_001_000);
    expect(await errors.resolve({ id, ...me })).toEqual(resolved);
    const events = await fixture.storage.read.all<{ resource: string; details: string }>(
      sql`SELECT resource, details FROM audit_events WHERE event_type = 'admin.error.resolved'`,
    );
    expect(events).toEqual([{ resource: `errors/${id}`, details: '{"name":"One","count":1}' }]);
    errors.record(request("One"));
    await write();
    expect(await list()).toMatchObject([{ id, count: 2, resolved_at: null }]);
    await expect(errors.resolve({ id: "0".repeat(32), ...me })).rejects.toMatchObject({ code: "ERROR_NOT_FOUND" });
  });
});

describe("S4.63 alerts", () => {
  test("tell of what is new and of what came again after it was resolved, and of nothing else", async () => {
    errors.record(request("One"));
    errors.record(request("One"));
    await write();
    errors.record(request("One"));
    await write();
    expect(alerts.map(({ event, error }) => [event, error.name, error.count])).toEqual([["error.new", "One", 2]]);
    await errors.resolve({ id: alerts[0]!.error.id, ...me });
    errors.record(request("One"));
    await write();
    expect(alerts.slice(1).map(({ event, error }) => [event, error.count, error.resolved_at])).toEqual([
      ["error.reopened", 4, null],
    ]);
  });

  test("are so many an hour; what is past that is on the list and in one line of the log", async () => {
    for (let index = 0; index < alertsPerHourMax + 5; index++) errors.record(request(`Kind${index}`));
    await write();
    expect([alerts.length, (await list()).length]).toEqual([alertsPerHourMax, alertsPerHourMax + 5]);
    expect(log.lines.map(({ message }) => message)).toEqual(["too many kinds of errors: further alerts are not sent"]);
    fixture.clock.advance(3_600_000);
    errors.record(request("Later"));
    await write();
    expect(alerts.at(-1)!.error.name).toBe("Later");
  });
});
