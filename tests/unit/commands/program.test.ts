// Whole command lines through the real program, inside this process: the server's life, the database's migrations, keys
// beside them, and what the small commands print. Real files in a temporary folder, a real socket on a free port.

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openIdentity } from "../../../src/app";
import { type CommandIo, systemIo } from "../../../src/commands/io";
import { buildProgram, withDatabaseEngine } from "../../../src/commands/program";
import { runCommandLine } from "../../../src/commands/run";
import { buildInfo } from "../../../src/config/build-info";
import { loadConfig } from "../../../src/config/config";
import { systemClock } from "../../../src/foundation/clock";
import { BsoptError } from "../../../src/foundation/errors";
import { silentLog } from "../../../src/foundation/log";
import { systemRandom } from "../../../src/foundation/random";
import { testEngine } from "../../harness/command-line";

const top = mkdtempSync(join(tmpdir(), "bsopt-program-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));
let folderCount = 0;
const machine = systemIo(systemRandom);

interface Run {
  readonly argv: readonly string[];
  readonly environment?: Record<string, string>;
  readonly isTerminal?: boolean;
  readonly untilStopped?: () => Promise<void>;
  /** Told everything as it is written to standard error. */
  readonly onError?: (text: string) => void;
}

/** Runs one command line with streams in memory and the machine's own files. */
async function run({ argv, environment = {}, isTerminal = false, untilStopped, onError }: Run) {
  let out = "";
  let err = "";
  const io: CommandIo = {
    ...machine,
    stdout: {
      isTTY: isTerminal,
      columns: 120,
      write: async (chunk) => {
        out += Buffer.from(chunk as string).toString();
      },
    },
    stderr: {
      isTTY: isTerminal,
      columns: 120,
      write: async (chunk) => {
        err += chunk;
        onError?.(err);
      },
    },
  };
  const program = await buildProgram(
    {
      io,
      environment: { BSOPT_LOG_LEVEL: "error", ...environment },
      clock: systemClock,
      random: systemRandom,
      build: buildInfo,
      engine: testEngine,
      untilStopped: untilStopped ?? (() => Promise.reject(new Error("nobody serves here"))),
    },
    argv,
  );
  const code = await runCommandLine({ program, argv, io });
  return { code, out, err };
}

const freshFolder = () => join(top, `data-${++folderCount}`);

/** Serves until `stop`, as after a signal; `finished` is what came of it. */
async function start(folder: string, options: Pick<Run, "isTerminal" | "environment"> = {}) {
  const stop = Promise.withResolvers<void>();
  const listening = Promise.withResolvers<string>();
  const finished = run({
    argv: ["serve", "--port", "0", "--data-dir", folder, "--drain-ms", "0"],
    untilStopped: () => stop.promise,
    onError: (text) => {
      const url = /listens on (\S+)/.exec(text)?.[1];
      if (url) listening.resolve(url);
    },
    ...options,
  });
  const ended = finished.then(({ err }) => Promise.reject(new Error(`did not listen: ${err}`)));
  const url = await Promise.race([listening.promise, ended]);
  ended.catch(() => undefined);
  return { url, finished, stop: stop.resolve };
}

/** Serves while `use` runs. */
async function serving(folder: string, use: (url: string) => Promise<void>, options: Parameters<typeof start>[1] = {}) {
  const { url, finished, stop } = await start(folder, options);
  try {
    await use(url);
  } finally {
    stop();
  }
  return finished;
}

describe("bsopt serve", () => {
  test("S1.06 says where it listens, what to open and which file keeps the key, and stops in order", async () => {
    const folder = freshFolder();
    const done = await serving(folder, async (url) => {
      expect((await fetch(`${url}/readiness`)).status).toBe(200);
    });
    const key = readFileSync(join(folder, "admin-api-key"), "utf8").trim();
    expect(done).toMatchObject({ code: 0, out: "" });
    expect(done.err).toContain("/docs");
    expect(done.err).toContain(join(folder, "admin-api-key"));
    expect(done.err).not.toContain(key);
    expect(statSync(join(folder, "admin-api-key")).mode & 0o777).toBe(0o600);
  });

  test("shows the key itself on a terminal, on the start that made it and on no other", async () => {
    const folder = freshFolder();
    const first = await serving(folder, async () => {}, { isTerminal: true });
    const key = readFileSync(join(folder, "admin-api-key"), "utf8").trim();
    expect(first.err).toContain(key);
    const second = await serving(folder, async () => {}, { isTerminal: true });
    expect(second.err).not.toContain(key);
  });

  test("leaves nothing running when its address is taken, and says so", async () => {
    const folder = freshFolder();
    await serving(folder, async (url) => {
      const other = await run({
        argv: ["serve", "--port", new URL(url).port, "--data-dir", freshFolder()],
        untilStopped: () => new Promise(() => {}),
      });
      expect(other.code).toBe(1);
      expect(other.err).toContain("error: ");
    });
  });

  test("S5.10 S2.39 reads bsopt.toml where it is named, and refuses one that is missing, too large or wrong", async () => {
    const file = join(top, "settings.toml");
    writeFileSync(file, "port = 70000\nhots = 'x'\n");
    const wrong = await run({ argv: ["serve", "--config", file] });
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain(`${file}: port must be a whole number from 0 to 65535`);
    expect(wrong.err).toContain("did you mean host?");
    writeFileSync(file, `# ${"x".repeat(1_100_000)}\n`);
    expect((await run({ argv: ["serve", "--config", file] })).code).toBe(2);
    expect((await run({ argv: ["serve", "--config", join(top, "absent.toml")] })).code).toBe(1);
  });

  test("S5.10 S4.47 counts by the calendars of the file that a setting names, and refuses one with faults before anything is made", async () => {
    const file = join(top, "calendars.toml");
    writeFileSync(file, "[paris]\nholidays = [2026-05-01]\n");
    const folder = freshFolder();
    const ask = async (url: string) => {
      const key = readFileSync(join(folder, "admin-api-key"), "utf8").trim();
      const response = await fetch(`${url}/api/v1/pricing/price`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-api-key": key },
        body: JSON.stringify({
          model: "black_scholes_merton",
          option_type: "call",
          spot: 100,
          strike: 100,
          rate: 0,
          volatility: 0.2,
          expiry: "2026-05-04T17:30:00+02:00",
          valuation_time: "2026-04-30T09:00:00+02:00",
          day_count: "business/252",
          calendar: "paris",
        }),
      });
      expect(((await response.json()) as { time_to_expiry: number }).time_to_expiry).toBe(1 / 252);
    };
    await serving(folder, ask, { environment: { BSOPT_CALENDARS: file } });

    writeFileSync(file, "[paris]\nholidays = ['1 May']\n[cboe]\nholidays = []\n");
    const untouched = freshFolder();
    const wrong = await run({ argv: ["serve", "--data-dir", untouched, "--calendars", file] });
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain("\n  paris/holidays/0 must be a day such as 2026-12-25\n  cboe is built in");
    expect(existsSync(untouched)).toBeFalse();
    const absent = await run({ argv: ["serve", "--data-dir", untouched, "--calendars", join(top, "absent.toml")] });
    expect([absent.code, absent.err]).toEqual([1, `error: there is no file ${join(top, "absent.toml")}\n`]);
  });

  test("its help lists every setting with environment name and default", async () => {
    const { code, out } = await run({ argv: ["serve", "--help"] });
    expect(code).toBe(0);
    for (const word of ["--port", "BSOPT_PORT", "8080", "--allowed-hosts", "BSOPT_ALLOWED_HOSTS", "--config"])
      expect(out).toContain(word);
  });
});

describe("the program", () => {
  test("its help lists the commands and what the exit codes mean", async () => {
    const { code, out } = await run({ argv: ["--help"] });
    expect(code).toBe(0);
    for (const command of ["serve", "price", "iv", "chain", "key", "migrate", "verify", "bench", "openapi", "version"])
      expect(out).toMatch(new RegExp(`^ {2}${command} `, "m"));
    expect(out).toContain("Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some rows could not be priced.\n");
  });
});

describe("the application", () => {
  test("S5.19 ends with exit code 1 where the database is damaged beneath it, and repeats nothing of the inside", async () => {
    const folder = freshFolder();
    const { url, finished } = await start(folder);
    const key = readFileSync(join(folder, "admin-api-key"), "utf8").trim();
    for (const name of ["bsopt.db", "bsopt.db-wal"]) {
      const path = join(folder, name);
      if (existsSync(path)) writeFileSync(path, new Uint8Array(statSync(path).size).fill(0xa5), { flag: "r+" });
    }
    const response = await fetch(`${url}/api/v1/api-keys`, {
      method: "POST",
      body: JSON.stringify({ name: "k", scopes: ["pricing:read"] }),
      headers: { "x-api-key": key, "content-type": "application/json" },
    });
    expect(response.status).toBeGreaterThanOrEqual(500);
    const done = await finished;
    expect(done.code).toBe(1);
    expect(done.err).toContain("error: ");
    expect(done.err).not.toMatch(/SQLITE|SELECT|INSERT/);
  });

  test("identity opens beside a running server and closes again", async () => {
    const folder = freshFolder();
    await serving(folder, async () => {
      const config = loadConfig({ flags: { data_dir: folder }, environment: {}, file: null });
      const opened = await openIdentity({ config, clock: systemClock, random: systemRandom, log: silentLog });
      expect(await opened.keys.ensureFirstAdminKey(opened.keyFile)).toBeNull();
      await opened.close();
    });
  });
});

describe("bsopt migrate", () => {
  test("S2.21 up, status, down and up again, with where the database stands each time", async () => {
    const folder = freshFolder();
    const at = async (...argv: string[]) =>
      JSON.parse((await run({ argv: ["migrate", ...argv, "--data-dir", folder, "--json"] })).out);
    const up = await at("up");
    expect(up.version).toBe(up.latest_version);
    expect(up.migrations[0]).toMatchObject({ version: 1, state: "applied", applied_at: expect.stringMatching(/Z$/) });
    expect((await at("down", "--to", "0")).version).toBe(0);
    expect((await at("status")).migrations[0]).toMatchObject({ state: "pending", applied_at: null });
    const words = await run({ argv: ["migrate", "up", "--data-dir", folder] });
    expect(words.out).toContain(`version ${up.latest_version} of ${up.latest_version}`);
  });

  test("a database of a newer executable is told in words and fails", async () => {
    const folder = freshFolder();
    await run({ argv: ["migrate", "up", "--data-dir", folder] });
    const { createClient } = await import("@libsql/client");
    const client = createClient({ url: `file:${join(folder, "bsopt.db")}` });
    await client.execute(
      "INSERT INTO schema_migrations (number, tag, hash, applied_at) VALUES (9999, '9998_later', 'x', 0)",
    );
    client.close();
    const done = await run({ argv: ["migrate", "status", "--data-dir", folder] });
    expect(done.code).toBe(1);
    expect(done.err).toContain("error: ");
  });

  test.each(["x", "-1", "1.5", ""])("down refuses --to %p", async (to) => {
    expect((await run({ argv: ["migrate", "down", "--to", to, "--data-dir", freshFolder()] })).code).toBe(2);
  });
});

describe("bsopt key", () => {
  test("create prints the secret alone on standard output; the server beside it takes the key", async () => {
    const folder = freshFolder();
    await serving(folder, async (url) => {
      const made = await run({
        argv: ["key", "create", "--name", "bot", "--scopes", "pricing:read", "--data-dir", folder],
      });
      expect(made.out).toMatch(/^bso_[0-9A-Za-z]+_[0-9A-Za-z]+\n$/);
      const response = await fetch(`${url}/api/v1/pricing/models`, { headers: { "x-api-key": made.out.trim() } });
      expect(response.status).toBe(200);
    });
  });
});

describe("the program", () => {
  test.each([[[]], [["--help"]], [["prise"]]])("lists every command for %p", async (argv) => {
    const { out, err } = await run({ argv });
    const listed = [
      "serve",
      "price",
      "iv",
      "chain",
      "key",
      "migrate",
      "verify",
      "bench",
      "openapi",
      "health",
      "version",
    ];
    for (const name of argv[0] === "prise" ? ["price"] : listed) expect(out + err).toContain(name);
  });
});

describe("the small commands", () => {
  test("S1.15 verify prints each output's worst error and the speeds, and passes", async () => {
    const words = await run({ argv: ["verify"] });
    expect(words.code).toBe(0);
    expect(words.out).toContain("gamma");
    const report = JSON.parse((await run({ argv: ["verify", "--json"] })).out);
    expect(report.passed).toBe(true);
    expect(
      report.checks.every(({ worst, tolerance }: { worst: number; tolerance: number }) => worst <= tolerance),
    ).toBe(true);
  });

  test("version tells what was compiled in, in words and as JSON", async () => {
    expect((await run({ argv: ["version"] })).out).toContain(`bsopt ${buildInfo.version}`);
    expect(JSON.parse((await run({ argv: ["version", "--json"] })).out)).toMatchObject({
      version: buildInfo.version,
      wasm_sha256: testEngine().info.wasmSha256,
    });
  });

  test("bench times both tasks at every size", async () => {
    const rows = JSON.parse((await run({ argv: ["bench", "--milliseconds", "1", "--json"] })).out);
    expect(rows).toHaveLength(10);
    for (const row of rows) expect(row.best_ns > 0 && row.best_ns <= row.median_ns && row.rounds >= 5).toBe(true);
    expect((await run({ argv: ["bench", "--milliseconds", "1"] })).out.trim().split("\n")).toHaveLength(11);
    expect((await run({ argv: ["bench", "--milliseconds", "soon"] })).code).toBe(2);
  });

  test("openapi prints the committed document", async () => {
    const { code, out } = await run({ argv: ["openapi"] });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(
      JSON.parse(readFileSync(join(import.meta.dir, "..", "..", "..", "openapi.json"), "utf8")),
    );
  });

  test("health is ok beside a server and fails in words where there is none or something else answers", async () => {
    await serving(freshFolder(), async (url) => {
      const port = new URL(url).port;
      for (const host of ["127.0.0.1", "0.0.0.0"]) {
        expect(await run({ argv: ["health", "--host", host, "--port", port] })).toMatchObject({ code: 0, out: "ok\n" });
      }
    });
    using other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("no", { status: 500 }) });
    const unhealthy = await run({ argv: ["health", "--port", String(other.port)] });
    expect(unhealthy).toMatchObject({ code: 1, err: expect.stringContaining("answered 500") });
    other.stop(true);
    expect((await run({ argv: ["health", "--port", String(other.port)] })).err).toContain("no answer from");
    expect((await run({ argv: ["health", "--host", "::", "--port", String(other.port)] })).err).toContain(
      "http://[::1]:",
    );
    expect((await run({ argv: ["health", "--host", "::1", "--port", String(other.port)] })).err).toContain(
      "http://[::1]:",
    );
  });

  test("a database engine that cannot be loaded is told with what to do", async () => {
    const failing = withDatabaseEngine(() => Promise.reject(new Error("dlopen: noexec")));
    await expect(failing).rejects.toBeInstanceOf(BsoptError);
    await failing.catch((error: BsoptError) => {
      expect(error.code).toBe("DATABASE_ENGINE_UNLOADABLE");
      expect(error.hint).toContain("TMPDIR");
    });
  });

  test("S3.22 no command leaves files behind where it was only asked something", async () => {
    const folder = freshFolder();
    await run({ argv: ["version"] });
    await run({ argv: ["openapi"] });
    expect(existsSync(folder)).toBe(false);
  });
});
