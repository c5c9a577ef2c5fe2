// The bus over a real redis-server and a real nats-server: order, isolation, servers that die, come back empty, and freeze.

import { afterEach, describe, expect, test } from "bun:test";
import { natsBusLink } from "../../../src/adapters/nats/bus";
import { redisBusLink } from "../../../src/adapters/redis/bus";
import type { Bus, BusLink } from "../../../src/foundation/bus";
import { systemClock } from "../../../src/foundation/clock";
import { busOn, bytesOf, textOf } from "../../harness/bus";
import { hasNats, NatsServer } from "../../harness/nats";
import { hasRedis, RedisServer } from "../../harness/redis";
import { recordingLog, temporaryFolder, until } from "../../harness/storage";

interface Carrier {
  readonly name: string;
  readonly isThere: boolean;
  start(): Promise<RedisServer | NatsServer>;
  link(server: { url(): string }, self: string, log?: ReturnType<typeof recordingLog>): BusLink;
}

const quick = { clock: systemClock, callMillisecondsMax: 300, lookMilliseconds: 20 };
const carriers: readonly Carrier[] = [
  {
    name: "Redis",
    isThere: hasRedis,
    start: () => RedisServer.start(),
    link: (server, self, log = recordingLog()) => redisBusLink({ url: server.url(), self, log, ...quick }),
  },
  {
    name: "NATS",
    isThere: hasNats,
    start: () => NatsServer.start(temporaryFolder()),
    link: (server, self, log = recordingLog()) => natsBusLink({ url: server.url(), self, log, ...quick }),
  },
];

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

for (const { name, isThere, start, link } of carriers) {
  describe.if(isThere)(`S4.35 a bus over ${name}`, () => {
    async function begin(count: number) {
      const server = await start();
      open.push(() => server.kill());
      const logs = Array.from({ length: count }, recordingLog);
      const buses = logs.map((log, index) => started(link(server, `test-${index}`, log)));
      await until("all are connected", () => buses.every(({ state }) => state === "connected"));
      return { server, buses, logs };
    }
    function started(over: BusLink): Bus {
      const bus = busOn(over);
      for (const agent of bus.agents) agent.start();
      open.push(async () => {
        for (const agent of bus.agents) await agent.stop();
        await bus.close();
      });
      return bus;
    }

    test("keeps a publisher's order over 20,000 messages of every length, and loses none", async () => {
      const { buses } = await begin(2);
      const [one, other] = buses as [Bus, Bus];
      const heard: number[] = [];
      await other.subscribe("ordered", (bytes) => heard.push(Number(textOf(bytes).split(" ", 1)[0]))).ready;
      for (let index = 0; index < 20_000; index++)
        one.publish("ordered", bytesOf(`${index} ${"x".repeat((index * 7919) % 600)}`));
      await until("all came", () => heard.length === 20_000);
      expect(heard.every((value, index) => value === index)).toBe(true);
    });

    test("passes every byte and three megabytes in one message, and answers with as many", async () => {
      const { buses } = await begin(2);
      const [one, other] = buses as [Bus, Bus];
      await one.answer("double", async (bytes) => Buffer.concat([bytes, bytes])).ready;
      const sent = Uint8Array.from({ length: 3 * 1024 * 1024 }, (_, index) => (index * 31) & 255);
      const answer = await other.request("double", sent, 5_000);
      expect(answer.length).toBe(2 * sent.length);
      expect(Buffer.from(answer.subarray(sent.length)).equals(Buffer.from(sent))).toBe(true);
    });

    test("brings a subject to those only who listen to it, until they end", async () => {
      const { buses } = await begin(2);
      const [one, other] = buses as [Bus, Bus];
      const heard: string[] = [];
      const taker = other.subscribe("a.b", (bytes) => heard.push(`a.b ${textOf(bytes)}`));
      const second = other.subscribe("a.c", (bytes) => heard.push(`a.c ${textOf(bytes)}`));
      await Promise.all([taker.ready, second.ready]);
      for (const subject of ["a.b", "a", "a.b.c", "a.c"]) one.publish(subject, bytesOf("1"));
      await until("both came", () => heard.length === 2);
      taker.end();
      one.publish("a.b", bytesOf("2"));
      one.publish("a.c", bytesOf("2"));
      await until("the third came", () => heard.length === 3);
      expect(heard).toEqual(["a.b 1", "a.c 1", "a.c 2"]);
    });

    test("of a server that dies is lost, said so once, refuses meanwhile, and comes back with all that was subscribed", async () => {
      const { server, buses, logs } = await begin(2);
      const [one, other] = buses as [Bus, Bus];
      const heard: string[] = [];
      const states: string[] = [];
      other.onState((state) => states.push(state));
      await other.subscribe("s", (bytes) => heard.push(textOf(bytes))).ready;
      await server.kill();
      await until("both have lost it", () => buses.every(({ state }) => state === "lost"));
      expect(one.publish("s", bytesOf("lost"))).toBe(false);
      expect(await one.request("q", bytesOf(""), 60_000).catch((error) => error.code)).toBe("BUS_UNREACHABLE");
      await expect(one.ping()).rejects.toThrow();
      // What is subscribed while it is away holds as well.
      let isReady = false;
      const late = other.subscribe("late", (bytes) => heard.push(textOf(bytes)));
      void late.ready.then(() => {
        isReady = true;
      });
      await systemClock.sleep(50);
      expect(isReady).toBe(false);
      await server.start();
      await until("both are back", () => buses.every(({ state }) => state === "connected"));
      await late.ready;
      one.publish("s", bytesOf("again"));
      one.publish("late", bytesOf("too"));
      await until("both came", () => heard.length === 2);
      expect(heard).toEqual(["again", "too"]);
      expect(states).toEqual(["lost", "connected"]);
      const warned = logs[0]!.lines.filter(({ level }) => level === "warn");
      expect(warned.length).toBe(1);
      expect(JSON.stringify(logs[0]!.lines)).not.toContain("canary");
    });

    test("of a server that freezes is lost in time and comes back when it thaws", async () => {
      const { server, buses } = await begin(2);
      const [one, other] = buses as [Bus, Bus];
      const heard: string[] = [];
      await other.subscribe("s", (bytes) => heard.push(textOf(bytes))).ready;
      server.freeze();
      await until("both have lost it", () => buses.every(({ state }) => state === "lost"), 5_000);
      expect(one.publish("s", bytesOf("lost"))).toBe(false);
      server.thaw();
      await until("both are back", () => buses.every(({ state }) => state === "connected"));
      one.publish("s", bytesOf("again"));
      await until("it came", () => heard.includes("again"));
    });

    test("that is not there at the start is looked for until it is", async () => {
      const server = await start();
      open.push(() => server.kill());
      await server.kill();
      const bus = started(link(server, "early"));
      await systemClock.sleep(60);
      expect(bus.state).toBe("connecting");
      expect(bus.publish("s", bytesOf("x"))).toBe(false);
      await server.start();
      await until("it is connected", () => bus.state === "connected");
      await bus.ping();
    });

    test("ends at once, whatever its server does, and says nothing more", async () => {
      const { server, buses } = await begin(1);
      server.freeze();
      for (const agent of buses[0]!.agents) await agent.stop();
      await buses[0]!.close();
      expect(buses[0]!.state).toBe("closed");
      server.thaw();
    });
  });
}
