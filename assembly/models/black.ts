// Black–Scholes–Merton: price and first Greeks of European options on an asset with a continuous yield.
// Source: Black & Scholes 1973, Merton 1973 (eq. for a dividend yield). Letters: S spot, K strike, t time to expiry in years,
// r rate, q dividend yield (continuous, per year), σ volatility per √year, v = σ√t, h = (ln(S/K) + (r - q)t)/v, d1 = h + v/2,
// d2 = h - v/2, φ and N the normal density and law, R(x) = N(-x)/φ(x) the Mills ratio, D(r) = e^(-rt).
// A tile of options passes through four small loops (moneyness, exponentials, Mills ratios, outputs) over intermediates that
// stay in the first-level cache; T is f64 or v128, the same source and so the same bits. Two identities carry the accuracy:
// S D(q) φ(d1) = K D(r) φ(d2), so one exponential serves both tails, and N(-x) = φ(x) R(x), so no tail is a difference from 1.
// Domain (isOrdinary): S, K, t, σ in [2^-200, 2^200), |rt|, |qt| <= 256: there nothing overflows. Other rows hold garbage
// afterwards and must be overwritten (black-limits.ts).
// Error on 600 cases at 60 digits: see docs/numerics/black-scholes-merton.md, held by tests/golden.
import {
  intermediate,
  isRequested,
  factorsOffset,
  outputDelta,
  outputGamma,
  outputPrice,
  outputRho,
  outputTheta,
  outputVega,
} from "../abi/layout";
import {
  abs,
  add,
  and,
  constant,
  div,
  isAllSet,
  isWithinBinades,
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
import { exp } from "../math/exp";
import { logRatio } from "../math/log-ratio";
import { mills } from "../math/mills";
import { cappedMagnitude, gaussian } from "../math/normal";

const table: usize = memory.data<f64>(
  [
    1.0, 1.0, // 0
    0.5, 0.5, // 16
    0.0, 0.0, // 32
    256.0, 256.0, // 48: largest |rate·time|
    0.3989422804014327, 0.3989422804014327, // 64: 1/√(2π)
  ],
  16,
);

/** High word of 2^-200 and the width of the domain in binades. */
const lowestHigh: i32 = (1023 - 200) << 20;
const binades: i32 = 400;

/** Mask of the rows the formulas are good for. */
// @ts-ignore: decorator
@inline
export function isOrdinary<T>(spot: T, strike: T, time: T, volatility: T, rateTime: T, yieldTime: T): T {
  const limit = constant<T>(table + 48);
  return and<T>(
    and<T>(
      isWithinBinades<T>(spot, strike, lowestHigh, binades),
      isWithinBinades<T>(time, volatility, lowestHigh, binades),
    ),
    and<T>(lessOrEqual<T>(abs<T>(rateTime), limit), lessOrEqual<T>(abs<T>(yieldTime), limit)),
  );
}

/**
 * Loop 1 and 2: d1, d2, 1/(S v), √t, then D(r), D(q), e^(-d1²/2). Addresses are those of the first row's inputs; `bytes` is
 * eight times the rows. True where every row is ordinary.
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
  let ordinary = constant<T>(table + 32);
  ordinary = lessOrEqual<T>(ordinary, ordinary);
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const spot = load<T>(spots + at);
    const strike = load<T>(strikes + at);
    const time = load<T>(times + at);
    const rate = load<T>(rates + at);
    const dividendYield = load<T>(yields + at);
    const volatility = load<T>(volatilities + at);
    ordinary = and<T>(
      ordinary,
      isOrdinary<T>(spot, strike, time, volatility, mul<T>(rate, time), mul<T>(dividendYield, time)),
    );
    const rootTime = sqrt<T>(time);
    const v = mul<T>(volatility, rootTime);
    const inverseSpotV = div<T>(constant<T>(table), mul<T>(spot, v));
    const drift = mul<T>(sub<T>(rate, dividendYield), time);
    const h = mul<T>(add<T>(logRatio<T>(spot, strike), drift), mul<T>(spot, inverseSpotV));
    const half = mul<T>(v, constant<T>(table + 16));
    store<T>(intermediate(scratch, 0) + at, add<T>(h, half));
    store<T>(intermediate(scratch, 1) + at, sub<T>(h, half));
    store<T>(intermediate(scratch, 2) + at, inverseSpotV);
    store<T>(intermediate(scratch, 3) + at, rootTime);
  }
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const time = neg<T>(load<T>(times + at));
    store<T>(intermediate(scratch, 4) + at, exp<T>(mul<T>(load<T>(rates + at), time)));
    store<T>(intermediate(scratch, 5) + at, exp<T>(mul<T>(load<T>(yields + at), time)));
    store<T>(
      intermediate(scratch, 6) + at,
      gaussian<T>(cappedMagnitude<T>(load<T>(intermediate(scratch, 0) + at))),
    );
  }
  return isAllSet<T>(ordinary);
}

/** Loop 3: R(|d1|), R(|d2|). */
export function ratios<T>(scratch: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    store<T>(intermediate(scratch, 7) + at, mills<T>(cappedMagnitude<T>(load<T>(intermediate(scratch, 0) + at))));
    store<T>(intermediate(scratch, 8) + at, mills<T>(cappedMagnitude<T>(load<T>(intermediate(scratch, 1) + at))));
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
    const sign = putSign<T>(isCalls + (at >> 3));
    const spot = load<T>(spots + at);
    const d1 = load<T>(intermediate(scratch, 0) + at);
    const d2 = load<T>(intermediate(scratch, 1) + at);
    const yieldDiscount = load<T>(intermediate(scratch, 5) + at);
    const zero = constant<T>(table + 32);
    // D(q) φ(d1), and S times it: vega per √t
    const density = mul<T>(mul<T>(load<T>(intermediate(scratch, 6) + at), constant<T>(table + 64)), yieldDiscount);
    const weight = mul<T>(spot, density);
    const tail1 = mul<T>(density, load<T>(intermediate(scratch, 7) + at));
    const tail2 = mul<T>(weight, load<T>(intermediate(scratch, 8) + at));
    const strikePresent = mul<T>(load<T>(strikes + at), load<T>(intermediate(scratch, 4) + at));
    // D(q) N(±d1) and K D(r) N(±d2)
    const share = select<T>(lessThan<T>(xor<T>(d1, sign), zero), tail1, sub<T>(yieldDiscount, tail1));
    const loan = select<T>(lessThan<T>(xor<T>(d2, sign), zero), tail2, sub<T>(strikePresent, tail2));
    const shareValue = mul<T>(spot, share);
    if (isRequested(mask, outputPrice)) {
      store<T>(prices + at, larger<T>(zero, xor<T>(sub<T>(shareValue, loan), sign)));
    }
    if (isRequested(mask, outputDelta)) store<T>(deltas + at, add<T>(xor<T>(share, sign), zero));
    const inverseSpotV = load<T>(intermediate(scratch, 2) + at);
    if (isRequested(mask, outputGamma)) store<T>(gammas + at, mul<T>(density, inverseSpotV));
    if (isRequested(mask, outputVega)) {
      const vega = mul<T>(weight, load<T>(intermediate(scratch, 3) + at));
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
      const theta = sub<T>(xor<T>(carry, sign), decay);
      store<T>(thetas + at, mul<T>(theta, repeated<T>(factors + (outputTheta << 3))));
    }
    if (isRequested(mask, outputRho)) {
      const rho = add<T>(xor<T>(mul<T>(load<T>(times + at), loan), sign), zero);
      store<T>(rhos + at, mul<T>(rho, repeated<T>(factors + (outputRho << 3))));
    }
  }
}
