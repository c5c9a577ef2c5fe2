// The page about security names a test for what it says: each must be there under that name, and each of this folder's attacks be named.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";

const page = readFileSync(join(root, "docs/operating/security.md"), "utf8");

/** `tests/…`: "part of a title" */
const named = [...page.matchAll(/`(tests\/[a-z0-9/.-]+)`: "([^"]+)"/g)].map(([, file, title]) => ({
  file: file!,
  title: title!,
}));

describe("S4.54 docs/operating/security.md", () => {
  test.each(named)("names a test that is there: $file, $title", ({ file, title }) => {
    expect(readFileSync(join(root, file), "utf8")).toContain(title);
  });

  test("names every file of tests/security", () => {
    const files = readdirSync(join(root, "tests/security")).map((name) => `tests/security/${name}`);
    expect(files.filter((file) => !page.includes(file))).toEqual([]);
    expect(named.length).toBeGreaterThan(40);
  });

  test("says of each requirement once how it stands", () => {
    const numbers = [...page.matchAll(/^\| (\d+\.\d+\.\d+(?:, \d+\.\d+\.\d+)*) /gm)].flatMap(([, list]) =>
      list!.split(", "),
    );
    expect(numbers.length).toBeGreaterThan(80);
    expect(numbers.filter((number, index) => numbers.indexOf(number) !== index)).toEqual([]);
  });
});
