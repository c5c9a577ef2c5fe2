// Sealed texts open for their own purpose and master key only; derived keys are those of RFC 5869.

import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { seededRandom } from "../../../src/foundation/random";
import { createSecretBox } from "../../../src/foundation/secret-box";

const random = seededRandom(7n);
const masterKey = random.bytes(32);
const box = createSecretBox(masterKey, random);

describe("secret box", () => {
  test.each(["", "a", "ünïcödé ✓", "x".repeat(10_000)])("a sealed text of %# opens as it was", (text) => {
    expect(box.open("totp", box.seal("totp", text))).toBe(text);
  });

  test("one text sealed twice gives two texts, so that equal secrets do not show", () => {
    expect(box.seal("totp", "same")).not.toBe(box.seal("totp", "same"));
  });

  test.each([
    ["another purpose", () => box.open("signing", box.seal("totp", "secret"))],
    ["another master key", () => createSecretBox(random.bytes(32), random).open("totp", box.seal("totp", "secret"))],
    ["a changed byte", () => box.open("totp", changed(box.seal("totp", "secret")))],
    ["a cut text", () => box.open("totp", box.seal("totp", "secret").slice(0, 10))],
    ["an empty text", () => box.open("totp", "")],
  ])("%s does not open it and says which file to look at", (_, open) => {
    expect(open).toThrow(expect.objectContaining({ code: "SEAL_BROKEN" }));
  });

  test("a purpose's key is HKDF-SHA-256's, written out by hand from its definition", () => {
    const pseudoRandomKey = createHmac("sha256", new Uint8Array(32)).update(masterKey).digest();
    const expected = createHmac("sha256", pseudoRandomKey)
      .update("bsopt audit")
      .update(new Uint8Array([1]))
      .digest();
    expect(Buffer.from(box.keyFor("audit"))).toEqual(expected);
    expect(box.keyFor("audit")).not.toEqual(box.keyFor("totp"));
  });

  test("a master key of another length is our mistake and stops", () => {
    expect(() => createSecretBox(random.bytes(31), random)).toThrow("31 bytes");
  });
});

/** The text with one bit of its last byte turned. */
function changed(sealed: string): string {
  const bytes = Buffer.from(sealed, "base64url");
  bytes[bytes.length - 1]! ^= 1;
  return bytes.toString("base64url");
}
