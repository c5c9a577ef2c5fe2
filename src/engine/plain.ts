// The plain TypeScript twin of the kernel: one loop over Float64Array with Math.exp and Math.log, the way the formulas stand
// in a book. Separate because it is the yardstick: `bsopt verify` and the benches compare speed with it, tests compare
// values, and it stays readable beside the kernel's staged loops. Written in good faith, as fast as plain code gets without
// tricks; it must never call the kernel, nor be called to price for a customer.
//
// Source: Black and Scholes 1973, Merton 1973; the normal law by Cody 1969 (rational Chebyshev approximations). ln(S/K) is rounded as it stands: Greeks near the money and near expiry lose up to three digits against the
// kernel, which is what the kernel's difference form is for.

import { assert } from "../foundation/assert";
import { modelNamed, type OutputName, statusCodes, unitFactor } from "./catalog";
import type { Column, PriceRequest, PriceResult } from "./engine";

/** Prices and Greeks as `Engine.price` gives them, statuses and limits included. For the models the twin knows. */
export function pricePlain(request: PriceRequest): PriceResult {
  const { count, isCall, inputs, outputs, units } = request;
  const model = modelNamed(request.model);
  const column = (given: Column | undefined): Float64Array =>
    typeof given === "object" ? given : new Float64Array(count).fill(given ?? 0);
  assert(model.name === "black_scholes_merton", `the plain twin knows no ${model.name}`);
  const spots = column(inputs.spot);
  const strikes = column(inputs.strike);
  const times = column(inputs.time_to_expiry);
  const rates = column(inputs.rate);
  const yields = column(inputs.dividend_yield);
  const volatilities = column(inputs.volatility);
  const isCalls = typeof isCall === "boolean" ? new Uint8Array(count).fill(isCall ? 1 : 0) : isCall;
  const status = new Int32Array(count);
  const columns: Record<OutputName, Float64Array> = {
    price: new Float64Array(count),
    delta: new Float64Array(count),
    gamma: new Float64Array(count),
    vega: new Float64Array(count),
    theta: new Float64Array(count),
    rho: new Float64Array(count),
  };
  const { price, delta, gamma, vega, theta, rho } = columns;
  const vegaFactor = unitFactor("vega", units);
  const thetaFactor = unitFactor("theta", units);
  const rhoFactor = unitFactor("rho", units);
  for (let row = 0; row < count; row++) {
    const spot = spots[row]!;
    const strike = strikes[row]!;
    const time = times[row]!;
    const rate = rates[row]!;
    const dividendYield = yields[row]!;
    const volatility = volatilities[row]!;
    const side = isCalls[row] === 0 ? -1 : 1;
    if (!isOrdinary(spot, strike, time, rate, dividendYield, volatility)) {
      status[row] = limitRow(columns, row, side, spot, strike, time, rate, dividendYield, volatility);
    } else {
      const rootTime = Math.sqrt(time);
      const deviation = volatility * rootTime;
      const d1 = (Math.log(spot / strike) + (rate - dividendYield) * time) / deviation + 0.5 * deviation;
      const d2 = d1 - deviation;
      const yieldDiscount = Math.exp(-dividendYield * time);
      const strikePresent = strike * Math.exp(-rate * time);
      const gaussian = Math.exp(-0.5 * d1 * d1);
      const density = gaussian * inverseRootTwoPi * yieldDiscount;
      const share = yieldDiscount * normalLaw(side * d1, gaussian);
      const loan = strikePresent * normalLaw(side * d2, Math.exp(-0.5 * d2 * d2));
      price[row] = Math.max(0, side * (spot * share - loan));
      delta[row] = side * share;
      gamma[row] = density / (spot * deviation);
      vega[row] = spot * density * rootTime;
      theta[row] = side * (dividendYield * spot * share - rate * loan) - (spot * density * volatility) / (2 * rootTime);
      rho[row] = side * time * loan;
    }
    vega[row]! *= vegaFactor;
    theta[row]! *= thetaFactor;
    rho[row]! *= rhoFactor;
  }
  const wanted: Partial<Record<OutputName, Float64Array>> = {};
  for (const output of outputs) wanted[output] = columns[output];
  return { count, columns: wanted, status };
}

const smallest = 2 ** -200;
const largest = 2 ** 200;
const exponentMax = 256;

function isOrdinary(
  spot: number,
  strike: number,
  time: number,
  rate: number,
  dividendYield: number,
  volatility: number,
): boolean {
  return (
    spot >= smallest &&
    spot < largest &&
    strike >= smallest &&
    strike < largest &&
    time >= smallest &&
    time < largest &&
    volatility >= smallest &&
    volatility < largest &&
    Math.abs(rate * time) + Math.abs(dividendYield * time) <= exponentMax
  );
}

/** A row outside the formulas' domain: its status, and its limit values where it has them. */
function limitRow(
  columns: Record<OutputName, Float64Array>,
  row: number,
  side: number,
  spot: number,
  strike: number,
  time: number,
  rate: number,
  dividendYield: number,
  volatility: number,
): number {
  const given = [spot, strike, time, rate, dividendYield, volatility];
  for (const column of Object.values(columns)) column[row] = Number.NaN;
  if (!given.every(Number.isFinite)) return statusCodes.non_finite;
  if (spot < 0 || strike < 0 || volatility < 0) return statusCodes.out_of_domain;
  const hasTime = time > 0;
  if (hasTime) {
    const isWithin = spot < largest && strike < largest;
    const isDiscountable = Math.abs(rate * time) + Math.abs(dividendYield * time) <= exponentMax;
    const isEdge = spot === 0 || strike === 0 || volatility === 0;
    if (!isWithin || !isDiscountable || !isEdge) return statusCodes.out_of_domain;
  }
  const yieldDiscount = hasTime ? Math.exp(-dividendYield * time) : 1;
  const asset = spot * yieldDiscount;
  const loan = hasTime ? strike * Math.exp(-rate * time) : strike;
  const isKink = hasTime ? spot > 0 && strike > 0 && asset === loan : spot === strike;
  const isInMoney = side > 0 ? asset > loan || strike === 0 : asset < loan || (spot === 0 && strike > 0);
  const slope = side * (isKink ? 0.5 : isInMoney ? 1 : 0);
  const isLive = slope !== 0 && hasTime;
  const theta = isLive ? slope * (dividendYield * asset - rate * loan) : 0;
  const rho = isLive ? slope * time * loan : 0;
  if (!Number.isFinite(theta) || !Number.isFinite(rho)) return statusCodes.out_of_domain;
  columns.price[row] = slope !== 0 && !isKink ? slope * (asset - loan) : 0;
  columns.delta[row] = slope !== 0 ? slope * yieldDiscount : 0;
  columns.gamma[row] = isKink ? Number.NaN : 0;
  columns.vega[row] = 0;
  columns.theta[row] = isKink ? Number.NaN : theta;
  columns.rho[row] = rho;
  if (!hasTime) return statusCodes.expired;
  if (spot === 0) return statusCodes.zero_underlying;
  return volatility === 0 ? statusCodes.zero_volatility : statusCodes.ok;
}

const inverseRootTwoPi = 0.3989422804014327;
const rootThirtyTwo = 5.656854249492381;

/** N(x), with e^(-x²/2) given because the caller often has it already. Cody 1969 in three ranges of |x|, the last one fitted anew. */
function normalLaw(x: number, gaussian: number): number {
  const y = Math.abs(x);
  if (y <= 0.67448975) {
    const z = x * x;
    const p =
      (((0.06568233791820745 * z + 2.2352520354606837) * z + 161.02823106855587) * z + 1067.6894854603709) * z +
      18154.981253343562;
    const q = (((z + 47.202581904688245) * z + 976.0985517377767) * z + 10260.932208618979) * z + 45507.78933502673;
    return 0.5 + (x * p) / q;
  }
  let tail: number;
  if (y <= rootThirtyTwo) {
    const p =
      (((((((1.0765576773720192e-8 * y + 0.39894151208813466) * y + 8.883149794388377) * y + 93.50665613217785) * y +
        597.2702763948002) *
        y +
        2494.5375852903726) *
        y +
        6848.190450536283) *
        y +
        11602.65143764735) *
        y +
      9842.714838383978;
    const q =
      (((((((y + 22.266688044328117) * y + 235.387901782625) * y + 1519.3775994075547) * y + 6485.558298266761) * y +
        18615.571640885097) *
        y +
        34900.95272114598) *
        y +
        38912.00328609327) *
        y +
      19685.429676859992;
    tail = (gaussian * p) / q;
  } else {
    const z = 1 / (y * y);
    const p =
      ((((326.7771769693868 * z + 3029.13177206004) * z + 1775.8152275155435) * z + 308.08777568243164) * z +
        19.58700491299243) *
        z +
      0.39894228040143254;
    const q =
      ((((14056.556177546994 * z + 17961.35304610829) * z + 6515.509204534888) * z + 913.5535505883165) * z +
        52.09734033024028) *
        z +
      1;
    tail = (gaussian * (inverseRootTwoPi - (z * p) / q)) / y;
  }
  return x > 0 ? 1 - tail : tail;
}
