// Fits a whole book: forward and discount of each expiry, a volatility of each usable quote, a smile slice where there are quotes
// enough, and what early exercise adds to American options. Separate from the book because it takes many milliseconds: it works on
// the quotes of one moment, in steps that others may run between, and touches nothing until the book takes its result.
//
// European: parity on the quotes. American: parity on prices from which early exercise was taken out: each leg's volatility by
//   the American model at the forward so far, the European price at that volatility, and the forward anew, `deAmericanisingRounds` times.
//   Near the money only: a deep option at its payoff tells no volatility.
// Smiles: SVI with a put wing, free of butterfly arbitrage and, towards the expiry before, of calendar arbitrage, from the options out
//   of the money, weighted as in surfaces/calibrate. Where quotes are too few the last slice stays while it keeps these conditions.
// See docs/numerics/live-valuation.md. Checked: tests/unit/book/refit, tests/numerics/live-chain.

import { midOf } from "../domain/quote";
import { statusCodes } from "../engine/catalog";
import type { Engine } from "../engine/engine";
import { forwardVarianceShareMin, volatilityErrorMin } from "../surfaces/calibrate";
import { fitParity, type ParityFit, type ParityQuality, type ParityStrike } from "../surfaces/parity";
import type { SviSlice } from "../surfaces/svi";
import { totalVariance } from "../surfaces/svi";
import { fitConstrained, keepsConditions, startSlice } from "../surfaces/svi-constrained";
import { slicePointsMin } from "../surfaces/svi-fit";
import type { BookSettings, ForwardSource, SpotSource } from "./entries";
import { type ExpiryFit, type ExpiryLayout, type FittedSlice, yearsBetween } from "./expiry";

/** The quotes of one moment and what else a fit rests on; all of it stays as it is while the fit is under way. */
export interface RefitInput {
  /** Microseconds since the epoch. */
  readonly at: number;
  /** The book's version then. */
  readonly version: number;
  readonly settings: BookSettings;
  /** By the underlying's own quote: mid, last, stale, or none (NaN). A stale one stands behind parity. */
  readonly spot: number;
  readonly spotSource: SpotSource;
  /** By row; NaN on both sides where the quote is not to be used. */
  readonly bid: Float64Array;
  readonly ask: Float64Array;
  /** Middle prices of futures by the moment they expire. */
  readonly futures: ReadonlyMap<number, number>;
}

/** What does not change while rows stay where they are. */
export interface RefitPlace {
  readonly engine: Engine;
  readonly layouts: readonly ExpiryLayout[];
  readonly strike: Float64Array;
  readonly isCall: Uint8Array;
  readonly expiryCount: number;
}

export interface RefitResult {
  readonly spot: number;
  readonly spotSource: SpotSource;
  /** By the expiry's place. */
  readonly fits: (ExpiryFit | null)[];
  /** By row; NaN is none. */
  readonly quoteVolatility: Float64Array;
  readonly solveStatus: Float64Array;
  /** By row: what early exercise adds to price, delta, gamma, vega, theta, rho; NaN for European options and where not known. */
  readonly premiums: readonly Float64Array[];
}

/** Price and the first Greeks, in the order of `premiums`. */
export const valuedOutputs = ["price", "delta", "gamma", "vega", "theta", "rho"] as const;

/** American pairs nearest to the money that a forward is taken from. */
const americanPairsMax = 16;
/** Standard errors by which a doubtful forward must differ from a sound one's to be believed. */
const surelyErrors = 3;
const deAmericanisingRounds = 3;
/** American options solved or priced at a time: about a millisecond and a half. */
const americanSolvedMax = 24;
const americanPricedMax = 96;

/** A forward as it is being found. */
interface Found {
  readonly source: ForwardSource;
  readonly quality: ParityQuality | null;
  readonly rate: number;
  /** Of the moment: S·e^((r − q)T), or the parity line's root. */
  readonly forward: number;
  /** Standard error of the forward; NaN where it rests on no line. */
  readonly forwardError: number;
  readonly strikesUsed: number;
  readonly isDeAmericanised: boolean;
}

/** Fits everything, in steps. */
export function* refitInSteps(place: RefitPlace, input: RefitInput): Generator<void, RefitResult> {
  const found = new Map<ExpiryLayout, Found>();
  for (const layout of place.layouts) {
    const time = yearsBetween(input.at, layout.expiry.at);
    if (!(time > 0)) continue;
    const parity = yield* parityOf(place, input, layout, time);
    if (parity !== null) found.set(layout, parity);
    yield;
  }
  const { spot, spotSource } = spotOf(place, input, found);
  completeForwards(place, input, spot, found);

  const rowCount = input.bid.length;
  const nans = () => new Float64Array(rowCount).fill(Number.NaN);
  const result: RefitResult = {
    spot,
    spotSource,
    fits: Array.from({ length: place.expiryCount }, () => null),
    quoteVolatility: nans(),
    solveStatus: new Float64Array(rowCount),
    premiums: valuedOutputs.map(nans),
  };
  if (!(spot > 0)) {
    // Nothing to fit by: what was fitted stays.
    for (const { index, expiry } of place.layouts) if (expiry.at > input.at) result.fits[index] = expiry.fit;
    return result;
  }
  let before: SliceBefore | null = null;
  for (const layout of place.layouts) {
    const forward = found.get(layout);
    const time = yearsBetween(input.at, layout.expiry.at);
    if (forward === undefined || !(time > 0)) continue;
    const { rate } = forward;
    const terms = {
      time,
      spot,
      forward: forward.forward,
      rate,
      dividendYield: rate - Math.log(forward.forward / spot) / time,
    };
    const points = yield* volatilitiesOf(place, input, layout, terms, result);
    const slice = sliceOf(points, time, input.at, layout.expiry.fit?.slice ?? null, before);
    if (slice !== null && (before === null || time > before.time)) before = { svi: slice.svi, time };
    result.fits[layout.index] = {
      source: forward.source,
      quality: forward.quality,
      at: input.at,
      timeToExpiry: time,
      spot,
      forward: forward.forward,
      rate,
      dividendYield: terms.dividendYield,
      strikesUsed: forward.strikesUsed,
      isDeAmericanised: forward.isDeAmericanised,
      slice,
    };
    yield;
    if (layout.expiry.style === "american") yield* premiumsOf(place, input, layout, terms, slice, result);
  }
  return result;
}

/** Forward and discount from the quotes of one expiry, or null. */
function* parityOf(
  place: RefitPlace,
  input: RefitInput,
  layout: ExpiryLayout,
  time: number,
): Generator<void, Found | null> {
  const { settings, bid, ask } = input;
  const spot = freshSpot(input);
  const held = { rate: settings.rate ?? undefined, dividendYield: settings.dividendYield ?? undefined, spot };
  const strikes: ParityStrike[] = [];
  for (const { strike, call, put } of layout.strikes) {
    if (call < 0 || put < 0) continue;
    const sides = (row: number) => ({ bid: bid[row]!, ask: ask[row]! });
    strikes.push({ strike, call: sides(call), put: sides(put) });
  }
  const fit = fitParity({ strikes, timeToExpiry: time, ...held });
  if (typeof fit === "string") return null;
  if (layout.expiry.style === "european" || fit.quality === "given") return foundBy(fit, false);
  const pairs = nearestPairs(strikes, fit.forward);
  // Where the last refit got to is near enough that one round goes on from there.
  const old = layout.expiry.fit;
  const known = old?.isDeAmericanised === true && spot !== undefined ? old : null;
  const rounds = known === null ? deAmericanisingRounds : 1;
  let line = fit;
  for (let round = 0; round < rounds; round++) {
    const stood = spot ?? line.forward * line.discount;
    const { rate, dividendYield } = known ?? {
      rate: line.rate,
      dividendYield: line.rate - Math.log(line.forward / stood) / time,
    };
    const terms = { time, spot: stood, rate, dividendYield };
    const european: ParityStrike[] = [];
    for (let start = 0; start < pairs.length; start += americanSolvedMax / 2) {
      european.push(...deAmericanised(place.engine, pairs.slice(start, start + americanSolvedMax / 2), terms));
      yield;
    }
    const next = fitParity({ strikes: european, timeToExpiry: time, ...held });
    if (typeof next === "string") return foundBy(line, round > 0);
    line = next;
  }
  return foundBy(line, true);
}

function foundBy(fit: ParityFit, isDeAmericanised: boolean): Found {
  const { source, quality, rate, forward, forwardError, strikesUsed } = fit;
  return { source, quality, rate, forward, forwardError, strikesUsed, isDeAmericanised };
}

/** Two-sided pairs near the money, in order of strikes. */
function nearestPairs(strikes: readonly ParityStrike[], forward: number): ParityStrike[] {
  return strikes
    .filter(({ call, put }) => !Number.isNaN(midOf(call)) && !Number.isNaN(midOf(put)))
    .toSorted((left, right) => Math.abs(left.strike - forward) - Math.abs(right.strike - forward))
    .slice(0, americanPairsMax)
    .sort((left, right) => left.strike - right.strike);
}

interface Terms {
  readonly time: number;
  readonly spot: number;
  readonly rate: number;
  readonly dividendYield: number;
}

/** The pairs with early exercise taken out of both legs' middles; the widths stay. A leg that tells no volatility is no leg. */
function deAmericanised(engine: Engine, pairs: readonly ParityStrike[], terms: Terms): ParityStrike[] {
  const legs = pairs.flatMap(({ call, put }) => [call, put]);
  const market = {
    count: legs.length,
    isCall: Uint8Array.from(legs, (_, index) => (index + 1) % 2),
    inputs: {
      spot: terms.spot,
      strike: Float64Array.from(legs, (_, index) => pairs[index >> 1]!.strike),
      time_to_expiry: terms.time,
      rate: terms.rate,
      dividend_yield: terms.dividendYield,
    },
  };
  const price = Float64Array.from(legs, midOf);
  const solved = engine.impliedVolatility({
    ...market,
    model: "american",
    inputs: { ...market.inputs, scheme: 0 },
    price,
    onUnattainable: "null",
  });
  const european = engine.price({
    ...market,
    model: "black_scholes_merton",
    inputs: { ...market.inputs, volatility: solved.impliedVolatility },
    outputs: ["price"],
    units: "raw",
  }).columns.price!;
  const leg = (index: number) => {
    const shift = european[index]! - price[index]!;
    return { bid: legs[index]!.bid + shift, ask: legs[index]!.ask + shift };
  };
  return pairs.map(({ strike }, index) => ({ strike, call: leg(2 * index), put: leg(2 * index + 1) }));
}

/** The underlying's own fresh quote, else the prepaid forward of the nearest expiry that has a line, else its own old quote. */
function spotOf(
  { layouts }: RefitPlace,
  input: RefitInput,
  found: ReadonlyMap<ExpiryLayout, Found>,
): { spot: number; spotSource: SpotSource } {
  const { spot, spotSource, at } = input;
  if (freshSpot(input) !== undefined) return { spot, spotSource };
  for (const layout of layouts) {
    const nearest = found.get(layout);
    if (nearest === undefined) continue;
    return {
      spot: nearest.forward * Math.exp(-nearest.rate * yearsBetween(at, layout.expiry.at)),
      spotSource: "parity",
    };
  }
  return { spot, spotSource };
}

function freshSpot({ spot, spotSource }: RefitInput): number | undefined {
  return spotSource === "mid" || spotSource === "last" ? spot : undefined;
}

/** Gives the expiries without a line of their own a forward: an earlier fit's, a future's, or between their neighbours'. */
function completeForwards(
  { layouts }: RefitPlace,
  { at, settings, futures }: RefitInput,
  spot: number,
  found: Map<ExpiryLayout, Found>,
): void {
  if (!(spot > 0)) return;
  const carry = (rate: number, dividendYield: number, time: number) => spot * Math.exp((rate - dividendYield) * time);
  const none = { quality: null, forwardError: Number.NaN, strikesUsed: 0, isDeAmericanised: false };
  for (const layout of layouts) {
    const { fit } = layout.expiry;
    const time = yearsBetween(at, layout.expiry.at);
    if (!(time > 0) || fit === null) continue;
    const now = found.get(layout);
    const { rate, dividendYield, quality, strikesUsed, isDeAmericanised } = fit;
    const forward = carry(rate, dividendYield, time);
    // A doubtful line is not taken over one that was sound, unless it is surely another.
    const isOther = now !== undefined && Math.abs(now.forward - forward) > surelyErrors * now.forwardError;
    if (now !== undefined && (now.quality !== "doubtful" || quality !== "sound" || isOther)) continue;
    if (fit.source === "interpolated" || fit.source === "future") continue;
    const old = { quality, rate, forward, forwardError: Number.NaN, strikesUsed, isDeAmericanised };
    found.set(layout, { source: "carried", ...old });
  }
  const known = layouts.filter((layout) => found.has(layout));
  const knownTimes = known.map(({ expiry }) => yearsBetween(at, expiry.at));
  const knownRates = known.map((layout) => found.get(layout)!.rate);
  const knownYields = known.map((layout, index) => {
    const { rate, forward } = found.get(layout)!;
    return rate - Math.log(forward / spot) / knownTimes[index]!;
  });
  for (const layout of layouts) {
    const time = yearsBetween(at, layout.expiry.at);
    if (!(time > 0) || found.has(layout)) continue;
    const future = futures.get(layout.expiry.at);
    const rate = settings.rate ?? (known.length > 0 ? between(knownTimes, knownRates, time) : 0);
    if (future !== undefined) found.set(layout, { ...none, source: "future", rate, forward: future });
    else if (known.length > 0) {
      const dividendYield = settings.dividendYield ?? between(knownTimes, knownYields, time);
      found.set(layout, { ...none, source: "interpolated", rate, forward: carry(rate, dividendYield, time) });
    }
  }
}

/** Linear between known points, flat outside them. */
function between(times: readonly number[], values: readonly number[], time: number): number {
  const after = times.findIndex((each) => each >= time);
  if (after <= 0) return after === 0 ? values[0]! : values.at(-1)!;
  const span = times[after]! - times[after - 1]!;
  return values[after - 1]! + ((values[after]! - values[after - 1]!) * (time - times[after - 1]!)) / span;
}

interface SmilePoint {
  readonly k: number;
  readonly volatility: number;
  readonly error: number;
}

interface ForwardTerms extends Terms {
  readonly forward: number;
}

/** Solves the quotes of one expiry into the result's columns, and returns what a smile may be fitted to. */
function* volatilitiesOf(
  place: RefitPlace,
  { bid, ask }: RefitInput,
  layout: ExpiryLayout,
  terms: ForwardTerms,
  result: RefitResult,
): Generator<void, SmilePoint[]> {
  const rows = Array.from(layout.rows).filter((row) => !Number.isNaN(midOf({ bid: bid[row]!, ask: ask[row]! })));
  const isAmerican = layout.expiry.style === "american";
  const points: SmilePoint[] = [];
  const step = isAmerican ? americanSolvedMax : Math.max(1, rows.length);
  for (let start = 0; start < rows.length; start += step) {
    const some = rows.slice(start, start + step);
    const count = some.length;
    const strike = Float64Array.from(some, (row) => place.strike[row]!);
    const isCall = Uint8Array.from(some, (row) => place.isCall[row]!);
    const mid = Float64Array.from(some, (row) => midOf({ bid: bid[row]!, ask: ask[row]! }));
    const inputs = {
      spot: terms.spot,
      strike,
      time_to_expiry: terms.time,
      rate: terms.rate,
      dividend_yield: terms.dividendYield,
    };
    const market = { count, isCall, onUnattainable: "null" as const };
    const solve = (price: Float64Array) => engineSolve(place.engine, { ...market, price }, isAmerican, inputs);
    const { impliedVolatility, status } = solve(mid);
    const halves = isAmerican
      ? halvesByVega(
          place.engine,
          { count, isCall, inputs: { ...inputs, volatility: impliedVolatility } },
          some,
          bid,
          ask,
        )
      : halvesBySides(solve(column(some, bid)).impliedVolatility, solve(column(some, ask)).impliedVolatility);
    some.forEach((row, index) => {
      const volatility = impliedVolatility[index]!;
      result.quoteVolatility[row] = volatility;
      result.solveStatus[row] = status[index]!;
      const isOutOfTheMoney = isCall[index] === 1 ? strike[index]! >= terms.forward : strike[index]! < terms.forward;
      const half = halves[index]!;
      if (!isOutOfTheMoney || !(volatility > 0) || !(half >= 0)) return;
      const error = 2 * volatility * Math.max(half, volatilityErrorMin) * terms.time;
      points.push({ k: Math.log(strike[index]! / terms.forward), volatility, error });
    });
    yield;
  }
  return points;
}

function engineSolve(
  engine: Engine,
  market: { count: number; isCall: Uint8Array; price: Float64Array; onUnattainable: "null" },
  isAmerican: boolean,
  inputs: Parameters<Engine["impliedVolatility"]>[0]["inputs"],
) {
  return isAmerican
    ? engine.impliedVolatility({ ...market, model: "american", inputs: { ...inputs, scheme: 0 } })
    : engine.impliedVolatility({ ...market, model: "black_scholes_merton", inputs });
}

function column(rows: readonly number[], of: Float64Array): Float64Array {
  return Float64Array.from(rows, (row) => of[row]!);
}

/** Half the spread as volatility, by solving both sides; NaN where a side has none. */
function halvesBySides(bid: Float64Array, ask: Float64Array): Float64Array {
  return bid.map((low, index) => (low > 0 ? (ask[index]! - low) / 2 : Number.NaN));
}

/** The same by the European vega at the middle, where solving is dear. */
function halvesByVega(
  engine: Engine,
  market: { count: number; isCall: Uint8Array; inputs: Parameters<Engine["price"]>[0]["inputs"] },
  rows: readonly number[],
  bid: Float64Array,
  ask: Float64Array,
): Float64Array {
  const { vega } = engine.price({ ...market, model: "black_scholes_merton", outputs: ["vega"], units: "raw" }).columns;
  return vega!.map((each, index) => {
    const row = rows[index]!;
    return each > 0 ? (ask[row]! - bid[row]!) / 2 / each : Number.NaN;
  });
}

interface SliceBefore {
  readonly svi: SviSlice;
  readonly time: number;
}

/** A slice through the points, above the one before; else the one that was, where it may stay; else null. */
function sliceOf(
  points: readonly SmilePoint[],
  time: number,
  at: number,
  old: FittedSlice | null,
  before: SliceBefore | null,
): FittedSlice | null {
  // Two roots that settle at one moment, or nearly, share the first one's bound.
  const isAfter = before === null || time > before.time;
  const share = before === null || !isAfter ? 0 : (forwardVarianceShareMin * (time - before.time)) / before.time;
  const above = before === null || !isAfter ? undefined : { slice: before.svi, share };
  const ordered = points.toSorted((left, right) => left.k - right.k);
  const columns = {
    k: Float64Array.from(ordered, ({ k }) => k),
    w: Float64Array.from(ordered, ({ volatility }) => volatility * volatility * time),
    error: Float64Array.from(ordered, ({ error }) => error),
  };
  const count = points.length;
  const aged = old === null ? null : agedTo(old, time);
  if (aged !== null && count >= slicePointsMin) {
    // From where the last fit ended: a tenth of the work. Not where it ends much worse than the last start from nothing did.
    const fit = fitConstrained({ points: columns, start: aged.svi, above });
    const isGood = fit.loss <= count * Math.max(warmLossShare * aged.coldLoss, warmLossMin);
    if (fit.isFree && !fit.isDrawnBack && isGood)
      return { svi: fit.slice, at, timeToExpiry: time, quoteCount: count, coldLoss: aged.coldLoss };
  }
  const own = startSlice(columns, true);
  if (own !== null) {
    const start = own.wing === undefined && before?.svi.wing ? { ...own, wing: before.svi.wing } : own;
    const fit = fitConstrained({ points: columns, start, above });
    if (fit.isFree) return { svi: fit.slice, at, timeToExpiry: time, quoteCount: count, coldLoss: fit.loss / count };
  }
  return aged !== null && keepsConditions(aged.svi, above) ? aged : null;
}

/** Half the mean square error, in half-spreads, that a fit from the last slice may have: that of the last fit from nothing, a little worse, or this. */
const warmLossShare = 1.2;
const warmLossMin = 0.02;

/** The same volatilities at the same moneyness with less time left: a smaller multiple of the same variances, free of butterflies as they. */
function agedTo(slice: FittedSlice, time: number): FittedSlice {
  const share = time / slice.timeToExpiry;
  const { svi } = slice;
  const wing = svi.wing && { ...svi.wing, height: svi.wing.height * share };
  return { ...slice, timeToExpiry: time, svi: { ...svi, a: svi.a * share, b: svi.b * share, ...(wing && { wing }) } };
}

/** What early exercise adds at the volatility each American row will be priced at. */
function* premiumsOf(
  place: RefitPlace,
  { settings }: RefitInput,
  layout: ExpiryLayout,
  terms: ForwardTerms,
  slice: FittedSlice | null,
  result: RefitResult,
): Generator<void, void> {
  const rows = Array.from(layout.rows);
  for (let start = 0; start < rows.length; start += americanPricedMax) {
    const some = rows.slice(start, start + americanPricedMax);
    const volatility = Float64Array.from(some, (row) => {
      const quoted = result.quoteVolatility[row]!;
      const fitted = slice === null ? Number.NaN : sliceVolatility(slice, Math.log(place.strike[row]! / terms.forward));
      const [first, second] = settings.volatility === "quote" ? [quoted, fitted] : [fitted, quoted];
      return first > 0 ? first : second;
    });
    const premiums = earlyExercise(place.engine, {
      count: some.length,
      isCall: Uint8Array.from(some, (row) => place.isCall[row]!),
      inputs: {
        spot: terms.spot,
        strike: column(some, place.strike),
        time_to_expiry: terms.time,
        rate: terms.rate,
        dividend_yield: terms.dividendYield,
        volatility,
      },
    });
    premiums.forEach((values, output) => {
      some.forEach((row, index) => {
        result.premiums[output]![row] = values[index]!;
      });
    });
    yield;
  }
}

/** The volatility of a fitted slice at log-moneyness k: what it was at its own time. */
export function sliceVolatility({ svi, timeToExpiry }: FittedSlice, k: number): number {
  return Math.sqrt(totalVariance(svi, k) / timeToExpiry);
}

/** American less European, for price and first Greeks; NaN where either has none. */
export function earlyExercise(
  engine: Engine,
  market: { count: number; isCall: Uint8Array; inputs: Parameters<Engine["price"]>[0]["inputs"] },
): Float64Array[] {
  const asked = { ...market, outputs: valuedOutputs, units: "raw" as const };
  const american = engine.price({ ...asked, model: "american", inputs: { ...market.inputs, scheme: 0 } });
  const european = engine.price({ ...asked, model: "black_scholes_merton" });
  return valuedOutputs.map((output) =>
    american.columns[output]!.map((value, index) =>
      american.status[index]! >= statusCodes.below_intrinsic ? Number.NaN : value - european.columns[output]![index]!,
    ),
  );
}
