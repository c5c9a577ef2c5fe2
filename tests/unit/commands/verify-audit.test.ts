// `bsopt verify audit` in this process, on a real database in a temporary folder: what it says, what a script can rely on, what wrong
// usage says; and that it is reached beside plain `bsopt verify`, as the program itself builds it.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { masterKeyFileName } from "../../../src/adapters/master-key";
import { createApp } from "../../../src/app";
import type { CommandIo } from "../../../src/commands/io";
import { buildProgram } from "../../../src/commands/program";
import { runCommandLine } from "../../../src/commands/run";
import { verifyAuditCommand } from "../../../src/commands/verify-audit";
import { buildInfo } from "../../../src/config/build-info";
import { createLiveConfig } from "../../../src/config/live";
import { createEngine } from "../../../src/engine/engine";
import { systemClock } from "../../../src/foundation/clock";
import { BsoptError } from "../../../src/foundation/errors";
import { silentLog } from "../../../src/foundation/log";
import { systemRandom } from "../../../src/foundation/random";
import { kernelWasmBytes } from "../../../src/storage/assets";
import { type AuditFixture, headsIn, openAudit } from "../../harness/audit";
import { testEngine } from "../../harness/command-line";
import { recordingLog, until } from "../../harness/storage";

let fixture: AuditFixture;
let closed: number;
beforeEach(async () => {
  fixture = await openAudit();
  closed = 0;
});
afterEach(() => fixture.close());

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function memoryIo(files: Readonly<Record<string, string>>) {
  const said = { out: "", err: "" };
  const streamOf = (name: "out" | "err") => ({
    isTTY: false,
    columns: 120,
    write: async (chunk: string | Uint8Array) => {
      said[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    },
  });
  async function* chunks(text: string) {
    for (let start = 0; start < text.length; start += 100) yield Buffer.from(text.slice(start, start + 100));
  }
  const io: CommandIo = {
    stdout: streamOf("out"),
    stderr: streamOf("err"),
    stdin: () => chunks(files["-"] ?? ""),
    readFile: (path) => {
      const text = files[path];
      if (text === undefined)
        throw new BsoptError({ reason: "not-found", code: "FILE_NOT_FOUND", detail: "no such file" });
      return chunks(text);
    },
    writeFile: async () => {},
  };
  return { io, said };
}

async function run(argv: readonly string[], files: Readonly<Record<string, string>> = {}): Promise<Said> {
  const { io, said } = memoryIo(files);
  const audit = verifyAuditCommand({
    io,
    environment: {},
    openAudit: async () => ({
      audit: fixture.audit,
      close: async () => {
        closed += 1;
      },
    }),
  });
  const code = await runCommandLine({ program: new Command("bsopt").addCommand(audit), argv: ["audit", ...argv], io });
  return { code, ...said };
}

async function head(): Promise<string> {
  const log = recordingLog();
  await fixture.another({ log }).close();
  return headsIn(log.lines)[0]!;
}

describe("S3.18 verify audit", () => {
  test("says that an intact log is intact, and that no head was given", async () => {
    await fixture.record({}, {});
    expect(await run([])).toEqual({
      code: 0,
      out: "the audit log is intact: 2 rows, the last is 2\nno head was given: rows cut off at the end would not be missed\n",
      err: "",
    });
    expect(closed).toBe(1);
  });

  test("says what is wrong and where, and fails", async () => {
    await fixture.record({}, {}, {});
    await fixture.tamper("UPDATE audit_events SET action = 'x' WHERE id = 2");
    const { code, out } = await run([]);
    expect(code).toBe(1);
    expect(out).toStartWith(
      "the audit log is NOT intact: 1 faults in 3 rows\n  row 2: the row is not as it was written (row_changed)\n",
    );
    expect(closed).toBe(1);
  });

  test("finds a cut by a head on the command line, and by heads among other lines of a log", async () => {
    await fixture.record({}, {});
    const first = await head();
    await fixture.record({});
    const second = await head();
    const logText = `{"level":"info","message":"listening"}\n{"level":"info","audit_head":"${first}","message":"audit head"}\nplain ${second} text`;
    expect(await run(["--head", first, "--head", second])).toMatchObject({
      code: 0,
      out: expect.stringContaining("heads: 2 match, 0 are of rows cut off since\n"),
    });
    await fixture.tamper("DELETE FROM audit_events WHERE id = 3");
    expect((await run(["--head", first])).code).toBe(0);
    for (const files of [{ "server.log": logText }, { "-": logText }]) {
      const { code, out } = await run(
        ["--heads-from", Object.keys(files)[0]!],
        files as unknown as Record<string, string>,
      );
      expect(code).toBe(1);
      expect(out).toContain("row 3: the chain ends at 2, and a head was taken at 3 (cut_short)");
    }
  });

  test("as JSON says the same in fields", async () => {
    await fixture.record({ userId: "user-1" }, {});
    await fixture.storage.write((tx) => fixture.audit.erasePersonal(tx, "user-1"));
    await fixture.tamper("DELETE FROM audit_events WHERE id = 1");
    const { code, out } = await run(["--json", "--head", await head()]);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual({
      status: "broken",
      row_count: 2,
      cut_at: null,
      last_id: "3",
      erased_count: 1,
      heads_matched: 1,
      heads_uncompared: 0,
      fault_count: 1,
      faults: [{ kind: "rows_missing", event_id: "1", detail: "rows 1 to 1 are not there" }],
    });
  });

  const wrong: readonly (readonly [string, readonly string[], string])[] = [
    ["a head that is none", ["--head", "v1.nonsense"], "is no head"],
    ["a log without heads", ["--heads-from", "empty.log"], "holds no head"],
    ["an argument", ["everything"], "too many arguments"],
    ["an option it does not know", ["--haed", "x"], "unknown option"],
  ];
  for (const [name, argv, words] of wrong) {
    test(`with ${name} is wrong usage`, async () => {
      const { code, out, err } = await run(argv, { "empty.log": "nothing\n" });
      expect(code).toBe(2);
      expect(out).toBe("");
      expect(err).toContain(words);
    });
  }

  test("with a log that is not there fails in words", async () => {
    expect(await run(["--heads-from", "missing.log"])).toMatchObject({ code: 1, err: "error: no such file\n" });
  });
});

describe("S3.18 verify audit as the program builds it", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bsopt-verify-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const program = async (...argv: string[]): Promise<Said> => {
    const { io, said } = memoryIo({});
    const dependencies = {
      io,
      environment: { BSOPT_DATA_DIR: folder },
      clock: systemClock,
      random: systemRandom,
      build: buildInfo,
      engine: () => testEngine(),
      untilStopped: async () => {},
    };
    const code = await runCommandLine({ program: await buildProgram(dependencies, argv), argv, io });
    return { code, ...said };
  };

  test("makes nothing where there is no database, and nothing where there is no key", async () => {
    expect(await program("verify", "audit")).toMatchObject({
      code: 1,
      err: expect.stringContaining("There is no database."),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  test("works beside a running server, on what its first start has recorded", async () => {
    const app = await createApp({
      live: createLiveConfig({
        flags: {},
        environment: { BSOPT_DATA_DIR: folder, BSOPT_PORT: "0", BSOPT_DRAIN_MS: "0", BSOPT_ENVIRONMENT: "test" },
        file: null,
      }),
      build: buildInfo,
      engine: createEngine({ wasmBytes: kernelWasmBytes(), version: buildInfo.version }),
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });
    try {
      expect((await fetch(`${app.url}/api/v1/audit`)).ok).toBe(false);
      const headers = { "x-api-key": app.firstAdminKey!.text };
      const types = async () =>
        (
          (await (await fetch(`${app.url}/api/v1/audit`, { headers })).json()) as { data: { event_type: string }[] }
        ).data.map(({ event_type }) => event_type);
      await until("the refusal is recorded", async () => (await types()).includes("authz.access.denied"));
      expect((await types()).slice(-2)).toEqual(["apikey.created", "admin.user.created"]);
      expect(JSON.parse((await program("verify", "audit", "--json")).out)).toMatchObject({ status: "intact" });
    } finally {
      await app.stop();
    }
    rmSync(join(folder, masterKeyFileName));
    expect(await program("verify", "audit")).toMatchObject({
      code: 1,
      err: expect.stringContaining("There is no file master-key"),
    });
    expect(readdirSync(folder)).not.toContain(masterKeyFileName);
  });

  test("plain verify still takes its own flag", async () => {
    const { code, out } = await program("verify", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ passed: true });
  });
});
