// The drills of docs/operating/upgrade.md on the executable, each step timed and printed: a rollback to the schema before, the upgrade from it,
// and a disaster, in which a backup and the master key are all that is left. BSOPT_TEST_DRILL_MB says how large the database is (16).

import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { copyFileSync, cpSync, mkdirSync, rmSync, statSync } from "node:fs";
import { migrations } from "../../src/storage/migrations-manifest";
import { type Finished, Installation, readJson, type Serving } from "../harness/executable";

const megabytes = Number(process.env.BSOPT_TEST_DRILL_MB ?? 16);
const installation = new Installation();
afterAll(() => installation.remove());
const data = (...parts: string[]) => installation.path("bsopt-data", ...parts);

const option = {
  ...{ model: "black_scholes_merton", option_type: "call", spot: 100, strike: 105 },
  ...{ time_to_expiry: 0.5, rate: 0.03, volatility: 0.2 },
};
const price = (serving: Serving, key: string) =>
  fetch(`${serving.url}/api/v1/pricing/price`, {
    method: "POST",
    headers: { "x-api-key": key, "content-type": "application/json" },
    body: JSON.stringify(option),
  });

/** Times a step and prints it. */
async function timed<T>(step: string, work: () => Promise<T>): Promise<T> {
  const begunAt = performance.now();
  const result = await work();
  process.stdout.write(`drill: ${step}: ${Math.round(performance.now() - begunAt)} ms\n`);
  return result;
}
async function run(step: string, ...args: string[]): Promise<Finished> {
  const done = await timed(step, () => installation.run(args));
  expect([step, done.code, done.stderr]).toEqual([step, 0, done.stderr]);
  return done;
}
const ready = (step: string) =>
  timed(step, async () => {
    const serving = await installation.serve();
    while ((await fetch(`${serving.url}/readiness`)).status !== 200);
    return serving;
  });

/** Makes the database as large as is wanted, with answers that were stored; nobody has it open. */
function fill(): void {
  const database = new Database(data("bsopt.db"));
  database.run("PRAGMA journal_mode = WAL");
  const insert = database.prepare(
    "INSERT INTO idempotency_answers (principal_id, route, key, body_hash, status, body, created_at) VALUES ('nobody', 'POST /x', ?, ?, 200, ?, ?)",
  );
  const body = JSON.stringify({ filler: "x".repeat(4000) });
  const now = Date.now() * 1000;
  database.transaction(() => {
    for (let index = 0; index < megabytes * 230; index++) insert.run(`key-${index}`, "0".repeat(64), body, now);
  })();
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}

describe("S3.13 S4.76 drills", () => {
  let admin: string;
  let made: string[];

  test("a folder is filled and used", async () => {
    const serving = await installation.serve();
    admin = serving.key();
    for (let index = 0; index < 20; index++) {
      const answer = await fetch(`${serving.url}/api/v1/api-keys`, {
        method: "POST",
        headers: { "x-api-key": admin, "content-type": "application/json" },
        body: JSON.stringify({ name: `key ${index}`, scopes: ["pricing:read"] }),
      });
      expect(answer.status).toBe(201);
    }
    made = await keysAt(serving);
    expect(await serving.stop()).toBe(0);
    fill();
    process.stdout.write(`drill: a database of ${(statSync(data("bsopt.db")).size / 1_048_576).toFixed(0)} MiB\n`);
  }, 60_000);

  async function keysAt(serving: Serving): Promise<string[]> {
    const list = await readJson(fetch(`${serving.url}/api/v1/api-keys?limit=100`, { headers: { "x-api-key": admin } }));
    return list.data.map(({ id }: { id: string }) => id).sort();
  }

  test("S4.70 rolled back to the schema before and upgraded from it, everything is there and the audit log holds", async () => {
    const before = String(migrations.length - 1);
    await run("rollback, bsopt migrate down", "migrate", "down", "--to", before);
    const status = await installation.run(["migrate", "status"]);
    expect(status.stdout).toContain(migrations.at(-1)!.tag);
    const serving = await ready("upgrade, from start to ready");
    expect(await keysAt(serving)).toEqual(made);
    expect((await price(serving, admin)).status).toBe(200);
    expect(await serving.stop()).toBe(0);
    await run("audit verified", "verify", "audit");
  }, 120_000);

  test("S5.21 the data folder lost, a backup and the master key bring back what was there when it was made", async () => {
    const before = await ready("start to ready, nothing to do");
    const backup = installation.path("elsewhere", "today");
    await run("backup, beside the running server", "backup", backup);
    await before.kill();
    mkdirSync(installation.path("safe"));
    copyFileSync(data("master-key"), installation.path("safe", "master-key"));
    rmSync(data(), { recursive: true });

    const begunAt = performance.now();
    mkdirSync(data(), { mode: 0o700 });
    cpSync(installation.path("safe", "master-key"), data("master-key"));
    await run("restore", "restore", backup);
    await run("audit verified after the restore", "verify", "audit");
    const serving = await ready("start to ready after the restore");
    expect((await price(serving, admin)).status).toBe(200);
    process.stdout.write(
      `drill: disaster, from an empty folder to the first price: ${Math.round(performance.now() - begunAt)} ms\n`,
    );
    expect(await keysAt(serving)).toEqual(made);
    expect(await serving.stop()).toBe(0);
  }, 120_000);

  test("without the master key the restore is refused and the folder stays empty of a database", async () => {
    const other = installation.path("other");
    const refused = await installation.run(["restore", installation.path("elsewhere", "today"), "--data-dir", other]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("master key")]);
  });
});
