// European prices in their natural form and the Greeks that follow from it. A model whose asset is today's price times something that does not depend on that
// price gives V = D K v(x, T), D = e^(-rT), x = ln(F/K), F = S e^((r-q)T); every Greek of the contract is then a sum of a few derivatives of v. Separate
// so that each such model (merton_jump, heston) states v alone. Nothing here is bumped.
// With c = v_xx - v_x (K times the undiscounted density, without the cancellation) and m = r - q:
//   delta D K v_x/S · gamma D K c/S² · speed D K (c_x - 2 c)/S³ · dual delta D (v - v_x) · dual gamma D c/K · rho T D K (v_x - v) · dividend rho -T D K v_x
//   theta D K (r v - v_T - m v_x) · charm D K (r v_x - v_xT - m v_xx)/S · color D K (r c - c_T - m c_x)/S² · veta D K (r v_s - v_sT - m v_xs)
// The slots hold v and its derivatives for the side that is out of the money: a call's for x < 0, else a put's. The other side is that plus the forward's own
// e^x - 1, so that prices keep to parity and are never below the intrinsic value of the forward.
import {
  nullBits,
  outputCharm,
  outputColor,
  outputDelta,
  outputDividendRho,
  outputDualDelta,
  outputDualGamma,
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
import { exp } from "../math/exp";

// The slots, as offsets in bytes; s is the volatility, for models that have one.
export const formValue: usize = 0;
export const formX: usize = 8; // v_x
export const formCurve: usize = 16; // c
export const formCurveX: usize = 24;
export const formTime: usize = 32; // v_T
export const formXTime: usize = 40;
export const formCurveTime: usize = 48;
export const formVolatility: usize = 56;
export const formXVolatility: usize = 64;
export const formCurveVolatility: usize = 72;
export const formVolatilityTwice: usize = 80;
export const formVolatilityThrice: usize = 88;
export const formVolatilityTime: usize = 96;
export const formBytes: usize = 104;

// @ts-ignore: decorator
@inline
function put(values: usize, output: usize, value: f64): void {
  store<f64>(values + (output << 3), value);
}

/** Raw values of an option, by output id, at `values`, from the slots at `form`. Spot and strike are positive; `growth` is F/K - 1. */
export function writeFormValues(
  form: usize,
  isCall: bool,
  x: f64,
  growth: f64,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  values: usize,
): void {
  const isOutside = isCall == x < 0;
  let v = max<f64>(load<f64>(form, formValue), 0);
  let vx = load<f64>(form, formX);
  if (!isOutside) {
    // the forward itself: e^x - 1 for a call on top of the put, 1 - e^x for a put on top of the call
    const forward = 1 + growth;
    v += isCall ? growth : -growth;
    vx += isCall ? forward : -forward;
  }
  const curve = load<f64>(form, formCurve);
  const curveX = load<f64>(form, formCurveX);
  const drift = rate - dividendYield;
  const loan = strike * exp<f64>(-rate * time);
  const ratio = loan / spot;
  const price = loan * v;
  put(values, outputPrice, price);
  put(values, outputDelta, ratio * vx);
  put(values, outputGamma, (ratio / spot) * curve);
  put(values, outputSpeed, (ratio / spot / spot) * (curveX - 2 * curve));
  put(values, outputDualDelta, (loan / strike) * (v - vx));
  put(values, outputDualGamma, ((loan / strike) * curve) / strike);
  put(values, outputRho, time * loan * (vx - v));
  put(values, outputDividendRho, -time * loan * vx);
  // what the forward adds to v does not depend on time at a fixed x
  put(values, outputTheta, loan * (rate * v - load<f64>(form, formTime) - drift * vx));
  put(values, outputCharm, ratio * (rate * vx - load<f64>(form, formXTime) - drift * (curve + vx)));
  put(values, outputColor, (ratio / spot) * (rate * curve - load<f64>(form, formCurveTime) - drift * curveX));
  const slope = load<f64>(form, formVolatility);
  const slopeX = load<f64>(form, formXVolatility);
  put(values, outputVega, loan * slope);
  put(values, outputVanna, ratio * slopeX);
  put(values, outputZomma, (ratio / spot) * load<f64>(form, formCurveVolatility));
  put(values, outputVolga, loan * load<f64>(form, formVolatilityTwice));
  put(values, outputUltima, loan * load<f64>(form, formVolatilityThrice));
  put(values, outputVeta, loan * (rate * slope - load<f64>(form, formVolatilityTime) - drift * slopeX));
  if (price > 0) put(values, outputLambda, vx / v);
  else store<u64>(values + (outputLambda << 3), nullBits);
}
