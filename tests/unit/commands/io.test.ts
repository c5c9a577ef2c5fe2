// The real files and streams behind a command: a result appears whole or not at all, failures come in words, and a closed
// pipe is no failure.

import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { Command, InvalidArgumentError } from "commander";
import {
  BrokenPipe,
  CommandExit,
  type CommandIo,
  columnsDefault,
  exitCodes,
  outputStream,
  systemIo,
  UsageError,
} from "../../../src/commands/io";
import { createProgress } from "../../../src/commands/progress";
import { runCommandLine } from "../../../src/commands/run";
import { ManualClock } from "../../../src/foundation/clock";
import { BsoptError } from "../../../src/foundation/errors";
import { seededRandom } from "../../../src/foundation/random";

const io = systemIo(seededRandom(1n));
const folder = () => mkdtempSync(join(tmpdir(), "bsopt-io-"));
const bytes = (...texts: string[]) => texts.map((text) => Buffer.from(text));

async function failure(act: () => Promise<unknown> | AsyncIterable<unknown>): Promise<BsoptError> {
  try {
    const result = act();
    if (result instanceof Promise) await result;
    else for await (const _ of result);
  } catch (error) {
    expect(error).toBeInstanceOf(BsoptError);
    return error as BsoptError;
  }
  throw new Error("nothing was thrown");
}

describe("a result file", () => {
  test("is written whole, leaving nothing beside it", async () => {
    const at = folder();
    await io.writeFile(join(at, "out.csv"), bytes("a,b\n", "1,2\n"));
    expect(readFileSync(join(at, "out.csv"), "utf8")).toBe("a,b\n1,2\n");
    expect(readdirSync(at)).toEqual(["out.csv"]);
  });

  test("replaces the old one in one step, keeping its mode", async () => {
    const path = join(folder(), "out.csv");
    writeFileSync(path, "old");
    chmodSync(path, 0o640);
    await io.writeFile(path, bytes("new"));
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  test("stays the old one where the work fails half way", async () => {
    const at = folder();
    const path = join(at, "out.csv");
    writeFileSync(path, "old");
    async function* failing() {
      yield Buffer.from("half");
      throw new BsoptError({ reason: "internal", code: "X", detail: "broke off" });
    }
    expect((await failure(() => io.writeFile(path, failing()))).detail).toBe("broke off");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(at)).toEqual(["out.csv"]);
  });

  test("a device is written to as it is", async () => {
    await io.writeFile("/dev/null", bytes("gone"));
    expect(statSync("/dev/null").isCharacterDevice()).toBeTrue();
  });

  test("in a folder that isn't there, or being a folder, it is refused in words", async () => {
    const at = folder();
    mkdirSync(join(at, "sub"));
    expect((await failure(() => io.writeFile(join(at, "no", "x.csv"), bytes("x")))).detail).toBe(
      `there is no folder ${join(at, "no")}`,
    );
    expect((await failure(() => io.writeFile(join(at, "sub"), bytes("x")))).detail).toBe(
      `${join(at, "sub")} is a folder`,
    );
    expect(existsSync(join(at, "no"))).toBeFalse();
  });

  test("where the file system refuses, the code it gave is told", async () => {
    const at = folder();
    const name = "n".repeat(300);
    const error = await failure(() => io.writeFile(join(at, name), bytes("x")));
    expect(error.detail).toMatch(/^could not write .*: ENAMETOOLONG$/);
  });
});

describe("a file to read", () => {
  test("comes in pieces", async () => {
    const path = join(folder(), "in.csv");
    writeFileSync(path, "x".repeat(200_000));
    let length = 0;
    let pieces = 0;
    for await (const chunk of io.readFile(path)) {
      length += chunk.length;
      pieces += 1;
    }
    expect(length).toBe(200_000);
    expect(pieces).toBeGreaterThan(1);
  });

  test("that isn't there, is a folder, or leads nowhere is refused in words", async () => {
    const at = folder();
    symlinkSync(join(at, "loop"), join(at, "loop"));
    expect((await failure(() => io.readFile(join(at, "no.csv")))).detail).toBe(
      `there is no file ${join(at, "no.csv")}`,
    );
    expect((await failure(() => io.readFile(at))).detail).toBe(`${at} is a folder`);
    expect((await failure(() => io.readFile(join(at, "loop")))).detail).toMatch(/^could not read .*: ELOOP$/);
  });

  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.stderr.write("left out: root may read every file\n");
  test.skipIf(isRoot)("that may not be read says so", async () => {
    const path = join(folder(), "secret");
    writeFileSync(path, "x");
    chmodSync(path, 0);
    expect((await failure(() => io.readFile(path))).detail).toBe(`${path} may not be read`);
  });
});

describe("an output stream", () => {
  const streamThat = (write: (callback: (error?: Error | null) => void) => void) =>
    outputStream(new Writable({ write: (_chunk, _encoding, callback) => write(callback) }) as NodeJS.WriteStream);
  const withCode = (code: string) => Object.assign(new Error(code), { code });

  test("hands over text and bytes, and is 120 wide where it is no terminal", async () => {
    const parts: string[] = [];
    const stream = outputStream(
      new Writable({
        write: (chunk, _encoding, callback) => {
          parts.push(chunk.toString());
          callback();
        },
      }) as NodeJS.WriteStream,
    );
    await stream.write("a");
    await stream.write(Buffer.from("b"));
    expect(parts).toEqual(["a", "b"]);
    expect(stream.isTTY).toBeFalse();
    expect(stream.columns).toBe(columnsDefault);
  });

  test("a closed pipe is a BrokenPipe, then and ever after", async () => {
    const stream = streamThat((callback) => callback(withCode("EPIPE")));
    await expect(stream.write("x")).rejects.toBeInstanceOf(BrokenPipe);
    await expect(stream.write("y")).rejects.toBeInstanceOf(BrokenPipe);
  });

  test("a full disk is told in words", async () => {
    const stream = streamThat((callback) => callback(withCode("ENOSPC")));
    await expect(stream.write("x")).rejects.toMatchObject({ detail: "no space is left for the output" });
  });

  test("a refusal is told in words", async () => {
    const stream = streamThat((callback) => callback(withCode("EACCES")));
    await expect(stream.write("x")).rejects.toMatchObject({ detail: "the output may not be written" });
  });

  test("an error without a code passes through", async () => {
    const stream = streamThat((callback) => callback(new Error("odd")));
    await expect(stream.write("x")).rejects.toThrow("odd");
  });
});

/** Streams into arrays. */
function recorder() {
  const parts = { out: "", err: "" };
  const stream = (name: "out" | "err") => ({
    isTTY: true,
    columns: 80,
    write: async (chunk: string | Uint8Array) => {
      parts[name] += Buffer.from(chunk).toString();
    },
  });
  return { parts, io: { ...io, stdout: stream("out"), stderr: stream("err") } as CommandIo };
}

describe("S2.35 what a command's end becomes", () => {
  const ends: [string, () => unknown, number, string][] = [
    ["nothing thrown", () => undefined, exitCodes.done, ""],
    ["an exit code, all said", () => new CommandExit(exitCodes.partial), exitCodes.partial, ""],
    [
      "wrong usage",
      () => new UsageError("no such thing", "try this"),
      exitCodes.usage,
      "error: no such thing\nhint: try this\n",
    ],
    ["wrong usage without a hint", () => new UsageError("no such thing"), exitCodes.usage, "error: no such thing\n"],
    ["a bad argument", () => new InvalidArgumentError("not that"), exitCodes.usage, ""],
    ["a closed pipe", () => new BrokenPipe(), exitCodes.done, ""],
    [
      "an error with faults and a hint",
      () =>
        new BsoptError({
          reason: "invalid",
          code: "X",
          detail: "bad",
          hint: "mend it",
          faults: [{ pointer: "/a", code: "Y", detail: "wrong" }],
        }),
      exitCodes.failed,
      "error: bad\n  /a: wrong\nhint: mend it\n",
    ],
    ["a mistake of ours", () => new Error("oh \u001b[31mno"), exitCodes.failed, "error: unexpected: oh \ufffd[31mno\n"],
    ["something that is no error", () => "a word", exitCodes.failed, "error: unexpected: a word\n"],
  ];
  test.each(ends)("%s", async (_, thrown, code, err) => {
    const { parts, io: recorded } = recorder();
    const program = new Command("bsopt").addCommand(
      new Command("go").action(() => {
        const error = thrown();
        if (error !== undefined) throw error;
      }),
    );
    expect(await runCommandLine({ program, argv: ["go"], io: recorded })).toBe(code as never);
    expect(parts).toEqual({ out: "", err });
  });

  test("an unknown flag deep inside is exit code 2, with the words on standard error", async () => {
    const { parts, io: recorded } = recorder();
    const program = new Command("bsopt").addCommand(
      new Command("key").addCommand(new Command("create").action(() => {})),
    );
    expect(await runCommandLine({ program, argv: ["key", "create", "--nonsense"], io: recorded })).toBe(
      exitCodes.usage,
    );
    expect(parts.err).toContain("unknown option '--nonsense'");
  });

  test("where nobody reads the words either, the code stands", async () => {
    const deaf = {
      ...io,
      stdout: { isTTY: false, columns: 80, write: () => Promise.reject(new BrokenPipe()) },
    } as CommandIo;
    const program = new Command("bsopt").version("1");
    expect(await runCommandLine({ program, argv: ["--version"], io: deaf })).toBe(exitCodes.done);
  });
});

describe("the progress bar", () => {
  const bar = (isTTY: boolean) => {
    const written: string[] = [];
    const clock = new ManualClock();
    const stream = {
      isTTY,
      columns: 80,
      write: async (chunk: string | Uint8Array) => void written.push(String(chunk)),
    };
    return { written, clock, progress: createProgress(stream, clock, "chain") };
  };

  test("says nothing in the first second, then at most ten times a second, and wipes itself away", async () => {
    const { written, clock, progress } = bar(true);
    clock.advance(999);
    await progress.update(10, 100);
    expect(written).toEqual([]);
    clock.advance(1);
    await progress.update(50, 100);
    clock.advance(99);
    await progress.update(60, 100);
    clock.advance(1);
    await progress.update(100, 100);
    await progress.finish();
    expect(written).toEqual([
      `\rchain ${"█".repeat(15)}${"░".repeat(15)} 50 % (50 of 100)\u001b[K`,
      `\rchain ${"█".repeat(30)} 100 % (100 of 100)\u001b[K`,
      "\r\u001b[K",
    ]);
  });

  test("while it reads it tells how much, since nobody knows how much is to come", async () => {
    const { written, clock, progress } = bar(true);
    async function* source() {
      yield new Uint8Array(1_000_000);
      clock.advance(2000);
      yield new Uint8Array(500_000);
      yield new Uint8Array(500_000);
    }
    let length = 0;
    for await (const chunk of progress.reading(source())) length += chunk.length;
    expect(length).toBe(2_000_000);
    expect(written).toEqual(["\rchain 1.5 MB read\u001b[K"]);
  });

  test("where there is no terminal it says nothing at all", async () => {
    const { written, clock, progress } = bar(false);
    clock.advance(5000);
    await progress.update(1, 2);
    await progress.finish();
    expect(written).toEqual([]);
  });

  test("of nothing, nothing is done", async () => {
    const { written, clock, progress } = bar(true);
    clock.advance(5000);
    await progress.update(0, 0);
    expect(written[0]).toContain(" 0 % (0 of 0)");
  });
});
