// The master key's file: made once, read ever after, never replaced by a guess.

import { describe, expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KeyFile } from "../../../src/adapters/key-file";
import { masterKeyFileName, masterKeyOf, openMasterKey } from "../../../src/adapters/master-key";
import { seededRandom } from "../../../src/foundation/random";
import { temporaryFolder } from "../../harness/storage";

const text32 = Buffer.alloc(32, 7).toString("base64url");

describe("the master key", () => {
  test("of an empty folder is made, for its owner alone, and is the same ever after", () => {
    const folder = join(temporaryFolder(), "data");
    const made = openMasterKey(folder, seededRandom(1n));
    expect(made.length).toBe(32);
    const path = join(folder, masterKeyFileName);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, "utf8")).toBe(`${Buffer.from(made).toString("base64url")}\n`);
    expect(openMasterKey(folder, seededRandom(2n))).toEqual(made);
  });

  test("that another start makes at the same moment is the one that both take", () => {
    let reads = 0;
    const theirs: KeyFile = {
      path: "",
      read: () => (reads++ === 0 ? null : text32),
      create: () => false,
      remove: () => undefined,
    };
    expect(Buffer.from(masterKeyOf(theirs, seededRandom(1n)))).toEqual(Buffer.alloc(32, 7));
  });

  for (const [what, text] of [
    ["is empty", ""],
    ["is too short", text32.slice(1)],
    ["is too long", `${text32}A`],
    ["holds a letter that base64url has not", `${text32.slice(0, 42)}+`],
    ["is padded", `${text32}=`],
    ["ends in bits that mean nothing", `${text32.slice(0, 42)}d`],
  ] as const) {
    test(`whose file ${what} stops the start and is left as it is`, () => {
      const folder = temporaryFolder();
      const path = join(folder, masterKeyFileName);
      writeFileSync(path, text);
      expect(() => openMasterKey(folder, seededRandom(1n))).toThrow(
        expect.objectContaining({ code: "MASTER_KEY_INVALID", reason: "invalid" }),
      );
      expect(readFileSync(path, "utf8")).toBe(text);
    });
  }
});
