// What survives: processes killed at any moment, a disk that fills up, several processes at once. The helper process
// says `ack` only after its write has resolved; whatever it said must be in the file, whole, and nothing may be there in part.

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { seededRandom } from "../../src/foundation/random";
import { migrations as embedded } from "../../src/storage/migrations-manifest";
import { openTestStorage, StorageChild, temporaryFolder, until } from "../harness/storage";

const seed = BigInt(process.env.BSOPT_TEST_SEED ?? 20_251_121);
const children: StorageChild[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
});
function start(args: readonly string[], launcher?: readonly string[]): StorageChild {
  const child = new StorageChild(args, launcher);
  children.push(child);
  return child;
}

const acknowledged = (child: StorageChild) =>
  child.lines.filter((line) => line.startsWith("ack ")).map((line) => line.slice(4));

/** Parts per work in the file, read by a connection of its own after a fresh start (which also checks the whole file). */
async function partsPerWork(url: string): Promise<Map<string, number>> {
  const storage = await openTestStorage({ url });
  const rows = await storage.read.all<{ batch: string; parts: bigint }>(
    sql`SELECT batch, count(*) AS parts FROM items GROUP BY batch`,
  );
  await storage.close();
  return new Map(rows.map(({ batch, parts }) => [batch, Number(parts)]));
}

function expectWhole(parts: Map<string, number>, acks: readonly string[]): void {
  expect(acks.filter((id) => !parts.has(id))).toEqual([]);
  expect([...parts].filter(([, count]) => count !== 3)).toEqual([]);
}

describe("S5.19 kill -9", () => {
  test(`24 kills at seeded moments (seed ${seed}): nothing acknowledged is lost, nothing is there in part`, async () => {
    const random = seededRandom(seed);
    const url = `file:${join(temporaryFolder(), "killed.db")}`;
    const acks: string[] = [];
    for (let round = 0; round < 24; round++) {
      // Every sixth is killed as soon as it has opened, in its first group.
      const acksBefore = round % 6 === 5 ? 0 : 1 + Math.floor(random.unit() * 800);
      const child = start(["acknowledge", url, `round-${round}`]);
      await child.line("open");
      await until(`${acksBefore} acknowledgements`, () => acknowledged(child).length >= acksBefore);
      child.kill("SIGKILL");
      await child.ended();
      acks.push(...acknowledged(child));
      if (round % 4 === 3) expectWhole(await partsPerWork(url), acks);
    }
    expect(acks.length).toBeGreaterThan(1000);
    expectWhole(await partsPerWork(url), acks);
  }, 120_000);
});

describe("S2.21 kill -9 in the middle of the first start", () => {
  test("whatever it had done by then, the next start finds an empty or a whole schema, and succeeds", async () => {
    for (let round = 0; round < 6; round++) {
      const path = join(temporaryFolder(), "fresh.db");
      const child = start(["start", `file:${path}`]);
      const file = ["", "-wal", "-shm"][round % 3]!;
      while (!existsSync(path + file)) await new Promise((resolve) => setImmediate(resolve));
      child.kill("SIGKILL");
      await child.ended();
      const next = start(["start", `file:${path}`]);
      expect(await next.ended()).toEqual({ exitCode: 0, errors: "" });
      expect(next.lines).toEqual([`started ${embedded.length}`]);
    }
  }, 60_000);
});

describe("S5.02 several processes write one file", () => {
  test("four at once, 150 works each: all are acknowledged, all are there, whole", async () => {
    const url = `file:${join(temporaryFolder(), "shared.db")}`;
    const writers = [0, 1, 2, 3].map((index) => start(["acknowledge", url, `process-${index}`, "150"]));
    for (const writer of writers) expect(await writer.ended()).toEqual({ exitCode: 0, errors: "" });
    const acks = writers.flatMap(acknowledged);
    expect(acks).toHaveLength(600);
    const parts = await partsPerWork(url);
    expectWhole(parts, acks);
    expect(parts.size).toBe(600);
  }, 120_000);
});

describe("S1.06 sixteen starts at once on one empty folder", () => {
  test("all succeed, and the migrations are applied once", async () => {
    const url = `file:${join(temporaryFolder(), "fresh", "bsopt.db")}`;
    const starts = Array.from({ length: 16 }, () => start(["start", url]));
    const ends = await Promise.all(starts.map((child) => child.ended()));
    expect(ends).toEqual(ends.map(() => ({ exitCode: 0, errors: "" })));
    expect(starts.map((child) => child.lines)).toEqual(starts.map(() => [`started ${embedded.length}`]));
    const storage = await openTestStorage({ url, migrations: embedded, tables: [] }).catch((error: unknown) => error);
    // Without their tables named, the program's own are reported as unexpected: proof that they are there.
    expect(String((storage as { detail?: string }).detail)).toContain("table users is not expected");
  }, 120_000);
});

/** A private mount of 2 MiB for the helper process alone; it goes away with it. */
const smallDisk = (folder: string) => [
  "unshare",
  "--user",
  "--map-root-user",
  "--mount",
  "sh",
  "-c",
  `mount -t tmpfs -o size=2m tmpfs ${folder} && exec "$@"`,
  "sh",
];

const canMount = Bun.which("unshare") !== null && Bun.spawnSync([...smallDisk("/mnt"), "true"]).exitCode === 0;
if (!canMount) process.stderr.write("skipped: a full disk (this machine lets nobody mount a small one)\n");

describe("S5.19 a disk that fills up", () => {
  test.skipIf(!canMount)(
    "refuses writes with DATABASE_FULL, keeps what it acknowledged whole, and goes on once there is room",
    async () => {
      const folder = temporaryFolder();
      const child = start(["fill", `file:${join(folder, "full.db")}`], smallDisk(folder));
      const ended = await child.ended();
      expect(ended).toEqual({ exitCode: 0, errors: "" });
      expect(child.lines).toContain("full DATABASE_FULL");
      expect(child.lines).toContain("whole after full");
      expect(child.lines).toContain("went on");
      expect(child.lines).toContain("whole at the end");
    },
    60_000,
  );
});
