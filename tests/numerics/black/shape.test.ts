// What must hold for every European option whatever its inputs: put–call parity, no-arbitrage bounds, monotonicity, Greeks that
// are the derivatives of the price, units that are factors. Random rows from a printed seed.

import { beforeAll, describe, expect, test } from "bun:test";
import { type OutputName, unitFactor } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { pricePlain } from "../../../src/engine/plain";
import {
  familyRequest,
  marketRows,
  type Row,
  requestOf,
  type SpotInput,
  spotOutputs,
  testEngine,
} from "../../harness/kernel";

const seed = 20_261_122n;
const rows = marketRows(5000, seed);
let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const priced = (changed: (row: Row) => Row, output: OutputName = "price") =>
  engine.price(requestOf(rows.map(changed), { outputs: [output] })).columns[output]!;
const scale = (row: Row) => Math.max(row.spot, row.strike);
const asset = (row: Row) => row.spot * Math.exp(-row.dividend_yield * row.time_to_expiry);
const loan = (row: Row) => row.strike * Math.exp(-row.rate * row.time_to_expiry);

/** The largest of a figure over all rows; NaN if one is. */
function worst(figure: (row: Row, index: number) => number): number {
  return rows.reduce((largest, row, index) => Math.max(largest, figure(row, index)), Number.NEGATIVE_INFINITY);
}

describe(`S4.47 every option (seed ${seed})`, () => {
  test("obeys put–call parity to 2e-15 of the larger of spot and strike", () => {
    const calls = priced((row) => ({ ...row, isCall: true }));
    const puts = priced((row) => ({ ...row, isCall: false }));
    const gap = worst((row, index) => Math.abs(calls[index]! - puts[index]! - (asset(row) - loan(row))) / scale(row));
    expect(gap).toBeLessThan(2e-15);
  });

  test("has parity in its Greeks: equal gamma and vega, deltas apart by the discounted share", () => {
    const greek = (output: OutputName, isCall: boolean) => priced((row) => ({ ...row, isCall }), output);
    for (const output of ["gamma", "vega"] as const) {
      expect([...greek(output, true)]).toEqual([...greek(output, false)]);
    }
    const [callDelta, putDelta] = [greek("delta", true), greek("delta", false)];
    const [callRho, putRho] = [greek("rho", true), greek("rho", false)];
    const [callTheta, putTheta] = [greek("theta", true), greek("theta", false)];
    expect(
      worst((row, i) => Math.abs(callDelta[i]! - putDelta[i]! - Math.exp(-row.dividend_yield * row.time_to_expiry))),
    ).toBeLessThan(1e-15);
    expect(
      worst((row, i) => Math.abs(callRho[i]! - putRho[i]! - row.time_to_expiry * loan(row)) / (3 * scale(row))),
    ).toBeLessThan(1e-15);
    expect(
      worst(
        (row, i) =>
          Math.abs(callTheta[i]! - putTheta[i]! - (row.dividend_yield * asset(row) - row.rate * loan(row))) /
          scale(row),
      ),
    ).toBeLessThan(2e-14);
  });

  test("lies between its discounted intrinsic value and its upper bound", () => {
    const prices = priced((row) => row);
    const below = worst((row, index) => {
      const intrinsic = Math.max(0, row.isCall ? asset(row) - loan(row) : loan(row) - asset(row));
      return (intrinsic - prices[index]!) / scale(row);
    });
    const above = worst((row, index) => (prices[index]! - (row.isCall ? asset(row) : loan(row))) / scale(row));
    expect(below).toBeLessThan(1e-15);
    expect(above).toBeLessThan(1e-15);
    expect(prices.every((price) => price >= 0)).toBe(true);
  });

  const directions: { input: SpotInput; call: number; put: number }[] = [
    { input: "spot", call: 1, put: -1 },
    { input: "strike", call: -1, put: 1 },
    { input: "volatility", call: 1, put: 1 },
    { input: "rate", call: 1, put: -1 },
    { input: "dividend_yield", call: -1, put: 1 },
  ];
  for (const { input, call, put } of directions) {
    test(`moves with ${input} the way it must: calls ${call}, puts ${put}`, () => {
      const before = priced((row) => row);
      const after = priced((row) => ({ ...row, [input]: row[input] + 0.01 * Math.max(1, Math.abs(row[input])) }));
      const wrong = worst((row, i) => ((row.isCall ? call : put) * (before[i]! - after[i]!)) / scale(row));
      expect(wrong).toBeLessThan(1e-15);
    });
  }

  test("is worth the same in another currency: price homogeneous in spot and strike, delta unchanged", () => {
    const price = priced((row) => row);
    const scaled = priced((row) => ({ ...row, spot: row.spot * 1024, strike: row.strike * 1024 }));
    expect(worst((_, i) => Math.abs(scaled[i]! - 1024 * price[i]!))).toBe(0);
    const delta = priced((row) => row, "delta");
    const scaledDelta = priced((row) => ({ ...row, spot: row.spot * 1024, strike: row.strike * 1024 }), "delta");
    expect([...scaledDelta]).toEqual([...delta]);
  });

  const derivatives: { output: OutputName; of: OutputName; input: SpotInput; sign: 1 | -1 }[] = [
    { output: "delta", of: "price", input: "spot", sign: 1 },
    { output: "gamma", of: "delta", input: "spot", sign: 1 },
    { output: "vega", of: "price", input: "volatility", sign: 1 },
    { output: "theta", of: "price", input: "time_to_expiry", sign: -1 },
    { output: "rho", of: "price", input: "rate", sign: 1 },
    { output: "dividend_rho", of: "price", input: "dividend_yield", sign: 1 },
    { output: "vanna", of: "delta", input: "volatility", sign: 1 },
    { output: "volga", of: "vega", input: "volatility", sign: 1 },
    { output: "charm", of: "delta", input: "time_to_expiry", sign: -1 },
    { output: "veta", of: "vega", input: "time_to_expiry", sign: -1 },
    { output: "speed", of: "gamma", input: "spot", sign: 1 },
    { output: "zomma", of: "gamma", input: "volatility", sign: 1 },
    { output: "color", of: "gamma", input: "time_to_expiry", sign: -1 },
    { output: "ultima", of: "volga", input: "volatility", sign: 1 },
    { output: "dual_delta", of: "price", input: "strike", sign: 1 },
    { output: "dual_gamma", of: "dual_delta", input: "strike", sign: 1 },
  ];
  /** How large an output is near the money. */
  const usualSize = (output: OutputName, row: Row): number => {
    const root = Math.sqrt(row.time_to_expiry);
    switch (output) {
      case "price":
        return scale(row);
      case "gamma":
        return 1 / (row.spot * row.volatility * root);
      case "vega":
        return row.spot * root;
      case "volga":
        return (row.spot * root) / row.volatility;
      default:
        return 1;
    }
  };
  for (const { output, of, input, sign } of derivatives) {
    test(`${output} is ${sign < 0 ? "minus " : ""}the derivative of the plain twin's ${of} in ${input}, in raw units`, () => {
      const greek = priced((row) => row, output);
      // fourth-order central difference over a step that is small beside the width on which the price bends
      const reach = (row: Row) => {
        const deviation = Math.min(1, row.volatility * Math.sqrt(row.time_to_expiry));
        const isRate = input === "rate" || input === "dividend_yield";
        return deviation * (isRate ? 1 / row.time_to_expiry : row[input]);
      };
      const step = (row: Row) => 2e-3 * reach(row);
      const moved = (steps: number) =>
        pricePlain(requestOf(rows.map((row) => ({ ...row, [input]: row[input] + steps * step(row) })))).columns[of]!;
      const [m2, m1, p1, p2] = [moved(-2), moved(-1), moved(1), moved(2)];
      const error = worst((row, i) => {
        const slope = (8 * (p1[i]! - m1[i]!) - (p2[i]! - m2[i]!)) / (12 * step(row));
        const size = (Math.abs(m2[i]!) + Math.abs(p2[i]!) + usualSize(of, row)) / reach(row);
        return Math.abs(greek[i]! - sign * slope) / size;
      });
      expect(error).toBeLessThan(1e-7);
    });
  }

  test("is homogeneous: price is spot times delta plus strike times dual delta, and lambda is their elasticity", () => {
    const { price, delta, dual_delta, lambda } = engine.price(requestOf(rows)).columns;
    const gap = worst(
      (row, i) => Math.abs(price![i]! - row.spot * delta![i]! - row.strike * dual_delta![i]!) / scale(row),
    );
    expect(gap).toBeLessThan(1e-15);
    for (const [i, row] of rows.entries()) {
      if (price![i] === 0) expect(lambda![i]).toBeNaN();
      else expect(Math.abs((lambda![i]! * price![i]!) / (row.spot * delta![i]!) - 1)).toBeLessThan(1e-15);
    }
  });

  test("is convex in strike: dual gamma is never negative, and equals gamma (spot/strike)²", () => {
    const { gamma, dual_gamma } = engine.price(requestOf(rows)).columns;
    const gap = worst((row, i) => {
      const expected = gamma![i]! * (row.spot / row.strike) ** 2;
      return expected === 0 ? dual_gamma![i]! : Math.abs(dual_gamma![i]! / expected - 1);
    });
    expect(gap).toBeLessThan(2e-15);
    expect(dual_gamma!.every((value) => value >= 0)).toBe(true);
  });

  test("on a forward is one on a spot that yields the rate; its rho is minus time times price", () => {
    const level = rows.map((row) => ({ ...row, dividend_yield: row.rate }));
    const spot = engine.price(requestOf(level)).columns;
    const forward = engine.price(familyRequest("black_76", level)).columns;
    for (const output of Object.keys(forward) as OutputName[]) {
      if (output === "rho") continue;
      expect([...forward[output]!], output).toEqual([...spot[output]!]);
    }
    expect([...forward.rho!]).toEqual([...forward.price!].map((price, i) => 0 - level[i]!.time_to_expiry * price));
  });

  test("displaced is one on the displaced forward, at the strike displaced as much", () => {
    const level = rows.map((row) => ({ ...row, dividend_yield: row.rate, volatility: row.volatility + 0.05 }));
    const forward = engine.price(familyRequest("black_76", level)).columns;
    for (const displacement of [0.5, 3, 19]) {
      const displaced = engine.price(familyRequest("displaced_black", level, { displacement })).columns;
      const gap = worst((row, i) => Math.abs(displaced.price![i]! - forward.price![i]!) / scale(row));
      expect(gap).toBeLessThan(1e-15);
    }
  });

  test("in market units is its raw value times the catalog's factor, to the bit", () => {
    const raw = engine.price(requestOf(rows)).columns;
    const market = engine.price(requestOf(rows, { units: "market" })).columns;
    for (const output of spotOutputs) {
      const factor = unitFactor(output, "market");
      expect([...market[output]!]).toEqual([...raw[output]!.map((value) => value * factor)]);
    }
  });

  test("agrees with the plain twin to 2e-12 in every output", () => {
    const kernel = engine.price(requestOf(rows)).columns;
    const plain = pricePlain(requestOf(rows)).columns;
    for (const output of spotOutputs) {
      const error = worst((row, i) => {
        const size = Math.abs(plain[output]![i]!);
        // lambda divides by the price: as good as that is beside its inputs
        if (output === "lambda" && plain.price![i]! < 1e-2 * scale(row)) return 0;
        return Math.abs(kernel[output]![i]! - plain[output]![i]!) / Math.max(size, 1e-3);
      });
      expect(error, output).toBeLessThan(2e-12);
    }
  });
});
