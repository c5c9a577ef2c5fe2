// The kernel's build: only when stale, and the same bytes from the same sources.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { buildProbe, buildWasm } from "../../../build/wasm";

const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

describe("building the wasm", () => {
  test("does nothing where nothing changed, and tells the hash of the file", async () => {
    const built = await buildWasm();
    expect(built.sha256).toBe(sha256(built.path));
    expect(await buildWasm()).toEqual({ ...built, rebuilt: false });
  });

  test("gives the same bytes again when its stamp is lost or unreadable", async () => {
    const first = await buildProbe();
    rmSync(`${first.path}.stamp`);
    expect(await buildProbe()).toEqual({ ...first, rebuilt: true });
    writeFileSync(`${first.path}.stamp`, "{");
    expect(await buildProbe()).toEqual({ ...first, rebuilt: true });
  }, 30_000);

  test("builds anew where the file is not the one that the stamp speaks of", async () => {
    const first = await buildProbe();
    writeFileSync(first.path, "not a module");
    const again = await buildProbe();
    expect(again).toEqual({ ...first, rebuilt: true });
    expect(sha256(again.path)).toBe(first.sha256);
  }, 30_000);
});
