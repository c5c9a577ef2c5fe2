// Spellings of instruments' names, and what each name says by its exchange's rules.

import { describe, expect, test } from "bun:test";
import { businessCalendar } from "../../../src/domain/business-calendar";
import { daysFromCivil } from "../../../src/domain/calendar";
import { builtInCalendars } from "../../../src/domain/exchange-calendars";
import {
  canonicalSymbol,
  type InstrumentSymbolFault,
  instrumentFromSymbol,
  instrumentSymbolFaultDetail,
} from "../../../src/domain/instrument-symbol";
import { formatTimestamp } from "../../../src/foundation/clock";

const conventions = { calendars: builtInCalendars() };

describe("S4.39 a spelling of a name becomes the canonical one", () => {
  const rows: readonly (readonly [spelling: string, canonical: string])[] = [
    ["SPXW261218C05800000", "SPXW261218C05800000"],
    ["SPXW  261218C05800000", "SPXW261218C05800000"],
    ["SPY   261218P00600500", "SPY261218P00600500"],
    ["spy261218p00600500", "SPY261218P00600500"],
    ["  SPY261218P00600500\n", "SPY261218P00600500"],
    ["O:SPY261218P00600500", "SPY261218P00600500"],
    [".SPXW261218C5800", "SPXW261218C05800000"],
    [".AAPL261218P152.5", "AAPL261218P00152500"],
    ["AAPL_121826C152.5", "AAPL261218C00152500"],
    ["SPX", "SPX"],
    ["spx", "SPX"],
    ["^SPX", "SPX"],
    ["$SPX", "SPX"],
    ["_SPX", "SPX"],
    ["I:SPX", "SPX"],
    ["BRK.B", "BRK.B"],
    ["BRK/B", "BRK.B"],
    ["BRK-B", "BRK.B"],
    ["deribit:BTC-27DEC26-50000-C", "deribit:BTC-27DEC26-50000-C"],
    ["BTC-27DEC26-50000-C", "deribit:BTC-27DEC26-50000-C"],
    ["btc-27dec26-50000-c", "deribit:BTC-27DEC26-50000-C"],
    ["XRP_USDC-3JAN27-0d5625-P", "deribit:XRP_USDC-3JAN27-0d5625-P"],
    ["DERIBIT:XRP_USDC-3JAN27-0D5625-P", "deribit:XRP_USDC-3JAN27-0d5625-P"],
    ["BTC-PERPETUAL", "deribit:BTC-PERPETUAL"],
    ["ETH-25SEP26", "deribit:ETH-25SEP26"],
    ["deribit:BTC", "deribit:BTC"],
    ["deribit:SOL_USDC", "deribit:SOL_USDC"],
    ["nse:NIFTY25NOV24000CE", "nse:NIFTY25NOV24000CE"],
    ["NFO:NIFTY25NOV24000CE", "nse:NIFTY25NOV24000CE"],
    ["NIFTY25NOV24000CE", "nse:NIFTY25NOV24000CE"],
    ["NIFTY2511124000PE", "nse:NIFTY2511124000PE"],
    ["NIFTY25N1124000PE", "nse:NIFTY25N1124000PE"],
    ["NIFTY25NOVFUT", "nse:NIFTY25NOVFUT"],
    ["NSE:NIFTY 50", "nse:NIFTY"],
    ["nse:Nifty Bank", "nse:BANKNIFTY"],
    ["nse:M&M", "nse:M&M"],
    ["nse:RELIANCE", "nse:RELIANCE"],
  ];
  test.each(rows)("%j is %s", (spelling, canonical) => {
    expect(canonicalSymbol(spelling)).toEqual({ symbol: canonical });
  });
});

describe("S4.39 what is no name is refused with its reason", () => {
  const rows: readonly (readonly [text: string, fault: InstrumentSymbolFault])[] = [
    ["", "not_a_symbol"],
    [" ", "not_a_symbol"],
    ["SPX SPY", "not_a_symbol"],
    ["SPX;DROP", "not_a_symbol"],
    ["5", "not_a_symbol"],
    ["ＳＰＸ", "not_a_symbol"],
    ["TOOLONGATICKER", "not_a_symbol"],
    ["A".repeat(65), "not_a_symbol"],
    ["SPXW261218C0580000", "not_osi"],
    ["SPXW261218X05800000", "not_a_symbol"],
    ["SPXW260230C05800000", "no_such_day"],
    ["SPXW261218C00000000", "zero_strike"],
    ["123456261218C05800000", "bad_root"],
    [".SPXW261218C", "not_osi"],
    [".SPXW261218C0", "bad_strike"],
    [".SPXW261218C123456", "bad_strike"],
    [".SPXW260230C5800", "no_such_day"],
    [".1261218C5800", "bad_root"],
    ["AAPL_023026C150", "no_such_day"],
    ["O:SPX", "not_osi"],
    ["I:", "not_a_symbol"],
    ["X:BTCUSD", "unknown_venue"],
    ["deribit:BTC-31NOV26-50000-C", "no_such_day"],
    ["deribit:BTC-27DEC26-0-C", "bad_strike"],
    ["deribit:BTC-27DEC26-50000", "not_deribit"],
    ["deribit:BTC 1", "not_deribit"],
    ["nse:NIFTY25NOV24000XX", "not_nse"],
    ["nse:123", "not_nse"],
    ["nse:NIFTY25NOV0CE", "bad_strike"],
  ];
  test.each(rows)("%j: %s", (text, fault) => {
    expect(canonicalSymbol(text)).toEqual({ fault });
    expect(instrumentSymbolFaultDetail[fault]).toMatch(/^(is|has|names) /);
  });
});

describe("what a name says", () => {
  const said = (symbol: string, calendars = conventions.calendars) => {
    const instrument = instrumentFromSymbol(symbol, { calendars });
    if (typeof instrument === "string") return instrument;
    return { ...instrument, expiry: instrument.expiry === null ? null : formatTimestamp(instrument.expiry) };
  };

  test("an index option settled on the open", () => {
    expect(said("SPX   261218P05800000")).toEqual({
      symbol: "SPX261218P05800000",
      kind: "option",
      underlying: "SPX",
      root: "SPX",
      expiry: "2026-12-18T14:30:00.000000Z",
      strike: 5800,
      optionType: "put",
      style: "european",
      settlement: "am",
      multiplier: 100,
      tickSize: 0.05,
      currency: "USD",
      calendar: "cboe",
    });
  });

  test("a share's option", () => {
    expect(said("AAPL261218C00152500")).toMatchObject({
      ...{ underlying: "AAPL", style: "american", settlement: "pm", strike: 152.5, tickSize: null },
      expiry: "2026-12-18T21:00:00.000000Z",
    });
  });

  test("Deribit's options in the coin and in dollars, its futures and perpetuals", () => {
    expect(said("BTC-27DEC26-50000-C")).toEqual({
      symbol: "deribit:BTC-27DEC26-50000-C",
      kind: "option",
      underlying: "deribit:BTC",
      root: "BTC",
      expiry: "2026-12-27T08:00:00.000000Z",
      strike: 50_000,
      optionType: "call",
      style: "european",
      settlement: null,
      multiplier: 1,
      tickSize: null,
      currency: "BTC",
      calendar: "deribit",
    });
    expect(said("XRP_USDC-3JAN27-0d5625-P")).toMatchObject({ strike: 0.5625, currency: "USDC", optionType: "put" });
    expect(said("ETH-25SEP26")).toMatchObject({
      kind: "future",
      currency: "USD",
      expiry: "2026-09-25T08:00:00.000000Z",
    });
    expect(said("BTC-PERPETUAL")).toMatchObject({ kind: "future", expiry: null, strike: null, style: null });
  });

  test("NSE's monthly contract expires on a Thursday until August 2025, on a Tuesday from then on", () => {
    expect(said("NIFTY25AUG24000CE")).toMatchObject({
      ...{ underlying: "nse:NIFTY", style: "european", settlement: "pm", currency: "INR", multiplier: 1 },
      ...{ tickSize: 0.05, calendar: "nse", strike: 24_000, expiry: "2025-08-28T10:00:00.000000Z" },
    });
    expect(said("NIFTY25SEP24000CE")).toMatchObject({ expiry: "2025-09-30T10:00:00.000000Z" });
    expect(said("NIFTY25NOVFUT")).toMatchObject({ kind: "future", expiry: "2025-11-25T10:00:00.000000Z" });
  });

  test("NSE's weekly contract expires on the day it names, a monthly one before a holiday of the user's calendar", () => {
    const nse = businessCalendar({
      ...{ name: "nse", firstDay: daysFromCivil(2025, 1, 1), lastDay: daysFromCivil(2025, 12, 31), weekend: [0, 6] },
      closedDays: () => [daysFromCivil(2025, 11, 25), daysFromCivil(2025, 11, 11)],
    });
    const calendars = new Map([...conventions.calendars, ["nse", nse]]);
    expect(said("NIFTY25NOVFUT", calendars)).toMatchObject({ expiry: "2025-11-24T10:00:00.000000Z" });
    expect(said("NIFTY25N1124000PE", calendars)).toMatchObject({ expiry: "2025-11-11T10:00:00.000000Z" });
  });

  test("an underlying is its own", () => {
    expect(said("BRK/B")).toMatchObject({ symbol: "BRK.B", kind: "underlying", underlying: "BRK.B", currency: "USD" });
    expect(said("nse:NIFTY 50")).toMatchObject({
      symbol: "nse:NIFTY",
      root: "NIFTY",
      currency: "INR",
      calendar: "nse",
    });
    expect(said("deribit:BTC")).toMatchObject({ underlying: "deribit:BTC", root: "BTC", calendar: "deribit" });
  });

  test("what is no name says why", () => {
    expect(said("SPXW260230C05800000")).toBe("no_such_day");
  });
});

describe("S4.48 the expiry of a US option, by the calendar of its exchange", () => {
  const expiryOf = (symbol: string) => {
    const instrument = instrumentFromSymbol(symbol, conventions);
    return typeof instrument === "string" ? instrument : formatTimestamp(instrument.expiry!);
  };
  const rows: readonly (readonly [what: string, symbol: string, expiry: string])[] = [
    ["summer time", "SPXW260918C05800000", "2026-09-18T20:00:00.000000Z"],
    ["the day after Thanksgiving, short", "SPXW261127C05800000", "2026-11-27T18:00:00.000000Z"],
    ["Christmas Eve, short", "SPXW261224C05800000", "2026-12-24T18:00:00.000000Z"],
    ["July 3rd on a Thursday, short", "SPXW250703C05800000", "2025-07-03T17:00:00.000000Z"],
    ["July 3rd where the 4th's holiday is, so the 2nd", "SPXW260703C05800000", "2026-07-02T20:00:00.000000Z"],
    ["Good Friday, so Thursday", "SPY190419C00290000", "2019-04-18T20:00:00.000000Z"],
    ["Juneteenth, so the day before", "SPXW260619C05800000", "2026-06-18T20:00:00.000000Z"],
    ["opening prices on a short day are those of 9:30", "SPX261127C05800000", "2026-11-27T14:30:00.000000Z"],
    ["a Saturday, so Friday", "SPY140118C00180000", "2014-01-17T21:00:00.000000Z"],
    ["a Saturday after Good Friday, so Thursday", "SPY140419C00180000", "2014-04-17T20:00:00.000000Z"],
  ];
  test.each(rows)("%s: %s", (_what, symbol, expiry) => {
    expect(expiryOf(symbol)).toBe(expiry);
  });
});
