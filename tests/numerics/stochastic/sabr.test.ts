// SABR by Hagan's volatility against the published formula in plain TypeScript, against Black 76 where it is that, its Greeks against differences, its edges.

import { beforeAll, describe, expect, test } from "bun:test";
import { type OutputName, statusCodes } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { testEngine } from "../../harness/kernel";
import { difference, drawer, type NamedInputs, priceOne } from "../../harness/stochastic";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const ordinary: NamedInputs = {
  forward: 100,
  strike: 110,
  time_to_expiry: 0.7,
  rate: 0.03,
  initial_volatility: 2.2,
  beta: 0.5,
  vol_of_vol: 0.8,
  correlation: -0.4,
};

/** Hagan, Kumar, Lesniewski and Woodward (2002), equation 2.17a, as printed. */
function hagan(row: NamedInputs): number {
  const { forward: f = 0, strike: k = 0, time_to_expiry: t = 0, initial_volatility: alpha = 0 } = row;
  const { beta = 1, vol_of_vol: nu = 0, correlation: rho = 0 } = row;
  const y = Math.log(f / k);
  const fk = (f * k) ** ((1 - beta) / 2);
  const z = (nu / alpha) * fk * y;
  const chi = Math.log((Math.sqrt(1 - 2 * rho * z + z * z) + z - rho) / (1 - rho));
  const bracket =
    ((1 - beta) ** 2 / 24) * (alpha / fk) ** 2 +
    (rho * beta * nu * alpha) / (4 * fk) +
    ((2 - 3 * rho ** 2) / 24) * nu ** 2;
  const series = 1 + ((1 - beta) ** 2 / 24) * y ** 2 + ((1 - beta) ** 4 / 1920) * y ** 4;
  return (alpha / (fk * series)) * (z === 0 ? 1 : z / chi) * (1 + bracket * t);
}

describe("S4.47 SABR's volatility", () => {
  test("is Hagan's, at 400 random options", () => {
    const { between, spread } = drawer(7);
    for (let index = 0; index < 400; index++) {
      const beta = index % 4 === 0 ? 1 : index % 4 === 1 ? 0 : between(0, 1);
      const forward = spread(0.005, 5000);
      const row: NamedInputs = {
        forward,
        strike: forward * Math.exp(between(-1.5, 1.5)),
        time_to_expiry: spread(0.003, 10),
        rate: 0.02,
        initial_volatility: spread(0.05, 0.6) * forward ** (1 - beta),
        beta,
        vol_of_vol: spread(0.05, 1),
        correlation: between(-0.95, 0.95),
      };
      const expected = hagan(row);
      const { black_volatility: found, price, status } = priceOne(engine, "sabr", row);
      expect(status, JSON.stringify(row)).toBe(expected > 0 ? statusCodes.ok : statusCodes.out_of_domain);
      if (status !== 0) continue;
      // the printed form of χ cancels for negative z: that is the twin's error
      expect(Math.abs(found / expected - 1), JSON.stringify(row)).toBeLessThanOrEqual(2e-11);
      const black = priceOne(engine, "black_76", {
        forward: row.forward!,
        strike: row.strike!,
        time_to_expiry: row.time_to_expiry!,
        rate: 0.02,
        volatility: found,
      });
      expect(Math.abs(price - black.price)).toBeLessThanOrEqual(1e-14 * Math.max(row.forward!, row.strike!));
    }
  });

  test("has no seam where the series of its distance ends, nor at the money", () => {
    for (const edge of [-0.1, 0, 0.1]) {
      const at = (z: number) => {
        const strike = 100 * Math.exp((-z * 0.25) / 0.8);
        return priceOne(engine, "sabr", { ...ordinary, beta: 1, initial_volatility: 0.25, strike });
      };
      for (const output of ["black_volatility", "dual_delta", "dual_gamma", "delta", "gamma"] as const) {
        const [below, above] = [at(edge - 1e-9)[output], at(edge + 1e-9)[output]];
        expect(Math.abs(above - below), output).toBeLessThanOrEqual(2e-8 * Math.max(1, Math.abs(below)));
      }
    }
  });

  test("with beta 1 and no volatility of volatility is the initial one, and every Greek Black's", () => {
    const row = { ...ordinary, beta: 1, initial_volatility: 0.25, vol_of_vol: 0 };
    const { initial_volatility: _, beta: __, vol_of_vol: ___, correlation: ____, ...market } = row;
    for (const isCall of [true, false]) {
      const sabr = priceOne(engine, "sabr", { ...row, isCall });
      const black = priceOne(engine, "black_76", { ...market, volatility: 0.25, isCall });
      expect(sabr.black_volatility).toBeCloseTo(0.25, 15);
      for (const output of [
        "price",
        "delta",
        "gamma",
        "vega",
        "theta",
        "rho",
        "charm",
        "dual_delta",
        "dual_gamma",
        "lambda",
      ] as const) {
        expect(Math.abs(sabr[output] - black[output]), output).toBeLessThanOrEqual(1e-12 * Math.abs(black[output]));
      }
    }
  });
});

describe("S4.47 SABR's Greeks", () => {
  const rows: [string, NamedInputs][] = [
    ["a call out of the money", ordinary],
    ["a put", { ...ordinary, isCall: false }],
    ["near the money, by the series", { ...ordinary, strike: 100.3 }],
    ["deep in the money", { ...ordinary, strike: 60 }],
    ["beta 0", { ...ordinary, beta: 0, initial_volatility: 20 }],
    ["beta 1, strongly correlated", { ...ordinary, beta: 1, initial_volatility: 0.2, correlation: 0.9 }],
  ];
  test.each(rows)("count that the volatility moves with forward, strike and time: %s", (_, row) => {
    const values = priceOne(engine, "sabr", row);
    const check = (output: OutputName, expected: number) =>
      expect(Math.abs(values[output] - expected), `${output} ${values[output]} ${expected}`).toBeLessThanOrEqual(
        2e-8 * Math.max(Math.abs(expected), 1e-2),
      );
    const inForward = { input: "forward", step: 0.1 } as const;
    const inTime = { input: "time_to_expiry", step: 1e-3 } as const;
    check("delta", difference(engine, "sabr", row, { output: "price", ...inForward }));
    check("gamma", difference(engine, "sabr", row, { output: "delta", ...inForward }));
    check("theta", -difference(engine, "sabr", row, { output: "price", ...inTime }));
    check("charm", -difference(engine, "sabr", row, { output: "delta", ...inTime }));
    check("rho", difference(engine, "sabr", row, { output: "price", input: "rate", step: 1e-3 }));
    check("dual_delta", difference(engine, "sabr", row, { output: "price", input: "strike", step: 0.1 }));
    check("dual_gamma", difference(engine, "sabr", row, { output: "dual_delta", input: "strike", step: 0.1 }));
    const step = row.initial_volatility! / 1000;
    check("vega", difference(engine, "sabr", row, { output: "price", input: "initial_volatility", step }));
    check("lambda", (row.forward! * values.delta) / values.price);
  });

  test("show by a negative dual_gamma that far out the expansion is no density", () => {
    const far = { ...ordinary, beta: 0.3, initial_volatility: 6, vol_of_vol: 1.5, time_to_expiry: 10, strike: 0.5 };
    expect(priceOne(engine, "sabr", far).dual_gamma).toBeLessThan(0);
  });
});

describe("S4.47 SABR's edges", () => {
  const status = (row: NamedInputs) => priceOne(engine, "sabr", { ...ordinary, ...row }).status;

  test("have the statuses of the contract", () => {
    expect(status({ time_to_expiry: 0 })).toBe(statusCodes.expired);
    expect(status({ forward: 0 })).toBe(statusCodes.zero_underlying);
    expect(status({ strike: 0 })).toBe(statusCodes.ok);
    expect(status({ initial_volatility: 0 })).toBe(statusCodes.zero_volatility);
    for (const name of ["forward", "strike", "initial_volatility", "vol_of_vol", "beta"] as const) {
      expect(status({ [name]: -0.1 }), name).toBe(statusCodes.out_of_domain);
      expect(status({ [name]: Number.NaN }), name).toBe(statusCodes.non_finite);
    }
    expect(status({ beta: 1.01 })).toBe(statusCodes.out_of_domain);
    expect(status({ correlation: -1.01 })).toBe(statusCodes.out_of_domain);
    // one plus T times a negative bracket
    expect(status({ correlation: -0.99, vol_of_vol: 3, time_to_expiry: 5 })).toBe(statusCodes.out_of_domain);
    expect(status({ initial_volatility: 1e4, time_to_expiry: 30 })).toBe(statusCodes.out_of_domain);
  });

  test("at correlations of one have the formula where it has one", () => {
    expect(status({ correlation: -1, strike: 90, time_to_expiry: 0.1 })).toBe(statusCodes.ok);
    expect(status({ correlation: 1, strike: 110, time_to_expiry: 0.1 })).toBe(statusCodes.ok);
  });

  test("are the payoff at expiry, discounted without volatility, with no volatility to tell", () => {
    const expired = priceOne(engine, "sabr", { ...ordinary, time_to_expiry: 0, forward: 125 });
    expect([expired.price, expired.delta]).toEqual([15, 1]);
    expect(expired.black_volatility).toBeNaN();
    const sure = priceOne(engine, "sabr", { ...ordinary, initial_volatility: 0, strike: 90 });
    expect(sure.price).toBeCloseTo(10 * Math.exp(-0.021), 12);
    expect(sure.black_volatility).toBeNaN();
  });
});
