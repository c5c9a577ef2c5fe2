// The page about failures: every section says the same five things, and what it says can be looked up. The tests it names are there, every
// fault that tests/chaos makes has its section, and codes, metrics, alerts, settings and lines of the log are the program's.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { settings } from "../../src/config/settings";
import { metricDefinitions } from "../../src/telemetry/metric-definitions";
import { readSources } from "../harness/house";

const read = (path: string) => readFileSync(join(root, path), "utf8");

const parts = ["Seen", "Does", "Ends", "You", "Held by"];

interface Section {
  readonly id: string;
  readonly what: string;
  readonly parts: Readonly<Record<string, string>>;
}

const sections: Section[] = read("docs/operating/failure.md")
  .split(/^### /m)
  .slice(1)
  .map((text) => {
    const [head = "", ...items] = text.split(/^## /m)[0]!.split(/^- \*\*/m);
    const [id = "", ...what] = head.split("\n");
    const told = items.map((item) => /^([A-Z][a-z ]+):\*\* ([\s\S]*)$/.exec(item)?.slice(1) ?? [item, ""]);
    return {
      id,
      what: what.join(" ").trim(),
      parts: Object.fromEntries(told.map(([name, words]) => [name, words!.replace(/\s+/g, " ").trim()])),
    };
  });

const held = sections.flatMap(({ id, parts }) =>
  [...(parts["Held by"] ?? "").matchAll(/`(tests\/[a-z0-9/.-]+)`: "([^"]+)"/g)].map(([, file, title]) => ({
    id,
    file: file!,
    title: title!,
  })),
);

/** What a test is called, and what its group is. */
function titlesIn(file: string): string[] {
  return [...read(file).matchAll(/\b(?:test|describe)(?:\.[a-zA-Z]+(?:\([^()]*\))?)*\(\s*(["'`])([\s\S]*?)\1/g)].map(
    ([, , title]) => title!,
  );
}

const source = readSources(root, ["src"])
  .map(({ text }) => text)
  .join("\n");
const alerts = [...read("deploy/prometheus/rules.yml").matchAll(/alert: (\w+)/g)].map(([, name]) => name!);
const settingNames = settings.map(({ key }) => `BSOPT_${key.toUpperCase()}`);

describe("S4.57 docs/operating/failure.md", () => {
  test.each(sections)("$id says what fails, what is seen, what is done, how it ends and what to do", (section) => {
    expect(section.id).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(section.what).toMatch(/^.{20,}[.]$/);
    expect(Object.keys(section.parts)).toEqual(parts);
    for (const part of parts) expect([part, section.parts[part]!.length > 5]).toEqual([part, true]);
    expect(held.some(({ id }) => id === section.id)).toBe(true);
  });

  test.each(held)("$id is held by a test that is there: $file, $title", ({ file, title }) => {
    expect(titlesIn(file).filter((each) => each.includes(title))).not.toEqual([]);
  });

  test("there are no two sections of one name, and nothing is left to be measured", () => {
    expect(sections.length).toBeGreaterThan(20);
    expect(new Set(sections.map(({ id }) => id)).size).toBe(sections.length);
    expect(read("docs/operating/failure.md")).not.toMatch(/not (yet )?measured|not yet/i);
  });

  test("every fault that tests/chaos makes under a name is named by a section", () => {
    const named = readdirSync(join(root, "tests/chaos"))
      .map((name) => `tests/chaos/${name}`)
      .flatMap((file) =>
        titlesIn(file).flatMap((title) => {
          const [, fault] = /^([a-z]+(?:-[a-z]+|-\$\{\w+\})*)(?: \(\$\{\w+\}\))?: /.exec(title) ?? [];
          return fault === undefined ? [] : [{ file, fault }];
        }),
      );
    expect(named.length).toBeGreaterThan(15);
    const unheld = named.filter(
      ({ file, fault }) => !held.some((each) => each.file === file && each.title.startsWith(fault)),
    );
    expect(unheld).toEqual([]);
  });

  for (const { id, parts } of sections) {
    const text = Object.values(parts).join("\n");
    const words = [...text.replace(parts["Held by"] ?? "", "").matchAll(/`([^`]+)`/g)].map(([, word]) => word!);

    test(`${id}: codes, metrics, alerts and settings are the program's`, () => {
      const faults = words.filter((word) => {
        const [name = ""] = word.split("=");
        if (/^BSOPT_/.test(word)) return !settingNames.includes(name);
        if (/^[A-Z]{2,}(_[A-Z]+)+$/.test(word)) return !source.includes(`"${word}"`);
        if (/^Bsopt[A-Z]/.test(word)) return !alerts.includes(word);
        if (/^(bsopt|process|http|health)_/.test(word)) return !Object.hasOwn(metricDefinitions, word);
        return false;
      });
      expect(faults).toEqual([]);
    });

    test(`${id}: what the log and the readiness say is in the program`, () => {
      const lines = [...`${parts.Seen} ${parts.Ends}`.matchAll(/"([^"]+)"/g)].map(([, line]) => line!);
      expect(lines.filter((line) => !source.includes(line))).toEqual([]);
      const messages = words.filter((word) => /^(?!bsopt )[a-z]+( [a-z]+)+$/.test(word));
      expect(messages.filter((message) => !source.includes(`"${message}"`))).toEqual([]);
    });
  }
});
