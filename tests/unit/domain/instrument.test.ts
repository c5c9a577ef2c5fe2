// What a symbol implies: underlying, style, settlement. And what a quote allows one to conclude.

import { describe, expect, test } from "bun:test";
import { contractFromSymbol, rootConvention } from "../../../src/domain/instrument";
import { midOf, quoteFault } from "../../../src/domain/quote";
import { formatTimestamp } from "../../../src/foundation/clock";

describe("S4.39 the contract behind a symbol", () => {
  test.each([
    ["SPX261218C05800000", "SPX", "european", "am", "2026-12-18T14:30:00.000000Z"],
    ["SPXW261218C05800000", "SPX", "european", "pm", "2026-12-18T21:00:00.000000Z"],
    ["NDXP260630P20000000", "NDX", "european", "pm", "2026-06-30T20:00:00.000000Z"],
    ["SPY260630P00600000", "SPY", "american", "pm", "2026-06-30T20:00:00.000000Z"],
  ])("%s", (symbol, underlying, style, settlement, expiry) => {
    const contract = contractFromSymbol(symbol);
    if (typeof contract === "string") throw new Error(contract);
    expect(contract).toMatchObject({ symbol, underlying, style, settlement });
    expect(formatTimestamp(contract.expiry)).toBe(expiry);
  });

  test("a fault of the symbol passes through", () => expect(contractFromSymbol("nothing")).toBe("not_osi"));
  test("an unknown root is its own underlying", () => expect(rootConvention("ZZZ").underlying).toBe("ZZZ"));
});

describe("S5.14 the middle of a quote", () => {
  const none = Number.NaN;
  test.each([
    [1, 2, null, 1.5],
    [3416.4, 3449.8, null, 3433.1],
    [0.1, 0.2, null, 0.15],
    [0.05, 0.1, null, 0.075],
    [5, 5, null, 5],
    [0, 2, "no_bid", none],
    [none, 2, "no_bid", none],
    [-1, 2, "no_bid", none],
    [1, 0, "no_ask", none],
    [1, none, "no_ask", none],
    [1, Number.POSITIVE_INFINITY, "no_ask", none],
    [2, 1, "crossed", none],
    // Too large for nine decimals, and too small: halved as they are.
    [1e300, 3e300, null, 2e300],
    [1e-12, 3e-12, null, 2e-12],
  ] as const)("bid %p ask %p: %p, mid %p", (bid, ask, fault, mid) => {
    expect(quoteFault({ bid, ask })).toBe(fault);
    expect(midOf({ bid, ask })).toBe(mid);
  });
});
