// Runs the guide to the shell and the README's own pricing commands: the guide's book, its commands, what they print.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { buildWasm } from "../../build/wasm";
import { runCommand } from "../harness/command-line";

const blocksOf = (path: string) =>
  [...readFileSync(join(root, path), "utf8").matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({
    language: language!,
    text: text!.trimEnd(),
  }));

const guide = blocksOf("docs/guides/shell.md");
const files = { "book.csv": guide.find(({ language }) => language === "csv")!.text };
const printed = guide.flatMap((block, index) => {
  const next = guide[index + 1];
  return block.language === "sh" && next?.language === "text" ? [[block.text, next.text] as const] : [];
});
const unprinted = guide.flatMap(({ language, text }, index) =>
  language === "sh" && guide[index + 1]?.language !== "text" ? text.split("\n") : [],
);
const argvOf = (line: string) =>
  line
    .replace(/ +#.*$/, "")
    .split(" ")
    .slice(1);
/** A guide prints as many digits as a reader wants. */
const short = (text: string) =>
  text.split("\n").map((line) =>
    line
      .split(",")
      .map((cell) => (/^-?\d+\.\d{6,}$/.test(cell) ? String(+(+cell).toFixed(4)) : cell))
      .join(","),
  );

describe("S1.08 the guide to the shell", () => {
  test("has commands with and without their output", () => {
    expect([printed.length, unprinted.length]).toEqual([3, 2]);
  });

  test.each(printed)("%s prints what stands below it", async (line, text) => {
    const { out, code } = await runCommand(argvOf(line), { files });
    expect(code).toBe(text.includes("out_of_domain") ? 3 : 0);
    expect(text.startsWith("id,") ? short(out.trimEnd()) : out.trimEnd().split("\n")).toEqual(text.split("\n"));
  });

  test.each(unprinted)("%s prices all but the row with a negative volatility", async (line) => {
    const { code, out, written } = await runCommand(argvOf(line), { files });
    expect(code).toBe(3);
    expect(out.length + (written.get("priced.arrow")?.length ?? 0)).toBeGreaterThan(100);
  });
});

describe("S1.08 the README's commands", () => {
  const lines = blocksOf("README.md").flatMap(({ language, text }) => (language === "sh" ? text.split("\n") : []));
  const single = lines.filter((line) => /^bsopt (price|iv) --/.test(line));

  test("has one of each for a single option", () => expect(single.length).toBe(2));

  test.each(single)("%s is answered ok", async (line) => {
    const { code, out } = await runCommand(argvOf(line));
    expect(code).toBe(0);
    expect(out).toMatch(/^status +ok$/m);
  });

  test("its answer names the kernel that is built from these sources", async () => {
    const answer = JSON.parse(blocksOf("README.md").find(({ language }) => language === "json")!.text);
    expect(answer.engine.wasm_sha256).toBe((await buildWasm()).sha256);
  });
});
