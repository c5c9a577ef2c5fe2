// Black–Scholes–Merton's further outputs: the other derivatives in spot, volatility, time, strike and yield, and lambda. Separate
// from black.ts because most calls want none of them: then this loop is not entered. Letters as there; A = d1 d2, b = (r - q)/v,
// W = S D(q) φ(d1) = K D(r) φ(d2). Each is the closed form's own derivative (Haug, The Complete Guide to Option Pricing Formulas,
// 2007, chapter 2; time derivatives with the sign of calendar time):
//   dividend_rho  -(±)T S D(q) N(±d1)         vanna  -D(q) φ(d1) d2/σ          volga  vega A/σ
//   charm  ±q D(q) N(±d1) - D(q) φ(d1) (b - d2/2T)        veta  vega (q + b d1 - (1 + A)/2T)
//   speed  -gamma (d1/v + 1)/S                zomma  gamma (A - 1)/σ           color  gamma (q + b d1 + (1 - A)/2T)
//   ultima  vega (A (A - 3) - v²)/σ²          dual_delta  -(±)D(r) N(±d2)      dual_gamma  W/(K² v)      lambda  U delta/V
// Where the density is cut to zero d1 and d2 are taken as zero as well, so that nothing multiplies it by infinity.
// No row may leave here infinite unnoticed: rows outside the domain of isModerate are looked at one by one (batch/black.ts).
import {
  factorsOffset,
  isRequested,
  nullBits,
  outputAddress,
  outputCharm,
  outputColor,
  outputDividendRho,
  outputDualDelta,
  outputDualGamma,
  outputLambda,
  outputSpeed,
  outputUltima,
  outputVanna,
  outputVeta,
  outputVolga,
  outputZomma,
} from "../abi/layout";
import {
  add,
  and,
  constant,
  div,
  lessThan,
  mul,
  mulAdd,
  repeated,
  select,
  splat,
  sub,
} from "../lane/lane";
import { isBelowCap } from "../math/normal";
import {
  d1Column,
  d2Column,
  densityColumn,
  inverseVColumn,
  priceColumn,
  rootTimeColumn,
  signedLoanColumn,
  signedShareColumn,
} from "./black";

const table: usize = memory.data<f64>(
  [
    1.0, 1.0, // 0
    0.5, 0.5, // 16
    0.0, 0.0, // 32
    3.0, 3.0, // 48
  ],
  16,
);
const patterns: usize = memory.data<u64>(
  [
    0x7fffffffffffffff, 0x7fffffffffffffff, // 0: everything but the sign
  ],
  16,
);

/** Bits of the outputs computed here. */
export const furtherOutputs: u32 =
  (1 << <u32>outputDividendRho) |
  (1 << <u32>outputVanna) |
  (1 << <u32>outputVolga) |
  (1 << <u32>outputCharm) |
  (1 << <u32>outputVeta) |
  (1 << <u32>outputSpeed) |
  (1 << <u32>outputZomma) |
  (1 << <u32>outputColor) |
  (1 << <u32>outputUltima) |
  (1 << <u32>outputDualDelta) |
  (1 << <u32>outputDualGamma) |
  (1 << <u32>outputLambda);

/** Stores an output of the rows at `row`, in the request's units; adding zero turns -0 into 0. */
// @ts-ignore: decorator
@inline
function put<T>(request: usize, output: usize, row: usize, value: T): void {
  const factor = repeated<T>(request + factorsOffset + (output << 3));
  store<T>(outputAddress(request, output) + row, add<T>(mul<T>(value, factor), constant<T>(table + 32)));
}

/** The same for the negative of a value. */
// @ts-ignore: decorator
@inline
function putNegative<T>(request: usize, output: usize, row: usize, value: T): void {
  const factor = repeated<T>(request + factorsOffset + (output << 3));
  store<T>(outputAddress(request, output) + row, sub<T>(constant<T>(table + 32), mul<T>(value, factor)));
}

/**
 * Loop 5: the requested outputs among furtherOutputs. `first` is eight times the tile's first row; needs the intermediates of
 * loops 1 to 4.
 */
export function furtherOutputsOf<T>(
  spots: usize,
  strikes: usize,
  times: usize,
  rates: usize,
  yields: usize,
  underlyings: usize,
  scratch: usize,
  bytes: usize,
  request: usize,
  mask: u32,
  first: usize,
): void {
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    const row = first + at;
    const one = constant<T>(table);
    const zero = constant<T>(table + 32);
    const spot = load<T>(spots + at);
    const time = load<T>(times + at);
    const dividendYield = load<T>(yields + at);
    const inverseV = load<T>(cell, inverseVColumn);
    const rootTime = load<T>(cell, rootTimeColumn);
    const density = load<T>(cell, densityColumn);
    const share = load<T>(cell, signedShareColumn);
    const isDense = isBelowCap<T>(and<T>(load<T>(cell, d1Column), constant<T>(patterns)));
    const d1 = and<T>(load<T>(cell, d1Column), isDense);
    const d2 = and<T>(load<T>(cell, d2Column), isDense);
    const product = mul<T>(d1, d2);
    const inverseVolatility = mul<T>(rootTime, inverseV);
    const halfInverseTime = div<T>(constant<T>(table + 16), time);
    const carry = mul<T>(sub<T>(load<T>(rates + at), dividendYield), inverseV);
    const weight = mul<T>(spot, density);
    const vega = mul<T>(weight, rootTime);
    const inverseSpot = div<T>(one, spot);
    const gamma = mul<T>(mul<T>(density, inverseV), inverseSpot);
    // q + b d1, which veta and color share
    const drift = mulAdd<T>(carry, d1, dividendYield);
    if (isRequested(mask, outputDividendRho)) {
      putNegative<T>(request, outputDividendRho, row, mul<T>(time, mul<T>(spot, share)));
    }
    if (isRequested(mask, outputVanna)) {
      putNegative<T>(request, outputVanna, row, mul<T>(mul<T>(density, d2), inverseVolatility));
    }
    if (isRequested(mask, outputVolga)) {
      put<T>(request, outputVolga, row, mul<T>(mul<T>(vega, product), inverseVolatility));
    }
    if (isRequested(mask, outputCharm)) {
      const slide = sub<T>(carry, mul<T>(d2, halfInverseTime));
      put<T>(request, outputCharm, row, sub<T>(mul<T>(dividendYield, share), mul<T>(density, slide)));
    }
    if (isRequested(mask, outputVeta)) {
      const decay = mul<T>(add<T>(one, product), halfInverseTime);
      put<T>(request, outputVeta, row, mul<T>(vega, sub<T>(drift, decay)));
    }
    if (isRequested(mask, outputSpeed)) {
      const bend = mulAdd<T>(d1, inverseV, one);
      putNegative<T>(request, outputSpeed, row, mul<T>(mul<T>(gamma, inverseSpot), bend));
    }
    if (isRequested(mask, outputZomma)) {
      put<T>(request, outputZomma, row, mul<T>(mul<T>(gamma, sub<T>(product, one)), inverseVolatility));
    }
    if (isRequested(mask, outputColor)) {
      const decay = mul<T>(sub<T>(one, product), halfInverseTime);
      put<T>(request, outputColor, row, mul<T>(gamma, add<T>(drift, decay)));
    }
    if (isRequested(mask, outputUltima)) {
      // A (A - 1) - d1² - d2² with d1² + d2² = 2A + v²
      const v = sub<T>(d1, d2);
      const bend = sub<T>(mul<T>(product, sub<T>(product, constant<T>(table + 48))), mul<T>(v, v));
      put<T>(request, outputUltima, row, mul<T>(mul<T>(vega, bend), mul<T>(inverseVolatility, inverseVolatility)));
    }
    if (isRequested(mask, outputDualDelta) || isRequested(mask, outputDualGamma)) {
      const inverseStrike = div<T>(one, load<T>(strikes + at));
      const present = mul<T>(load<T>(cell, signedLoanColumn), inverseStrike);
      if (isRequested(mask, outputDualDelta)) putNegative<T>(request, outputDualDelta, row, present);
      const bell = mul<T>(mul<T>(weight, inverseStrike), mul<T>(inverseV, inverseStrike));
      if (isRequested(mask, outputDualGamma)) put<T>(request, outputDualGamma, row, bell);
    }
    if (isRequested(mask, outputLambda)) {
      const price = load<T>(cell, priceColumn);
      const elasticity = div<T>(mul<T>(load<T>(underlyings + at), share), price);
      const none = splat<T>(f64.reinterpret_i64(nullBits));
      const factor = repeated<T>(request + factorsOffset + (outputLambda << 3));
      const value = add<T>(mul<T>(elasticity, factor), zero);
      store<T>(outputAddress(request, outputLambda) + row, select<T>(lessThan<T>(zero, price), value, none));
    }
  }
}
