// Two whole applications on one data folder, with a real redis-server or nats-server between them: one leads the market, the other has its channels and its
// answers, and takes over when it goes.

import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { App } from "../../src/app";
import { startApp } from "../harness/app";
import { hasNats, NatsServer } from "../harness/nats";
import { hasRedis, RedisServer } from "../harness/redis";
import { temporaryFolder, until } from "../harness/storage";

// Goes after all tests: a folder of a test's own would go before its applications have stopped.
const parent = temporaryFolder();
const newFolder = () => mkdtempSync(join(parent, "data-"));

setDefaultTimeout(30_000);

type Running = App & { readonly key: string };

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

interface Frame {
  readonly ch?: string;
  readonly seq?: number;
  readonly prev?: number | null;
  readonly type?: string;
  readonly data?: unknown;
  readonly ok?: boolean;
  readonly error?: { readonly code: string };
}

/** A client's socket with all that came over it. */
async function connect(app: App, key: string): Promise<{ frames: Frame[]; say(message: object): void; close(): void }> {
  const socket = new WebSocket(`${app.url.replace("http", "ws")}/api/v1/ws`, {
    headers: { "x-api-key": key },
  } as never);
  const frames: Frame[] = [];
  socket.onmessage = ({ data }) => void frames.push(JSON.parse(String(data)) as Frame);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("no socket"));
  });
  open.push(async () => socket.close());
  return { frames, say: (message) => socket.send(JSON.stringify(message)), close: () => socket.close() };
}

const call = async (app: App, key: string, method: string, path: string, body?: unknown) => {
  const answer = await fetch(`${app.url}${path}`, {
    method,
    headers: { "x-api-key": key, ...(body !== undefined && { "content-type": "application/json" }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, json: text === "" ? null : JSON.parse(text) };
};

const leads = async (app: App, key: string) => {
  const answer = await fetch(`${app.url}/metrics`, { headers: { "x-api-key": key } });
  return /^bsopt_market_leading 1$/m.test(await answer.text());
};

async function started(folder: string, environment: Record<string, string>): Promise<Running> {
  const app = await startApp(folder, environment);
  let isStopped = false;
  const stop = app.stop.bind(app);
  const running = Object.assign(app, {
    stop: async () => {
      if (isStopped) return;
      isStopped = true;
      await stop();
    },
  });
  open.push(() => running.stop());
  return running;
}

const symbol = "SPXW271217C05800000";
const subscription = { symbols: [symbol] };

for (const { name, isThere, start } of [
  {
    name: "redis",
    isThere: hasRedis,
    start: async () => {
      const server = await RedisServer.start();
      return { server, environment: { BSOPT_MARKET_BUS: "redis", BSOPT_REDIS_URL: server.url() } };
    },
  },
  {
    name: "nats",
    isThere: hasNats,
    start: async () => {
      const server = await NatsServer.start(newFolder());
      return { server, environment: { BSOPT_MARKET_BUS: "nats", BSOPT_NATS_URL: server.url() } };
    },
  },
]) {
  describe.if(isThere)(`S4.35 two processes that share a market over ${name}`, () => {
    async function pair() {
      const { server, environment } = await start();
      open.push(() => server.kill());
      const folder = newFolder();
      const leader = await started(folder, environment);
      const follower = await started(folder, environment);
      const { key } = leader;
      expect([await leads(leader, key), await leads(follower, key)]).toEqual([true, false]);
      await until("both have the bus", async () => {
        const answers = await Promise.all([leader, follower].map((app) => fetch(`${app.url}/readiness`)));
        const bodies = (await Promise.all(answers.map((answer) => answer.json()))) as {
          checks: { component: string; status: string }[];
        }[];
        return bodies.every(({ checks }) =>
          checks.some(({ component, status }) => component === "market_bus" && status === "ok"),
        );
      });
      return { server, leader, follower, key };
    }

    test("the one that does not lead answers with the leader's answers, and lets in whom it would", async () => {
      const { leader, follower, key } = await pair();
      const made = await call(follower, key, "POST", "/api/v1/subscriptions", subscription);
      expect(made.status).toBe(201);
      await until("the leader has heard of it", async () => {
        const { json } = await call(leader, key, "GET", `/api/v1/subscriptions/${made.json.id}`);
        return json.status === "active";
      });
      const told = await call(follower, key, "GET", `/api/v1/subscriptions/${made.json.id}`);
      expect(told.json).toEqual((await call(leader, key, "GET", `/api/v1/subscriptions/${made.json.id}`)).json);
      expect(told.json.reasons).toEqual([]);
      expect(told.headers.get("x-request-id")).not.toBeNull();
      expect((await fetch(`${follower.url}/api/v1/subscriptions`)).status).toBe(401);
      expect((await call(follower, key, "GET", "/api/v1/subscriptions?limit=0")).status).toBe(422);
      expect((await call(follower, key, "GET", `/api/v1/market/nothing`)).status).toBe(404);
      const missing = await call(follower, key, "GET", "/api/v1/subscriptions/019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10");
      expect([missing.status, missing.json.code]).toEqual([404, "SUBSCRIPTION_NOT_FOUND"]);
    });

    test("a channel has the same numbers at both, and the other takes over when the leader stops", async () => {
      const { leader, follower, key } = await pair();
      const clients = [await connect(leader, key), await connect(follower, key)];
      for (const { say } of clients) say({ id: 1, op: "subscribe", channels: ["marks/SPX"], snapshot: true });
      const state = (frames: readonly Frame[]) => frames.filter(({ type }) => type === "snapshot").at(-1);
      await until("both have the state", () => clients.every(({ frames }) => state(frames) !== undefined));
      expect(state(clients[1]!.frames)!.data).toEqual(state(clients[0]!.frames)!.data as never);
      expect(state(clients[1]!.frames)!.seq).toBe(state(clients[0]!.frames)!.seq!);
      const reached = state(clients[1]!.frames)!.seq!;
      await leader.stop();
      await until("the other leads", () => leads(follower, key), 10_000);
      await until("its client has the new state", () => (state(clients[1]!.frames)?.seq ?? 0) > reached, 10_000);
      const made = await call(follower, key, "POST", "/api/v1/subscriptions", subscription);
      expect(made.status).toBe(201);
      await until("it follows subscriptions", async () => {
        const { json } = await call(follower, key, "GET", `/api/v1/subscriptions/${made.json.id}`);
        return json.status === "active";
      });
    });

    test("without the bus the market is said to be elsewhere, and it is back with the bus", async () => {
      const { server, leader, follower, key } = await pair();
      await server.kill();
      await until("it is said", async () => (await call(follower, key, "GET", "/api/v1/subscriptions")).status === 503);
      const refused = await call(follower, key, "GET", "/api/v1/subscriptions");
      expect([refused.json.code, refused.json.retryable]).toEqual(["MARKET_ELSEWHERE", true]);
      expect(refused.headers.get("retry-after")).toBe("1");
      expect((await call(leader, key, "GET", "/api/v1/subscriptions")).status).toBe(200);
      const ready = (await (await fetch(`${follower.url}/readiness`)).json()) as { status: string };
      expect(ready.status).not.toBe("failed");
      await server.start();
      await until("it is back", async () => (await call(follower, key, "GET", "/api/v1/subscriptions")).status === 200);
    });
  });
}

test("S4.35 two processes without a bus: the one that does not lead says where the market is", async () => {
  const folder = newFolder();
  const leader = await started(folder, {});
  const follower = await started(folder, {});
  const { key } = leader;
  expect([await leads(leader, key), await leads(follower, key)]).toEqual([true, false]);
  const client = await connect(follower, key);
  client.say({ id: 1, op: "subscribe", channels: ["marks/SPX"], snapshot: true });
  await until("it is answered", () => client.frames.length > 0);
  expect(JSON.stringify(client.frames[0])).toContain("market_bus");
  const made = await call(follower, key, "POST", "/api/v1/subscriptions", subscription);
  expect(made.json.reasons).toEqual(["not_followed_here"]);
});

test("S4.35 a bus without an address stops the start, and says what to set", async () => {
  const failure = await startApp(newFolder(), { BSOPT_MARKET_BUS: "redis" }).catch((error) => error);
  expect(failure).toMatchObject({ code: "MARKET_BUS_UNSET", hint: expect.stringContaining("redis_url") });
});
