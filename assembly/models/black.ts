// Black–Scholes–Merton: price and first Greeks of European options on an asset with a continuous yield.
// Source: Black & Scholes 1973, Merton 1973 (eq. for a dividend yield). Letters: S spot, K strike, t time to expiry in years,
// r rate, q dividend yield (continuous, per year), σ volatility per √year, v = σ√t, h = (ln(S/K) + (r - q)t)/v, d1 = h + v/2,
// d2 = h - v/2, φ and N the normal density and law, R(x) = N(-x)/φ(x) the Mills ratio, D(r) = e^(-rt).
// A tile of options passes through four small loops (moneyness, exponentials, Mills ratios, outputs) over intermediates that
// stay in the first-level cache; T is f64 or v128, the same source and so the same bits. Two identities carry the accuracy:
// S D(q) φ(d1) = K D(r) φ(d2), so one exponential serves both tails, and N(-x) = φ(x) R(x), so no tail is a difference from 1.
// Domain (isOrdinary): S, K, t, σ in [2^-200, 2^200), |rt| + |qt| <= 256: there the price and the first Greeks cannot overflow.
// Other rows hold garbage afterwards and must be overwritten (black-limits.ts); rows that are not isModerate must be looked at.
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
  areHighWordsBelow,
  constant,
  div,
  gatherHighWords,
  gatherLargest,
  larger,
  lessOrEqual,
  lessThan,
  mul,
  putSign,
  repeated,
  select,
  smaller,
  sqrt,
  sub,
  xor,
} from "../lane/lane";
import { exp2, storeThreeExp2s } from "../math/exp2";
import { binadesBetween, fractionOf, leadingPart, trailingPart } from "../math/log-ratio";
import { storeTwoMillsWeighted } from "../math/mills-weighted";
import { shiftCarryColumn } from "./displacement";

const table: usize = memory.data<f64>(
  [
    1.0, 1.0, // 0
    0.5, 0.5, // 16
    0.0, 0.0, // 32
    0.3989422804014327, 0.3989422804014327, // 48: 1/√(2π)
    -0.7213475204444817, -0.7213475204444817, // 64: -1/(2 ln 2)
    -1.4426950408889634, -1.4426950408889634, // 80: -1/ln 2
  ],
  16,
);
const bounds: usize = memory.data<f64>(
  [
    256.0, 256.0, // 0: largest |rt| + |qt|
    6.223015277861142e-61, 6.223015277861142e-61, // 16: 2^-200
    1.6069380442589903e60, 1.6069380442589903e60, // 32: 2^200
    -1023.0, -1023.0, // 48: where exp2 gives zero
    37.5, 37.5, // 64: as far as the Mills ratio is asked for
  ],
  16,
);
const patterns: usize = memory.data<u64>(
  [
    0x7fffffffffffffff, 0x7fffffffffffffff, // 0: everything but the sign
    0x3bf0000000000000, 0x3bf0000000000000, // 16: 2^-64
  ],
  16,
);

// Columns of intermediates, as offsets from a row's place in the scratch.
export const d1Column: usize = inputsMax * tileBytes;
export const d2Column: usize = d1Column + tileBytes;
export const inverseVColumn: usize = d2Column + tileBytes;
export const rootTimeColumn: usize = inverseVColumn + tileBytes;
const rateDiscountColumn: usize = rootTimeColumn + tileBytes;
const yieldDiscountColumn: usize = rateDiscountColumn + tileBytes;
const gaussianColumn: usize = yieldDiscountColumn + tileBytes;
const mills1Column: usize = gaussianColumn + tileBytes;
const mills2Column: usize = mills1Column + tileBytes;
// what black-further.ts goes on with: D(q) φ(d1), ±D(q) N(±d1), ±K D(r) N(±d2), V
export const densityColumn: usize = mills2Column + tileBytes;
export const signedShareColumn: usize = densityColumn + tileBytes;
export const signedLoanColumn: usize = signedShareColumn + tileBytes;
export const priceColumn: usize = signedLoanColumn + tileBytes;
export const gammaColumn: usize = priceColumn + tileBytes;
// what a call and a put at one strike share: D(q) - D(q) φ R(|d1|), K D(r) less its tail, vega in its unit, theta's decay
const complement1Column: usize = gammaColumn + tileBytes;
const complement2Column: usize = complement1Column + tileBytes;
const vegaColumn: usize = complement2Column + 2 * tileBytes; // one column further are the limits of single rows
const decayColumn: usize = vegaColumn + tileBytes;

/**
 * Mask of the rows the formulas are good for. The order of the arguments of smaller and larger is what refuses a NaN: each keeps
 * a NaN in its first place, and every input stands first in one of them or in the sum.
 */
// @ts-ignore: decorator
@inline
export function isOrdinary<T>(spot: T, strike: T, time: T, volatility: T, rateTime: T, yieldTime: T): T {
  const signless = constant<T>(patterns);
  const lowest = constant<T>(bounds + 16);
  const exponents = add<T>(and<T>(rateTime, signless), and<T>(yieldTime, signless));
  return and<T>(
    and<T>(lessOrEqual<T>(lowest, smaller<T>(spot, strike)), lessOrEqual<T>(lowest, smaller<T>(volatility, time))),
    and<T>(
      lessThan<T>(larger<T>(larger<T>(strike, spot), larger<T>(time, volatility)), constant<T>(bounds + 32)),
      lessOrEqual<T>(exponents, constant<T>(bounds)),
    ),
  );
}

/** Bits of the outputs that loop 4 computes. */
const firstOutputs: u32 =
  (1 << <u32>outputPrice) |
  (1 << <u32>outputDelta) |
  (1 << <u32>outputGamma) |
  (1 << <u32>outputVega) |
  (1 << <u32>outputTheta) |
  (1 << <u32>outputRho);

/** What joins ln(S/K): (r - q)t, nothing, or what a displacement's low words add. */
export const carryOfRates: i32 = 0;
export const carryNone: i32 = 1;
export const carryOfShift: i32 = 2;

/**
 * Loop 1: d1, d2, 1/v, √t. Addresses are those of the first row's inputs; `bytes` is eight times the rows. True where every
 * row is moderate.
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
  carry: i32,
): bool {
  switch (carry) {
    case carryOfRates:
      return moneynessWith<T>(spots, strikes, times, rates, yields, volatilities, scratch, bytes, carryOfRates);
    case carryNone:
      return moneynessWith<T>(spots, strikes, times, rates, yields, volatilities, scratch, bytes, carryNone);
    default:
      return moneynessWith<T>(spots, strikes, times, rates, yields, volatilities, scratch, bytes, carryOfShift);
  }
}

// @ts-ignore: decorator
@inline
function moneynessWith<T>(
  spots: usize,
  strikes: usize,
  times: usize,
  rates: usize,
  yields: usize,
  volatilities: usize,
  scratch: usize,
  bytes: usize,
  carry: i32,
): bool {
  const zero = constant<T>(table + 32);
  const lowest = constant<T>(patterns + 16);
  const signless = constant<T>(patterns);
  let gathered = zero;
  let exponents = zero;
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    const spot = load<T>(spots + at);
    const strike = load<T>(strikes + at);
    const time = load<T>(times + at);
    const volatility = load<T>(volatilities + at);
    const rateTime = mul<T>(load<T>(rates + at), time);
    let yieldTime = zero;
    if (carry == carryOfRates) yieldTime = mul<T>(load<T>(yields + at), time);
    gathered = gatherHighWords<T>(gathered, spot, lowest);
    gathered = gatherHighWords<T>(gathered, strike, lowest);
    gathered = gatherHighWords<T>(gathered, time, lowest);
    gathered = gatherHighWords<T>(gathered, volatility, lowest);
    exponents = gatherLargest<T>(exponents, add<T>(and<T>(rateTime, signless), and<T>(yieldTime, signless)));
    const rootTime = sqrt<T>(time);
    const v = mul<T>(volatility, rootTime);
    const inverseV = div<T>(constant<T>(table), v);
    // ln(forward/strike) stays in two parts until v²/2 has been taken off the leading one: where d2 is near zero that difference is
    // exact. d1 follows by adding v: an error of the moneyness must be the same in both, else φ(d1) and φ(d2) disagree.
    const binades = binadesBetween<T>(spot, strike);
    const f = fractionOf<T>(spot, strike, binades);
    const leading = leadingPart<T>(f, binades);
    let trailing = trailingPart<T>(f, binades);
    if (carry == carryOfRates) trailing = add<T>(trailing, sub<T>(rateTime, yieldTime));
    if (carry == carryOfShift) trailing = add<T>(trailing, load<T>(cell, shiftCarryColumn));
    const half = mul<T>(mul<T>(v, v), constant<T>(table + 16));
    const d2 = mul<T>(add<T>(sub<T>(leading, half), trailing), inverseV);
    store<T>(cell, add<T>(d2, v), d1Column);
    store<T>(cell, d2, d2Column);
    store<T>(cell, inverseV, inverseVColumn);
    store<T>(cell, rootTime, rootTimeColumn);
  }
  // 2^-64 and 128 binades above; below 256
  return areHighWordsBelow<T>(gathered, 128 << 20) && areHighWordsBelow<T>(exponents, 0x40700000);
}

/**
 * -d²/2 in units of ln 2; from |d| = 37.65 on its power is zero. Two roundings are good enough: φ(d1) is off by d1² times d1's own
 * relative error in any case, three times as much.
 */
// @ts-ignore: decorator
@inline
function halfSquare<T>(d: T): T {
  return larger<T>(mul<T>(mul<T>(d, d), constant<T>(table + 64)), constant<T>(bounds + 48));
}

/** The exponent of a discount factor in units of ln 2. */
// @ts-ignore: decorator
@inline
function discountExponent<T>(rate: T, time: T): T {
  return mul<T>(mul<T>(rate, constant<T>(table + 80)), time);
}

/** Loop 2: D(r), D(q), e^(-d1²/2). */
export function exponentials<T>(times: usize, rates: usize, yields: usize, scratch: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    const time = load<T>(times + at);
    storeThreeExp2s<T>(
      discountExponent<T>(load<T>(rates + at), time),
      discountExponent<T>(load<T>(yields + at), time),
      halfSquare<T>(load<T>(cell, d1Column)),
      cell + rateDiscountColumn,
      cell + yieldDiscountColumn,
      cell + gaussianColumn,
    );
  }
}

/** Loop 2 where r, q and t are the same for every row, first half: D(r), D(q), once and for all rows of a tile. */
export function spreadDiscounts(time: f64, rate: f64, dividendYield: f64, scratch: usize, bytes: usize): void {
  const rateDiscount = f64x2.splat(exp2<f64>(discountExponent<f64>(rate, time)));
  const yieldDiscount = f64x2.splat(exp2<f64>(discountExponent<f64>(dividendYield, time)));
  for (let at: usize = 0; at < bytes; at += 16) {
    v128.store(scratch + at, rateDiscount, rateDiscountColumn);
    v128.store(scratch + at, yieldDiscount, yieldDiscountColumn);
  }
}

/** Loop 2 where r, q and t are the same for every row, second half: e^(-d1²/2), tile by tile. */
export function gaussians<T>(scratch: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    store<T>(cell, exp2<T>(halfSquare<T>(load<T>(cell, d1Column))), gaussianColumn);
  }
}

/** Loop 3: R(|d1|), R(|d2|). */
export function ratios<T>(scratch: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    const signless = constant<T>(patterns);
    const cap = constant<T>(bounds + 64);
    storeTwoMillsWeighted<T>(
      smaller<T>(and<T>(load<T>(cell, d1Column), signless), cap),
      smaller<T>(and<T>(load<T>(cell, d2Column), signless), cap),
      cell + mills1Column,
      cell + mills2Column,
    );
  }
}

/**
 * Loop 4 where rows are paired, first half: what a call and a put at one strike have in common, two strikes at a time. Tails take the
 * place of their Mills ratios.
 */
export function sharedParts(
  spots: usize,
  strikes: usize,
  volatilities: usize,
  scratch: usize,
  bytes: usize,
  request: usize,
): void {
  const vegaUnit = repeated<v128>(request + factorsOffset + (outputVega << 3));
  for (let at: usize = 0; at < bytes; at += 16) {
    const cell = scratch + at;
    const spot = v128.load(spots + at);
    const inverseV = v128.load(cell, inverseVColumn);
    const yieldDiscount = v128.load(cell, yieldDiscountColumn);
    const density = densityOf<v128>(cell, yieldDiscount);
    const weight = f64x2.mul(spot, density);
    const tail1 = f64x2.mul(density, v128.load(cell, mills1Column));
    const tail2 = f64x2.mul(weight, v128.load(cell, mills2Column));
    const strikePresent = f64x2.mul(v128.load(strikes + at), v128.load(cell, rateDiscountColumn));
    v128.store(cell, density, densityColumn);
    v128.store(cell, tail1, mills1Column);
    v128.store(cell, tail2, mills2Column);
    v128.store(cell, f64x2.sub(yieldDiscount, tail1), complement1Column);
    v128.store(cell, f64x2.sub(strikePresent, tail2), complement2Column);
    v128.store(cell, gammaOf<v128>(density, inverseV, spot), gammaColumn);
    v128.store(cell, f64x2.mul(f64x2.mul(weight, v128.load(cell, rootTimeColumn)), vegaUnit), vegaColumn);
    v128.store(cell, decayOf<v128>(v128.load(volatilities + at), inverseV, weight), decayColumn);
  }
}

/** D(q) φ(d1). */
// @ts-ignore: decorator
@inline
function densityOf<T>(cell: usize, yieldDiscount: T): T {
  return mul<T>(mul<T>(load<T>(cell, gaussianColumn), constant<T>(table + 48)), yieldDiscount);
}

// @ts-ignore: decorator
@inline
function gammaOf<T>(density: T, inverseV: T, spot: T): T {
  return div<T>(mul<T>(density, inverseV), spot);
}

/** S D(q) φ(d1) σ/(2√T): what theta loses whatever the type. */
// @ts-ignore: decorator
@inline
function decayOf<T>(volatility: T, inverseV: T, weight: T): T {
  const variance = mul<T>(mul<T>(volatility, volatility), constant<T>(table + 16));
  return mul<T>(mul<T>(variance, inverseV), weight);
}

/**
 * Loop 4: the requested outputs among the first six, and where told so what loop 5 needs. Raw values times the request's factor
 * where the unit of an output can change. What most calls want, all six of a model over a spot, has a loop without questions.
 */
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
  isForward: bool,
  keepsParts: bool,
  isPaired: bool,
  prices: usize,
  deltas: usize,
  gammas: usize,
  vegas: usize,
  thetas: usize,
  rhos: usize,
): void {
  if (isVector<T>() && isPaired) {
    pairedOutputs(
      spots,
      strikes,
      times,
      rates,
      yields,
      volatilities,
      isCalls,
      scratch,
      bytes,
      request,
      mask,
      isForward,
      keepsParts,
      prices,
      deltas,
      gammas,
      vegas,
      thetas,
      rhos,
    );
  } else if ((mask & firstOutputs) != firstOutputs || isForward) {
    outputsWith<T>(
      spots,
      strikes,
      times,
      rates,
      yields,
      volatilities,
      isCalls,
      scratch,
      bytes,
      request,
      mask,
      isForward,
      keepsParts,
      false,
      prices,
      deltas,
      gammas,
      vegas,
      thetas,
      rhos,
    );
  } else if (keepsParts) {
    outputsWith<T>(
      spots,
      strikes,
      times,
      rates,
      yields,
      volatilities,
      isCalls,
      scratch,
      bytes,
      request,
      firstOutputs,
      false,
      true,
      false,
      prices,
      deltas,
      gammas,
      vegas,
      thetas,
      rhos,
    );
  } else {
    outputsWith<T>(
      spots,
      strikes,
      times,
      rates,
      yields,
      volatilities,
      isCalls,
      scratch,
      bytes,
      request,
      firstOutputs,
      false,
      false,
      false,
      prices,
      deltas,
      gammas,
      vegas,
      thetas,
      rhos,
    );
  }
}

/** Loop 4 where rows are paired, second half: as outputs, after sharedParts. Inputs are still those of every row. */
function pairedOutputs(
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
  isForward: bool,
  keepsParts: bool,
  prices: usize,
  deltas: usize,
  gammas: usize,
  vegas: usize,
  thetas: usize,
  rhos: usize,
): void {
  if ((mask & firstOutputs) != firstOutputs || isForward || keepsParts) {
    outputsWith<v128>(
      spots,
      strikes,
      times,
      rates,
      yields,
      volatilities,
      isCalls,
      scratch,
      bytes,
      request,
      mask,
      isForward,
      keepsParts,
      true,
      prices,
      deltas,
      gammas,
      vegas,
      thetas,
      rhos,
    );
  } else {
    outputsWith<v128>(
      spots,
      strikes,
      times,
      rates,
      yields,
      volatilities,
      isCalls,
      scratch,
      bytes,
      request,
      firstOutputs,
      false,
      false,
      true,
      prices,
      deltas,
      gammas,
      vegas,
      thetas,
      rhos,
    );
  }
}

// @ts-ignore: decorator
@inline
function outputsWith<T>(
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
  isForward: bool,
  keepsParts: bool,
  isPaired: bool,
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
    const zero = constant<T>(table + 32);
    const sign = putSign<T>(isCalls + (at >> 3));
    const spot = load<T>(spots + at);
    let isTail1 = zero;
    let isTail2 = zero;
    let density = zero;
    let weight = zero;
    let tail1 = zero;
    let tail2 = zero;
    let complement1 = zero;
    let complement2 = zero;
    // both are known to the compiler, which leaves one branch
    if (isVector<T>() && isPaired) {
      const shared = scratch + (at >> 1);
      isTail1 = f64x2.lt(v128.xor(f64x2.splat(load<f64>(shared, d1Column)), sign), zero);
      isTail2 = f64x2.lt(v128.xor(f64x2.splat(load<f64>(shared, d2Column)), sign), zero);
      tail1 = f64x2.splat(load<f64>(shared, mills1Column));
      tail2 = f64x2.splat(load<f64>(shared, mills2Column));
      complement1 = f64x2.splat(load<f64>(shared, complement1Column));
      complement2 = f64x2.splat(load<f64>(shared, complement2Column));
    } else {
      isTail1 = lessThan<T>(xor<T>(load<T>(cell, d1Column), sign), zero);
      isTail2 = lessThan<T>(xor<T>(load<T>(cell, d2Column), sign), zero);
      const yieldDiscount = load<T>(cell, yieldDiscountColumn);
      // D(q) φ(d1), and S times it: vega per √t
      density = densityOf<T>(cell, yieldDiscount);
      weight = mul<T>(spot, density);
      tail1 = mul<T>(density, load<T>(cell, mills1Column));
      tail2 = mul<T>(weight, load<T>(cell, mills2Column));
      complement1 = sub<T>(yieldDiscount, tail1);
      complement2 = sub<T>(mul<T>(load<T>(strikes + at), load<T>(cell, rateDiscountColumn)), tail2);
    }
    // D(q) N(±d1) and K D(r) N(±d2)
    const share = select<T>(isTail1, tail1, complement1);
    const loan = select<T>(isTail2, tail2, complement2);
    const shareValue = mul<T>(spot, share);
    const price = larger<T>(zero, xor<T>(sub<T>(shareValue, loan), sign));
    if (isRequested(mask, outputPrice)) store<T>(prices + at, price);
    if (keepsParts) {
      if (!isPaired) store<T>(cell, density, densityColumn);
      store<T>(cell, xor<T>(share, sign), signedShareColumn);
      store<T>(cell, xor<T>(loan, sign), signedLoanColumn);
      store<T>(cell, price, priceColumn);
    }
    if (isRequested(mask, outputDelta)) store<T>(deltas + at, add<T>(xor<T>(share, sign), zero));
    const inverseV = load<T>(cell, inverseVColumn);
    if (isVector<T>() && isPaired) {
      const shared = scratch + (at >> 1);
      if (isRequested(mask, outputGamma)) v128.store(gammas + at, f64x2.splat(load<f64>(shared, gammaColumn)));
    } else if (isRequested(mask, outputGamma) || keepsParts) {
      const gamma = gammaOf<T>(density, inverseV, spot);
      if (isRequested(mask, outputGamma)) store<T>(gammas + at, gamma);
      if (keepsParts) store<T>(cell, gamma, gammaColumn);
    }
    if (isRequested(mask, outputVega)) {
      if (isVector<T>() && isPaired) {
        v128.store(vegas + at, f64x2.splat(load<f64>(scratch + (at >> 1), vegaColumn)));
      } else {
        const vega = mul<T>(weight, load<T>(cell, rootTimeColumn));
        store<T>(vegas + at, mul<T>(vega, repeated<T>(factors + (outputVega << 3))));
      }
    }
    if (isRequested(mask, outputTheta)) {
      let decay = zero;
      if (isVector<T>() && isPaired) decay = f64x2.splat(load<f64>(scratch + (at >> 1), decayColumn));
      else decay = decayOf<T>(load<T>(volatilities + at), inverseV, weight);
      const carry = sub<T>(
        mul<T>(load<T>(yields + at), shareValue),
        mul<T>(load<T>(rates + at), loan),
      );
      // adding zero turns -0 into 0, here as for delta and rho
      const theta = add<T>(sub<T>(xor<T>(carry, sign), decay), zero);
      store<T>(thetas + at, mul<T>(theta, repeated<T>(factors + (outputTheta << 3))));
    }
    if (isRequested(mask, outputRho)) {
      const time = load<T>(times + at);
      // a forward's rate discounts and nothing else: -T V
      const rho = isForward ? sub<T>(zero, mul<T>(time, price)) : add<T>(xor<T>(mul<T>(time, loan), sign), zero);
      store<T>(rhos + at, mul<T>(rho, repeated<T>(factors + (outputRho << 3))));
    }
  }
}
