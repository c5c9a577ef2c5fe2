// The audit log over HTTP, through the whole server on a real database: who may read it, what is taken, in which formats it comes,
// and that whoever is kept out is recorded.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { Elysia, t } from "elysia";
import { auditRoutes } from "../../src/features/audit";
import { AuditPage, auditColumns } from "../../src/features/audit/model";
import { BsoptError, type Reason } from "../../src/foundation/errors";
import { type Limits, type LimitVerdict, noLimits } from "../../src/http/limits";
import { acceptedFormatOf, originOf, principalOf } from "../../src/http/request-context";
import type { Refused } from "../../src/http/server";
import { type AuditFixture, eventOf, openAudit } from "../harness/audit";
import { type TestServer, testServer } from "../harness/http";

const where = "/api/v1/audit";
let fixture: AuditFixture;
let server: TestServer;
let refused: Refused[];
beforeEach(async () => {
  fixture = await openAudit();
  refused = [];
  server = serverOf();
  await fixture.record(
    { userId: "user-1", personal: { email: "a@example.org" } },
    {
      eventType: "auth.login.failure",
      status: "failure",
      userId: null,
      origin: { ipAddress: "2001:db8::1", userAgent: '=cmd|"x"' },
    },
    { eventType: "auth.login.success", userId: "user-2", resource: "@sum", details: { method: "password" } },
  );
});
afterEach(async () => {
  await server.close();
  await fixture.close();
});

const serverOf = (limits?: Limits, audit = fixture.audit) =>
  testServer({
    features: [auditRoutes({ audit, principalOf, originOf, acceptedFormatOf })],
    onRefused: (each) => refused.push(each),
    ...(limits && { limits }),
  });

describe("S2.34 reading the audit log", () => {
  for (const [who, status] of [
    [undefined, 401],
    ["bso_nobody", 401],
    ["viewer", 403],
    ["trader", 403],
    ["risk", 200],
    ["admin", 200],
  ] as const) {
    test(`with ${who ?? "nothing"}: ${status}`, async () => {
      expect((await server.call("GET", where, who === undefined ? {} : { key: who })).status).toBe(status);
    });
  }

  const filters: readonly (readonly [string, readonly number[]])[] = [
    ["", [3, 2, 1]],
    ["?event_type=auth.login.failure", [2]],
    ["?event_type=auth.login.failure,apikey.created", [2, 1]],
    ["?event_type=config.update", []],
    ["?user_id=user-1", [1]],
    ["?user_id=user-3", []],
    ["?status=failure", [2]],
    ["?from=2025-06-15T15:06:40Z", [3, 2, 1]],
    ["?from=2025-06-15T15:06:40.000001Z", []],
    ["?to=2025-06-15T15:06:40Z", []],
    ["?to=2025-06-15T17:06:41%2B02:00&user_id=user-2", [3]],
    ["?limit=2", [3, 2]],
    ["?format=json", [3, 2, 1]],
  ];
  for (const [query, ids] of filters) {
    test(`${query || "without a filter"} gives ${JSON.stringify(ids)}`, async () => {
      const { status, json } = await server.call("GET", where + query, { key: "risk" });
      expect(status).toBe(200);
      expect(json.data.map(({ id }: { id: number }) => id)).toEqual([...ids]);
      expect([...Value.Errors(AuditPage, json)]).toEqual([]);
    });
  }

  test("pages by a cursor", async () => {
    const first = await server.call("GET", `${where}?limit=2`, { key: "risk" });
    expect(first.json.has_more).toBe(true);
    const next = await server.call("GET", `${where}?limit=2&cursor=${first.json.next_cursor}`, { key: "risk" });
    expect(next.json).toMatchObject({ data: [{ id: 1 }], has_more: false, next_cursor: null });
  });

  const bad: readonly (readonly [string, string, string?])[] = [
    ["?event_type=", "/query/event_type"],
    ["?event_type=auth.login.failur", "/query/event_type", "EVENT_TYPE_UNKNOWN"],
    ["?event_type=auth.login.failure,", "/query/event_type", "EVENT_TYPE_UNKNOWN"],
    [`?event_type=${new Array(21).fill("auth.logout").join(",")}`, "/query/event_type", "TOO_MANY"],
    ["?user_id=a%20b", "/query/user_id"],
    [`?user_id=${"a".repeat(65)}`, "/query/user_id"],
    ["?user_id=%27%20or%201=1", "/query/user_id"],
    ["?status=done", "/query/status"],
    ["?from=yesterday", "/query/from", "TIMESTAMP_INVALID"],
    ["?from=2025-06-15", "/query/from", "TIMESTAMP_INVALID"],
    ["?from=2025-06-16T00:00:00Z&to=2025-06-15T00:00:00Z", "/query/to", "RANGE_EMPTY"],
    ["?limit=0", "/query/limit"],
    ["?limit=201", "/query/limit"],
    ["?limit=ten", "/query/limit"],
    ["?cursor=nonsense", "/cursor", "CURSOR_INVALID"],
    ["?format=xml", "/query/format"],
    ["?format=csv&limit=10", "/query/limit", "NOT_WITH_FORMAT"],
    ["?format=ndjson&cursor=abc", "/query/cursor", "NOT_WITH_FORMAT"],
    ["?eventtype=auth.logout", "/query/eventtype", "UNKNOWN_FIELD"],
    ["?status=failure&status=success", "/query/status", "REPEATED"],
  ];
  for (const [query, pointer, code] of bad) {
    test(`${query} is refused at ${pointer}`, async () => {
      const { status, json } = await server.call("GET", where + query, { key: "risk" });
      expect(status).toBe(422);
      expect(json.errors[0].pointer).toBe(pointer);
      if (code) expect(json.errors[0].code).toBe(code);
    });
  }

  test("a row that a hand has made unreadable does not hide the others", async () => {
    await fixture.tamper("UPDATE audit_events SET details = '{broken', event_type = 'made.up' WHERE id = 2");
    await fixture.tamper("UPDATE audit_personal SET further = '[[1]]' WHERE event_id = 1");
    const { status, json } = await server.call("GET", where, { key: "risk" });
    expect(status).toBe(200);
    expect(json.data[1]).toMatchObject({ id: 2, event_type: "made.up", details: { unreadable: "yes" } });
    expect(json.data[2]).toMatchObject({ id: 1, personal: { unreadable: "yes" } });
  });
});

describe("S2.34 exporting the audit log", () => {
  for (const [name, call, type] of [
    ["?format=ndjson", {}, "application/x-ndjson"],
    ["?format=csv", {}, "text/csv; charset=utf-8"],
    ["", { accept: "application/x-ndjson" }, "application/x-ndjson"],
    ["", { accept: "text/csv" }, "text/csv; charset=utf-8"],
    ["?format=ndjson", { accept: "text/csv" }, "application/x-ndjson"],
    ["", { accept: "application/vnd.apache.arrow.stream" }, "application/json;charset=utf-8"],
  ] as const) {
    test(`${name} ${JSON.stringify(call)} comes as ${type}`, async () => {
      const { status, headers } = await server.call("GET", where + name, { key: "risk", headers: call });
      expect(status).toBe(200);
      expect(headers.get("content-type")).toBe(type);
    });
  }

  test("as NDJSON is the JSON answer's data, one a line", async () => {
    const { json } = await server.call("GET", where, { key: "risk" });
    const { text, headers } = await server.call("GET", `${where}?format=ndjson`, { key: "risk" });
    expect(
      text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(json.data);
    expect(headers.get("content-disposition")).toBe('attachment; filename="audit.ndjson"');
    expect(headers.get("cache-control")).toBe("no-store");
  });

  test("as CSV has the same columns, nulls empty, and nothing that a spreadsheet would run", async () => {
    const { text } = await server.call("GET", `${where}?format=csv`, { key: "risk" });
    const [header, ...rows] = text.trimEnd().split("\n");
    expect(header).toBe(auditColumns.join(","));
    expect(rows.length).toBe(3);
    expect(rows[0]).toContain(",'@sum,");
    expect(rows[1]).toContain(`,"'=cmd|""x""",`);
    expect(rows[1]!.startsWith("2,2025-06-15T15:06:40.000000Z,auth.login.failure,,2001:db8::1,")).toBe(true);
    expect(rows[2]).toContain(`"{""email"":""a@example.org""}"`);
  });

  test("of nothing is an empty stream, or a header alone", async () => {
    const query = "event_type=config.update";
    expect((await server.call("GET", `${where}?format=ndjson&${query}`, { key: "risk" })).text).toBe("");
    const { text } = await server.call("GET", `${where}?format=csv&${query}`, { key: "risk" });
    expect(text).toBe(`${auditColumns.join(",")}\n`);
  });

  test("is itself recorded: who took what", async () => {
    await server.call("GET", `${where}?format=csv&status=failure`, {
      key: "risk",
      headers: { "user-agent": "curl/8" },
    });
    const { json } = await server.call("GET", `${where}?event_type=audit.exported`, { key: "risk" });
    expect(json.data).toMatchObject([
      { user_id: "user-of-risk", user_agent: "curl/8", details: { format: "csv", count: 1, status: "failure" } },
    ]);
  });

  test("of many pages goes out over a socket whole, and one that is given up takes nothing with it", async () => {
    await fixture.storage.write(async (tx) => {
      for (let count = 0; count < 3000; count++) await fixture.audit.append(tx, eventOf());
    });
    const { url } = server.listen();
    const get = (signal?: AbortSignal) =>
      fetch(`${url}${where}?format=ndjson`, { headers: { "x-api-key": "bso_test_risk" }, ...(signal && { signal }) });
    const stopped = new AbortController();
    const reader = (await get(stopped.signal)).body!.getReader();
    await reader.read();
    stopped.abort();
    const ids = (await (await get()).text())
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).id);
    // The first export was recorded before the second.
    expect(ids).toEqual(Array.from({ length: 3004 }, (_, index) => 3004 - index));
  });

  test("of more than the limit is 422 before a byte is sent", async () => {
    const small = serverOf(undefined, fixture.another({ limits: { exportRowsMax: 2 } }));
    const { status, json } = await small.call("GET", `${where}?format=csv`, { key: "risk" });
    expect(status).toBe(422);
    expect(json.code).toBe("EXPORT_TOO_LARGE");
    await small.close();
  });

  test("asked for by HEAD sends no body", async () => {
    const { status, text } = await server.call("HEAD", `${where}?format=csv`, { key: "risk" });
    expect(status).toBe(200);
    expect(text).toBe("");
  });
});

describe("S2.32 whoever is kept out", () => {
  const told = (partial: Partial<Refused>) => ({ method: "GET", route: where, userId: null, ...partial });
  const rows: readonly (readonly [string, string | undefined, Partial<Refused>])[] = [
    ["without credentials", undefined, { kind: "unauthenticated", code: "CREDENTIALS_MISSING" }],
    ["with wrong ones", "bso_wrong", { kind: "unauthenticated", code: "CREDENTIALS_WRONG" }],
    [
      "without the permission, by name",
      "viewer",
      { kind: "forbidden", code: "PERMISSION_MISSING", userId: "user-of-viewer" },
    ],
  ];
  for (const [name, key, expected] of rows) {
    test(`${name} is told, with where it came from`, async () => {
      await server.call("GET", `${where}?user_id=x`, {
        ...(key !== undefined && { key }),
        headers: { "user-agent": "probe/1" },
      });
      expect(refused).toMatchObject([told(expected)]);
      expect(refused[0]!.origin.userAgent).toBe("probe/1");
    });
  }

  test("by a feature's own judgement or limit is that feature's to record, by the gate's limits is told", async () => {
    const failing = (code: string, reason: Reason, retryAfterSeconds?: number) => () => {
      throw new BsoptError({ reason, code, detail: "no", ...(retryAfterSeconds && { retryAfterSeconds }) });
    };
    const detail = (operationId: string) => ({
      response: { 204: t.Void() },
      detail: { permission: "public" as const, operationId, summary: "Refuses", tags: ["Probe"] },
    });
    const routes = new Elysia({ name: "refusing" })
      .get("/password", failing("PASSWORD_WRONG", "unauthenticated"), detail("wrongPassword"))
      .get("/disabled", failing("USER_DISABLED", "forbidden"), detail("disabledUser"))
      .get("/often", failing("TOO_OFTEN", "limit-breached", 5), detail("tooOften"))
      .get("/limited", failing("NOT_REACHED", "internal"), detail("limited"));
    const often: LimitVerdict = {
      policy: { name: "address", perMinute: 1, burst: 1 },
      decision: { allowed: false, limit: 1, remaining: 0, resetSeconds: 60, retryAfterSeconds: 60 },
    };
    const limits: Limits = {
      ...noLimits,
      byAddress: (_caller, route) => (route?.pattern === "/limited" ? often : null),
    };
    const own = testServer({ features: [routes], limits, onRefused: (each) => refused.push(each) });
    for (const [path, status] of [
      ["/password", 401],
      ["/disabled", 403],
      ["/often", 429],
      ["/limited", 429],
    ] as const) {
      expect((await own.call("GET", path)).status).toBe(status);
    }
    expect(refused).toMatchObject([{ kind: "too-many-requests", code: "RATE_LIMITED", route: "/limited" }]);
    await own.close();
  });

  for (const [name, call] of [
    ["let in", { key: "risk" }],
    ["asking for what is not there", { path: "/api/v1/nothing" }],
    ["asking in the wrong words", { key: "risk", path: `${where}?limit=x` }],
  ] as const) {
    test(`${name} is not`, async () => {
      await server.call("GET", "path" in call ? call.path : where, "key" in call ? { key: call.key } : {});
      expect(refused).toEqual([]);
    });
  }
});
