// The chain of the audit log: rows follow one another without a gap, and whatever a hand changes in the file is found and named.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { FaultKind } from "../../../../src/features/audit/rules";
import type { Audit } from "../../../../src/features/audit/service";
import type { Clock } from "../../../../src/foundation/clock";
import { type AuditFixture, auditKey, eventOf, headsIn, openAudit } from "../../../harness/audit";
import { recordingLog, StorageChild, until } from "../../../harness/storage";

let fixture: AuditFixture;
beforeEach(async () => {
  fixture = await openAudit();
});
afterEach(() => fixture.close());

const kindsOf = (report: { faults: readonly { kind: FaultKind; eventId: string }[] }) =>
  report.faults.map(({ kind, eventId }) => `${kind} ${eventId}`);

async function recordFive(): Promise<void> {
  await fixture.record(
    { details: { note: "one" } },
    { userId: null, resource: null },
    { personal: { email: "tried@example.org" } },
    { eventType: "auth.login.failure", status: "failure" },
    { origin: { ipAddress: null, userAgent: null } },
  );
}

describe("S2.32 S2.33 a recorded event", () => {
  test("has the next id, the hash of the row before, and every column of the contract", async () => {
    await recordFive();
    const rows = await fixture.rows("SELECT * FROM audit_events ORDER BY id");
    expect(rows.map(({ id }) => id)).toEqual([1n, 2n, 3n, 4n, 5n]);
    expect(rows[0]!.prev_hash).toBe("0".repeat(64));
    for (const [index, row] of rows.slice(1).entries()) expect(row.prev_hash).toBe(rows[index]!.hash);
    expect(rows[0]).toMatchObject({
      timestamp: fixture.clock.nowMicroseconds(),
      event_type: "apikey.created",
      user_id: "user-1",
      resource: "api_keys/abc",
      action: "create",
      status: "success",
      details: '{"note":"one"}',
      created_at: fixture.clock.nowMicroseconds(),
    });
    const personal = await fixture.rows("SELECT * FROM audit_personal ORDER BY event_id");
    expect(personal.map(({ event_id }) => event_id)).toEqual([1n, 2n, 3n, 4n, 5n]);
    expect(personal[2]).toMatchObject({
      ip_address: "192.0.2.1",
      user_agent: "test/1",
      further: '{"email":"tried@example.org"}',
      erased_at: null,
    });
    expect(new Set(personal.map(({ salt }) => salt)).size).toBe(5);
  });

  test("is gone with its act where the act fails, and leaves no gap", async () => {
    await fixture.record({});
    const failing = fixture.storage.write(async (tx) => {
      await fixture.audit.append(tx, eventOf());
      throw new Error("the act failed");
    });
    await expect(failing).rejects.toThrow("the act failed");
    await fixture.storage.write(async (tx) => {
      await fixture.audit.append(tx, eventOf());
      await tx
        .nested(async (inner) => {
          await fixture.audit.append(inner, eventOf());
          throw new Error("undone");
        })
        .catch(() => undefined);
      await fixture.audit.append(tx, eventOf());
    });
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, rowCount: 3, lastId: "3" });
  });

  test("of many at once stands in one chain", async () => {
    const other = fixture.another();
    await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        fixture.storage.write((tx) => (index % 2 === 0 ? fixture.audit : other).append(tx, eventOf())),
      ),
    );
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, rowCount: 200 });
  });

  test("of several processes at once stands in one chain", async () => {
    const children = Array.from({ length: 3 }, () => new StorageChild(["audit", fixture.url, "60"]));
    try {
      await Promise.all([
        ...children.map((child) => child.line("done")),
        ...Array.from({ length: 60 }, () => fixture.record({})),
      ]);
    } finally {
      for (const child of children) child.kill("SIGKILL");
    }
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, rowCount: 240, lastId: "240" });
  }, 30_000);

  test("longer than one page of the walk is walked to its end", async () => {
    await fixture.storage.write(async (tx) => {
      for (let count = 0; count < 1234; count++) await fixture.audit.append(tx, eventOf());
    });
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, rowCount: 1234, lastId: "1234" });
    await fixture.tamper("UPDATE audit_events SET action = 'creatf' WHERE id = 1001");
    expect(kindsOf(await fixture.audit.verify([]))).toEqual(["row_changed 1001"]);
  });

  test("none at all is an intact chain", async () => {
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, rowCount: 0, lastId: "0" });
  });
});

describe("S3.18 verifying finds", () => {
  const h = "0123456789abcdef".repeat(4);
  const rows: readonly { name: string; by: string | readonly string[]; found: readonly string[] }[] = [
    ...(
      [
        ["id, to the end", "id = 9", ["rows_missing 3", "rows_missing 6", "row_changed 9"]],
        ["timestamp", "timestamp = timestamp + 1", ["row_changed 3"]],
        ["timestamp, to a text", "timestamp = 'noon'", ["row_unreadable 3"]],
        ["timestamp, to a fraction", "timestamp = 1.5", ["row_unreadable 3"]],
        ["event_type", "event_type = 'auth.logout'", ["row_changed 3"]],
        ["user_id", "user_id = 'user-2'", ["row_changed 3"]],
        ["user_id, to null", "user_id = NULL", ["row_changed 3"]],
        ["user_id, to bytes", "user_id = x'00ff'", ["row_unreadable 3"]],
        ["resource", "resource = 'api_keys/abd'", ["row_changed 3"]],
        ["resource, to null", "resource = NULL", ["row_changed 3"]],
        ["resource, to the empty text", "resource = ''", ["row_changed 3"]],
        ["action", "action = 'revoke'", ["row_changed 3"]],
        ["status", "status = 'failure'", ["row_changed 3"]],
        ["details", "details = '{}'", ["row_changed 3"]],
        ["details, behind an invisible NUL", "details = details || char(0) || 'more'", ["row_unreadable 3"]],
        ["created_at", "created_at = created_at - 1", ["row_changed 3"]],
        ["personal_hash", `personal_hash = '${h}'`, ["row_changed 3"]],
        ["prev_hash", `prev_hash = '${h}'`, ["link_broken 3", "row_changed 3"]],
        ["hash", `hash = '${h}'`, ["row_changed 3", "link_broken 4"]],
        ["hash, to nothing", "hash = ''", ["row_changed 3", "link_broken 4"]],
        [
          "two texts, moved over their border",
          "resource = resource || substr(action, 1, 1), action = substr(action, 2)",
          ["row_changed 3"],
        ],
      ] as const
    ).map(([name, set, found]) => ({
      name: `an edited ${name}`,
      by: `UPDATE audit_events SET ${set} WHERE id = 3`,
      found,
    })),
    ...(
      [
        ["ip_address", "ip_address = '192.0.2.2'"],
        ["user_agent", "user_agent = 'test/2'"],
        ["further", `further = '{"email":"other@example.org"}'`],
        ["further, to null", "further = NULL"],
        ["salt", `salt = '${h}'`],
        ["texts, swapped", "ip_address = user_agent, user_agent = ip_address"],
        ["texts, blanked without a mark", "salt = '', ip_address = NULL, user_agent = NULL, further = NULL"],
        ["texts, marked as erased and kept", "erased_at = 1"],
      ] as const
    ).map(([name, set]) => ({
      name: `personal ${name}`,
      by: `UPDATE audit_personal SET ${set} WHERE event_id = 3`,
      found: ["personal_changed 3"],
    })),
    {
      name: "personal words blanked as erasure would, by whom nobody asked to",
      by: "UPDATE audit_personal SET salt = '', ip_address = NULL, user_agent = NULL, further = NULL, erased_at = 1 WHERE event_id = 3",
      found: ["personal_blanked 3"],
    },
    {
      name: "personal words of nobody's event blanked",
      by: "UPDATE audit_personal SET salt = '', ip_address = NULL, user_agent = NULL, further = NULL, erased_at = 1 WHERE event_id = 2",
      found: ["personal_blanked 2"],
    },
    {
      name: "a personal row deleted",
      by: "DELETE FROM audit_personal WHERE event_id = 3",
      found: ["personal_missing 3"],
    },
    { name: "the first row deleted", by: "DELETE FROM audit_events WHERE id = 1", found: ["rows_missing 1"] },
    { name: "a middle row deleted", by: "DELETE FROM audit_events WHERE id = 3", found: ["rows_missing 3"] },
    { name: "rows in a row deleted", by: "DELETE FROM audit_events WHERE id IN (2, 3)", found: ["rows_missing 2"] },
    {
      name: "a middle row deleted and the rest renumbered",
      by: [
        "DELETE FROM audit_events WHERE id = 3",
        "UPDATE audit_events SET id = 3 WHERE id = 4",
        "UPDATE audit_events SET id = 4 WHERE id = 5",
      ],
      found: ["link_broken 3", "row_changed 3", "row_changed 4"],
    },
    {
      name: "two rows swapped",
      by: [
        "UPDATE audit_events SET id = 99 WHERE id = 3",
        "UPDATE audit_events SET id = 3 WHERE id = 4",
        "UPDATE audit_events SET id = 4 WHERE id = 99",
      ],
      found: ["link_broken 3", "row_changed 3", "link_broken 4", "row_changed 4", "link_broken 5"],
    },
    {
      name: "a row replayed at the end",
      by: [
        "INSERT INTO audit_events SELECT 6, timestamp, event_type, user_id, resource, action, status, details, created_at, personal_hash, (SELECT hash FROM audit_events WHERE id = 5), hash FROM audit_events WHERE id = 3",
        "INSERT INTO audit_personal SELECT 6, salt, ip_address, user_agent, further, erased_at FROM audit_personal WHERE event_id = 3",
      ],
      found: ["row_changed 6"],
    },
    {
      name: "a row made up at the end",
      by: `INSERT INTO audit_events SELECT 6, timestamp, event_type, user_id, resource, action, status, details, created_at, personal_hash, hash, '${h}' FROM audit_events WHERE id = 5`,
      found: ["row_changed 6"],
    },
    {
      name: "a row far behind the end, past what a double counts",
      by: `INSERT INTO audit_events SELECT 9007199254740993, timestamp, event_type, user_id, resource, action, status, details, created_at, personal_hash, hash, '${h}' FROM audit_events WHERE id = 5`,
      found: ["rows_missing 6", "row_changed 9007199254740993"],
    },
    {
      name: "a row before the first",
      by: `INSERT INTO audit_events SELECT 0, timestamp, event_type, user_id, resource, action, status, details, created_at, personal_hash, hash, '${h}' FROM audit_events WHERE id = 1`,
      found: ["rows_before_start 0"],
    },
    {
      name: "a checkpoint made up to hide the first rows",
      by: [
        "INSERT INTO audit_checkpoints SELECT id, hash, 1, hash FROM audit_events WHERE id = 2",
        "DELETE FROM audit_events WHERE id <= 2",
      ],
      found: ["checkpoint_forged 2"],
    },
  ];
  for (const { name, by, found } of rows) {
    test(`${name}: ${found.join(", ")}`, async () => {
      await recordFive();
      expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, rowCount: 5 });
      for (const statement of typeof by === "string" ? [by] : by) await fixture.tamper(statement);
      const report = await fixture.audit.verify([]);
      expect(kindsOf(report)).toEqual([...found]);
      expect(report.isIntact).toBe(false);
    });
  }

  test("a chain written under another key in every row, and says how many it does not name", async () => {
    const stranger = fixture.another({ key: new Uint8Array(32).fill(12) });
    await fixture.storage.write(async (tx) => {
      for (let count = 0; count < 150; count++) await stranger.append(tx, eventOf());
    });
    const report = await fixture.audit.verify([]);
    expect(report.faultCount).toBe(150);
    expect(report.faults.length).toBe(100);
  });

  test("nothing where the log goes on behind a break that was found", async () => {
    await recordFive();
    await fixture.tamper("UPDATE audit_events SET action = 'x' WHERE id = 3");
    await fixture.record({}, {});
    expect(kindsOf(await fixture.audit.verify([]))).toEqual(["row_changed 3"]);
  });
});

describe("S3.18 heads", () => {
  /** A head of the chain as it stands. */
  async function head(): Promise<string> {
    const log = recordingLog();
    const teller = fixture.another({ log });
    await teller.close();
    return headsIn(log.lines)[0]!;
  }
  const read = (text: string) => fixture.audit.readHead(text)!;

  test("match the chain they were taken of, wherever it has grown to", async () => {
    await recordFive();
    const first = await head();
    await fixture.record({}, {});
    const second = await head();
    expect(first).toMatch(/^v1\.5\.[0-9a-f]{64}\.\d{16}\.[0-9a-f]{64}$/);
    expect(await fixture.audit.verify([read(first), read(second), read(first)])).toMatchObject({
      isIntact: true,
      headsMatched: 3,
    });
  });

  test("find rows cut off at the end", async () => {
    await recordFive();
    const taken = read(await head());
    await fixture.tamper("DELETE FROM audit_events WHERE id >= 4");
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true });
    expect(kindsOf(await fixture.audit.verify([taken]))).toEqual(["cut_short 4"]);
  });

  test("find rows cut off at the end although as many were written since", async () => {
    await recordFive();
    const taken = read(await head());
    await fixture.tamper("DELETE FROM audit_events WHERE id >= 4");
    await fixture.tamper("DELETE FROM audit_personal WHERE event_id >= 4");
    await fixture.record({}, {}, {});
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true });
    expect(kindsOf(await fixture.audit.verify([taken]))).toEqual(["head_differs 5"]);
  });

  test("find a log that was emptied", async () => {
    await recordFive();
    const taken = read(await head());
    for (const table of ["audit_personal", "audit_events"]) await fixture.tamper(`DELETE FROM ${table}`);
    expect(kindsOf(await fixture.audit.verify([taken]))).toEqual(["cut_short 1"]);
  });

  test("made up by somebody without the key are told, whatever they say", async () => {
    await recordFive();
    const taken = await head();
    const changed = taken.replace(/^v1\.5\./, "v1.4.");
    expect(kindsOf(await fixture.audit.verify([read(changed)]))).toEqual(["head_forged 4"]);
    const strange = fixture.another({ key: new Uint8Array(32).fill(12) });
    expect(strange.readHead(taken)).toMatchObject({ isSigned: false });
  });

  test("are not checkpoints: a head's signature in their place is refused", async () => {
    await recordFive();
    const [, id, hash, time, signature] = (await head()).split(".");
    await fixture.tamper("INSERT INTO audit_checkpoints VALUES (?, ?, ?, ?)", [
      Number(id),
      hash!,
      BigInt(time!),
      signature!,
    ]);
    for (const table of ["audit_personal", "audit_events"]) await fixture.tamper(`DELETE FROM ${table}`);
    expect(kindsOf(await fixture.audit.verify([]))).toEqual(["checkpoint_forged 5"]);
  });

  const malformed = [
    "",
    "v1",
    "v2.1.a.1.b",
    `v1.0.${"a".repeat(64)}.1.${"a".repeat(64)}`,
    `v1.1.${"A".repeat(64)}.1.x`,
  ];
  for (const text of malformed) {
    test(`${JSON.stringify(text)} is none`, () => expect(fixture.audit.readHead(text)).toBeNull());
  }

  test("are told once a chain's end, in a line of their own, and at the close", async () => {
    const log = recordingLog();
    const teller = fixture.another({ log });
    const agent = teller.agents.find(({ name }) => name === "audit-head")!;
    await fixture.record({});
    agent.start();
    await until("a head is told", () => headsIn(log.lines).length === 1);
    for (let minute = 0; minute < 3; minute++) {
      fixture.clock.advance(60_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await agent.stop();
    expect(headsIn(log.lines).length).toBe(1);
    await fixture.record({});
    await teller.close();
    expect(headsIn(log.lines).map((text) => text.split(".")[1])).toEqual(["1", "2"]);
  });
});

describe("S3.18 erasing a person", () => {
  test("blanks salt and texts of that user's events alone, records it, and the chain holds", async () => {
    await fixture.record(
      { userId: "user-1", personal: { email: "a@example.org" } },
      { userId: "user-2" },
      { userId: null },
    );
    const count = await fixture.storage.write((tx) => fixture.audit.erasePersonal(tx, "user-1"));
    expect(count).toBe(1);
    const personal = await fixture.rows("SELECT * FROM audit_personal ORDER BY event_id");
    expect(personal[0]).toMatchObject({ salt: "", ip_address: null, user_agent: null, further: null });
    expect(personal[0]!.erased_at).toBe(fixture.clock.nowMicroseconds());
    expect(personal[1]).toMatchObject({ ip_address: "192.0.2.1", erased_at: null });
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, rowCount: 4, erasedCount: 1 });
    const whole = JSON.stringify(
      (await fixture.rows("SELECT * FROM audit_personal WHERE event_id = 1")).concat(
        await fixture.rows("SELECT * FROM audit_events"),
      ),
      (_, value) => (typeof value === "bigint" ? String(value) : value),
    );
    expect(whole).not.toContain("a@example.org");
  });

  test("twice changes nothing more than what was recorded in between", async () => {
    await fixture.record({}, {});
    const erase = () => fixture.storage.write((tx) => fixture.audit.erasePersonal(tx, "user-1"));
    expect(await erase()).toBe(2);
    expect(await erase()).toBe(0);
    await fixture.record({});
    expect(await erase()).toBe(1);
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, erasedCount: 3 });
  });

  const roundOf = async (audit: Audit) => {
    const agent = audit.agents.find(({ name }) => name === "audit-erasures")!;
    agent.start();
    await agent.stop();
  };
  const named = async () =>
    Number(
      (
        await fixture.rows(
          "SELECT count(*) AS n FROM audit_personal WHERE ip_address IS NOT NULL AND event_id IN (SELECT id FROM audit_events WHERE user_id = 'user-1')",
        )
      )[0]!.n,
    );
  const erasures = async () => (await fixture.rows("SELECT * FROM audit_erasures")).length;

  test("with more rows than one write may blank goes on afterwards, in another process too, and the chain holds all the while", async () => {
    await fixture.storage.write(async (tx) => {
      for (let index = 0; index < 1000; index++) {
        await fixture.audit.append(tx, eventOf({ userId: index % 5 === 4 ? "user-2" : "user-1" }));
      }
    });
    expect(await fixture.storage.write((tx) => fixture.audit.erasePersonal(tx, "user-1"))).toBe(100);
    expect(await named()).toBe(700);
    // What is recorded of them while it goes on belongs to them as well.
    await fixture.record({ userId: "user-1" });
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, erasedCount: 100 });
    // Each process does a window and ends, as one that is killed would; the last ends with nothing more to do.
    const left: number[] = [];
    for (let process = 0; process < 9; process++) {
      const another = fixture.another();
      await roundOf(another);
      left.push(await named());
      expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true });
    }
    expect(left).toEqual([601, 501, 401, 301, 201, 101, 1, 1, 1]);
    fixture.clock.advance(120_000);
    for (let process = 0; process < 10; process++) await roundOf(fixture.another());
    expect([await named(), await erasures()]).toEqual([0, 0]);
    const events = await fixture.rows(
      "SELECT user_id, details FROM audit_events WHERE event_type = 'audit.personal.erased'",
    );
    expect(events.map(({ details }) => details)).toEqual([
      '{"begun":true}',
      '{"count":800}',
      '{"begun":true}',
      '{"count":1}',
    ]);
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, erasedCount: 801 });
    const others = await fixture.rows("SELECT count(*) AS n FROM audit_personal WHERE ip_address IS NOT NULL");
    expect(others[0]!.n).toBe(200n);
  });

  test("is not done for whoever can write the database: an erasure that this log was not asked for is thrown out, and told", async () => {
    const log = recordingLog();
    await fixture.record({}, { userId: "user-2" });
    await fixture.storage.write((tx) => fixture.audit.erasePersonal(tx, "user-2"));
    // By hand, and with the signature of another's erasure.
    for (const signature of ["''", "(SELECT signature FROM audit_erasures WHERE user_id = 'user-2')"]) {
      await fixture.tamper(
        `INSERT INTO audit_erasures (user_id, due_at, is_last, count, signature) VALUES ('user-1', 0, 0, 0, ${signature})`,
      );
      for (let round = 0; round < 3; round++) await roundOf(fixture.another({ log }));
      expect(await named()).toBe(1);
      expect(await fixture.rows("SELECT user_id FROM audit_erasures")).toEqual([{ user_id: "user-2" }]);
    }
    expect(log.lines.filter(({ level }) => level === "error")).toHaveLength(2);
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, erasedCount: 1 });
  });

  test("reaches what was noted before and is written only afterwards", async () => {
    const note = () =>
      fixture.audit.note(
        eventOf({ eventType: "auth.login.failure", status: "failure", personal: { email: "a@example.org" } }),
      );
    note();
    note();
    await fixture.storage.write((tx) => fixture.audit.erasePersonal(tx, "user-1"));
    await fixture.audit.close();
    // The first was written before, the repeat a minute later at most.
    expect(await named()).toBe(1);
    fixture.clock.advance(119_999);
    await roundOf(fixture.another());
    expect(await named()).toBe(1);
    fixture.clock.advance(1);
    await roundOf(fixture.another());
    expect([await named(), await erasures()]).toEqual([0, 0]);
    const further = await fixture.rows("SELECT * FROM audit_personal WHERE further IS NOT NULL");
    expect(further).toEqual([]);
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, erasedCount: 2 });
  });

  test("of somebody who did nothing records nothing", async () => {
    expect(await fixture.storage.write((tx) => fixture.audit.erasePersonal(tx, "nobody"))).toBe(0);
    expect(await fixture.audit.verify([])).toMatchObject({ rowCount: 0 });
  });

  test("does not excuse what is blanked by hand afterwards", async () => {
    await fixture.record({});
    await fixture.storage.write((tx) => fixture.audit.erasePersonal(tx, "user-1"));
    await fixture.record({});
    await fixture.tamper(
      "UPDATE audit_personal SET salt = '', ip_address = NULL, user_agent = NULL, erased_at = 1 WHERE event_id = 3",
    );
    expect(kindsOf(await fixture.audit.verify([]))).toEqual(["personal_blanked 3"]);
  });
});

describe("S3.18 retention", () => {
  const day = 86_400_000;
  const cut = async (days: number, log = recordingLog()) => {
    const round = Promise.withResolvers<void>();
    const { clock: wall } = fixture;
    const clock: Clock = {
      nowMicroseconds: () => wall.nowMicroseconds(),
      monotonicMilliseconds: () => wall.monotonicMilliseconds(),
      sleep(milliseconds, signal) {
        round.resolve();
        return wall.sleep(milliseconds, signal);
      },
    };
    const audit = fixture.another({ retentionDays: days, log, clock });
    const agent = audit.agents.find(({ name }) => name === "audit-retention")!;
    agent.start();
    await round.promise;
    await agent.stop();
    return log;
  };
  const ids = async () => (await fixture.rows("SELECT id FROM audit_events ORDER BY id")).map(({ id }) => Number(id));

  test("of 0 days has no loop that could cut", () => {
    expect(fixture.audit.agents.map(({ name }) => name)).toEqual(["audit-notes", "audit-head", "audit-erasures"]);
  });

  test("cuts whole days off the old end, signs the place, records it, and the chain holds", async () => {
    await fixture.record({}, {});
    fixture.clock.advance(day);
    await fixture.record({}, {});
    fixture.clock.advance(9 * day);
    await fixture.record({});
    await cut(30);
    expect(await ids()).toEqual([1, 2, 3, 4, 5]);
    await cut(9);
    expect(await ids()).toEqual([3, 4, 5, 6]);
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, cutAt: { id: 2 }, rowCount: 4 });
    await cut(8);
    expect(await ids()).toEqual([5, 6, 7]);
    const personal = await fixture.rows("SELECT event_id FROM audit_personal ORDER BY event_id");
    expect(personal.map(({ event_id }) => Number(event_id))).toEqual([5, 6, 7]);
    expect((await fixture.rows("SELECT event_id FROM audit_checkpoints")).length).toBe(1);
    expect(
      JSON.parse(String((await fixture.rows("SELECT details FROM audit_events WHERE id = 7"))[0]!.details)),
    ).toEqual({
      first_id: 3,
      last_id: 4,
      count: 2,
    });
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, cutAt: { id: 4 }, rowCount: 3 });
  });

  test("keeps the day that is not over: the cut falls at midnight UTC", async () => {
    // 2025-06-15T15:06:40Z; half past midnight of the next day.
    await fixture.record({});
    fixture.clock.advance((8 * 60 + 54) * 60_000);
    await fixture.record({});
    fixture.clock.advance(10 * 60_000 + day);
    await cut(1);
    expect(await ids()).toEqual([2, 3]);
  });

  test("of everything leaves a chain that goes on where it was", async () => {
    await fixture.record({}, {}, {});
    fixture.clock.advance(10 * day);
    await cut(1);
    expect(await ids()).toEqual([4]);
    await fixture.record({});
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, cutAt: { id: 3 }, lastId: "5" });
  });

  test("of more than one step's rows goes on until they are gone", async () => {
    await fixture.storage.write(async (tx) => {
      for (let count = 0; count < 1100; count++) await fixture.audit.append(tx, eventOf());
    });
    fixture.clock.advance(10 * day);
    await cut(1);
    // Each step is recorded by a row of its own.
    expect((await ids())[0]).toBe(1101);
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, cutAt: { id: 1100 } });
  });

  test("does not hide a row that was changed: it and all behind it stay, and the log says so", async () => {
    await fixture.record({}, {}, {});
    await fixture.tamper("UPDATE audit_events SET action = 'x' WHERE id = 2");
    fixture.clock.advance(10 * day);
    const log = await cut(1);
    expect(await ids()).toEqual([2, 3, 4]);
    expect(log.lines.filter(({ level }) => level === "error").length).toBe(1);
    expect(kindsOf(await fixture.audit.verify([]))).toEqual(["row_changed 2"]);
  });

  test("heads of what is gone are counted, the one at the cut is compared", async () => {
    const heads: string[] = [];
    for (let count = 0; count < 4; count++) {
      await fixture.record({});
      const log = recordingLog();
      await fixture.another({ log }).close();
      heads.push(...headsIn(log.lines));
      if (count === 2) fixture.clock.advance(10 * day);
    }
    await cut(1);
    const report = await fixture.audit.verify(heads.map((text) => fixture.audit.readHead(text)!));
    expect(report).toMatchObject({ isIntact: true, headsMatched: 2, headsUncompared: 2 });
  });

  const tampered: readonly (readonly [string, string, readonly string[]])[] = [
    ["its place", "UPDATE audit_checkpoints SET event_id = 1", ["checkpoint_forged 1", "rows_missing 2"]],
    ["its hash", `UPDATE audit_checkpoints SET hash = '${"a".repeat(64)}'`, ["checkpoint_forged 2", "link_broken 3"]],
    ["its time", "UPDATE audit_checkpoints SET created_at = created_at + 1", ["checkpoint_forged 2"]],
    ["its signature", `UPDATE audit_checkpoints SET signature = '${"a".repeat(64)}'`, ["checkpoint_forged 2"]],
    ["the whole mark, taken away", "DELETE FROM audit_checkpoints", ["rows_missing 1"]],
    [
      "a second mark",
      "INSERT INTO audit_checkpoints SELECT 1, hash, created_at, signature FROM audit_checkpoints",
      ["checkpoint_extra 1"],
    ],
  ];
  for (const [name, statement, found] of tampered) {
    test(`a changed checkpoint is found: ${name}`, async () => {
      await fixture.record({}, {});
      fixture.clock.advance(10 * day);
      await cut(1);
      await fixture.tamper(statement);
      expect(kindsOf(await fixture.audit.verify([]))).toEqual([...found]);
    });
  }

  test("and the walk may run at the same time", async () => {
    await fixture.storage.write(async (tx) => {
      for (let count = 0; count < 2200; count++) await fixture.audit.append(tx, eventOf());
    });
    fixture.clock.advance(10 * day);
    await fixture.record({}, {});
    const [report] = await Promise.all([fixture.audit.verify([]), cut(1)]);
    expect(report.faults).toEqual([]);
    expect(await fixture.audit.verify([])).toMatchObject({ isIntact: true, cutAt: { id: 2200 } });
  });
});

test("S3.18 a checkpoint made up while the walk is under way excuses nothing", async () => {
  await fixture.storage.write(async (tx) => {
    for (let count = 0; count < 500; count++) await fixture.audit.append(tx, eventOf());
  });
  let pages = 0;
  const read = new Proxy(fixture.storage.read, {
    get(target, name, receiver) {
      if (name !== "all") return Reflect.get(target, name, receiver);
      return async (query: Parameters<typeof target.all>[0]) => {
        const rows = await target.all(query);
        pages += 1;
        if (pages === 2) {
          await fixture.tamper(
            "INSERT INTO audit_checkpoints SELECT 300, hash, 1, hash FROM audit_events WHERE id = 300",
          );
          await fixture.tamper("DELETE FROM audit_events WHERE id <= 300");
        }
        return rows;
      };
    },
  });
  const report = await fixture.another({ storage: { ...fixture.storage, read } }).verify([]);
  expect(kindsOf(report)).toEqual(["rows_missing 201"]);
});

test("the key is 32 bytes", () => {
  expect(auditKey.length).toBe(32);
  expect(() => fixture.another({ key: new Uint8Array(31) })).toThrow("31 bytes");
});
