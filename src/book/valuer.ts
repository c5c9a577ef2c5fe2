// Prices every option of a book at one moment: one engine call for all of them. Separate from the book because it is the part that runs
// at every tick and keeps columns of its own to run in. It writes the rows' values, sources and reasons, and nothing else.
//
// Volatility: by the book's mode the fitted surface's at today's moneyness, or the option's own quote's, solved when it last changed; each
//   stands in for the other where it has none.
// American: European at the spot of now, plus what early exercise added at the spot of the last full valuation, expanded in the spot:
//   e(S) = e₀ + e₁·(S − S₀) + e₂·(S − S₀)²/2, e₁ and e₂ being the differences of delta and gamma; never below the payoff.
//   Rows whose spot has moved further than `premiumReach` are valued in full, so many at each valuation.
// See docs/numerics/live-valuation.md for the error that leaves.

import { midOf } from "../domain/quote";
import { statusCodes, statusName } from "../engine/catalog";
import type { Engine } from "../engine/engine";
import type { Surface } from "../surfaces/surface";
import { type BookReason, bookReasons, quoteStates, type ValuationReport, volatilitySources } from "./entries";
import { yearsBetween } from "./expiry";
import { earlyExercise, sliceVolatility, valuedOutputs } from "./refit";
import type { ColumnName } from "./rows";
import type { BookState } from "./state";

/** The columns that hold what early exercise adds, in the order of `valuedOutputs`. */
export const premiumColumns = [
  "premiumPrice",
  "premiumDelta",
  "premiumGamma",
  "premiumVega",
  "premiumTheta",
  "premiumRho",
] as const satisfies readonly ColumnName[];

/** A relative move of the spot up to which the early-exercise premium is expanded rather than computed. */
export const premiumReach = 0.0025;
/** Less than this part of the strike above the payoff is the expansion's rounding. */
const exerciseSlack = 1e-9;
/** American options valued in full, and solved, at each valuation: together about a millisecond. */
const premiumsMax = 48;
const americanSolvedMax = 8;

const [fromNothing, fromQuote, fromSurface] = [
  volatilitySources.indexOf("none"),
  volatilitySources.indexOf("quote"),
  volatilitySources.indexOf("surface"),
];

/** What holds for an expiry at the moment of the valuation. */
interface Stand {
  readonly time: number;
  readonly rate: number;
  readonly dividendYield: number;
  readonly logForward: number;
  readonly hasForward: boolean;
  readonly hasExpired: boolean;
  readonly volatilityAt: ((k: number) => number) | null;
}

export class Valuer {
  readonly #engine: Engine;
  #time = new Float64Array(0);
  #rate = new Float64Array(0);
  #yield = new Float64Array(0);

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Values all options of the state at its spot. `surface` lends a smile to expiries without one of their own. */
  value(state: BookState, moment: number, surface: Surface | null): ValuationReport {
    const { rows, spot } = state;
    const count = rows.optionCount;
    if (count === 0) return { optionCount: 0, nullCount: 0 };
    this.#need(count);
    const stands = standsOf(state, moment, surface);
    this.#solve(state, stands);
    this.#spread(state, stands);

    const asked = {
      model: "black_scholes_merton" as const,
      count,
      isCall: rows.isCall.subarray(0, count),
      inputs: {
        spot,
        strike: rows.columns.strike.subarray(0, count),
        time_to_expiry: this.#time.subarray(0, count),
        rate: this.#rate.subarray(0, count),
        dividend_yield: this.#yield.subarray(0, count),
        volatility: rows.columns.volatility.subarray(0, count),
      },
      outputs: valuedOutputs,
      units: "raw" as const,
    };
    const { columns, status } = this.#engine.price(asked);
    const values = valuedOutputs.map((output) => columns[output]!);
    this.#addPremiums(state, values, stands);
    settle(state, stands, values, status);
    tellInCoins(state, stands, values[0]!);
    return { optionCount: count, nullCount: take(state, stands, values, status) };
  }

  /** Solves the quotes that changed since they were last solved. */
  #solve(state: BookState, stands: readonly (Stand | null)[]): void {
    const { rows, settings } = state;
    const { columns } = rows;
    const dirty: number[] = [];
    const isDirty = (row: number) =>
      columns.quoteVersion[row]! > columns.solvedVersion[row]! &&
      columns.quoteState[row] === 0 &&
      stands[columns.expiryIndex[row]!]!.hasForward;
    for (let row = 0; row < rows.europeanCount; row++) if (isDirty(row)) dirty.push(row);
    this.#solveRows(state, stands, dirty, "black_scholes_merton");
    if (settings.volatility !== "quote") return;
    dirty.length = 0;
    for (let row = rows.europeanCount; row < rows.optionCount && dirty.length < americanSolvedMax; row++)
      if (isDirty(row)) dirty.push(row);
    this.#solveRows(state, stands, dirty, "american");
  }

  #solveRows(
    state: BookState,
    stands: readonly (Stand | null)[],
    some: readonly number[],
    model: "black_scholes_merton" | "american",
  ): void {
    if (some.length === 0) return;
    const { columns, isCall } = state.rows;
    const standOf = (row: number) => stands[columns.expiryIndex[row]!]!;
    const inputs = {
      spot: state.spot,
      strike: Float64Array.from(some, (row) => columns.strike[row]!),
      time_to_expiry: Float64Array.from(some, (row) => standOf(row).time),
      rate: Float64Array.from(some, (row) => standOf(row).rate),
      dividend_yield: Float64Array.from(some, (row) => standOf(row).dividendYield),
    };
    const { impliedVolatility, status } = this.#engine.impliedVolatility({
      model,
      count: some.length,
      isCall: Uint8Array.from(some, (row) => isCall[row]!),
      inputs: model === "american" ? { ...inputs, scheme: 0 } : inputs,
      price: Float64Array.from(some, (row) => {
        const middle = midOf({ bid: columns.bid[row]!, ask: columns.ask[row]! });
        return columns.isInverse[row] === 1 ? middle * state.spot : middle;
      }),
      onUnattainable: "null",
    });
    some.forEach((row, index) => {
      columns.quoteVolatility[row] = impliedVolatility[index]!;
      columns.solveStatus[row] = status[index]!;
      columns.solvedVersion[row] = columns.quoteVersion[row]!;
      columns.version[row] = state.version;
    });
  }

  /** Fills every row's time, rate, yield and volatility, and says where the volatility is from. */
  #spread({ rows, settings }: BookState, stands: readonly (Stand | null)[]): void {
    const { columns, logStrike } = rows;
    const { expiryIndex, quoteVolatility, quoteState, volatility, volatilitySource } = columns;
    const [time, rate, dividendYield] = [this.#time, this.#rate, this.#yield];
    const prefersQuote = settings.volatility === "quote";
    for (let row = 0; row < rows.optionCount; row++) {
      const stand = stands[expiryIndex[row]!]!;
      time[row] = stand.time;
      rate[row] = stand.rate;
      dividendYield[row] = stand.dividendYield;
      if (stand.hasExpired || !stand.hasForward) {
        volatility[row] = stand.hasExpired ? 0 : Number.NaN;
        volatilitySource[row] = fromNothing;
        continue;
      }
      const quoted = quoteState[row] === 0 ? quoteVolatility[row]! : Number.NaN;
      if (prefersQuote && quoted > 0) {
        volatility[row] = quoted;
        volatilitySource[row] = fromQuote;
        continue;
      }
      const fitted = stand.volatilityAt === null ? Number.NaN : stand.volatilityAt(logStrike[row]! - stand.logForward);
      const isFitted = fitted > 0;
      volatility[row] = isFitted ? fitted : quoted;
      volatilitySource[row] = isFitted ? fromSurface : quoted > 0 ? fromQuote : fromNothing;
    }
  }

  /** Adds what early exercise is worth to the American rows' European values. */
  #addPremiums(state: BookState, values: readonly Float64Array[], stands: readonly (Stand | null)[]): void {
    const { rows, spot } = state;
    const { columns } = rows;
    if (rows.europeanCount === rows.optionCount) return;
    this.#renewPremiums(state, stands);
    const [price, delta, gamma, vega, theta, rho] = values as [Float64Array, ...Float64Array[]] & Float64Array[];
    for (let row = rows.europeanCount; row < rows.optionCount; row++) {
      const step = spot - columns.premiumSpot[row]!;
      const slope = columns.premiumDelta[row]!;
      const bend = columns.premiumGamma[row]!;
      const premium = columns.premiumPrice[row]! + step * (slope + 0.5 * bend * step);
      const strike = columns.strike[row]!;
      const isCall = columns.isCall[row] === 1;
      const payoff = Math.max(0, isCall ? spot - strike : strike - spot);
      price[row]! += premium;
      delta![row]! += slope + bend * step;
      gamma![row]! += bend;
      vega![row]! += columns.premiumVega[row]!;
      theta![row]! += columns.premiumTheta[row]!;
      rho![row]! += columns.premiumRho[row]!;
      if (price[row]! > payoff + exerciseSlack * strike || payoff === 0 || Number.isNaN(price[row]!)) continue;
      // Exercised at once: the payoff, which moves with the spot alone.
      price[row] = payoff;
      delta![row] = isCall ? 1 : -1;
      for (const column of [gamma!, vega!, theta!, rho!]) column[row] = 0;
    }
  }

  /** Values some of the rows in full whose premium is not known or was computed at a spot too far away. */
  #renewPremiums(state: BookState, stands: readonly (Stand | null)[]): void {
    const { rows, spot } = state;
    const { columns } = rows;
    const due: number[] = [];
    for (let row = rows.europeanCount; row < rows.optionCount && due.length < premiumsMax; row++) {
      const stand = stands[columns.expiryIndex[row]!]!;
      if (stand.hasExpired || !(columns.volatility[row]! > 0)) continue;
      const isNear = Math.abs(spot - columns.premiumSpot[row]!) <= premiumReach * spot;
      if (!isNear || Number.isNaN(columns.premiumPrice[row]!)) due.push(row);
    }
    if (due.length === 0) return;
    const of = (column: Float64Array) => Float64Array.from(due, (row) => column[row]!);
    const premiums = earlyExercise(this.#engine, {
      count: due.length,
      isCall: Uint8Array.from(due, (row) => rows.isCall[row]!),
      inputs: {
        spot,
        strike: of(columns.strike),
        time_to_expiry: of(this.#time),
        rate: of(this.#rate),
        dividend_yield: of(this.#yield),
        volatility: of(columns.volatility),
      },
    });
    due.forEach((row, index) => {
      columns.premiumSpot[row] = spot;
      for (const [output, name] of premiumColumns.entries()) columns[name][row] = premiums[output]![index]!;
    });
  }

  #need(count: number): void {
    if (this.#time.length >= count) return;
    const room = Math.max(count, 2 * this.#time.length);
    this.#time = new Float64Array(room);
    this.#rate = new Float64Array(room);
    this.#yield = new Float64Array(room);
  }
}

function standsOf({ expiries, spot }: BookState, moment: number, surface: Surface | null): (Stand | null)[] {
  return expiries.map(({ at, rowCount, fit }) => {
    if (rowCount === 0) return null;
    const time = yearsBetween(moment, at);
    const hasExpired = !(time > 0);
    const hasForward = fit !== null && spot > 0 && !hasExpired;
    const none = { hasExpired, hasForward, logForward: Number.NaN, volatilityAt: null };
    if (hasExpired) return { ...none, time: 0, rate: 0, dividendYield: 0 };
    if (!hasForward) return { ...none, time, rate: Number.NaN, dividendYield: Number.NaN };
    const { rate, dividendYield, slice, timeToExpiry } = fit;
    const logForward = Math.log(spot) + (rate - dividendYield) * time;
    const volatilityAt =
      slice !== null
        ? (k: number) => sliceVolatility(slice, k)
        : surface === null
          ? null
          : (k: number) => Math.sqrt(surface.jet(k, timeToExpiry).w / timeToExpiry);
    return { time, rate, dividendYield, logForward, hasForward, hasExpired, volatilityAt };
  });
}

/** Expired options keep the payoff at the first spot known after their moment. */
function settle(
  state: BookState,
  stands: readonly (Stand | null)[],
  values: readonly Float64Array[],
  status: Int32Array,
): void {
  const { rows, expiries, spot } = state;
  if (!stands.some((stand) => stand?.hasExpired)) return;
  for (const [index, stand] of stands.entries()) {
    const expiry = expiries[index]!;
    if (stand?.hasExpired && Number.isNaN(expiry.settlementSpot) && spot > 0) expiry.settlementSpot = spot;
  }
  for (let row = 0; row < rows.optionCount; row++) {
    const index = rows.columns.expiryIndex[row]!;
    if (!stands[index]!.hasExpired) continue;
    const { settlementSpot } = expiries[index]!;
    const over = (rows.columns.isCall[row] === 1 ? 1 : -1) * (settlementSpot - rows.columns.strike[row]!);
    for (const column of values) column[row] = Number.isNaN(over) ? Number.NaN : 0;
    if (over > 0) values[0]![row] = over;
    status[row] = Number.isNaN(over) ? statusCodes.non_finite : statusCodes.expired;
  }
}

/** Gives the prices of options that are quoted in their coin in that coin; their Greeks stay in the strike's currency. */
function tellInCoins(
  { rows, expiries, spot }: BookState,
  stands: readonly (Stand | null)[],
  price: Float64Array,
): void {
  const { isInverse, expiryIndex } = rows.columns;
  for (let row = 0; row < rows.optionCount; row++) {
    if (isInverse[row] !== 1) continue;
    const index = expiryIndex[row]!;
    price[row]! /= stands[index]!.hasExpired ? expiries[index]!.settlementSpot : spot;
  }
}

/** Writes what changed into the rows with its reason; returns how many options have no price. */
function take(
  state: BookState,
  stands: readonly (Stand | null)[],
  values: readonly Float64Array[],
  status: Int32Array,
): number {
  const { rows, version } = state;
  const { columns } = rows;
  let nullCount = 0;
  const targets = valuedOutputs.map((output) => columns[output]);
  for (let row = 0; row < rows.optionCount; row++) {
    const isNull = status[row]! >= statusCodes.below_intrinsic || Number.isNaN(values[0]![row]!);
    if (isNull) nullCount += 1;
    const stand = stands[columns.expiryIndex[row]!]!;
    const reason = isNull ? reasonOf(state, stand, row, status[row]!) : stand.hasExpired ? expiredReason : 0;
    let hasChanged = columns.reason[row] !== reason;
    columns.reason[row] = reason;
    for (let output = 0; output < targets.length; output++) {
      const value = isNull ? Number.NaN : values[output]![row]!;
      const target = targets[output]!;
      // NaN differs from itself: only one of the two being NaN is a change.
      if (target[row] !== value && !(Number.isNaN(value) && Number.isNaN(target[row]!))) hasChanged = true;
      target[row] = value;
    }
    if (hasChanged) columns.version[row] = version;
  }
  return nullCount;
}

const expiredReason = bookReasons.indexOf("expired");

/** Why an option has no price: what it lacks first. */
function reasonOf({ rows, spot }: BookState, stand: Stand, row: number, status: number): number {
  const { columns } = rows;
  const named = (reason: BookReason) => bookReasons.indexOf(reason);
  if (!(spot > 0)) return named("no_spot");
  if (stand.hasExpired) return expiredReason;
  if (!stand.hasForward) return named("no_forward");
  if (columns.volatility[row]! > 0) {
    const said = bookReasons.indexOf(statusName(status) as BookReason);
    return said > 0 ? said : named("pending");
  }
  const quoteState = columns.quoteState[row]!;
  if (quoteState !== 0) return named(quoteStates[quoteState] as BookReason);
  const solved = columns.solveStatus[row]!;
  if (columns.solvedVersion[row] === 0 || solved === statusCodes.ok) return named("pending");
  const said = bookReasons.indexOf(statusName(solved) as BookReason);
  return said > 0 ? said : named("not_converged");
}
