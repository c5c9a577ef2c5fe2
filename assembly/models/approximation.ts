// What the closed approximations of American options share: the European option that each is a premium over, in numbers and in jets, and how the
// derivatives of a value over a strike of 1 become an option's Greeks. Separate from the approximations because none of them knows the others.
// Letters: s spot over strike, x ln s, r rate, q yield, T years, σ volatility, v = σ√T; sign 1 a call, -1 a put. V = K f(s, σ, r, q, T).
import {
  nullBits,
  outputCharm,
  outputColor,
  outputDelta,
  outputDividendRho,
  outputDualDelta,
  outputDualGamma,
  outputEarlyExercisePremium,
  outputExerciseBoundary,
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
} from "../abi/layout";
import {
  coefficient,
  difference,
  exponential,
  fixed,
  inRate,
  inSpot,
  inSpotThrice,
  inSpotTime,
  inSpotTwice,
  inSpotTwiceTime,
  inSpotTwiceVolatility,
  inSpotVolatility,
  inTime,
  inVolatility,
  inVolatilityThrice,
  inVolatilityTime,
  inVolatilityTwice,
  inYield,
  law,
  logarithm,
  product,
  quotient,
  root,
  scaled,
  shifted,
  sum,
  variable,
} from "../math/jet";
import { exp } from "../math/exp";
import { normalLaw } from "../math/normal";

/** What an approximation's price turned out to be: its own formula, the European price, or the payoff of exercising now. */
export const kindFormula: i32 = 0;
export const kindEuropean: i32 = 1;
export const kindExercised: i32 = 2;

// What a price leaves for whoever wants more of the row: unit price, European unit price, logarithm of the boundary over the strike.
export const unitPrice: usize = 0;
export const unitEuropean: usize = 8;
export const logBoundary: usize = 16;

/** Two numbers side by side. */
// @ts-ignore: decorator
@inline
export function pair(first: f64, second: f64): v128 {
  return f64x2.replace_lane(f64x2.splat(first), 1, second);
}

/** The European option over a strike of 1; the discounts are e^(-rT) and e^(-qT). */
// @ts-ignore: decorator
@inline
export function europeanUnit(sign: f64, s: f64, d1: f64, v: f64, rateDiscount: f64, yieldDiscount: f64): f64 {
  const laws = normalLaw<v128>(pair(sign * d1, sign * (d1 - v)));
  return sign * (s * yieldDiscount * f64x2.extract_lane(laws, 0) - rateDiscount * f64x2.extract_lane(laws, 1));
}

/** e^x wherever x is: 0 below where a double ends, and no more than e^708 above. */
// @ts-ignore: decorator
@inline
export function cappedExp(x: f64): f64 {
  return x < -708 ? 0 : exp<f64>(min<f64>(x, 708));
}

/** Stores the price: the formula's, or what it must not be below. Returns the kind. */
export function settle(row: usize, formula: f64, european: f64, payoff: f64, logBoundaryNow: f64): i32 {
  store<f64>(row + unitEuropean, european);
  store<f64>(row + logBoundary, logBoundaryNow);
  let kind = kindFormula;
  let price = formula;
  // a formula that is no number counts as none
  if (!(price > european)) {
    price = european;
    kind = kindEuropean;
  }
  if (payoff >= price) {
    price = payoff;
    kind = kindExercised;
  }
  store<f64>(row + unitPrice, price);
  return kind;
}

/** A row's variables as jets, in this order, 8 bytes each at `row`: s, x, r, q, σ, T, r - q, σ√T, e^(-rT), e^(-qT), σ². */
export const jetSpot: usize = 0;
export const jetLog: usize = 4;
export const jetRate: usize = 8;
export const jetYield: usize = 12;
export const jetVolatility: usize = 16;
export const jetTime: usize = 20;
export const jetCarry: usize = 24;
export const jetDeviation: usize = 28;
export const jetRateDiscount: usize = 32;
export const jetYieldDiscount: usize = 36;
export const jetVariance: usize = 40;
export const jetRootTime: usize = 44;

/** One of a row's variables. */
// @ts-ignore: decorator
@inline
export function jetOf(row: usize, which: usize): usize {
  return <usize>load<u32>(row + which);
}

/**
 * Makes the variables. Mirrored, they are those of the option that a put is a call of: spot and strike, rate and yield change places
 * (Bjerksund and Stensland's transformation), and the value is in units of the spot.
 */
export function makeVariables(row: usize, isMirrored: bool, s: f64, rate: f64, dividendYield: f64, volatility: f64, time: f64): void {
  const spot = variable(s, inSpot);
  const own = isMirrored ? quotient(fixed(1), spot) : spot;
  const r = isMirrored ? variable(dividendYield, inYield) : variable(rate, inRate);
  const q = isMirrored ? variable(rate, inRate) : variable(dividendYield, inYield);
  const sigma = variable(volatility, inVolatility);
  const t = variable(time, inTime);
  const rootTime = root(t);
  store<u32>(row + jetSpot, <u32>own);
  store<u32>(row + jetLog, <u32>logarithm(own));
  store<u32>(row + jetRate, <u32>r);
  store<u32>(row + jetYield, <u32>q);
  store<u32>(row + jetVolatility, <u32>sigma);
  store<u32>(row + jetTime, <u32>t);
  store<u32>(row + jetCarry, <u32>difference(r, q));
  store<u32>(row + jetDeviation, <u32>product(sigma, rootTime));
  store<u32>(row + jetRateDiscount, <u32>exponential(scaled(product(r, t), -1)));
  store<u32>(row + jetYieldDiscount, <u32>exponential(scaled(product(q, t), -1)));
  store<u32>(row + jetVariance, <u32>product(sigma, sigma));
  store<u32>(row + jetRootTime, <u32>rootTime);
}

/** d1 of a jet's logarithm: (x + (r - q)T)/v + v/2. */
export function firstDistance(row: usize, log: usize): usize {
  const forward = sum(log, product(jetOf(row, jetCarry), jetOf(row, jetTime)));
  const v = jetOf(row, jetDeviation);
  return sum(quotient(forward, v), scaled(v, 0.5));
}

/** The European option of a spot over a strike of 1. */
export function europeanJet(row: usize, sign: f64, spot: usize, log: usize): usize {
  const d1 = firstDistance(row, log);
  const d2 = difference(d1, jetOf(row, jetDeviation));
  const asset = product(product(spot, jetOf(row, jetYieldDiscount)), law(scaled(d1, sign)));
  const loan = product(jetOf(row, jetRateDiscount), law(scaled(d2, sign)));
  return scaled(difference(asset, loan), sign);
}

/** Exercising now. */
export function payoffJet(sign: f64, spot: usize): usize {
  return shifted(spot, sign, -sign);
}

/**
 * Writes a row's raw values by output id: the price as the row has it, Greeks from the jet of the value over a strike of 1. What is exercised has
 * the payoff's delta and dual delta and no other Greek.
 */
export function writeValues(values: usize, row: usize, kind: i32, jet: usize, isCall: bool, spot: f64, strike: f64): void {
  const s = spot / strike;
  const isExercised = kind == kindExercised;
  const payoff = isCall ? spot - strike : strike - spot;
  const price = isExercised ? payoff : load<f64>(row + unitPrice) * strike;
  put(values, outputPrice, price);
  const european = load<f64>(row + unitEuropean);
  put(values, outputEarlyExercisePremium, kind == kindEuropean ? 0 : (load<f64>(row + unitPrice) - european) * strike);
  const boundary = load<f64>(row + logBoundary);
  if (boundary == boundary) put(values, outputExerciseBoundary, strike * cappedExp(boundary));
  else store<u64>(values + (outputExerciseBoundary << 3), nullBits);
  if (jet == 0) return;
  const delta = coefficient(jet, inSpot);
  const gamma = 2 * coefficient(jet, inSpotTwice);
  put(values, outputDelta, delta);
  put(values, outputGamma, gamma / strike);
  put(values, outputVega, coefficient(jet, inVolatility) * strike);
  put(values, outputTheta, 0 - coefficient(jet, inTime) * strike);
  put(values, outputRho, coefficient(jet, inRate) * strike);
  put(values, outputDividendRho, coefficient(jet, inYield) * strike);
  put(values, outputDualDelta, isExercised ? -delta : load<f64>(row + unitPrice) - s * delta);
  put(values, outputDualGamma, (gamma * s * s) / strike);
  put(values, outputVanna, coefficient(jet, inSpotVolatility));
  put(values, outputVolga, 2 * coefficient(jet, inVolatilityTwice) * strike);
  put(values, outputCharm, 0 - coefficient(jet, inSpotTime));
  put(values, outputVeta, 0 - coefficient(jet, inVolatilityTime) * strike);
  put(values, outputSpeed, (6 * coefficient(jet, inSpotThrice)) / strike / strike);
  put(values, outputZomma, (2 * coefficient(jet, inSpotTwiceVolatility)) / strike);
  put(values, outputColor, (0 - 2 * coefficient(jet, inSpotTwiceTime)) / strike);
  put(values, outputUltima, 6 * coefficient(jet, inVolatilityThrice) * strike);
  if (price != 0) put(values, outputLambda, (spot * delta) / price);
  else store<u64>(values + (outputLambda << 3), nullBits);
}

// @ts-ignore: decorator
@inline
function put(values: usize, output: usize, value: f64): void {
  store<f64>(values + (output << 3), value);
}
