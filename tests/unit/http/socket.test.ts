// The life of a connection, on real sockets and by a clock that the test moves: who is let in and how many, what ends a connection and with
// which code. The authenticator is the test's, so that it can take back what it gave.

import { afterEach, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import type { Permission } from "../../../src/domain/permission";
import type { Authenticator, Principal } from "../../../src/domain/principal";
import { streamingRoutes } from "../../../src/features/streaming";
import { createHub } from "../../../src/features/streaming/stream";
import { ManualClock } from "../../../src/foundation/clock";
import { BsoptError } from "../../../src/foundation/errors";
import { silentLog } from "../../../src/foundation/log";
import { createSockets, type SocketLimits, type SocketRefused } from "../../../src/http/socket";
import { type TestServer, testServer } from "../../harness/http";
import { RawConnection, rawRequest } from "../../harness/http-socket";
import { StreamClient } from "../../harness/stream-client";

interface Person {
  permissions: Permission[];
  userId: string;
  expiresAt?: bigint;
  isOver?: boolean;
  isAway?: boolean;
}

interface House {
  readonly server: TestServer;
  readonly hub: ReturnType<typeof createHub>;
  readonly clock: ManualClock;
  readonly sockets: ReturnType<typeof createSockets>;
  /** By key: `bso_<name>`. */
  readonly people: Record<string, Person>;
  readonly refused: SocketRefused[];
  readonly url: string;
  readonly port: number;
  open(name: string): Promise<StreamClient>;
  /** The status of a handshake that is refused. */
  refusal(name: string): Promise<{ status: number; code: string; retryAfter: string | null }>;
  /** Moves the clock on, second by second, and lets each look end. */
  pass(seconds: number): Promise<void>;
}

const houses: House[] = [];
afterEach(async () => {
  for (const each of houses.splice(0)) {
    const stopping = each.sockets.agent.stop();
    each.clock.advance(1);
    await stopping;
    const closing = each.server.close();
    for (let count = 0; count < 10; count++) {
      each.clock.advance(10_000);
      await Bun.sleep(0);
    }
    await closing;
  }
});

function house(options: { limits?: Partial<SocketLimits>; isAsync?: boolean } = {}): House {
  const clock = new ManualClock();
  const people: Record<string, Person> = {
    ada: { userId: "ada", permissions: ["stream:read", "market:read"] },
    bob: { userId: "bob", permissions: ["stream:read"] },
    eve: { userId: "eve", permissions: ["market:read"] },
  };
  const principalOf = (name: string): Principal => {
    const person = people[name];
    if (person === undefined || person.isOver) {
      throw new BsoptError({ reason: "unauthenticated", code: "API_KEY_INVALID", detail: "No." });
    }
    return {
      userId: person.userId,
      role: "viewer",
      permissions: new Set(person.permissions),
      credential: { kind: "api_key", id: name },
      rateClass: "unlimited",
      ...(person.expiresAt !== undefined && { expiresAt: person.expiresAt }),
    };
  };
  const authenticator: Authenticator = {
    authenticate: ({ apiKey = "" }) => principalOf(apiKey.slice(4)),
    stillHolds({ credential }) {
      if (people[credential.id]?.isAway) {
        throw new BsoptError({ reason: "unavailable", code: "DATABASE_AWAY", detail: "Later." });
      }
      if (!options.isAsync) return principalOf(credential.id).permissions;
      return Promise.resolve().then(() => principalOf(credential.id).permissions);
    },
  };
  const hub = createHub({ clock, log: silentLog, limits: { bufferBytesMax: 65_536, slowMillisecondsMax: 10_000 } });
  for (const [name, permission] of [
    ["ticks", "market:read"],
    ["news", "stream:read"],
  ] as const) {
    hub.open({
      name,
      permission,
      channelOf: (parts) => ({ channel: [name, ...parts].join("/") }),
      snapshot: () => null,
      wanted: () => undefined,
      unwanted: () => undefined,
    });
  }
  const refused: SocketRefused[] = [];
  const limits = {
    messageBytesMax: 65_536,
    messagesPerSecond: 50,
    channelsPerConnectionMax: 5,
    connectionsMax: 100,
    connectionsPerUserMax: 100,
    connectionsPerAddressMax: 100,
    ...options.limits,
  };
  const sockets = createSockets({
    ...{ hub, authenticator, limits, clock, log: silentLog },
    corsOrigins: () => ["https://desk.example"],
    traceId: () => "0".repeat(32),
    onRefused: (each) => refused.push(each),
  });
  const absent = { issue: () => Promise.reject(new Error("no tickets here")) };
  const server = testServer({
    features: [streamingRoutes({ tickets: absent, principalOf: () => principalOf("ada") })],
    ...{ authenticator, sockets, clock },
  });
  const { url, port } = server.listen();
  sockets.agent.start();
  const made: House = {
    ...{ server, hub, clock, sockets, people, refused, url, port },
    open: (name) => StreamClient.open(url, { headers: { "x-api-key": `bso_${name}` } }),
    async refusal(name) {
      const answer = await rawRequest(port, handshake(port, [`X-API-Key: bso_${name}`]));
      const { code } = JSON.parse(answer.body) as { code: string };
      return { status: answer.status, code, retryAfter: answer.headers.get("retry-after") };
    },
    async pass(seconds) {
      for (let second = 0; second < seconds; second++) {
        clock.advance(1_000);
        for (let turn = 0; turn < 20; turn++) await Promise.resolve();
        await Bun.sleep(0);
      }
    },
  };
  houses.push(made);
  return made;
}

function handshake(port: number, headers: readonly string[]): string {
  const lines = [
    "GET /api/v1/ws HTTP/1.1",
    `Host: 127.0.0.1:${port}`,
    "Upgrade: websocket",
    "Connection: keep-alive, Upgrade",
  ];
  return [
    ...lines,
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
    "\r\n",
  ].join("\r\n");
}

const until = async (isSo: () => boolean) => {
  while (!isSo()) await Bun.sleep(0);
};

test("S4.41 a credential without stream:read is 403 at the handshake", async () => {
  expect(await house().refusal("eve")).toMatchObject({ status: 403, code: "PERMISSION_MISSING" });
});

test.each([
  [
    "without Upgrade",
    ["Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
    426,
  ],
  [
    "without Connection",
    ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
    426,
  ],
  [
    "of version 8",
    [
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 8",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ],
    426,
  ],
  ["without a key", ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"], 400],
  [
    "with a key that is not 16 bytes",
    ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: c2hvcnQ="],
    400,
  ],
  [
    "from another origin",
    [
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Origin: null",
    ],
    403,
  ],
  [
    "from an origin of the list",
    [
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Origin: https://desk.example",
    ],
    101,
  ],
  [
    "with a repeated parameter",
    [
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ],
    422,
  ],
] as const)("a handshake %s is %#", async (name, headers, status) => {
  const { port } = house();
  const query = name.includes("parameter") ? "?more=1" : "";
  const head = [`GET /api/v1/ws${query} HTTP/1.1`, `Host: 127.0.0.1:${port}`, "X-API-Key: bso_ada", ...headers, "\r\n"];
  expect((await rawRequest(port, head.join("\r\n"))).status).toBe(status);
});

test.each([
  ["connectionsPerUserMax", 429, "bob", 101],
  ["connectionsPerAddressMax", 429, "bob", 429],
  ["connectionsMax", 503, "bob", 503],
] as const)(
  "S4.42 S4.45 past %s a handshake is %i, until one of them has gone",
  async (limit, status, other, others) => {
    const { open, refusal, sockets } = house({ limits: { [limit]: 2 } });
    const clients = [await open("ada"), await open("ada")];
    expect(await refusal("ada")).toEqual({ status, code: "TOO_MANY_CONNECTIONS", retryAfter: "5" });
    if (others === 101) await (await open(other)).close();
    else expect((await refusal(other)).status).toBe(others);
    await clients[0]!.close();
    await until(() => sockets.statistics().connections === 1);
    await (await open("ada")).close();
  },
);

test("S4.45 past the channels that a connection may listen to nothing of the message is joined; what it has counts once", async () => {
  const { open, hub } = house();
  const client = await open("ada");
  expect((await client.ask("subscribe", { channels: ["ticks/A", "ticks/B", "ticks/C", "ticks/A"] })).ok).toBe(true);
  const answer = await client.ask("subscribe", { channels: ["ticks/D", "ticks/E", "ticks/F"] });
  expect(answer.error).toMatchObject({ status: 422, code: "TOO_MANY_CHANNELS" });
  expect(hub.statistics().subscriptions).toBe(3);
  expect((await client.ask("subscribe", { channels: ["ticks/A", "ticks/D", "ticks/E"] })).ok).toBe(true);
});

test("a channel that the credential does not allow is answered 403 and closes the connection with 4003", async () => {
  const { open, refused } = house();
  const client = await open("bob");
  client.send({ id: "x", op: "subscribe", channels: ["news/a", "ticks/A"] });
  expect(await client.next()).toMatchObject({ id: "x", error: { status: 403, code: "PERMISSION_MISSING" } });
  expect(await client.closed()).toEqual({ code: 4003, reason: "forbidden" });
  expect(refused).toMatchObject([{ kind: "forbidden", op: "subscribe", principal: { userId: "bob" } }]);
});

test("S4.42 WSS-002 a connection ends with 4001 when its credential does, unless a fresh one was shown", async () => {
  const { open, people, clock, pass } = house();
  const soon = clock.nowMicroseconds() + 5_000_000n;
  people.ada!.expiresAt = soon;
  const [one, other] = [await open("ada"), await open("ada")];
  people.fresh = { userId: "ada", permissions: ["stream:read", "market:read"], expiresAt: soon + 600_000_000n };
  expect(await other.ask("auth", { token: "bso_fresh" })).toMatchObject({ ok: true });
  await pass(6);
  expect(await one.closed()).toEqual({ code: 4001, reason: "authentication expired" });
  expect((await other.ask("ping")).ok).toBe(true);
});

test("auth with another user's credential, with less than is listened to, or with none of ours is refused and changes nothing", async () => {
  const { open, people } = house();
  people.less = { userId: "ada", permissions: ["stream:read"] };
  const client = await open("ada");
  await client.ask("subscribe", { channels: ["ticks/A"] });
  for (const [token, status, code] of [
    ["bso_bob", 403, "ANOTHER_USER"],
    ["bso_less", 403, "PERMISSION_MISSING"],
    ["bso_nobody", 401, "API_KEY_INVALID"],
  ] as const) {
    expect((await client.ask("auth", { token })).error).toMatchObject({ status, code });
  }
  expect((await client.ask("ping")).ok).toBe(true);
});

test.each([false, true])(
  "what was revoked is closed within five seconds with 4001, what nobody can tell now stays (async: %p)",
  async (isAsync) => {
    const { open, people, pass } = house({ isAsync });
    const [ada, bob] = [await open("ada"), await open("bob")];
    people.bob!.isAway = true;
    people.ada!.isOver = true;
    await pass(4);
    expect((await ada.closed()).code).toBe(4001);
    expect((await bob.ask("ping")).ok).toBe(true);
  },
);

test("whoever may do less than the channels ask for is told so and closed within five seconds with 4003", async () => {
  const { open, people, pass } = house();
  const [listening, idle] = [await open("ada"), await open("ada")];
  await listening.ask("subscribe", { channels: ["ticks/A"] });
  people.ada!.permissions = ["stream:read"];
  await pass(4);
  expect((await listening.next(({ error }) => error !== undefined)).error).toMatchObject({
    code: "PERMISSION_MISSING",
  });
  expect((await listening.closed()).code).toBe(4003);
  expect((await idle.ask("ping")).ok).toBe(true);
});

test("S4.43 the messages that may come at once come back with time, and pings count as messages", async () => {
  const { open, pass, port, sockets } = house({ limits: { messagesPerSecond: 2 } });
  const client = await open("ada");
  for (let round = 0; round < 3; round++) {
    for (let count = 0; count < 4; count++) expect((await client.ask("ping")).ok).toBe(true);
    await pass(2);
  }
  const raw = new RawConnection(port);
  raw.send(handshake(port, ["X-API-Key: bso_bob"]));
  await raw.answer();
  for (let count = 0; count < 5; count++) raw.send(new Uint8Array([0x89, 0x80, 1, 2, 3, 4]));
  await raw.closed();
  expect(Buffer.from(raw.rest, "latin1").includes(Buffer.from([0x0f, 0xa8]))).toBe(true);
  expect(sockets.statistics().closed.rate).toBe(1);
});

test("S4.40 a client that answers no ping is cut after two, one that does stays", async () => {
  const { open, pass, port, sockets } = house();
  const client = await open("ada");
  const raw = new RawConnection(port);
  raw.send(handshake(port, ["X-API-Key: bso_bob"]));
  await raw.answer();
  for (let second = 0; second < 50; second++) {
    await pass(1);
    if (second % 15 === 14) expect((await client.ask("ping")).ok).toBe(true);
  }
  await raw.closed();
  expect(Buffer.from(raw.rest, "latin1")).toEqual(Buffer.from([0x89, 0, 0x89, 0]));
  expect(sockets.statistics()).toMatchObject({ connections: 1, closed: { silent: 1 } });
});

test("S1.14 S4.40 many subscribers share each frame; one that leaves or drops takes nothing from the others", async () => {
  const { open, hub, clock, sockets } = house();
  const clients = await Promise.all(Array.from({ length: 20 }, () => open("ada")));
  for (const client of clients) await client.ask("subscribe", { channels: ["ticks/A"] });
  clients[0]!.socket.terminate();
  await clients[1]!.close();
  await until(() => sockets.statistics().connections === 18);
  hub.publish("ticks/A", "delta", "1", clock.nowMicroseconds());
  const seqs = new Set<number>();
  for (const client of clients.slice(2)) seqs.add((await client.next(({ type }) => type === "delta")).seq);
  expect(seqs.size).toBe(1);
  expect(hub.statistics()).toMatchObject({ subscriptions: 18, channels: 1 });
});

test("an op of a feature's is answered when it is done, refused without its permission, and limited in number", async () => {
  const { open, hub } = house();
  let finish: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  hub.answer({
    op: "quotes",
    permission: "market:read",
    message: Type.Object(
      { id: Type.Optional(Type.Integer()), op: Type.Literal("quotes"), count: Type.Integer({ maximum: 9 }) },
      { additionalProperties: false },
    ),
    async run(message, { userId }) {
      await gate;
      return { accepted: (message as { count: number }).count, by: userId };
    },
  });
  const client = await open("ada");
  expect((await client.ask("quotes", { count: 10 })).error.errors[0].pointer).toBe("/count");
  const asked = Array.from({ length: 8 }, (_, count) => client.ask("quotes", { count }));
  expect((await client.ask("quotes", { count: 8 })).error).toMatchObject({ status: 503, code: "TOO_MANY_OPERATIONS" });
  finish();
  expect((await Promise.all(asked)).map(({ accepted, by }) => [accepted, by])).toEqual(
    [0, 1, 2, 3, 4, 5, 6, 7].map((count) => [count, "ada"]),
  );
  const bob = await open("bob");
  expect((await bob.ask("quotes", { count: 1 })).error.code).toBe("PERMISSION_MISSING");
  expect((await bob.closed()).code).toBe(4003);
});

test("a server that stops tells every client to go with 1001, in waves, and lets nobody in", async () => {
  const { open, sockets, clock, refusal } = house();
  const clients = await Promise.all(Array.from({ length: 30 }, () => open("ada")));
  const drained = sockets.drain(10_000);
  const gone = () => clients.filter(({ closedWith }) => closedWith !== null).length;
  await until(() => gone() === 3);
  expect(await refusal("bob")).toEqual({ status: 503, code: "DRAINING", retryAfter: "5" });
  for (let wave = 2; wave <= 10; wave++) {
    clock.advance(1_000);
    await until(() => gone() === wave * 3);
  }
  await drained;
  for (const client of clients) expect(await client.closed()).toEqual({ code: 1001, reason: "draining" });
  expect(sockets.statistics().closed.draining).toBe(30);
});
