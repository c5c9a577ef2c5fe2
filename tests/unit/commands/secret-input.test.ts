// How a password is taken: keys of a terminal as they arrive, and one line out of a pipe.

import { describe, expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import { CommandExit, UsageError } from "../../../src/commands/io";
import { readPipedLine, readTypedLine, type Terminal, terminalSecrets } from "../../../src/commands/secret-input";

async function* chunks(...texts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield typeof text === "string" ? new TextEncoder().encode(text) : text;
}

describe("S1.01 a password typed on a terminal", () => {
  const taken: readonly (readonly [string, readonly (string | Uint8Array)[], string])[] = [
    ["key by key", ["a", "b", "c", "\r"], "abc"],
    ["pasted", ["abc\n"], "abc"],
    ["with an erased key", ["abx\u007fc\r"], "abc"],
    ["with an erased key on another terminal", ["abx\bc\r"], "abc"],
    ["with more erased than typed", ["a\u007f\u007f\u007fb\r"], "b"],
    ["with everything erased", ["wrong\u0015right\r"], "right"],
    ["with a character of four bytes erased whole", ["a😀\u007fb\r"], "ab"],
    ["with a character cut between two arrivals", [new Uint8Array([0xc3]), new Uint8Array([0xbc]), "\r"], "ü"],
    ["with spaces around", [" a b \r"], " a b "],
    ["empty", ["\r"], ""],
  ];
  for (const [title, keys, line] of taken) {
    test(`${title} is taken`, async () => {
      expect(await readTypedLine(chunks(...keys))).toBe(line);
    });
  }
  test("is given up with Ctrl-C, quietly, and with Ctrl-D or a closed terminal in words", async () => {
    await expect(readTypedLine(chunks("ab\u0003"))).rejects.toBeInstanceOf(CommandExit);
    await expect(readTypedLine(chunks("ab\u0004"))).rejects.toBeInstanceOf(UsageError);
    await expect(readTypedLine(chunks("ab"))).rejects.toBeInstanceOf(UsageError);
  });
  test("is bounded", async () => {
    await expect(readTypedLine(chunks("x".repeat(5000)))).rejects.toThrow("too long");
  });
});

describe("S1.01 a password piped in", () => {
  test("is the one line, without its end and with everything else", async () => {
    for (const text of ["a b", "a b\n", "a b\r\n"]) expect(await readPipedLine(chunks(text))).toBe("a b");
    expect(await readPipedLine(chunks("a", " b ", "\n"))).toBe("a b ");
  });
  for (const [title, input, words] of [
    ["nothing", "", "no password"],
    ["an empty line", "\n", "no password"],
    ["two lines", "a\nb", "more than one line"],
    ["a bare carriage return", "a\rb\n", "more than one line"],
    ["too much", "x".repeat(4097), "too long"],
    ["no UTF-8", new Uint8Array([0xff, 0xfe]), "UTF-8"],
  ] as const) {
    test(`that is ${title} is refused`, async () => {
      await expect(readPipedLine(chunks(input))).rejects.toThrow(words);
    });
  }
});

describe("S1.01 a terminal", () => {
  function terminal(): { keys: PassThrough; said: string[]; modes: boolean[]; parts: Terminal } {
    const keys = new PassThrough();
    const [said, modes]: [string[], boolean[]] = [[], []];
    const stdin = Object.assign(keys, { isTTY: true, setRawMode: (isRaw: boolean) => void modes.push(isRaw) });
    const stderr = { write: (text: string) => void said.push(text) };
    return { keys, said, modes, parts: { stdin: stdin as unknown as Terminal["stdin"], stderr } };
  }

  test("is asked on without showing what is typed, and put back as it was", async () => {
    const { keys, said, modes, parts } = terminal();
    const asked = terminalSecrets(parts)!("password: ");
    expect(modes).toEqual([true]);
    keys.write("sec");
    keys.write("ret\r");
    expect(await asked).toBe("secret");
    expect([modes, said.join("")]).toEqual([[true, false], "password: \n"]);
  });

  test("keeps what was pasted behind the first line for the next question", async () => {
    const { keys, parts } = terminal();
    const ask = terminalSecrets(parts)!;
    keys.write("one\r\ntwo\nthree");
    expect([await ask("first: "), await ask("second: ")]).toEqual(["one", "two"]);
    keys.write("!\r");
    expect(await ask("third: ")).toBe("three!");
  });

  test("is put back where the question is given up, or the terminal goes away", async () => {
    for (const end of [(keys: PassThrough) => keys.write("ab\u0003"), (keys: PassThrough) => keys.end("ab")]) {
      const { keys, modes, parts } = terminal();
      const asked = terminalSecrets(parts)!("password: ");
      end(keys);
      expect(await asked.catch((error: unknown) => error)).toBeInstanceOf(Error);
      expect(modes).toEqual([true, false]);
    }
  });

  test("is not asked where there is none", () => {
    const { parts } = terminal();
    const stdin = Object.assign(parts.stdin, { isTTY: false }) as Terminal["stdin"];
    expect(terminalSecrets({ ...parts, stdin })).toBeUndefined();
  });
});
