// What options are worth in the simulated market: a volatility by SVI and Black's formula for one number at a time. Separate from the
// market's events because it is arithmetic. Prices are rounded to ticks by the caller, so a dozen digits are plenty; the engine, which has
// all of them, is no adapter's to know. Must never be used to value anything real.
//
// Sources: J. Gatheral and A. Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14 (2014), (4.1) and example 4.1 with
// power 1/2, free of butterflies where η(1 + |ρ|) ≤ 2 (theorem 4.2); F. Black (1976); G. West, "Better approximations to cumulative normal
// functions" (2005), after Hart, for the normal law, of double precision.

import type { OptionType } from "../../domain/symbol";

/** What an underlying's smile looks like. */
export interface Smile {
  /** At the money, of far expiries. */
  readonly longVolatility: number;
  /** At the money, of near ones. */
  readonly shortVolatility: number;
  /** ρ: below 0 for equities. */
  readonly correlation: number;
  /** η: steepness of the wings, at most 2/(1 + |ρ|). */
  readonly wings: number;
}

/** Implied volatility at a log-moneyness ln(K/F) and a time; `level` scales the whole surface. */
export function smileVolatility(smile: Smile, logMoneyness: number, years: number, level: number): number {
  const { longVolatility, shortVolatility, correlation, wings } = smile;
  const atTheMoney = longVolatility + (shortVolatility - longVolatility) * Math.exp(-4 * years);
  const variance = atTheMoney * atTheMoney * years;
  const k = (wings / Math.sqrt(variance)) * logMoneyness;
  const total = (variance / 2) * (1 + correlation * k + Math.sqrt((k + correlation) ** 2 + 1 - correlation ** 2));
  return level * Math.sqrt(total / years);
}

/** The price under Black's formula, discounted. At no time left, the payoff. */
export function simulatedPrice(
  optionType: OptionType,
  terms: {
    readonly forward: number;
    readonly strike: number;
    readonly years: number;
    readonly volatility: number;
    readonly discount: number;
  },
): number {
  const { forward, strike, years, volatility, discount } = terms;
  const sign = optionType === "call" ? 1 : -1;
  const deviation = volatility * Math.sqrt(Math.max(0, years));
  if (deviation < 1e-9) return discount * Math.max(0, sign * (forward - strike));
  const d1 = Math.log(forward / strike) / deviation + deviation / 2;
  const value = sign * (forward * normal(sign * d1) - strike * normal(sign * (d1 - deviation)));
  return discount * Math.max(0, value);
}

/** The normal law's distribution function. */
export function normal(x: number): number {
  const z = Math.abs(x);
  let tail = 0;
  if (z < 7.07106781186547) {
    const top =
      (((((3.52624965998911e-2 * z + 0.700383064443688) * z + 6.37396220353165) * z + 33.912866078383) * z +
        112.079291497871) *
        z +
        221.213596169931) *
        z +
      220.206867912376;
    const bottom =
      ((((((8.83883476483184e-2 * z + 1.75566716318264) * z + 16.064177579207) * z + 86.7807322029461) * z +
        296.564248779674) *
        z +
        637.333633378831) *
        z +
        793.826512519948) *
        z +
      440.413735824752;
    tail = (Math.exp((-z * z) / 2) * top) / bottom;
  } else if (z < 37) {
    const fraction = z + 1 / (z + 2 / (z + 3 / (z + 4 / (z + 0.65))));
    tail = Math.exp((-z * z) / 2) / fraction / 2.506628274631;
  }
  return x > 0 ? 1 - tail : tail;
}
