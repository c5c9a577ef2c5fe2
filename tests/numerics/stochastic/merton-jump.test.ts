// Merton's jump diffusion against an integral over its characteristic function, against Black and Scholes where nothing jumps, its Greeks, its implied volatility and its edges.

import { beforeAll, describe, expect, test } from "bun:test";
import { modelNamed, type OutputName, statusCodes } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { testEngine } from "../../harness/kernel";
import {
  carrMadanCall,
  drawer,
  mertonLogCharacteristic,
  type NamedInputs,
  priceOne,
  rowsRequest,
} from "../../harness/stochastic";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const market = { spot: 100, strike: 105, time_to_expiry: 0.7, rate: 0.03, dividend_yield: 0.01, volatility: 0.2 };
const ordinary: NamedInputs = { ...market, jump_intensity: 2, jump_mean: -0.1, jump_volatility: 0.15 };

function wildRows(count: number, seed: number): NamedInputs[] {
  const { between, spread } = drawer(seed);
  return Array.from({ length: count }, (_, index) => {
    const time = spread(1e-3, 30);
    const volatility = spread(0.005, 1.5);
    return {
      isCall: index % 2 === 0,
      spot: 100,
      strike: 100 * Math.exp(between(-4, 4) * Math.min(1, volatility * Math.sqrt(time) + 0.05)),
      time_to_expiry: time,
      rate: between(-0.05, 0.1),
      dividend_yield: between(-0.02, 0.06),
      volatility,
      jump_intensity: index % 7 === 0 ? 0 : Math.min(spread(0.01, 300), 150 / time),
      jump_mean: between(-1, 0.5),
      jump_volatility: index % 5 === 0 ? 0 : spread(0.001, 0.8),
    };
  });
}

describe("S4.47 a jump diffusion's price", () => {
  const twins: [string, NamedInputs][] = [
    ["few jumps down", ordinary],
    ["many small jumps", { ...ordinary, jump_intensity: 200, jump_mean: 0.001, jump_volatility: 0.01 }],
    ["jumps up, all of one size", { ...ordinary, jump_mean: 0.2, jump_volatility: 0 }],
    [
      "years of jumps, as many as 500",
      { ...ordinary, time_to_expiry: 25, jump_intensity: 20, jump_mean: 0, jump_volatility: 0.05 },
    ],
    ["hardly any diffusion", { ...ordinary, volatility: 0.05, jump_volatility: 0.3 }],
  ];
  test.each(twins)("agrees with an integral over its characteristic function: %s", (_, row) => {
    const rule = { alpha: 0.75, width: 2, end: 400 };
    const twin = carrMadanCall(row, (z) => mertonLogCharacteristic(z, row), rule);
    const { price, status } = priceOne(engine, "merton_jump", row);
    expect(status).toBe(statusCodes.ok);
    expect(Math.abs(price - twin)).toBeLessThanOrEqual(2e-12 * 100);
  });

  test("where nothing jumps is Black and Scholes', in every output", () => {
    for (const isCall of [true, false]) {
      for (const none of [
        { jump_intensity: 0, jump_mean: 0.3, jump_volatility: 0.2 },
        { jump_intensity: 5, jump_mean: 0, jump_volatility: 0 },
      ]) {
        const jumping = priceOne(engine, "merton_jump", { ...market, ...none, isCall });
        const black = priceOne(engine, "black_scholes_merton", { ...market, isCall });
        for (const output of modelNamed("merton_jump").outputs) {
          expect(Math.abs(jumping[output] - black[output]), output).toBeLessThanOrEqual(
            1e-12 * Math.abs(black[output]),
          );
        }
      }
    }
  });

  test("of 500 wild options lies between its bounds, keeps to parity and rises with the volatility", () => {
    const rows = wildRows(500, 5);
    const { columns, status } = engine.price(rowsRequest("merton_jump", rows));
    const others = engine.price(
      rowsRequest(
        "merton_jump",
        rows.map((row) => ({ ...row, isCall: !row.isCall })),
      ),
    );
    for (const [index, row] of rows.entries()) {
      const shown = JSON.stringify(row);
      expect(status[index], shown).toBe(statusCodes.ok);
      for (const [output, column] of Object.entries(columns)) {
        if (output !== "lambda") expect(Number.isFinite(column[index]!), `${output} ${shown}`).toBe(true);
      }
      const asset = 100 * Math.exp(-row.dividend_yield! * row.time_to_expiry!);
      const loan = row.strike! * Math.exp(-row.rate! * row.time_to_expiry!);
      const side = row.isCall ? 1 : -1;
      const price = columns.price![index]!;
      expect(price, shown).toBeGreaterThanOrEqual(Math.max(side * (asset - loan), 0) - 1e-15 * Math.max(asset, loan));
      expect(price, shown).toBeLessThanOrEqual((row.isCall ? asset : loan) * (1 + 1e-13));
      const apart = price - others.columns.price![index]! - side * (asset - loan);
      expect(Math.abs(apart), shown).toBeLessThanOrEqual(4e-15 * Math.max(asset, loan));
      expect(columns.vega![index]!, shown).toBeGreaterThanOrEqual(0);
      expect(columns.gamma![index]!, shown).toBeGreaterThanOrEqual(0);
    }
  });
});

describe("S4.47 a jump diffusion's implied volatility", () => {
  const solve = (row: NamedInputs, price: number, onUnattainable: "null" | "zero" = "null") => {
    const { inputs, isCall } = rowsRequest("merton_jump", [row]);
    const { volatility: _, ...known } = inputs;
    const { impliedVolatility, attainableError, status } = engine.impliedVolatility({
      model: "merton_jump",
      count: 1,
      isCall,
      inputs: known,
      price,
      onUnattainable,
    });
    return { volatility: impliedVolatility[0]!, attainable: attainableError[0]!, status: status[0]! };
  };

  test("gives the volatility back as far as the price knows it", () => {
    let solved = 0;
    for (const row of wildRows(300, 6)) {
      const { price } = priceOne(engine, "merton_jump", row);
      const found = solve(row, price);
      if (found.status !== 0) {
        // the diffusion adds less to the jumps' own worth than a price can show
        expect([statusCodes.below_intrinsic, statusCodes.above_maximum] as number[]).toContain(found.status);
        const alone = priceOne(engine, "merton_jump", { ...row, volatility: 0 }).price;
        const size = Math.max(row.spot!, row.strike!, price);
        const top = row.isCall
          ? row.spot! * Math.exp(-row.dividend_yield! * row.time_to_expiry!)
          : row.strike! * Math.exp(-row.rate! * row.time_to_expiry!);
        expect(Math.min(price - alone, top - price)).toBeLessThanOrEqual(1e-13 * size);
        continue;
      }
      solved++;
      const { price: again, vega } = priceOne(engine, "merton_jump", { ...row, volatility: found.volatility });
      const asset = row.spot! * Math.exp(-row.dividend_yield! * row.time_to_expiry!);
      const size = Math.max(asset, row.strike! * Math.exp(-row.rate! * row.time_to_expiry!));
      expect(Math.abs(again - price), JSON.stringify(row)).toBeLessThanOrEqual(1e-14 * size);
      const stated = 2 ** -53 * (1 + price / (vega * found.volatility));
      expect(found.attainable / stated).toBeGreaterThan(0.5);
      expect(found.attainable / stated).toBeLessThan(2);
    }
    expect(solved).toBeGreaterThan(220);
  });

  test("is none for a price that jumps alone exceed, or that nothing reaches", () => {
    const alone = priceOne(engine, "merton_jump", { ...ordinary, volatility: 0 }).price;
    expect(solve(ordinary, alone * 0.999)).toMatchObject({
      status: statusCodes.below_intrinsic,
      volatility: Number.NaN,
    });
    expect(solve(ordinary, alone * 0.999, "zero").volatility).toBe(0);
    expect(solve(ordinary, alone * 1.001).status).toBe(statusCodes.ok);
    expect(solve(ordinary, 99.9).status).toBe(statusCodes.above_maximum);
    expect(solve(ordinary, -1).status).toBe(statusCodes.below_intrinsic);
    expect(solve(ordinary, Number.NaN).status).toBe(statusCodes.non_finite);
    expect(solve({ ...ordinary, time_to_expiry: 0 }, 5).status).toBe(statusCodes.expired);
    expect(solve({ ...ordinary, spot: 0 }, 5).status).toBe(statusCodes.out_of_domain);
    expect(solve({ ...ordinary, jump_intensity: -1 }, 5).status).toBe(statusCodes.out_of_domain);
  });
});

describe("S4.47 a jump diffusion's edges", () => {
  const status = (row: NamedInputs) => priceOne(engine, "merton_jump", { ...ordinary, ...row }).status;

  test("have the statuses of the contract", () => {
    expect(status({ time_to_expiry: 0 })).toBe(statusCodes.expired);
    expect(status({ spot: 0 })).toBe(statusCodes.zero_underlying);
    expect(status({ strike: 0 })).toBe(statusCodes.ok);
    expect(status({ volatility: 0 })).toBe(statusCodes.zero_volatility);
    for (const name of ["spot", "strike", "volatility", "jump_intensity", "jump_volatility"] as const) {
      expect(status({ [name]: -0.1 }), name).toBe(statusCodes.out_of_domain);
      expect(status({ [name]: Number.NaN }), name).toBe(statusCodes.non_finite);
    }
    expect(status({ jump_mean: Number.NaN })).toBe(statusCodes.non_finite);
    expect(status({ jump_mean: -65 })).toBe(statusCodes.out_of_domain);
    expect(status({ jump_intensity: 731 })).toBe(statusCodes.ok);
    expect(status({ jump_intensity: 733 })).toBe(statusCodes.out_of_domain);
    // as the asset counts them: e^0.5 times as many
    expect(status({ jump_intensity: 500, jump_mean: 0.5, jump_volatility: 0 })).toBe(statusCodes.out_of_domain);
    expect(status({ volatility: 77 })).toBe(statusCodes.out_of_domain);
  });

  test("without diffusion give what jumps alone are worth, and null where a kink has no curvature", () => {
    const still = { ...ordinary, volatility: 0 };
    const near = priceOne(engine, "merton_jump", { ...ordinary, volatility: 1e-9 });
    const none = priceOne(engine, "merton_jump", still);
    for (const output of ["price", "delta", "gamma", "rho", "theta", "charm"] as OutputName[]) {
      expect(Math.abs(none[output] - near[output]), output).toBeLessThanOrEqual(1e-7 * Math.abs(near[output]));
    }
    expect(none.vega).toBe(0);
    // with no carry and no mean of jumps of one size, no jump ends exactly at the strike
    const kink = priceOne(engine, "merton_jump", {
      ...still,
      strike: 100,
      rate: 0,
      dividend_yield: 0,
      jump_mean: 0,
      jump_volatility: 0,
    });
    expect(kink.status).toBe(statusCodes.zero_volatility);
    expect([kink.price, kink.delta, kink.vega]).toEqual([0, 0.5, 0]);
    for (const output of ["gamma", "dual_gamma", "speed", "theta"] as const) expect(kink[output]).toBeNaN();
  });
});
