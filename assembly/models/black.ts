// Black–Scholes–Merton: price and first Greeks of European options on an asset with a continuous yield.
// Source: Black & Scholes 1973, Merton 1973 (eq. for a dividend yield). Letters: S spot, K strike, t time to expiry in years,
// r rate, q dividend yield (continuous, per year), σ volatility per √year, v = σ√t, h = (ln(S/K) + (r - q)t)/v, d1 = h + v/2,
// d2 = h - v/2, φ and N the normal density and law, R(x) = N(-x)/φ(x) the Mills ratio, D(r) = e^(-rt).
// A tile of options passes through four small loops (moneyness, exponentials, Mills ratios, outputs) over intermediates that
// stay in the first-level cache; T is f64 or v128, the same source and so the same bits. Two identities carry the accuracy:
// S D(q) φ(d1) = K D(r) φ(d2), so one exponential serves both tails, and N(-x) = φ(x) R(x), so no tail is a difference from 1.
// Domain (isOrdinary): S, K, t, σ in [2^-200, 2^200), |rt| + |qt| <= 256: there nothing overflows. Other rows hold garbage
// afterwards and must be overwritten (black-limits.ts).
// Error against 600 cases at 60 digits: price 3.3e-16·max(S, K), Greeks 2.1e-14 relative (tests/golden; see also
// docs/numerics/black-scholes-merton.md).
import {
  factorsOffset,
  inputsMax,
  isRequested,
  outputDelta,
  outputGamma,
  outputPrice,
  outputRho,
  outputTheta,
  outputVega,
  tileBytes,
} from "../abi/layout";
import {
  add,
  and,
  constant,
  div,
  isAllSet,
  larger,
  lessOrEqual,
  lessThan,
  mul,
  neg,
  putSign,
  repeated,
  select,
  smaller,
  sqrt,
  sub,
  xor,
} from "../lane/lane";
import { exp, storeThreeExps } from "../math/exp";
import { logRatio } from "../math/log-ratio";
import { storeTwoMills } from "../math/mills";
import { cappedMagnitude, gaussian, halfSquareHigh, halfSquareLow, isBelowCap } from "../math/normal";

const table: usize = memory.data<f64>(
  [
    1.0, 1.0, // 0
    0.5, 0.5, // 16
    0.0, 0.0, // 32
    256.0, 256.0, // 48: largest |rt| + |qt|
    0.3989422804014327, 0.3989422804014327, // 64: 1/√(2π)
    6.223015277861142e-61, 6.223015277861142e-61, // 80: 2^-200
    1.6069380442589903e60, 1.6069380442589903e60, // 96: 2^200
  ],
  16,
);
const patterns: usize = memory.data<u64>(
  [
    0x7fffffffffffffff, 0x7fffffffffffffff, // 0: everything but the sign
  ],
  16,
);

// Columns of intermediates, as offsets from a row's place in the scratch.
const d1Column: usize = inputsMax * tileBytes;
const d2Column: usize = d1Column + tileBytes;
const inverseSpotVColumn: usize = d2Column + tileBytes;
const rootTimeColumn: usize = inverseSpotVColumn + tileBytes;
const rateDiscountColumn: usize = rootTimeColumn + tileBytes;
const yieldDiscountColumn: usize = rateDiscountColumn + tileBytes;
const gaussianColumn: usize = yieldDiscountColumn + tileBytes;
const mills1Column: usize = gaussianColumn + tileBytes;
const mills2Column: usize = mills1Column + tileBytes;

/**
 * Mask of the rows the formulas are good for. The order of the arguments of smaller and larger is what refuses a NaN: each keeps
 * a NaN in its first place, and every input stands first in one of them or in the sum.
 */
// @ts-ignore: decorator
@inline
export function isOrdinary<T>(spot: T, strike: T, time: T, volatility: T, rateTime: T, yieldTime: T): T {
  const lowest = constant<T>(table + 80);
  const signless = constant<T>(patterns);
  const exponents = add<T>(and<T>(rateTime, signless), and<T>(yieldTime, signless));
  return and<T>(
    and<T>(lessOrEqual<T>(lowest, smaller<T>(spot, strike)), lessOrEqual<T>(lowest, smaller<T>(volatility, time))),
    and<T>(
      lessThan<T>(larger<T>(larger<T>(strike, spot), larger<T>(time, volatility)), constant<T>(table + 96)),
      lessOrEqual<T>(exponents, constant<T>(table + 48)),
    ),
  );
}

/**
 * Loop 1: d1, d2, 1/(S v), √t. Addresses are those of the first row's inputs; `bytes` is eight times the rows. True where every
 * row is ordinary.
 */
export function moneyness<T>(
  spots: usize,
  strikes: usize,
  times: usize,
  rates: usize,
  yields: usize,
  volatilities: usize,
  scratch: usize,
  bytes: usize,
): bool {
  const zero = constant<T>(table + 32);
  let ordinary = lessOrEqual<T>(zero, zero);
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    const spot = load<T>(spots + at);
    const strike = load<T>(strikes + at);
    const time = load<T>(times + at);
    const volatility = load<T>(volatilities + at);
    const rateTime = mul<T>(load<T>(rates + at), time);
    const yieldTime = mul<T>(load<T>(yields + at), time);
    ordinary = and<T>(ordinary, isOrdinary<T>(spot, strike, time, volatility, rateTime, yieldTime));
    const rootTime = sqrt<T>(time);
    const v = mul<T>(volatility, rootTime);
    const inverseSpotV = div<T>(constant<T>(table), mul<T>(spot, v));
    const logForward = add<T>(logRatio<T>(spot, strike), sub<T>(rateTime, yieldTime));
    const h = mul<T>(logForward, mul<T>(spot, inverseSpotV));
    const half = mul<T>(v, constant<T>(table + 16));
    store<T>(cell, add<T>(h, half), d1Column);
    store<T>(cell, sub<T>(h, half), d2Column);
    store<T>(cell, inverseSpotV, inverseSpotVColumn);
    store<T>(cell, rootTime, rootTimeColumn);
  }
  return isAllSet<T>(ordinary);
}

/** Loop 2: D(r), D(q), e^(-d1²/2). */
export function exponentials<T>(times: usize, rates: usize, yields: usize, scratch: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    const time = neg<T>(load<T>(times + at));
    const magnitude = cappedMagnitude<T>(load<T>(cell, d1Column));
    storeThreeExps<T>(
      mul<T>(load<T>(rates + at), time),
      mul<T>(load<T>(yields + at), time),
      halfSquareHigh<T>(magnitude),
      halfSquareLow<T>(magnitude),
      cell + rateDiscountColumn,
      cell + yieldDiscountColumn,
      cell + gaussianColumn,
    );
  }
}

/** Loop 2 where r, q and t are the same for every row, first half: D(r), D(q), once for a whole batch. */
export function discounts<T>(times: usize, rates: usize, yields: usize, scratch: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    const time = neg<T>(load<T>(times + at));
    store<T>(cell, exp<T>(mul<T>(load<T>(rates + at), time)), rateDiscountColumn);
    store<T>(cell, exp<T>(mul<T>(load<T>(yields + at), time)), yieldDiscountColumn);
  }
}

/** Loop 2 where r, q and t are the same for every row, second half: e^(-d1²/2), tile by tile. */
export function gaussians<T>(scratch: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    store<T>(cell, gaussian<T>(cappedMagnitude<T>(load<T>(cell, d1Column))), gaussianColumn);
  }
}

/** Loop 3: R(|d1|), R(|d2|). */
export function ratios<T>(scratch: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    storeTwoMills<T>(
      cappedMagnitude<T>(load<T>(cell, d1Column)),
      cappedMagnitude<T>(load<T>(cell, d2Column)),
      cell + mills1Column,
      cell + mills2Column,
    );
  }
}

/** Loop 4: the requested outputs. Raw values times the request's factor where the unit of an output can change. */
export function outputs<T>(
  spots: usize,
  strikes: usize,
  times: usize,
  rates: usize,
  yields: usize,
  volatilities: usize,
  isCalls: usize,
  scratch: usize,
  bytes: usize,
  request: usize,
  mask: u32,
  prices: usize,
  deltas: usize,
  gammas: usize,
  vegas: usize,
  thetas: usize,
  rhos: usize,
): void {
  const factors = request + factorsOffset;
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    const sign = putSign<T>(isCalls + (at >> 3));
    const spot = load<T>(spots + at);
    const d1 = load<T>(cell, d1Column);
    const d2 = load<T>(cell, d2Column);
    const yieldDiscount = load<T>(cell, yieldDiscountColumn);
    const zero = constant<T>(table + 32);
    // D(q) φ(d1), zero past the cap, and S times it: vega per √t
    const bell = and<T>(load<T>(cell, gaussianColumn), isBelowCap<T>(and<T>(d1, constant<T>(patterns))));
    const density = mul<T>(mul<T>(bell, constant<T>(table + 64)), yieldDiscount);
    const weight = mul<T>(spot, density);
    const tail1 = mul<T>(density, load<T>(cell, mills1Column));
    const tail2 = mul<T>(weight, load<T>(cell, mills2Column));
    const strikePresent = mul<T>(load<T>(strikes + at), load<T>(cell, rateDiscountColumn));
    // D(q) N(±d1) and K D(r) N(±d2)
    const share = select<T>(lessThan<T>(xor<T>(d1, sign), zero), tail1, sub<T>(yieldDiscount, tail1));
    const loan = select<T>(lessThan<T>(xor<T>(d2, sign), zero), tail2, sub<T>(strikePresent, tail2));
    const shareValue = mul<T>(spot, share);
    if (isRequested(mask, outputPrice)) {
      store<T>(prices + at, larger<T>(zero, xor<T>(sub<T>(shareValue, loan), sign)));
    }
    if (isRequested(mask, outputDelta)) store<T>(deltas + at, add<T>(xor<T>(share, sign), zero));
    const inverseSpotV = load<T>(cell, inverseSpotVColumn);
    if (isRequested(mask, outputGamma)) store<T>(gammas + at, mul<T>(density, inverseSpotV));
    if (isRequested(mask, outputVega)) {
      const vega = mul<T>(weight, load<T>(cell, rootTimeColumn));
      store<T>(vegas + at, mul<T>(vega, repeated<T>(factors + (outputVega << 3))));
    }
    if (isRequested(mask, outputTheta)) {
      const volatility = load<T>(volatilities + at);
      const variance = mul<T>(mul<T>(volatility, volatility), constant<T>(table + 16));
      const decay = mul<T>(mul<T>(variance, mul<T>(spot, inverseSpotV)), weight);
      const carry = sub<T>(
        mul<T>(load<T>(yields + at), shareValue),
        mul<T>(load<T>(rates + at), loan),
      );
      // adding zero turns -0 into 0, here as for delta and rho
      const theta = add<T>(sub<T>(xor<T>(carry, sign), decay), zero);
      store<T>(thetas + at, mul<T>(theta, repeated<T>(factors + (outputTheta << 3))));
    }
    if (isRequested(mask, outputRho)) {
      const rho = add<T>(xor<T>(mul<T>(load<T>(times + at), loan), sign), zero);
      store<T>(rhos + at, mul<T>(rho, repeated<T>(factors + (outputRho << 3))));
    }
  }
}
