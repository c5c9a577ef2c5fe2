// Runs the guide to the live market against a whole server: its quotes, its bot, and its table of reasons.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import type { App } from "../../src/app";
import { quoteVerdictDetail } from "../../src/book/validate";
import { startApp } from "../harness/app";
import { temporaryFolder, until } from "../harness/storage";

const text = readFileSync(join(root, "docs/guides/live-market.md"), "utf8");
const block = (language: string) => new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(text)![1]!;

let app: App & { readonly key: string };
// Before the folder goes.
afterAll(() => app.stop());
const folder = temporaryFolder();
beforeAll(async () => {
  app = await startApp(folder);
});

async function printed(argv: readonly string[]): Promise<string> {
  const env = { ...process.env, BSOPT_URL: app.url, BSOPT_KEY: app.key };
  const child = Bun.spawn([...argv], { cwd: folder, stdout: "pipe", env });
  return new Response(child.stdout).text();
}

test("S1.08 S4.31 the guide's quotes are taken, and its bot reads the chain that they imply", async () => {
  mkdirSync(join(folder, "bsopt-data"));
  writeFileSync(join(folder, "bsopt-data", "admin-api-key"), app.key);
  const command = block("sh").replaceAll("http://127.0.0.1:8080", app.url);
  expect(JSON.parse(await printed(["bash", "-c", command]))).toEqual(JSON.parse(block("json")));
  writeFileSync(join(folder, "bot.ts"), block("ts"));
  const bot = () => printed([process.execPath, join(folder, "bot.ts")]);
  await until("the chain is fitted", async () => !(await bot()).includes("no_"));
  // The last digits move as expiry comes nearer.
  const shapeOf = (lines: string) =>
    lines
      .trim()
      .split("\n")
      .map((line) => line.split(" "));
  const [real, told] = [shapeOf(await bot()), shapeOf(block("text"))];
  expect(real.map((words) => [words[0], words.length])).toEqual(told.map((words) => [words[0], words.length]));
  for (const [index, words] of real.slice(1).entries()) {
    for (const place of [1, 2, 3])
      expect(Math.abs(Number(words[place]) - Number(told[index + 1]![place]))).toBeLessThan(0.02);
  }
});

test("S4.32 every reason that a quote is refused for stands in the guide", () => {
  for (const [reason, detail] of Object.entries(quoteVerdictDetail)) {
    expect(text).toContain(`\`${reason}\``);
    expect(text).toContain(detail);
  }
});
