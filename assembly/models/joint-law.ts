// The laws of two and three normal variables over jets, the three a chain: given the middle one, first and last are independent, as a Brownian
// motion at three moments is. Separate from barrier-window, which is the only one that asks, because nothing of finance is in it.
//   P(Z1 ≤ a, Z2 ≤ b, Z3 ≤ c) = ∫ φ(z) N((a - ρ z)/κ) N((c - ρ' z)/κ') dz over z ≤ b,  κ² = 1 - ρ², κ'² = 1 - ρ'²
// The integrand is log-concave and falls at least like a normal density from its summit: found by halving, nine to each side are integrated by
// Gauss–Legendre panels that grow narrow where a factor turns. Derivatives follow from the slopes (Plackett 1954), which are laws of fewer variables.
// Error: 1e-15 absolute (tests/numerics/exotics/window.test.ts). κ is given beside ρ, since 1 - ρ² cannot be formed where ρ is near 1.
import {
  composed,
  fixed,
  gatherSlope,
  hasDerivatives,
  law,
  mark,
  minus,
  over,
  plus,
  release,
  times,
  valueOf,
} from "./jet";
import { cappedMagnitude, normalDensity, normalLaw } from "../math/normal";
import { mills } from "../math/mills";

// Gauss–Legendre's points on [0, 1] and weights, degree 12.
const points: usize = memory.data<f64>([
  0.009219682876640375, 0.0479413718147626, 0.11504866290284765, 0.20634102285669126, 0.31608425050090994,
  0.4373832957442655, 0.5626167042557344, 0.6839157494990901, 0.7936589771433087, 0.8849513370971524,
  0.9520586281852375, 0.9907803171233596,
]);
const weights: usize = memory.data<f64>([
  0.02358766819325591, 0.05346966299765921, 0.0800391642716731, 0.10158371336153296, 0.1167462682691774,
  0.12457352290670139, 0.12457352290670139, 0.1167462682691774, 0.10158371336153296, 0.0800391642716731,
  0.05346966299765921, 0.02358766819325591,
]);
const pointsCount: usize = 12;
const panelWidth: f64 = 1.5;
const panelsMax: i32 = 400;
const halvings: i32 = 60;
const reach: f64 = 9;
/** Beyond it the density is nothing. */
const farthest: f64 = 38;

/** φ(x)/N(x). */
function steepness(x: f64): f64 {
  return x < 0 ? 1 / mills<f64>(cappedMagnitude<f64>(x)) : normalDensity<f64>(x) / normalLaw<f64>(x);
}

/** The integral; a factor of ρ = 0, κ = 1 and a = ∞ is none. */
function chainValue(a: f64, rho: f64, kappa: f64, b: f64, c: f64, rhoLast: f64, kappaLast: f64): f64 {
  const slope = rho / kappa;
  const slopeLast = rhoLast / kappaLast;
  let low = -farthest;
  let high = min<f64>(b, farthest);
  if (!(low < high)) return 0;
  const top = high;
  for (let step = 0; step < halvings; step++) {
    const z = 0.5 * (low + high);
    const rising = -z - slope * steepness(a / kappa - slope * z) - slopeLast * steepness(c / kappaLast - slopeLast * z);
    if (rising > 0) low = z;
    else high = z;
  }
  const summit = low;
  const last = min<f64>(top, summit + reach);
  let z = summit - reach;
  let sum: f64 = 0;
  for (let panel = 0; panel < panelsMax && z < last; panel++) {
    const width = min<f64>(panelNear(z, a, rho, kappa), panelNear(z, c, rhoLast, kappaLast));
    const end = min<f64>(z + width, last);
    let part: f64 = 0;
    for (let point: usize = 0; point < pointsCount; point++) {
      const at = z + (end - z) * load<f64>(points + (point << 3));
      const chance = normalLaw<f64>(a / kappa - slope * at) * normalLaw<f64>(c / kappaLast - slopeLast * at);
      part += load<f64>(weights + (point << 3)) * normalDensity<f64>(at) * chance;
    }
    sum += (end - z) * part;
    z = end;
  }
  return sum;
}

/** How wide a panel may be that begins at z: half the way to where the factor turns, or near there what it turns in. */
function panelNear(z: f64, a: f64, rho: f64, kappa: f64): f64 {
  if (rho == 0) return panelWidth;
  const turn = a / rho;
  const width = kappa / abs<f64>(rho);
  return min<f64>(panelWidth, max<f64>(panelWidth * width, 0.5 * abs<f64>(turn - z)));
}

/** φ(x). */
function density(x: usize): usize {
  const at = valueOf(x);
  const f = normalDensity<f64>(at);
  return composed(x, f, -at * f, (at * at - 1) * f, (3 - at * at) * at * f);
}

/** (y - ρ x)/κ. */
function given(y: usize, x: usize, rho: usize, kappa: usize): usize {
  return over(minus(y, times(rho, x)), kappa);
}

/** The density of two variables. */
function jointDensity(x: usize, y: usize, rho: usize, kappa: usize): usize {
  return over(times(density(x), density(given(y, x, rho, kappa))), kappa);
}

/** P(X ≤ x, Y ≤ y) with correlation ρ. */
export function lawOfTwo(x: usize, y: usize, rho: usize, kappa: usize): usize {
  const sum = fixed(chainValue(valueOf(x), valueOf(rho), valueOf(kappa), valueOf(y), Infinity, 0, 1));
  if (!hasDerivatives()) return sum;
  const start = mark();
  gatherSlope(sum, times(density(x), law(given(y, x, rho, kappa))), x);
  release(start);
  gatherSlope(sum, times(density(y), law(given(x, y, rho, kappa))), y);
  release(start);
  gatherSlope(sum, jointDensity(x, y, rho, kappa), rho);
  release(start);
  return sum;
}

/** P(Z1 ≤ a, Z2 ≤ b, Z3 ≤ c) of a chain, ρ and κ of the first two, of the last two, and of first and last. */
export function lawOfChain(
  a: usize,
  b: usize,
  c: usize,
  rho: usize,
  kappa: usize,
  rhoLast: usize,
  kappaLast: usize,
  rhoEnds: usize,
  kappaEnds: usize,
): usize {
  const value = chainValue(
    valueOf(a),
    valueOf(rho),
    valueOf(kappa),
    valueOf(b),
    valueOf(c),
    valueOf(rhoLast),
    valueOf(kappaLast),
  );
  const sum = fixed(value);
  if (!hasDerivatives()) return sum;
  const start = mark();
  const turned = over(kappaLast, kappaEnds);
  const turnedLast = over(kappa, kappaEnds);
  const inner = mark();
  const first = lawOfTwo(given(b, a, rho, kappa), given(c, a, rhoEnds, kappaEnds), times(rhoLast, turnedLast), turned);
  gatherSlope(sum, times(density(a), first), a);
  release(inner);
  const last = lawOfTwo(given(b, c, rhoLast, kappaLast), given(a, c, rhoEnds, kappaEnds), times(rho, turned), turnedLast);
  gatherSlope(sum, times(density(c), last), c);
  release(inner);
  const beyondFirst = law(given(a, b, rho, kappa));
  const beyondLast = law(given(c, b, rhoLast, kappaLast));
  gatherSlope(sum, times(density(b), times(beyondFirst, beyondLast)), b);
  // the middle one where first and last are at their bounds
  const mean = plus(times(times(rho, times(turned, turned)), a), times(times(rhoLast, times(turnedLast, turnedLast)), c));
  const middle = law(over(minus(b, mean), times(kappa, turned)));
  const ends = times(jointDensity(a, c, rhoEnds, kappaEnds), middle);
  gatherSlope(sum, plus(times(jointDensity(a, b, rho, kappa), beyondLast), times(rhoLast, ends)), rho);
  gatherSlope(sum, plus(times(jointDensity(b, c, rhoLast, kappaLast), beyondFirst), times(rho, ends)), rhoLast);
  release(start);
  return sum;
}
