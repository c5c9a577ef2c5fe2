// From a chain of quotes to fitted surfaces, one for each underlying, with what every quote thinks of the fit. Decides which quotes
// count and says why the others don't; the fitting itself is svi-fit, svi-constrained and ssvi. No I/O. Deterministic: the same
// rows give the same surfaces.
//
// Which quotes: two-sided, out of the money by the parity forward (at the money the call), with a volatility at bid, middle and ask.
//   What an in-the-money option tells about volatility its partner at the same strike tells better; it is judged all the same.
// Weights: an error is counted in the quote's own half-spreads, taken as volatility (not below `volatilityErrorMin`).

import type { ChainRow } from "../domain/chain";
import { isPrice, midOf, quoteFault } from "../domain/quote";
import type { Engine } from "../engine/engine";
import { assert, unreachable } from "../foundation/assert";
import { type ChainExpiry, type ChainValuation, valueChain } from "./chain";
import { fitSsvi, rawFromSsvi, type SsviSlice } from "./ssvi";
import { Surface, type SurfaceSlice } from "./surface";
import { type SviSlice, totalVariance } from "./svi";
import { fitConstrained, startSlice } from "./svi-constrained";
import { type SlicePoints, slicePointsMin } from "./svi-fit";

/** What a slice is made of: SVI with a put wing, SVI alone, or extended SSVI. */
export const surfaceModels = ["svi_put_wing", "svi", "essvi"] as const;

export type SurfaceModel = (typeof surfaceModels)[number];

export interface SurfaceRequest {
  readonly rows: readonly ChainRow[];
  readonly model: SurfaceModel;
  /** Continuous; inferred where absent. */
  readonly rate?: number | undefined;
  readonly dividendYield?: number | undefined;
  /** Instead of the rows' own. */
  readonly spot?: number | undefined;
}

/** Why a quote was not used to fit. */
export const quoteReasons = [
  "unreadable_row",
  "no_forward",
  "superseded",
  "no_bid",
  "no_ask",
  "crossed",
  "in_the_money",
  "no_volatility",
] as const;

export type QuoteReason = (typeof quoteReasons)[number];

/** Why an expiry has no slice. */
export type SliceFailure = "no_forward" | "superseded" | "too_few_quotes";

/** A sentence for each failure. */
export const sliceFailureDetail: Readonly<Record<SliceFailure, string>> = {
  no_forward: "no forward could be found",
  superseded: "another table or root gives the same expiry, later or with more quotes",
  too_few_quotes: `fewer than ${slicePointsMin} quotes can be used`,
};

/** How well a slice fits the quotes it was fitted to. */
export interface FitQuality {
  readonly quoteCount: number;
  /** Median and greatest of |fitted − middle| over the half-spread, in price. */
  readonly medianHalfSpreads: number;
  readonly maxHalfSpreads: number;
  /** Share of quotes whose bid and ask enclose the fitted price. */
  readonly insideShare: number;
  /** Root mean square and greatest of the difference in volatility. */
  readonly rmsVolatility: number;
  readonly maxVolatility: number;
}

export interface FittedExpiry {
  readonly expiry: ChainExpiry;
  readonly slice: SurfaceSlice | null;
  readonly failure: SliceFailure | null;
  /** Whether the quotes had to give way so that no arbitrage is left, further than by a refit. */
  readonly isDrawnBack: boolean;
  readonly quality: FitQuality | null;
}

/** One underlying's surface; null where no expiry could be fitted. */
export interface FittedSurface {
  readonly underlying: string;
  readonly surface: Surface | null;
  readonly expiries: readonly FittedExpiry[];
}

type QuoteColumn = "k" | "fittedVolatility" | "fittedPrice" | "volatilityError" | "priceError" | "halfSpreads";

/** What was found; columns are as long as the rows, NaN is a missing number. */
export interface Calibration {
  readonly surfaces: readonly FittedSurface[];
  readonly valuation: ChainValuation;
  /** Errors are fitted less middle; `halfSpreads` is the price's over half the spread. */
  readonly columns: Readonly<Record<QuoteColumn, Float64Array>>;
  /** Whether bid and ask enclose the fitted price; 0 also where there is none. */
  readonly isInside: Uint8Array;
  /** Null where the quote was used. */
  readonly reasons: readonly (QuoteReason | null)[];
}

/** Half-spreads below a hundredth of a volatility point count as one: no quote is known that well. */
export const volatilityErrorMin = 1e-4;
/** Between two expiries the fit aims at so much of the earlier one's variance per year at every strike. */
export const forwardVarianceShareMin = 0.01;

/** Fits surfaces expiry by expiry; yields the number of rows done after each, and returns the whole. */
export function* calibrateSurfaces(engine: Engine, request: SurfaceRequest): Generator<number, Calibration> {
  const { rows } = request;
  const valuing = valueChain(engine, { ...request, volatility: "mid", units: "raw" });
  let step = valuing.next();
  while (!step.done) step = valuing.next();
  const valuation = step.value;

  const column = () => new Float64Array(rows.length).fill(Number.NaN);
  const results: Results = {
    columns: {
      k: column(),
      fittedVolatility: column(),
      fittedPrice: column(),
      volatilityError: column(),
      priceError: column(),
      halfSpreads: column(),
    },
    isInside: new Uint8Array(rows.length),
    reasons: new Array<QuoteReason | null>(rows.length).fill("unreadable_row"),
  };

  const surfaces: FittedSurface[] = [];
  let done = 0;
  for (const [underlying, expiries] of byUnderlying(valuation.expiries)) {
    const fitted: FittedExpiry[] = [];
    const memory: Memory = { slice: null, ssvi: null };
    const chosen = chosenExpiries(expiries, rows);
    for (const expiry of expiries) {
      const context = { engine, rows, valuation, results, model: request.model };
      fitted.push(fitExpiry(context, expiry, chosen.has(expiry), memory));
      done += expiry.rowIndexes.length;
      yield done;
    }
    const slices = fitted.flatMap(({ slice }) => (slice === null ? [] : [slice]));
    const spot = fitted.find(({ slice }) => slice !== null)?.expiry.spot ?? Number.NaN;
    const surface = slices.length === 0 ? null : new Surface(slices, isPrice(spot) ? spot : Number.NaN);
    surfaces.push({ underlying, surface, expiries: fitted });
  }
  return { surfaces, valuation, ...results };
}

interface Results {
  readonly columns: Readonly<Record<QuoteColumn, Float64Array>>;
  readonly isInside: Uint8Array;
  readonly reasons: (QuoteReason | null)[];
}

/** What the next slice must know of the one before. */
interface Memory {
  slice: SurfaceSlice | null;
  ssvi: SsviSlice | null;
}

interface Context {
  readonly engine: Engine;
  readonly rows: readonly ChainRow[];
  readonly valuation: ChainValuation;
  readonly results: Results;
  readonly model: SurfaceModel;
}

/** Expiries by underlying, soonest first. */
function byUnderlying(expiries: readonly ChainExpiry[]): Map<string, ChainExpiry[]> {
  const groups = new Map<string, ChainExpiry[]>();
  for (const expiry of expiries) {
    const group = groups.get(expiry.underlying);
    if (group) group.push(expiry);
    else groups.set(expiry.underlying, [expiry]);
  }
  for (const group of groups.values()) group.sort((left, right) => left.timeToExpiry - right.timeToExpiry);
  return groups;
}

/** One for each moment of settlement: the latest table, then the one with most rows. A surface has one slice a moment. */
function chosenExpiries(expiries: readonly ChainExpiry[], rows: readonly ChainRow[]): Set<ChainExpiry> {
  const best = new Map<bigint, ChainExpiry>();
  for (const expiry of expiries) {
    if (expiry.parity === null) continue;
    const moment = rows[expiry.rowIndexes[0]!]!.contract!.expiry;
    const other = best.get(moment);
    const isBetter =
      other === undefined ||
      expiry.asOf > other.asOf ||
      (expiry.asOf === other.asOf && expiry.rowIndexes.length > other.rowIndexes.length);
    if (isBetter) best.set(moment, expiry);
  }
  return new Set(best.values());
}

function fitExpiry(context: Context, expiry: ChainExpiry, isChosen: boolean, memory: Memory): FittedExpiry {
  const { rows, results } = context;
  const none = { expiry, slice: null, isDrawnBack: false, quality: null };
  const { parity, timeToExpiry } = expiry;
  const reject = (reason: QuoteReason) => {
    for (const index of expiry.rowIndexes) results.reasons[index] = reason;
  };
  if (parity === null) {
    reject("no_forward");
    return { ...none, failure: "no_forward" };
  }
  // Two moments settle so near each other only where the clocks of their tables differ by as much.
  const isAfter = memory.slice === null || timeToExpiry > memory.slice.timeToExpiry;
  if (!isChosen || !isAfter) {
    reject("superseded");
    return { ...none, failure: "superseded" };
  }
  const used: number[] = [];
  for (const index of expiry.rowIndexes) {
    const strike = rows[index]!.contract!.strike;
    results.columns.k[index] = Math.log(strike / parity.forward);
    const reason = reasonAgainst(context, index, parity.forward);
    results.reasons[index] = reason;
    if (reason === null) used.push(index);
  }
  const points = pointsOf(context, used, timeToExpiry);
  const fit = fitSlice(context.model, points, timeToExpiry, memory);
  if (fit === null) return { ...none, failure: "too_few_quotes" };
  const slice = { timeToExpiry, forward: parity.forward, discount: parity.discount, svi: fit.svi };
  memory.slice = slice;
  judge(context, expiry, slice);
  return { expiry, slice, failure: null, isDrawnBack: fit.isDrawnBack, quality: qualityOf(results, used) };
}

/** Why a quote doesn't count, or null. */
function reasonAgainst({ rows, valuation }: Context, index: number, forward: number): QuoteReason | null {
  const row = rows[index]!;
  const { strike, optionType } = row.contract!;
  const isOutOfTheMoney = optionType === "call" ? strike >= forward : strike < forward;
  if (!isOutOfTheMoney) return "in_the_money";
  const fault = quoteFault(row);
  if (fault !== null) return fault;
  const { ivBid, ivMid, ivAsk } = valuation.columns;
  return isPrice(ivBid[index]!) && isPrice(ivMid[index]!) && isPrice(ivAsk[index]!) ? null : "no_volatility";
}

/** The used quotes as total variances with their errors, in the order of strikes. */
function pointsOf({ valuation, results }: Context, used: readonly number[], time: number): SlicePoints {
  const { ivBid, ivMid, ivAsk } = valuation.columns;
  const { k } = results.columns;
  const ordered = used.toSorted((left, right) => k[left]! - k[right]!);
  return {
    k: Float64Array.from(ordered, (index) => k[index]!),
    w: Float64Array.from(ordered, (index) => ivMid[index]! ** 2 * time),
    error: Float64Array.from(ordered, (index) => {
      const half = Math.max((ivAsk[index]! - ivBid[index]!) / 2, volatilityErrorMin);
      return 2 * ivMid[index]! * half * time;
    }),
  };
}

function fitSlice(
  model: SurfaceModel,
  points: SlicePoints,
  time: number,
  memory: Memory,
): { svi: SviSlice; isDrawnBack: boolean } | null {
  const before = memory.slice;
  const share = before === null ? 0 : (forwardVarianceShareMin * (time - before.timeToExpiry)) / before.timeToExpiry;
  switch (model) {
    case "essvi": {
      const slice = fitSsvi(points, memory.ssvi, share);
      if (slice === null) return null;
      memory.ssvi = slice;
      return { svi: rawFromSsvi(slice), isDrawnBack: false };
    }
    case "svi":
    case "svi_put_wing": {
      const own = startSlice(points, model === "svi_put_wing");
      if (own === null) return null;
      // Where the quotes show no wing, the one before says how it goes on.
      const start = own.wing === undefined && before?.svi.wing ? { ...own, wing: before.svi.wing } : own;
      const above = before === null ? undefined : { slice: before.svi, share };
      const fit = fitConstrained({ points, start, above });
      assert(fit.isFree, `the slice at ${time} could not be kept free of arbitrage`);
      return { svi: fit.slice, isDrawnBack: fit.isDrawnBack };
    }
    default:
      return unreachable(model);
  }
}

/** Prices every row of an expiry at the fitted volatility and compares it with its quote. */
function judge({ engine, rows, valuation, results }: Context, expiry: ChainExpiry, slice: SurfaceSlice): void {
  const { rowIndexes, parity, timeToExpiry } = expiry;
  const { columns } = results;
  const volatility = Float64Array.from(rowIndexes, (index) =>
    Math.sqrt(totalVariance(slice.svi, columns.k[index]!) / timeToExpiry),
  );
  const priced = engine.price({
    model: "black_76",
    count: rowIndexes.length,
    isCall: Uint8Array.from(rowIndexes, (index) => (rows[index]!.contract!.optionType === "call" ? 1 : 0)),
    inputs: {
      forward: slice.forward,
      strike: Float64Array.from(rowIndexes, (index) => rows[index]!.contract!.strike),
      time_to_expiry: timeToExpiry,
      rate: parity!.rate,
      volatility,
    },
    outputs: ["price"],
    units: "raw",
  });
  rowIndexes.forEach((row, index) => {
    const { bid, ask } = rows[row]!;
    const price = priced.columns.price![index]!;
    const difference = price - midOf(rows[row]!);
    columns.fittedVolatility[row] = volatility[index]!;
    columns.fittedPrice[row] = price;
    columns.volatilityError[row] = volatility[index]! - valuation.columns.ivMid[row]!;
    columns.priceError[row] = difference;
    columns.halfSpreads[row] = ask > bid ? difference / ((ask - bid) / 2) : Number.NaN;
    results.isInside[row] = bid <= price && price <= ask ? 1 : 0;
  });
}

function qualityOf({ columns, isInside }: Results, used: readonly number[]): FitQuality {
  const sizes = (values: Float64Array) => used.map((index) => Math.abs(values[index]!));
  // A locked quote has no half-spread: it is judged by its volatility only.
  const halfSpreads = sizes(columns.halfSpreads).filter((size) => !Number.isNaN(size));
  halfSpreads.sort((left, right) => left - right);
  const volatilities = sizes(columns.volatilityError);
  const count = used.length;
  return {
    quoteCount: count,
    medianHalfSpreads: medianOf(halfSpreads),
    maxHalfSpreads: halfSpreads.at(-1) ?? Number.NaN,
    insideShare: used.filter((index) => isInside[index] === 1).length / count,
    rmsVolatility: Math.sqrt(volatilities.reduce((sum, each) => sum + each * each, 0) / count),
    maxVolatility: volatilities.reduce((most, each) => Math.max(most, each), 0),
  };
}

function medianOf(sorted: readonly number[]): number {
  const half = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
