// What is recorded of a text, how rows are encoded, and what a cursor is: tables.

import { describe, expect, test } from "bun:test";
import {
  auditEventTypes,
  detailsText,
  encodeFields,
  eventTypeLengthMax,
  formatCursor,
  hashOfRow,
  parseCursor,
  recorded,
} from "../../../../src/features/audit/rules";

describe("S2.32 S2.33 the types of events", () => {
  test("fit their column and are named once each", () => {
    for (const type of auditEventTypes) {
      expect(type.length).toBeLessThanOrEqual(eventTypeLengthMax);
      expect(type).toMatch(/^[a-z]+(\.[a-z_]+)+$/);
    }
    expect(new Set(auditEventTypes).size).toBe(auditEventTypes.length);
  });

  for (const type of [
    "auth.login.success",
    "auth.login.failure",
    "auth.logout",
    "authz.access.denied",
    "config.update",
    "trading.order.placed",
    "trading.order.rejected",
    "admin.user.created",
    "admin.user.deleted",
  ]) {
    test(`hold ${type}`, () => expect(auditEventTypes as readonly string[]).toContain(type));
  }
});

describe("S2.33 a recorded text", () => {
  const secret = "A".repeat(43);
  const rows: readonly (readonly [string, string, number, string])[] = [
    ["that fits stays", "curl/8.5.0", 20, "curl/8.5.0"],
    ["of just the length stays", "abcde", 5, "abcde"],
    ["too long is cut, and shows it", "abcdef", 5, "abcd…"],
    ["cut through a pair loses the pair", "abc\u{1f600}def", 5, "abc…"],
    ["with control characters shows that they were there", "a\u0000b\u001bc\r\nd\u202ee", 20, "a�b�c��d�e"],
    ["with half a character shows it", "a\ud800b", 20, "a�b"],
    ["with an API key loses its secret", `x bso_4fJ0aVb7QkXz_${secret} y`, 80, "x bso_4fJ0aVb7QkXz_[withheld] y"],
    [
      "with two API keys loses both",
      `bso_4fJ0aVb7QkXz_${secret},bso_4fJ0aVb7QkXy_${secret}`,
      90,
      "bso_4fJ0aVb7QkXz_[withheld],bso_4fJ0aVb7QkXy_[withheld]",
    ],
    ["with a key's public half keeps it", "api_keys/bso_4fJ0aVb7QkXz", 80, "api_keys/bso_4fJ0aVb7QkXz"],
    [
      "with a signed token loses it",
      "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl!",
      80,
      "Bearer [withheld]!",
    ],
    ["that only begins like a token stays", "eyJ is how they begin", 80, "eyJ is how they begin"],
    ["that is an id with a token's first letters stays", "api_keys/eyJ0123456789", 80, "api_keys/eyJ0123456789"],
  ];
  for (const [name, text, lengthMax, expected] of rows) {
    test(name, () => expect(recorded(text, lengthMax)).toBe(expected));
  }

  test("of any length costs no more than a few times its limit", () => {
    expect(recorded("x".repeat(50_000_000), 10)).toBe("xxxxxxxxx…");
  });

  test("with a key that the cut would go through does not keep half of its secret", () => {
    expect(recorded(`${"x".repeat(40)}bso_4fJ0aVb7QkXz_${secret}`, 70)).not.toContain("AAAA");
  });
});

describe("details", () => {
  test("keep their order and their kinds, texts as they are recorded", () => {
    expect(detailsText({ b: 1, a: "x\u0000", c: null, d: true })).toBe('{"b":1,"a":"x�","c":null,"d":true}');
    expect(detailsText({ a: "y".repeat(5000) }).length).toBeLessThan(1020);
  });

  test("past 32 entries are our mistake", () => {
    expect(() => detailsText(Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`k${index}`, 1])))).toThrow(
      "33",
    );
  });
});

describe("S3.18 the encoding", () => {
  test("is label and fields, each told by kind and length", () => {
    expect(encodeFields("L", ["aé", 12n, null, "", -3]).toString("hex")).toBe(
      "01000000014c" + "010000000361c3a9" + "02000000023132" + "00" + "0100000000" + "02000000022d33",
    );
  });

  const different: readonly (readonly [
    string,
    Parameters<typeof encodeFields>[1],
    Parameters<typeof encodeFields>[1],
  ])[] = [
    ["a border moved", ["ab", "c"], ["a", "bc"]],
    ["nothing and the empty text", [null], [""]],
    ["a number and its digits", [1n], ["1"]],
    ["a field more", ["a", null], ["a"]],
    ["what looks like a border", ["a\u0001\u0000\u0000\u0000\u0001b"], ["a", "b"]],
  ];
  for (const [name, one, other] of different) {
    test(`tells apart: ${name}`, () => expect(encodeFields("L", one).equals(encodeFields("L", other))).toBe(false));
  }

  test("a row's hash is the one that the documents' example works out", () => {
    const row = {
      id: 1,
      timestamp: 1_750_000_000_000_000n,
      eventType: "apikey.created",
      userId: null,
      resource: "api_keys/4fJ0aVb7QkXz",
      action: "create",
      status: "success",
      details: "{}",
      createdAt: 1_750_000_000_000_001n,
      personalHash: "0".repeat(64),
      previousHash: "0".repeat(64),
    };
    const key = new Uint8Array(32).fill(1);
    const hash = new Bun.CryptoHasher("sha256", key);
    const field = (kind: number, text: string) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(Buffer.byteLength(text));
      return Buffer.concat([Buffer.from([kind]), length, Buffer.from(text)]);
    };
    hash.update(
      Buffer.concat([
        field(1, "bsopt audit event v1"),
        field(2, "1"),
        field(2, "1750000000000000"),
        field(1, "apikey.created"),
        Buffer.from([0]),
        field(1, "api_keys/4fJ0aVb7QkXz"),
        field(1, "create"),
        field(1, "success"),
        field(1, "{}"),
        field(2, "1750000000000001"),
        field(1, "0".repeat(64)),
        field(1, "0".repeat(64)),
      ]),
    );
    expect(hashOfRow(row, key)).toBe(hash.digest("hex"));
  });
});

describe("a cursor", () => {
  test("comes back as the mark it was made of", () => {
    const mark = { timestamp: 1_750_000_000_000_000n, id: 42 };
    expect(parseCursor(formatCursor(mark))).toEqual(mark);
  });

  for (const text of [
    "",
    "x",
    "MSAx IDI",
    Buffer.from("1 2 3").toString("base64url"),
    Buffer.from("1 -2").toString("base64url"),
  ]) {
    test(`${JSON.stringify(text)} is none`, () =>
      expect(() => parseCursor(text)).toThrow("not one that this server gave"));
  }
});
