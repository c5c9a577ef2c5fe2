// Errors that nobody foresaw, over HTTP and through the whole application: who may see them, that a 500 is one, and that a receiver of alerts is
// told, by a signature it can compute again, until it has taken it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { UnforeseenKind } from "../../src/app/unforeseen";
import { loadConfig } from "../../src/config/config";
import { BsoptError } from "../../src/foundation/errors";
import type { Failed } from "../../src/http/server";
import { startApp } from "../harness/app";
import type { Loose } from "../harness/executable";
import { testServer } from "../harness/http";
import { temporaryFolder, until } from "../harness/storage";

const secret = "a-secret-of-more-than-32-characters";

interface Delivery {
  readonly headers: Headers;
  readonly text: string;
}
const deliveries: Delivery[] = [];
/** Statuses that the receiver answers with, one after the other, then 204. */
const refusals: number[] = [503];
const receiver = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    deliveries.push({ headers: request.headers, text: await request.text() });
    return new Response(null, { status: refusals.shift() ?? 204 });
  },
});

let app: Awaited<ReturnType<typeof startApp>>;
let tell: (kind: UnforeseenKind, error: unknown) => void;
// Before the folder goes.
afterAll(async () => {
  await app.stop();
  await receiver.stop(true);
});
const folder = temporaryFolder();
beforeAll(async () => {
  const environment = {
    BSOPT_ERROR_WEBHOOK_URL: `${receiver.url.origin}/hook?token=x`,
    BSOPT_ERROR_WEBHOOK_SECRET: secret,
  };
  app = await startApp(folder, environment, undefined, undefined, (listener) => {
    tell = listener;
    return () => undefined;
  });
});

const ask = (path: string, { method = "GET", key = app.key }: { method?: string; key?: string } = {}) =>
  fetch(`${app.url}/api/v1/admin/errors${path}`, { method, headers: key === "" ? {} : { "x-api-key": key } });
const list = async (query = "") => (await (await ask(query)).json()) as Loose;

describe("S4.63 an error that nobody caught", () => {
  let id: string;

  test("is on the administrator's list within seconds, without what it said", async () => {
    tell("unhandled_rejection", Object.assign(new Error("ada@example.org"), { name: "RareError" }));
    await until("it is listed", async () => (await list()).data.length === 1);
    const page = await list();
    expect(page).toMatchObject({ has_more: false, next_cursor: null });
    expect(page.data[0]).toMatchObject({ name: "RareError", kind: "unhandled_rejection", count: 1, resolved_at: null });
    expect(JSON.stringify(page)).not.toContain("ada@");
    id = page.data[0].id;
  });

  test("is told to the receiver, again until it is taken, each time under one id and a signature that holds", async () => {
    await until("it was delivered twice", () => deliveries.length === 2);
    const ids = new Set(deliveries.map(({ headers }) => headers.get("bsopt-delivery")));
    expect(ids.size).toBe(1);
    for (const { headers, text } of deliveries) {
      const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers.get("bsopt-signature") ?? "")!;
      expect(createHmac("sha256", secret).update(`${seconds}.${text}`).digest("hex")).toBe(signature!);
      expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(60);
      expect(JSON.parse(text)).toMatchObject({
        id: headers.get("bsopt-delivery"),
        event: "error.new",
        environment: "test",
        error: { id, name: "RareError", count: 1 },
      });
      expect(text).not.toContain("ada@");
    }
  });

  test("is resolved by an administrator, and comes back where it comes again", async () => {
    const resolved = await ask(`/${id}/resolve`, { method: "POST" });
    expect([resolved.status, ((await resolved.json()) as Loose).resolved_at]).toEqual([200, expect.any(String)]);
    expect((await list("?state=open")).data).toEqual([]);
    expect((await list("?state=resolved")).data).toHaveLength(1);
    tell("unhandled_rejection", Object.assign(new Error("bob@example.org"), { name: "RareError" }));
    // Another line of this file, and frames of this file are none of the program's.
    await until("it is open", async () => (await list("?state=open")).data.length === 1);
    expect((await list()).data[0]).toMatchObject({ id, count: 2 });
    await until("the receiver was told", () => deliveries.length === 3);
    expect(JSON.parse(deliveries[2]!.text)).toMatchObject({ event: "error.reopened", error: { id } });
  });

  test.each([
    ["a stranger", "", "", 401],
    ["no such error", `/${"0".repeat(32)}/resolve`, null, 404],
    ["an id that is none", "/x/resolve", null, 422],
    ["a state that is none", "?state=closed", null, 422],
    ["a page that is too long", "?limit=201", null, 422],
    ["a cursor that was made up", "?cursor=x", null, 422],
  ])("is not shown to %s", async (_name, path, key, status) => {
    const answer = await ask(path, { method: path.endsWith("resolve") ? "POST" : "GET", ...(key !== null && { key }) });
    expect(answer.status).toBe(status);
  });
});

describe("S4.63 a request that meets an error nobody foresaw", () => {
  test("is told with the error, the route's pattern and the answer's trace; one that is refused in order is not", async () => {
    const failed: Failed[] = [];
    const broken = new Error("of the handler's own");
    const feature = new Elysia().get(
      "/api/v1/broken/:how",
      ({ params: { how } }) => {
        if (how === "away") throw new BsoptError({ reason: "unavailable", code: "AWAY", detail: "It is away." });
        throw broken;
      },
      {
        params: Type.Object({ how: Type.String({ maxLength: 9 }) }, { additionalProperties: false }),
        response: { 200: Type.Object({}, { additionalProperties: false, $id: "Nothing" }) },
        detail: { permission: "public", operationId: "break", summary: "Breaks", tags: ["Probe"] },
      },
    );
    const server = testServer({ features: [feature], onFailed: (one) => failed.push(one) });
    expect((await server.call("GET", "/api/v1/broken/away")).status).toBe(503);
    expect((await server.call("GET", "/api/v1/nothing")).status).toBe(404);
    expect(failed).toEqual([]);
    const { status, json } = await server.call("GET", "/api/v1/broken/ada");
    expect([status, failed]).toEqual([500, [{ error: broken, route: "/api/v1/broken/:how", traceId: json.trace_id }]]);
    await server.close();
  });
});

describe("S4.63 the settings of alerts", () => {
  const faultsOf = (environment: Record<string, string>) => {
    try {
      loadConfig({ flags: {}, environment, file: null });
      return [];
    } catch (error) {
      return (error as BsoptError).faults.map(({ pointer }) => pointer);
    }
  };
  const url = "BSOPT_ERROR_WEBHOOK_URL";
  const key = { BSOPT_ERROR_WEBHOOK_SECRET: secret };
  test.each([
    ["https anywhere", { [url]: "https://hooks.example/a?b=c", ...key }, 0],
    ["http on this machine", { [url]: "http://127.0.0.1:9000/a", ...key }, 0],
    ["http anywhere else", { [url]: "http://hooks.example/a", ...key }, 1],
    ["a host that begins like this machine", { [url]: "http://127.0.0.1.example/a", ...key }, 1],
    ["a user in it", { [url]: "https://ada:x@hooks.example/", ...key }, 1],
    ["no secret", { [url]: "https://hooks.example/" }, 1],
    ["a short secret", { [url]: "https://hooks.example/", BSOPT_ERROR_WEBHOOK_SECRET: "short" }, 1],
  ])("with %s have %p", (_name, environment, count) => {
    expect(faultsOf(environment).length).toBe(count);
  });
});
