// Options on an asset that pays cash dividends, by integrating over where the asset stands at each of them: no grid, no steps of time. Separate
// because it shares nothing with the kernel's finite differences. Between dividends the asset is lognormal; after the last one the option is
// European, by the closed form. A call without a yield, at a rate of 0 and more, is best exercised just before a dividend or never (Merton
// 1973), so the right to exercise is asked for there alone: exact for such calls, and for European options of both kinds.
// Error: the trapezoid's, some 1e-9 of the strike; where it bends some 1e-6 with two dividends.

import type { Engine } from "../../src/engine/engine";

export interface DividendOption {
  readonly isCall: boolean;
  readonly isAmerican: boolean;
  readonly spot: number;
  readonly strike: number;
  readonly time: number;
  readonly rate: number;
  readonly dividendYield: number;
  readonly volatility: number;
  /** Years and amount, soonest first. */
  readonly dividends: readonly (readonly [number, number])[];
}

const reach = 8.5;
/** Fine where there is one dividend, since what is integrated may bend; two take the square of the points. */
const stepOf = (count: number) => (count === 1 ? 5e-4 : 0.02);

/** The price. `engine` gives the closed form. */
export function quadraturePrice(engine: Engine, option: DividendOption): number {
  return held(engine, option, Float64Array.of(option.spot), 0, 0)[0]!;
}

/** Price and its first two derivatives in the spot, by differences of the fourth order. */
export function quadratureGreeks(
  engine: Engine,
  option: DividendOption,
): { price: number; delta: number; gamma: number } {
  const h = 4e-3 * option.spot;
  const [p2, p1, price, m1, m2] = [2, 1, 0, -1, -2].map((at) =>
    quadraturePrice(engine, { ...option, spot: option.spot + at * h }),
  ) as [number, number, number, number, number];
  return {
    price,
    delta: (-p2 + 8 * p1 - 8 * m1 + m2) / (12 * h),
    gamma: (-p2 + 16 * p1 - 30 * price + 16 * m1 - m2) / (12 * h * h),
  };
}

/** Values at a moment, after its dividend, of an option that is not exercised before the next. */
function held(engine: Engine, option: DividendOption, spots: Float64Array, next: number, now: number): Float64Array {
  const { isCall, isAmerican, strike, time, rate, dividendYield, volatility, dividends } = option;
  if (next === dividends.length) {
    return engine.price({
      model: "black_scholes_merton",
      count: spots.length,
      isCall,
      inputs: { spot: spots, strike, time_to_expiry: time - now, rate, dividend_yield: dividendYield, volatility },
      outputs: ["price"],
      units: "raw",
    }).columns.price!;
  }
  const [when, amount] = dividends[next]!;
  const wait = when - now;
  const deviation = volatility * Math.sqrt(wait);
  const drift = (rate - dividendYield - volatility ** 2 / 2) * wait;
  const step = stepOf(dividends.length);
  const points = 2 * Math.round(reach / step) + 1;
  const values = new Float64Array(spots.length);
  for (const [index, spot] of spots.entries()) {
    const reached = Float64Array.from(
      { length: points },
      (_, at) => spot * Math.exp(drift + deviation * (at * step - reach)),
    );
    const after = held(
      engine,
      option,
      reached.map((each) => Math.max(each - amount, 0)),
      next + 1,
      when,
    );
    let sum = 0;
    for (let at = 0; at < points; at++) {
      const z = at * step - reach;
      const payoff = isCall ? reached[at]! - strike : strike - reached[at]!;
      sum += Math.exp(-0.5 * z * z) * (isAmerican ? Math.max(after[at]!, payoff) : after[at]!);
    }
    values[index] = (Math.exp(-rate * wait) * sum * step) / Math.sqrt(2 * Math.PI);
  }
  if (now > 0 || !isAmerican) return values;
  return values.map((value, index) => Math.max(value, isCall ? spots[index]! - strike : strike - spots[index]!));
}
