// The page of bounds against the code: each number is the constant or the setting that it names, each metric exists, and what waits in a
// queue of the code has a row there.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { settings } from "../../src/config/settings";
import { metricDefinitions } from "../../src/telemetry/metric-definitions";
import { readSources } from "../harness/house";

const root = join(import.meta.dir, "..", "..");
const page = readFileSync(join(root, "docs", "operating", "queues.md"), "utf8");

const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| What grows") && !line.startsWith("| ---"))
  .map((line) => {
    const [what, bound, , watched, held] = line
      .slice(1, -1)
      .split(" | ")
      .map((cell) => cell.trim());
    const [file, constant] = held!.split(" ");
    return {
      what: what!,
      bound: Number(/^[\d,]+/.exec(bound!)![0].replaceAll(",", "")),
      setting: /\(`(\w+)`\)/.exec(bound!)?.[1],
      metrics: [...watched!.matchAll(/`(\w+)`/g)].map(([, name]) => name!),
      file: file!,
      constant: constant?.replaceAll("`", ""),
    };
  });

describe("S2.20 the page of bounds", () => {
  test("has rows", () => expect(rows.length).toBeGreaterThan(25));

  test.each(rows)("$what: as many as the code says", ({ bound, setting, metrics, file, constant }) => {
    if (setting !== undefined) expect(settings.find(({ key }) => key === setting)?.default).toBe(bound as never);
    else {
      const source = readFileSync(join(root, file), "utf8");
      const told = new RegExp(`\\b${constant}(?: =|:) ([\\d_]+)[,; ]`).exec(source)?.[1];
      expect(told, `${constant} in ${file}`).toBeDefined();
      expect(Number(told!.replaceAll("_", ""))).toBe(bound);
    }
    expect(metrics.length).toBeGreaterThan(0);
    for (const name of metrics) expect(Object.keys(metricDefinitions)).toContain(name);
  });

  test("names every file in which a bounded queue waits", () => {
    const queues = readSources(root, ["src"])
      .filter(({ path }) => !["src/foundation/bounded-queue.ts", "src/foundation/backlog.ts"].includes(path))
      .filter(({ text }) => /new (BoundedQueue|Backlog)\b/.test(text))
      .map(({ path }) => path);
    expect(queues.length).toBeGreaterThan(3);
    const named = new Set(rows.map(({ file }) => file));
    expect(queues.filter((path) => !named.has(path))).toEqual([]);
  });
});
