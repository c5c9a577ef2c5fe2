// Buckets in a real Redis: exact over processes, the same decisions as in memory, and what holds while it is killed,
// frozen, full of something else, or not there at all.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { RedisClient } from "bun";
import {
  createRedisBucketStore,
  type RedisBucketStore,
  type RedisBucketStoreOptions,
} from "../../../../src/adapters/redis/bucket-store";
import { type Clock, systemClock } from "../../../../src/foundation/clock";
import type { Log } from "../../../../src/foundation/log";
import { type BucketPolicy, MemoryBucketStore } from "../../../../src/foundation/token-bucket";
import { hasRedis, RedisServer } from "../../../harness/redis";

// A pace so slow that no test sees a token come back.
const policy: BucketPolicy = { name: "test", perMinute: 1, burst: 5 };

/** What a child process prints (tests/harness/redis-child.ts). */
interface ChildCount {
  readonly taken: number;
  readonly asked: number;
  readonly firstMicroseconds: number;
  readonly lastMicroseconds: number;
}

let server: RedisServer;
const stores: RedisBucketStore[] = [];

async function opened(
  options: Partial<RedisBucketStoreOptions> = {},
): Promise<{ store: RedisBucketStore; lines: string[] }> {
  const lines: string[] = [];
  const note = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const store = createRedisBucketStore({
    url: server.url(),
    clock: systemClock,
    log,
    local: new MemoryBucketStore({ clock: systemClock }),
    checkMilliseconds: 10,
    ...options,
  });
  stores.push(store);
  await store.open();
  return { store, lines };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await systemClock.sleep(1);
}

/** A fresh bucket for each test. */
let keyCount = 0;
const freshKey = () => `key-${++keyCount}`;

async function codeOf(act: () => unknown): Promise<unknown> {
  try {
    await act();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return null;
}

describe.skipIf(!hasRedis)("S2.31 buckets in Redis", () => {
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(async () => {
    for (const store of stores) {
      store.close();
      await store.agent.stop();
    }
    await server.kill();
  });

  test("decide as those in memory do", async () => {
    const { store } = await opened();
    const memory = new MemoryBucketStore({ clock: systemClock });
    const key = freshKey();
    for (let i = 0; i < 7; i++) {
      expect(await store.peek(key, policy)).toEqual(memory.peek(key, policy));
      expect(await store.take(key, policy)).toEqual(memory.take(key, policy));
    }
    await store.forget(key, policy);
    memory.forget(key, policy);
    expect(await store.take(key, policy)).toEqual(memory.take(key, policy));
  });

  test("give tokens back by the server's time, to the microsecond's worth", async () => {
    const { store } = await opened();
    // 16.7 tokens a millisecond: whatever the waits are, what came back is what the server's time says.
    const fast: BucketPolicy = { name: "fast", perMinute: 1_000_000, burst: 1_000 };
    const key = freshKey();
    const client = new RedisClient(server.url());
    const time = async () => {
      const [seconds, micros] = (await client.send("TIME", [])) as [string, string];
      return Number(seconds) * 1e6 + Number(micros);
    };
    const begun = await time();
    let taken = 0;
    while (taken < 5_000) {
      const wants = Array.from({ length: 8 }, () => ({ key, policy: fast }));
      const decisions = await Promise.all(wants.map((want) => store.take(want.key, want.policy)));
      taken += decisions.filter(({ allowed }) => allowed).length;
    }
    const elapsedMicroseconds = (await time()) - begun;
    client.close();
    expect(taken).toBeLessThanOrEqual(1_000 + (elapsedMicroseconds * 1_000_000) / 60e6);
  });

  test("take of all or of none", async () => {
    const { store } = await opened();
    const wide: BucketPolicy = { name: "wide", perMinute: 1, burst: 100 };
    const wants = [
      { key: freshKey(), policy: wide },
      { key: freshKey(), policy },
    ];
    for (let i = 0; i < 5; i++)
      expect((await store.takeAll(wants)).map(({ allowed }) => allowed)).toEqual([true, true]);
    expect((await store.takeAll(wants)).map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
      [true, 95],
      [false, 0],
    ]);
    expect((await store.peek(wants[0]!.key, wide)).remaining).toBe(95);
  });

  test("S4.72 stand in the database that the URL names, and go by themselves", async () => {
    const { store } = await opened({ url: server.url(5) });
    const key = freshKey();
    const short: BucketPolicy = { name: "short", perMinute: 60_000, burst: 10 };
    await store.take(key, policy);
    await store.take(key, short);
    const [five, none] = [new RedisClient(server.url(5)), new RedisClient(server.url(0))];
    expect(await five.send("EXISTS", [`bsopt:bucket:test:${key}`])).toBe(1);
    expect(await none.send("EXISTS", [`bsopt:bucket:test:${key}`])).toBe(0);
    expect(Number(await five.send("PTTL", [`bsopt:bucket:test:${key}`]))).toBeGreaterThan(50_000);
    while ((await five.send("EXISTS", [`bsopt:bucket:short:${key}`])) === 1) await systemClock.sleep(1);
    for (const client of [five, none]) client.close();
  });

  test("take a value that is not theirs for a full bucket", async () => {
    const { store } = await opened();
    const key = freshKey();
    const client = new RedisClient(server.url());
    await client.send("SET", [`bsopt:bucket:test:${key}`, "-1:x"]);
    expect(await store.take(key, policy)).toMatchObject({ allowed: true, remaining: 4 });
    client.close();
  });

  test("are not filled by a server whose time steps back", async () => {
    const { store } = await opened();
    const key = freshKey();
    const client = new RedisClient(server.url());
    // Empty, as of an hour from now.
    const later = Math.floor(Date.now() / 1000 + 3600) * 1e6;
    await client.send("SET", [`bsopt:bucket:test:${key}`, `${5 * 60_000_000}:${later}`]);
    expect(await store.take(key, policy)).toMatchObject({ allowed: false, remaining: 0 });
    // With one token left it is taken, and the later moment stays: pay begins again when the time has caught up.
    await client.send("SET", [`bsopt:bucket:test:${key}`, `${4 * 60_000_000}:${later}`]);
    expect(await store.take(key, policy)).toMatchObject({ allowed: true, remaining: 0 });
    expect(await client.send("GET", [`bsopt:bucket:test:${key}`])).toBe(`${5 * 60_000_000}:${later}`);
    client.close();
  });

  test("exact to 1 % while six processes take from one bucket as fast as they can", async () => {
    const [perMinute, burst, milliseconds] = [30_000, 500, 2_000];
    const child = join(import.meta.dir, "../../../harness/redis-child.ts");
    const children = Array.from({ length: 6 }, () =>
      Bun.spawn([process.execPath, child, server.url(1), String(perMinute), String(burst), String(milliseconds)], {
        stdin: "pipe",
        stdout: "pipe",
        stderr: "inherit",
      }),
    );
    const readers = children.map(({ stdout }) => stdout.getReader());
    const decoder = new TextDecoder();
    for (const reader of readers) expect(decoder.decode((await reader.read()).value)).toBe("ready\n");
    const begun = systemClock.nowMicroseconds();
    for (const { stdin } of children) {
      stdin.write("go\n");
      stdin.flush();
    }
    const counts = await Promise.all(
      readers.map(async (reader) => JSON.parse(decoder.decode((await reader.read()).value)) as ChildCount),
    );
    const ended = systemClock.nowMicroseconds();
    const sum = (each: (count: ChildCount) => number) => counts.map(each).reduce((one, other) => one + other);
    const [taken, asked] = [sum((count) => count.taken), sum((count) => count.asked)];
    const due = (from: number, to: number) => burst + ((to - from) * perMinute) / 60e6;
    const dueMax = due(Number(begun), Number(ended));
    // From the first act of any to the last of any there was somebody asking.
    const dueMin = due(
      Math.min(...counts.map((count) => count.firstMicroseconds)),
      Math.max(...counts.map((count) => count.lastMicroseconds)),
    );
    const text = `${taken} of ${asked} asked, ${dueMin.toFixed(1)} to ${dueMax.toFixed(1)} due`;
    process.stderr.write(`${text}\n`);
    // Demand must have been there all the time, else it proves nothing.
    expect([text, asked > 2 * dueMax]).toEqual([text, true]);
    expect([text, taken <= 1.01 * dueMax]).toEqual([text, true]);
    expect([text, taken >= 0.99 * dueMin]).toEqual([text, true]);
    await Promise.all(children.map(({ exited }) => exited));
  }, 30_000);

  describe("while Redis is lost", () => {
    test("each process counts by itself, says so once, and comes back by itself", async () => {
      const own = await RedisServer.start();
      const { store, lines } = await opened({ url: own.url() });
      store.agent.start();
      expect(await store.take("k", policy)).toMatchObject({ allowed: true, remaining: 4 });
      await own.kill();
      for (let remaining = 4; remaining >= 0; remaining--) {
        expect(await store.take("k", policy)).toMatchObject({ allowed: true, remaining });
      }
      expect((await store.take("k", policy)).allowed).toBe(false);
      expect(store.isLost).toBe(true);
      expect(store.ping()).rejects.toThrow("out of reach");
      await own.start();
      await until(() => !store.isLost);
      await store.ping();
      // The server came back empty: its bucket is full, whatever was counted here meanwhile.
      expect(await store.take("k", policy)).toMatchObject({ allowed: true, remaining: 4 });
      expect(lines.map((line) => line.split(" {")[0])).toEqual([
        "limits are counted in Redis",
        "Redis is out of reach: until it is back, each process counts by itself",
        "limits are counted in Redis",
      ]);
      await store.agent.stop();
      await own.kill();
    }, 30_000);

    test("a frozen one costs the calls under way their time, and later ones nothing", async () => {
      const own = await RedisServer.start();
      let waitCount = 0;
      const clock: Clock = {
        ...systemClock,
        sleep: (...args) => {
          waitCount += 1;
          return systemClock.sleep(...args);
        },
      };
      const { store } = await opened({ url: own.url(), timeoutMilliseconds: 50, clock });
      await store.take("k", policy);
      own.freeze();
      const under = await Promise.all(Array.from({ length: 20 }, () => store.take("k", policy)));
      expect(under.filter(({ allowed }) => allowed)).toHaveLength(5);
      expect(store.isLost).toBe(true);
      const waitCountBefore = waitCount;
      for (let i = 0; i < 100; i++) expect((await store.take("k", policy)).allowed).toBe(false);
      expect(waitCount).toBe(waitCountBefore);
      own.thaw();
      store.agent.start();
      await until(() => !store.isLost);
      // What it was asked before it froze it has done since.
      expect((await store.peek("k", policy)).allowed).toBe(false);
      expect((await store.take("other", policy)).remaining).toBe(4);
      await store.agent.stop();
      await own.kill();
    }, 60_000);

    test("closed refuses what would be counted, with a time to retry", async () => {
      const own = await RedisServer.start();
      const { store, lines } = await opened({ url: own.url(), local: null });
      expect((await store.take("k", policy)).allowed).toBe(true);
      await own.kill();
      for (const act of [
        () => store.take("k", policy),
        () => store.takeAll([{ key: "k", policy }]),
        () => store.peek("k", policy),
        () => store.forget("k", policy),
      ]) {
        expect(await codeOf(act)).toBe("LIMITS_UNAVAILABLE");
      }
      expect(lines.at(-1)).toContain("what they count is refused");
    });

    test("it may be so from the start: nothing is thrown, nothing waits, no password is logged", async () => {
      const own = await RedisServer.start();
      await own.kill();
      const url = `redis://someone:hunter2@127.0.0.1:${own.port}/0`;
      const { store, lines } = await opened({ url });
      expect(store.isLost).toBe(true);
      expect((await store.take("k", policy)).remaining).toBe(4);
      await store.open();
      expect(lines).toHaveLength(1);
      expect(lines.join()).not.toContain("hunter2");
    });

    test("a server that answers and does not write is lost", async () => {
      const own = await RedisServer.start();
      const client = new RedisClient(own.url());
      const { store } = await opened({ url: own.url() });
      await client.send("CONFIG", ["SET", "min-replicas-to-write", "1"]);
      expect((await store.take("k", policy)).remaining).toBe(4);
      expect(store.isLost).toBe(true);
      await store.open();
      expect(store.isLost).toBe(true);
      await client.send("CONFIG", ["SET", "min-replicas-to-write", "0"]);
      await store.open();
      expect(store.isLost).toBe(false);
      client.close();
      await own.kill();
    });

    test("a server that forgot the script is found again", async () => {
      const own = await RedisServer.start();
      const { store } = await opened({ url: own.url() });
      const client = new RedisClient(own.url());
      await client.send("SCRIPT", ["FLUSH"]);
      expect((await store.take("k", policy)).allowed).toBe(true);
      await store.open();
      expect(store.isLost).toBe(false);
      client.close();
      await own.kill();
    });
  });
});
