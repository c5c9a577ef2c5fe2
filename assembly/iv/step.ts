// One refinement of s = σ√T, of fourth order, and the loop that repeats it until a lane has settled. Separate because this is
// where the time goes: two lanes, no exponential, almost always one pass.
// Legend: v = time value / m, X = |x|, h = X/s, t = s/2, D = R(h - t) - R(h + t), so that v = φ(h - t) D;
// L = ln v - ln(φ(h - t) D), a = λD with λ = b''/b' = (h² - t²)/s, κ = λ'D² = -(3h² + t²)(D/s)².
// Source: Householder's method of third order on ln v (Jäckel 2015 takes logarithms for the same reason); with Mills ratios the
// derivative of ln v by s is 1/D, so every derivative needed is made of D: Δ = L D (1 + L(a-1)/2)/(1 + L(a-1) + L²(a²+κ-3a+2)/6).
// The error left by a step of relative size δ is below δ⁴; a lane settles at δ(1 + t) <= 6e-5. The rounding error of the result
// is that of L (three to five units of 2^-53 for usual rows) times D/s.
import { abs, add, and, constant, div, isAllSet, lessOrEqual, lessThan, mul, mulAdd, neg, or, select, sub } from "../lane/lane";
import { logRatio } from "../math/log-ratio";
import { millsSlope } from "../math/mills-slope";
import { productLow, sumLow } from "../math/error-free";
import {
  millsArgumentMax,
  millsArgumentMin,
  millsDifferenceSeries,
  millsShifted,
  seriesDeviationMax,
  seriesLogMoneynessMax,
} from "./mills-difference";
import {
  cell,
  columnDeviation,
  columnDifference,
  columnLogMoneyness,
  columnLogMoneynessLow,
  columnRegular,
  columnSettled,
  columnSlope,
  columnSpread,
  columnSpreadLow,
  columnTarget,
} from "./tile";

/** Passes of the two-lane loop; lanes that have not settled go to the safeguarded solver. */
const passesMax: i32 = 3;

const table: usize = memory.data<f64>(
  [
    2.5066282746310002, 2.5066282746310002, // 0: √(2π)
    0.5, 0.5, // 16
    3.0, 3.0, // 32
    1.0, 1.0, // 48
    2.0, 2.0, // 64
    0.16666666666666666, 0.16666666666666666, // 80
    6e-5, 6e-5, // 96: a step this small, relatively, is the last
    seriesDeviationMax, seriesDeviationMax, // 112
    seriesLogMoneynessMax, seriesLogMoneynessMax, // 128
    millsArgumentMin, millsArgumentMin, // 144
    millsArgumentMax, millsArgumentMax, // 160
  ],
  16,
);

/** h = X/s and, where a lane of the pair is near, G(h). */
// @ts-ignore: decorator
@inline
export function storeSlope<T>(scratch: usize, at: usize): void {
  const x = load<T>(cell(scratch, columnLogMoneyness, at));
  const s = load<T>(cell(scratch, columnDeviation, at));
  const h = div<T>(x, s);
  const product = mul<T>(h, s);
  const remainder = add<T>(
    sub<T>(sub<T>(x, product), productLow<T>(h, s, product)),
    load<T>(cell(scratch, columnLogMoneynessLow, at)),
  );
  store<T>(cell(scratch, columnSpread, at), h);
  store<T>(cell(scratch, columnSpreadLow, at), div<T>(remainder, s));
  if (!isAllSet<T>(isFar<T>(x, s))) store<T>(cell(scratch, columnSlope, at), millsSlope<T>(h));
}

/** D at the stored s and h. */
// @ts-ignore: decorator
@inline
export function storeDifference<T>(scratch: usize, at: usize): void {
  const x = load<T>(cell(scratch, columnLogMoneyness, at));
  const s = load<T>(cell(scratch, columnDeviation, at));
  const h = load<T>(cell(scratch, columnSpread, at));
  const t = mul<T>(s, constant<T>(table + 16));
  const isPairNear = isNear<T>(x, s);
  let d: T;
  if (isAllSet<T>(isPairNear)) {
    d = millsDifferenceSeries<T>(load<T>(cell(scratch, columnSlope, at)), h, t);
  } else {
    d = sub<T>(millsShifted<T>(sub<T>(h, t)), millsShifted<T>(add<T>(h, t)));
    if (!isAllSet<T>(isFar<T>(x, s))) {
      d = select<T>(isPairNear, millsDifferenceSeries<T>(load<T>(cell(scratch, columnSlope, at)), h, t), d);
    }
  }
  store<T>(cell(scratch, columnDifference, at), d);
}

/** The step from the stored s, h and D: s and D move, and lanes whose step was small enough are marked settled. */
// @ts-ignore: decorator
@inline
export function storeStep<T>(scratch: usize, at: usize): void {
  const s = load<T>(cell(scratch, columnDeviation, at));
  const h = load<T>(cell(scratch, columnSpread, at));
  const d = load<T>(cell(scratch, columnDifference, at));
  const one = constant<T>(table + 48);
  const t = mul<T>(s, constant<T>(table + 16));
  const left = sub<T>(h, t);
  const right = add<T>(h, t);
  const scaledTarget = mul<T>(load<T>(cell(scratch, columnTarget, at)), constant<T>(table));
  // (h - t)² loses h² units of 2^-53 unless its low word is kept
  const negative = neg<T>(t);
  const leftLow = add<T>(sumLow<T>(h, negative, left), load<T>(cell(scratch, columnSpreadLow, at)));
  const square = mul<T>(left, left);
  const squareLow = mulAdd<T>(add<T>(left, left), leftLow, productLow<T>(left, left, square));
  const half = constant<T>(table + 16);
  const log = mulAdd<T>(squareLow, half, mulAdd<T>(square, half, logRatio<T>(scaledTarget, d)));
  const ratio = div<T>(d, s);
  const a = mul<T>(mul<T>(left, right), ratio);
  const kappa = mul<T>(mulAdd<T>(mul<T>(h, h), constant<T>(table + 32), mul<T>(t, t)), mul<T>(ratio, ratio));
  const first = mul<T>(log, sub<T>(a, one));
  const second = mul<T>(
    mul<T>(log, log),
    sub<T>(mulAdd<T>(a, sub<T>(a, constant<T>(table + 32)), constant<T>(table + 64)), kappa),
  );
  const top = mul<T>(log, mulAdd<T>(first, constant<T>(table + 16), one));
  const bottom = mulAdd<T>(second, constant<T>(table + 80), add<T>(first, one));
  const share = div<T>(top, bottom);
  const delta = mul<T>(share, d);
  // D moves by Δ(1 - a) + Δ²/(2D)·(a² - a - κ)
  const bend = mul<T>(mul<T>(share, constant<T>(table + 16)), mulAdd<T>(a, sub<T>(a, one), kappa));
  const next = add<T>(s, delta);
  const moved = mulAdd<T>(delta, add<T>(sub<T>(one, a), bend), d);
  // false for a lane that went below zero
  const isSmall = lessOrEqual<T>(
    add<T>(abs<T>(delta), abs<T>(mul<T>(delta, t))),
    mul<T>(next, constant<T>(table + 96)),
  );
  const isInRange = and<T>(
    lessOrEqual<T>(constant<T>(table + 144), left),
    lessOrEqual<T>(right, constant<T>(table + 160)),
  );
  // a lane that is not regular has nothing to wait for
  const isRegular = load<T>(cell(scratch, columnRegular, at));
  store<T>(
    cell(scratch, columnSettled, at),
    select<T>(isRegular, and<T>(isSmall, isInRange), lessOrEqual<T>(one, one)),
  );
  store<T>(cell(scratch, columnDeviation, at), next);
  store<T>(cell(scratch, columnDifference, at), moved);
}

/** Further passes for a pair with a lane that has not settled; settled lanes keep their bits. Then the mask of regular lanes is final. */
// @ts-ignore: decorator
@inline
export function storeFurtherSteps<T>(scratch: usize, at: usize): void {
  for (let pass = 1; pass < passesMax; pass++) {
    const settled = load<T>(cell(scratch, columnSettled, at));
    if (isAllSet<T>(settled)) break;
    const s = load<T>(cell(scratch, columnDeviation, at));
    const d = load<T>(cell(scratch, columnDifference, at));
    storeSlope<T>(scratch, at);
    storeDifference<T>(scratch, at);
    storeStep<T>(scratch, at);
    store<T>(cell(scratch, columnDeviation, at), select<T>(settled, s, load<T>(cell(scratch, columnDeviation, at))));
    store<T>(cell(scratch, columnDifference, at), select<T>(settled, d, load<T>(cell(scratch, columnDifference, at))));
    store<T>(cell(scratch, columnSettled, at), or<T>(settled, load<T>(cell(scratch, columnSettled, at))));
  }
  store<T>(
    cell(scratch, columnRegular, at),
    and<T>(load<T>(cell(scratch, columnRegular, at)), load<T>(cell(scratch, columnSettled, at))),
  );
}

/** Mask of lanes whose D comes from the series. */
// @ts-ignore: decorator
@inline
function isNear<T>(x: T, s: T): T {
  return and<T>(lessThan<T>(s, constant<T>(table + 112)), lessThan<T>(x, constant<T>(table + 128)));
}

/** Its complement, but for lanes without a number. */
// @ts-ignore: decorator
@inline
function isFar<T>(x: T, s: T): T {
  return or<T>(lessOrEqual<T>(constant<T>(table + 112), s), lessOrEqual<T>(constant<T>(table + 128), x));
}
