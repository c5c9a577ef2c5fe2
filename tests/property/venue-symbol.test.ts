// Exchanges' names of contracts there and back; that what is no name is told why, and no text whatever makes the reader throw.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isCivilDate } from "../../src/domain/calendar";
import {
  formatVenueSymbol,
  parseVenueSymbol,
  type VenueSymbol,
  venueSymbolFaultDetail,
} from "../../src/domain/venue-symbol";
import { BsoptError } from "../../src/foundation/errors";

const seed = 20_261_226;
const date = fc
  .record({
    year: fc.integer({ min: 2000, max: 2099 }),
    month: fc.integer({ min: 1, max: 12 }),
    day: fc.integer({ min: 1, max: 31 }),
  })
  .filter(isCivilDate);
const strike = fc
  .tuple(fc.integer({ min: 0, max: 999_999_999_999 }), fc.stringMatching(/^(\d{0,8}[1-9])?$/))
  .map(([whole, decimals]) => (decimals === "" ? `${whole}` : `${whole}.${decimals}`))
  .filter((text) => /[1-9]/.test(text));
const optionType = fc.constantFrom("call" as const, "put" as const);
const coin = fc.stringMatching(/^[A-Z][A-Z0-9]{0,5}(_USDC)?$/);
const share = fc.oneof(
  fc.constantFrom("NIFTY", "BANKNIFTY", "M&M", "BAJAJ-AUTO", "NIFTYNXT50", "360ONE", "3MINDIA", "20MICRONS", "L&TFH"),
  fc.stringMatching(/^[A-Z0-9&-]{0,6}[A-Z]$/),
);
const month = date.map((day) => ({ ...day, day: null }));

const symbols: fc.Arbitrary<VenueSymbol> = fc.oneof(
  fc.record({
    venue: fc.constant("deribit" as const),
    kind: fc.constant("option" as const),
    underlying: coin,
    expiryDate: date,
    strike,
    optionType,
  }),
  fc.record({
    venue: fc.constant("deribit" as const),
    kind: fc.constant("future" as const),
    underlying: coin,
    expiryDate: date,
  }),
  fc.record({ venue: fc.constant("deribit" as const), kind: fc.constant("perpetual" as const), underlying: coin }),
  fc.record({
    venue: fc.constant("nse" as const),
    kind: fc.constant("option" as const),
    underlying: share,
    expiry: fc.oneof(month, date),
    strike,
    optionType,
  }),
  fc.record({
    venue: fc.constant("nse" as const),
    kind: fc.constant("future" as const),
    underlying: share,
    expiry: month,
  }),
);

/** The name, or null where there is none. */
function nameOf(symbol: VenueSymbol): string | null {
  try {
    return formatVenueSymbol(symbol);
  } catch (error) {
    expect(error).toBeInstanceOf(BsoptError);
    expect((error as BsoptError).code).toBe("SYMBOL_UNREPRESENTABLE");
    return null;
  }
}

describe(`S4.39 exchanges' names (seed ${seed})`, () => {
  test("what is spelled is read back the same, and what would be read as another is not spelled", () => {
    let spelledCount = 0;
    fc.assert(
      fc.property(symbols, (symbol) => {
        const name = nameOf(symbol);
        if (name === null) return;
        spelledCount += 1;
        expect(parseVenueSymbol(name)).toEqual(symbol);
      }),
      { seed, numRuns: 4000 },
    );
    // Only a weekly expiry behind a name that ends in a digit, or in what looks like a month, has none.
    expect(spelledCount).toBeGreaterThan(3600);
  });

  test("what is read is spelled back the same, and nothing throws", () => {
    const texts = fc.oneof(
      fc.string(),
      fc.stringMatching(/^deribit:[A-Z]{3}(_USDC)?-[0-9]{1,2}(JAN|DEC|FEB)[0-9]{2}(-[0-9d]{1,6}-[CP])?$/),
      fc.stringMatching(/^nse:[A-Z0-9&-]{1,8}[0-9]{2}(NOV|[1-9OND][0-9]{2})([0-9.]{1,7}(CE|PE)|FUT)$/),
    );
    let readCount = 0;
    fc.assert(
      fc.property(texts, (text) => {
        const symbol = parseVenueSymbol(text);
        if (typeof symbol === "string") return expect(venueSymbolFaultDetail[symbol]).toBeString();
        readCount += 1;
        expect(formatVenueSymbol(symbol)).toBe(text);
      }),
      { seed, numRuns: 6000 },
    );
    expect(readCount).toBeGreaterThan(1000);
  });

  const option = { kind: "option", optionType: "call" } as const;
  const read: readonly (readonly [string, VenueSymbol])[] = [
    [
      "deribit:BTC-27DEC26-50000-C",
      {
        ...option,
        venue: "deribit",
        underlying: "BTC",
        expiryDate: { year: 2026, month: 12, day: 27 },
        strike: "50000",
      },
    ],
    [
      "deribit:XRP_USDC-3JAN25-0d625-P",
      {
        ...option,
        venue: "deribit",
        underlying: "XRP_USDC",
        expiryDate: { year: 2025, month: 1, day: 3 },
        strike: "0.625",
        optionType: "put",
      },
    ],
    [
      "deribit:ETH-26MAR27",
      { venue: "deribit", kind: "future", underlying: "ETH", expiryDate: { year: 2027, month: 3, day: 26 } },
    ],
    ["deribit:BTC_USDC-PERPETUAL", { venue: "deribit", kind: "perpetual", underlying: "BTC_USDC" }],
    [
      "nse:NIFTY25NOV24000CE",
      { ...option, venue: "nse", underlying: "NIFTY", expiry: { year: 2025, month: 11, day: null }, strike: "24000" },
    ],
    [
      "nse:NIFTY2511124000CE",
      { ...option, venue: "nse", underlying: "NIFTY", expiry: { year: 2025, month: 1, day: 11 }, strike: "24000" },
    ],
    [
      "nse:NIFTY25N1124000PE",
      {
        ...option,
        venue: "nse",
        underlying: "NIFTY",
        expiry: { year: 2025, month: 11, day: 11 },
        strike: "24000",
        optionType: "put",
      },
    ],
    [
      "nse:NIFTYNXT5025NOV60000CE",
      {
        ...option,
        venue: "nse",
        underlying: "NIFTYNXT50",
        expiry: { year: 2025, month: 11, day: null },
        strike: "60000",
      },
    ],
    [
      "nse:TATASTEEL24JAN132.5CE",
      {
        ...option,
        venue: "nse",
        underlying: "TATASTEEL",
        expiry: { year: 2024, month: 1, day: null },
        strike: "132.5",
      },
    ],
    [
      "nse:M&M25NOVFUT",
      { venue: "nse", kind: "future", underlying: "M&M", expiry: { year: 2025, month: 11, day: null } },
    ],
    // As a month's option, not as one of the week of 24 January 12 with strike 5 on ABC25NOV.
    [
      "nse:ABC25NOV241125CE",
      { ...option, venue: "nse", underlying: "ABC", expiry: { year: 2025, month: 11, day: null }, strike: "241125" },
    ],
  ];
  for (const [text, symbol] of read) {
    test(`${text} is read`, () => {
      expect(parseVenueSymbol(text)).toEqual(symbol);
      expect(formatVenueSymbol(symbol)).toBe(text);
    });
  }

  test.each([
    ["BTC-27DEC26-50000-C", "unknown_venue"],
    ["okx:BTC-27DEC26-50000-C", "unknown_venue"],
    ["", "unknown_venue"],
    ["deribit:", "not_deribit"],
    ["deribit:BTC-27DEC26-50000", "not_deribit"],
    ["deribit:BTC-27DEC2026-50000-C", "not_deribit"],
    ["deribit:BTC-03JAN25-50000-C", "not_deribit"],
    ["deribit:btc-27DEC26-50000-C", "not_deribit"],
    ["deribit:BTC-30FEB26-50000-C", "no_such_day"],
    ["deribit:BTC-27DEC26-0-C", "bad_strike"],
    ["deribit:BTC-27DEC26-050000-C", "bad_strike"],
    ["deribit:BTC-27DEC26-1d50-C", "bad_strike"],
    ["deribit:BTC-27DEC26-1d5d5-C", "bad_strike"],
    ["nse:NIFTY", "not_nse"],
    ["nse:2525NOV24000CE", "not_nse"],
    ["nse:NIFTY25NOV24000", "not_nse"],
    ["nse:NIFTY25NOV0CE", "bad_strike"],
    ["nse:NIFTY25NOV24000.0CE", "bad_strike"],
    ["nse:NIFTY2513224000CE", "no_such_day"],
    [`nse:${"A".repeat(400)}25NOV24000CE`, "not_nse"],
  ] as const)("%p is refused: %s", (text, fault) => {
    expect(parseVenueSymbol(text)).toBe(fault);
  });

  test("a weekly option behind a name that ends in a digit has no name", () => {
    const symbol = {
      ...option,
      venue: "nse",
      underlying: "NIFTYNXT50",
      expiry: { year: 2025, month: 11, day: 11 },
      strike: "60000",
    } as const;
    expect(nameOf(symbol)).toBeNull();
    expect(nameOf({ ...symbol, underlying: "NIFTY", strike: "060000" })).toBeNull();
    expect(nameOf({ ...symbol, underlying: "NIFTY", expiry: { year: 2125, month: 11, day: 11 } })).toBeNull();
  });
});
