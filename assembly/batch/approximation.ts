// Prices and Greeks of the closed approximations of American options over columns, row by row: they are full of decisions that rows do not share.
// Separate from batch/american because nothing is solved for at nodes and nothing remembered. A price alone is computed in plain numbers, two side by
// side; Greeks in jets, the first ones or all. Which of formula, European price and payoff a price is, the price decides, and Greeks follow. Never throws.
import {
  approximationOffset,
  approximationBytes,
  countOffset,
  inputDividendYield,
  inputRate,
  inputSpot,
  inputStrike,
  inputTimeToExpiry,
  inputVolatility,
  intermediate,
  modelOffset,
  outputCharm,
  outputColor,
  outputEarlyExercisePremium,
  outputExerciseBoundary,
  outputLambda,
  outputMaskOffset,
  outputPrice,
  outputSpeed,
  outputUltima,
  outputVanna,
  outputVeta,
  outputVolga,
  outputZomma,
  scratchOffset,
  statusOffset,
} from "../abi/layout";
import { modelBaroneAdesiWhaley, modelBjerksundStensland1993, modelJuZhong } from "../abi/model";
import {
  statusExpired,
  statusNonFinite,
  statusOk,
  statusOutOfDomain,
  statusZeroUnderlying,
  statusZeroVolatility,
} from "../abi/status";
import { beginJets, jetRoomBytes, quotient } from "../math/jet";
import { logRatio } from "../math/log-ratio";
import { sureValues } from "../models/american-limits";
import { uncertainty } from "../models/american-row";
import {
  europeanJet,
  jetLog,
  jetOf,
  jetSpot,
  kindEuropean,
  kindExercised,
  kindFormula,
  logBoundary,
  makeVariables,
  payoffJet,
  unitEuropean,
  unitPrice,
  writeValues,
} from "../models/approximation";
import { blackLimit } from "../models/black-limits";
import { flatJet, flatPrice } from "../models/flat-boundary";
import { quadraticJet, quadraticPrice } from "../models/quadratic";
import { areFinite, cell, deviationMax, inputStatus, isCallAt, isOrdinary } from "./american";
import { writeLimitRow, writeNullRow } from "./columns";

/** Of the strike: what a deviation is worth no more than, there is taken to be none. */
const negligible: f64 = 1e-7;
/** Outputs of an ordinary row that may be null alone. */
const nullableOutputs: u32 = (1 << <u32>outputLambda) | (1 << <u32>outputExerciseBoundary);
/** Outputs that need no jet. */
const plainOutputs: u32 =
  (1 << <u32>outputPrice) | (1 << <u32>outputEarlyExercisePremium) | (1 << <u32>outputExerciseBoundary);
/** Outputs that need the whole of one. */
const furtherOutputs: u32 =
  (1 << <u32>outputVanna) |
  (1 << <u32>outputVolga) |
  (1 << <u32>outputCharm) |
  (1 << <u32>outputVeta) |
  (1 << <u32>outputSpeed) |
  (1 << <u32>outputZomma) |
  (1 << <u32>outputColor) |
  (1 << <u32>outputUltima);

// The room: what a price leaves, a row's variables, a row's values, and the jets.
const rowBytes: usize = 128;
const valuesOffset: usize = rowBytes;
const jetsOffset: usize = valuesOffset + (32 << 3);

/** Prices every row of the request; returns how many have a status other than ok. */
export function approximationBatch(request: usize): i32 {
  if (jetsOffset + jetRoomBytes > approximationBytes) unreachable();
  const count = <usize>load<i32>(request, countOffset);
  const scratch = <usize>load<u32>(request, scratchOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  const mask = load<u32>(request, outputMaskOffset);
  let exceptions = 0;
  for (let row: usize = 0; row < count; row++) {
    const status = priceRow(request, scratch, row, mask);
    store<i32>(statuses + (row << 2), status);
    if (status != statusOk) exceptions++;
    if (status >= 10) writeNullRow(request, mask, row);
  }
  return exceptions;
}

function priceRow(request: usize, scratch: usize, row: usize, mask: u32): i32 {
  const isCall = isCallAt(request, row);
  const spot = cell(request, inputSpot, row);
  const strike = cell(request, inputStrike, row);
  const time = cell(request, inputTimeToExpiry, row);
  const rate = cell(request, inputRate, row);
  const dividendYield = cell(request, inputDividendYield, row);
  const volatility = cell(request, inputVolatility, row);
  const limits = intermediate(scratch, 0);
  if (!(volatility - volatility == 0)) return statusNonFinite;
  let status = inputStatus(spot, strike, time, rate, dividendYield);
  if (status >= 10) return status;
  if (volatility < 0) return statusOutOfDomain;
  if (status == statusExpired) {
    status = blackLimit(isCall, false, spot, strike, spot, strike, time, rate, dividendYield, volatility, limits);
    if (status >= 10) return status;
    store<f64>(limits + (outputEarlyExercisePremium << 3), 0);
    store<f64>(limits + (outputExerciseBoundary << 3), f64.NaN);
    writeLimitRow(request, mask, row, limits);
    return status;
  }
  const isSure = spot == 0 || strike == 0 || volatility == 0;
  if (!isSure && (!isOrdinary(volatility) || !(volatility * sqrt<f64>(time) <= deviationMax))) return statusOutOfDomain;
  if (isSure || uncertainty(rate, dividendYield, volatility, time) < negligible) {
    sureValues(isCall, spot, strike, time, rate, dividendYield, limits);
    if (!areFinite(limits, mask, u32.MAX_VALUE)) return statusOutOfDomain;
    writeLimitRow(request, mask, row, limits);
    return spot == 0 ? statusZeroUnderlying : strike == 0 && volatility != 0 ? statusOk : statusZeroVolatility;
  }
  const room = scratch + approximationOffset;
  const model = load<i32>(request, modelOffset);
  const kind = priceUnit(room, model, isCall, spot, strike, time, rate, dividendYield, volatility);
  const values = room + valuesOffset;
  const jet =
    (mask & ~plainOutputs) == 0
      ? 0
      : jetUnit(room, model, kind, (mask & furtherOutputs) != 0, isCall, spot / strike, time, rate, dividendYield, volatility);
  writeValues(values, room, kind, jet, isCall, spot, strike);
  if (!areFinite(values, mask, nullableOutputs)) return statusOutOfDomain;
  writeLimitRow(request, mask, row, values);
  return statusOk;
}

/** The price over a strike of 1 by the model of that id, left at the room's start; returns its kind. */
export function priceUnit(
  room: usize,
  model: i32,
  isCall: bool,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
): i32 {
  const x = logRatio(spot, strike);
  const s = spot / strike;
  if (model == modelBaroneAdesiWhaley || model == modelJuZhong) {
    return quadraticPrice(model == modelJuZhong, isCall ? 1 : -1, x, s, rate, dividendYield, volatility, time, room);
  }
  const isTwoStep = model != modelBjerksundStensland1993;
  if (isCall) return flatPrice(isTwoStep, x, s, rate, dividendYield, volatility, time, room);
  const kind = flatPrice(isTwoStep, -x, strike / spot, dividendYield, rate, volatility, time, room);
  // from units of the spot, and from the boundary of the strike over the spot
  store<f64>(room + unitPrice, load<f64>(room + unitPrice) * s);
  store<f64>(room + unitEuropean, load<f64>(room + unitEuropean) * s);
  store<f64>(room + logBoundary, -load<f64>(room + logBoundary));
  return kind;
}

/** The same with its derivatives. */
function jetUnit(
  room: usize,
  model: i32,
  kind: i32,
  wantsWhole: bool,
  isCall: bool,
  s: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
): usize {
  const sign: f64 = isCall ? 1 : -1;
  const isFlat = model != modelBaroneAdesiWhaley && model != modelJuZhong;
  const isMirrored = isFlat && !isCall && kind == kindFormula;
  const row = room + 32;
  beginJets(room + jetsOffset, wantsWhole);
  makeVariables(row, isMirrored, s, rate, dividendYield, volatility, time);
  if (kind == kindExercised) return payoffJet(sign, jetOf(row, jetSpot));
  if (kind == kindEuropean) return europeanJet(row, sign, jetOf(row, jetSpot), jetOf(row, jetLog));
  if (!isFlat) return quadraticJet(model == modelJuZhong, sign, row, load<f64>(room + logBoundary));
  const jet = flatJet(model != modelBjerksundStensland1993, row);
  // a mirrored spot is 1/s, and the value in units of s
  return isMirrored ? quotient(jet, jetOf(row, jetSpot)) : jet;
}
