// Backups, restores, the doctor and the settings' display, through the executable alone: beside a server under load, refused where
// they must be, ended in the middle.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createClient } from "@libsql/client/sqlite3";
import { Installation, readJson, type Serving } from "../harness/executable";

/** Makes keys over HTTP until told to stop; gives the ids that were acknowledged, as they come. */
function writeLoad(serving: Serving) {
  const acknowledged: string[] = [];
  let isOver = false;
  const writer = async (lane: number) => {
    for (let index = 0; !isOver; index++) {
      const response = await fetch(`${serving.url}/api/v1/api-keys`, {
        method: "POST",
        headers: { "x-api-key": serving.key(), "content-type": "application/json" },
        body: JSON.stringify({ name: `load ${lane}-${index}`, scopes: ["pricing:read"] }),
      }).catch(() => null);
      if (response?.ok) acknowledged.push((await readJson(response)).id);
      else if (response !== null && response.status !== 503 && response.status !== 422 && response.status !== 409) {
        throw new Error(`${response.status} ${await response.text()}`);
      }
    }
  };
  const done = Promise.all([0, 1, 2, 3].map(writer));
  return {
    acknowledged,
    stop: () => {
      isOver = true;
      return done;
    },
  };
}

const lines = (text: string) => text.trim().split("\n");

describe("backup and restore", () => {
  const installation = new Installation();
  let serving: Serving;

  beforeAll(async () => {
    serving = await installation.serve();
  });
  afterAll(() => installation.remove());

  test("S2.50 a backup under a write load holds what was acknowledged before it, and a restore brings exactly that back", async () => {
    const load = writeLoad(serving);
    while (load.acknowledged.length < 20) await fetch(`${serving.url}/health`);
    const before = [...load.acknowledged];
    const made = await installation.run(["backup", "one", "--json"]);
    expect([made.code, made.stderr]).toEqual([0, ""]);
    const manifest = JSON.parse(made.stdout);
    await load.stop();
    expect(readdirSync(installation.path("one")).sort()).toEqual(["bsopt.db", "manifest.json"]);
    expect(statSync(installation.path("one", "bsopt.db")).mode & 0o777).toBe(0o600);
    expect(manifest.database.bytes).toBe(statSync(installation.path("one", "bsopt.db")).size);

    const refused = await installation.run(["restore", "one"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("has this database open");

    expect(await serving.stop()).toBe(0);
    const restored = await installation.run(["restore", "one"]);
    expect([restored.code, restored.stderr]).toEqual([0, ""]);
    expect(restored.stdout).toContain("kept in");
    const listed = JSON.parse((await installation.run(["key", "list", "--json"])).stdout);
    const ids = new Set((listed.keys ?? listed.data ?? listed).map(({ id }: { id: string }) => id));
    expect(before.filter((id) => !ids.has(id))).toEqual([]);
    serving = await installation.serve();
    expect((await fetch(`${serving.url}/readiness`)).status).toBe(200);
    await serving.stop();
  });

  test("S3.22 S2.50 keys go along only with --with-keys, and come back with them", async () => {
    const made = await installation.run(["backup", "two", "--with-keys"]);
    expect(lines(made.stdout)).toEqual([installation.path("two")]);
    expect(statSync(installation.path("two", "master-key")).mode & 0o777).toBe(0o600);
    const key = readFileSync(installation.path("bsopt-data", "master-key"), "utf8");
    const elsewhere = await installation.run(["restore", "two", "--data-dir", "elsewhere"]);
    expect(elsewhere.code).toBe(0);
    expect(readFileSync(installation.path("elsewhere", "master-key"), "utf8")).toBe(key);
    const keyless = await installation.run(["restore", "one", "--data-dir", "keyless"]);
    expect([keyless.code, keyless.stderr]).toEqual([1, expect.stringContaining("master key")]);
    expect((await installation.run(["restore", "one", "--data-dir", "keyless", "--accept-other-key"])).code).toBe(0);
  });

  test("S2.50 a backup killed at any moment leaves nothing that passes for one, and the database sound", async () => {
    for (let round = 0; round < 6; round++) {
      const child = Bun.spawn([installation.executable, "backup", `killed-${round}`], {
        cwd: installation.folder,
        env: installation.environment(),
        stdout: "ignore",
        stderr: "ignore",
      });
      // The moment is the unfinished folder's appearing, or some turns of the loop after it.
      const unfinished = () => readdirSync(installation.folder).some((name) => name.startsWith(`killed-${round}.`));
      while (!unfinished() && child.exitCode === null) await new Promise((resolve) => setImmediate(resolve));
      for (let turn = 0; turn < round * 40; turn++) await new Promise((resolve) => setImmediate(resolve));
      child.kill("SIGKILL");
      await child.exited;
      const to = installation.path(`killed-${round}`);
      if (existsSync(to))
        expect((await installation.run(["restore", to, "--data-dir", `r-${round}`, "--accept-other-key"])).code).toBe(
          0,
        );
    }
    expect((await installation.run(["doctor", "--port", "0"])).code).toBe(0);
  }, 60_000);

  test("S2.50 a restore killed at any moment leaves the old data or the new, whole, and can be done again", async () => {
    for (let round = 0; round < 8; round++) {
      const data = `kill-${round}`;
      cpSync(installation.path("bsopt-data"), installation.path(data), { recursive: true });
      chmodSync(installation.path(data), 0o700);
      const child = Bun.spawn([installation.executable, "restore", "one", "--data-dir", data], {
        cwd: installation.folder,
        env: installation.environment(),
        stdout: "ignore",
        stderr: "ignore",
      });
      const hasBegun = () => existsSync(installation.path(data, "bsopt.db.restoring"));
      while (!hasBegun() && child.exitCode === null) await new Promise((resolve) => setImmediate(resolve));
      for (let turn = 0; turn < round * 60; turn++) await new Promise((resolve) => setImmediate(resolve));
      child.kill("SIGKILL");
      await child.exited;
      const seen = await installation.run(["doctor", "--data-dir", data, "--port", "0", "--json"]);
      const failing = JSON.parse(seen.stdout).findings.filter(({ status }: { status: string }) => status === "fail");
      expect([round, failing]).toEqual([round, []]);
      expect((await installation.run(["key", "list", "--data-dir", data])).code).toBe(0);
      expect((await installation.run(["restore", "one", "--data-dir", data])).code).toBe(0);
      expect(existsSync(installation.path(data, "bsopt.db.restoring"))).toBe(false);
    }
  }, 60_000);

  test("S2.50 a server makes backups by itself where it is told to, and answers meanwhile", async () => {
    const scheduling = await installation.serve({ environment: { BSOPT_BACKUP_DIR: "scheduled" } });
    const finished = () =>
      existsSync(installation.path("scheduled")) &&
      readdirSync(installation.path("scheduled")).some((name) => /^scheduled-.*Z$/.test(name));
    while (!finished()) expect((await fetch(`${scheduling.url}/health`)).status).toBe(200);
    const readiness = await readJson(fetch(`${scheduling.url}/readiness`));
    expect(readiness.checks).toContainEqual(expect.objectContaining({ component: "backups", status: "ok" }));
    expect(await scheduling.stop()).toBe(0);
  });
});

describe("a large database", () => {
  const installation = new Installation();
  afterAll(() => installation.remove());

  beforeAll(async () => {
    await (await installation.serve()).stop();
    const client = createClient({ url: `file:${installation.path("bsopt-data", "bsopt.db")}` });
    await client.executeMultiple(`CREATE TEMP TABLE n (i INTEGER);
      WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20000) INSERT INTO n SELECT i FROM c;
      INSERT INTO idempotency_answers (principal_id, route, key, body_hash, status, body, created_at)
        SELECT 'p', 'r', 'k' || i, 'h', 200, hex(randomblob(2000)), ${Date.now()}000 FROM n;`);
    client.close();
  });

  test("S2.50 stopping in the middle of a scheduled backup ends in order, and leaves nothing that passes for one", async () => {
    const environment = { BSOPT_BACKUP_DIR: "scheduled", BSOPT_DRAIN_MS: "0" };
    const serving = await installation.serve({ environment });
    const names = () => (existsSync(installation.path("scheduled")) ? readdirSync(installation.path("scheduled")) : []);
    while (names().length === 0) await fetch(`${serving.url}/health`);
    expect(await serving.stop()).toBe(0);
    // A quick machine may have been done with it.
    for (const name of names().filter((name) => name.endsWith("Z"))) {
      const rehearsal = ["restore", installation.path("scheduled", name), "--data-dir", "r", "--accept-other-key"];
      expect((await installation.run(rehearsal)).code).toBe(0);
    }
    const again = await installation.serve({ environment });
    while (!names().some((name) => name.endsWith("Z"))) await fetch(`${again.url}/health`);
    expect(names().filter((name) => name.endsWith(".unfinished"))).toEqual([]);
    expect(await again.stop()).toBe(0);
  });

  test("S2.50 a backup by hand lets a server beside it go first", async () => {
    const child = Bun.spawn([installation.executable, "backup", "stepped-back"], {
      cwd: installation.folder,
      env: installation.environment(),
      stdio: ["ignore", "ignore", "ignore"],
    });
    const nices = new Set<number>();
    while (child.exitCode === null) {
      const stat = `/proc/${child.pid}/stat`;
      const text = existsSync(stat) ? readFileSync(stat, "utf8") : "";
      // Fields behind the name; the nice value is the nineteenth in all.
      const nice = Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[16] ?? Number.NaN);
      if (!Number.isNaN(nice)) nices.add(nice);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(child.exitCode).toBe(0);
    if (process.platform === "linux") expect(nices).toContain(19);
  });

  test("S1.06 after a kill it is ready at once, degraded until it has been read whole, then ok", async () => {
    const first = await installation.serve();
    const made = await fetch(`${first.url}/api/v1/api-keys`, {
      method: "POST",
      headers: { "x-api-key": first.key(), "content-type": "application/json" },
      body: JSON.stringify({ name: "before the kill", scopes: ["pricing:read"] }),
    });
    expect(made.status).toBe(201);
    await first.kill();
    const second = await installation.serve();
    const integrity = async () => {
      const response = await fetch(`${second.url}/readiness`);
      expect(response.status).toBe(200);
      const { checks } = await readJson(response);
      return checks.find(({ component }: { component: string }) => component === "integrity");
    };
    const seen = new Set<string>();
    while (!seen.has("ok")) seen.add((await integrity()).status);
    expect([...seen].filter((status) => status === "failed")).toEqual([]);
    expect(await second.stop()).toBe(0);
    const third = await installation.serve();
    const { checks } = await readJson(fetch(`${third.url}/readiness`));
    expect(checks.map(({ component }: { component: string }) => component)).not.toContain("integrity");
    await third.stop();
  });
});

describe("doctor and config", () => {
  const installation = new Installation();
  afterAll(() => installation.remove());

  test("S1.17 a healthy folder passes; a broken one is told with how to mend it, and exit code 1", async () => {
    const serving = await installation.serve();
    await serving.stop();
    const well = await installation.run(["doctor", "--port", "0", "--json"]);
    expect([
      well.code,
      JSON.parse(well.stdout).findings.filter(({ status }: { status: string }) => status === "fail"),
    ]).toEqual([0, []]);

    chmodSync(installation.path("bsopt-data", "master-key"), 0o644);
    const path = installation.path("bsopt-data", "bsopt.db");
    const bytes = readFileSync(path);
    bytes.fill(0xab, 4096);
    writeFileSync(path, bytes);
    const ill = await installation.run(["doctor", "--port", "0", "--json"], {
      environment: { BUN_INSPECT_PRELOAD: "" },
    });
    expect(ill.code).toBe(1);
    const failing = JSON.parse(ill.stdout).findings.filter(({ status }: { status: string }) => status === "fail");
    expect(failing.map(({ check }: { check: string }) => check).sort()).toEqual(["database", "master_key"]);
    for (const { mend } of failing) expect(mend).toBeString();
    const key = readFileSync(installation.path("bsopt-data", "master-key"), "utf8").trim();
    expect(ill.stdout).not.toContain(key);
  });

  test("S1.07 S2.21 migrations that are pending are told", async () => {
    rmSync(installation.path("bsopt-data"), { recursive: true });
    await (await installation.serve()).stop();
    const down = await installation.run(["migrate", "down", "--to", "1"]);
    expect(down.code).toBe(0);
    const pending = JSON.parse((await installation.run(["doctor", "--port", "0", "--json"])).stdout);
    expect(pending.findings.find(({ check }: { check: string }) => check === "schema")).toMatchObject({
      status: "warn",
    });
  });

  test("S1.17 a TMPDIR that cannot be used is told, and everything that needs no engine still is", async () => {
    mkdirSync(installation.path("empty"));
    const told = await installation.run(["doctor", "--port", "0", "--json"], {
      environment: { TMPDIR: installation.path("empty", "missing") },
    });
    expect(told.code).toBe(1);
    const { findings } = JSON.parse(told.stdout);
    expect(findings.find(({ check }: { check: string }) => check === "tmpdir")).toMatchObject({ status: "fail" });
    expect(findings.length).toBeGreaterThan(6);
  });

  test("S5.10 S3.22 config show tells each setting's source and no secret; config check tells every fault", async () => {
    const environment = { BSOPT_SMTP_URL: "smtp://user:canary-secret@mail.example:587", BSOPT_PORT: "9000" };
    const shown = await installation.run(["config", "show"], { environment });
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(/port +9000 +BSOPT_PORT/);
    expect(shown.stdout + shown.stderr).not.toContain("canary");
    const json = await installation.run(["config", "show", "--json"], { environment });
    expect(json.stdout).not.toContain("canary");
    expect(JSON.parse(json.stdout).settings).toContainEqual({
      key: "smtp_url",
      value: null,
      origin: "BSOPT_SMTP_URL",
      secret: true,
      set: true,
    });
    const wrong = await installation.run(["config", "check"], {
      environment: { BSOPT_PORT: "x", BSOPT_SMTP_URL: "canary-secret", BSOPT_POTR: "1" },
    });
    expect(wrong.code).toBe(2);
    for (const name of ["BSOPT_PORT", "BSOPT_SMTP_URL", "BSOPT_POTR"]) expect(wrong.stderr).toContain(name);
    expect(wrong.stdout + wrong.stderr).not.toContain("canary");
    expect((await installation.run(["config", "check"])).code).toBe(0);
  });
});
