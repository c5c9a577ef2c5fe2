// Disks that are full, read-only, broken or gone under the executable. The rows of docs/operating/failure.md that begin with "disk" are
// held here, each by the test whose title carries the row's name.

import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { Asking } from "../harness/asking";
import { Installation, type ServeOptions } from "../harness/executable";
import { hasSmallDisk, SmallDisk } from "../harness/small-disk";
import { until } from "../harness/storage";

const installations: Installation[] = [];
const disks: SmallDisk[] = [];
afterEach(async () => {
  for (const disk of disks.splice(0)) await disk.remove();
});
afterAll(() => {
  for (const made of installations) made.remove();
});

function install(): Installation {
  const made = new Installation();
  installations.push(made);
  return made;
}

async function mount(here: Installation, kibibytes: number, name = "data"): Promise<SmallDisk> {
  const disk = await SmallDisk.mount(here.path(name), kibibytes);
  disks.push(disk);
  return disk;
}

/** A server whose data folder is the small disk. */
async function serveOn(disk: SmallDisk, here: Installation, options: ServeOptions = {}) {
  const serving = await here.serve({
    ...options,
    within: disk.within,
    args: ["--data-dir", disk.folder, ...(options.args ?? [])],
  });
  const key = readFileSync(disk.path("admin-api-key"), "utf8").trim();
  return { serving, asking: new Asking(serving, key) };
}

/** What the database holds, looked at by another process while a server has it open. */
async function lookInto(disk: SmallDisk): Promise<{ names: string[]; check: string }> {
  const script = join(import.meta.dir, "../harness/look-into.ts");
  const command = [...disk.within, process.execPath, script, join(disk.folder, "bsopt.db")];
  const child = Bun.spawn(command, { cwd: import.meta.dir, stdout: "pipe", stderr: "inherit" });
  return JSON.parse(await new Response(child.stdout).text());
}

/** Makes keys by several hands until the database has refused a few; gives those that were acknowledged and those that were not. */
async function writeUntilRefused(asking: Asking, hands = 4): Promise<{ made: string[]; refused: string[] }> {
  const made: string[] = [];
  const refused: string[] = [];
  let next = 0;
  const write = async () => {
    while (refused.length < 8 && next < 900) {
      const name = `k${next++}`;
      const answer = await asking.makeKey(name);
      if (answer.status === 201) made.push(name);
      else {
        expect([answer.status, answer.code]).toEqual([503, "DATABASE_FULL"]);
        refused.push(name);
      }
    }
  };
  await Promise.all(Array.from({ length: hands }, write));
  return { made: made.sort(), refused: refused.sort() };
}

describe.if(hasSmallDisk)("S4.57 S5.19 a full disk", () => {
  test("disk-full: writes are refused in words, reads and prices go on, readiness is degraded; with room all goes on by itself", async () => {
    const here = install();
    const disk = await mount(here, 4096);
    const { serving, asking } = await serveOn(disk, here);
    expect((await asking.makeKey("before")).status).toBe(201);
    disk.fill();

    const refused = await asking.makeKey("refused");
    expect(refused.status).toBe(503);
    expect(refused.headers.get("content-type")).toBe("application/problem+json");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(refused.body).toMatchObject({ code: "DATABASE_FULL", status: 503, retryable: true, title: "Unavailable" });
    expect(refused.body.detail).toContain("the disk is full");
    expect(await asking.keyNames()).toEqual(["before"]);
    expect((await asking.price()).status).toBe(200);
    await until("readiness says so", async () => (await asking.readiness()).status === "degraded");
    expect(await asking.readiness()).toEqual({
      http: 200,
      status: "degraded",
      components: { database: "degraded: takes no writes", agents: "ok", market_history: "ok" },
    });
    expect(await asking.metric("bsopt_database_writable")).toBe(0);
    expect(serving.said()).toContain('"code":"DATABASE_FULL","hint"');

    disk.makeRoom();
    // Nobody writes: it finds out by itself.
    await until("readiness is ok again", async () => (await asking.readiness()).status === "ok");
    expect(await asking.metric("bsopt_database_writable")).toBe(1);
    expect(serving.said()).toContain("the database takes writes again");
    expect((await asking.makeKey("refused")).status).toBe(201);
    expect(await asking.keyNames()).toEqual(["before", "refused"]);
    expect(await serving.stop()).toBe(0);
  }, 60_000);

  test("disk-full: writes fill it themselves, log and all; nothing acknowledged is lost, what is asked again is not doubled", async () => {
    const here = install();
    const disk = await mount(here, 4096);
    const { serving, asking } = await serveOn(disk, here);
    const acknowledged: string[] = [];
    for (let leave = 256; leave >= 64; leave -= 64) {
      disk.makeRoom();
      disk.fill(leave * 1024);
      const { made, refused } = await writeUntilRefused(asking);
      expect(refused.length).toBeGreaterThan(0);
      for (const name of made) if (!acknowledged.includes(name)) acknowledged.push(name);
      const now = await lookInto(disk);
      expect(now).toEqual({ names: [...acknowledged].sort(), check: "ok" });
    }
    disk.makeRoom();
    await until("it takes writes again", async () => (await asking.makeKey("room")).status === 201);
    for (const name of acknowledged) expect([name, (await asking.makeKey(name)).status]).toEqual([name, 201]);
    const all = [...acknowledged, "room"].sort();
    expect(await lookInto(disk)).toEqual({ names: all, check: "ok" });
    await serving.kill();
    const again = await serveOn(disk, here);
    expect(await again.asking.keyNames()).toEqual(all);
    expect(await again.serving.stop()).toBe(0);
  }, 120_000);

  test("disk-full-start: an existing database is served, a new one refused in words with nothing left behind", async () => {
    const here = install();
    const disk = await mount(here, 4096);
    disk.fill();
    const refused = await here.run(["serve", "--port", "0", "--data-dir", disk.folder], { within: disk.within });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("the disk is full");
    expect(disk.names().filter((name) => !name.startsWith("bsopt.db"))).toEqual([]);
    disk.makeRoom();
    const first = await serveOn(disk, here);
    expect((await first.asking.makeKey("kept")).status).toBe(201);
    await first.serving.kill();
    disk.fill();
    const { serving, asking } = await serveOn(disk, here);
    expect((await asking.price()).status).toBe(200);
    expect(await asking.keyNames()).toEqual(["kept"]);
    expect((await asking.makeKey("more")).code).toBe("DATABASE_FULL");
    disk.makeRoom();
    await until("writes go on", async () => (await asking.makeKey("more")).status === 201);
    expect(await serving.stop()).toBe(0);
  }, 60_000);

  test("disk-full-key: a first start that cannot write its key files is refused in words, leaves no half of one, and works later", async () => {
    const here = install();
    const disk = await mount(here, 1024);
    const environment = { BSOPT_DATABASE_URL: `file:${here.path("elsewhere", "bsopt.db")}` };
    disk.fill();
    const refused = await here.run(["serve", "--port", "0", "--data-dir", disk.folder], {
      within: disk.within,
      environment,
    });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("key cannot be made");
    expect(disk.names()).toEqual([]);
    disk.makeRoom();
    const { serving, asking } = await serveOn(disk, here, { environment });
    expect((await asking.makeKey("one")).status).toBe(201);
    expect(await serving.stop()).toBe(0);
  }, 60_000);

  test("disk-full-mail: a mail that cannot be written waits, is written once there is room, and no half of it is left", async () => {
    const here = install();
    const disk = await mount(here, 1024);
    const environment = { BSOPT_DATABASE_URL: `file:${here.path("elsewhere", "bsopt.db")}` };
    const { serving, asking } = await serveOn(disk, here, { environment });
    disk.fill();
    const person = { email: "ada@example.org", password: "seven-green-boats" };
    expect((await asking.request("POST", "/api/v1/auth/register", person)).status).toBe(202);
    await until(
      "it was tried",
      async () => (await asking.metric('bsopt_outbox_messages_total{outcome="retried"}')) > 0,
    );
    expect(disk.names().filter((name) => name.includes("eml"))).toEqual([]);
    expect((await asking.readiness()).status).toBe("ok");
    disk.makeRoom();
    await until("it is written", () => disk.names().some((name) => name.endsWith(".eml")));
    const [mail, ...others] = disk.names().filter((name) => name.includes("eml"));
    expect(others).toEqual([]);
    expect(readFileSync(disk.path(mail!), "utf8")).toContain("To: ada@example.org");
    expect(await serving.stop()).toBe(0);
  }, 60_000);

  test("disk-full-log: a log that cannot be written fails no request, and goes on with room", async () => {
    const here = install();
    const disk = await mount(here, 512);
    const log = disk.path("log");
    const port = await freePort();
    const data = here.path("elsewhere");
    const child = Bun.spawn(
      [
        ...disk.within,
        "sh",
        "-c",
        'exec "$@" 2>>"$0"',
        join(disk.folder, "log"),
        ...[here.executable, "serve", "--port", String(port), "--data-dir", data, "--log-level", "debug"],
      ],
      { env: here.environment(), stdin: "ignore", stdout: "ignore", stderr: "inherit" },
    );
    try {
      const url = `http://127.0.0.1:${port}`;
      await until("it answers", async () => (await fetch(`${url}/health`).catch(() => null))?.ok === true);
      const asking = new Asking({ url }, readFileSync(join(data, "admin-api-key"), "utf8").trim());
      disk.fill();
      const size = statSync(log).size;
      for (let count = 0; count < 50; count++) {
        expect((await asking.makeKey(`key-${count}`)).status).toBe(201);
        expect((await asking.price()).status).toBe(200);
      }
      expect(statSync(log).size - size).toBeLessThan(8192);
      expect((await asking.readiness()).status).toBe("ok");
      disk.makeRoom();
      await until("lines are written again", async () => {
        await asking.price();
        return readFileSync(log, "utf8").trimEnd().endsWith("}") && statSync(log).size > size + 8192;
      });
    } finally {
      child.kill("SIGTERM");
    }
    expect(await child.exited).toBe(0);
  }, 60_000);

  test("disk-full-backup: a backup fails in words and leaves nothing that passes for one; a server that makes them goes on", async () => {
    const here = install();
    const disk = await mount(here, 1024, "backups");
    const environment = {
      BSOPT_DATA_DIR: here.path("bsopt-data"),
      BSOPT_BACKUP_DIR: disk.folder,
      BSOPT_BACKUP_EVERY_HOURS: "1",
    };
    disk.fill();
    const serving = await here.serve({ environment, within: disk.within });
    const asking = new Asking(serving, serving.key());
    await until("readiness tells", async () => (await asking.readiness()).components.backups !== "ok");
    expect(await asking.readiness()).toEqual({
      http: 200,
      status: "degraded",
      components: { database: "ok", agents: "ok", market_history: "ok", backups: "degraded: the last backup failed" },
    });
    expect((await asking.makeKey("one")).status).toBe(201);
    const byHand = await here.run(["backup", join(disk.folder, "mine")], { environment, within: disk.within });
    expect(byHand.code).toBe(1);
    expect(byHand.stderr).toMatch(/disk is full|no space/i);
    await until("nothing half-made is left", () => disk.names().length === 0);
    disk.makeRoom();
    const second = await here.run(["backup", join(disk.folder, "mine")], { environment, within: disk.within });
    expect([second.code, second.stderr]).toEqual([0, expect.any(String)]);
    expect(disk.names()).toContain("mine/manifest.json");
    expect(await serving.stop()).toBe(0);
  }, 60_000);

  test("disk-readonly: a data folder on a read-only disk is refused in words at the start", async () => {
    const here = install();
    const disk = await mount(here, 4096);
    const first = await serveOn(disk, here);
    expect(await first.serving.stop()).toBe(0);
    const before = disk.names();
    disk.makeReadOnly();
    const refused = await here.run(["serve", "--port", "0", "--data-dir", disk.folder], { within: disk.within });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("the file system is read-only");
    expect(refused.stderr).toContain("hint:");
    expect(disk.names()).toEqual(before);
  }, 60_000);
});

describe("S4.57 S5.19 a disk that fails or is taken away", () => {
  test("disk-fails: an I/O error at a commit ends the process; the next start has all that was acknowledged", async () => {
    const here = install();
    // Writes past the limit of a file's size are errors that SQLite can make nothing of, as those of a dying disk.
    const serving = await here.serve({ within: ["sh", "-c", 'trap "" XFSZ; exec "$@"', "sh"] });
    const asking = new Asking(serving, serving.key());
    const acknowledged: string[] = [];
    for (let count = 0; count < 20; count++) {
      expect((await asking.makeKey(`k${count}`)).status).toBe(201);
      acknowledged.push(`k${count}`);
    }
    const size = statSync(here.path("bsopt-data", "bsopt.db-wal")).size;
    expect(Bun.spawnSync(["prlimit", "--pid", String(serving.pid), `--fsize=${size}:${size}`]).exitCode).toBe(0);
    const unknown = await asking.makeKey("unknown");
    expect([0, 500]).toContain(unknown.status);
    expect(await serving.exited).toBe(1);
    expect(serving.said()).toContain("storage has stopped");
    const again = await here.serve();
    const after = new Asking(again, again.key());
    expect((await after.makeKey("unknown")).status).toBe(201);
    expect(await after.keyNames()).toEqual([...acknowledged, "unknown"].sort());
    expect(await again.stop()).toBe(0);
  }, 60_000);

  test("disk-gone: a data folder deleted under a server ends it before it acknowledges what would be lost", async () => {
    const here = install();
    const serving = await here.serve();
    const asking = new Asking(serving, serving.key());
    expect((await asking.makeKey("kept")).status).toBe(201);
    rmSync(here.path("bsopt-data"), { recursive: true });
    const answer = await asking.makeKey("lost");
    expect([0, 503]).toContain(answer.status);
    if (answer.status === 503) expect(answer.code).toBe("DATABASE_GONE");
    expect(await serving.exited).toBe(1);
    expect(serving.said()).toContain("DATABASE_GONE");
    expect(existsSync(here.path("bsopt-data", "bsopt.db"))).toBe(false);
  }, 60_000);

  test("disk-forbidden: a data folder that this user may not write is refused in words at the start", async () => {
    const here = install();
    const folder = here.path("theirs");
    mkdirSync(folder, { mode: 0o555 });
    // The system's administrator may write anywhere, so nobody tries.
    const isAdministrator = process.getuid?.() === 0;
    const within = isAdministrator ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
    if (isAdministrator) {
      for (const open of [here.folder, here.path("tmp")]) Bun.spawnSync(["chmod", "777", open]);
    }
    const refused = await here.run(["serve", "--port", "0", "--data-dir", folder], { within });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("this user may not write there");
    expect(readdirSync(folder)).toEqual([]);
  }, 60_000);
});

async function freePort(): Promise<number> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = server;
  await server.stop(true);
  return port!;
}
