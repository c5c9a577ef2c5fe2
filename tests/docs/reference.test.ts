// Reference pages are made from the code: a stale one fails here and says how to mend it.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pages } from "../../build/docs";
import { root } from "../../build/fingerprint.mjs";

test.each(Object.keys(pages))("S2.46 %s is what the code says today (else: npm run generate)", (path) => {
  expect(readFileSync(join(root, path), "utf8")).toBe(pages[path]!());
});
