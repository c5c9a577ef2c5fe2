// The guide to feeds: its commands start servers as told, its recordings are read as told, its figures are the code's.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { kiteSymbolsMax } from "../../src/adapters/feeds/kite";
import { readRecording } from "../../src/adapters/feeds/recording";
import { disturbances } from "../../src/adapters/feeds/simulated-market";
import { loadConfig } from "../../src/config/config";
import { flagName, settings } from "../../src/config/settings";
import { conflatedSymbolsMax, faultsPerMinuteMax } from "../../src/features/feeds/rules";
import { startApp } from "../harness/app";
import type { Loose } from "../harness/executable";
import { temporaryFolder } from "../harness/storage";

const page = readFileSync(join(root, "docs/guides/feeds.md"), "utf8");
const blocks = [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({
  language: language!,
  text: text!.trimEnd(),
}));
const folder = temporaryFolder();

/** The settings that a line of the guide gives as flags. */
function settingsOf(line: string): Record<string, string> {
  const words = line.split(" ").slice(2);
  const environment: Record<string, string> = {};
  for (let at = 0; at < words.length; at += 2) {
    const setting = settings.find((each) => `--${flagName(each).replace(/^--/, "")}` === words[at]);
    if (setting === undefined) throw new Error(`${words[at]} is no flag`);
    environment[`BSOPT_${setting.key.toUpperCase()}`] = words[at + 1]!;
  }
  return environment;
}

describe("the guide to feeds", () => {
  const commands = blocks.filter(({ text }) => text.startsWith("bsopt serve")).map(({ text }) => text);

  test("has commands whose flags there are, with values that are taken", () => {
    expect(commands).toHaveLength(2);
    for (const command of commands) {
      const { feeds } = loadConfig({ flags: {}, environment: settingsOf(command), file: null }).market;
      expect(feeds.names).toHaveLength(1);
    }
  });

  test("starts a simulated market and shows how its feeds fare", async () => {
    const app = await startApp(folder, settingsOf(commands[0]!));
    try {
      const asked = blocks.find(({ text }) => text.startsWith("curl"))!.text;
      const path = /127\.0\.0\.1:8080(\S+)/.exec(asked)![1]!;
      const answer = await fetch(`${app.url}${path}`, { headers: { "X-API-Key": app.key } });
      const { data } = (await answer.json()) as Loose;
      expect(data.map(({ name }: Loose) => name)).toEqual(["simulated"]);
    } finally {
      await app.stop();
    }
  });

  test.each([
    ["jsonl", 1],
    ["csv", 2],
  ])("has a recording as %s that is read without a fault", async (language, count) => {
    async function* source() {
      yield Buffer.from(`${blocks.find((block) => block.language === language)!.text}\n`);
    }
    const read: object[] = [];
    for await (const item of readRecording(source(), "guide")) read.push(item);
    expect(read).toHaveLength(count);
    for (const item of read) expect(item).toHaveProperty("quote");
  });

  test("tells the code's own figures, words and settings", () => {
    for (const figure of [kiteSymbolsMax, conflatedSymbolsMax, faultsPerMinuteMax]) {
      expect(page).toContain(figure.toLocaleString("en-US"));
    }
    for (const word of disturbances) expect(page).toContain(`\`${word}\``);
    for (const [, name] of page.matchAll(/`(market_\w+)`/g)) {
      if (name!.endsWith("_")) continue;
      expect(settings.map(({ key }) => key as string)).toContain(name!);
    }
  });
});
