// Simulated prices against closed forms and the exercise boundary, within the errors they tell of themselves; and that a seed gives the same numbers.

import { beforeAll, describe, expect, test } from "bun:test";
import { type OutputName, statusCodes } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { testEngine } from "../../harness/kernel";
import { drawer, type NamedInputs, priceOne, rowsRequest } from "../../harness/stochastic";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const market = { spot: 100, strike: 105, time_to_expiry: 1, rate: 0.05, dividend_yield: 0.02, volatility: 0.25 };
const [european, american] = [0, 1];
const [sobol, pseudoRandom] = [0, 1];
const reductions = { none: 0, antithetic: 1, control: 2, both: 3 } as const;
const derivatives: OutputName[] = ["delta", "vega", "rho", "dividend_rho", "dual_delta"];

const simulated = (row: NamedInputs) => priceOne(engine, "monte_carlo", { ...market, ...row });

describe("S4.47 a simulated European option", () => {
  for (const sampling of [sobol, pseudoRandom]) {
    for (const [name, reduction] of Object.entries(reductions)) {
      test(`has Black and Scholes' price within five of its standard errors (sampling ${sampling}, reduction ${name})`, () => {
        for (const isCall of [true, false]) {
          const row = { isCall, exercise: european, sampling, variance_reduction: reduction, paths: 16_384, seed: 7 };
          const { price, standard_error: error, status } = simulated(row);
          const exact = priceOne(engine, "black_scholes_merton", { ...market, isCall });
          expect(status).toBe(statusCodes.ok);
          expect(error).toBeGreaterThan(0);
          expect(Math.abs(price - exact.price)).toBeLessThanOrEqual(5 * error);
          expect(error).toBeLessThan(sampling === sobol ? 0.02 : 0.25);
          const found = simulated(row);
          for (const output of derivatives) {
            const tolerance = sampling === sobol ? 2e-3 : 2e-2;
            expect(Math.abs(found[output] - exact[output]), output).toBeLessThanOrEqual(
              tolerance * Math.abs(exact[output]),
            );
          }
        }
      });
    }
  }

  test("tells its error: over sixty seeds prices scatter by as much as they say", () => {
    for (const sampling of [sobol, pseudoRandom]) {
      const exact = priceOne(engine, "black_scholes_merton", market).price;
      let squares = 0;
      let stated = 0;
      let bias = 0;
      const seeds = 60;
      for (let seed = 0; seed < seeds; seed++) {
        const row = { exercise: european, sampling, variance_reduction: reductions.none, paths: 1024, seed };
        const { price, standard_error: error } = simulated(row);
        squares += (price - exact) ** 2;
        stated += error ** 2;
        bias += price - exact;
      }
      // both estimates of a variance have some 60 and 900 degrees of freedom
      expect(squares / stated).toBeGreaterThan(0.5);
      expect(squares / stated).toBeLessThan(1.8);
      expect(Math.abs(bias / seeds)).toBeLessThan((4 * Math.sqrt(stated)) / seeds);
    }
  });

  test("is made better by evenly spread points, by mirrored paths and by a control", () => {
    const errorOf = (sampling: number, reduction: number) => {
      let sum = 0;
      for (let seed = 0; seed < 8; seed++) {
        const row = { exercise: european, sampling, variance_reduction: reduction, paths: 4096, seed };
        sum += simulated(row).standard_error ** 2;
      }
      return Math.sqrt(sum);
    };
    const plain = errorOf(pseudoRandom, reductions.none);
    expect(errorOf(pseudoRandom, reductions.antithetic)).toBeLessThan(plain);
    expect(errorOf(pseudoRandom, reductions.control)).toBeLessThan(0.7 * plain);
    expect(errorOf(sobol, reductions.none)).toBeLessThan(0.2 * plain);
  });
});

describe("S4.47 a simulated American option", () => {
  const options: [string, NamedInputs][] = [
    ["a put", { isCall: false }],
    ["a put in the money", { isCall: false, strike: 115 }],
    ["a put out of the money", { isCall: false, strike: 85 }],
    ["a call whose yield is high", { isCall: true, dividend_yield: 0.1, strike: 95 }],
  ];
  test.each(options)(
    "has the exercise boundary's price, less what its dates and its rule leave out: %s",
    (_, option) => {
      const exact = priceOne(engine, "american", { ...market, ...option, scheme: 2 }).price;
      for (const sampling of [sobol, pseudoRandom]) {
        const row = { ...option, exercise: american, steps: 50, paths: 16_384, sampling };
        const { price, standard_error: error, delta, status } = simulated(row);
        expect(status).toBe(statusCodes.ok);
        // never more but for chance; less by no more than a third of a thousandth of the strike
        expect(price).toBeLessThanOrEqual(exact + 4 * error);
        expect(price).toBeGreaterThanOrEqual(exact - 4 * error - 0.035);
        expect(error).toBeLessThan(0.05);
        const other = priceOne(engine, "american", { ...market, ...option });
        expect(Math.abs(delta - other.delta)).toBeLessThanOrEqual(0.015);
      }
    },
  );

  test("of one date is European, and of a call that nobody exercises too", () => {
    const once = simulated({ isCall: false, exercise: american, steps: 1 });
    const black = priceOne(engine, "black_scholes_merton", { ...market, isCall: false });
    expect(Math.abs(once.price - black.price)).toBeLessThanOrEqual(1e-12);
    const call = simulated({ exercise: american, dividend_yield: 0, steps: 20 });
    const plain = priceOne(engine, "black_scholes_merton", { ...market, dividend_yield: 0 });
    expect(call.price).toBeGreaterThanOrEqual(plain.price);
    // each path pays what its control does, whatever the fitted rule says: nobody exercises for less than the European option is worth
    const held = simulated({
      exercise: american,
      dividend_yield: 0,
      steps: 20,
      variance_reduction: reductions.control,
    });
    expect(held.standard_error).toBeLessThan(1e-9);
    expect(call.price).toBeLessThanOrEqual(plain.price + 4 * call.standard_error + 1e-12);
  });

  test("deep in the money is exercised now, which is sure", () => {
    const { price, delta, vega, dual_delta, standard_error } = simulated({
      isCall: false,
      exercise: american,
      spot: 40,
    });
    expect([price, delta, vega, dual_delta, standard_error]).toEqual([65, -1, 0, 1, 0]);
  });

  test("is never worth less than its payoff nor than the European option, whatever it is", () => {
    const { between, spread } = drawer(12);
    const rows = Array.from(
      { length: 60 },
      (_, index): NamedInputs => ({
        isCall: index % 2 === 0,
        spot: 100,
        strike: spread(60, 160),
        time_to_expiry: spread(0.01, 10),
        rate: between(-0.05, 0.1),
        dividend_yield: between(-0.05, 0.1),
        volatility: spread(0.02, 1.2),
        exercise: american,
        steps: Math.floor(between(1, 64)),
        paths: 1024,
        seed: index,
      }),
    );
    const { columns, status } = engine.price(rowsRequest("monte_carlo", rows));
    for (const [index, row] of rows.entries()) {
      const { exercise: _, steps: __, paths: ___, seed: ____, ...plain } = row;
      const black = priceOne(engine, "black_scholes_merton", plain).price;
      const shown = JSON.stringify(row);
      expect(status[index], shown).toBe(statusCodes.ok);
      expect(columns.price![index]!, shown).toBeGreaterThanOrEqual(
        Math.max(black - 1e-13 * 100, row.isCall ? 100 - row.strike! : row.strike! - 100, 0),
      );
      const exact = priceOne(engine, "american", plain).price;
      expect(columns.price![index]!, shown).toBeLessThanOrEqual(exact + 6 * columns.standard_error![index]! + 1e-9);
    }
  });
});

describe("S4.47 a seed", () => {
  test("gives the same bits again, alone or in any batch, and another seed other ones", () => {
    const rows = Array.from(
      { length: 12 },
      (_, index): NamedInputs => ({
        ...market,
        // an American call at a low yield is worth the European one, whatever the seed
        isCall: index % 3 !== 0 && index % 2 === 0,
        exercise: index % 3 === 0 ? american : european,
        sampling: index % 2,
        steps: 10,
        paths: 2048,
        seed: 1 + (index % 4),
      }),
    );
    const together = engine.price(rowsRequest("monte_carlo", rows)).columns.price!;
    const backwards = engine.price(rowsRequest("monte_carlo", rows.toReversed())).columns.price!;
    for (const [index, row] of rows.entries()) {
      expect(priceOne(engine, "monte_carlo", row).price).toBe(together[index]!);
      expect(backwards[rows.length - 1 - index]!).toBe(together[index]!);
      expect(priceOne(engine, "monte_carlo", { ...row, seed: 99 }).price).not.toBe(together[index]!);
    }
    // all of a large seed counts
    const large = simulated({ seed: 2 ** 53 }).price;
    expect(simulated({ seed: 2 ** 53 - 2 ** 52 }).price).not.toBe(large);
  });
});

describe("S4.47 a simulation's edges", () => {
  const status = (row: NamedInputs) => simulated(row).status;

  test("have the statuses of the contract", () => {
    for (const exercise of [european, american]) {
      expect(status({ exercise, time_to_expiry: 0 })).toBe(statusCodes.expired);
      expect(status({ exercise, spot: 0 })).toBe(statusCodes.zero_underlying);
      expect(status({ exercise, volatility: 0 })).toBe(statusCodes.zero_volatility);
      expect(status({ exercise, strike: 0 })).toBe(statusCodes.ok);
      expect(status({ exercise, volatility: -1 })).toBe(statusCodes.out_of_domain);
      expect(status({ exercise, volatility: 8.1 })).toBe(statusCodes.out_of_domain);
    }
    for (const [name, wrong] of [
      ["paths", 63],
      ["paths", 100.5],
      ["paths", 262_145],
      ["steps", 0],
      ["steps", 65],
      ["steps", 2.5],
      ["seed", -1],
      ["seed", 0.5],
      ["seed", 2 ** 54],
      ["exercise", 2],
      ["sampling", 2],
      ["variance_reduction", 4],
    ] as const) {
      expect(status({ [name]: wrong }), `${name} ${wrong}`).toBe(statusCodes.out_of_domain);
    }
    for (const name of [
      "paths",
      "steps",
      "seed",
      "exercise",
      "sampling",
      "variance_reduction",
      "volatility",
    ] as const) {
      expect(status({ [name]: Number.NaN }), name).toBe(statusCodes.non_finite);
    }
    // what both together may come to
    expect(status({ exercise: american, paths: 262_144, steps: 9 })).toBe(statusCodes.out_of_domain);
    expect(status({ exercise: european, paths: 262_144, steps: 17 })).toBe(statusCodes.ok);
  });

  test("give limits without error", () => {
    const sure = simulated({ exercise: american, volatility: 0, isCall: false });
    expect([sure.price, sure.standard_error]).toEqual([5, 0]);
    const expired = simulated({ time_to_expiry: 0, spot: 110 });
    expect([expired.price, expired.delta, expired.standard_error]).toEqual([5, 1, 0]);
  });
});
