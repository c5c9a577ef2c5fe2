// Any spelling of a name reads as the one canonical name, which reads as itself; no text whatever makes the reader throw.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { isCivilDate } from "../../src/domain/calendar";
import { builtInCalendars } from "../../src/domain/exchange-calendars";
import { canonicalSymbol, instrumentFromSymbol, instrumentSymbolFaultDetail } from "../../src/domain/instrument-symbol";
import { formatOsiSymbol } from "../../src/domain/symbol";
import { formatVenueSymbol } from "../../src/domain/venue-symbol";

const seed = 20_261_121;
const conventions = { calendars: builtInCalendars() };
const two = (value: number) => value.toString().padStart(2, "0");
const date = fc
  .record({
    year: fc.integer({ min: 2000, max: 2099 }),
    month: fc.integer({ min: 1, max: 12 }),
    day: fc.integer({ min: 1, max: 31 }),
  })
  .filter(isCivilDate);
const optionType = fc.constantFrom("call" as const, "put" as const);
const osi = fc.record({
  root: fc.stringMatching(/^[A-Z][A-Z0-9]{0,5}$/),
  expiryDate: date,
  optionType,
  strikeThousandths: fc.integer({ min: 1, max: 99_999_999 }),
});

test("S4.39 every vendor's spelling of a US option is one canonical symbol, and says what the symbol says", () => {
  fc.assert(
    fc.property(osi, (parts) => {
      const canonical = formatOsiSymbol(parts);
      const { root, expiryDate, strikeThousandths } = parts;
      const { year, month, day } = expiryDate;
      const side = parts.optionType === "call" ? "C" : "P";
      const decimal = String(strikeThousandths / 1000);
      const spellings = [
        canonical,
        root.padEnd(6) + canonical.slice(root.length),
        canonical.toLowerCase(),
        `O:${canonical}`,
        `.${root}${two(year - 2000)}${two(month)}${two(day)}${side}${decimal}`,
        `${root}_${two(month)}${two(day)}${two(year - 2000)}${side}${decimal}`,
      ];
      for (const spelling of spellings) expect(canonicalSymbol(spelling)).toEqual({ symbol: canonical });
      const instrument = instrumentFromSymbol(canonical, conventions);
      if (typeof instrument === "string") throw new Error(`${canonical}: ${instrument}`);
      expect(instrument).toMatchObject({ symbol: canonical, root, strike: strikeThousandths / 1000 });
      expect(instrument.optionType).toBe(parts.optionType);
    }),
    { seed, numRuns: 2000 },
  );
});

test("S4.39 a name of Deribit reads the same with its exchange, without it, and in any case", () => {
  const strike = fc.oneof(fc.integer({ min: 1, max: 999_999 }).map(String), fc.constantFrom("0.5625", "2.25", "0.1"));
  const symbols = fc.record({
    venue: fc.constant("deribit" as const),
    kind: fc.constant("option" as const),
    underlying: fc.stringMatching(/^[A-Z][A-Z0-9]{1,5}(_USDC)?$/),
    expiryDate: date,
    strike,
    optionType,
  });
  fc.assert(
    fc.property(symbols, (parts) => {
      const canonical = formatVenueSymbol(parts);
      const bare = canonical.slice("deribit:".length);
      for (const spelling of [canonical, bare, bare.toLowerCase(), canonical.toUpperCase()])
        expect(canonicalSymbol(spelling)).toEqual({ symbol: canonical });
    }),
    { seed, numRuns: 2000 },
  );
});

test("S4.39 a canonical name is its own canonical name, whatever was read", () => {
  const pieces = fc.constantFrom(
    ...[
      "SPX",
      "SPXW",
      "261218",
      "C",
      "P",
      "05800000",
      "5800",
      ".",
      "_",
      "^",
      "O:",
      "nse:",
      "deribit:",
      "NIFTY",
      "25NOV",
    ],
    ...["24000CE", "BTC", "-27DEC26", "-50000-C", "-PERPETUAL", "FUT", " ", "/", "-", "B", "1", "0d5", "M&M"],
  );
  const texts = fc.oneof(
    fc.array(pieces, { maxLength: 6 }).map((parts) => parts.join("")),
    fc.string({ unit: "binary", maxLength: 80 }),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const read = canonicalSymbol(text);
      const instrument = instrumentFromSymbol(text, conventions);
      if ("fault" in read) {
        expect(instrument).toBe(read.fault);
        expect(instrumentSymbolFaultDetail[read.fault]).toBeString();
        return;
      }
      expect(canonicalSymbol(read.symbol)).toEqual(read);
      expect(instrument).toMatchObject({ symbol: read.symbol });
      expect(instrumentFromSymbol(read.symbol, conventions)).toEqual(instrument);
    }),
    { seed, numRuns: 20_000 },
  );
});
