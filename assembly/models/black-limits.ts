// What Black–Scholes–Merton gives at the edges where its formulas divide by zero: expiry, no volatility, no spot, no strike.
// The family's other models come in as black.ts sees them. Separate from black.ts because these rows are rare, scalar and full of decisions, and that file has none.
// Rules: API contract, "Limits". At T <= 0 the payoff; at σ = 0 the discounted payoff of the forward and its derivatives; at
// S = 0 a call is worth 0 and a put K e^(-rT); at K = 0 a call is the asset itself, S e^(-qT), a put nothing (ordinary status).
// At the kink (forward = strike) every derivative of the payoff is the mean of its two sides (delta ±½, at σ = 0 discounted),
// vega is 0; gamma, dual gamma, speed and theta have no limit and are null alone. Lambda is null where the price is 0. What a
// payoff's slope does not move (derivatives in σ, second ones in spot or strike) is 0.
import {
  nullBits,
  outputCharm,
  outputDelta,
  outputDividendRho,
  outputDualDelta,
  outputDualGamma,
  outputGamma,
  outputLambda,
  outputPrice,
  outputRho,
  outputSpeed,
  outputsMax,
  outputTheta,
} from "../abi/layout";
import {
  statusExpired,
  statusNonFinite,
  statusOk,
  statusOutOfDomain,
  statusZeroUnderlying,
  statusZeroVolatility,
} from "../abi/status";
import { exp } from "../math/exp";

// @ts-ignore: decorator
@inline
function isFinite64(x: f64): bool {
  return x - x == 0;
}

/** Largest spot or strike that a limit may carry; times e^256 it is still finite. */
const priceMax: f64 = 1.6069380442589903e60; // 2^200

/**
 * Status of one row, and for a row with a limit its outputs, raw, as doubles at `row` indexed by output id. An ordinary row
 * gets status ok and `row` is left alone. Returns the status; null outputs are the canonical NaN. `underlying` and `givenStrike`
 * are spot and strike before a displacement; a forward has `isForward` and its rate as its yield.
 */
export function blackLimit(
  isCall: bool,
  isForward: bool,
  underlying: f64,
  givenStrike: f64,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  row: usize,
): i32 {
  if (!(isFinite64(underlying) && isFinite64(givenStrike) && isFinite64(time))) return statusNonFinite;
  if (!(isFinite64(rate) && isFinite64(dividendYield) && isFinite64(volatility))) return statusNonFinite;
  if (spot < 0 || strike < 0 || volatility < 0) return statusOutOfDomain;
  if (time <= 0) {
    const isFinite = limit(isCall, isForward, underlying, givenStrike, spot, strike, 0, 0, 0, row);
    return isFinite ? statusExpired : statusOutOfDomain;
  }
  if (!(spot < priceMax && strike < priceMax)) return statusOutOfDomain;
  const yieldTime: f64 = isForward ? 0 : dividendYield * time;
  if (!(abs<f64>(rate * time) + abs<f64>(yieldTime) <= 256)) return statusOutOfDomain;
  if (spot == 0 || strike == 0 || volatility == 0) {
    if (!limit(isCall, isForward, underlying, givenStrike, spot, strike, time, rate, dividendYield, row)) {
      return statusOutOfDomain;
    }
    return spot == 0 ? statusZeroUnderlying : volatility == 0 ? statusZeroVolatility : statusOk;
  }
  return statusOutOfDomain;
}

/** Writes the limit values; false where one of them is too large for a double. */
function limit(
  isCall: bool,
  isForward: bool,
  underlying: f64,
  givenStrike: f64,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  row: usize,
): bool {
  const hasTime = time > 0;
  const yieldDiscount = exp<f64>(-(dividendYield * time));
  const rateDiscount = exp<f64>(-(rate * time));
  const asset = spot * yieldDiscount;
  const loan = strike * rateDiscount;
  // without carry the comparison is exact, with it as good as the discounts
  const hasCarry = rate * time != dividendYield * time;
  const excess = hasCarry ? asset - loan : (underlying - givenStrike) * rateDiscount;
  const isKink = excess == 0 && (!hasTime || (spot > 0 && strike > 0));
  const isInMoney = isCall ? excess > 0 || strike == 0 : excess < 0 || (spot == 0 && strike > 0);
  // how much of the payoff's slope counts, with its sign
  const slope: f64 = (isKink ? 0.5 : isInMoney ? 1 : 0) * (isCall ? 1 : -1);
  const isLive = slope != 0 && hasTime;
  const price: f64 = slope != 0 && !isKink ? slope * excess : 0;
  const delta: f64 = slope != 0 ? slope * yieldDiscount : 0;
  let theta: f64 = 0;
  let rho: f64 = 0;
  let dividendRho: f64 = 0;
  let charm: f64 = 0;
  if (isLive) {
    theta = hasCarry ? slope * (dividendYield * asset - rate * loan) : rate * price;
    rho = isForward ? -(time * price) : slope * (time * loan);
    dividendRho = -(slope * (time * asset));
    charm = slope * (dividendYield * yieldDiscount);
  }
  const lambda: f64 = price != 0 ? (underlying * delta) / price : 0;
  if (!(isFinite64(price) && isFinite64(theta) && isFinite64(rho))) return false;
  if (!(isFinite64(dividendRho) && isFinite64(charm) && isFinite64(lambda))) return false;
  memory.fill(row, 0, outputsMax << 3);
  store<f64>(row + (outputPrice << 3), price);
  store<f64>(row + (outputDelta << 3), delta);
  store<f64>(row + (outputTheta << 3), theta + 0.0);
  store<f64>(row + (outputRho << 3), rho + 0.0);
  store<f64>(row + (outputDividendRho << 3), dividendRho + 0.0);
  store<f64>(row + (outputCharm << 3), charm + 0.0);
  store<f64>(row + (outputDualDelta << 3), slope != 0 ? -(slope * rateDiscount) : 0);
  if (price != 0) store<f64>(row + (outputLambda << 3), lambda + 0.0);
  else store<u64>(row + (outputLambda << 3), nullBits);
  if (isKink) {
    store<u64>(row + (outputGamma << 3), nullBits);
    store<u64>(row + (outputTheta << 3), nullBits);
    store<u64>(row + (outputSpeed << 3), nullBits);
    store<u64>(row + (outputDualGamma << 3), nullBits);
  }
  return true;
}
