// From made-up chains to surfaces: everything known beforehand, so that parameters, errors and reasons can be stated.

import { describe, expect, test } from "bun:test";
import type { ChainRow } from "../../../src/domain/chain";
import { contractFromSymbol, type OptionContract } from "../../../src/domain/instrument";
import {
  type Calibration,
  calibrateSurfaces,
  type SurfaceModel,
  type SurfaceRequest,
} from "../../../src/surfaces/calibrate";
import { type SviSlice, totalVariance } from "../../../src/surfaces/svi";
import { testEngine } from "../../harness/command-line";

/** 2025-12-18 09:30 in New York, a year before the morning settlement of 2026-12-18. */
const asOf = 1_766_068_200_000_000n;
const [spot, rate, dividendYield] = [1000, 0.04, 0.01];
const smile: SviSlice = { a: 0.012, b: 0.09, rho: -0.6, m: 0.08, sigma: 0.13 };
const strikes = Array.from({ length: 41 }, (_, index) => 600 + 20 * index);

interface Quoting {
  readonly root?: string;
  readonly date?: string;
  readonly years?: number;
  readonly slice?: SviSlice;
  readonly at?: bigint;
  readonly half?: number;
}

/** Calls and puts at the model's prices, half a unit to either side. */
function chainOf({
  root = "SPX",
  date = "261218",
  years = 1,
  slice = smile,
  at = asOf,
  half = 0.05,
}: Quoting = {}): ChainRow[] {
  const forward = spot * Math.exp((rate - dividendYield) * years);
  const volatility = Float64Array.from(strikes, (k) => Math.sqrt(totalVariance(slice, Math.log(k / forward)) / years));
  return (["call", "put"] as const).flatMap((optionType) => {
    const { columns } = testEngine().price({
      model: "black_76",
      count: strikes.length,
      isCall: optionType === "call",
      inputs: { forward, strike: Float64Array.from(strikes), time_to_expiry: years, rate, volatility },
      outputs: ["price"],
      units: "raw",
    });
    return strikes.map((strike, index) => {
      const letter = optionType === "call" ? "C" : "P";
      const contract = contractFromSymbol(`${root}${date}${letter}${String(strike * 1000).padStart(8, "0")}`);
      const price = columns.price![index]!;
      return {
        contract: contract as OptionContract,
        asOf: at,
        spot,
        bid: price - half,
        ask: price + half,
        vendorVolatility: Number.NaN,
        vendorDelta: Number.NaN,
      };
    });
  });
}

function calibrated(rows: readonly ChainRow[], more: Partial<SurfaceRequest> = {}): Calibration {
  const calibrating = calibrateSurfaces(testEngine(), { rows, model: "svi", ...more });
  const steps: number[] = [];
  let step = calibrating.next();
  for (; !step.done; step = calibrating.next()) steps.push(step.value);
  expect(steps).toEqual(steps.toSorted((left, right) => left - right));
  return step.value;
}

describe("S4.47 surfaces from chains", () => {
  test.each<SurfaceModel>(["svi", "svi_put_wing"])("the slice that made the quotes comes back by %s", (model) => {
    const { surfaces, columns, reasons, isInside } = calibrated(chainOf(), { model });
    expect(surfaces).toHaveLength(1);
    const [{ underlying, surface, expiries }] = surfaces as [Calibration["surfaces"][0]];
    expect(underlying).toBe("SPX");
    const { timeToExpiry, forward, discount, svi } = surface!.slices[0]!;
    expect(timeToExpiry).toBe(1);
    expect(forward).toBeCloseTo(1000 * Math.exp(0.03), 7);
    expect(discount).toBeCloseTo(Math.exp(-0.04), 10);
    for (const strike of strikes) {
      const k = Math.log(strike / forward);
      expect(totalVariance(svi, k)).toBeCloseTo(totalVariance(smile, k), 6);
    }
    expect(expiries[0]).toMatchObject({ failure: null, isDrawnBack: false });
    const { quality } = expiries[0]!;
    expect(quality!.quoteCount).toBe(41);
    expect(quality!.insideShare).toBe(1);
    expect(quality!.maxHalfSpreads).toBeLessThan(0.05);
    expect(reasons.filter((reason) => reason === null)).toHaveLength(41);
    expect(reasons.filter((reason) => reason === "in_the_money")).toHaveLength(41);
    // In-the-money quotes are judged as well.
    expect(isInside.reduce((sum, each) => sum + each, 0)).toBe(82);
    expect(columns.fittedPrice.every(Number.isFinite)).toBeTrue();
  });

  test("errors are fitted less middle: in volatility, in price, in half-spreads", () => {
    const rows = chainOf();
    const at = rows.findIndex(({ contract }) => contract!.strike === 900 && contract!.optionType === "put");
    const high = { ...rows[at]!, bid: rows[at]!.bid + 0.3, ask: rows[at]!.ask + 0.3 };
    const { columns, isInside, surfaces } = calibrated(rows.with(at, high));
    // The put is 0.3 dearer than the smile; its neighbours hold the fit where it was, but for a little.
    expect(columns.priceError[at]).toBeCloseTo(-0.3, 1);
    expect(columns.halfSpreads[at]).toBeCloseTo(columns.priceError[at]! / 0.05, 9);
    expect(columns.volatilityError[at]).toBeLessThan(0);
    expect(isInside[at]).toBe(0);
    const { quality } = surfaces[0]!.expiries[0]!;
    expect(quality!.insideShare).toBeLessThan(1);
    expect(quality!.maxHalfSpreads).toBeCloseTo(Math.abs(columns.halfSpreads[at]!), 12);
    expect(quality!.maxVolatility).toBeCloseTo(Math.abs(columns.volatilityError[at]!), 12);
    expect(quality!.medianHalfSpreads).toBeLessThan(0.5);
  });

  test("a quote that is off pulls as its own spread allows: a wide one hardly, a tight one as far as Huber lets it", () => {
    const rows = chainOf();
    const at = rows.findIndex(({ contract }) => contract!.strike === 900 && contract!.optionType === "put");
    const errorWith = (half: number) => {
      const price = rows[at]!.bid + 0.05 + 0.3;
      const { columns } = calibrated(rows.with(at, { ...rows[at]!, bid: price - half, ask: price + half }));
      // What the fit gives way: 0.3 less what is left of it.
      return 0.3 - Math.abs(columns.priceError[at]!);
    };
    expect(errorWith(1)).toBeLessThan(errorWith(0.1) / 5);
  });

  test("quotes that can't be used say why", () => {
    const rows = chainOf();
    const place = (strike: number, type: string) =>
      rows.findIndex(({ contract }) => contract!.strike === strike && contract!.optionType === type);
    const faulty = rows
      .with(place(700, "put"), { ...rows[place(700, "put")]!, bid: 0 })
      .with(place(720, "put"), { ...rows[place(720, "put")]!, ask: Number.NaN })
      .with(place(740, "put"), { ...rows[place(740, "put")]!, bid: 50, ask: 40 })
      .with(place(760, "put"), { ...rows[place(760, "put")]!, bid: 5, ask: 5000 })
      .with(place(780, "put"), { ...rows[place(780, "put")]!, contract: null });
    const { reasons, surfaces } = calibrated(faulty);
    const reasonOf = (strike: number) => reasons[place(strike, "put")];
    expect([700, 720, 740, 760, 780].map(reasonOf)).toEqual([
      "no_bid",
      "no_ask",
      "crossed",
      "no_volatility",
      "unreadable_row",
    ]);
    expect(surfaces[0]!.expiries[0]!.quality!.quoteCount).toBe(36);
  });

  test("locked quotes count for the volatility and not for the half-spreads", () => {
    const { columns, surfaces } = calibrated(chainOf({ half: 0 }));
    expect(columns.halfSpreads.every(Number.isNaN)).toBeTrue();
    const { quality } = surfaces[0]!.expiries[0]!;
    expect(quality!.medianHalfSpreads).toBeNaN();
    expect(quality!.maxHalfSpreads).toBeNaN();
    expect(quality!.rmsVolatility).toBeLessThan(1e-4);
  });

  const later: Quoting = { date: "271217", years: 729 / 365, slice: { ...smile, a: 0.03, b: 0.11 } };

  test("expiries are in order of time whatever the rows' order, and rise from one to the next", () => {
    const { surfaces } = calibrated([...chainOf(later), ...chainOf()]);
    const { surface, expiries } = surfaces[0]!;
    expect(expiries.map(({ expiry }) => expiry.contract.expiryDate.year)).toEqual([2026, 2027]);
    expect(surface!.arbitrage().isFree).toBeTrue();
    expect(surface!.spot).toBe(1000);
  });

  test.each<SurfaceModel>(["svi", "svi_put_wing", "essvi"])(
    "quotes that cross in time are fitted without arbitrage by %s",
    (model) => {
      const crossing = { ...later, slice: { ...smile, a: 0.009 } };
      const { surface, expiries } = calibrated([...chainOf(), ...chainOf(crossing)], { model }).surfaces[0]!;
      expect(surface!.arbitrage().isFree).toBeTrue();
      expect(expiries[1]!.quality!.insideShare).toBeLessThan(0.5);
    },
  );

  test("of one expiry in two tables the later counts; of two roots at one moment the one with more rows", () => {
    const hour = 3_600_000_000n;
    const twice = calibrated([...chainOf({ at: asOf + hour, years: 1 - 1 / 8760 }), ...chainOf()]);
    const [used, older] = twice.surfaces[0]!.expiries as [
      Calibration["surfaces"][0]["expiries"][0],
      Calibration["surfaces"][0]["expiries"][0],
    ];
    expect(used.failure).toBeNull();
    expect(used.expiry.asOf).toBe(asOf + hour);
    expect(older.failure).toBe("superseded");
    expect(twice.reasons.slice(82).every((reason) => reason === "superseded")).toBeTrue();

    const fewer = chainOf({ root: "SPY", years: 1 }).slice(10);
    const pm = fewer.map((row) => ({
      ...row,
      contract: { ...row.contract!, underlying: "SPX", expiry: chainOf()[0]!.contract!.expiry },
    }));
    const both = calibrated([...pm, ...chainOf()]).surfaces[0]!;
    expect(both.expiries.map(({ expiry, failure }) => [expiry.root, failure])).toEqual([
      ["SPY", "superseded"],
      ["SPX", null],
    ]);
  });

  test("each underlying has its own surface; one without a forward has none and says so", () => {
    const ndx = chainOf({ root: "NDX" }).slice(0, 5);
    const { surfaces, reasons } = calibrated([...ndx, ...chainOf()]);
    expect(surfaces.map(({ underlying, surface }) => [underlying, surface === null])).toEqual([
      ["NDX", true],
      ["SPX", false],
    ]);
    expect(surfaces[0]!.expiries[0]).toMatchObject({ failure: "no_forward", slice: null, quality: null });
    expect(reasons.slice(0, 5).every((reason) => reason === "no_forward")).toBeTrue();
  });

  test.each<SurfaceModel>(["svi", "essvi"])("with rate and yield given four quotes make no slice of %s", (model) => {
    const rows = chainOf().filter(({ contract }) => contract!.optionType === "put" && contract!.strike < 680);
    const { surfaces } = calibrated(rows, { model, rate, dividendYield });
    expect(rows).toHaveLength(4);
    expect(surfaces[0]!.expiries[0]!.failure).toBe("too_few_quotes");
    expect(surfaces[0]!.surface).toBeNull();
  });

  test("without a spot the surface knows none", () => {
    const rows = chainOf().map((row) => ({ ...row, spot: Number.NaN }));
    expect(calibrated(rows).surfaces[0]!.surface!.spot).toBeNaN();
  });
});
