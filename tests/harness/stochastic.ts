// Options of stochastic volatility, jumps and simulations for tests of numbers: one option at a time from named inputs, differences of the engine's own prices, and
// the twins that the kernel is compared with: characteristic functions by another way and prices by another integral.

import { type InputName, type ModelName, modelNamed, type OutputName } from "../../src/engine/catalog";
import type { Engine, PriceRequest } from "../../src/engine/engine";
import { seededRandom } from "../../src/foundation/random";

/** An option's inputs by name, all numbers; a call unless told otherwise. */
export type NamedInputs = Readonly<Partial<Record<InputName, number>>> & { readonly isCall?: boolean };

/** A request over rows of one model, every input a column, in raw units. */
export function rowsRequest(
  model: ModelName,
  rows: readonly NamedInputs[],
  outputs: readonly OutputName[] = modelNamed(model).outputs,
): PriceRequest & { isCall: Uint8Array; inputs: Record<string, Float64Array> } {
  const inputs: Record<string, Float64Array> = {};
  for (const { name, default: fallback } of modelNamed(model).inputs) {
    inputs[name] = Float64Array.from(rows, (row) => row[name] ?? fallback ?? Number.NaN);
  }
  const isCall = Uint8Array.from(rows, (row) => (row.isCall === false ? 0 : 1));
  return { model, count: rows.length, isCall, inputs, outputs, units: "raw" };
}

/** One option's outputs and status. */
export function priceOne(
  engine: Engine,
  model: ModelName,
  row: NamedInputs,
): Record<OutputName, number> & { status: number } {
  const { columns, status } = engine.price(rowsRequest(model, [row]));
  const values = Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, column[0]!]));
  return { ...(values as Record<OutputName, number>), status: status[0]! };
}

/** The derivative of an output in an input, by central differences of sixth order. */
export function difference(
  engine: Engine,
  model: ModelName,
  row: NamedInputs,
  { output, input, step }: { output: OutputName; input: InputName; step: number },
): number {
  const at = (move: number) => priceOne(engine, model, { ...row, [input]: row[input]! + move * step })[output];
  const odd = (move: number) => at(move) - at(-move);
  return (45 * odd(1) - 9 * odd(2) + odd(3)) / (60 * step);
}

/** Random numbers of a printed seed: evenly, and evenly in the logarithm. */
export function drawer(seed: number) {
  const source = seededRandom(BigInt(seed));
  const between = (low: number, high: number) => low + (high - low) * source.unit();
  return { between, spread: (low: number, high: number) => Math.exp(between(Math.log(low), Math.log(high))) };
}

/** A complex number. */
export interface Complex {
  readonly re: number;
  readonly im: number;
}

const plus = (a: Complex, b: Complex): Complex => ({ re: a.re + b.re, im: a.im + b.im });
const times = (a: Complex, b: Complex): Complex => ({ re: a.re * b.re - a.im * b.im, im: a.re * b.im + a.im * b.re });
const scaled = (a: Complex, by: number): Complex => ({ re: a.re * by, im: a.im * by });
const over = (a: Complex, b: Complex): Complex =>
  scaled(times(a, { re: b.re, im: -b.im }), 1 / (b.re ** 2 + b.im ** 2));
const exponential = (a: Complex): Complex => scaled({ re: Math.cos(a.im), im: Math.sin(a.im) }, Math.exp(a.re));

/**
 * ln E[(S_T/F)^(iz)] in Heston's model by integrating its Riccati equations with Runge and Kutta's fourth order: no closed form, no logarithm, no branch. Good to
 * some 1e-10 with `steps` several times the largest |d| T.
 */
export function hestonLogCharacteristic(z: Complex, row: NamedInputs, steps: number): Complex {
  const {
    time_to_expiry: time = 0,
    v0 = 0,
    kappa = 0,
    long_variance: mean = 0,
    vol_of_vol: s = 0,
    correlation = 0,
  } = row;
  const m = plus(times(z, z), { re: -z.im, im: z.re });
  const b = { re: kappa + correlation * s * z.im, im: -correlation * s * z.re };
  const slope = (B: Complex) => plus(plus(scaled(times(B, B), (s * s) / 2), scaled(times(b, B), -1)), scaled(m, -0.5));
  const h = time / steps;
  let B: Complex = { re: 0, im: 0 };
  let area: Complex = { re: 0, im: 0 };
  for (let step = 0; step < steps; step++) {
    const one = slope(B);
    const second = plus(B, scaled(one, h / 2));
    const two = slope(second);
    const third = plus(B, scaled(two, h / 2));
    const three = slope(third);
    const fourth = plus(B, scaled(three, h));
    const four = slope(fourth);
    area = plus(area, scaled(plus(plus(B, fourth), scaled(plus(second, third), 2)), h / 6));
    B = plus(B, scaled(plus(plus(one, four), scaled(plus(two, three), 2)), h / 6));
  }
  return plus(scaled(area, kappa * mean), scaled(B, v0));
}

/** The same of Merton's jump diffusion, which has it in one line. */
export function mertonLogCharacteristic(z: Complex, row: NamedInputs): Complex {
  const { time_to_expiry: time = 0, volatility = 0, jump_intensity: rate = 0 } = row;
  const { jump_mean: mean = 0, jump_volatility: deviation = 0 } = row;
  const iz = { re: -z.im, im: z.re };
  const square = times(iz, iz);
  const compensation = rate * (Math.exp(mean + deviation ** 2 / 2) - 1);
  const jump = exponential(plus(scaled(iz, mean), scaled(square, deviation ** 2 / 2)));
  const drift = scaled(iz, -(volatility ** 2) / 2 - compensation);
  const exponent = plus(plus(drift, scaled(square, volatility ** 2 / 2)), {
    re: rate * (jump.re - 1),
    im: rate * jump.im,
  });
  return scaled(exponent, time);
}

const nodes = [0.1488743389816312, 0.4333953941292472, 0.6794095682990244, 0.8650633666889845, 0.9739065285171717];
const weights = [0.2955242247147529, 0.2692667193099963, 0.219086362515982, 0.1494513491505806, 0.0666713443086881];

/**
 * A call's price by Carr and Madan's integral (1999) on the line Im z = -(1 + alpha), alpha above 0, by Gauss and Legendre's rule of ten points in panels of at most `width` up to
 * `end`: another line than the kernel's, no control variate, no even spacing.
 */
export function carrMadanCall(
  row: NamedInputs,
  logCharacteristic: (z: Complex) => Complex,
  { alpha, width, end }: { alpha: number; width: number; end: number },
): number {
  const { spot = 0, strike = 0, time_to_expiry: time = 0, rate = 0, dividend_yield: yieldRate = 0 } = row;
  const forward = spot * Math.exp((rate - yieldRate) * time);
  const k = Math.log(strike / forward);
  const integrand = (v: number): number => {
    const characteristic = exponential(logCharacteristic({ re: v, im: -(alpha + 1) }));
    const below = { re: alpha * alpha + alpha - v * v, im: (2 * alpha + 1) * v };
    return times(exponential({ re: 0, im: -v * k }), over(characteristic, below)).re;
  };
  let sum = 0;
  for (let start = 0, panel = 0; start < end; start += panel) {
    // near 0 the quotient turns within alpha
    panel = Math.min(width, 0.25 + start / 4);
    for (let index = 0; index < nodes.length; index++) {
      const offset = (panel / 2) * nodes[index]!;
      const middle = start + panel / 2;
      sum += (panel / 2) * weights[index]! * (integrand(middle - offset) + integrand(middle + offset));
    }
  }
  return ((Math.exp(-rate * time) * forward * Math.exp(-alpha * k)) / Math.PI) * sum;
}
