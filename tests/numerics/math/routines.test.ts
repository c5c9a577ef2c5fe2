// Each math routine of the kernel against values at 60 digits, one lane and two, and the woven forms against the plain ones.
// The bounds are the errors that the routines' headers state, in units of 2^-53 relative to the value.

import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { buildProbe } from "../../../build/wasm";
import golden from "../../golden/math-routines.json";

interface Probe {
  heap_base(): number;
  evaluate_pairs(routine: number, count: number, a: number, b: number, out: number, space: number): void;
  evaluate_singles(routine: number, count: number, a: number, b: number, out: number, space: number): void;
}

const memory = new WebAssembly.Memory({ initial: 4 });
let probe: Probe;

beforeAll(async () => {
  const module = new WebAssembly.Module(readFileSync((await buildProbe()).path));
  probe = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Probe;
});

/** The routine's values, from the two-lane or the one-lane door. */
function evaluate(
  door: "evaluate_pairs" | "evaluate_singles",
  routine: number,
  a: number[],
  b: number[],
): Float64Array {
  const space = Math.ceil(probe.heap_base() / 64) * 64;
  const count = a.length + (a.length % 2);
  const column = (index: number) => new Float64Array(memory.buffer, space + 64 + index * count * 8, count);
  column(0).fill(1).set(a);
  column(1).fill(1).set(b);
  const [first, second, out] = [0, 1, 2].map((index) => column(index).byteOffset);
  probe[door](routine, count, first!, second!, out!, space);
  return column(2).slice(0, a.length);
}

const bits = (column: Float64Array) => [...new BigUint64Array(column.buffer)];

const routines = [
  { name: "exp", id: 0, rows: golden.exp, arguments: 1, bound: 1.6 },
  { name: "expOfSum", id: 1, rows: golden.exp_of_sum, arguments: 2, bound: 1.6 },
  { name: "logRatio", id: 2, rows: golden.log_ratio, arguments: 2, bound: 2.8 },
  { name: "mills", id: 3, rows: golden.mills, arguments: 1, bound: 10 },
  { name: "normalDensity", id: 4, rows: golden.normal_density, arguments: 1, bound: 2.7 },
  { name: "normalLaw", id: 5, rows: golden.normal_law, arguments: 1, bound: 12 },
  { name: "exp2", id: 6, rows: golden.exp2, arguments: 1, bound: 1.6 },
  { name: "sine", id: 20, rows: golden.sine, arguments: 1, bound: 2.5 },
  { name: "cosine", id: 21, rows: golden.cosine, arguments: 1, bound: 2.5 },
  { name: "angle", id: 22, rows: golden.angle, arguments: 2, bound: 2 },
  { name: "expLessOne", id: 23, rows: golden.exp_less_one, arguments: 1, bound: 4 },
  { name: "logOnePlus", id: 24, rows: golden.log_one_plus, arguments: 1, bound: 4 },
  { name: "millsWeighted", id: 7, rows: golden.mills.filter(([x]) => x! <= 37.5), arguments: 1, bound: 130 },
];

describe("S4.47 math routines", () => {
  for (const { name, id, rows, arguments: argumentCount, bound } of routines) {
    const a = rows.map((row) => row[0]!);
    const b = rows.map((row) => (argumentCount > 1 ? row[1]! : 0));

    test(`${name} stays within ${bound} units of 2^-53 of ${rows.length} values at 60 digits`, () => {
      const computed = evaluate("evaluate_pairs", id, a, b);
      let worst = 0;
      let worstRow: number[] = [];
      for (const [index, row] of rows.entries()) {
        const [high, low] = [row[argumentCount]!, row[argumentCount + 1]!];
        const error = Math.abs(computed[index]! - high - low);
        const units = error === 0 ? 0 : (error / Math.abs(high)) * 2 ** 53;
        if (!(units <= worst)) [worst, worstRow] = [units, row];
      }
      expect(worst, `worst at ${worstRow}`).toBeLessThanOrEqual(bound);
      // the stated error is the real one, not a generous one
      expect(worst).toBeGreaterThan(bound / 2.5);
    });

    test(`${name} gives the same bits in one lane as in two`, () => {
      expect(bits(evaluate("evaluate_singles", id, a, b))).toEqual(bits(evaluate("evaluate_pairs", id, a, b)));
    });
  }

  for (const door of ["evaluate_pairs", "evaluate_singles"] as const) {
    test(`storeThreeExp2s gives the bits of exp2 through ${door}`, () => {
      const a = golden.exp2.map((row) => row[0]!);
      const b = a.toReversed();
      for (const [routine, from] of [
        [10, a],
        [11, b],
        [12, a],
      ] as const) {
        expect(bits(evaluate(door, routine, a, b))).toEqual(bits(evaluate(door, 6, from, b)));
      }
    });

    test(`storeTwoMillsWeighted gives the bits of millsWeighted through ${door}`, () => {
      const a = golden.mills.map((row) => row[0]!);
      const b = a.toReversed();
      expect(bits(evaluate(door, 13, a, b))).toEqual(bits(evaluate(door, 7, a, b)));
      expect(bits(evaluate(door, 14, a, b))).toEqual(bits(evaluate(door, 7, b, a)));
    });
  }

  test("millsWeighted is off by at most 1.3e-16 in what it is for, the tail itself", () => {
    const computed = evaluate(
      "evaluate_pairs",
      7,
      golden.mills.map((row) => row[0]!),
      golden.mills.map(() => 0),
    );
    const errors = golden.mills.map(
      ([x, high, low], index) =>
        (Math.abs(computed[index]! - high! - low!) * Math.exp((-x! * x!) / 2)) / Math.sqrt(2 * Math.PI),
    );
    expect(Math.max(...errors)).toBeLessThan(1.3e-16);
  });

  test("exp2 of -1023 is exactly zero", () => {
    expect([...evaluate("evaluate_pairs", 6, [-1023, -1023.25], [0, 0])]).toEqual([0, 0]);
  });

  test("logRatio of equal numbers is exactly zero and of neighbours is not", () => {
    const values = [1, 2, 100, 1.6e60, 7e-61, 1.5];
    expect([...evaluate("evaluate_pairs", 2, values, values)]).toEqual([0, 0, 0, 0, 0, 0]);
    const above = values.map((value) => value * (1 + 2 ** -52));
    for (const [index, computed] of evaluate("evaluate_pairs", 2, above, values).entries()) {
      const expected = (above[index]! - values[index]!) / values[index]!;
      expect(Math.abs(computed / expected - 1)).toBeLessThan(1e-15);
    }
  });

  test("normalDensity and normalLaw are exactly 0 and 1 past the cap of 37.5", () => {
    const beyond = [37.5, -37.5, 50, -50, 1e93, -1e93];
    expect([...evaluate("evaluate_pairs", 4, beyond, beyond)]).toEqual([0, 0, 0, 0, 0, 0]);
    expect([...evaluate("evaluate_pairs", 5, beyond, beyond)]).toEqual([1, 0, 1, 0, 1, 0]);
  });
});
