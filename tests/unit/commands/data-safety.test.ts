// backup, restore, doctor and config as whole command lines inside this process: real files, real threads.

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createClient } from "@libsql/client/sqlite3";
import { type CommandIo, systemIo } from "../../../src/commands/io";
import { buildProgram } from "../../../src/commands/program";
import { runCommandLine } from "../../../src/commands/run";
import { buildInfo } from "../../../src/config/build-info";
import { systemClock } from "../../../src/foundation/clock";
import { systemRandom } from "../../../src/foundation/random";
import { entrance } from "../../harness/backup";
import { testEngine } from "../../harness/command-line";
import { hasNats, NatsServer } from "../../harness/nats";
import { hasRedis, RedisServer } from "../../harness/redis";
import { s3Keys, s3Region, startS3 } from "../../harness/s3";
import { temporaryFolder } from "../../harness/storage";

const machine = systemIo(systemRandom);

/** Runs one command line with streams in memory and the machine's own files. */
async function run(argv: readonly string[], environment: Record<string, string> = {}) {
  const said = { out: "", err: "" };
  const stream = (name: "out" | "err") => ({
    isTTY: false,
    columns: 120,
    write: async (chunk: string | Uint8Array) => {
      said[name] += Buffer.from(chunk as string).toString();
    },
  });
  const io: CommandIo = { ...machine, stdout: stream("out"), stderr: stream("err") };
  const dependencies = {
    ...{ io, environment, clock: systemClock, random: systemRandom, build: buildInfo, entrance },
    engine: () => testEngine(),
    untilStopped: () => Promise.resolve(),
  };
  const code = await runCommandLine({ program: await buildProgram(dependencies, argv), argv, io });
  return { code, ...said };
}

/** A data folder with a database and a master key in it. */
async function dataFolder(): Promise<string> {
  const folder = join(temporaryFolder(), "data");
  expect((await run(["migrate", "up", "--data-dir", folder])).code).toBe(0);
  expect((await run(["key", "list", "--data-dir", folder])).code).toBe(0);
  return folder;
}

const doctor = async (folder: string, environment: Record<string, string> = {}, ...more: string[]) => {
  const { code, out } = await run(["doctor", "--json", "--port", "0", "--data-dir", folder, ...more], environment);
  const { status, findings } = JSON.parse(out);
  const of = (check: string) => findings.find((finding: { check: string }) => finding.check === check);
  return { code, status, of, out };
};

describe("backup and restore", () => {
  test("S2.50 print where the backup is, and what was restored and kept", async () => {
    const folder = await dataFolder();
    const made = await run(["backup", "--data-dir", folder]);
    expect(made.code).toBe(0);
    const path = made.out.trim();
    expect(dirname(path)).toBe(join(folder, "backups"));
    expect(existsSync(join(path, "bsopt.db"))).toBe(true);
    expect(made.err).toMatch(/^copied and checked \d+ bytes\n$/);
    const restored = await run(["restore", path, "--data-dir", folder]);
    expect(restored.code).toBe(0);
    expect(restored.out).toMatch(/^restored the backup of 20\S+, made by bsopt \S+\nwhat was there before is kept in /);
    expect((await run(["key", "list", "--data-dir", folder])).code).toBe(0);
  });

  test("S2.50 --json prints one document each; keys go along only where asked", async () => {
    const folder = await dataFolder();
    const to = join(folder, "..", "keyed");
    const made = JSON.parse((await run(["backup", to, "--with-keys", "--json", "--data-dir", folder])).out);
    expect(made).toMatchObject({ format: 1, keys: [{ name: "master-key" }] });
    const elsewhere = join(folder, "..", "elsewhere");
    const restored = await run(["restore", to, "--json", "--data-dir", elsewhere]);
    expect(JSON.parse(restored.out)).toMatchObject({ kept_in: null, keys: ["master-key"], pending_migrations: 0 });
    expect(readFileSync(join(elsewhere, "master-key"))).toEqual(readFileSync(join(folder, "master-key")));
    const again = await run(["restore", to, "--data-dir", elsewhere]);
    expect(again.out).toContain("keys that came with it: master-key");
  });

  test("S2.50 without a database, a backup, or a place for it fail in words and make nothing", async () => {
    const folder = join(temporaryFolder(), "none");
    const missing = await run(["backup", "--data-dir", folder]);
    expect([missing.code, missing.err]).toEqual([1, expect.stringContaining("There is no database.")]);
    const nothing = await run(["restore", join(folder, "b"), "--data-dir", folder]);
    expect([nothing.code, nothing.err]).toEqual([1, expect.stringContaining("no manifest")]);
    expect(existsSync(join(folder, "bsopt.db"))).toBe(false);
    expect((await run(["restore"])).code).toBe(2);
    expect((await run(["backup", "a", "b"])).code).toBe(2);
  });
});

describe("doctor", () => {
  test("S1.17 a sound folder passes, line by line and as one document", async () => {
    const folder = await dataFolder();
    const { code, status, of } = await doctor(folder);
    expect([code, status]).toEqual([0, "warn"]);
    for (const check of ["settings", "data_folder", "master_key", "database", "schema", "port"]) {
      expect([check, of(check).status]).toEqual([check, "ok"]);
    }
    expect(of("backups").status).toBe("warn");
    const words = await run(["doctor", "--port", "0", "--data-dir", folder]);
    expect(words.code).toBe(0);
    expect(words.out).toMatch(/^ok {4}database +the database is sound/m);
    expect(words.out).toMatch(/^warn {2}backups .*\n +→ /m);
  });

  test("S1.07 a schema changed by hand fails, and every difference is named", async () => {
    const folder = await dataFolder();
    const client = createClient({ url: `file:${join(folder, "bsopt.db")}` });
    await client.executeMultiple("CREATE TABLE stray (x INTEGER); ALTER TABLE users ADD COLUMN nickname TEXT;");
    client.close();
    const { code, of } = await doctor(folder);
    expect(code).toBe(1);
    expect(of("schema")).toMatchObject({ status: "fail", mend: expect.any(String) });
    expect(of("schema").detail).toContain("table stray is not expected");
    expect(of("schema").detail).toContain("users: column nickname is not expected");
  });

  test("S1.17 rows that point nowhere fail", async () => {
    const folder = await dataFolder();
    const client = createClient({ url: `file:${join(folder, "bsopt.db")}` });
    await client.executeMultiple(
      "PRAGMA foreign_keys = OFF; CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (p INTEGER REFERENCES parent (id)); INSERT INTO child VALUES (7);",
    );
    client.close();
    expect((await doctor(folder)).of("database")).toMatchObject({
      status: "fail",
      detail: expect.stringContaining("child → parent"),
    });
  });

  test("S2.21 pending migrations, and those of a newer executable, are told", async () => {
    const folder = await dataFolder();
    await run(["migrate", "down", "--to", "1", "--data-dir", folder]);
    expect((await doctor(folder)).of("schema")).toMatchObject({ status: "warn" });
    await run(["migrate", "up", "--data-dir", folder]);
    const client = createClient({ url: `file:${join(folder, "bsopt.db")}` });
    await client.execute(
      "INSERT INTO schema_migrations (number, tag, hash, applied_at) VALUES (99, '0099_later', 'x', 0)",
    );
    client.close();
    const { code, of } = await doctor(folder);
    expect([code, of("schema").status]).toEqual([1, "fail"]);
  });

  test("S1.17 a damaged database fails with how to mend it, and the rest is still looked at", async () => {
    const folder = await dataFolder();
    const path = join(folder, "bsopt.db");
    const bytes = readFileSync(path);
    bytes.fill(0xab, 4096);
    writeFileSync(path, bytes);
    const { code, of } = await doctor(folder);
    expect(code).toBe(1);
    expect(of("database")).toMatchObject({ status: "fail", mend: expect.stringContaining("bsopt restore") });
    expect(of("backups")).toBeDefined();
  });

  test("S1.17 an empty folder is no fault; a file in its place is", async () => {
    const folder = join(temporaryFolder(), "data");
    expect((await doctor(folder)).of("database").status).toBe("warn");
    expect(existsSync(folder)).toBe(false);
    writeFileSync(folder, "");
    expect((await doctor(folder)).of("data_folder").status).toBe("fail");
  });

  test("S1.17 S5.10 wrong settings are told, and what needs none is still looked at", async () => {
    const { code, of } = await doctor(join(temporaryFolder(), "data"), { BSOPT_LOG_LEVEL: "loud" });
    expect(code).toBe(1);
    expect(of("settings").detail).toContain("BSOPT_LOG_LEVEL");
    expect(of("clock")).toBeDefined();
    expect(of("database")).toBeUndefined();
  });

  test("S1.17 backups that are scheduled are looked for", async () => {
    const folder = await dataFolder();
    const backups = join(folder, "..", "scheduled");
    mkdirSync(backups);
    expect((await doctor(folder, { BSOPT_BACKUP_DIR: backups })).of("backups").status).toBe("warn");
    await run(["backup", join(backups, "scheduled-20260101T000000.000000Z"), "--data-dir", folder]);
    expect((await doctor(folder, { BSOPT_BACKUP_DIR: backups })).of("backups").status).toBe("ok");
    expect(readdirSync(backups)).toHaveLength(1);
  });

  test("S1.17 S3.22 dependencies that do not answer fail without telling their passwords; one that does is well", async () => {
    const folder = await dataFolder();
    const { code, of, out } = await doctor(folder, {
      BSOPT_REDIS_URL: "redis://user:canary-redis@127.0.0.1:1",
      BSOPT_SMTP_URL: "smtp://user:canary-smtp@127.0.0.1:1?tls=off",
    });
    expect([code, of("redis").status, of("smtp").status]).toEqual([1, "fail", "fail"]);
    expect(out).not.toContain("canary");
    if (!hasRedis) return;
    const redis = await RedisServer.start();
    try {
      expect((await doctor(folder, { BSOPT_REDIS_URL: redis.url() })).of("redis").status).toBe("ok");
    } finally {
      await redis.kill();
    }
  }, 20_000);
});

describe("doctor and NATS", () => {
  test("S1.17 says whether it answers and takes events, where it is configured", async () => {
    const folder = await dataFolder();
    const away = (await doctor(folder, { BSOPT_NATS_URL: "nats://u:canary@127.0.0.1:1" })).of("nats");
    expect(away.status).toBe("fail");
    expect(JSON.stringify(away)).not.toContain("canary");
    expect((await doctor(folder)).of("nats")).toBeUndefined();
    if (!hasNats) return;
    const nats = await NatsServer.start(temporaryFolder());
    try {
      expect((await doctor(folder, { BSOPT_NATS_URL: nats.url() })).of("nats").status).toBe("ok");
    } finally {
      await nats.kill();
    }
  }, 30_000);
});

describe("backups in a bucket", () => {
  test("S2.50 are made, looked for and restored by the commands, and their faults told in words", async () => {
    const s3 = startS3();
    try {
      const folder = await dataFolder();
      const environment = {
        BSOPT_BACKUP_S3_ENDPOINT: s3.url,
        BSOPT_BACKUP_S3_REGION: s3Region,
        BSOPT_BACKUP_S3_ACCESS_KEY: s3Keys.accessKeyId,
        BSOPT_BACKUP_S3_SECRET_KEY: s3Keys.secretAccessKey,
      };
      const made = await run(["backup", "--to", "s3://backups/desk/", "--data-dir", folder], environment);
      expect(made.code).toBe(0);
      expect(made.out).toMatch(/^s3:\/\/backups\/desk\/manual-\S+Z\n$/);
      const place = made.out.trim();
      const other = join(dirname(folder), "other");
      const restored = await run(["restore", place, "--data-dir", other, "--accept-other-key"], environment);
      expect([restored.code, restored.out]).toEqual([0, expect.stringContaining("restored the backup of")]);
      expect(existsSync(join(other, "bsopt.db"))).toBe(true);
      expect(readdirSync(other).filter((name) => name.includes("incoming"))).toEqual([]);
      const without = await run(["backup", "--to", "s3://backups/desk/", "--data-dir", folder]);
      expect([without.code, without.err]).toEqual([1, expect.stringContaining("backup_s3_access_key")]);
      const wrong = await run(["restore", "s3://nobodys/desk", "--data-dir", other], environment);
      expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining("NoSuchBucket")]);
      const scheduled = { ...environment, BSOPT_BACKUP_DIR: "s3://backups/desk" };
      expect((await doctor(folder, scheduled)).of("backups").status).toBe("warn");
      await run(
        ["backup", "--to", "s3://backups/desk/scheduled-20260101T000000.000000Z", "--data-dir", folder],
        environment,
      );
      expect((await doctor(folder, scheduled)).of("backups")).toMatchObject({
        status: "fail",
        detail: expect.stringMatching(/hours old/),
      });
      s3.disturb = () => "refuse";
      expect((await doctor(folder, scheduled)).of("backups").detail).toContain("AccessDenied");
      const faults = await run(["config", "check"], { BSOPT_BACKUP_DIR: "s3://Desk" });
      expect(faults.err.split("\n").filter((line) => line.startsWith("  "))).toHaveLength(3);
    } finally {
      await s3.stop();
    }
  }, 60_000);
});

describe("config", () => {
  test("S5.10 check tells faults of every kind at once, also those that a setting's form does not show", async () => {
    const wrong = await run(["config", "check"], {
      BSOPT_PORT: "x",
      BSOPT_TRUSTED_PROXIES: "10.0.0.1/8,10.0.0.0/8,2001:db8::1/32",
      BSOPT_ENDPOINT_LIMITS: "GET /nowhere=5/min,POST /api/v1/pricing/price=5/min,/api/v2/*=5/min",
      BSOPT_MAIL_FROM: "<a@b..c>",
    });
    expect(wrong.code).toBe(2);
    const faults = wrong.err.split("\n").filter((line) => line.startsWith("  "));
    expect(faults.map((line) => line.trim().split(" ")[0])).toEqual([
      "BSOPT_PORT",
      "BSOPT_MAIL_FROM",
      "BSOPT_ENDPOINT_LIMITS",
      "BSOPT_ENDPOINT_LIMITS",
      "BSOPT_TRUSTED_PROXIES",
      "BSOPT_TRUSTED_PROXIES",
    ]);
    const serve = await run(["serve"], { BSOPT_TRUSTED_PROXIES: "10.0.0.1/8,10.0.0.2/8" });
    expect([serve.code, serve.err.split("10.0.0.").length - 1]).toEqual([2, 2]);
  });

  test("S5.12 show names what was changed while a server ran, and says so where the database cannot be read", async () => {
    const folder = await dataFolder();
    const database = createClient({ url: `file:${join(folder, "bsopt.db")}` });
    await database.execute(
      `INSERT INTO changed_settings VALUES (1, 1, '{"slow_request_ms":77,"log_level":"debug","port":9}', 0)`,
    );
    database.close();
    const { out } = await run(["config", "show", "--data-dir", folder], { BSOPT_LOG_LEVEL: "warn" });
    expect(out).toMatch(/^slow_request_ms +77 +database: slow_request_ms$/m);
    expect(out).toMatch(/^log_level +warn +BSOPT_LOG_LEVEL$/m);
    expect(out).toMatch(/^port +8080 +default$/m);
    writeFileSync(join(folder, "bsopt.db"), "this is no database");
    const damaged = await run(["config", "show", "--data-dir", folder]);
    expect(damaged.code).toBe(0);
    expect(damaged.err).toContain("what was changed while servers ran is not shown");
    expect(damaged.out).toMatch(/^slow_request_ms +1000 +default$/m);
  });

  test("S5.10 check says that all is right, or each fault with exit code 2", async () => {
    expect(await run(["config", "check"])).toMatchObject({ code: 0, out: "ok: 0 settings are set\n" });
    expect((await run(["config", "check", "--json", "--port", "1"])).out).toBe('{"status":"ok","set_count":1}\n');
    const wrong = await run(["config", "check"], { BSOPT_PORT: "x", BSOPT_POTR: "1" });
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain("did you mean BSOPT_PORT?");
  });

  test("S5.10 S3.22 show prints values and sources, and of a secret only that it is set", async () => {
    const environment = { BSOPT_REDIS_URL: "redis://user:canary@cache.example:6379", BSOPT_ALLOWED_HOSTS: "a.b,c.d" };
    const shown = await run(["config", "show", "--port", "9000"], environment);
    expect(shown.out).toMatch(/^port +9000 +--port$/m);
    expect(shown.out).toMatch(/^allowed_hosts +a\.b,c\.d +BSOPT_ALLOWED_HOSTS$/m);
    expect(shown.out).toMatch(/^redis_url +\(set; withheld\) +BSOPT_REDIS_URL$/m);
    expect(shown.out).toMatch(/^smtp_url +\(not set\) +default$/m);
    expect(shown.out).not.toContain("canary");
    const { settings } = JSON.parse((await run(["config", "show", "--json"], environment)).out);
    expect(settings.find(({ key }: { key: string }) => key === "port")).toEqual({
      ...{ key: "port", value: 8080, origin: "default" },
    });
  });
});
