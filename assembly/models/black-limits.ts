// What Black–Scholes–Merton gives at the edges where its formulas divide by zero: expiry, no volatility, no spot, no strike.
// Separate from black.ts because these rows are rare, scalar and full of decisions, and that file has none.
// Rules: API contract, "Limits". At T <= 0 the payoff; at σ = 0 the discounted payoff of the forward and its derivatives; at
// S = 0 a call is worth 0 and a put K e^(-rT); at K = 0 a call is the asset itself, S e^(-qT), a put nothing (ordinary status).
// At the kink (forward = strike) every derivative of the payoff is the mean of its two sides (delta ±½, at σ = 0 discounted),
// vega is 0, gamma and theta have no limit and are null alone.
import {
  nullBits,
  outputDelta,
  outputGamma,
  outputPrice,
  outputRho,
  outputTheta,
  outputVega,
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
import { isOrdinary } from "./black";

// @ts-ignore: decorator
@inline
function isFinite64(x: f64): bool {
  return x - x == 0;
}

/** Largest spot or strike that a limit may carry; times e^256 it is still finite. */
const priceMax: f64 = 1.6069380442589903e60; // 2^200

/**
 * Status of one row, and for a row with a limit its outputs, raw, as doubles at `row` indexed by output id. An ordinary row
 * gets status ok and `row` is left alone. Returns the status; null outputs are the canonical NaN.
 */
export function blackLimit(
  isCall: bool,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  row: usize,
): i32 {
  if (!(isFinite64(spot) && isFinite64(strike) && isFinite64(time))) return statusNonFinite;
  if (!(isFinite64(rate) && isFinite64(dividendYield) && isFinite64(volatility))) return statusNonFinite;
  if (spot < 0 || strike < 0 || volatility < 0) return statusOutOfDomain;
  if (time <= 0) {
    limit(isCall, spot, strike, 0, 0, 0, row);
    return statusExpired;
  }
  if (!(spot < priceMax && strike < priceMax)) return statusOutOfDomain;
  if (!(abs<f64>(rate * time) + abs<f64>(dividendYield * time) <= 256)) return statusOutOfDomain;
  if (spot == 0 || strike == 0 || volatility == 0) {
    if (!limit(isCall, spot, strike, time, rate, dividendYield, row)) return statusOutOfDomain;
    return spot == 0 ? statusZeroUnderlying : volatility == 0 ? statusZeroVolatility : statusOk;
  }
  return statusOutOfDomain;
}

/** Writes the limit values; false where one of them is too large for a double. */
function limit(
  isCall: bool,
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
  const isKink = hasTime ? spot > 0 && strike > 0 && asset == loan : spot == strike;
  const isInMoney = isCall ? asset > loan || strike == 0 : asset < loan || (spot == 0 && strike > 0);
  // how much of the payoff's slope counts, with its sign
  const slope: f64 = (isKink ? 0.5 : isInMoney ? 1 : 0) * (isCall ? 1 : -1);
  const isLive = slope != 0 && hasTime;
  const theta: f64 = isLive ? slope * (dividendYield * asset - rate * loan) : 0;
  const rho: f64 = isLive ? slope * (time * loan) : 0;
  if (!(isFinite64(theta) && isFinite64(rho))) return false;
  store<f64>(row + (outputPrice << 3), slope != 0 && !isKink ? slope * (asset - loan) : 0);
  store<f64>(row + (outputDelta << 3), slope != 0 ? slope * yieldDiscount : 0);
  store<f64>(row + (outputVega << 3), 0);
  store<f64>(row + (outputRho << 3), rho + 0.0);
  if (isKink) {
    store<u64>(row + (outputGamma << 3), nullBits);
    store<u64>(row + (outputTheta << 3), nullBits);
  } else {
    store<f64>(row + (outputGamma << 3), 0);
    store<f64>(row + (outputTheta << 3), theta + 0.0);
  }
  return true;
}
