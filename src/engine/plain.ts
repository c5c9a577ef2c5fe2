// The plain TypeScript twin of the kernel: one loop over Float64Array with Math.exp and Math.log, the way the formulas stand
// in a book. Separate because it is the yardstick: `bsopt verify` and the benches compare speed with it, tests compare
// values, and it stays readable beside the kernel's staged loops. Written in good faith, as fast as plain code gets without
// tricks; it must never call the kernel, nor be called to price for a customer.
//
// Source: Black and Scholes 1973, Merton 1973, Black 1976, Garman and Kohlhagen 1983, Rubinstein 1983; the normal law by Cody 1969
// (rational Chebyshev approximations). ln(S/K) is rounded as it stands: Greeks near the money and near expiry lose up to three
// digits against the kernel, which is what the kernel's difference form is for.

import { assert } from "../foundation/assert";
import { modelNamed, type OutputName, statusCodes, unitFactor } from "./catalog";
import type { Column, PriceRequest, PriceResult } from "./engine";

/** Prices and Greeks as `Engine.price` gives them, statuses and limits included. For the Black family. */
export function pricePlain(request: PriceRequest): PriceResult {
  const { count, isCall, inputs, outputs, units } = request;
  const { name, outputs: offered } = modelNamed(request.model);
  assert(
    outputs.every((output) => offered.includes(output)),
    `${name} does not offer every one of ${outputs.join(", ")}`,
  );
  const column = (given: Column | undefined): Float64Array =>
    typeof given === "object" ? given : new Float64Array(count).fill(given ?? 0);
  const isForward = name === "black_76" || name === "displaced_black";
  const underlyings = column(isForward ? inputs.forward : inputs.spot);
  const times = column(inputs.time_to_expiry);
  const rates = column(inputs.rate);
  const yields = isForward ? rates : column(name === "garman_kohlhagen" ? inputs.foreign_rate : inputs.dividend_yield);
  const volatilities = column(inputs.volatility);
  const displacements = name === "displaced_black" ? column(inputs.displacement) : null;
  const shifted = (values: Float64Array) =>
    displacements === null ? values : values.map((value, row) => value + displacements[row]!);
  const givenStrikes = column(inputs.strike);
  const spots = shifted(underlyings);
  const strikes = shifted(givenStrikes);
  const isCalls = typeof isCall === "boolean" ? new Uint8Array(count).fill(isCall ? 1 : 0) : isCall;
  const status = new Int32Array(count);
  const further = outputs.some((output) => !firstOutputs.includes(output));
  const columns = Object.fromEntries(
    offered
      .filter((output) => further || firstOutputs.includes(output))
      .map((output) => [output, new Float64Array(count)]),
  ) as Record<OutputName, Float64Array>;
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
    if (!isOrdinary(spot, strike, time, rate, isForward ? 0 : dividendYield, volatility)) {
      const given = [underlyings[row]!, givenStrikes[row]!, displacements === null ? 0 : displacements[row]!];
      const gap = underlyings[row]! - givenStrikes[row]!;
      const option = { side, spot, strike, gap, time, rate, dividendYield, volatility, underlying: underlyings[row]! };
      status[row] = limitRow(columns, row, option, { isForward, isFinite: given.every(Number.isFinite) });
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
      rho[row] = isForward ? -time * price[row]! : side * time * loan;
      if (further) {
        const yieldRho = -side * time * spot * share;
        if (!isForward) columns.dividend_rho[row] = yieldRho;
        // of d1, in time
        const slide = (rate - dividendYield) / deviation - d2 / (2 * time);
        const product = d1 * d2;
        columns.vanna[row] = (-density * d2) / volatility;
        columns.volga[row] = (vega[row]! * product) / volatility;
        columns.charm[row] = side * dividendYield * share - density * slide;
        columns.veta[row] = vega[row]! * (dividendYield + d1 * slide - 1 / (2 * time));
        columns.speed[row] = (-gamma[row]! / spot) * (d1 / deviation + 1);
        columns.zomma[row] = (gamma[row]! * (product - 1)) / volatility;
        columns.color[row] = gamma[row]! * (dividendYield + d1 * slide + 1 / (2 * time));
        columns.ultima[row] = (vega[row]! / (volatility * volatility)) * (product * (product - 1) - d1 * d1 - d2 * d2);
        columns.dual_delta[row] = (-side * loan) / strike;
        columns.dual_gamma[row] = (spot * density) / (strike * strike * deviation);
        columns.lambda[row] = price[row] === 0 ? Number.NaN : (underlyings[row]! * delta[row]!) / price[row]!;
      }
    }
    vega[row]! *= vegaFactor;
    theta[row]! *= thetaFactor;
    rho[row]! *= rhoFactor;
  }
  const wanted: Partial<Record<OutputName, Float64Array>> = {};
  for (const output of outputs) {
    const values = columns[output];
    const factor = firstOutputs.includes(output) ? 1 : unitFactor(output, units);
    wanted[output] = factor === 1 ? values : values.map((value) => value * factor);
  }
  return { count, columns: wanted, status };
}

/** What the first pass computes in any case. */
const firstOutputs: readonly OutputName[] = ["price", "delta", "gamma", "vega", "theta", "rho"];

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

/** One option as the family's core sees it: a forward is a spot whose yield is the rate. */
interface CoreOption {
  readonly side: number;
  readonly spot: number;
  readonly strike: number;
  /** Underlying minus strike as given: without the rounding of a displacement. */
  readonly gap: number;
  readonly time: number;
  readonly rate: number;
  readonly dividendYield: number;
  readonly volatility: number;
  /** What the model's own derivatives are taken in: without a displacement. */
  readonly underlying: number;
}

/** A row outside the formulas' domain: its status, and its limit values where it has them. */
function limitRow(
  columns: Record<OutputName, Float64Array>,
  row: number,
  option: CoreOption,
  model: { readonly isForward: boolean; readonly isFinite: boolean },
): number {
  const { side, spot, strike, gap, time, rate, dividendYield, volatility, underlying } = option;
  const set = (output: OutputName, value: number) => {
    const values = columns[output];
    if (values !== undefined) values[row] = value + 0;
  };
  for (const column of Object.values(columns)) column[row] = Number.NaN;
  if (!model.isFinite || ![time, rate, dividendYield, volatility].every(Number.isFinite)) return statusCodes.non_finite;
  if (spot < 0 || strike < 0 || volatility < 0) return statusCodes.out_of_domain;
  const hasTime = time > 0;
  if (hasTime) {
    const isWithin = spot < largest && strike < largest;
    const yieldTime = model.isForward ? 0 : dividendYield * time;
    const isDiscountable = Math.abs(rate * time) + Math.abs(yieldTime) <= exponentMax;
    const isEdge = spot === 0 || strike === 0 || volatility === 0;
    if (!isWithin || !isDiscountable || !isEdge) return statusCodes.out_of_domain;
  }
  const yieldDiscount = hasTime ? Math.exp(-dividendYield * time) : 1;
  const rateDiscount = hasTime ? Math.exp(-rate * time) : 1;
  const asset = spot * yieldDiscount;
  const loan = strike * rateDiscount;
  // without carry the comparison is exact, with it as good as the discounts
  const hasCarry = hasTime && rate * time !== dividendYield * time;
  const excess = hasCarry ? asset - loan : gap * rateDiscount;
  const isKink = excess === 0 && (!hasTime || (spot > 0 && strike > 0));
  const isInMoney = side > 0 ? excess > 0 || strike === 0 : excess < 0 || (spot === 0 && strike > 0);
  const slope = side * (isKink ? 0.5 : isInMoney ? 1 : 0);
  const isLive = slope !== 0 && hasTime;
  const price = slope !== 0 && !isKink ? slope * excess : 0;
  const delta = slope !== 0 ? slope * yieldDiscount : 0;
  const theta = !isLive ? 0 : hasCarry ? slope * (dividendYield * asset - rate * loan) : rate * price;
  const rho = model.isForward ? (isLive ? -time * price : 0) : isLive ? slope * time * loan : 0;
  const dividendRho = isLive ? -slope * time * asset : 0;
  const charm = isLive ? slope * dividendYield * yieldDiscount : 0;
  const lambda = price === 0 ? Number.NaN : (underlying * delta) / price;
  const sizes = [price, theta, rho, dividendRho, charm, price === 0 ? 0 : lambda];
  if (!sizes.every(Number.isFinite)) return statusCodes.out_of_domain;
  for (const output of Object.keys(columns) as OutputName[]) set(output, 0);
  set("price", price);
  set("delta", delta);
  set("theta", isKink ? Number.NaN : theta);
  set("rho", rho);
  set("dividend_rho", dividendRho);
  set("charm", charm);
  set("dual_delta", slope === 0 ? 0 : -slope * rateDiscount);
  set("lambda", lambda);
  if (isKink) for (const output of ["gamma", "dual_gamma", "speed"] as const) set(output, Number.NaN);
  if (!hasTime) return statusCodes.expired;
  if (spot === 0) return statusCodes.zero_underlying;
  return volatility === 0 ? statusCodes.zero_volatility : statusCodes.ok;
}

const inverseRootTwoPi = 0.3989422804014327;
const rootThirtyTwo = 5.656854249492381;

/** N(x), with e^(-x²/2) given because the caller often has it already. Cody 1969 in three ranges of |x|, the last one fitted anew. */
export function normalLaw(x: number, gaussian: number): number {
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
