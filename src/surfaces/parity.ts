// The forward and the discount factor of one expiry, read from put-call parity: C − P = D·(F − K) is a straight line in
// the strike, with slope −D and root F. Separate from valuing because a curve, a surface and a chain all start here.
// Pure: no engine, no I/O; the same quotes in the same order give the same bits. Never invents a number: where the
// quotes don't carry one, it says why.
//
// Source: Stoll, "The Relationship Between Put and Call Option Prices", Journal of Finance 24 (1969), for European
//   options. Start: Theil (1950) and Sen (1968), the median of pairwise slopes, which one stale strike in four can't
//   turn. Then iteratively reweighted least squares with the biweight of Beaton & Tukey (1974), tuning constant 4.685
//   (Holland & Welsch 1977), residuals scaled by 1.4826 · median |residual|.
// Legend: C, P mids of call and put · K strike · T years · D discount · F forward · S spot · r = −ln D / T ·
//   q = −ln(F·D/S) / T, both continuous.
// Weights: 1 / (call spread + put spread): the variance of a mid grows with the width quoted around it, but more slowly
//   than its square, since even the tightest quote is rounded to a tick. See docs/numerics/parity-forward.md.
// Valid: European options, T > 0. American parity is only a pair of bounds; what comes out for such a chain is near.
// Checked: tests/property (recovers the line exactly without noise, within it with noise and gross outliers),
//   tests/golden (a chain worked by hand), tests/unit/commands (a real index chain).

import { midOf, type QuoteSides, quoteFault } from "../domain/quote";

/** The two quotes at one strike. */
export interface ParityStrike {
  readonly strike: number;
  readonly call: QuoteSides;
  readonly put: QuoteSides;
}

/** What is asked. A number given is held, the others are inferred. */
export interface ParityRequest {
  readonly strikes: readonly ParityStrike[];
  /** Years, > 0. */
  readonly timeToExpiry: number;
  /** Price of the underlying; without it no dividend yield is told. */
  readonly spot?: number | undefined;
  /** Continuous; held if given. */
  readonly rate?: number | undefined;
  /** Continuous; held if given, for which spot must be known. */
  readonly dividendYield?: number | undefined;
}

/** Where forward and discount come from: the quotes, or the caller's own figures. */
export type ParitySource = "parity" | "parity_with_rate" | "parity_with_dividend_yield" | "given";

/** The line that was found. */
export interface ParityFit {
  readonly source: ParitySource;
  readonly forward: number;
  readonly discount: number;
  /** −ln(discount)/T, continuous. */
  readonly rate: number;
  /** The yield that makes spot grow into the forward, continuous; NaN without a spot. */
  readonly dividendYield: number;
  /** Strikes with a call and a put row. */
  readonly strikesSeen: number;
  /** Of those, the ones the line finally rests on. */
  readonly strikesUsed: number;
  /** Weighted root mean square of C − P − D·(F − K), in price units; NaN where there was no liquid strike. */
  readonly residualRms: number;
  /** The same with each residual over half its strike's width quoted (both spreads): below 1 the line runs within the quotes. */
  readonly residualHalfWidths: number;
  /** Standard error of the forward by the scatter about the line; NaN where it is given or nothing scatters. */
  readonly forwardError: number;
  /** Standard error of the rate; NaN where it is held. */
  readonly rateError: number;
  readonly quality: ParityQuality;
  /** One for each strike asked about, in its order. */
  readonly strikes: readonly ParityOutcome[];
}

/** How far a line may be trusted: `given` rests on no quotes, `doubtful` on few that agree or on quotes that don't. */
export type ParityQuality = "sound" | "doubtful" | "given";

/** What became of one strike. */
export interface ParityOutcome {
  readonly strike: number;
  /** `given`: it could have been used, had anything been left to find. */
  readonly use: "used" | "given" | ParityRejection;
  /** C − P − D·(F − K); NaN where a side has no middle. */
  readonly residual: number;
  /** Its share of all weight; 0 where it was not used. */
  readonly weight: number;
}

/** Why a strike does not count. */
export type ParityRejection = "call_illiquid" | "put_illiquid" | "far_from_the_money" | "outlier";

/** Why there is no line. */
export type ParityFailure = "expired" | "too_few_strikes" | "no_line" | "no_spot";

/** A sentence for each failure. */
export const parityFailureDetail: Readonly<Record<ParityFailure, string>> = {
  expired: "nothing is left to run",
  too_few_strikes: "too few strikes have a liquid call and a liquid put",
  no_line: "the quotes lie on no line with a positive forward and discount",
  no_spot: "a dividend yield says nothing without a spot",
};

/** A side counts as liquid where (ask − bid) / mid is at most this. */
export const relativeSpreadMax = 0.25;
/** Strikes further than this from the money, |ln(K/K₀)|, are left out; K₀ is where |C − P| is smallest. */
export const logMoneynessMax = 1;
/** A free line wants this many liquid strikes; a line with one number held wants `strikesMinHeld`. */
export const strikesMin = 4;
export const strikesMinHeld = 2;

const iterationsMax = 50;
const biweightTuning = 4.685;
const medianToDeviation = 1.4826;
/** More strikes than this start from an evenly spaced subset: the start costs the square of their number. */
const startStrikesMax = 128;

/** A line is sound where it runs within the quotes on the whole, most liquid strikes agree with it, and its forward is sure to this. */
const soundResidualHalfWidths = 0.5;
const soundUsedShare = 2 / 3;
const soundForwardError = 1e-3;

/** One usable strike: y = C − P at x = K. */
interface Point {
  /** Where it stands among the strikes asked about. */
  readonly index: number;
  readonly strike: number;
  readonly difference: number;
  /** Spread of the call plus spread of the put: the line may lie half of it to either side of the difference. */
  readonly width: number;
  readonly weight: number;
}

/** y = discount · (forward − K), held as prepaid = D·F and discount. */
interface Line {
  readonly prepaidForward: number;
  readonly discount: number;
}

/** Forward, discount, rate and yield of one expiry, or why there are none. */
export function fitParity(request: ParityRequest): ParityFit | ParityFailure {
  const { timeToExpiry, spot, rate, dividendYield } = request;
  if (!(timeToExpiry > 0)) return "expired";
  if (dividendYield !== undefined && spot === undefined) return "no_spot";
  const heldDiscount = rate === undefined ? undefined : Math.exp(-rate * timeToExpiry);
  const heldPrepaid = dividendYield === undefined ? undefined : spot! * Math.exp(-dividendYield * timeToExpiry);
  const held = { discount: heldDiscount, prepaidForward: heldPrepaid };
  const isFree = heldDiscount === undefined && heldPrepaid === undefined;
  const isGiven = heldDiscount !== undefined && heldPrepaid !== undefined;

  const { points, rejections } = liquidPoints(request.strikes);
  if (!isGiven && points.length < (isFree ? strikesMin : strikesMinHeld)) return "too_few_strikes";

  const { line, weights } = isGiven
    ? { line: { prepaidForward: heldPrepaid, discount: heldDiscount }, weights: points.map((point) => point.weight) }
    : robustLine(points, held);
  const forward = line.prepaidForward / line.discount;
  if (!isUsable(line.discount) || !isUsable(forward)) return "no_line";

  const scatter = scatterAbout(line, points, weights, held);
  const strikesUsed = isGiven ? 0 : weights.filter((weight) => weight > 0).length;
  const isSound =
    scatter.residualHalfWidths <= soundResidualHalfWidths &&
    strikesUsed >= soundUsedShare * points.length &&
    scatter.forwardError <= soundForwardError * forward;
  return {
    source: isGiven
      ? "given"
      : isFree
        ? "parity"
        : heldDiscount !== undefined
          ? "parity_with_rate"
          : "parity_with_dividend_yield",
    forward,
    discount: line.discount,
    rate: rate ?? -Math.log(line.discount) / timeToExpiry,
    dividendYield:
      dividendYield ?? (spot === undefined ? Number.NaN : -Math.log(line.prepaidForward / spot) / timeToExpiry),
    strikesSeen: request.strikes.length,
    strikesUsed,
    residualRms: scatter.residualRms,
    residualHalfWidths: scatter.residualHalfWidths,
    forwardError: isGiven ? Number.NaN : scatter.forwardError,
    rateError: rate === undefined ? scatter.discountError / (line.discount * timeToExpiry) : Number.NaN,
    quality: isGiven ? "given" : isSound ? "sound" : "doubtful",
    strikes: outcomesOf(request.strikes, line, { points, weights, rejections, isGiven }),
  };
}

interface Scatter {
  readonly residualRms: number;
  readonly residualHalfWidths: number;
  readonly forwardError: number;
  readonly discountError: number;
}

/**
 * How the points lie about the line, and what that makes of its numbers' errors: the covariance of weighted least squares at the final
 * weights, the variance of a point of weight 1 taken from the residuals with as many degrees of freedom as points less parameters.
 */
function scatterAbout(line: Line, points: readonly Point[], weights: readonly number[], held: Held): Scatter {
  let [sum, squares, relative, strikeSum, usedCount] = [0, 0, 0, 0, 0];
  points.forEach((point, index) => {
    const weight = weights[index]!;
    const off = residual(point, line);
    sum += weight;
    squares += weight * off * off;
    strikeSum += weight * point.strike;
    relative += weight * (off / (point.width > 0 ? point.width / 2 : deviationFloor(point))) ** 2;
    if (weight > 0) usedCount += 1;
  });
  const residualRms = sum > 0 ? Math.sqrt(squares / sum) : Number.NaN;
  const residualHalfWidths = sum > 0 ? Math.sqrt(relative / sum) : Number.NaN;
  const { discount } = line;
  const forward = line.prepaidForward / discount;
  const parameterCount = held.discount === undefined && held.prepaidForward === undefined ? 2 : 1;
  const variance = usedCount > parameterCount ? squares / (usedCount - parameterCount) : Number.NaN;
  const strikeMean = held.prepaidForward === undefined ? strikeSum / sum : 0;
  const moment = points.reduce((total, { strike }, index) => total + weights[index]! * (strike - strikeMean) ** 2, 0);
  if (held.discount !== undefined)
    return { residualRms, residualHalfWidths, forwardError: Math.sqrt(variance / sum) / discount, discountError: 0 };
  const discountError = Math.sqrt(variance / moment);
  // The root of a line is as sure as the line is high there: its value at K = F.
  const atRoot =
    held.prepaidForward === undefined ? 1 / sum + (forward - strikeMean) ** 2 / moment : forward ** 2 / moment;
  return { residualRms, residualHalfWidths, forwardError: Math.sqrt(variance * atRoot) / discount, discountError };
}

function outcomesOf(
  strikes: readonly ParityStrike[],
  line: Line,
  found: {
    readonly points: readonly Point[];
    readonly weights: readonly number[];
    readonly rejections: readonly (ParityRejection | null)[];
    readonly isGiven: boolean;
  },
): ParityOutcome[] {
  const { points, weights, rejections, isGiven } = found;
  const sum = isGiven ? 0 : weights.reduce((total, weight) => total + weight, 0);
  const places = new Map(points.map((point, place) => [point.index, place]));
  return strikes.map(({ strike, call, put }, index) => {
    const off = midOf(call) - midOf(put) - (line.prepaidForward - line.discount * strike);
    const rejection = rejections[index]!;
    if (rejection !== null) return { strike, use: rejection, residual: off, weight: 0 };
    if (isGiven) return { strike, use: "given", residual: off, weight: 0 };
    const weight = weights[places.get(index)!]!;
    return { strike, use: weight > 0 ? "used" : "outlier", residual: off, weight: weight / sum };
  });
}

function isUsable(value: number): boolean {
  return value > 0 && value < Number.POSITIVE_INFINITY;
}

/** The strikes whose call and put are both liquid and near enough to the money, and why the others aren't among them. */
function liquidPoints(strikes: readonly ParityStrike[]): {
  points: Point[];
  rejections: (ParityRejection | null)[];
} {
  const rejections = strikes.map(({ strike, call, put }): ParityRejection | null => {
    if (!isLiquid(call)) return "call_illiquid";
    if (!isLiquid(put)) return "put_illiquid";
    return isUsable(strike) ? null : "far_from_the_money";
  });
  const twoSided = strikes.flatMap(({ strike, call, put }, index) => {
    if (rejections[index] !== null) return [];
    const width = call.ask - call.bid + (put.ask - put.bid);
    return [{ index, strike, difference: midOf(call) - midOf(put), width }];
  });
  // A locked market has no width; it counts as a thousandth of its chain's widest, and never as infinitely sure.
  const widthFloor = twoSided.reduce((widest, point) => Math.max(widest, point.width), 0) / 1000;
  let atTheMoney = twoSided[0];
  for (const point of twoSided) if (Math.abs(point.difference) < Math.abs(atTheMoney!.difference)) atTheMoney = point;
  const points = twoSided.flatMap((point) => {
    if (Math.abs(Math.log(point.strike / atTheMoney!.strike)) > logMoneynessMax) {
      rejections[point.index] = "far_from_the_money";
      return [];
    }
    return [{ ...point, weight: widthFloor > 0 ? 1 / Math.max(point.width, widthFloor) : 1 }];
  });
  return { points, rejections };
}

function isLiquid(quote: QuoteSides): boolean {
  return quoteFault(quote) === null && quote.ask - quote.bid <= relativeSpreadMax * midOf(quote);
}

function residual(point: Point, { prepaidForward, discount }: Line): number {
  return point.difference - (prepaidForward - discount * point.strike);
}

type Held = { readonly discount: number | undefined; readonly prepaidForward: number | undefined };

/**
 * What no residual's scale is taken to be below. A few strikes whose quotes are rounded to a tick often lie on a line by
 * chance; a tenth of the width keeps the others in as long as the line stays within their bid and ask. Without a width
 * (locked markets), the rounding of the prices themselves.
 */
function deviationFloor({ strike, difference, width }: Point): number {
  return Math.max(width / 10, 1e-12 * (strike + Math.abs(difference)));
}

/** A start that outliers can't turn, then reweighted least squares until the line stands still. */
function robustLine(points: readonly Point[], held: Held): { line: Line; weights: readonly number[] } {
  let line = medianLine(points, held);
  let weights: readonly number[] = points.map((point) => point.weight);
  for (let iteration = 0; iteration < iterationsMax; iteration++) {
    const scaled = points.map((point) => residual(point, line) * Math.sqrt(point.weight));
    const deviation = medianToDeviation * median(scaled.map(Math.abs));
    const floor = median(points.map((point) => deviationFloor(point) * Math.sqrt(point.weight)));
    const reach = biweightTuning * Math.max(deviation, floor);
    weights = points.map((point, index) => {
      const distance = scaled[index]! / reach;
      return Math.abs(distance) < 1 ? point.weight * (1 - distance * distance) ** 2 : 0;
    });
    const next = weightedLine(points, weights, held);
    if (next === null) break;
    const hasSettled =
      Math.abs(next.discount - line.discount) <= 1e-15 * Math.abs(line.discount) &&
      Math.abs(next.prepaidForward - line.prepaidForward) <= 1e-15 * Math.abs(line.prepaidForward);
    line = next;
    if (hasSettled) break;
  }
  return { line, weights };
}

/** Median of pairwise slopes, then the median intercept; with one number held, the median of the other. */
function medianLine(points: readonly Point[], held: Held): Line {
  const { prepaidForward, discount } = held;
  if (discount !== undefined) {
    const intercepts = points.map((point) => point.difference + discount * point.strike);
    return { discount, prepaidForward: median(intercepts) };
  }
  if (prepaidForward !== undefined) {
    const slopes = points.map((point) => (prepaidForward - point.difference) / point.strike);
    return { discount: median(slopes), prepaidForward };
  }
  const step = Math.max(1, Math.ceil(points.length / startStrikesMax));
  const some = points.filter((_, index) => index % step === 0);
  const slopes: number[] = [];
  some.forEach((left, index) => {
    for (const right of some.slice(index + 1))
      if (right.strike !== left.strike)
        slopes.push((left.difference - right.difference) / (right.strike - left.strike));
  });
  const slope = median(slopes);
  return { discount: slope, prepaidForward: median(points.map((point) => point.difference + slope * point.strike)) };
}

/** Weighted least squares about the weighted mean strike; null where the weights carry no line. */
function weightedLine(points: readonly Point[], weights: readonly number[], held: Held): Line | null {
  let sum = 0;
  let strikeMean = 0;
  let differenceMean = 0;
  points.forEach((point, index) => {
    const weight = weights[index]!;
    sum += weight;
    strikeMean += weight * point.strike;
    differenceMean += weight * point.difference;
  });
  if (!(sum > 0)) return null;
  strikeMean /= sum;
  differenceMean /= sum;
  if (held.discount !== undefined)
    return { discount: held.discount, prepaidForward: differenceMean + held.discount * strikeMean };
  let moment = 0;
  let cross = 0;
  const { prepaidForward } = held;
  const [strikeOrigin, differenceOrigin] =
    prepaidForward === undefined ? [strikeMean, differenceMean] : [0, prepaidForward];
  points.forEach((point, index) => {
    const strikeFrom = point.strike - strikeOrigin;
    moment += weights[index]! * strikeFrom * strikeFrom;
    cross += weights[index]! * strikeFrom * (point.difference - differenceOrigin);
  });
  if (!(moment > 0)) return null;
  const discount = -cross / moment;
  return { discount, prepaidForward: prepaidForward ?? differenceMean + discount * strikeMean };
}

/** The middle value (of an even count, the mean of the middle two); NaN of nothing. */
function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
