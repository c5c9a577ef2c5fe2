// Servers that are killed, stopped and replaced while clients ask them: the executable from outside. How much of it is the
// environment's to say (build/chaos.ts); continuous integration does less than a person who wants to know.

import { afterAll, describe, expect, test } from "bun:test";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createClient } from "@libsql/client/sqlite3";
import { flood } from "../../bench/flood";
import { systemClock } from "../../src/foundation/clock";
import { seededRandom } from "../../src/foundation/random";
import { Installation, readJson, type Serving } from "../harness/executable";
import { until } from "../harness/storage";

const killCount = Number(process.env.BSOPT_TEST_KILLS ?? 50);
const seed = BigInt(process.env.BSOPT_TEST_SEED ?? Date.now());
const readyMillisecondsMax = 1000;
const writerCount = 8;
const rollSeconds = 8;

/** Whether Linux hands connections of a closing socket to the others on its port; switched on for a while where that is permitted. */
function handingOn(): { readonly isOn: boolean; restore(): void } {
  const path = "/proc/sys/net/ipv4/tcp_migrate_req";
  const read = () => (existsSync(path) ? readFileSync(path, "utf8").trim() : "");
  const before = read();
  try {
    if (before === "0") writeFileSync(path, "1");
  } catch {
    // Not ours to change.
  }
  return {
    isOn: read() === "1",
    restore() {
      if (read() !== before) writeFileSync(path, before);
    },
  };
}

const installations: Installation[] = [];
function installation(): Installation {
  const made = new Installation();
  installations.push(made);
  return made;
}
afterAll(() => {
  for (const made of installations) made.remove();
});

/** The servers of a parent. */
function childrenOf(pid: number): number[] {
  const { stdout } = Bun.spawnSync(["ps", "-o", "pid=", "--ppid", String(pid)]);
  return (stdout.toString().match(/\d+/g) ?? []).map(Number);
}

/** What a client knows of one key it asked for. */
interface Asked {
  readonly name: string;
  /** From the answer; null where none came. */
  id: string | null;
  /** The answer to its revocation came, or its outcome is unknown. */
  revoked: "no" | "asked" | "yes";
}

describe("S5.19 S5.02 kill -9 under writes over HTTP", () => {
  test(`${killCount} kills at seeded moments (seed ${seed}): what was acknowledged is there once and whole, what is asked again is not doubled`, async () => {
    const random = seededRandom(seed);
    const here = installation();
    let acknowledgedCount = 0;
    let killedAgainCount = 0;
    const readyMilliseconds: number[] = [];
    const heads = here.path("heads");
    const request = (serving: Serving, method: string, path: string, name: string, body?: object) =>
      fetch(`${serving.url}/api/v1/api-keys${path}`, {
        method,
        headers: { "content-type": "application/json", "x-api-key": serving.key(), "idempotency-key": name },
        ...(body && { body: JSON.stringify(body) }),
      });
    const make = (serving: Serving, name: string) =>
      request(serving, "POST", "", name, { name, scopes: ["pricing:read"] });

    for (let round = 0; round < killCount; round++) {
      const serving = await here.serve();
      const asked: Asked[] = [];
      let isOver = false;
      const writers = Array.from({ length: writerCount }, async () => {
        // A user may hold a thousand keys; a round stays well below.
        while (!isOver && asked.length < 600) {
          const one: Asked = { name: `round-${round}-${asked.length}`, id: null, revoked: "no" };
          asked.push(one);
          const answer = await make(serving, one.name).catch(() => null);
          if (answer?.status !== 201) continue;
          one.id = (await readJson(answer).catch(() => null))?.id ?? null;
          if (one.id === null || asked.length % 4 !== 0) continue;
          one.revoked = "asked";
          const revocation = await request(serving, "DELETE", `/${one.id}`, one.name).catch(() => null);
          if (revocation?.status === 204) one.revoked = "yes";
        }
      });
      const enough = Math.floor(random.unit() * 200);
      const acknowledged = () => asked.filter(({ id }) => id !== null);
      await until("so many were acknowledged", () => acknowledged().length >= enough);
      await serving.kill();
      isOver = true;
      await Promise.all(writers);
      acknowledgedCount += acknowledged().length;
      // What the log told of the chain's end must still be in the chain.
      appendFileSync(heads, serving.said());

      if (round % 3 === 2) {
        killedAgainCount += 1;
        await here.killWhileStarting(random.unit() * 80);
      }
      const startedAt = performance.now();
      const again = await here.serve();
      while ((await fetch(`${again.url}/readiness`)).status !== 200);
      readyMilliseconds.push(performance.now() - startedAt);

      // A client that heard nothing asks again with the same key; so does one that lost the answer it had.
      const repeated = asked.filter(({ id }) => id === null || random.unit() < 0.1);
      for (const one of repeated) {
        const answer = await make(again, one.name);
        expect([one.name, answer.status]).toEqual([one.name, 201]);
        const { id } = await readJson(answer);
        if (one.id !== null) expect([id, answer.headers.get("idempotency-replayed")]).toEqual([one.id, "true"]);
        one.id = id;
      }
      expect(await again.stop()).toBe(0);
      appendFileSync(heads, again.said());

      const database = createClient({ url: `file:${here.path("bsopt-data", "bsopt.db")}`, intMode: "bigint" });
      const first = async (statement: string) => String((await database.execute(statement)).rows[0]?.[0]);
      const rows = await database.execute(
        "SELECT id, name, revoked_at IS NOT NULL FROM api_keys WHERE name LIKE 'round-%' ORDER BY name",
      );
      const found = rows.rows.map((row) => [String(row[1]), String(row[0]), Number(row[2]) === 1]);
      const byName = (one: Asked, other: Asked) => (one.name < other.name ? -1 : 1);
      expect(found.map(([name, id]) => [name, id])).toEqual(
        [...asked].sort(byName).map(({ name, id }) => [name!, id!]),
      );
      const revoked = new Set(found.filter(([, , isRevoked]) => isRevoked).map(([name]) => name));
      expect(
        asked.filter((one) => one.revoked !== "asked" && revoked.has(one.name) !== (one.revoked === "yes")),
      ).toEqual([]);
      expect(await first("PRAGMA integrity_check")).toBe("ok");
      expect(await first("SELECT count(*) FROM pragma_foreign_key_check")).toBe("0");
      // One event and one stored answer a key: each stands in the transaction of the act it tells.
      const told = `SELECT count(*) FROM audit_events WHERE event_type = 'apikey.created' AND resource IN (SELECT 'api_keys/' || id FROM api_keys WHERE name LIKE 'round-%')`;
      expect(await first(told)).toBe(String(asked.length));
      expect(await first("SELECT count(*) FROM idempotency_answers WHERE key LIKE 'round-%'")).toBe(
        String(asked.length),
      );
      const chain = await here.run(["verify", "audit", "--json", "--heads-from", heads]);
      expect(chain).toMatchObject({ code: 0 });
      expect(JSON.parse(chain.stdout)).toMatchObject({ status: "intact", heads_uncompared: 0 });

      // Else the next rounds would come to the limit of keys a user may hold.
      await database.batch(
        ["DELETE FROM api_keys WHERE name LIKE 'round-%'", "DELETE FROM idempotency_answers WHERE key LIKE 'round-%'"],
        "write",
      );
      database.close();
    }
    readyMilliseconds.sort((one, other) => one - other);
    const slowest = readyMilliseconds.at(-1)!;
    const median = readyMilliseconds[readyMilliseconds.length >> 1]!;
    process.stdout.write(
      `kill -9: ${killCount} kills and ${killedAgainCount} more while starting, ${acknowledgedCount} keys acknowledged, none lost or doubled; ready again in ${median.toFixed(0)} ms, ${slowest.toFixed(0)} at most\n`,
    );
    expect(acknowledgedCount).toBeGreaterThan(killCount);
    expect(slowest).toBeLessThan(readyMillisecondsMax);
  }, 7_200_000);
});

describe("S3.14 two processes on one port", () => {
  test("a rolling restart of both under 5,000 requests a second fails none, over kept and over new connections", async () => {
    const here = installation();
    const serving = await here.serve({ args: ["--processes", "2"] });
    const key = serving.key();
    const requests = [
      Buffer.from(`GET /api/v1/pricing/models HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${key}\r\n\r\n`),
    ];
    expect((await readJson(fetch(`${serving.url}/health`))).status).toBe("ok");
    const migration = handingOn();
    try {
      const flooding = flood({
        port: Number(new URL(serving.url).port),
        kinds: [
          { name: "kept", requests, perThousand: 960, usefulMilliseconds: 10_000 },
          { name: "new", requests, perThousand: 40, usefulMilliseconds: 10_000, isAlone: true },
        ],
        connections: 64,
        requestsPerSecond: 5000,
        seconds: rollSeconds,
        clock: systemClock,
      });
      let isOver = false;
      void flooding.finally(() => {
        isOver = true;
      });
      await Bun.sleep(1000);
      process.kill(serving.pid, "SIGUSR2");
      await until("both were replaced", () => serving.said().includes('"replaced the server processes"'), 30_000);
      expect(isOver).toBe(false);
      const figure = await flooding;
      const told = figure.kinds.map(
        ({ name, goodCount, shedCount, failedCount }) =>
          `${name} connections: ${goodCount} answered, ${shedCount} told to come back, ${failedCount} failed`,
      );
      process.stdout.write(
        `rolling restart: ${Math.round(figure.sentCount / figure.seconds)} requests a second; ${told.join("; ")}; connections are ${migration.isOn ? "" : "not "}handed on\n`,
      );
      const [kept, anew] = figure.kinds;
      expect(kept!.goodCount).toBeGreaterThan(1000);
      expect(anew!.goodCount).toBeGreaterThan(50);
      expect(kept).toMatchObject({ shedCount: 0, failedCount: 0 });
      // Without it the system resets what had connected to a closing socket and was not yet taken.
      if (migration.isOn) expect([anew!.shedCount, anew!.failedCount, figure.failures]).toEqual([0, 0, []]);
    } finally {
      migration.restore();
    }
    expect(await serving.stop()).toBe(0);
  }, 120_000);

  test("one that hangs is killed and started again", async () => {
    const here = installation();
    const serving = await here.serve({ args: ["--processes", "2"] });
    const before = childrenOf(serving.pid);
    expect(before).toHaveLength(2);
    const stoppedAt = performance.now();
    // Its event loop turns no more, and it can hear no signal but one.
    process.kill(before[0]!, "SIGSTOP");
    await until(
      "another was started",
      () => {
        const now = childrenOf(serving.pid);
        return now.length === 2 && !now.includes(before[0]!);
      },
      60_000,
    );
    process.stdout.write(
      `a hung process was replaced after ${((performance.now() - stoppedAt) / 1000).toFixed(1)} s\n`,
    );
    expect(childrenOf(serving.pid)).toContain(before[1]!);
    expect(serving.said()).toContain("a server process gives no sign of life; killing it");
    await until("the new one answers", async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => fetch(`${serving.url}/health`)));
      return answers.every(({ status }) => status === 200);
    });
    expect(await serving.stop()).toBe(0);
  }, 120_000);

  test("one that is killed is started again, and the port answers all the time", async () => {
    const here = installation();
    const serving = await here.serve({ args: ["--processes", "2"] });
    const children = () => childrenOf(serving.pid);
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
