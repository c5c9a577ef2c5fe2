// What an option on an asset that pays cash dividends is worth where nothing is uncertain: no volatility, no spot, no strike. Separate from
// american-limits.ts, whose best moment has a formula: dividends make several candidates. The holder of an American option exercises at the
// best of: now, expiry, just before and just after each dividend, and where the gain is level between two of them. Derivatives are those at the
// fixed best moment (envelope); second derivatives are 0 but where the best moment moves, which is left out.
// Present value of the asset held to t: P(t) = S e^(-qt) - Σ D_i e^(-r t_i) e^(-q(t - t_i)) over 0 < t_i ≤ t, at least 0; the gain is
// s(P(t) - K e^(-rt)).
import {
  listLength,
  listNumbers,
  nullBits,
  outputDelta,
  outputDividendRho,
  outputDualDelta,
  outputGamma,
  outputLambda,
  outputPrice,
  outputRho,
  outputsMax,
  outputTheta,
} from "../abi/layout";
import { statusNonFinite, statusOk, statusOutOfDomain } from "../abi/status";
import { exp } from "../math/exp";
import { logRatio } from "../math/log-ratio";

/** Status of a list of dividends: ok, or what is wrong with it. */
export function dividendsStatus(dividends: usize): i32 {
  const count = listLength(dividends);
  let last: f64 = -Infinity;
  let status = statusOk;
  for (let index: usize = 0; index < count; index += 2) {
    const when = load<f64>(listNumbers(dividends) + (index << 3));
    const amount = load<f64>(listNumbers(dividends) + (index << 3), 8);
    if (!(when - when == 0 && amount - amount == 0)) return statusNonFinite;
    if (amount < 0 || amount > 1.6069380442589903e60 || when < last) status = statusOutOfDomain;
    last = when;
  }
  return status;
}

/** Whether a dividend falls between now and expiry, or upon it. */
export function hasDividends(dividends: usize, time: f64): bool {
  const count = listLength(dividends);
  for (let index: usize = 0; index < count; index += 2) {
    const when = load<f64>(listNumbers(dividends) + (index << 3));
    if (when > 0 && when <= time && load<f64>(listNumbers(dividends) + (index << 3), 8) > 0) return true;
  }
  return false;
}

/** Present value of the asset held until t, with the dividends up to it paid where `isAfter`, else those before it. */
function heldUntil(t: f64, isAfter: bool, spot: f64, rate: f64, dividendYield: f64, dividends: usize): f64 {
  let asset = spot * exp<f64>(-dividendYield * t);
  const count = listLength(dividends);
  for (let index: usize = 0; index < count; index += 2) {
    const when = load<f64>(listNumbers(dividends) + (index << 3));
    const amount = load<f64>(listNumbers(dividends) + (index << 3), 8);
    if (when > 0 && (when < t || (isAfter && when == t))) asset -= amount * exp<f64>(-rate * when - dividendYield * (t - when));
  }
  return max<f64>(asset, 0);
}

/** Writes the values of a row, raw, by output id. Spot and strike are not negative, time is positive. */
export function sureDividendValues(
  isCall: bool,
  isAmerican: bool,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  dividends: usize,
  row: usize,
): void {
  const sign: f64 = isCall ? 1 : -1;
  memory.fill(row, 0, outputsMax << 3);
  let moment = time;
  let isAfter = true;
  let asset = heldUntil(time, true, spot, rate, dividendYield, dividends);
  let best = sign * (asset - strike * exp<f64>(-rate * time));
  if (isAmerican) {
    const now = sign * (spot - strike);
    if (now >= best) {
      best = now;
      moment = 0;
      asset = spot;
    }
    const count = <i32>listLength(dividends);
    let start: f64 = 0;
    for (let index = 0; index <= count; index += 2) {
      const isLast = index == count;
      const address = listNumbers(dividends) + (<usize>index << 3);
      const end = isLast ? time : load<f64>(address);
      if (!(end > 0 && end <= time)) continue;
      // between two dividends the asset grows by rate less yield, so the gain is level where K r e^(-rt) = q P(t)
      const held = heldUntil(start, true, spot, rate, dividendYield, dividends);
      const ratio = (dividendYield * held) / (rate * strike);
      if (ratio > 0 && ratio < 1.6e60 && rate != dividendYield) {
        // P falls by e^(-q(t - start))
        const between = (logRatio<f64>(ratio, 1) + dividendYield * start) / (dividendYield - rate);
        if (between > start && between < end) {
          const there = held * exp<f64>(-dividendYield * (between - start));
          const gain = sign * (there - strike * exp<f64>(-rate * between));
          if (gain > best) {
            best = gain;
            moment = between;
            asset = there;
            isAfter = true;
          }
        }
      }
      if (isLast) break;
      for (let side = 0; side < 2; side++) {
        const there = heldUntil(end, side == 1, spot, rate, dividendYield, dividends);
        const gain = sign * (there - strike * exp<f64>(-rate * end));
        if (gain > best) {
          best = gain;
          moment = end;
          asset = there;
          isAfter = side == 1;
        }
      }
      start = end;
    }
  }
  const isKink = best == 0 && spot > 0 && strike > 0;
  if (best < 0 || (best == 0 && !isKink)) {
    store<u64>(row + (outputLambda << 3), nullBits);
    return;
  }
  const share: f64 = isKink ? 0.5 * sign : sign;
  const loan = strike * exp<f64>(-rate * moment);
  store<f64>(row + (outputPrice << 3), best);
  store<f64>(row + (outputDualDelta << 3), -share * exp<f64>(-rate * moment));
  let delta: f64 = 0;
  let rho = share * moment * loan;
  let yieldRho: f64 = 0;
  if (asset > 0) {
    delta = share * exp<f64>(-dividendYield * moment);
    yieldRho = -delta * moment * spot;
    const count = listLength(dividends);
    for (let index: usize = 0; index < count; index += 2) {
      const when = load<f64>(listNumbers(dividends) + (index << 3));
      if (!(when > 0 && (when < moment || (isAfter && when == moment)))) continue;
      const amount = load<f64>(listNumbers(dividends) + (index << 3), 8);
      const paid = share * amount * exp<f64>(-rate * when - dividendYield * (moment - when));
      rho += when * paid;
      yieldRho += (moment - when) * paid;
    }
  }
  store<f64>(row + (outputDelta << 3), delta);
  store<f64>(row + (outputRho << 3), rho + 0.0);
  store<f64>(row + (outputDividendRho << 3), yieldRho + 0.0);
  if (moment > 0) store<f64>(row + (outputTheta << 3), rate * best - (rate - dividendYield) * spot * delta + 0.0);
  if (best > 0) store<f64>(row + (outputLambda << 3), (spot * delta) / best + 0.0);
  else store<u64>(row + (outputLambda << 3), nullBits);
  if (isKink) {
    store<u64>(row + (outputGamma << 3), nullBits);
    store<u64>(row + (outputTheta << 3), nullBits);
  }
}
