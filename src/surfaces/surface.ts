// A fitted volatility surface: slices in order of time, read at any strike and time; local volatility and density from it; its
// own arbitrage report. Separate from calibrating, since a surface may as well come from stored parameters. Pure.
//
// Between two slices total variance is linear in time at equal forward moneyness k = ln(K/F(T)), so that two slices that don't
//   cross have none between them that do (Gatheral & Jacquier 2014, lemma 2.1). Before the first it is proportional to
//   time: g of c·w is concave in c and not below 0 at c = 0 and c = 1, so no butterfly arises. After the last it grows
//   at every k by the at-the-money forward variance of the last two slices, or the only one's own; that keeps the calendar, and
//   butterflies are looked for by `arbitrage`. Forwards and discounts are log-linear in time, from the spot where known.
// Local volatility: Dupire (1994) in total variance, Gatheral, "The Volatility Surface" (2006), (1.10):
//   σ²_local(k, T) = ∂w/∂T at constant k, divided by g(k).
// Legend: as in svi.ts.
// Checked: tests/unit/surfaces/surface, tests/property/surfaces (by prices), docs/numerics/local-volatility.md.

import { assert } from "../foundation/assert";
import { durrleman, type SviSlice, totalVariance, type VarianceJet, varianceJet } from "./svi";
import { type ArbitrageReport, butterflyArbitrage, calendarArbitrage, lookingPoints } from "./svi-arbitrage";

/** One expiry of a surface. */
export interface SurfaceSlice {
  /** Years, > 0 and above the slice before. */
  readonly timeToExpiry: number;
  readonly forward: number;
  readonly discount: number;
  readonly svi: SviSlice;
}

/** What a surface says at one strike and time. */
export interface SurfacePoint extends VarianceJet {
  /** ln(strike/forward). */
  readonly k: number;
  readonly forward: number;
  readonly volatility: number;
  /** Per year; NaN where the surface has arbitrage there. */
  readonly localVolatility: number;
  /** Of the price at that time, per unit of strike; negative where there is butterfly arbitrage. */
  readonly density: number;
}

/** Every check of a surface. */
export interface SurfaceArbitrage {
  readonly isFree: boolean;
  /** One for each slice. */
  readonly butterflies: readonly ArbitrageReport[];
  /** One for each slice but the first, against the one before. */
  readonly calendars: readonly ArbitrageReport[];
  /** The least g found between the slices and for the time after the last, where nothing proves it not below 0. */
  readonly leastBetween: number;
}

export class Surface {
  readonly slices: readonly SurfaceSlice[];
  /** NaN where unknown: forwards before the first slice are then the first slice's. */
  readonly spot: number;
  private readonly times: Float64Array;
  /** At-the-money variance a year after the last slice. */
  private readonly lastForwardVariance: number;

  constructor(slices: readonly SurfaceSlice[], spot = Number.NaN) {
    assert(slices.length > 0, "a surface needs a slice");
    slices.forEach(({ timeToExpiry }, index) => {
      const before = index === 0 ? 0 : slices[index - 1]!.timeToExpiry;
      assert(timeToExpiry > before, `slice ${index} at ${timeToExpiry} is not after ${before}`);
    });
    this.slices = slices;
    this.spot = spot;
    this.times = Float64Array.from(slices, (slice) => slice.timeToExpiry);
    const last = slices.at(-1)!;
    const before = slices.at(-2);
    const rise = totalVariance(last.svi, 0) - (before === undefined ? 0 : totalVariance(before.svi, 0));
    this.lastForwardVariance = Math.max(0, rise / (last.timeToExpiry - (before?.timeToExpiry ?? 0)));
  }

  /** The forward for a time ≥ 0. */
  forward(time: number): number {
    return this.logLinear(time, Math.log(this.spot), (slice) => Math.log(slice.forward));
  }

  /** The discount factor for a time ≥ 0. */
  discount(time: number): number {
    return this.logLinear(time, 0, (slice) => Math.log(slice.discount));
  }

  /** Total variance and its derivatives in k at log-moneyness k and a time > 0. */
  jet(k: number, time: number): VarianceJet {
    const { index, share } = this.place(time);
    const { slices } = this;
    if (index < 0) return scaled(varianceJet(slices[0]!.svi, k), time / this.times[0]!);
    const early = varianceJet(slices[index]!.svi, k);
    if (index === slices.length - 1) {
      const rise = this.lastForwardVariance * (time - this.times[index]!);
      return { w: early.w + rise, slope: early.slope, curvature: early.curvature };
    }
    return share === 0 ? early : mixed(early, varianceJet(slices[index + 1]!.svi, k), share);
  }

  /** ∂w/∂T at constant k; on a slice's own time that of the stretch after it. */
  varianceGrowth(k: number, time: number): number {
    const { index } = this.place(time);
    const { slices, times } = this;
    if (index < 0) return totalVariance(slices[0]!.svi, k) / times[0]!;
    if (index === slices.length - 1) return this.lastForwardVariance;
    const rise = totalVariance(slices[index + 1]!.svi, k) - totalVariance(slices[index]!.svi, k);
    return rise / (times[index + 1]! - times[index]!);
  }

  /** The implied volatility of a strike > 0 at a time > 0. */
  volatility(strike: number, time: number): number {
    return Math.sqrt(this.jet(Math.log(strike / this.forward(time)), time).w / time);
  }

  /** Everything at one strike > 0 and time > 0. */
  at(strike: number, time: number): SurfacePoint {
    const forward = this.forward(time);
    const k = Math.log(strike / forward);
    const jet = this.jet(k, time);
    const g = durrleman(jet, k);
    const growth = this.varianceGrowth(k, time);
    const d2 = -k / Math.sqrt(jet.w) - Math.sqrt(jet.w) / 2;
    return {
      ...jet,
      k,
      forward,
      volatility: Math.sqrt(jet.w / time),
      localVolatility: g > 0 && growth >= 0 ? Math.sqrt(growth / g) : Number.NaN,
      density: (g * Math.exp(-0.5 * d2 * d2)) / (Math.sqrt(2 * Math.PI * jet.w) * strike),
    };
  }

  /** Looks for arbitrage everywhere: on the slices, between neighbours, and in what interpolation makes of them. */
  arbitrage(): SurfaceArbitrage {
    const butterflies = this.slices.map(({ svi }) => butterflyArbitrage(svi));
    const calendars = this.slices.slice(1).map(({ svi }, index) => calendarArbitrage(this.slices[index]!.svi, svi));
    const leastBetween = this.leastBetween();
    const isFree = [...butterflies, ...calendars].every((report) => report.isFree) && leastBetween >= 0;
    return { isFree, butterflies, calendars, leastBetween };
  }

  private leastBetween(): number {
    const { slices, times } = this;
    let least = Number.POSITIVE_INFINITY;
    slices.forEach(({ svi }, index) => {
      const next = slices[index + 1];
      const span = (next?.timeToExpiry ?? 3 * times[index]!) - times[index]!;
      const points = lookingPoints(next === undefined ? [svi] : [svi, next.svi]);
      for (const share of sharesLookedAt)
        for (const k of points) least = Math.min(least, durrleman(this.jet(k, times[index]! + share * span), k));
    });
    return least;
  }

  /** The last slice not after a time (−1 before the first), and how far it is to the next. */
  private place(time: number): { index: number; share: number } {
    assert(time >= 0, `time ${time} is before now`);
    const { times } = this;
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle]! <= time) low = middle + 1;
      else high = middle;
    }
    const index = low - 1;
    if (index < 0 || index === times.length - 1) return { index, share: 0 };
    return { index, share: (time - times[index]!) / (times[index + 1]! - times[index]!) };
  }

  private logLinear(time: number, logNow: number, of: (slice: SurfaceSlice) => number): number {
    const { index, share } = this.place(time);
    const { slices, times } = this;
    const from = index < 0 ? logNow : of(slices[index]!);
    if (index < 0) {
      const first = of(slices[0]!);
      return Math.exp(Number.isNaN(from) ? first : from + ((first - from) * time) / times[0]!);
    }
    if (index < slices.length - 1) return Math.exp(from + share * (of(slices[index + 1]!) - from));
    // After the last slice at the pace of the last stretch.
    const before = index > 0 ? of(slices[index - 1]!) : logNow;
    const span = times[index]! - (index > 0 ? times[index - 1]! : 0);
    const pace = Number.isNaN(before) ? 0 : (from - before) / span;
    return Math.exp(from + pace * (time - times[index]!));
  }
}

const sharesLookedAt = [0.125, 0.25, 0.5, 0.75, 0.875, 1];

function scaled({ w, slope, curvature }: VarianceJet, factor: number): VarianceJet {
  return { w: w * factor, slope: slope * factor, curvature: curvature * factor };
}

function mixed(early: VarianceJet, late: VarianceJet, share: number): VarianceJet {
  const between = (from: number, to: number) => from + share * (to - from);
  return {
    w: between(early.w, late.w),
    slope: between(early.slope, late.slope),
    curvature: between(early.curvature, late.curvature),
  };
}
