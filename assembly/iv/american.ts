// The volatility behind an American option's price: Newton's method on the price itself, whose vega comes with it, inside a bracket. Separate from
// the European solvers, which invert a formula; here each step solves for an exercise boundary, so few steps matter more than cheap ones.
// It starts from the volatility that gives the price to a European option, an upper bound found by Newton's method from Manaster and Koehler's
// point (1982), takes steps by the fast scheme until they are small and by the asked one from there.
// Below the smallest volatility that makes holding worth more than exercising the price does not depend on the volatility: a price at its
// intrinsic value has none of its own.
// Everything is a put over a strike of 1, as in models/american.ts.
import { outputPrice, outputVega } from "../abi/layout";
import { statusNotConverged, statusOk, statusOutOfDomain } from "../abi/status";
import { needsParameters, putValues, recall } from "../models/american";
import { kindFailed, memoryOf, neighbourValues, schemeFast } from "../models/american-room";
import { exp } from "../math/exp";
import { normalDensity, normalLaw } from "../math/normal";

/** Steps in all; a bracket that only halves needs fewer. */
const stepsMax: i32 = 100;
const europeanStepsMax: i32 = 12;
/** A relative step below this hands over to the asked scheme, and one below the second is the last: convergence is quadratic. */
const nearStep: f64 = 1e-3;
const lastStep: f64 = 1e-7;

/** The European put's volatility, roughly: an upper bound up to what the steps leave. */
export function startVolatility(x: f64, spot: f64, time: f64, rate: f64, dividendYield: f64, price: f64): f64 {
  const root = sqrt<f64>(time);
  const cash = exp<f64>(-rate * time);
  const asset = spot * exp<f64>(-dividendYield * time);
  const logForward = x + (rate - dividendYield) * time;
  let deviation = max<f64>(sqrt<f64>(2 * abs<f64>(logForward)), 1e-3);
  const target = min<f64>(price, 0.999 * cash);
  for (let step = 0; step < europeanStepsMax; step++) {
    const d1 = logForward / deviation + 0.5 * deviation;
    const value = cash * normalLaw<f64>(deviation - d1) - asset * normalLaw<f64>(-d1);
    const slope = asset * normalDensity<f64>(d1);
    const change = (target - value) / slope;
    if (!(change - change == 0)) break;
    const next = max<f64>(0.2 * deviation, min<f64>(deviation + change, deviation + 1));
    const isClose = abs<f64>(next - deviation) < 1e-3 * deviation;
    deviation = next;
    if (isClose) break;
  }
  return deviation / root;
}

/**
 * Finds the volatility at which the put is worth `price`, which lies between what it is worth without volatility and with no end of it; stores it
 * and the vega there at `answer` and the eight bytes after. Returns a status.
 */
export function solveVolatility(
  room: usize,
  scheme: i32,
  x: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  price: f64,
  volatilityMax: f64,
  answer: usize,
): i32 {
  const spot = exp<f64>(x);
  const values = room + neighbourValues;
  const memory = memoryOf(room, 2);
  let volatility = min<f64>(startVolatility(x, spot, time, rate, dividendYield, price), 0.999 * volatilityMax);
  let low: f64 = 0;
  let high: f64 = volatilityMax;
  let isOpen = true; // nothing is known of the high end yet
  let current = schemeFast;
  for (let step = 0; step < stepsMax; step++) {
    if (recall(room, memory, current, rate, dividendYield, volatility, time) == kindFailed) return statusNotConverged;
    if (!putValues(room, memory, x, needsParameters, values)) return statusNotConverged;
    const excess = load<f64>(values + (outputPrice << 3)) - price;
    const vega = load<f64>(values + (outputVega << 3));
    if (excess > 0) {
      high = min<f64>(high, volatility);
      isOpen = false;
    } else low = max<f64>(low, volatility);
    const newton = excess / vega;
    let next = volatility - newton;
    // so small a step is the last, whatever the bracket's rounding says
    if (!(abs<f64>(newton) < lastStep * volatility) && !(next > low && next < high)) {
      // doubles until there is a bracket, then halves it
      next = isOpen ? min<f64>(2 * volatility, 0.5 * (volatility + volatilityMax)) : 0.5 * (low + high);
      if (isOpen && volatility > 0.999 * volatilityMax) return statusOutOfDomain;
    }
    const size = abs<f64>(next - volatility) / volatility;
    const isLast = size < lastStep || excess == 0 || high - low <= 4e-16 * high;
    volatility = excess == 0 ? volatility : next;
    if (current != scheme && (size < nearStep || isLast)) {
      // another scheme's values may lie on the other side of the price
      current = scheme;
      low *= 0.9;
      high = min<f64>(1.1 * high, volatilityMax);
      continue;
    }
    if (isLast) {
      store<f64>(answer, volatility);
      store<f64>(answer, vega, 8);
      return statusOk;
    }
  }
  return statusNotConverged;
}
