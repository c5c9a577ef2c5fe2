// What the normal model gives at the edges where its formulas divide by zero: expiry and no volatility. Separate from bachelier.ts because
// these rows are rare, scalar and full of decisions, and that file has none. A forward or strike of zero or below is ordinary here.
// Rules: API contract, "Limits". At T <= 0 the payoff; at σ = 0 the discounted payoff of the forward and its derivatives. At the kink
// (forward = strike) delta and dual_delta are the mean of their two sides; gamma, dual_gamma, theta and speed have no limit and are
// null alone; so is lambda, forward·delta/price, wherever the price is zero.
import {
  nullBits,
  outputCharm,
  outputDelta,
  outputDualDelta,
  outputDualGamma,
  outputGamma,
  outputLambda,
  outputPrice,
  outputRho,
  outputSpeed,
  outputTheta,
  outputsMax,
} from "../abi/layout";
import { statusExpired, statusNonFinite, statusOutOfDomain, statusZeroVolatility } from "../abi/status";
import { productLow } from "../math/error-free";
import { expOfSum } from "../math/exp";

// @ts-ignore: decorator
@inline
function isFinite64(x: f64): bool {
  return x - x == 0;
}

/** Forward and strike lie below it. */
const magnitudeMax: f64 = 1.6069380442589903e60; // 2^200

/**
 * Status of one row that is not ordinary (see bachelier.ts), and for a row with a limit its outputs, raw, as doubles at `row` indexed by
 * output id; null outputs are the canonical NaN.
 */
export function bachelierLimit(
  isCall: bool,
  forward: f64,
  strike: f64,
  time: f64,
  rate: f64,
  volatility: f64,
  row: usize,
): i32 {
  if (!(isFinite64(forward) && isFinite64(strike) && isFinite64(time))) return statusNonFinite;
  if (!(isFinite64(rate) && isFinite64(volatility))) return statusNonFinite;
  if (volatility < 0) return statusOutOfDomain;
  if (time <= 0) return limit(isCall, forward, strike, 0, 0, row) ? statusExpired : statusOutOfDomain;
  if (!(abs<f64>(forward) < magnitudeMax && abs<f64>(strike) < magnitudeMax)) return statusOutOfDomain;
  if (!(abs<f64>(rate * time) <= 256) || volatility != 0) return statusOutOfDomain;
  return limit(isCall, forward, strike, time, rate, row) ? statusZeroVolatility : statusOutOfDomain;
}

/** Writes the limit values; false where one of them is too large for a double. */
function limit(isCall: bool, forward: f64, strike: f64, time: f64, rate: f64, row: usize): bool {
  const exponent = rate * -time;
  const discount = expOfSum<f64>(exponent, productLow<f64>(rate, -time, exponent));
  const x = forward - strike;
  const isKink = x == 0;
  const isInMoney = isCall ? x > 0 : x < 0;
  const price = isInMoney ? discount * abs<f64>(x) : 0.0;
  // how much of the payoff's slope counts, with its sign
  const slope: f64 = (isKink ? 0.5 : isInMoney ? 1 : 0) * (isCall ? 1 : -1);
  const theta = rate * price;
  const rho = -time * price;
  const charm = rate * discount * slope;
  if (!(isFinite64(price) && isFinite64(theta) && isFinite64(rho) && isFinite64(charm))) return false;
  memory.fill(row, 0, outputsMax << 3);
  store<f64>(row + (outputPrice << 3), price);
  // adding zero turns -0 into 0
  store<f64>(row + (outputDelta << 3), discount * slope + 0.0);
  store<f64>(row + (outputDualDelta << 3), -(discount * slope) + 0.0);
  store<f64>(row + (outputTheta << 3), theta + 0.0);
  store<f64>(row + (outputRho << 3), rho + 0.0);
  store<f64>(row + (outputCharm << 3), charm + 0.0);
  if (price != 0) store<f64>(row + (outputLambda << 3), forward / x + 0.0);
  else store<u64>(row + (outputLambda << 3), nullBits);
  if (isKink) {
    store<u64>(row + (outputGamma << 3), nullBits);
    store<u64>(row + (outputDualGamma << 3), nullBits);
    store<u64>(row + (outputTheta << 3), nullBits);
    store<u64>(row + (outputSpeed << 3), nullBits);
  }
  return true;
}
