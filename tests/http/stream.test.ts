// The WebSocket as clients use it: the whole application over a real socket. What the wire itself allows stands in
// tests/fuzz/stream-wire.test.ts, the hub alone in tests/unit/features/streaming.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { App } from "../../src/app";
import { startApp } from "../harness/app";
import { rawRequest } from "../harness/http-socket";
import { recordingLog } from "../harness/storage";
import { type Frame, StreamClient } from "../harness/stream-client";

const folder = mkdtempSync(join(tmpdir(), "bsopt-stream-"));
let app: App & { readonly key: string };
let port = 0;
const log = recordingLog();

beforeAll(async () => {
  app = await startApp(folder, { BSOPT_LOG_LEVEL: "debug" }, log);
  port = Number(new URL(app.url).port);
});
afterAll(async () => {
  await app.stop();
  rmSync(folder, { recursive: true });
});

const open = (options: Parameters<typeof StreamClient.open>[1] = {}) =>
  StreamClient.open(app.url, { headers: { "x-api-key": app.key }, ...options });

const handshake = (path: string, headers: readonly string[]) =>
  rawRequest(
    port,
    [
      `GET ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ...headers,
      "\r\n",
    ].join("\r\n"),
  );

test("S4.40 a client that subscribes gets its answer, a snapshot, and frames that each build on the one before", async () => {
  const client = await open();
  expect(await client.ask("subscribe", { channels: ["test"] })).toEqual({ id: 1, ok: true, channels: ["test"] });
  const first = await client.frame();
  expect(first).toMatchObject({ ch: "test", type: "snapshot", prev: null });
  expect(first.data.second).toBe(`${new Date(first.seq * 1000).toISOString().slice(0, 19)}.000000Z`);
  let last: Frame = first;
  for (let count = 0; count < 2; count++) {
    const frame = await client.frame();
    expect(frame).toMatchObject({ ch: "test", type: "event", seq: last.seq + 1, prev: last.seq });
    last = frame;
  }
  await client.close();
});

test("S4.40 both addresses open a socket, and the alias speaks the same", async () => {
  const client = await open({ path: "/ws" });
  expect(await client.ask("ping")).toEqual({ id: 1, ok: true });
  await client.close();
});

test("WSS-001 S4.41 without a credential, or with one that is not ours, the handshake is 401 before any upgrade", async () => {
  for (const headers of [
    [],
    ["X-API-Key: bso_nothing"],
    ["Authorization: Bearer not.a.token"],
    ["Sec-WebSocket-Protocol: bearer.not.a.token"],
  ]) {
    const answer = await handshake("/api/v1/ws", headers);
    expect(answer.status).toBe(401);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.headers.get("www-authenticate")).toContain("Bearer");
  }
  expect((await handshake("/ws?token=not.a.token", [])).status).toBe(401);
  expect((await handshake(`/ws?ticket=${"a".repeat(43)}`, [])).status).toBe(401);
});

test("S4.41 a credential is taken as a header, a subprotocol, which comes back, and as ?token=", async () => {
  for (const headers of [
    [`X-API-Key: ${app.key}`],
    [`Authorization: Bearer ${app.key}`],
    [`Sec-WebSocket-Protocol: other, bearer.${app.key}`],
    [`Sec-WebSocket-Protocol: bsopt.v1, bearer.${app.key}`],
  ]) {
    const answer = await handshake("/api/v1/ws", headers);
    expect(answer.status).toBe(101);
    const protocol = answer.headers.get("sec-websocket-protocol");
    if (!headers[0]!.startsWith("Sec-")) expect(protocol).toBeNull();
    else expect(protocol).toBe(headers[0]!.includes("bsopt.v1") ? "bsopt.v1" : `bearer.${app.key}`);
  }
  expect((await handshake(`/ws?token=${app.key}`, [])).status).toBe(101);
});

test("S4.41 a plain request to the address is told to upgrade, after it is known who asks", async () => {
  expect((await fetch(`${app.url}/api/v1/ws`)).status).toBe(401);
  const answer = await fetch(`${app.url}/api/v1/ws`, { headers: { "x-api-key": app.key } });
  expect(answer.status).toBe(426);
  expect(answer.headers.get("sec-websocket-version")).toBe("13");
  expect(await answer.json()).toMatchObject({ code: "UPGRADE_NEEDED", status: 426 });
});

test("S4.41 a page of another origin may not connect, one of this host may", async () => {
  const key = `X-API-Key: ${app.key}`;
  expect((await handshake("/ws", [key, "Origin: https://evil.example"])).status).toBe(403);
  expect((await handshake("/ws", [key, `Origin: http://127.0.0.1:${port}`])).status).toBe(101);
});

test("a wrong message is answered with a problem that says where, and the connection goes on", async () => {
  const client = await open();
  const rows: [unknown, string, string?][] = [
    ["not json", "BODY_MALFORMED"],
    ["[".repeat(60), "BODY_TOO_DEEP"],
    [{ id: 7, op: "fly" }, "SCHEMA_INVALID", "/op"],
    [{ id: 8, op: "subscribe" }, "SCHEMA_INVALID", "/channels"],
    [{ id: 9, op: "subscribe", channels: ["test"], more: 1 }, "SCHEMA_INVALID", "/more"],
    [{ id: 10, op: "subscribe", channels: ["test", "nothing/there"] }, "CHANNEL_UNKNOWN", "/channels/1"],
    [{ id: 11, op: "subscribe", channels: ["test/further"] }, "CHANNEL_UNKNOWN", "/channels/0"],
    [{ id: 12, op: "subscribe", channels: ["%ff"] }, "CHANNEL_UNKNOWN", "/channels/0"],
  ];
  for (const [message, code, pointer] of rows) {
    client.send(message);
    const answer = await client.next();
    expect(answer.id).toBe((message as { id?: number }).id ?? null);
    expect(answer.error).toMatchObject({
      code,
      instance: "/api/v1/ws",
      trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    if (pointer !== undefined) expect(answer.error.errors[0].pointer).toBe(pointer);
  }
  expect((await client.ask("ping")).ok).toBe(true);
  await client.close();
});

test("S4.40 unsubscribing ends the frames; what was not listened to is no fault", async () => {
  const client = await open();
  await client.ask("subscribe", { channels: ["test", "health"] });
  await client.frame("health");
  expect(await client.ask("unsubscribe", { channels: ["test", "health"] })).toEqual({ id: 2, ok: true });
  expect(await client.ask("unsubscribe", { channels: ["test"] })).toEqual({ id: 3, ok: true });
  await client.close();
});

test("the channel health tells readiness and each component", async () => {
  const client = await open();
  await client.ask("subscribe", { channels: ["health"] });
  const frame = await client.next(({ ch, data }) => ch === "health" && data !== null);
  expect(frame.data).toMatchObject({ status: "ok", components: { database: "ok", agents: "ok" } });
  await client.close();
});

test("S4.46 a client that comes back gets exactly what it missed, and a snapshot where that is not known any more", async () => {
  const before = await open();
  await before.ask("subscribe", { channels: ["test"] });
  const last = await before.frame();
  await before.close();
  const after = await open();
  const watcher = await open();
  await watcher.ask("subscribe", { channels: ["test"], snapshot: false });
  // By now more was told than it has.
  await watcher.frame();
  await watcher.close();
  await after.ask("subscribe", { channels: ["test"], resume: { test: last.seq } });
  expect(await after.frame()).toMatchObject({ type: "event", seq: last.seq + 1, prev: last.seq });
  await after.close();
  const late = await open();
  await late.ask("subscribe", { channels: ["test"], resume: { test: 812 } });
  expect((await late.frame()).type).toBe("snapshot");
  await late.close();
});

test("S4.44 a message over the limit closes the connection with 1009", async () => {
  const client = await open();
  client.send(" ".repeat(70_000));
  expect((await client.closed()).code).toBe(1009);
});

test("S4.43 messages that come too fast are answered with an error, and the connection is closed with 4008", async () => {
  const client = await open();
  for (let count = 0; count < 150; count++) client.send({ op: "ping" });
  const answer = await client.next(({ error }) => error !== undefined);
  expect(answer.error).toMatchObject({ status: 429, code: "RATE_LIMITED" });
  expect(await client.closed()).toEqual({ code: 4008, reason: "too many messages" });
});

test("a binary message closes the connection with 1003", async () => {
  const client = await open();
  client.socket.send(new Uint8Array([1, 2, 3]));
  expect((await client.closed()).code).toBe(1003);
});

test("S4.41 a ticket opens one socket, as whoever asked for it, and no second", async () => {
  const asked = await fetch(`${app.url}/api/v1/ws/tickets`, { method: "POST", headers: { "x-api-key": app.key } });
  expect(asked.status).toBe(201);
  const { ticket, expires_at: expiresAt } = (await asked.json()) as { ticket: string; expires_at: string };
  expect(ticket).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(Date.parse(expiresAt) - Date.now()).toBeWithin(20_000, 30_001);
  const answers = await Promise.all([1, 2, 3].map(() => handshake(`/api/v1/ws?ticket=${ticket}`, [])));
  expect(answers.map(({ status }) => status).sort()).toEqual([101, 401, 401]);
  const again = await handshake(`/api/v1/ws?ticket=${ticket}`, []);
  expect(JSON.parse(again.body)).toMatchObject({ code: "TICKET_INVALID" });
});

test("a key that is revoked closes what it opened, and what a ticket of it opened, with 4001 within five seconds", async () => {
  const ask = (method: string, path: string, key: string, body?: unknown) =>
    fetch(`${app.url}/api/v1/${path}`, {
      method,
      headers: { "x-api-key": key, ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const made = await ask("POST", "api-keys", app.key, { name: "bot", scopes: ["stream:read"] });
  const { id, secret } = (await made.json()) as { id: string; secret: string };
  const { ticket } = (await (await ask("POST", "ws/tickets", secret)).json()) as { ticket: string };
  const [byKey, byTicket, other] = [
    await open({ headers: { "x-api-key": secret } }),
    await open({ headers: {}, path: `/ws?ticket=${ticket}` }),
    await open(),
  ];
  expect((await byTicket.ask("subscribe", { channels: ["test"] })).ok).toBe(true);
  const start = performance.now();
  await ask("DELETE", `api-keys/${id}`, app.key);
  expect((await byKey.closed()).code).toBe(4001);
  expect((await byTicket.closed()).code).toBe(4001);
  expect(performance.now() - start).toBeLessThan(5_000);
  expect((await other.ask("ping")).ok).toBe(true);
  await other.close();
}, 15_000);

test("S4.41 nothing that was shown stands in the log, whatever way it came", async () => {
  await handshake(`/ws?token=${app.key}`, []);
  await handshake("/ws?token=secret-looking-token-1", []);
  await handshake("/ws", ["Sec-WebSocket-Protocol: bearer.secret-looking-token-2"]);
  const written = JSON.stringify(log.lines, (_, value) => (typeof value === "bigint" ? String(value) : value));
  expect(log.lines.length).toBeGreaterThan(10);
  for (const secret of [app.key, "secret-looking-token"]) expect(written.includes(secret)).toBe(false);
});
