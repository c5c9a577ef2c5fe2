// The volatility at which any model gives a price: a bracket and Chandrupatla's method inside it (1997, A new hybrid quadratic/bisection
// algorithm, Adv. Eng. Software 28), which needs prices alone. Separate from the solvers that know their model: this one asks a function. Prices need
// not rise with volatility everywhere: some volatility that gives the price is found wherever the ends of a bracket lie on both sides of it.
// Never throws; elsewhere than upwards the function's NaN ends it.

/** What became of it. */
export const foundVolatility: i32 = 0;
export const noVolatility: i32 = 1;
export const aboveVolatility: i32 = 2;
export const lostVolatility: i32 = 3;

/** Steps in all; a bracket that only halves needs fewer. */
const stepsMax: i32 = 200;
/** The largest relative width at the end. */
const widthMax: f64 = 4e-15;
const volatilityMin: f64 = 1e-8;

let found: f64 = 0;

/** The volatility that `solveByPrice` found. */
export function volatilityFound(): f64 {
  return found;
}

/**
 * Looks for the volatility between 1e-8 and `volatilityMax` at which the excess, the model's price less the one that is given, is 0; from a guess,
 * which may be any positive number. `noVolatility`: the price is more than the smallest volatility gives, but nothing below it is less;
 * `aboveVolatility`: less than the price up to the largest, or to where the function ends in NaN.
 */
export function solveByPrice(excessAt: (volatility: f64) => f64, guess: f64, volatilityMax: f64): i32 {
  let a = max<f64>(volatilityMin, min<f64>(guess, 0.999 * volatilityMax));
  let atA = excessAt(a);
  if (atA == 0) return settle(a);
  let b = a;
  let atB = atA;
  // outwards, in ever larger steps, until the signs differ
  let factor: f64 = 1.25;
  while (true) {
    // upwards a model's domain may end before the largest volatility
    if (!(atB - atB == 0)) return atA < 0 ? aboveVolatility : lostVolatility;
    if (atB > 0 != atA > 0) break;
    a = b;
    atA = atB;
    if (atA < 0) {
      if (a >= volatilityMax) return aboveVolatility;
      b = min<f64>(a * factor, volatilityMax);
    } else {
      if (a <= volatilityMin) return noVolatility;
      b = max<f64>(a / factor, volatilityMin);
    }
    factor *= 1.6;
    atB = excessAt(b);
    if (atB == 0) return settle(b);
  }
  // a and b have the root between them; c is the point before
  let c = a;
  let atC = atA;
  let part: f64 = 0.5;
  for (let step = 0; step < stepsMax; step++) {
    const at = a + part * (b - a);
    const value = excessAt(at);
    if (!(value - value == 0)) return lostVolatility;
    if (value == 0) return settle(at);
    if (value > 0 == atA > 0) {
      c = a;
      atC = atA;
    } else {
      c = b;
      atC = atB;
      b = a;
      atB = atA;
    }
    a = at;
    atA = value;
    const best = abs<f64>(atA) < abs<f64>(atB) ? a : b;
    const width = (widthMax * best) / abs<f64>(b - a);
    if (width > 0.5) return settle(best);
    // inverse quadratic interpolation where it is safe, else the middle
    const xi = (a - b) / (c - b);
    const phi = (atA - atB) / (atC - atB);
    if (phi * phi < xi && (1 - phi) * (1 - phi) < 1 - xi) {
      part =
        (atA / (atB - atA)) * (atC / (atB - atC)) +
        (((c - a) / (b - a)) * (atA / (atC - atA)) * atB) / (atC - atB);
    } else part = 0.5;
    part = max<f64>(width, min<f64>(1 - width, part));
  }
  return lostVolatility;
}

// @ts-ignore: decorator
@inline
function settle(volatility: f64): i32 {
  found = volatility;
  return foundVolatility;
}
