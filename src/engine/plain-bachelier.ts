// The plain TypeScript twin of the kernel's normal model, prices, Greeks and implied volatility: one row at a time, the way the formulas
// stand in a book, Math.exp and Math.log, no low words. Separate because it is the yardstick: benches compare speed with it, tests compare
// values and statuses. Written in good faith; it must never call the kernel, nor be called to answer a customer.
//
// Source: Bachelier 1900; implied volatility after Jäckel 2017 (a rational function, then one step of fourth order; here of η, see
// assembly/iv/bachelier.ts). Legend: x = F - K, s = σ√t, d = x/s, D = e^(-rt), U the price over D.
// Error: 1e-15 of the largest of |F|, |K| and s on prices, about 1e-12 on Greeks where nothing cancels; volatilities lose digits in the
// wings and where x itself or the price less its intrinsic value is a small difference.

import { assert } from "../foundation/assert";
import { type EuropeanOutput, statusCodes, unitFactor } from "./catalog";
import type { Column, ImpliedVolatilityRequest, ImpliedVolatilityResult, PriceRequest, PriceResult } from "./engine";
import { normalLaw } from "./plain";
import { mills } from "./plain-implied-volatility";

const smallest = 2 ** -200;
const largest = 2 ** 200;
const exponentMax = 256;
const priceMax = 2 ** 400;
const inverseRootTwoPi = 0.3989422804014327;
const rootTwoPi = 2.5066282746310002;

type Row = Record<EuropeanOutput, number>;

/** Prices and Greeks as `Engine.price` gives them for the normal model, statuses and limits included. */
export function pricePlainBachelier(request: PriceRequest): PriceResult {
  const { count, isCall, inputs, units } = request;
  const outputs = request.outputs as readonly EuropeanOutput[];
  assert(request.model === "bachelier", `the plain twin of bachelier knows no ${request.model}`);
  const forwards = spread(inputs.forward, count);
  const strikes = spread(inputs.strike, count);
  const times = spread(inputs.time_to_expiry, count);
  const rates = spread(inputs.rate, count);
  const volatilities = spread(inputs.volatility, count);
  const isCalls = typeof isCall === "boolean" ? new Uint8Array(count).fill(isCall ? 1 : 0) : isCall;
  const status = new Int32Array(count);
  const columns: Partial<Columns> = {};
  const first = () => new Float64Array(count);
  const price = first();
  const delta = first();
  const gamma = first();
  const vega = first();
  const theta = first();
  const rho = first();
  const all: Columns = { ...emptyColumns, price, delta, gamma, vega, theta, rho };
  const further = outputs.filter((output) => !(firstOutputs as readonly EuropeanOutput[]).includes(output));
  for (const output of further) all[output] = first();
  for (const output of outputs) columns[output] = all[output];
  const vegaFactor = unitFactor("vega", units);
  const thetaFactor = unitFactor("theta", units);
  const rhoFactor = unitFactor("rho", units);
  for (let row = 0; row < count; row++) {
    const forward = forwards[row]!;
    const strike = strikes[row]!;
    const time = times[row]!;
    const rate = rates[row]!;
    const volatility = volatilities[row]!;
    const side = isCalls[row] === 0 ? -1 : 1;
    if (!isOrdinary(forward, strike, time, rate, volatility) || further.length > 0) {
      const { code, values } = priceRow({ side, forward, strike, time, rate, volatility });
      status[row] = code;
      for (const output of outputs) {
        all[output][row] = values === null ? Number.NaN : values[output] * unitFactor(output, units);
      }
      continue;
    }
    const rootTime = Math.sqrt(time);
    const s = volatility * rootTime;
    const d = Math.max(-40, Math.min(40, (forward - strike) / s));
    const gaussian = Math.exp(-0.5 * d * d);
    const discount = Math.exp(-rate * time);
    const weight = Math.abs(d) < 37.5 ? discount * gaussian * inverseRootTwoPi : 0;
    const law = normalLaw(side * d, gaussian);
    const value = Math.max(0, discount * (side * (forward - strike) * law) + s * weight);
    price[row] = value;
    delta[row] = side * discount * law;
    gamma[row] = weight / s;
    vega[row] = weight * rootTime * vegaFactor;
    theta[row] = (rate * value - (weight * volatility) / (2 * rootTime)) * thetaFactor;
    rho[row] = -time * value * rhoFactor;
  }
  return { count, columns, status };
}

type Columns = Record<EuropeanOutput, Float64Array>;
const firstOutputs = ["price", "delta", "gamma", "vega", "theta", "rho"] as const;
const nothing = new Float64Array(0);
const emptyColumns: Columns = {
  price: nothing,
  delta: nothing,
  gamma: nothing,
  vega: nothing,
  theta: nothing,
  rho: nothing,
  dividend_rho: nothing,
  vanna: nothing,
  volga: nothing,
  charm: nothing,
  veta: nothing,
  speed: nothing,
  zomma: nothing,
  color: nothing,
  ultima: nothing,
  dual_delta: nothing,
  dual_gamma: nothing,
  lambda: nothing,
};

function isOrdinary(forward: number, strike: number, time: number, rate: number, volatility: number): boolean {
  return (
    Math.abs(forward) < largest &&
    Math.abs(strike) < largest &&
    time >= smallest &&
    time < largest &&
    volatility >= smallest &&
    volatility < largest &&
    Math.abs(rate * time) <= exponentMax
  );
}

interface Option {
  /** 1 for a call, -1 for a put. */
  readonly side: number;
  readonly forward: number;
  readonly strike: number;
  readonly time: number;
  readonly rate: number;
  readonly volatility: number;
}

/** The status of an option and its raw outputs, null where the status has none. */
function priceRow(option: Option): { code: number; values: Row | null } {
  const { forward, strike, time, rate, volatility } = option;
  const refused = (code: number) => ({ code, values: null });
  if (![forward, strike, time, rate, volatility].every(Number.isFinite)) return refused(statusCodes.non_finite);
  if (volatility < 0) return refused(statusCodes.out_of_domain);
  if (time <= 0) return limitRow({ ...option, time: 0, rate: 0 }, statusCodes.expired);
  const isWithin =
    Math.abs(forward) < largest &&
    Math.abs(strike) < largest &&
    Math.abs(rate * time) <= exponentMax &&
    time < largest &&
    volatility < largest;
  if (volatility === 0 && Math.abs(forward) < largest && Math.abs(strike) < largest) {
    if (!(Math.abs(rate * time) <= exponentMax)) return refused(statusCodes.out_of_domain);
    return limitRow(option, statusCodes.zero_volatility);
  }
  if (!isWithin || time < smallest || volatility < smallest) return refused(statusCodes.out_of_domain);
  return { code: statusCodes.ok, values: formulas(option) };
}

function formulas({ side, forward, strike, time, rate, volatility }: Option): Row {
  const rootTime = Math.sqrt(time);
  const s = volatility * rootTime;
  const d = Math.max(-40, Math.min(40, (forward - strike) / s));
  const gaussian = Math.exp(-0.5 * d * d);
  const discount = Math.exp(-rate * time);
  const weight = Math.abs(d) < 37.5 ? discount * gaussian * inverseRootTwoPi : 0;
  const law = normalLaw(side * d, gaussian);
  const price = Math.max(0, discount * (side * (forward - strike) * law) + s * weight);
  const delta = side * discount * law;
  const gamma = weight / s;
  const vega = weight * rootTime;
  return {
    price,
    delta,
    gamma,
    vega,
    theta: rate * price - (weight * volatility) / (2 * rootTime),
    rho: -time * price,
    dividend_rho: Number.NaN,
    vanna: (-weight * d) / volatility,
    volga: (vega * d * d) / volatility,
    charm: rate * delta + (weight * d) / (2 * time),
    veta: vega * (rate - (1 + d * d) / (2 * time)),
    speed: (-weight * d) / (s * s),
    zomma: (weight * (d * d - 1)) / (s * volatility),
    color: gamma * (rate - (d * d - 1) / (2 * time)),
    ultima: ((vega / volatility) * (d * d * (d * d - 3))) / volatility,
    dual_delta: -delta,
    dual_gamma: gamma,
    lambda: price > 0 ? (forward * delta) / price : Number.NaN,
  };
}

/** The payoff, discounted where time is left, and its derivatives. */
function limitRow(option: Option, code: number): { code: number; values: Row | null } {
  const { side, forward, strike, time, rate } = option;
  const discount = Math.exp(-rate * time);
  const x = forward - strike;
  const slope = side * (x === 0 ? 0.5 : side * x > 0 ? 1 : 0);
  const price = side * x > 0 ? discount * Math.abs(x) : 0;
  const bend = x === 0 ? Number.NaN : 0;
  const values: Row = {
    price,
    delta: discount * slope,
    gamma: bend,
    vega: 0,
    theta: x === 0 ? Number.NaN : rate * price,
    rho: -time * price,
    dividend_rho: Number.NaN,
    vanna: 0,
    volga: 0,
    charm: rate * discount * slope,
    veta: 0,
    speed: bend,
    zomma: 0,
    color: 0,
    ultima: 0,
    dual_delta: -discount * slope,
    dual_gamma: bend,
    lambda: price === 0 ? Number.NaN : forward / x,
  };
  const sizes = [values.price, rate * price, values.rho, values.charm];
  return sizes.every(Number.isFinite) ? { code, values } : { code: statusCodes.out_of_domain, values: null };
}

/** Implied volatilities as `Engine.impliedVolatility` gives them for the normal model, statuses included. */
export function impliedVolatilityPlainBachelier(request: ImpliedVolatilityRequest): ImpliedVolatilityResult {
  const { count, isCall, inputs, onUnattainable } = request;
  assert(request.model === "bachelier", `the plain twin of bachelier knows no ${request.model}`);
  const forwards = spread(inputs.forward, count);
  const strikes = spread(inputs.strike, count);
  const times = spread(inputs.time_to_expiry, count);
  const rates = spread(inputs.rate, count);
  const prices = spread(request.price, count);
  const impliedVolatility = new Float64Array(count).fill(Number.NaN);
  const attainableError = new Float64Array(count).fill(Number.NaN);
  const status = new Int32Array(count);
  for (let row = 0; row < count; row++) {
    const [forward, strike, time, rate, price] = [
      forwards[row]!,
      strikes[row]!,
      times[row]!,
      rates[row]!,
      prices[row]!,
    ];
    const side = (typeof isCall === "boolean" ? isCall : isCall[row] !== 0) ? 1 : -1;
    let code = domainStatus(forward, strike, time, rate, price);
    if (code === statusCodes.ok) {
      const growth = Math.exp(rate * time);
      const x = Math.abs(forward - strike);
      // a price so small that its square root is subnormal is scaled, and the distance with it
      const scale = price < 2 ** -500 ? 2 ** 500 : 1;
      const premium = price * scale * growth;
      const timeValue = premium - Math.max(0, side * (forward - strike)) * scale;
      if (timeValue > 0) {
        const solved = solve(x * scale, timeValue);
        const volatility = solved.deviation / scale / Math.sqrt(time);
        if (volatility >= 2 ** -1022 && volatility < Number.POSITIVE_INFINITY) {
          impliedVolatility[row] = volatility;
          attainableError[row] = 2 ** -53 * (1 + (premium / timeValue) * solved.slope);
        } else code = statusCodes.out_of_domain;
      } else {
        code = statusCodes.below_intrinsic;
        if (onUnattainable === "zero") impliedVolatility[row] = 0;
      }
    }
    status[row] = code;
  }
  return { count, impliedVolatility, attainableError, status };
}

function domainStatus(forward: number, strike: number, time: number, rate: number, price: number): number {
  if (!Number.isFinite(forward + strike + time + rate + price)) {
    if (![forward, strike, time, rate, price].every(Number.isFinite)) return statusCodes.non_finite;
  }
  if (time <= 0) return statusCodes.expired;
  const isWithin =
    Math.abs(forward) < largest &&
    Math.abs(strike) < largest &&
    time >= smallest &&
    time < largest &&
    Math.abs(rate * time) <= exponentMax &&
    price < priceMax;
  return isWithin ? statusCodes.ok : statusCodes.out_of_domain;
}

/** s, and G at s, where the time value is s φ(x/s) G(x/s). */
function solve(x: number, timeValue: number): { deviation: number; slope: number } {
  const near = Math.max(x, 1e-6 * timeValue);
  const straddle = 2 * timeValue + near;
  // where a price is subnormal the distance may be too many times as large for a double
  const share = near / timeValue;
  const eta = (2 * near) / (straddle * (share < 1e300 ? Math.log1p(share) : Math.log(near) - Math.log(timeValue)));
  const top =
    ((((8180.7419739532 * eta + 4512.575633366547) * eta + 1257.5333562419135) * eta + 876.9399857733613) * eta +
      59.48773814387873) *
      eta +
    0.39911387532404546;
  const bottom =
    ((((2471.9755614076307 * eta + 10333.756980491837) * eta + 62.33924441365904) * eta + 1872.771152840979) * eta +
      145.9576798827384) *
      eta +
    1;
  const s = (Math.sqrt(eta) * 1.2533141373155003 * straddle * top) / bottom;
  const h = x / s;
  const slope = 1 - h * mills(h);
  const quotient = (timeValue * rootTwoPi) / (s * slope);
  // the quotient of a subnormal price and a large distance is too small for a double
  const logQuotient = quotient > 1e-290 ? Math.log(quotient) : Math.log(timeValue * rootTwoPi) - Math.log(s * slope);
  const log = logQuotient + 0.5 * h * h;
  const a = h * h * slope;
  const step =
    (log * slope * (1 + 0.5 * log * (a - 1))) /
    (1 + log * (a - 1) + (log * log * (a * a - 3 * a + 2 - 3 * a * slope)) / 6);
  return { deviation: s * (1 + step), slope: (slope + step * (1 - a)) / (1 + step) };
}

function spread(given: Column | undefined, count: number): Float64Array {
  return typeof given === "object" ? given : new Float64Array(count).fill(given ?? 0);
}
