// Runs what the page on day counts shows: its calendar file and its command.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { calendarsOfDocument } from "../../src/domain/calendar-document";
import { dayCounts } from "../../src/domain/day-count";
import { builtInCalendarNames } from "../../src/domain/exchange-calendars";
import { runCommand } from "../harness/command-line";

const page = readFileSync(join(root, "docs/numerics/day-count.md"), "utf8");
const block = (language: string) => new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(page)![1]!.trim();

describe("S1.08 the page on day counts", () => {
  test("tells of every convention and built-in calendar", () => {
    for (const name of [...dayCounts, ...builtInCalendarNames]) expect(page).toContain(`| \`${name}\``);
  });

  test("shows a file of calendars that is taken", () => {
    const { calendars, faults } = calendarsOfDocument(JSON.parse(JSON.stringify(Bun.TOML.parse(block("toml")))));
    expect(faults).toEqual([]);
    expect(calendars.map(({ name, holidays }) => `${name} ${holidays.length}`)).toEqual(["london 8", "tel_aviv 3"]);
  });

  test("shows a command that counts by it", async () => {
    const [program, ...argv] = block("sh").split(" ");
    expect(program).toBe("bsopt");
    const { code, out } = await runCommand([...argv, "--json"], { files: { "calendars.toml": block("toml") } });
    expect(code).toBe(0);
    // Thursday and Friday count; the weekend, the bank holiday and the day of expiry do not.
    expect(JSON.parse(out).time_to_expiry).toBe(2 / 252);
  });
});
