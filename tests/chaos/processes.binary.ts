// Servers that are killed, stopped and replaced while clients ask them: the executable from outside. How much of it is the
// environment's to say (build/chaos.ts); continuous integration does less than a person who wants to know.

import { afterAll, describe, expect, test } from "bun:test";
import { createClient } from "@libsql/client/sqlite3";
import { seededRandom } from "../../src/foundation/random";
import { Installation, readJson, type Serving } from "../harness/executable";
import { steadyLoad } from "../harness/steady-load";
import { until } from "../harness/storage";

const killCount = Number(process.env.BSOPT_TEST_KILLS ?? 50);
const seed = BigInt(process.env.BSOPT_TEST_SEED ?? Date.now());
const readyMillisecondsMax = 1000;
const writerCount = 8;

const installations: Installation[] = [];
function installation(): Installation {
  const made = new Installation();
  installations.push(made);
  return made;
}
afterAll(() => {
  for (const made of installations) made.remove();
});

describe("S5.19 kill -9 under writes over HTTP", () => {
  test(`${killCount} kills at seeded moments (seed ${seed}): what was acknowledged is there once, what is asked again is not doubled`, async () => {
    const random = seededRandom(seed);
    const here = installation();
    let acknowledgedCount = 0;
    let slowestMilliseconds = 0;
    let names: string[] = [];
    const make = (serving: Serving, name: string) =>
      fetch(`${serving.url}/api/v1/api-keys`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-api-key": serving.key(), "idempotency-key": name },
        body: JSON.stringify({ name, scopes: ["pricing:read"] }),
      });
    for (let round = 0; round < killCount; round++) {
      const serving = await here.serve();
      const acknowledged = new Set<string>();
      const asked: string[] = [];
      let next = 0;
      let isOver = false;
      const writers = Array.from({ length: writerCount }, async () => {
        // A user may hold a thousand keys; a round stays well below.
        while (!isOver && next < 600) {
          const name = `round-${round}-${next++}`;
          asked.push(name);
          const answer = await make(serving, name).catch(() => null);
          if (answer?.status === 201 && (await answer.text().catch(() => null)) !== null) acknowledged.add(name);
        }
      });
      const enough = Math.floor(random.unit() * 200);
      await until("so many were acknowledged", () => acknowledged.size >= enough);
      await serving.kill();
      isOver = true;
      await Promise.all(writers);
      acknowledgedCount += acknowledged.size;

      const startedAt = performance.now();
      const again = await here.serve();
      while ((await fetch(`${again.url}/readiness`)).status !== 200);
      slowestMilliseconds = Math.max(slowestMilliseconds, performance.now() - startedAt);
      // A client that heard nothing asks again with the same key.
      const unheard = asked.filter((name) => !acknowledged.has(name));
      for (const name of unheard) expect([name, (await make(again, name)).status]).toEqual([name, 201]);
      expect(await again.stop()).toBe(0);

      const database = createClient({ url: `file:${here.path("bsopt-data", "bsopt.db")}`, intMode: "bigint" });
      const rows = await database.execute("SELECT name FROM api_keys WHERE name LIKE 'round-%' ORDER BY name");
      names = rows.rows.map((row) => String(row[0]));
      expect(names).toEqual([...asked].sort());
      expect(String((await database.execute("PRAGMA integrity_check")).rows[0]?.[0])).toBe("ok");
      // Else the next rounds would come to the limit of keys a user may hold.
      await database.batch(["DELETE FROM api_keys WHERE name LIKE 'round-%'"], "write");
      database.close();
    }
    process.stdout.write(
      `kill -9: ${killCount} kills, ${acknowledgedCount} keys acknowledged, ready again within ${slowestMilliseconds.toFixed(0)} ms at most\n`,
    );
    expect(acknowledgedCount).toBeGreaterThan(killCount);
    expect(slowestMilliseconds).toBeLessThan(readyMillisecondsMax);
  }, 3_600_000);
});

describe("S3.14 two processes on one port", () => {
  test("a rolling restart of both under load fails no request", async () => {
    const here = installation();
    const serving = await here.serve({ args: ["--processes", "2"] });
    const port = Number(new URL(serving.url).port);
    const head = `GET /api/v1/pricing/models HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${serving.key()}\r\n\r\n`;
    expect((await readJson(fetch(`${serving.url}/health`))).status).toBe("ok");
    const load = steadyLoad(port, head, 32);
    const begunAt = performance.now();
    await until("they answer", () => load.answeredCount > 500);
    process.kill(serving.pid, "SIGUSR2");
    await until("both were replaced", () => serving.said().includes('"replaced the server processes"'), 30_000);
    const answered = load.answeredCount;
    await until("the new ones answer", () => load.answeredCount > answered + 500);
    const rate = load.answeredCount / ((performance.now() - begunAt) / 1000);
    await load.stop();
    process.stdout.write(
      `rolling restart: ${load.answeredCount} requests at ${rate.toFixed(0)}/s, ${load.failures.length} failed\n`,
    );
    expect(load.failures).toEqual([]);
    expect(await serving.stop()).toBe(0);
  }, 120_000);

  test("one that is killed is started again, and the port answers all the time", async () => {
    const here = installation();
    const serving = await here.serve({ args: ["--processes", "2"] });
    const children = () =>
      (
        Bun.spawnSync(["ps", "-o", "pid=", "--ppid", String(serving.pid)])
          .stdout.toString()
          .match(/\d+/g) ?? []
      ).map(Number);
    const before = children();
    expect(before).toHaveLength(2);
    process.kill(before[0]!, "SIGKILL");
    await until("another was started", () => {
      const now = children();
      return now.length === 2 && !now.includes(before[0]!);
    });
    expect((await fetch(`${serving.url}/health`)).status).toBe(200);
    expect(serving.said()).toContain("a server process ended; starting another");
    expect(await serving.stop()).toBe(0);
  }, 60_000);
});
