// One American option, put or call, with its own strike: what american.ts gives of a put over a strike of 1, in the option's own terms.
// Separate so that prices and implied volatilities are made of the same rows. A call is a put whose spot is the strike and
// whose rate is the yield (McDonald and Schroder 1998): its Greeks in the spot are the put's in the strike, by homogeneity.
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
  outputTheta,
  outputVanna,
  outputVega,
  outputVeta,
  outputVolga,
  outputZomma,
} from "../abi/layout";
import { exp } from "../math/exp";
import { logRatio } from "../math/log-ratio";
import { european, needsFurther, needsParameters, putValues, recall } from "./american";
import { driftOf } from "./american-boundary";
import { kindEuropean, kindFailed, memoryOf, neighbourValues, rowValues } from "./american-room";

/** What is asked for beyond `needsParameters` and `needsFurther`. */
export const needsVolga: u32 = 4;

/** How far, relatively, the two volatilities lie from the asked one between whose vegas volga is taken. */
const volgaStep: f64 = 1e-3;

// @ts-ignore: decorator
@inline
function at(values: usize, output: usize): f64 {
  return load<f64>(values + (output << 3));
}

// @ts-ignore: decorator
@inline
function put(values: usize, output: usize, value: f64): void {
  store<f64>(values + (output << 3), value);
}

/**
 * How much of the strike an option's price can differ from the one without uncertainty, in size: the deviation over its life, or where
 * the drift is stronger the one over the time in which the drift overtakes it.
 */
export function uncertainty(rate: f64, dividendYield: f64, volatility: f64, time: f64): f64 {
  const deviation = volatility * sqrt<f64>(time);
  return deviation / max<f64>(1, driftOf(rate, dividendYield, volatility, time));
}

/** The European option's price. */
export function europeanPrice(
  room: usize,
  isCall: bool,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
): f64 {
  const values = room + neighbourValues;
  const x = isCall ? logRatio(strike, spot) : logRatio(spot, strike);
  const ownRate = isCall ? dividendYield : rate;
  const ownYield = isCall ? rate : dividendYield;
  european(x, exp<f64>(x), ownRate, ownYield, volatility, time, values);
  return at(values, outputPrice) * (isCall ? spot : strike);
}

/** The needs of a mask of outputs. */
export function needsOf(mask: u32): u32 {
  const further: u32 =
    (1 << <u32>outputVanna) |
    (1 << <u32>outputCharm) |
    (1 << <u32>outputVeta) |
    (1 << <u32>outputSpeed) |
    (1 << <u32>outputZomma);
  const parameters: u32 =
    (1 << <u32>outputVega) |
    (1 << <u32>outputRho) |
    (1 << <u32>outputDividendRho) |
    (1 << <u32>outputVanna) |
    (1 << <u32>outputVeta) |
    (1 << <u32>outputZomma);
  const volga: u32 = 1 << <u32>outputVolga;
  let needs: u32 = 0;
  if ((mask & (further | volga)) != 0) needs |= needsFurther;
  if ((mask & (parameters | volga)) != 0) needs |= needsParameters;
  if ((mask & volga) != 0) needs |= needsVolga;
  return needs;
}

/**
 * The raw values of an option, by output id, at `room + rowValues`; spot, strike, volatility and time are positive. False where no boundary
 * could be found.
 */
export function optionValues(
  room: usize,
  isCall: bool,
  scheme: i32,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  needs: u32,
): bool {
  const values = room + rowValues;
  const ownRate = isCall ? dividendYield : rate;
  const ownYield = isCall ? rate : dividendYield;
  const x = isCall ? logRatio(strike, spot) : logRatio(spot, strike);
  const memory = memoryOf(room, isCall ? 1 : 0);
  const kind = recall(room, memory, scheme, ownRate, ownYield, volatility, time);
  if (kind == kindFailed || !putValues(room, memory, x, needs, values)) return false;
  // without curvature it is exercised now, and a neighbour on the other side of the boundary says nothing of it
  if ((needs & needsVolga) != 0 && kind != kindEuropean && at(values, outputGamma) != 0) {
    const neighbour = room + neighbourValues;
    const step = volgaStep * volatility;
    const above = memoryOf(room, 2);
    const below = memoryOf(room, 3);
    if (recall(room, above, scheme, ownRate, ownYield, volatility + step, time) == kindFailed) return false;
    if (!putValues(room, above, x, needsParameters, neighbour)) return false;
    const vegaAbove = at(neighbour, outputVega);
    if (recall(room, below, scheme, ownRate, ownYield, volatility - step, time) == kindFailed) return false;
    if (!putValues(room, below, x, needsParameters, neighbour)) return false;
    put(values, outputVolga, (vegaAbove - at(neighbour, outputVega)) / (2 * step));
  }
  const unitPrice = at(values, outputPrice);
  const unitSpot = exp<f64>(x);
  const delta = at(values, outputDelta);
  const gamma = at(values, outputGamma);
  const inStrike = unitPrice - unitSpot * delta;
  const inStrikeTwice = gamma * unitSpot * unitSpot;
  const scale = isCall ? spot : strike;
  const logBoundary = at(values, outputExerciseBoundary);
  put(values, outputVega, at(values, outputVega) * scale);
  put(values, outputVolga, at(values, outputVolga) * scale);
  put(values, outputVeta, at(values, outputVeta) * scale);
  put(values, outputEarlyExercisePremium, at(values, outputEarlyExercisePremium) * scale);
  const payoff = isCall ? spot - strike : strike - spot;
  // exercised now it is worth exactly the payoff
  const isExercised = delta == -1 && gamma == 0 && x <= logBoundary;
  const price = isExercised ? payoff : max<f64>(unitPrice * scale, payoff);
  const theta = at(values, outputTheta);
  put(values, outputTheta, theta * scale);
  put(values, outputPrice, price);
  const speed = at(values, outputSpeed);
  const zomma = at(values, outputZomma);
  if (isCall) {
    const rho = at(values, outputRho);
    put(values, outputRho, at(values, outputDividendRho) * scale);
    put(values, outputDividendRho, rho * scale);
    put(values, outputVanna, at(values, outputVega) / scale - unitSpot * at(values, outputVanna));
    put(values, outputCharm, theta - unitSpot * at(values, outputCharm));
    put(values, outputDelta, inStrike);
    put(values, outputGamma, inStrikeTwice / spot);
    put(values, outputSpeed, (-unitSpot * unitSpot * (3 * gamma + unitSpot * speed)) / spot / spot);
    put(values, outputZomma, (zomma * unitSpot * unitSpot) / spot);
    put(values, outputDualDelta, delta);
    put(values, outputDualGamma, gamma / spot);
  } else {
    put(values, outputRho, at(values, outputRho) * scale);
    put(values, outputDividendRho, at(values, outputDividendRho) * scale);
    put(values, outputGamma, gamma / strike);
    put(values, outputSpeed, speed / strike / strike);
    put(values, outputZomma, zomma / strike);
    put(values, outputDualDelta, inStrike);
    put(values, outputDualGamma, inStrikeTwice / strike);
  }
  if (price != 0) put(values, outputLambda, (spot * at(values, outputDelta)) / price);
  else store<u64>(values + (outputLambda << 3), nullBits);
  if (logBoundary == logBoundary) {
    put(values, outputExerciseBoundary, strike * exp<f64>(isCall ? -logBoundary : logBoundary));
  } else store<u64>(values + (outputExerciseBoundary << 3), nullBits);
  return true;
}
