// Tells a leak from noise: fits a line to what was sampled over a long run, and says of its slope how sure that is. Separate from the
// run itself so that tests can show it leaks it must see and noise it must let pass. Method: the samples after the warm-up are cut into
// sixteen blocks of equal time, of each the median counts (one collection of garbage or one backup is not a trend); least squares
// over the blocks; the standard error is widened by how far neighbouring blocks move together (their correlation at lag 1, r, by
// sqrt((1+r)/(1-r))), because a slow wave looks like a slope for a while. A slope counts where its one-sided 99 % bound does.

/** One figure over time. */
export interface Sampled {
  /** Minutes since the load began. */
  readonly minutes: number;
  readonly value: number;
}

/** What is watched, and what it may do. */
export interface Watched {
  readonly name: string;
  readonly unit: string;
  readonly samples: readonly Sampled[];
  /** Growth over the judged time that nobody minds: caches that fill, and a rate an hour. */
  readonly allowed: { readonly atOnce: number; readonly perHour: number };
  /** No sample may be above it. */
  readonly ceiling?: number;
}

export interface Trend {
  /** Median of the blocks. */
  readonly level: number;
  readonly perMinute: number;
  /** The 99 % bounds of the slope, each one-sided. */
  readonly lowPerMinute: number;
  readonly highPerMinute: number;
  /** Between the first block's middle and the last one's. */
  readonly spanMinutes: number;
}

export interface Verdict {
  readonly name: string;
  readonly isFine: boolean;
  readonly trend: Trend;
  readonly largest: number;
  readonly allowedGrowth: number;
  /** Growth over the judged time that would have been noticed for certain. */
  readonly noticedGrowth: number;
  /** In words. */
  readonly line: string;
}

const blockCount = 16;
/** Student's t for 14 degrees of freedom at 99 %, one-sided. */
const quantile = 2.624;
/** Neighbouring blocks may move together this far before the bounds stop widening. */
const correlationMax = 0.8;
/** The part of a run that is not judged: compilers, caches and pools fill. */
export const warmUpShare = 0.25;
const warmUpMinutesMax = 10;

/** From when on samples are judged in a run of that length. */
export function judgedFrom(minutes: number): number {
  return Math.min(minutes * warmUpShare, warmUpMinutesMax);
}

/** Fits the line. Throws where there are too few samples to fill the blocks. */
export function trendOf(samples: readonly Sampled[], fromMinutes: number): Trend {
  const judged = samples.filter(({ minutes }) => minutes >= fromMinutes);
  const end = judged.at(-1)?.minutes ?? fromMinutes;
  const blockMinutes = (end - fromMinutes) / blockCount;
  const blocks = Array.from({ length: blockCount }, (_, index): Sampled => {
    const [from, to] = [fromMinutes + index * blockMinutes, fromMinutes + (index + 1) * blockMinutes];
    const isLast = index === blockCount - 1;
    const values = judged
      .filter(({ minutes }) => minutes >= from && (minutes < to || isLast))
      .map(({ value }) => value);
    if (values.length === 0) throw new Error("too few samples to tell a trend");
    return { minutes: (from + to) / 2, value: median(values) };
  });
  const meanOf = (value: (block: Sampled) => number) =>
    blocks.reduce((sum, block) => sum + value(block), 0) / blockCount;
  const [meanTime, meanValue] = [meanOf(({ minutes }) => minutes), meanOf(({ value }) => value)];
  const spread = blocks.reduce((sum, { minutes }) => sum + (minutes - meanTime) ** 2, 0);
  const slope =
    blocks.reduce((sum, { minutes, value }) => sum + (minutes - meanTime) * (value - meanValue), 0) / spread;
  const residuals = blocks.map(({ minutes, value }) => value - meanValue - slope * (minutes - meanTime));
  const squares = residuals.reduce((sum, residual) => sum + residual * residual, 0);
  const together = residuals.slice(1).reduce((sum, residual, index) => sum + residual * residuals[index]!, 0);
  const correlation = squares === 0 ? 0 : Math.min(correlationMax, Math.max(0, together / squares));
  const error =
    Math.sqrt(squares / (blockCount - 2) / spread) * Math.sqrt((1 + correlation) / (1 - correlation)) * quantile;
  return {
    level: median(blocks.map(({ value }) => value)),
    perMinute: slope,
    lowPerMinute: slope - error,
    highPerMinute: slope + error,
    spanMinutes: blocks.at(-1)!.minutes - blocks[0]!.minutes,
  };
}

/** Judges one figure. It fails where it surely grew by more than it may, or was ever above its ceiling. */
export function judge(watched: Watched, fromMinutes: number): Verdict {
  const { name, unit, samples, allowed, ceiling } = watched;
  const trend = trendOf(samples, fromMinutes);
  const allowedGrowth = allowed.atOnce + (allowed.perHour * trend.spanMinutes) / 60;
  const largest = Math.max(...samples.map(({ value }) => value));
  const growth = trend.perMinute * trend.spanMinutes;
  const surely = trend.lowPerMinute * trend.spanMinutes;
  const noticedGrowth = allowedGrowth + (trend.perMinute - trend.lowPerMinute) * trend.spanMinutes;
  const isBelowCeiling = ceiling === undefined || largest <= ceiling;
  const isFine = surely <= allowedGrowth && isBelowCeiling;
  const show = (value: number) => `${Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(0)}`;
  const line = [
    isFine ? "ok  " : "FAIL",
    name.padEnd(24),
    `${show(trend.level)} ${unit}`.padEnd(14),
    `largest ${show(largest)}${ceiling === undefined ? "" : ` of ${show(ceiling)}`}`.padEnd(24),
    `grew ${show(growth)} (at least ${show(surely)})`.padEnd(30),
    `may ${show(allowedGrowth)}, surely noticed from ${show(noticedGrowth)}`,
  ].join(" ");
  return { name, isFine, trend, largest, allowedGrowth, noticedGrowth, line };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
