// Price and Greeks of one option off grids of finite differences, in the option's own terms. Separate from finite-difference.ts, which solves
// the equation once: here it is solved again beside the asked volatility, rate and yield, and over two grids whose errors cancel.
// Delta, gamma and theta are read off the grid, theta by the equation itself: V_t = rV - (r - q)SV_S - ½v²S²V_SS. Vega, vanna, rho and
// dividend_rho are differences over the same nodes, wide enough for the nodes that are exercised to change by several.
// Two grids, the finer with twice the steps each way: both errors are of the second order, so (4·finer - coarser)/3 has neither (Richardson).
import {
  isRequested,
  nullBits,
  outputDelta,
  outputDividendRho,
  outputEarlyExercisePremium,
  outputGamma,
  outputLambda,
  outputPrice,
  outputRho,
  outputsMax,
  outputTheta,
  outputVanna,
  outputVega,
} from "../abi/layout";
import { exp } from "../math/exp";
import { sureDividendValues } from "./dividend-limits";
import { layGrid, readGrid, solveGrid } from "./finite-difference";
import { coarserValues, pointCurvature, pointRead, pointSlope, pointValue, rowValues } from "./finite-difference-room";

/** How far, relatively, volatilities lie from the asked one between which vega and vanna are taken; far enough for exercise to move by nodes. */
const volatilityStep: f64 = 1e-2;
/** The same for rates and yields, times the years where there is more than one. */
const rateStep: f64 = 1e-3;

/** The raw values of an option by output id, at `room + rowValues`. */
export function gridValues(
  room: usize,
  isCall: bool,
  isAmerican: bool,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  dividends: usize,
  spaceSteps: i32,
  timeSteps: i32,
  mask: u32,
): void {
  const values = room + rowValues;
  const read = room + pointRead;
  // no uncertain future is worth less than the sure one, dividends that would take all of the asset apart
  sureDividendValues(isCall, isAmerican, spot, strike, time, rate, dividendYield, dividends, values);
  const sure = load<f64>(values + (outputDelta << 3)) != 0 ? load<f64>(values + (outputPrice << 3)) : 0;
  memory.fill(values, 0, outputsMax << 3);
  const drift = rate - dividendYield;
  const last = layGrid(room, isAmerican, spot, strike, time, drift, volatility, dividends, spaceSteps);
  solveGrid(room, last, isCall, isAmerican, strike, time, rate, dividendYield, volatility, dividends, timeSteps);
  const unitSpot = spot / strike;
  const growth = exp<f64>(drift * time);
  const forward = unitSpot * growth;
  const isHeld = readGrid(room, last, forward, read);
  const discount = exp<f64>(-rate * time);
  const payoff = isCall ? max<f64>(spot - strike, 0) : max<f64>(strike - spot, 0);
  let price = max<f64>(discount * load<f64>(read + pointValue) * strike, sure);
  const slope = load<f64>(read + pointSlope);
  let delta = discount * growth * slope;
  let gamma = (discount * growth * growth * load<f64>(read + pointCurvature)) / strike;
  const isExercised = isAmerican && payoff > 0 && !(isHeld && price > payoff * (1 + 1e-12));
  if (isExercised) {
    price = payoff;
    delta = isCall ? 1 : -1;
    gamma = 0;
  }
  store<f64>(values + (outputPrice << 3), price);
  store<f64>(values + (outputDelta << 3), delta);
  store<f64>(values + (outputGamma << 3), gamma);
  if (price != 0) store<f64>(values + (outputLambda << 3), (spot * delta) / price);
  else store<u64>(values + (outputLambda << 3), nullBits);
  if (isExercised) return;
  const curved = 0.5 * volatility * volatility * spot * spot * gamma;
  store<f64>(values + (outputTheta << 3), rate * price - drift * spot * delta - curved);
  if (isRequested(mask, outputVega) || isRequested(mask, outputVanna)) {
    const step = volatilityStep * volatility;
    const above = priceBeside(room, last, isCall, isAmerican, spot, strike, time, rate, dividendYield, volatility + step, dividends, timeSteps);
    const slopeAbove = load<f64>(read + pointSlope);
    const below = priceBeside(room, last, isCall, isAmerican, spot, strike, time, rate, dividendYield, volatility - step, dividends, timeSteps);
    store<f64>(values + (outputVega << 3), (above - below) / (2 * step));
    store<f64>(values + (outputVanna << 3), (discount * growth * (slopeAbove - load<f64>(read + pointSlope))) / (2 * step));
  }
  const step = rateStep / max<f64>(1, time);
  if (isRequested(mask, outputRho)) {
    const above = priceBeside(room, last, isCall, isAmerican, spot, strike, time, rate + step, dividendYield, volatility, dividends, timeSteps);
    const below = priceBeside(room, last, isCall, isAmerican, spot, strike, time, rate - step, dividendYield, volatility, dividends, timeSteps);
    store<f64>(values + (outputRho << 3), (above - below) / (2 * step));
  }
  if (isRequested(mask, outputDividendRho)) {
    const above = priceBeside(room, last, isCall, isAmerican, spot, strike, time, rate, dividendYield + step, volatility, dividends, timeSteps);
    const below = priceBeside(room, last, isCall, isAmerican, spot, strike, time, rate, dividendYield - step, volatility, dividends, timeSteps);
    store<f64>(values + (outputDividendRho << 3), (above - below) / (2 * step));
  }
}

/** The price at another volatility, rate or yield, over the same nodes; its slope stays at the point that was read. */
function priceBeside(
  room: usize,
  last: i32,
  isCall: bool,
  isAmerican: bool,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  dividends: usize,
  timeSteps: i32,
): f64 {
  const point = room + pointRead;
  solveGrid(room, last, isCall, isAmerican, strike, time, rate, dividendYield, volatility, dividends, timeSteps);
  const growth = exp<f64>((rate - dividendYield) * time);
  const payoff = isCall ? spot - strike : strike - spot;
  if (readGrid(room, last, (spot / strike) * growth, point)) {
    const price = exp<f64>(-rate * time) * strike * load<f64>(point + pointValue);
    if (!isAmerican || price > payoff) return price;
  }
  store<f64>(point + pointSlope, (isCall ? 1 : -1) * exp<f64>(dividendYield * time));
  return payoff;
}

/** Steps in price and in time of the coarser of a scheme's two grids. */
// @ts-ignore: decorator
@inline
function coarserSpaceSteps(scheme: i32): i32 {
  return scheme == 0 ? 50 : scheme == 1 ? 100 : 400;
}

// @ts-ignore: decorator
@inline
function coarserTimeSteps(scheme: i32): i32 {
  return scheme == 0 ? 25 : scheme == 1 ? 50 : 200;
}

/** The outputs that `americanDividendValues` has. */
export const dividendOutputs: u32 =
  (1 << <u32>outputPrice) |
  (1 << <u32>outputDelta) |
  (1 << <u32>outputGamma) |
  (1 << <u32>outputVega) |
  (1 << <u32>outputTheta) |
  (1 << <u32>outputRho) |
  (1 << <u32>outputDividendRho) |
  (1 << <u32>outputVanna) |
  (1 << <u32>outputLambda) |
  (1 << <u32>outputEarlyExercisePremium);

/** The raw values of an American option on an asset that pays dividends, by output id, at `room + rowValues`. */
export function americanDividendValues(
  room: usize,
  isCall: bool,
  scheme: i32,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  dividends: usize,
  mask: u32,
): void {
  const values = room + rowValues;
  const coarser = room + coarserValues;
  const space = coarserSpaceSteps(scheme);
  const steps = coarserTimeSteps(scheme);
  sureDividendValues(isCall, true, spot, strike, time, rate, dividendYield, dividends, values);
  const sure = load<f64>(values + (outputDelta << 3)) != 0 ? load<f64>(values + (outputPrice << 3)) : 0;
  let european: f64 = 0;
  if (isRequested(mask, outputEarlyExercisePremium)) {
    const only: u32 = 1 << <u32>outputPrice;
    gridValues(room, isCall, false, spot, strike, time, rate, dividendYield, volatility, dividends, space, steps, only);
    const once = load<f64>(values + (outputPrice << 3));
    gridValues(room, isCall, false, spot, strike, time, rate, dividendYield, volatility, dividends, 2 * space, 2 * steps, only);
    european = (4 * load<f64>(values + (outputPrice << 3)) - once) / 3;
  }
  gridValues(room, isCall, true, spot, strike, time, rate, dividendYield, volatility, dividends, space, steps, mask);
  memory.copy(coarser, values, outputsMax << 3);
  gridValues(room, isCall, true, spot, strike, time, rate, dividendYield, volatility, dividends, 2 * space, 2 * steps, mask);
  const payoff = isCall ? max<f64>(spot - strike, 0) : max<f64>(strike - spot, 0);
  const isExercised = payoff > 0 && load<f64>(values + (outputPrice << 3)) == payoff;
  if (!isExercised && !(payoff > 0 && load<f64>(coarser + (outputPrice << 3)) == payoff)) {
    for (let output: usize = 0; output < outputLambda; output++) {
      const finer = load<f64>(values + (output << 3));
      store<f64>(values + (output << 3), finer + (finer - load<f64>(coarser + (output << 3))) / 3);
    }
    const price = max<f64>(load<f64>(values + (outputPrice << 3)), max<f64>(payoff, sure));
    store<f64>(values + (outputPrice << 3), price);
    if (price != 0) store<f64>(values + (outputLambda << 3), (spot * load<f64>(values + (outputDelta << 3))) / price);
  }
  if (isRequested(mask, outputEarlyExercisePremium)) {
    const price = load<f64>(values + (outputPrice << 3));
    store<f64>(values + (outputEarlyExercisePremium << 3), max<f64>(price - european, 0));
  }
}
