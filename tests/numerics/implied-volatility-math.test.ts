// The routines the implied volatility is made of, each against numbers of 60 digits and within the error its header states.
// They are reached through the probe module, two lanes at a time and, for the odd last value, one.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { buildProbe } from "../../build/wasm";
import { seededRandom } from "../../src/foundation/random";
import golden from "../golden/implied_volatility_math.json";

const unit = 2 ** -53;
const seed = 20_251_001n;

const routines = { slope: 0, ratio: 1, difference: 2, productLow: 3, sumLow: 4, guess: 5 } as const;

const memory = new WebAssembly.Memory({ initial: 16 });
const { instance } = await WebAssembly.instantiate(readFileSync((await buildProbe()).path), { env: { memory } });
const probe = instance.exports as unknown as {
  heap_base(): number;
  evaluate_implied_volatility(routine: number, count: number, a: number, b: number, out: number): void;
};

function evaluate(routine: keyof typeof routines, a: readonly number[], b: readonly number[] = a): number[] {
  const start = Math.ceil(probe.heap_base() / 16) * 16;
  const bytes = a.length * 8 + 16;
  const [first, second, out] = [0, 1, 2].map((index) => Math.ceil((start + index * bytes) / 16) * 16) as [
    number,
    number,
    number,
  ];
  new Float64Array(memory.buffer, first, a.length).set(a);
  new Float64Array(memory.buffer, second, a.length).set(b);
  probe.evaluate_implied_volatility(routines[routine], a.length, first, second, out);
  return Array.from(new Float64Array(memory.buffer, out, a.length));
}

/** The largest error; NaN if one is NaN, so that it can't pass. */
function worst(errors: readonly number[]): number {
  let most = 0;
  for (const error of errors) if (!(error <= most)) most = Number.isNaN(most) ? most : error;
  return most;
}

/** A double as an exact multiple of 2^-1074. */
function exact(value: number): bigint {
  const bits = new BigUint64Array(new Float64Array([value]).buffer)[0]!;
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & 0xfffffffffffffn;
  const magnitude = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return bits >> 63n ? -magnitude : magnitude;
}

describe("S4.47 Mills ratios for the implied volatility", () => {
  test("the ratio is right to twelve units of 2^-53 from -0.75 to 39.25", () => {
    const computed = evaluate(
      "ratio",
      golden.ratio.map(([z]) => z!),
    );
    expect(worst(computed.map((value, row) => Math.abs(value / golden.ratio[row]![1]! - 1) / unit))).toBeLessThan(12);
  });

  test("the slope is right to eight units of 2^-53 from 0 to 40", () => {
    const computed = evaluate(
      "slope",
      golden.slope.map(([h]) => h!),
    );
    expect(worst(computed.map((value, row) => Math.abs(value / golden.slope[row]![1]! - 1) / unit))).toBeLessThan(8);
  });

  test("the difference by its series is right to three units of 2^-53 of s = 2t, however small t is", () => {
    const computed = evaluate(
      "difference",
      golden.difference.map(([h]) => h!),
      golden.difference.map(([, t]) => t!),
    );
    const errors = computed.map((value, row) => {
      const [, t, difference] = golden.difference[row]! as [number, number, number];
      return Math.abs(value - difference) / (2 * t) / unit;
    });
    expect(worst(errors)).toBeLessThan(3);
  });
});

describe("rounding errors as numbers", () => {
  const random = seededRandom(seed);
  const draw = () => (random.unit() - 0.5) * 2 ** Math.floor((random.unit() - 0.5) * 60);
  const a = Array.from({ length: 2001 }, draw);
  const b = Array.from({ length: 2001 }, draw);

  test(`a sum and its low word are the exact sum (seed ${seed})`, () => {
    const low = evaluate("sumLow", a, b);
    for (const [row, value] of low.entries()) {
      expect(exact(a[row]! + b[row]!) + exact(value)).toBe(exact(a[row]!) + exact(b[row]!));
    }
  });

  test(`a product and its low word are the exact product to 2^-105 of it (seed ${seed})`, () => {
    const low = evaluate("productLow", a, b);
    for (const [row, value] of low.entries()) {
      const product = exact(a[row]!) * exact(b[row]!);
      const difference = ((exact(a[row]! * b[row]!) + exact(value)) << 1074n) - product;
      const [size, whole] = [difference, product].map((each) => (each < 0n ? -each : each)) as [bigint, bigint];
      expect(size << 105n <= whole).toBeTrue();
    }
  });
});

describe("the first guess of s = σ√T", () => {
  // The time value over its cap for x = |ln(forward/strike)| and s, from the ratios above: v = φ(h - t)(R(h - t) - R(h + t)).
  const rows = [1e-3, 0.01, 0.1, 0.5, 1, 2, 4, 8, 12, 16].flatMap((x) =>
    [0.02, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.5, 2, 2.5].map((s) => ({ x, s, h: x / s, t: s / 2 })),
  );
  const left = evaluate(
    "ratio",
    rows.map(({ h, t }) => Math.min(39, Math.max(-0.75, h - t))),
  );
  const right = evaluate(
    "ratio",
    rows.map(({ h, t }) => Math.min(39, h + t)),
  );
  const cases = rows
    .map((row, index) => ({
      ...row,
      v: (Math.exp(-0.5 * (row.h - row.t) ** 2) / Math.sqrt(2 * Math.PI)) * (left[index]! - right[index]!),
    }))
    .filter(({ h, t, v }) => h - t > -0.75 && h + t < 37 && v <= 0.5);
  const guesses = evaluate(
    "guess",
    cases.map(({ x }) => x),
    cases.map(({ v }) => v),
  );
  const errors = cases.map(({ s }, row) => ({ s, error: Math.abs(guesses[row]! / s - 1) }));

  test.each([
    [0.6, 4e-5],
    [1, 1.5e-4],
    [2.5, 1e-2],
  ])("it is within its stated error up to s = %p", (deviationMax, tolerance) => {
    const sizes = errors.filter(({ s }) => s <= deviationMax).map(({ error }) => error);
    expect(sizes.length).toBeGreaterThan(20);
    expect(worst(sizes)).toBeLessThan(tolerance);
  });
});
