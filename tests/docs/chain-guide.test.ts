// Runs the guide to chains: its file, its commands, its printed table, character by character.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { runCommand } from "../harness/command-line";

const guide = readFileSync(join(root, "docs/guides/chain.md"), "utf8");
const blocks = [...guide.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({
  language,
  text: text!,
}));
const files = { "chain.csv": blocks.find(({ language }) => language === "csv")!.text };
const commands = blocks.filter(({ language }) => language === "sh").flatMap(({ text }) => text.trim().split("\n"));

describe("S1.08 the guide to chains", () => {
  test("has a file, a table and several commands", () => {
    expect(Object.values(files)[0]!.split("\n").length).toBeGreaterThan(10);
    expect(commands.length).toBeGreaterThan(3);
  });

  test("prints the table the command prints", async () => {
    const { out } = await runCommand(commands[0]!.split(" ").slice(1), { files });
    expect(out.trimEnd()).toBe(blocks.find(({ language }) => language === "text")!.text.trimEnd());
  });

  test.each(commands)("%s prices all but one option", async (line) => {
    const [program, ...argv] = line.split(" ");
    expect(program).toBe("bsopt");
    const { code, err } = await runCommand(argv, { files });
    // At the ask even the option without a bid has a price.
    expect(code).toBe(line.includes("ask") ? 0 : 3);
    expect(err).toContain(line.includes("ask") ? "12 options, 12 priced" : "12 options, 11 priced, 1 not: no_bid 1");
  });
});
