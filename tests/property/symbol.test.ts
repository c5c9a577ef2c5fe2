// Option symbols there and back, and that no text whatever makes the reader throw.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isCivilDate } from "../../src/domain/calendar";
import { formatOsiSymbol, parseOsiSymbol } from "../../src/domain/symbol";

const seed = 20_261_218;
const parts = fc.record({
  root: fc.stringMatching(/^[A-Z][A-Z0-9]{0,5}$/),
  expiryDate: fc
    .record({
      year: fc.integer({ min: 2000, max: 2099 }),
      month: fc.integer({ min: 1, max: 12 }),
      day: fc.integer({ min: 1, max: 31 }),
    })
    .filter(isCivilDate),
  optionType: fc.constantFrom("call" as const, "put" as const),
  strikeThousandths: fc.integer({ min: 1, max: 99_999_999 }),
});

describe(`S4.39 option symbols (seed ${seed})`, () => {
  test("what is spelled is read back the same", () => {
    fc.assert(
      fc.property(parts, (symbol) => {
        expect(parseOsiSymbol(formatOsiSymbol(symbol))).toEqual(symbol);
      }),
      { seed, numRuns: 2000 },
    );
  });

  test("what is read is spelled back the same, and nothing throws", () => {
    const texts = fc.oneof(fc.string(), fc.stringMatching(/^[A-Z0-9 ]{1,7}\d{6}[CP]\d{8}$/));
    fc.assert(
      fc.property(texts, (text) => {
        const symbol = parseOsiSymbol(text);
        if (typeof symbol !== "string") expect(formatOsiSymbol(symbol)).toBe(text.replaceAll(" ", ""));
      }),
      { seed, numRuns: 5000 },
    );
  });
});
