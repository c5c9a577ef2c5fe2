// The volatility behind the price of an American option whose asset pays cash dividends, by secants inside a bracket on the price itself.
// Separate from iv/american.ts, whose prices bring their vega along: here one more price is cheaper than a vega. It goes by the fast scheme until
// steps are small and by the asked one from there. The price rises with the volatility, but for what a grid leaves out.
import { outputPrice } from "../abi/layout";
import { statusNotConverged, statusOk, statusOutOfDomain } from "../abi/status";
import { rowValues } from "../models/finite-difference-room";
import { americanDividendValues } from "../models/grid-values";

/** Prices in all; a bracket that only halves needs fewer. */
const pricesMax: i32 = 120;
/** A relative step below this hands over to the asked scheme, and one below the second is the last. */
const nearStep: f64 = 1e-3;
const lastStep: f64 = 1e-10;
/** Of the larger of spot and strike: what the price may be missed by. */
const excessMax: f64 = 1e-9;
/** A step multiplies the volatility by this at most. */
const growthMax: f64 = 4;
/** Where there is no slope yet, the step that finds one. */
const firstStep: f64 = 0.05;

/**
 * Finds the volatility, from `lowest` to `highest`, at which the option is worth `price`; stores it and the vega there at `answer` and
 * the eight bytes after. Returns a status.
 */
export function solveDividendVolatility(
  room: usize,
  isCall: bool,
  scheme: i32,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  dividends: usize,
  price: f64,
  start: f64,
  lowest: f64,
  highest: f64,
  answer: usize,
): i32 {
  const only: u32 = 1 << <u32>outputPrice;
  let low = lowest;
  let high = highest;
  let isOpen = true; // nothing is known of the high end yet
  let volatility = max<f64>(lowest, min<f64>(start, 0.5 * highest));
  let current = 0;
  let last: f64 = -1; // a volatility before, none at first
  let lastExcess: f64 = 0;
  let vega: f64 = 0;
  for (let count = 0; count < pricesMax; count++) {
    americanDividendValues(room, isCall, current, spot, strike, time, rate, dividendYield, volatility, dividends, only);
    const excess = load<f64>(room + rowValues + (outputPrice << 3)) - price;
    if (!(excess - excess == 0)) return statusOutOfDomain;
    if (excess > 0) {
      high = min<f64>(high, volatility);
      isOpen = false;
    } else low = max<f64>(low, volatility);
    const slope = last < 0 ? 0 : (excess - lastExcess) / (volatility - last);
    let next: f64;
    if (slope > 0) {
      vega = slope;
      next = min<f64>(volatility - excess / slope, growthMax * volatility);
    } else next = excess > 0 ? volatility * (1 - firstStep) : volatility * (1 + firstStep);
    const isSmall = slope > 0 && abs<f64>(next - volatility) < lastStep * volatility;
    if (!isSmall && !(next > low && next < high)) {
      if (isOpen && volatility > 0.999 * highest) return statusOutOfDomain;
      next = isOpen ? min<f64>(2 * volatility, 0.5 * (volatility + highest)) : 0.5 * (low + high);
    }
    const size = abs<f64>(next - volatility) / volatility;
    const isLast = isSmall || excess == 0 || high - low <= 4e-16 * high;
    if (current != scheme && (isLast || (slope > 0 && size < nearStep))) {
      current = scheme;
      low = max<f64>(lowest, 0.9 * low);
      high = min<f64>(1.1 * high, highest);
      volatility = excess == 0 ? volatility : next;
      last = -1;
      continue;
    }
    if (isLast) {
      // a bracket may close on a place where the grid's own error jumps, or where the price hardly depends on the volatility
      if (!(vega > 0) || !(abs<f64>(excess) <= excessMax * max<f64>(spot, strike))) return statusNotConverged;
      store<f64>(answer, excess == 0 ? volatility : next);
      store<f64>(answer, vega, 8);
      return statusOk;
    }
    last = volatility;
    lastExcess = excess;
    volatility = next;
  }
  return statusNotConverged;
}
