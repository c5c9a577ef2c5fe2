// Heston's model against an integral of another kind over a function that solves the model's own equations step by step, against its limits and bounds, and its Greeks
// against differences of its prices.

import { beforeAll, describe, expect, test } from "bun:test";
import { modelNamed, type OutputName, statusCodes } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { testEngine } from "../../harness/kernel";
import {
  carrMadanCall,
  difference,
  drawer,
  hestonLogCharacteristic,
  type NamedInputs,
  priceOne,
  rowsRequest,
} from "../../harness/stochastic";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const ordinary: NamedInputs = {
  spot: 100,
  strike: 110,
  time_to_expiry: 0.7,
  rate: 0.03,
  dividend_yield: 0.01,
  v0: 0.04,
  kappa: 1.5,
  long_variance: 0.05,
  vol_of_vol: 0.6,
  correlation: -0.7,
};
/** So little variance beside its volatility that no even spacing serves: each option has a contour of its own. */
const violent: NamedInputs = {
  ...ordinary,
  strike: 80,
  time_to_expiry: 3,
  v0: 0.003,
  kappa: 0.2,
  long_variance: 0.01,
  vol_of_vol: 3,
  correlation: 0.6,
};

/** Rows over the whole domain, Feller's condition violated more often than not. */
function wildRows(count: number, seed: number): NamedInputs[] {
  const { between, spread } = drawer(seed);
  return Array.from({ length: count }, (_, index) => {
    const [v0, long_variance, time_to_expiry] = [spread(1e-4, 1), spread(1e-4, 1), spread(1 / 8760, 30)];
    const reach = Math.min(Math.sqrt(v0 * time_to_expiry), 0.7);
    return {
      isCall: index % 2 === 0,
      spot: 100,
      strike: 100 * Math.exp(between(-5, 5) * reach),
      time_to_expiry,
      rate: between(-0.05, 0.1),
      dividend_yield: between(-0.02, 0.06),
      v0,
      kappa: spread(0.05, 15),
      long_variance,
      vol_of_vol: spread(0.02, 5),
      correlation: between(-0.999, 0.999),
    };
  });
}

describe("S4.47 a Heston price", () => {
  const twins: [string, NamedInputs, { alpha: number; width: number; end: number }, number][] = [
    ["an ordinary year", ordinary, { alpha: 0.9, width: 4, end: 280 }, 600],
    ["a day", { ...ordinary, time_to_expiry: 1 / 365, strike: 101 }, { alpha: 1.5, width: 60, end: 1800 }, 400],
    ["ten years", { ...ordinary, time_to_expiry: 10, strike: 150 }, { alpha: 0.4, width: 1, end: 70 }, 2400],
    ["rising volatility with the asset", { ...ordinary, correlation: 0.8 }, { alpha: 0.4, width: 4, end: 300 }, 1200],
    ["no reversion", { ...ordinary, kappa: 0 }, { alpha: 0.6, width: 4, end: 280 }, 600],
    ["no variance now", { ...ordinary, v0: 0 }, { alpha: 0.6, width: 8, end: 960 }, 1200],
    ["next to no volatility of variance", { ...ordinary, vol_of_vol: 1e-5 }, { alpha: 1, width: 2, end: 50 }, 200],
  ];
  test.each(twins)("agrees with Carr and Madan's over stepped Riccati equations: %s", (_, row, rule, steps) => {
    const twin = carrMadanCall(row, (z) => hestonLogCharacteristic(z, row, steps), rule);
    const { price, status } = priceOne(engine, "heston", row);
    expect(status).toBe(statusCodes.ok);
    // the twin's own steps: a millionth of a percent of the spot
    expect(Math.abs(price - twin)).toBeLessThanOrEqual(1e-8 * 100);
  });

  test("of 600 wild options is always there, within its bounds, and keeps to parity", () => {
    const rows = wildRows(600, 20261121);
    const outputs: OutputName[] = ["price", "delta", "gamma", "theta", "vega", "dual_delta"];
    const { columns, status } = engine.price(rowsRequest("heston", rows, outputs));
    const others = engine.price(
      rowsRequest(
        "heston",
        rows.map((row) => ({ ...row, isCall: !row.isCall })),
        outputs,
      ),
    );
    for (const [index, row] of rows.entries()) {
      const shown = JSON.stringify(row);
      expect(status[index], shown).toBe(statusCodes.ok);
      for (const output of outputs) expect(Number.isFinite(columns[output]![index]!), `${output} ${shown}`).toBe(true);
      const asset = 100 * Math.exp(-row.dividend_yield! * row.time_to_expiry!);
      const loan = row.strike! * Math.exp(-row.rate! * row.time_to_expiry!);
      const price = columns.price![index]!;
      const size = Math.max(asset, loan);
      const side = row.isCall ? 1 : -1;
      expect(price, shown).toBeGreaterThanOrEqual(Math.max(side * (asset - loan), 0) - 1e-15 * size);
      expect(price, shown).toBeLessThanOrEqual((row.isCall ? asset : loan) * (1 + 1e-14));
      expect(Math.abs(price - others.columns.price![index]! - side * (asset - loan)), shown).toBeLessThanOrEqual(
        4e-15 * size,
      );
      // a density is nowhere below zero but for rounding, and more variance now is worth more
      expect(columns.gamma![index]! * 100, shown).toBeGreaterThanOrEqual(-1e-9);
      expect(side * columns.delta![index]!, shown).toBeGreaterThanOrEqual(-1e-11);
    }
  });

  test("falls and bends with the strike as a call must, from one way of integrating to the other", () => {
    for (const row of [ordinary, violent]) {
      const rows = Array.from({ length: 400 }, (_, index) => ({ ...row, strike: 20 * 1.012 ** index }));
      const { columns, status } = engine.price(rowsRequest("heston", rows, ["price", "dual_delta", "dual_gamma"]));
      expect(status.every((code) => code === 0)).toBe(true);
      for (let index = 1; index < rows.length; index++) {
        expect(columns.price![index]!).toBeLessThanOrEqual(columns.price![index - 1]! + 1e-13);
        expect(columns.dual_delta![index]!).toBeGreaterThanOrEqual(columns.dual_delta![index - 1]! - 1e-11);
        expect(columns.dual_gamma![index]!).toBeGreaterThanOrEqual(-1e-12);
        // the violent one's density is all but a spike, which no rule of three points sees
        if (row === violent) continue;
        // the integral of dual delta is the price: Simpson's rule would see a seam
        const [a, b] = [rows[index - 1]!.strike, rows[index]!.strike];
        const middle = priceOne(engine, "heston", { ...row, strike: (a + b) / 2 }).dual_delta;
        const mean = (columns.dual_delta![index - 1]! + 4 * middle + columns.dual_delta![index]!) / 6;
        expect(Math.abs(columns.price![index]! - columns.price![index - 1]! - mean * (b - a))).toBeLessThanOrEqual(
          2e-5,
        );
      }
    }
  });

  test("goes to Black and Scholes' as the volatility of variance goes to none, Greeks and all", () => {
    const sure = { ...ordinary, v0: 0.05, long_variance: 0.05 };
    const { v0: _, kappa: __, long_variance: ___, vol_of_vol: ____, correlation: _____, ...market } = sure;
    const black = priceOne(engine, "black_scholes_merton", { ...market, volatility: Math.sqrt(0.05) });
    const none = priceOne(engine, "heston", { ...sure, vol_of_vol: 0 });
    const little = priceOne(engine, "heston", { ...sure, vol_of_vol: 1e-7 });
    for (const output of modelNamed("heston").outputs) {
      if (output === "vega") continue; // the derivative in v0 alone, not in all of the variance
      const scale = Math.max(Math.abs(black[output]), 1e-3);
      expect(Math.abs(none[output] - black[output]), output).toBeLessThanOrEqual(1e-12 * scale);
      expect(Math.abs(little[output] - black[output]), output).toBeLessThanOrEqual(1e-6 * scale);
    }
    // with no reversion variance now is all there is, and vega is Black and Scholes' own
    const still = { ...sure, kappa: 0, vol_of_vol: 0 };
    expect(Math.abs(priceOne(engine, "heston", still).vega - black.vega)).toBeLessThanOrEqual(1e-11);
    const stillLittle = { ...still, vol_of_vol: 1e-7 };
    expect(Math.abs(priceOne(engine, "heston", stillLittle).vega - black.vega)).toBeLessThanOrEqual(1e-5);
  });

  test("is the same by a curve and by a contour: a little more volatility of variance changes which, and no price leaps", () => {
    const steps = Array.from({ length: 60 }, (_, index) => 0.6 + 0.04 * index);
    const prices = steps.map((vol_of_vol) => priceOne(engine, "heston", { ...ordinary, vol_of_vol }).price);
    for (let index = 3; index < prices.length; index++) {
      const [a, b, c, d] = prices.slice(index - 3, index + 1) as [number, number, number, number];
      // a third difference of steps of a twenty-fifth
      expect(Math.abs(d - 3 * c + 3 * b - a)).toBeLessThanOrEqual(4e-4);
    }
  });
});

describe("S4.47 Heston's Greeks", () => {
  const rows: [string, NamedInputs][] = [
    ["by a curve", ordinary],
    ["by a contour", violent],
    ["of a put", { ...ordinary, isCall: false, strike: 90 }],
    ["with variance that is sure", { ...ordinary, vol_of_vol: 0 }],
    ["backward, the volatility rising with the asset", { ...ordinary, correlation: 0.9, vol_of_vol: 4, v0: 0.3 }],
  ];
  test.each(rows)("are the derivatives of its prices: %s", (_, row) => {
    const values = priceOne(engine, "heston", row);
    const check = (output: OutputName, expected: number, tolerance: number) =>
      expect(Math.abs(values[output] - expected), `${output} ${values[output]} ${expected}`).toBeLessThanOrEqual(
        tolerance * Math.max(Math.abs(expected), 1e-3),
      );
    const inSpot = { input: "spot", step: 0.1 } as const;
    const inTime = { input: "time_to_expiry", step: 1e-3 } as const;
    check("delta", difference(engine, "heston", row, { output: "price", ...inSpot }), 1e-8);
    check("gamma", difference(engine, "heston", row, { output: "delta", ...inSpot }), 1e-8);
    check("speed", difference(engine, "heston", row, { output: "gamma", ...inSpot }), 1e-7);
    check("theta", -difference(engine, "heston", row, { output: "price", ...inTime }), 1e-7);
    check("charm", -difference(engine, "heston", row, { output: "delta", ...inTime }), 1e-7);
    check("color", -difference(engine, "heston", row, { output: "gamma", ...inTime }), 1e-7);
    check("rho", difference(engine, "heston", row, { output: "price", input: "rate", step: 1e-3 }), 1e-8);
    check(
      "dividend_rho",
      difference(engine, "heston", row, { output: "price", input: "dividend_yield", step: 1e-3 }),
      1e-8,
    );
    check("dual_delta", difference(engine, "heston", row, { output: "price", input: "strike", step: 0.1 }), 1e-8);
    check("dual_gamma", difference(engine, "heston", row, { output: "dual_delta", input: "strike", step: 0.1 }), 1e-7);
    const inVariance = difference(engine, "heston", row, { output: "price", input: "v0", step: row.v0! / 100 });
    check("vega", 2 * Math.sqrt(row.v0!) * inVariance, 1e-7);
    check("lambda", (row.spot! * values.delta) / values.price, 1e-13);
  });
});

describe("S4.47 Heston's edges", () => {
  const status = (row: NamedInputs) => priceOne(engine, "heston", { ...ordinary, ...row }).status;

  test("have the statuses of the contract", () => {
    expect(status({ time_to_expiry: 0 })).toBe(statusCodes.expired);
    expect(status({ time_to_expiry: -1 })).toBe(statusCodes.expired);
    expect(status({ spot: 0 })).toBe(statusCodes.zero_underlying);
    expect(status({ strike: 0 })).toBe(statusCodes.ok);
    expect(status({ v0: 0, kappa: 0 })).toBe(statusCodes.zero_volatility);
    expect(status({ v0: 0, long_variance: 0 })).toBe(statusCodes.zero_volatility);
    for (const name of ["spot", "strike", "v0", "kappa", "long_variance", "vol_of_vol"] as const) {
      expect(status({ [name]: -0.1 }), name).toBe(statusCodes.out_of_domain);
      expect(status({ [name]: Number.NaN }), name).toBe(statusCodes.non_finite);
      expect(status({ [name]: Number.POSITIVE_INFINITY }), name).toBe(statusCodes.non_finite);
    }
    expect(status({ correlation: 1.0001 })).toBe(statusCodes.out_of_domain);
    expect(status({ correlation: -1.0001 })).toBe(statusCodes.out_of_domain);
    expect(status({ correlation: Number.NaN })).toBe(statusCodes.non_finite);
    expect(status({ v0: 1e5, kappa: 0 })).toBe(statusCodes.out_of_domain);
    expect(status({ rate: 400 })).toBe(statusCodes.out_of_domain);
  });

  test("give the payoff at expiry, the discounted strike at spot 0, the asset at strike 0 and a sure payoff without variance", () => {
    const expired = priceOne(engine, "heston", { ...ordinary, time_to_expiry: 0, spot: 120 });
    expect([expired.price, expired.delta, expired.gamma, expired.vega]).toEqual([10, 1, 0, 0]);
    const put = priceOne(engine, "heston", { ...ordinary, spot: 0, isCall: false });
    expect(put.price).toBeCloseTo(110 * Math.exp(-0.021), 12);
    expect(priceOne(engine, "heston", { ...ordinary, strike: 0 }).price).toBeCloseTo(100 * Math.exp(-0.007), 12);
    const sure = priceOne(engine, "heston", { ...ordinary, v0: 0, kappa: 0, strike: 90 });
    expect(sure.price).toBeCloseTo(100 * Math.exp(-0.007) - 90 * Math.exp(-0.021), 12);
  });

  test("are priced in the last minutes of next to no variance, where the sums' own rounding is all that is left", () => {
    const last = [
      { v0: 1.6087e-6, kappa: 29, long_variance: 2.69e-4, vol_of_vol: 0.55866, correlation: 0.6256 },
      { v0: 2.556e-6, kappa: 0.0041, long_variance: 0.0193, vol_of_vol: 2.96687, correlation: 0.278 },
    ];
    for (const parameters of last) {
      for (const [strike, time] of [
        [99.99786, 4.6234e-4],
        [100.00299, 2.0094e-5],
      ] as const) {
        const row = { ...ordinary, rate: 0, dividend_yield: 0, strike, time_to_expiry: time, ...parameters };
        const { price, status } = priceOne(engine, "heston", row);
        expect(status).toBe(statusCodes.ok);
        expect(price).toBeGreaterThanOrEqual(Math.max(100 - strike, 0));
        expect(price).toBeLessThan(Math.max(100 - strike, 0) + 0.02);
      }
    }
  });

  test("either have a price or say that they have none, however wild the parameters", () => {
    const { between, spread } = drawer(99);
    let priced = 0;
    for (let index = 0; index < 300; index++) {
      const row = {
        ...ordinary,
        strike: spread(1e-3, 1e7),
        time_to_expiry: spread(1e-12, 300),
        v0: spread(1e-12, 1e4),
        kappa: spread(1e-9, 1e4),
        long_variance: spread(1e-12, 1e3),
        vol_of_vol: spread(1e-9, 1e3),
        correlation: index % 10 === 0 ? Math.sign(between(-1, 1)) : between(-1, 1),
      };
      const { price, status: code, delta } = priceOne(engine, "heston", row);
      if (code >= 10) {
        expect([statusCodes.not_converged, statusCodes.out_of_domain] as number[]).toContain(code);
        expect(price).toBeNaN();
        continue;
      }
      priced++;
      expect(price, JSON.stringify(row)).toBeGreaterThanOrEqual(0);
      expect(price, JSON.stringify(row)).toBeLessThanOrEqual(100 * (1 + 1e-12));
      expect(delta, JSON.stringify(row)).toBeLessThanOrEqual(1 + 1e-9);
    }
    // most of even this can be priced
    expect(priced).toBeGreaterThan(200);
  });
});
