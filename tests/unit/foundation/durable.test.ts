// Folders made to last: what is there afterwards and what is told. That their names survive a power cut is tests/power-cut's to say.

import { describe, expect, test } from "bun:test";
import { chmodSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { flush, makeFolder } from "../../../src/foundation/durable";
import { temporaryFolder } from "../../harness/storage";

describe("S5.19 a folder made to last", () => {
  test("is made with those above it, for the owner alone, and says whether it was there", () => {
    const path = join(temporaryFolder(), "a", "b", "c");
    expect(makeFolder(path)).toBe(true);
    for (const folder of [path, join(path, ".."), join(path, "..", "..")]) {
      expect(statSync(folder).mode & 0o777).toBe(0o700);
    }
    expect(makeFolder(path)).toBe(false);
  });

  test("where a file stands in the way is the system's error", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    expect(() => makeFolder(join(folder, "file", "below"))).toThrow(/ENOTDIR|EEXIST/);
  });

  test("a file that is missing cannot be flushed, a folder that may not be read is let be", () => {
    const folder = temporaryFolder();
    expect(() => flush(join(folder, "missing"))).toThrow(/ENOENT/);
    const closed = join(folder, "closed");
    makeFolder(closed);
    chmodSync(closed, 0o300);
    expect(() => flush(closed)).not.toThrow();
    chmodSync(closed, 0o700);
  });
});
