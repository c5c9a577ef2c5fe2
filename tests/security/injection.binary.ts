// Text that means something to a database, a shell, a file system or a page, sent to the executable in every place of every
// route that takes text. The places come from the API's own document, so no route is forgotten.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { type DatabaseState, stateOf } from "../harness/database-state";
import { type Operation, operationsOf, withValue } from "../harness/document-places";
import type { Answer } from "../harness/http";
import { SecuredServer } from "../harness/secured-server";

const marker = "bsopt-injected";

const families = {
  sql: [
    "' OR '1'='1",
    "' OR 1=1 --",
    "INFY'; DROP TABLE tasks; --",
    "x'; DROP TABLE users; --",
    "x'); DELETE FROM api_keys; --",
    "x'; UPDATE users SET role='admin'; --",
    "x' UNION SELECT secret_hash FROM api_keys --",
    '" OR ""="',
    "1; ATTACH DATABASE '/tmp/bsopt-injected.db' AS evil; --",
    "x' AND randomblob(1000000000) --",
    "x' || (SELECT hex(zeroblob(1000000))) || '",
    "admin'/*",
    "') OR EXISTS(SELECT 1 FROM users) --",
    "\\'; SELECT load_extension('/tmp/x.so'); --",
    "%' ESCAPE '\\",
  ],
  page: [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "<svg/onload=alert(1)>",
    "{{constructor.constructor('alert(1)')()}}",
    "$" + "{7*7}<%= 7*7 %>#{7*7}",
    "</title><iframe srcdoc='<script>parent.x=1</script>'>",
    "\u2028<ScRiPt>x=1</ScRiPt>",
  ],
  shell: [
    `; touch ${marker}`,
    `$(touch ${marker})`,
    `\`touch ${marker}\``,
    `| touch ${marker} #`,
    `& touch ${marker} &`,
    `"; process.mainModule.require('fs').writeFileSync('${marker}',''); //`,
    `';Bun.write('${marker}','');'`,
  ],
  path: [
    "../../../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "..\\..\\..\\windows\\win.ini",
    "/etc/passwd",
    "file:///etc/passwd",
    "....//....//etc/passwd",
    "bsopt-data/admin-api-key",
    "/proc/self/environ",
  ],
  odd: [
    "\u0000",
    "a\u0000b",
    "\ud800",
    "\r\nX-Injected: yes",
    "\uFEFF\u202E",
    "A".repeat(12_000),
    "%00%0d%0a",
    "NaN",
    "-0",
    "",
  ],
} as const;

type Family = keyof typeof families;

/** Words that only the inside would say. */
const insideWords =
  /sqlite|libsql|drizzle|syntax error|no such (table|column)|near "|constraint failed|\bselect\b.+\bfrom\b|node_modules|\$bunfs|\.ts:\d|root:.*:0:0|at \w+ \(/i;

interface Attempt {
  readonly operation: Operation;
  readonly place: string;
  readonly payload: string;
  readonly answer: Answer;
}

let server: SecuredServer;
let operations: Operation[];
let before: DatabaseState;
let after: DatabaseState;
const attempts: Record<Family, Attempt[]> = { sql: [], page: [], shell: [], path: [], odd: [] };

beforeAll(async () => {
  server = await SecuredServer.start();
  operations = operationsOf((await server.call("GET", "/openapi.json")).json);
  before = await look();
  for (const family of Object.keys(families) as Family[]) await attackWith(family);
  after = await look();
}, 120_000);
afterAll(() => server.close());

async function look(): Promise<DatabaseState> {
  const database = server.database();
  try {
    return await stateOf(database);
  } finally {
    database.close();
  }
}

/** Every payload of a family in every place, some at a time. */
async function attackWith(family: Family): Promise<void> {
  const work: (() => Promise<void>)[] = [];
  for (const operation of operations) {
    const credentials = await server.credentialsFor(operation);
    for (const payload of families[family]) {
      const add = (place: string, path: string, body: unknown) =>
        work.push(async () => {
          const answer = await server.call(operation.method, path, {
            ...credentials,
            // Each from an address of its own: what is limited by address must not end the attack.
            headers: server.stranger(),
            ...(body !== undefined && { body }),
          });
          attempts[family].push({ operation, place, payload, answer });
        });
      const [body] = operation.bodies;
      const plain = pathOf(operation, "x");
      for (const name of operation.pathParameters) add(`path ${name}`, pathOf(operation, payload), body);
      for (const { name } of operation.queryParameters) {
        add(`query ${name}`, `${plain}?${new URLSearchParams({ [name]: payload })}`, body);
      }
      for (const { base, at } of operation.bodyPlaces) {
        add(`body /${at.join("/")}`, plain, withValue(base, at, payload));
      }
    }
  }
  await inParallel(work, 12);
}

function pathOf({ path }: Operation, value: string): string {
  return path.replace(/\{[^}]+\}/g, encodeURIComponent(value.isWellFormed() ? value : "\ufffd") || "%20");
}

async function inParallel(work: readonly (() => Promise<void>)[], lanes: number): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < work.length) await work[next++]!();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** A short name of an attempt for a failing test to show. */
function told({ operation, place, payload, answer }: Attempt): string {
  return `${operation.method} ${operation.path} ${place} ${JSON.stringify(payload.slice(0, 40))} → ${answer.status} ${answer.text.slice(0, 120)}`;
}

const faulty = (family: Family, isFault: (attempt: Attempt) => boolean) =>
  attempts[family].filter(isFault).slice(0, 10).map(told);

describe("every place of every route that takes text", () => {
  test("S2.14 is attacked: no operation with such a place is left out", () => {
    const open = operations.filter(
      ({ pathParameters, queryParameters, bodyPlaces }) =>
        pathParameters.length + queryParameters.length + bodyPlaces.length > 0,
    );
    const attacked = new Set(attempts.sql.map(({ operation }) => operation.operationId));
    expect([...attacked].sort()).toEqual(open.map(({ operationId }) => operationId).sort());
    expect(attempts.sql.length).toBeGreaterThan(families.sql.length * 100);
  });

  test("S2.14 is reached: no place is judged by a refusal that came before it was looked at", () => {
    const places = new Map<string, boolean>();
    for (const { operation, place, answer } of attempts.sql) {
      const name = `${operation.method} ${operation.path} ${place}`;
      // A wrong password or code of one's own is looked at and refused as 403.
      const isLookedAt = answer.json?.code === "REAUTHENTICATION_FAILED";
      const isReached =
        isLookedAt || (![403, 429].includes(answer.status) && answer.json?.code !== "CREDENTIALS_MISSING");
      places.set(name, (places.get(name) ?? false) || isReached);
    }
    expect([...places].filter(([, isReached]) => !isReached).map(([name]) => name)).toEqual([]);
  });

  test.each(Object.keys(families) as Family[])("S2.14 S2.16 given %s payloads answers no 5xx", (family) => {
    expect(faulty(family, ({ answer }) => answer.status >= 500)).toEqual([]);
  });

  test.each(Object.keys(families) as Family[])("S2.14 S2.16 given %s payloads says no word of the inside", (family) => {
    // A problem names the address that was asked; that is the caller's own text.
    const inside = ({ answer }: Attempt) =>
      insideWords.test(answer.status >= 400 ? JSON.stringify({ ...answer.json, instance: "" }) : "");
    expect(faulty(family, inside)).toEqual([]);
  });

  test.each(Object.keys(families) as Family[])("S2.35 given %s payloads refuses with a problem document", (family) => {
    expect(
      faulty(
        family,
        ({ answer }) =>
          answer.status >= 400 &&
          (answer.headers.get("content-type") !== "application/problem+json" || answer.json?.status !== answer.status),
      ),
    ).toEqual([]);
  });

  test.each(Object.keys(families) as Family[])("S4.54 XSS: given %s payloads never answers as a page", (family) => {
    const isPage = ({ answer: { headers } }: Attempt) =>
      /html|svg|xml|javascript/.test(headers.get("content-type") ?? "") ||
      headers.get("x-content-type-options") !== "nosniff" ||
      !(headers.get("content-security-policy") ?? "").startsWith("default-src 'none'");
    expect(faulty(family, isPage)).toEqual([]);
  });
});

describe("SQL injection", () => {
  test("SEC-001 SEC-002 S4.53 leaves the schema, the users and what keys may do as they were", () => {
    expect(after.integrity).toBe("ok");
    expect(after.schema).toEqual(before.schema);
    // Whatever route made something, nobody's role, address or state changed, and no old key got or lost anything.
    for (const user of before.users) expect(after.users).toContain(user);
    for (const grant of before.grants) expect(after.grants).toContain(grant);
  });

  test("SEC-001 S3.08 loses no row of any table", () => {
    const lost = Object.entries(before.rowCounts).filter(([table, count]) => (after.rowCounts[table] ?? 0) < count);
    expect(lost).toEqual([]);
  });

  test("SEC-002 S4.53 finds nothing by a condition that is always true", () => {
    const isFound = ({ operation, place, answer }: Attempt) => {
      if (answer.status >= 400) return false;
      if (place.startsWith("path ")) return true;
      return place.startsWith("query ") && operation.method === "GET" && answer.json?.data?.length !== 0;
    };
    expect(faulty("sql", isFound)).toEqual([]);
  });

  test("SEC-001 a text that is taken is kept letter for letter", async () => {
    const names = new Set(
      attempts.sql
        .filter(
          ({ operation, place, answer }) =>
            operation.operationId === "createApiKey" && place === "body /name" && answer.status === 201,
        )
        .map(({ payload }) => payload),
    );
    expect(names.size).toBeGreaterThan(10);
    const kept = new Set<string>();
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page = await server.call("GET", `/api/v1/api-keys?limit=100${cursor && `&cursor=${cursor}`}`, {
        key: "admin",
      });
      for (const { name } of page.json.data) kept.add(name);
      cursor = page.json.next_cursor;
    }
    expect([...names].filter((name) => !kept.has(name))).toEqual([]);
  });
});

describe("Command injection and path traversal", () => {
  test("S2.14 nothing ran: the file that every payload would make is nowhere", () => {
    for (const folder of [server.installation.folder, server.installation.path("bsopt-data"), "/tmp", process.cwd()]) {
      expect(readdirSync(folder).filter((name) => name.includes(marker))).toEqual([]);
    }
    expect(existsSync("/tmp/bsopt-injected.db")).toBe(false);
  });

  test("S2.14 no answer holds a file of the machine", () => {
    const isFile = ({ answer }: Attempt) => /root:[^:]*:0:0|PATH=|\[fonts\]|bso_[0-9A-Za-z]{12}_/.test(answer.text);
    for (const family of ["path", "shell"] as const) {
      expect(faulty(family, (attempt) => attempt.operation.operationId !== "createApiKey" && isFile(attempt))).toEqual(
        [],
      );
    }
  });
});
