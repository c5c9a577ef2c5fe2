// Refusals that write nothing else: recorded at once, counted where they repeat, bounded whatever comes.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { noOrigin } from "../../../../src/domain/principal";
import type { AuditEvent } from "../../../../src/features/audit/service";
import type { Agent } from "../../../../src/foundation/agent";
import { type AuditFixture, eventOf, openAudit } from "../../../harness/audit";
import { recordingLog, until } from "../../../harness/storage";

let fixture: AuditFixture;
beforeEach(async () => {
  fixture = await openAudit();
});
afterEach(() => fixture.close());

const refusal = (partial: Partial<AuditEvent> & { address?: string | null; code?: string } = {}): AuditEvent => {
  const { address = "192.0.2.1", code = "CREDENTIALS_MISSING", ...rest } = partial;
  return eventOf({
    eventType: "authz.access.denied",
    userId: null,
    resource: "/api/v1/things",
    action: "GET",
    status: "failure",
    details: { code },
    origin: { ipAddress: address, userAgent: "test/1" },
    ...rest,
  });
};

const anything = { eventTypes: [], userId: null, status: null, from: null, to: null };

/** What was recorded: details and address, in order. */
async function recorded(): Promise<string[]> {
  const rows = await fixture.rows(
    "SELECT e.event_type, e.user_id, e.details, p.ip_address FROM audit_events e JOIN audit_personal p ON p.event_id = e.id ORDER BY e.id",
  );
  return rows.map(({ user_id, details, ip_address }) => {
    const { code, count } = JSON.parse(String(details));
    return [ip_address ?? "-", user_id, code, count && `x${count}`].filter(Boolean).join(" ");
  });
}

describe("S2.32 a noted refusal", () => {
  test("is written without waiting for anything, its repeats as one line with their count at the minute's end", async () => {
    const { audit, clock } = fixture;
    for (let count = 0; count < 50; count++) audit.note(refusal());
    await until("1 rows are written", async () => (await recorded()).length === 1);
    expect(await recorded()).toEqual(["192.0.2.1 CREDENTIALS_MISSING"]);
    clock.advance(59_999);
    const flush = await started(audit.agents.find(({ name }) => name === "audit-notes")!);
    expect((await recorded()).length).toBe(1);
    clock.advance(5_000);
    await until("2 rows are written", async () => (await recorded()).length === 2);
    expect(await recorded()).toEqual(["192.0.2.1 CREDENTIALS_MISSING", "192.0.2.1 CREDENTIALS_MISSING x49"]);
    audit.note(refusal());
    // Soon after the last write: with whatever else comes within a quarter of a second.
    clock.advance(249);
    expect((await recorded()).length).toBe(2);
    clock.advance(1);
    await until("3 rows are written", async () => (await recorded()).length === 3);
    await flush.stop();
    expect(await audit.verify([])).toMatchObject({ isIntact: true, rowCount: 3 });
  });

  const told: readonly (readonly [string, readonly AuditEvent[], readonly string[]])[] = [
    [
      "from another address is another",
      [refusal(), refusal({ address: "192.0.2.2" })],
      ["192.0.2.1 CREDENTIALS_MISSING", "192.0.2.2 CREDENTIALS_MISSING"],
    ],
    [
      "with another code is another",
      [refusal(), refusal({ code: "RATE_LIMITED" })],
      ["192.0.2.1 CREDENTIALS_MISSING", "192.0.2.1 RATE_LIMITED"],
    ],
    [
      "of another user is another",
      [refusal({ userId: "user-1" }), refusal({ userId: "user-2" })],
      ["192.0.2.1 user-1 CREDENTIALS_MISSING", "192.0.2.1 user-2 CREDENTIALS_MISSING"],
    ],
    [
      "of another type is another",
      [refusal(), refusal({ eventType: "auth.login.failure" })],
      ["192.0.2.1 CREDENTIALS_MISSING", "192.0.2.1 CREDENTIALS_MISSING"],
    ],
    [
      "at another address of the server is the same",
      [refusal(), refusal({ resource: "/api/v1/others" })],
      ["192.0.2.1 CREDENTIALS_MISSING", "192.0.2.1 CREDENTIALS_MISSING x1"],
    ],
    [
      "from the same /64 of IPv6 is the same",
      [refusal({ address: "2001:db8::1" }), refusal({ address: "2001:db8:0:0:ffff::9" })],
      ["2001:db8::1 CREDENTIALS_MISSING", "2001:db8:0:0:ffff::9 CREDENTIALS_MISSING x1"],
    ],
    [
      "from another /64 of IPv6 is another",
      [refusal({ address: "2001:db8::1" }), refusal({ address: "2001:db8:0:1::1" })],
      ["2001:db8::1 CREDENTIALS_MISSING", "2001:db8:0:1::1 CREDENTIALS_MISSING"],
    ],
    [
      "from nowhere known is one of those",
      [refusal({ address: null }), refusal({ address: null })],
      ["- CREDENTIALS_MISSING", "- CREDENTIALS_MISSING x1"],
    ],
  ];
  for (const [name, events, lines] of told) {
    test(name, async () => {
      for (const event of events) fixture.audit.note(event);
      await fixture.audit.close();
      expect(await recorded()).toEqual([...lines]);
    });
  }

  test("that still rests is written before anybody reads the log", async () => {
    const { audit } = fixture;
    audit.note(refusal());
    await until("1 row is written", async () => (await recorded()).length === 1);
    audit.note(refusal({ address: "192.0.2.2" }));
    const { data } = await audit.list({ filter: anything, limit: 10 });
    expect(data.map(({ ip_address }) => ip_address)).toEqual(["192.0.2.2", "192.0.2.1"]);
    audit.note(refusal({ address: "192.0.2.3" }));
    const { count } = await audit.export({
      filter: anything,
      by: { userId: "user-1", origin: noOrigin, format: "csv" },
    });
    expect(count).toBe(3);
    expect(await audit.verify([])).toMatchObject({ isIntact: true, rowCount: 4 });
  });

  test("of too many kinds to be told apart is counted with the others, and names none of them", async () => {
    const audit = fixture.another({ limits: { noteKindCountMax: 3 } });
    for (let index = 0; index < 10; index++) audit.note(refusal({ address: `192.0.2.${index}` }));
    await audit.close();
    expect(await recorded()).toEqual([
      "192.0.2.0 CREDENTIALS_MISSING",
      "192.0.2.1 CREDENTIALS_MISSING",
      "192.0.2.2 CREDENTIALS_MISSING",
      "- TOO_MANY_KINDS x7",
    ]);
    expect(await fixture.rows("SELECT resource, user_id FROM audit_events WHERE id = 4")).toMatchObject([
      { resource: null, user_id: null },
    ]);
  });

  test("that cannot be written now waits, is written later, and past the limit only its number is told", async () => {
    const log = recordingLog();
    let isDown = true;
    const storage: typeof fixture.storage = {
      ...fixture.storage,
      write: (work) => (isDown ? Promise.reject(new Error("disk full")) : fixture.storage.write(work)),
    };
    const audit = fixture.another({ storage, log, limits: { notesPendingCountMax: 20 } });
    for (let index = 0; index < 30; index++) audit.note(refusal({ address: `192.0.2.${index}` }));
    await audit.close();
    expect(await recorded()).toEqual([]);
    isDown = false;
    await audit.close();
    expect((await recorded()).length).toBe(20);
    const told = log.lines.filter(({ message }) => message === "refusals were too many to be recorded");
    expect(told.reduce((sum, { fields }) => sum + (fields as { count: number }).count, 0)).toBe(10);
    expect(await audit.verify([])).toMatchObject({ isIntact: true });
  });

  test("of a flood costs rows by its kinds, not by its number", async () => {
    for (let count = 0; count < 20_000; count++) fixture.audit.note(refusal({ address: `192.0.2.${count % 5}` }));
    await fixture.audit.close();
    expect((await recorded()).length).toBe(10);
  });
});

async function started(agent: Agent): Promise<Agent> {
  agent.start();
  await new Promise((resolve) => setImmediate(resolve));
  return agent;
}
