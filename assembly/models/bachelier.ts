// The normal model: prices and Greeks of European options on a forward whose changes, not whose logarithm, are normal.
// Source: Bachelier 1900, discounted. Letters: F forward and K strike of any sign, t time to expiry in years, r rate (continuous, per
// year), σ volatility in price units per √year, s = σ√t, x = F - K, d = x/s, m = |d|, φ and N the normal density and law,
// R(m) = N(-m)/φ(m), G(m) = 1 - m R(m), D = e^(-rt), ± for call and put.
// V = D (max(0, ±x) + s φ(d) G(m)): out of the money nothing cancels, in the money both terms are positive.
// A tile of options passes through four small loops over intermediates that stay in the first-level cache; T is f64 or v128, the same
// source and so the same bits. d and rt carry low words: φ turns d's error into d² times it, and d² - 1, d² - 3 have roots.
// Domain (isOrdinary): |F|, |K| < 2^200, t and σ in [2^-200, 2^200), |rt| <= 256: there nothing overflows. Other rows hold garbage
// afterwards and must be overwritten (bachelier-limits.ts).
// Error against 600 cases at 60 digits: docs/numerics/bachelier.md, tests/numerics/bachelier.
import {
  factorsOffset,
  inputsMax,
  isRequested,
  outputAddress,
  outputCharm,
  outputColor,
  outputDelta,
  outputDualDelta,
  outputDualGamma,
  outputGamma,
  outputLambda,
  outputPrice,
  outputRho,
  outputSpeed,
  outputTheta,
  outputUltima,
  outputVanna,
  outputVega,
  outputVeta,
  outputVolga,
  outputZomma,
  tileBytes,
} from "../abi/layout";
import {
  abs,
  add,
  and,
  constant,
  div,
  isAllSet,
  larger,
  lessOrEqual,
  lessThan,
  mul,
  mulAdd,
  neg,
  putSign,
  repeated,
  select,
  sqrt,
  sub,
  xor,
} from "../lane/lane";
import { productLow, sumLow } from "../math/error-free";
import { expOfSum } from "../math/exp";
import { mills } from "../math/mills";
import { millsSlope } from "../math/mills-slope";
import { cappedMagnitude, halfSquareHigh, halfSquareLow, isBelowCap } from "../math/normal";

const table: usize = memory.data<f64>(
  [
    1.0, 1.0, // 0
    0.5, 0.5, // 16
    0.0, 0.0, // 32
    256.0, 256.0, // 48: largest |rt|
    0.3989422804014327, 0.3989422804014327, // 64: 1/√(2π)
    6.223015277861142e-61, 6.223015277861142e-61, // 80: 2^-200
    1.6069380442589903e60, 1.6069380442589903e60, // 96: 2^200
    3.0, 3.0, // 112
  ],
  16,
);
const patterns: usize = memory.data<u64>(
  [
    0x8000000000000000, 0x8000000000000000, // 0: the sign
    0x7ff8000000000000, 0x7ff8000000000000, // 16: null
  ],
  16,
);

// Columns of intermediates, as offsets from a row's place in the scratch.
const distanceColumn: usize = inputsMax * tileBytes; // x
const magnitudeColumn: usize = distanceColumn + tileBytes; // m, at most 37.5
const magnitudeLowColumn: usize = magnitudeColumn + tileBytes; // what its rounding lost
const deviationColumn: usize = magnitudeLowColumn + tileBytes; // s
const rootTimeColumn: usize = deviationColumn + tileBytes; // √t
const discountColumn: usize = rootTimeColumn + tileBytes; // D
const densityColumn: usize = discountColumn + tileBytes; // φ(d), zero past the cap
const ratioColumn: usize = densityColumn + tileBytes; // R(m)
const slopeColumn: usize = ratioColumn + tileBytes; // G(m)
const inverseColumn: usize = slopeColumn + tileBytes; // 1/s

/** Mask of the rows the formulas are good for; a NaN fails every comparison. */
// @ts-ignore: decorator
@inline
export function isOrdinary<T>(forward: T, strike: T, time: T, volatility: T, rateTime: T): T {
  const lowest = constant<T>(table + 80);
  const highest = constant<T>(table + 96);
  return and<T>(
    and<T>(
      and<T>(lessThan<T>(abs<T>(forward), highest), lessThan<T>(abs<T>(strike), highest)),
      and<T>(lessThan<T>(time, highest), lessThan<T>(volatility, highest)),
    ),
    and<T>(
      and<T>(lessOrEqual<T>(lowest, time), lessOrEqual<T>(lowest, volatility)),
      lessOrEqual<T>(abs<T>(rateTime), constant<T>(table + 48)),
    ),
  );
}

/**
 * Loop 1: x, m and its low word, s, √t. Addresses are those of the first row's inputs; `bytes` is eight times the rows. True where
 * every row is ordinary.
 */
export function distances<T>(
  forwards: usize,
  strikes: usize,
  times: usize,
  rates: usize,
  volatilities: usize,
  scratch: usize,
  bytes: usize,
): bool {
  const zero = constant<T>(table + 32);
  let ordinary = lessOrEqual<T>(zero, zero);
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    const forward = load<T>(forwards + at);
    const strike = load<T>(strikes + at);
    const time = load<T>(times + at);
    const volatility = load<T>(volatilities + at);
    ordinary = and<T>(
      ordinary,
      isOrdinary<T>(forward, strike, time, volatility, mul<T>(load<T>(rates + at), time)),
    );
    const rootTime = sqrt<T>(time);
    const square = mul<T>(rootTime, rootTime);
    const deviation = mul<T>(volatility, rootTime);
    const x = sub<T>(forward, strike);
    const sign = and<T>(x, constant<T>(patterns));
    const size = abs<T>(x);
    const inverse = div<T>(constant<T>(table), deviation);
    const magnitude = mul<T>(size, inverse);
    // √t is low by (t - √t²)/(2√t), and m by what m·s differs from |x| by, over s
    const rootLow = mul<T>(
      sub<T>(sub<T>(time, square), productLow<T>(rootTime, rootTime, square)),
      mul<T>(mul<T>(volatility, constant<T>(table + 16)), inverse),
    );
    const deviationLow = mulAdd<T>(volatility, rootLow, productLow<T>(volatility, rootTime, deviation));
    const product = mul<T>(magnitude, deviation);
    const rest = sub<T>(
      sub<T>(sub<T>(size, product), productLow<T>(magnitude, deviation, product)),
      mul<T>(magnitude, deviationLow),
    );
    const sizeLow = xor<T>(sumLow<T>(forward, neg<T>(strike), x), sign);
    store<T>(cell, x, distanceColumn);
    store<T>(cell, cappedMagnitude<T>(magnitude), magnitudeColumn);
    store<T>(cell, mul<T>(add<T>(rest, sizeLow), inverse), magnitudeLowColumn);
    store<T>(cell, deviation, deviationColumn);
    store<T>(cell, rootTime, rootTimeColumn);
    store<T>(cell, inverse, inverseColumn);
  }
  return isAllSet<T>(ordinary);
}

/** Loop 2, first half: D. Where r and t are the same for every row, once for a whole batch. */
export function discounts<T>(times: usize, rates: usize, scratch: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const time = neg<T>(load<T>(times + at));
    const rate = load<T>(rates + at);
    const exponent = mul<T>(rate, time);
    store<T>(scratch + at, expOfSum<T>(exponent, productLow<T>(rate, time, exponent)), discountColumn);
  }
}

/** Loop 2, second half: φ(d). */
export function densities<T>(scratch: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    const magnitude = load<T>(cell, magnitudeColumn);
    const low = sub<T>(halfSquareLow<T>(magnitude), mul<T>(magnitude, load<T>(cell, magnitudeLowColumn)));
    const bell = mul<T>(expOfSum<T>(halfSquareHigh<T>(magnitude), low), constant<T>(table + 64));
    store<T>(cell, and<T>(bell, isBelowCap<T>(magnitude)), densityColumn);
  }
}

/** Loop 3: R(m), G(m). */
export function ratios<T>(scratch: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    const magnitude = load<T>(cell, magnitudeColumn);
    store<T>(cell, mills<T>(magnitude), ratioColumn);
    store<T>(cell, millsSlope<T>(magnitude), slopeColumn);
  }
}

/** Multiplies by the output's unit and stores; adding zero turns -0 into 0. */
// @ts-ignore: decorator
@inline
function put<T>(request: usize, output: usize, offset: usize, value: T): void {
  const scaled = mul<T>(value, repeated<T>(request + factorsOffset + (output << 3)));
  store<T>(outputAddress(request, output) + offset, add<T>(scaled, constant<T>(table + 32)));
}

/**
 * Loop 4: price, delta, gamma, vega, theta, rho and the strike's two, those that are asked for. Raw values times the request's factor;
 * `offset` is the place of the first row in the output columns, in bytes.
 */
export function outputs<T>(
  times: usize,
  rates: usize,
  isCalls: usize,
  scratch: usize,
  bytes: usize,
  request: usize,
  mask: u32,
  offset: usize,
): void {
  const zero = constant<T>(table + 32);
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    const to = offset + at;
    const sign = putSign<T>(isCalls + (at >> 3));
    const discount = load<T>(cell, discountColumn);
    const intrinsic = larger<T>(zero, xor<T>(load<T>(cell, distanceColumn), sign));
    const deviation = load<T>(cell, deviationColumn);
    const density = load<T>(cell, densityColumn);
    const weight = mul<T>(deviation, density);
    const slope = load<T>(cell, slopeColumn);
    const price = mul<T>(discount, mulAdd<T>(weight, slope, intrinsic));
    if (isRequested(mask, outputPrice)) put<T>(request, outputPrice, to, price);
    if (isRequested(mask, outputDelta) || isRequested(mask, outputDualDelta)) {
      const tail = mul<T>(density, load<T>(cell, ratioColumn));
      const law = select<T>(lessThan<T>(zero, intrinsic), sub<T>(constant<T>(table), tail), tail);
      const delta = xor<T>(mul<T>(discount, law), sign);
      if (isRequested(mask, outputDelta)) put<T>(request, outputDelta, to, delta);
      if (isRequested(mask, outputDualDelta)) put<T>(request, outputDualDelta, to, neg<T>(delta));
    }
    if (isRequested(mask, outputGamma) || isRequested(mask, outputDualGamma)) {
      const gamma = mul<T>(mul<T>(discount, density), load<T>(cell, inverseColumn));
      if (isRequested(mask, outputGamma)) put<T>(request, outputGamma, to, gamma);
      if (isRequested(mask, outputDualGamma)) put<T>(request, outputDualGamma, to, gamma);
    }
    if (isRequested(mask, outputVega)) {
      put<T>(request, outputVega, to, mul<T>(mul<T>(discount, density), load<T>(cell, rootTimeColumn)));
    }
    if (isRequested(mask, outputTheta)) {
      // D (r max(0, ±x) - s φ (1 - 2rt G)/(2t)): out of the money only 1 - 2rt G can cancel
      const time = load<T>(times + at);
      const twice = add<T>(time, time);
      const rate = load<T>(rates + at);
      const decay = div<T>(sub<T>(constant<T>(table), mul<T>(mul<T>(rate, twice), slope)), twice);
      put<T>(request, outputTheta, to, mul<T>(discount, sub<T>(mul<T>(rate, intrinsic), mul<T>(weight, decay))));
    }
    if (isRequested(mask, outputRho)) put<T>(request, outputRho, to, mul<T>(neg<T>(load<T>(times + at)), price));
  }
}

/** 1/(2t) = ½ (σ/s)²: no division. */
// @ts-ignore: decorator
@inline
function halfOverTime<T>(volatility: T, inverse: T): T {
  const inverseRoot = mul<T>(volatility, inverse);
  return mul<T>(mul<T>(inverseRoot, constant<T>(table + 16)), inverseRoot);
}

/** m² - c with m² and c in two words each: right to the last digits also where they cancel. */
// @ts-ignore: decorator
@inline
function squareLess<T>(square: T, squareLow: T, c: T, cLow: T): T {
  const difference = sub<T>(square, c);
  return add<T>(difference, add<T>(sumLow<T>(square, neg<T>(c), difference), sub<T>(squareLow, cLow)));
}

/** Loop 5, only where one of them is asked for: vanna, volga, charm, veta, speed, zomma, color, ultima, lambda. */
export function furtherOutputs<T>(
  forwards: usize,
  times: usize,
  rates: usize,
  volatilities: usize,
  isCalls: usize,
  scratch: usize,
  bytes: usize,
  request: usize,
  mask: u32,
  offset: usize,
): void {
  const zero = constant<T>(table + 32);
  const one = constant<T>(table);
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    const to = offset + at;
    const discount = load<T>(cell, discountColumn);
    const deviation = load<T>(cell, deviationColumn);
    const density = load<T>(cell, densityColumn);
    const weight = mul<T>(discount, density); // D φ
    const x = load<T>(cell, distanceColumn);
    const magnitude = load<T>(cell, magnitudeColumn);
    const d = xor<T>(magnitude, and<T>(x, constant<T>(patterns)));
    const volatility = load<T>(volatilities + at);
    const time = load<T>(times + at);
    const twice = add<T>(time, time);
    const rate = load<T>(rates + at);
    const rateTwice = mul<T>(rate, twice); // 2rt
    const rateTwiceLow = productLow<T>(rate, twice, rateTwice);
    const rootTime = load<T>(cell, rootTimeColumn);
    const inverse = load<T>(cell, inverseColumn);
    const inverseVolatility = mul<T>(rootTime, inverse);
    const half = halfOverTime<T>(volatility, inverse);
    const square = mul<T>(magnitude, magnitude);
    const squareLow = mulAdd<T>(
      add<T>(magnitude, magnitude),
      load<T>(cell, magnitudeLowColumn),
      productLow<T>(magnitude, magnitude, square),
    );
    if (isRequested(mask, outputVanna)) {
      put<T>(request, outputVanna, to, neg<T>(mul<T>(mul<T>(weight, d), inverseVolatility)));
    }
    if (isRequested(mask, outputVolga)) {
      put<T>(request, outputVolga, to, mul<T>(mul<T>(mul<T>(weight, rootTime), square), inverseVolatility));
    }
    if (isRequested(mask, outputVeta)) {
      // vega (r - (1 + d²)/(2t))
      const c = sub<T>(rateTwice, one);
      const cLow = add<T>(sumLow<T>(rateTwice, neg<T>(one), c), rateTwiceLow);
      const bend = squareLess<T>(square, squareLow, c, cLow);
      put<T>(request, outputVeta, to, neg<T>(mul<T>(mul<T>(weight, rootTime), mul<T>(bend, half))));
    }
    if (isRequested(mask, outputSpeed)) {
      put<T>(request, outputSpeed, to, neg<T>(mul<T>(mul<T>(weight, d), mul<T>(inverse, inverse))));
    }
    if (isRequested(mask, outputZomma)) {
      const bend = squareLess<T>(square, squareLow, one, zero);
      put<T>(request, outputZomma, to, mul<T>(mul<T>(weight, bend), mul<T>(inverse, inverseVolatility)));
    }
    if (isRequested(mask, outputColor)) {
      // gamma (r - (d² - 1)/(2t))
      const c = add<T>(rateTwice, one);
      const cLow = add<T>(sumLow<T>(rateTwice, one, c), rateTwiceLow);
      const bend = squareLess<T>(square, squareLow, c, cLow);
      put<T>(request, outputColor, to, neg<T>(mul<T>(mul<T>(weight, inverse), mul<T>(bend, half))));
    }
    if (isRequested(mask, outputUltima)) {
      const bend = squareLess<T>(square, squareLow, constant<T>(table + 112), zero);
      const share = mul<T>(mul<T>(mul<T>(square, bend), inverseVolatility), inverseVolatility);
      put<T>(request, outputUltima, to, mul<T>(mul<T>(weight, rootTime), share));
    }
    if (isRequested(mask, outputCharm) || isRequested(mask, outputLambda)) {
      const sign = putSign<T>(isCalls + (at >> 3));
      const side = xor<T>(x, sign);
      const isInTheMoney = lessThan<T>(zero, side);
      const ratio = load<T>(cell, ratioColumn);
      if (isRequested(mask, outputCharm)) {
        // ±D (r - w) in the money and ±D w out of it, w = φ (2rt R - m)/(2t)
        const pull = sub<T>(mul<T>(rateTwice, ratio), add<T>(magnitude, load<T>(cell, magnitudeLowColumn)));
        const w = mul<T>(density, mul<T>(pull, half));
        const charm = mul<T>(discount, select<T>(isInTheMoney, sub<T>(rate, w), w));
        put<T>(request, outputCharm, to, xor<T>(charm, sign));
      }
      if (isRequested(mask, outputLambda)) {
        // F·delta/V: φ and D are common to both out of the money, D in the money
        const slope = load<T>(cell, slopeColumn);
        const timeValue = mul<T>(mul<T>(deviation, density), slope);
        const value = add<T>(timeValue, side);
        const top = select<T>(isInTheMoney, sub<T>(one, mul<T>(density, ratio)), ratio);
        const bottom = select<T>(isInTheMoney, value, mul<T>(deviation, slope));
        const lambda = xor<T>(mul<T>(load<T>(forwards + at), div<T>(top, bottom)), sign);
        const price = mul<T>(discount, select<T>(isInTheMoney, value, timeValue));
        const isWorthless = lessOrEqual<T>(price, zero);
        const scaled = mul<T>(lambda, repeated<T>(request + factorsOffset + (outputLambda << 3)));
        store<T>(
          outputAddress(request, outputLambda) + to,
          select<T>(isWorthless, constant<T>(patterns + 16), add<T>(scaled, zero)),
        );
      }
    }
  }
}
