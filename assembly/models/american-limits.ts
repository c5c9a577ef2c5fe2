// What an American option is worth where nothing is uncertain: no volatility, no spot, no strike. Separate from american.ts because these rows
// are rare and full of decisions. Without uncertainty the holder picks the best moment: the price is the largest of K e^(-rt) - S e^(-qt) (a put;
// its negative for a call) over 0 ≤ t ≤ T, which is at one of the ends or where its slope is zero, t* = ln(qS/(rK))/(q - r).
// By the envelope theorem derivatives are those at the fixed best moment; gamma and speed count how the moment moves.
// At the kink, where waiting for the better gives exactly nothing, delta is half, and gamma, dual gamma, speed and theta are null.
import {
  nullBits,
  outputExerciseBoundary,
  outputCharm,
  outputDelta,
  outputDividendRho,
  outputDualDelta,
  outputDualGamma,
  outputGamma,
  outputLambda,
  outputEarlyExercisePremium,
  outputPrice,
  outputRho,
  outputSpeed,
  outputsMax,
  outputTheta,
} from "../abi/layout";
import { exp } from "../math/exp";
import { logRatio } from "../math/log-ratio";

/** The sure gain of exercising at a time. */
// @ts-ignore: decorator
@inline
function gainAt(t: f64, slope: f64, spot: f64, strike: f64, rate: f64, dividendYield: f64): f64 {
  return slope * (spot * exp<f64>(-dividendYield * t) - strike * exp<f64>(-rate * t));
}

/** Writes the values of a row, raw, by output id. Spot and strike are not negative, time is positive. */
export function sureValues(
  isCall: bool,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  row: usize,
): void {
  const slope: f64 = isCall ? 1 : -1;
  const now = slope * (spot - strike);
  const late = gainAt(time, slope, spot, strike, rate, dividendYield);
  let best = now;
  let moment: f64 = 0;
  let isBetween = false;
  if (late > best) {
    best = late;
    moment = time;
  }
  if (rate * dividendYield > 0 && rate != dividendYield && spot > 0 && strike > 0) {
    const between = logRatio((dividendYield / rate) * spot, strike) / (dividendYield - rate);
    if (between > 0 && between < time) {
      const gain = gainAt(between, slope, spot, strike, rate, dividendYield);
      if (gain > best) {
        best = gain;
        moment = between;
        isBetween = true;
      }
    }
  }
  memory.fill(row, 0, outputsMax << 3);
  store<u64>(row + (outputExerciseBoundary << 3), nullBits);
  const isKink = best == 0 && spot > 0 && strike > 0;
  if (best < 0 || (best == 0 && !isKink)) {
    store<u64>(row + (outputLambda << 3), nullBits);
    return;
  }
  const share: f64 = isKink ? 0.5 * slope : slope;
  const yieldDiscount = exp<f64>(-dividendYield * moment);
  const rateDiscount = exp<f64>(-rate * moment);
  const asset = spot * yieldDiscount;
  const loan = strike * rateDiscount;
  store<f64>(row + (outputPrice << 3), best);
  store<f64>(row + (outputEarlyExercisePremium << 3), best - max<f64>(late, 0));
  store<f64>(row + (outputDelta << 3), share * yieldDiscount);
  store<f64>(row + (outputDualDelta << 3), -(share * rateDiscount));
  store<f64>(row + (outputRho << 3), share * (moment * loan) + 0.0);
  store<f64>(row + (outputDividendRho << 3), -(share * (moment * asset)) + 0.0);
  if (moment == time) {
    store<f64>(row + (outputTheta << 3), share * (dividendYield * asset - rate * loan) + 0.0);
    store<f64>(row + (outputCharm << 3), share * (dividendYield * yieldDiscount) + 0.0);
  }
  if (isBetween && !isKink) {
    const perDrift = dividendYield / (dividendYield - rate);
    const gamma = (-slope * (perDrift * yieldDiscount)) / spot;
    store<f64>(row + (outputGamma << 3), gamma);
    store<f64>(row + (outputSpeed << 3), (-gamma / spot) * (perDrift + 1));
    store<f64>(row + (outputDualGamma << 3), gamma * (spot / strike) * (spot / strike));
  }
  if (best > 0) store<f64>(row + (outputLambda << 3), (spot * (share * yieldDiscount)) / best + 0.0);
  else store<u64>(row + (outputLambda << 3), nullBits);
  if (isKink) {
    store<u64>(row + (outputGamma << 3), nullBits);
    store<u64>(row + (outputTheta << 3), nullBits);
    store<u64>(row + (outputSpeed << 3), nullBits);
    store<u64>(row + (outputDualGamma << 3), nullBits);
  }
}
