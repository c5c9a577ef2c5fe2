// Barriers that hold for part of an option's life: against a double integral over the spots when the window opens and closes, against windows of
// the whole life and of hardly any, by the pricing equation and by differences; what is refused.

import { beforeAll, describe, expect, test } from "bun:test";
import { type OutputName, statusCodes } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { seededRandom } from "../../../src/foundation/random";
import {
  type ExoticRow,
  everyday,
  exoticOutputs,
  exoticRequest,
  randomRows,
  type Wildness,
  wild,
} from "../../harness/exotic";
import { integral } from "../../harness/exotic-twin";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

type Values = Record<OutputName, number> & { status: number };

function valuesOf(rows: readonly ExoticRow[], outputs: readonly OutputName[] = exoticOutputs): Values[] {
  const { columns, status } = engine.price(exoticRequest("barrier", rows, outputs));
  return rows.map((_, index) => {
    const values = Object.fromEntries(outputs.map((output) => [output, columns[output]![index]!]));
    return { ...values, status: status[index]! } as Values;
  });
}

const numbersOf = (row: ExoticRow) => row as unknown as Record<string, number>;

/** One barrier, and windows at the beginning, at the end and in the middle, in turns; some spots beyond a barrier that does not hold yet. */
function windowRows(count: number, seed: number, wildness: Wildness): ExoticRow[] {
  const source = seededRandom(BigInt(seed));
  return randomRows("barrier", count * 2, seed, wildness)
    .filter((row) => !String(row.barrier_type).startsWith("double"))
    .map((row, index) => {
      const years = Number(row.time_to_expiry);
      const start = index % 3 === 0 ? 0 : years * (0.05 + 0.5 * source.unit());
      const end = index % 3 === 1 ? 0 : start + (years - start) * (0.1 + 0.8 * source.unit());
      const isIn = String(row.barrier_type).endsWith("in");
      const isBeyond = start > 0 && source.unit() < 0.3;
      const barrier = Number(row.barrier);
      const spot = Number(row.spot);
      return {
        ...row,
        barrier: isBeyond ? (spot * spot) / barrier : barrier,
        rebate: isIn ? row.rebate! : 0,
        window_start: start,
        window_end: end,
      };
    });
}

/** N(x), to 1e-16 of 1. */
function law(x: number): number {
  if (Math.abs(x) > 9) return x > 0 ? 1 : 0;
  let term = x;
  let sum = x;
  for (let k = 3; Math.abs(term) > 1e-18 * Math.abs(sum); k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}

/** Panels between two breaks: enough for the nested integral. */
const innerPanels = 8;

/** Knock-out: over ln spot when the window opens and, on paths that live, when it closes; from there a plain option. */
function twin(row: ExoticRow, isSure: boolean): number {
  const { spot, strike, time_to_expiry: time, rate, dividend_yield: q, volatility: v, barrier } = numbersOf(row);
  const start = Number(row.window_start);
  const end = Number(row.window_end) || time!;
  const nu = rate! - q! - 0.5 * v! * v!;
  const side = String(row.barrier_type).startsWith("down") ? 1 : -1;
  const h = Math.log(barrier! / spot!);
  const left = time! - end;
  const sign = row.isCall ? 1 : -1;
  const plain = (x: number) => {
    const s = spot! * Math.exp(x);
    if (isSure) return 1;
    if (left === 0) return Math.max(sign * (s - strike!), 0);
    const d = (Math.log(s / strike!) + (rate! - q! + 0.5 * v! * v!) * left) / (v! * Math.sqrt(left));
    const grown = s * Math.exp((rate! - q!) * left);
    return sign * (grown * law(sign * d) - strike! * law(sign * (d - v! * Math.sqrt(left))));
  };
  const kink = Math.log(strike! / spot!) - (rate! - q!) * left;
  const normal = (x: number, mean: number, variance: number) =>
    Math.exp(-((x - mean) ** 2) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance);
  const over = end - start;
  const s1 = v! * Math.sqrt(start);
  const s2 = v! * Math.sqrt(over);
  /** From a point where the window opens. */
  const closing = (x1: number) => {
    const f = (x2: number) =>
      normal(x2, x1 + nu * over, v! * v! * over) *
      -Math.expm1((-2 * (h - x1) * (h - x2)) / (v! * v! * over)) *
      plain(x2);
    const ends = [h, x1 + nu * over + side * (9 * s2 + v! * v! * over)];
    const [low, high] = side > 0 ? ends : ends.toReversed();
    return low! < high! ? integral(f, low!, high!, [kink, x1], innerPanels) : 0;
  };
  const discount = Math.exp(-rate! * time!);
  if (start === 0) return discount * closing(0);
  const ends = [h, nu * start + side * (9 * s1 + v! * v! * start)];
  const [low, high] = side > 0 ? ends : ends.toReversed();
  const near = [h + side * s2, h + 4 * side * s2, kink];
  return low! < high!
    ? discount * integral((x1) => normal(x1, nu * start, v! * v! * start) * closing(x1), low!, high!, near, innerPanels)
    : 0;
}

describe("S4.47 barriers in a window", () => {
  test("agree with double integrals, at the beginning, at the end, in the middle", () => {
    const rows = windowRows(24, 5, { volatility: [0.1, 0.6], years: [0.1, 2], carry: 0.1 }).slice(0, 24);
    for (const [index, { price, status }] of valuesOf(rows, ["price"]).entries()) {
      const row = rows[index]!;
      const living = twin(row, false);
      const isIn = String(row.barrier_type).endsWith("in");
      const plain = engine.price(exoticRequest("black_scholes_merton", [row], ["price"])).columns.price![0]!;
      const expected = isIn ? plain - living + (row.rebate ? Number(row.rebate) * twin(row, true) : 0) : living;
      expect(status).toBe(0);
      expect(Math.abs(price - expected), `${price} ${expected} ${JSON.stringify(row)}`).toBeLessThan(1e-10);
    }
  });

  test("of the whole life, or of hardly less, are barrier options in every output", () => {
    const rows = randomRows("barrier", 60, 2, everyday)
      .filter((row) => !String(row.barrier_type).startsWith("double"))
      .map((row) => ({ ...row, rebate: String(row.barrier_type).endsWith("in") ? 3 : 0 }));
    const whole = valuesOf(rows);
    for (const [start, end] of [
      [1e-12, 0],
      [0, 1 - 1e-12],
      [1e-12, 1 - 1e-12],
    ] as const) {
      const parts = valuesOf(
        rows.map((row) => ({
          ...row,
          window_start: start * Number(row.time_to_expiry),
          window_end: end * Number(row.time_to_expiry),
        })),
      );
      for (const [index, part] of parts.entries()) {
        for (const output of exoticOutputs) {
          if (output === "lambda") continue;
          const value = whole[index]![output];
          expect(Math.abs(part[output] - value), `${output} ${JSON.stringify(rows[index])}`).toBeLessThan(
            1e-8 * (1 + Math.abs(value)),
          );
        }
      }
    }
  });

  test.each([
    ["everyday", everyday, 1e-10],
    ["wild", { ...wild, volatility: [0.1, 3] } as Wildness, 1e-8],
  ] as const)("fulfil the pricing equation and what follows from it, %s", (_, wildness, tolerance) => {
    const rows = windowRows(150, 8, wildness);
    for (const [index, value] of valuesOf(rows).entries()) {
      const row = rows[index]!;
      const { spot: s, rate: r, dividend_yield: q, volatility: v } = numbersOf(row);
      expect(value.status, JSON.stringify(row)).toBe(0);
      const carry = (r! - q!) * s!;
      const half = 0.5 * v! * v! * s! * s!;
      const equations = [
        [value.theta, carry * value.delta, half * value.gamma, -r! * value.price],
        [
          value.charm,
          carry * value.gamma,
          (r! - q!) * value.delta,
          half * value.speed,
          v! * v! * s! * value.gamma,
          -r! * value.delta,
        ],
        [value.veta, carry * value.vanna, half * value.zomma, v! * s! * s! * value.gamma, -r! * value.vega],
      ];
      for (const terms of equations) {
        const sum = terms.reduce((all, term) => all + term, 0);
        const size = terms.reduce((all, term) => all + Math.abs(term), 0);
        expect(Math.abs(sum), JSON.stringify(row)).toBeLessThanOrEqual(tolerance * size + 1e-12 * (1 + size));
      }
    }
  });

  test("have Greeks that are differences of those below", () => {
    const rows = windowRows(40, 12, everyday);
    const at = valuesOf(rows);
    const steps = [
      ["delta", "price", "spot"],
      ["speed", "gamma", "spot"],
      ["vega", "price", "volatility"],
      ["ultima", "volga", "volatility"],
      ["volga", "vega", "volatility"],
      ["rho", "price", "rate"],
      ["dividend_rho", "price", "dividend_yield"],
      ["dual_delta", "price", "strike"],
      ["dual_gamma", "dual_delta", "strike"],
      ["color", "gamma", "time_to_expiry"],
    ] as const;
    for (const [greek, below, input] of steps) {
      const step = rows.map((row) => {
        const deviation = Number(row.volatility) * Math.sqrt(Number(row.time_to_expiry));
        if (input === "spot" || input === "strike") return 0.004 * deviation * Number(row[input]);
        if (input === "volatility" || input === "time_to_expiry") return 0.004 * Number(row[input]);
        return (0.01 * Number(row.volatility)) / Math.sqrt(Number(row.time_to_expiry));
      });
      const moved = (times: number) =>
        valuesOf(
          rows.map((row, index) => {
            const by = times * step[index]!;
            const there = { ...row, [input]: Number(row[input]) + by };
            if (input !== "time_to_expiry") return there;
            const shift = (at: unknown) => (Number(at) > 0 ? Number(at) + by : 0);
            return { ...there, window_start: shift(row.window_start), window_end: shift(row.window_end) };
          }),
          [below],
        );
      const [m3, m2, m1, p1, p2, p3] = [-3, -2, -1, 1, 2, 3].map(moved) as [
        Values[],
        Values[],
        Values[],
        Values[],
        Values[],
        Values[],
      ];
      for (const [index, row] of rows.entries()) {
        // a difference may not look across a barrier that holds already
        const { spot, barrier } = numbersOf(row);
        if (input === "spot" && Math.abs(spot! - barrier!) < 5 * step[index]!) continue;
        const of = (values: Values[]) => values[index]![below];
        const difference = (45 * (of(p1) - of(m1)) - 9 * (of(p2) - of(m2)) + of(p3) - of(m3)) / (60 * step[index]!);
        const expected = input === "time_to_expiry" ? -difference : difference;
        const size = Math.max(...[m3, p3].map((values) => Math.abs(of(values))));
        const tolerance =
          2e-5 * Math.abs(expected) + (1e-11 * (size + (below === "price" ? 100 : 0))) / step[index]! + 1e-7;
        expect(
          Math.abs(at[index]![greek] - expected),
          `${greek} ${at[index]![greek]} ${expected} ${JSON.stringify(row)}`,
        ).toBeLessThanOrEqual(tolerance);
      }
    }
  });

  const base = {
    isCall: true,
    spot: 100,
    strike: 95,
    time_to_expiry: 0.5,
    rate: 0.05,
    dividend_yield: 0.02,
    volatility: 0.25,
    barrier_type: "down_out",
    barrier: 90,
  };
  const price = (row: ExoticRow) => valuesOf([row])[0]!;

  test("lie between the barrier of the whole life and none", () => {
    const [whole, plain] = [price(base).price, price({ ...base, barrier_type: "none" }).price];
    const shares = [0.1, 0.5, 0.9].flatMap((end) =>
      [0, 0.05].map((start) => price({ ...base, window_start: start, window_end: start + end * (0.5 - start) }).price),
    );
    for (const part of shares) {
      expect(part).toBeGreaterThan(whole);
      expect(part).toBeLessThan(plain);
    }
  });

  test("at the edges: expired, knocked, sure, no strike", () => {
    expect(price({ ...base, time_to_expiry: 0, window_start: 0.1 })).toMatchObject({ price: 5, status: 1 });
    expect(price({ ...base, barrier: 100, window_end: 0.2 })).toMatchObject({ price: 0, status: 0 });
    expect(price({ ...base, barrier: 100, window_start: 0.1 }).price).toBeGreaterThan(1);
    // a start that has passed is now
    expect(price({ ...base, barrier: 100, window_start: -0.1, window_end: 0.2 }).price).toBe(0);
    expect(price({ ...base, window_start: -0.1, window_end: 0.2 })).toEqual(price({ ...base, window_end: 0.2 }));
    const plain = price({ ...base, barrier_type: "none" }).price;
    expect(price({ ...base, barrier: 103, window_start: -0.1, window_end: 0.2, barrier_type: "down_in" }).price).toBe(
      plain,
    );
    expect(price({ ...base, barrier: 100, window_end: 0.2, barrier_type: "down_in" }).price).toBe(plain);
    const sure = { ...base, volatility: 0, barrier_type: "up_out", barrier: 101 };
    // the forward passes 101 after 0.33 years
    expect(price({ ...sure, window_end: 0.3 }).price).toBeCloseTo(100 * Math.exp(-0.01) - 95 * Math.exp(-0.025), 12);
    expect(price({ ...sure, window_end: 0.4 }).price).toBe(0);
    expect(price({ ...sure, window_start: 0.1 }).price).toBe(0);
    expect(price({ ...sure, barrier_type: "up_in", rebate: 2, window_end: 0.3 }).price).toBeCloseTo(
      2 * Math.exp(-0.025),
      13,
    );
    const free = price({ ...base, strike: 0, window_start: 0.1, window_end: 0.3 });
    expect(free.price).toBeCloseTo(price({ ...base, strike: 1e-9, window_start: 0.1, window_end: 0.3 }).price, 7);
    expect(price({ ...base, strike: 0, isCall: false, window_start: 0.1, window_end: 0.3 }).price).toBe(0);
  });

  test.each([
    [{ window_end: 0.6 }, "out_of_domain"],
    [{ window_end: -0.1 }, "out_of_domain"],
    [{ window_start: 0.5 }, "out_of_domain"],
    [{ window_start: 0.3, window_end: 0.2 }, "out_of_domain"],
    [{ window_start: 0.1, rebate: 1 }, "out_of_domain"],
    [{ window_start: 0.1, barrier_type: "double_out", upper_barrier: 130 }, "out_of_domain"],
    [{ window_start: 0.1, volatility: 0.005, barrier: 50 }, "out_of_domain"],
    [{ window_start: Number.NaN }, "non_finite"],
    [{ window_end: Number.POSITIVE_INFINITY }, "non_finite"],
  ] as const)("%j is refused: %s", (change, status) => {
    const values = price({ ...base, ...change });
    expect(values.status).toBe(statusCodes[status]);
    for (const output of exoticOutputs) expect(values[output], output).toBeNaN();
  });
});
