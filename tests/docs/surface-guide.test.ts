// Runs the guide to surfaces: its file, its commands, its printed table, character by character.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { runCommand } from "../harness/command-line";

const guide = readFileSync(join(root, "docs/guides/surface.md"), "utf8");
const blocks = [...guide.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({
  language,
  text: text!,
}));
const files = { "chain.csv": blocks.find(({ language }) => language === "csv")!.text };
const commands = blocks.filter(({ language }) => language === "sh").flatMap(({ text }) => text.trim().split("\n"));

describe("S1.08 the guide to surfaces", () => {
  test("prints the table the command prints, and its last line", async () => {
    const { out, err } = await runCommand(commands[0]!.split(" ").slice(1), { files });
    expect(out.trimEnd()).toBe(blocks.find(({ language }) => language === "text")!.text.trimEnd());
    expect(guide).toContain(`\n    ${err.trimEnd().split("\n").at(-1)!}\n`);
  });

  test.each(commands)("%s fits both expiries", async (line) => {
    const [program, ...argv] = line.split(" ");
    expect(program).toBe("bsopt");
    const { code, err } = await runCommand(argv, { files });
    expect(code).toBe(0);
    expect(err).toContain("SPX: 2 of 2 expiries, 18 of 36 quotes used");
    expect(err).toContain("no arbitrage");
  });

  test("names every column of both tables", async () => {
    for (const more of [[], ["--quotes"]]) {
      const { out } = await runCommand(["surface", "chain.csv", "--format", "csv", ...more], { files });
      // Those of a quote that `bsopt chain` has too are told there.
      for (const column of out.split("\n")[0]!.split(","))
        if (!/^(symbol|option_type|strike|bid|ask|mid|iv_bid|iv_mid|iv_ask)$/.test(column))
          expect(guide).toContain(column);
    }
  });
});
