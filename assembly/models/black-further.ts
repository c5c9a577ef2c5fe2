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
  gammaColumn,
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
    3.0, 3.0, // 32
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

/** Where the rows of an output begin, and what turns its raw values into the request's units. */
// @ts-ignore: decorator
@inline
function columnOf(request: usize, output: usize, first: usize): usize {
  return outputAddress(request, output) + first;
}

// @ts-ignore: decorator
@inline
function unitOf<T>(request: usize, output: usize): T {
  return repeated<T>(request + factorsOffset + (output << 3));
}

/** Stores a raw value in its unit; adding zero turns -0 into 0. */
// @ts-ignore: decorator
@inline
function put<T>(cell: usize, value: T, unit: T): void {
  store<T>(cell, add<T>(mul<T>(value, unit), splat<T>(0)));
}

/** The same for the negative of a value. */
// @ts-ignore: decorator
@inline
function putNegative<T>(cell: usize, value: T, unit: T): void {
  store<T>(cell, sub<T>(splat<T>(0), mul<T>(value, unit)));
}

/**
 * Loop 5: the requested outputs among furtherOutputs. `first` is eight times the tile's first row; needs the intermediates of
 * loops 1 to 4. Where all are asked for, of a model over a spot or over a forward, a loop without questions.
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
  isPaired: bool,
): void {
  if (isVector<T>() && isPaired) {
    pairedFurtherOutputsOf(spots, strikes, times, rates, yields, underlyings, scratch, bytes, request, mask, first);
  } else if ((mask & furtherOutputs) == furtherOutputs) {
    furtherWith<T>(
      spots,
      strikes,
      times,
      rates,
      yields,
      underlyings,
      scratch,
      bytes,
      request,
      furtherOutputs,
      first,
      false,
    );
  } else {
    furtherWith<T>(
      spots,
      strikes,
      times,
      rates,
      yields,
      underlyings,
      scratch,
      bytes,
      request,
      mask,
      first,
      false,
    );
  }
}

/** Loop 5 where rows are paired: what loops 1 to 3 and sharedParts left is in the cell that two rows share. */
function pairedFurtherOutputsOf(
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
  if ((mask & furtherOutputs) == furtherOutputs) {
    furtherWith<v128>(
      spots,
      strikes,
      times,
      rates,
      yields,
      underlyings,
      scratch,
      bytes,
      request,
      furtherOutputs,
      first,
      true,
    );
  } else {
    furtherWith<v128>(
      spots,
      strikes,
      times,
      rates,
      yields,
      underlyings,
      scratch,
      bytes,
      request,
      mask,
      first,
      true,
    );
  }
}

// @ts-ignore: decorator
@inline
function furtherWith<T>(
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
  isPaired: bool,
): void {
  const one = constant<T>(table);
  const dividendRhos = columnOf(request, outputDividendRho, first);
  const vannas = columnOf(request, outputVanna, first);
  const volgas = columnOf(request, outputVolga, first);
  const charms = columnOf(request, outputCharm, first);
  const vetas = columnOf(request, outputVeta, first);
  const speeds = columnOf(request, outputSpeed, first);
  const zommas = columnOf(request, outputZomma, first);
  const colors = columnOf(request, outputColor, first);
  const ultimas = columnOf(request, outputUltima, first);
  const dualDeltas = columnOf(request, outputDualDelta, first);
  const dualGammas = columnOf(request, outputDualGamma, first);
  const lambdas = columnOf(request, outputLambda, first);
  const dividendRhoUnit = unitOf<T>(request, outputDividendRho);
  const vannaUnit = unitOf<T>(request, outputVanna);
  const volgaUnit = unitOf<T>(request, outputVolga);
  const charmUnit = unitOf<T>(request, outputCharm);
  const vetaUnit = unitOf<T>(request, outputVeta);
  const zommaUnit = unitOf<T>(request, outputZomma);
  const colorUnit = unitOf<T>(request, outputColor);
  const ultimaUnit = unitOf<T>(request, outputUltima);
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    let d1 = one;
    let d2 = one;
    let inverseV = one;
    let rootTime = one;
    let density = one;
    let gamma = one;
    // both are known to the compiler, which leaves one branch
    if (isVector<T>() && isPaired) {
      const shared = scratch + (at >> 1);
      d1 = f64x2.splat(load<f64>(shared, d1Column));
      d2 = f64x2.splat(load<f64>(shared, d2Column));
      inverseV = f64x2.splat(load<f64>(shared, inverseVColumn));
      rootTime = f64x2.splat(load<f64>(shared, rootTimeColumn));
      density = f64x2.splat(load<f64>(shared, densityColumn));
      gamma = f64x2.splat(load<f64>(shared, gammaColumn));
    } else {
      d1 = load<T>(cell, d1Column);
      d2 = load<T>(cell, d2Column);
      inverseV = load<T>(cell, inverseVColumn);
      rootTime = load<T>(cell, rootTimeColumn);
      density = load<T>(cell, densityColumn);
      gamma = load<T>(cell, gammaColumn);
    }
    // one division for 1/S, 1/K and 1/2T: no exponent leaves the doubles
    const spot = load<T>(spots + at);
    const strike = load<T>(strikes + at);
    const time = load<T>(times + at);
    const spotStrike = mul<T>(spot, strike);
    const halfInverse = div<T>(constant<T>(table + 16), mul<T>(spotStrike, time));
    const twice = add<T>(time, time);
    const halfInverseTime = mul<T>(halfInverse, spotStrike);
    const inverseSpot = mul<T>(halfInverse, mul<T>(strike, twice));
    const inverseStrike = mul<T>(halfInverse, mul<T>(spot, twice));
    const share = load<T>(cell, signedShareColumn);
    if (isRequested(mask, outputDividendRho)) {
      putNegative<T>(dividendRhos + at, mul<T>(time, mul<T>(spot, share)), dividendRhoUnit);
    }
    if (isRequested(mask, outputLambda)) {
      const price = load<T>(cell, priceColumn);
      const elasticity = add<T>(div<T>(mul<T>(load<T>(underlyings + at), share), price), splat<T>(0));
      const none = splat<T>(f64.reinterpret_i64(nullBits));
      store<T>(lambdas + at, select<T>(lessThan<T>(splat<T>(0), price), elasticity, none));
    }
    if (isRequested(mask, outputDualDelta)) {
      store<T>(dualDeltas + at, sub<T>(splat<T>(0), mul<T>(load<T>(cell, signedLoanColumn), inverseStrike)));
    }
    const weight = mul<T>(spot, density);
    if (isRequested(mask, outputDualGamma)) {
      const bell = mul<T>(mul<T>(weight, inverseStrike), mul<T>(inverseV, inverseStrike));
      store<T>(dualGammas + at, bell);
    }
    const isDense = isBelowCap<T>(and<T>(d1, constant<T>(patterns)));
    d1 = and<T>(d1, isDense);
    d2 = and<T>(d2, isDense);
    const dividendYield = load<T>(yields + at);
    const carry = mul<T>(sub<T>(load<T>(rates + at), dividendYield), inverseV);
    if (isRequested(mask, outputCharm)) {
      const slide = sub<T>(carry, mul<T>(d2, halfInverseTime));
      put<T>(charms + at, sub<T>(mul<T>(dividendYield, share), mul<T>(density, slide)), charmUnit);
    }
    // q + b d1, which veta and color share
    const drift = mulAdd<T>(carry, d1, dividendYield);
    const inverseVolatility = mul<T>(rootTime, inverseV);
    if (isRequested(mask, outputVanna)) {
      putNegative<T>(vannas + at, mul<T>(mul<T>(density, d2), inverseVolatility), vannaUnit);
    }
    if (isRequested(mask, outputSpeed)) {
      const bend = mulAdd<T>(d1, inverseV, one);
      store<T>(speeds + at, sub<T>(splat<T>(0), mul<T>(mul<T>(gamma, inverseSpot), bend)));
    }
    const product = mul<T>(d1, d2);
    const excess = sub<T>(product, one);
    if (isRequested(mask, outputZomma)) {
      put<T>(zommas + at, mul<T>(mul<T>(gamma, excess), inverseVolatility), zommaUnit);
    }
    if (isRequested(mask, outputColor)) {
      put<T>(colors + at, mul<T>(gamma, sub<T>(drift, mul<T>(excess, halfInverseTime))), colorUnit);
    }
    const vega = mul<T>(weight, rootTime);
    if (isRequested(mask, outputVeta)) {
      const decay = mul<T>(add<T>(one, product), halfInverseTime);
      put<T>(vetas + at, mul<T>(vega, sub<T>(drift, decay)), vetaUnit);
    }
    const curve = mul<T>(vega, inverseVolatility);
    if (isRequested(mask, outputVolga)) put<T>(volgas + at, mul<T>(curve, product), volgaUnit);
    if (isRequested(mask, outputUltima)) {
      // A (A - 1) - d1² - d2² with d1² + d2² = 2A + v²
      const v = sub<T>(d1, d2);
      const bend = sub<T>(mul<T>(product, sub<T>(product, constant<T>(table + 32))), mul<T>(v, v));
      put<T>(ultimas + at, mul<T>(mul<T>(curve, bend), inverseVolatility), ultimaUnit);
    }
  }
}
