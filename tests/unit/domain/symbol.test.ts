// Option symbols: what is one, what is none and why, and that strikes stay exact.

import { describe, expect, test } from "bun:test";
import {
  formatOsiSymbol,
  parseOsiSymbol,
  strikeFromThousandths,
  strikeThousandthsFromText,
} from "../../../src/domain/symbol";
import { BsoptError } from "../../../src/foundation/errors";

describe("S4.39 an option symbol", () => {
  const read = [
    ["SPXW261218C05800000", "SPXW", 2026, 12, 18, "call", 5_800_000],
    ["SPX271217P03500000", "SPX", 2027, 12, 17, "put", 3_500_000],
    ["A250117C00000001", "A", 2025, 1, 17, "call", 1],
    ["2SPX240229P99999999", "2SPX", 2024, 2, 29, "put", 99_999_999],
    ["AAPL1 250117C00150500", "AAPL1", 2025, 1, 17, "call", 150_500],
    ["F     271217P00012500", "F", 2027, 12, 17, "put", 12_500],
    ["SPX   271217P03500000", "SPX", 2027, 12, 17, "put", 3_500_000],
  ] as const;
  test.each(read)("%s is read", (text, root, year, month, day, optionType, strikeThousandths) => {
    const symbol = parseOsiSymbol(text);
    expect(symbol).toEqual({ root, expiryDate: { year, month, day }, optionType, strikeThousandths });
    if (typeof symbol !== "string") expect(formatOsiSymbol(symbol)).toBe(text.replaceAll(" ", ""));
  });

  const refused = [
    ["", "not_osi"],
    ["SPX", "not_osi"],
    ["SPX261218X05800000", "not_osi"],
    ["SPX261218C5800000", "not_osi"],
    ["SPX261218C058000000", "not_osi"],
    ["SPX261218C0580000O", "not_osi"],
    ["SPX261218C05800000 ", "not_osi"],
    [" SPX261218C05800000", "not_osi"],
    ["TOOLONG261218C05800000", "not_osi"],
    ["spx261218C05800000", "bad_root"],
    ["BRK.B261218C00500000", "bad_root"],
    ["^SPX261218C05800000", "bad_root"],
    ["123261218C05800000", "bad_root"],
    ["ΣPX261218C05800000", "bad_root"],
    ["SPX260231C05800000", "no_such_day"],
    ["SPX261318C05800000", "no_such_day"],
    ["SPX261218C00000000", "zero_strike"],
    ["'; DROP TABLE--", "not_osi"],
    [`${"S".repeat(100_000)}261218C05800000`, "not_osi"],
  ] as const;
  for (const [text, fault] of refused) {
    test(`${JSON.stringify(text.slice(0, 30))} is refused`, () => expect(parseOsiSymbol(text)).toBe(fault));
  }

  const good = parseOsiSymbol("SPX261218C05800000");
  if (typeof good === "string") throw new Error(good);
  test.each([
    ["a lower-case root", { root: "spx" }],
    ["an empty root", { root: "" }],
    ["a year outside two digits", { expiryDate: { year: 1999, month: 12, day: 17 } }],
    ["a day in no calendar", { expiryDate: { year: 2026, month: 2, day: 29 } }],
    ["a strike of zero", { strikeThousandths: 0 }],
    ["a strike of nine digits", { strikeThousandths: 100_000_000 }],
    ["a strike between thousandths", { strikeThousandths: 1.5 }],
  ])("%s can't be spelled", (_, change) => expect(() => formatOsiSymbol({ ...good, ...change })).toThrow(BsoptError));
});

describe("S5.14 a strike in thousandths", () => {
  test.each([
    ["5800", 5_800_000],
    ["5800.00", 5_800_000],
    ["0.001", 1],
    ["152.5", 152_500],
    ["1.005", 1005],
    ["4.035", 4035],
    ["99999.999", 99_999_999],
    ["1.10000000", 1100],
    ["0", null],
    ["0.0005", null],
    ["5800.0005", null],
    ["100000", null],
    ["58e2", null],
    ["-5", null],
    ["5,800", null],
    ["", null],
    ["5800.", null],
  ])("%p is %p, exactly", (text, expected) => expect(strikeThousandthsFromText(text)).toBe(expected));

  test("every thousandth up to 10,000 comes back as the decimal it was written as", () => {
    for (let thousandths = 1; thousandths <= 10_000_000; thousandths += 997) {
      const text = (thousandths / 1000).toFixed(3);
      expect(strikeThousandthsFromText(text)).toBe(thousandths);
      expect(strikeFromThousandths(thousandths)).toBe(Number(text));
    }
  });
});
