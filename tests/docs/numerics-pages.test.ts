// The pages on numerics: every model of the catalog has one, which the index names, and which says what such a page must.

import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { models } from "../../src/engine/catalog";

const folder = join(root, "docs", "numerics");
const index = readFileSync(join(folder, "README.md"), "utf8");

describe("the index of models", () => {
  for (const { name } of models) {
    test(`leads from ${name} to its page, which names its source and its error`, () => {
      const row = index.split("\n").find((line) => line.startsWith("|") && line.includes(`\`${name}\``));
      expect(row).toBeDefined();
      const pages = [...row!.matchAll(/\]\(([a-z0-9-]+\.md)\)/g)].map(([, page]) => join(folder, page!));
      expect(pages.length).toBeGreaterThan(0);
      expect(pages.every((page) => existsSync(page))).toBe(true);
      const texts = pages.map((page) => readFileSync(page, "utf8"));
      // A source is an author with a year; the rest no test can judge.
      const words = [/\b(?:19|20)\d\d\b/, /error|within|agree/i];
      expect(words.filter((word) => !texts.some((text) => word.test(text)))).toEqual([]);
    });
  }

  test("leaves no page out", () => {
    const pages = readdirSync(folder).filter((page) => page !== "README.md");
    expect(pages.filter((page) => !index.includes(`](${page})`))).toEqual([]);
  });
});
