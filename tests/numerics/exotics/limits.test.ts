// Edges of digital, barrier and lookback options: expiry, no volatility, no spot, no strike, barriers at the spot, kinks and jumps, refused
// values, and what must hold between prices whatever the row (parity, bounds, narrow corridors, discrete monitoring).

import { beforeAll, describe, expect, test } from "bun:test";
import { type OutputName, statusCodes } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import {
  type ExoticModel,
  type ExoticRow,
  everyday,
  exoticModels,
  exoticOutputs,
  exoticRequest,
  randomRows,
  wild,
} from "../../harness/exotic";
import { integral } from "../../harness/exotic-twin";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

type Values = Record<OutputName, number> & { status: number };

function priceRow(model: ExoticModel | "black_scholes_merton", row: ExoticRow, outputs = exoticOutputs): Values {
  const { columns, status } = engine.price(exoticRequest(model, [row], outputs));
  const values = Object.fromEntries(outputs.map((output) => [output, columns[output]![0]!]));
  return { ...values, status: status[0]! } as Values;
}

const market = { spot: 100, strike: 95, time_to_expiry: 0.5, rate: 0.05, dividend_yield: 0.02, volatility: 0.25 };
const call = { ...market, isCall: true };
const put = { ...market, isCall: false };
const digital = { payoff: "cash", cash: 10 };
const downOut = { barrier_type: "down_out", barrier: 80 };
const lookback = { strike_type: "fixed", extreme_so_far: 105 };
const grown = (rate: number) => Math.exp(rate * 0.5);

/** Model, row, what of it is expected. */
const limits: [string, ExoticModel, ExoticRow, Partial<Values>][] = [
  [
    "expired: a digital in the money pays",
    "digital",
    { ...call, ...digital, time_to_expiry: 0 },
    { price: 10, delta: 0, status: 1 },
  ],
  [
    "expired: the asset",
    "digital",
    { ...call, payoff: "asset", time_to_expiry: 0 },
    { price: 100, delta: 1, gamma: 0, theta: 0, lambda: 1, status: 1 },
  ],
  [
    "expired: out of the money nothing",
    "digital",
    { ...put, ...digital, time_to_expiry: -1 },
    { price: 0, delta: 0, lambda: NaN, status: 1 },
  ],
  [
    "expired at the strike: nothing, and no slope",
    "digital",
    { ...call, ...digital, strike: 100, time_to_expiry: 0 },
    { price: 0, delta: NaN, gamma: NaN, dual_delta: NaN, rho: NaN, volga: 0, status: 1 },
  ],
  [
    "expired: gap may cost",
    "digital",
    { ...call, payoff: "gap", gap_strike: 120, time_to_expiry: 0 },
    { price: -20, delta: 1, dual_delta: 0, status: 1 },
  ],
  [
    "expired: no touch pays",
    "digital",
    { ...call, payoff: "no_touch", strike: 110, time_to_expiry: 0 },
    { price: 1, delta: 0, status: 1 },
  ],
  [
    "expired: no touch, knocked meanwhile",
    "digital",
    { ...call, payoff: "no_touch", strike: 110, barrier_type: "down_out", barrier: 100, time_to_expiry: 0 },
    { price: 0, status: 1 },
  ],
  [
    "expired: a touch not made",
    "digital",
    { ...call, payoff: "one_touch", strike: 110, time_to_expiry: 0 },
    { price: 0, status: 1 },
  ],
  [
    "expired: a knock-out alive",
    "barrier",
    { ...call, ...downOut, rebate: 3, time_to_expiry: 0 },
    { price: 5, delta: 1, dual_delta: -1, gamma: 0, status: 1 },
  ],
  [
    "expired: a knock-in not hit",
    "barrier",
    { ...call, ...downOut, barrier_type: "down_in", rebate: 3, time_to_expiry: 0 },
    { price: 3, delta: 0, status: 1 },
  ],
  [
    "expired at the kink",
    "barrier",
    { ...call, ...downOut, strike: 100, time_to_expiry: 0 },
    { price: 0, delta: 0.5, dual_delta: -0.5, gamma: NaN, dual_gamma: NaN, speed: NaN, theta: NaN, rho: 0, status: 1 },
  ],
  [
    "expired: fixed lookback",
    "lookback",
    { ...call, ...lookback, time_to_expiry: 0 },
    { price: 10, delta: 0, dual_delta: -1, status: 1 },
  ],
  [
    "expired: floating lookback",
    "lookback",
    { ...put, strike_type: "floating", extreme_so_far: 105, time_to_expiry: 0 },
    { price: 5, delta: -1, dual_delta: 0, status: 1 },
  ],
  [
    "no volatility: the forward ends beyond the strike",
    "digital",
    { ...call, ...digital, volatility: 0 },
    { price: 10 / grown(0.05), delta: 0, rho: -5 / grown(0.05), vega: 0, status: 2 },
  ],
  [
    "no volatility: an up barrier on the way is hit",
    "barrier",
    { ...call, barrier_type: "up_out", barrier: 101, rebate: 3, volatility: 0 },
    { price: 3 * 1.01 ** (-0.05 / 0.03), status: 2 },
  ],
  [
    "no volatility: a barrier off the way is not",
    "barrier",
    { ...call, ...downOut, volatility: 0 },
    { price: 100 / grown(0.02) - 95 / grown(0.05), delta: 1 / grown(0.02), vega: 0, status: 2 },
  ],
  [
    "no volatility: an up-and-in barrier on the way",
    "barrier",
    { ...call, barrier_type: "up_in", barrier: 101, rebate: 3, volatility: 0 },
    { price: 100 / grown(0.02) - 95 / grown(0.05), status: 2 },
  ],
  [
    "no volatility: a corridor's upper barrier",
    "barrier",
    { ...call, barrier_type: "double_out", barrier: 90, upper_barrier: 101, rebate: 1, volatility: 0 },
    { price: 1.01 ** (-0.05 / 0.03), status: 2 },
  ],
  [
    "no volatility: a touch on the way",
    "digital",
    { ...call, payoff: "asset_touch", strike: 101, volatility: 0 },
    { price: 101 * 1.01 ** (-0.05 / 0.03), status: 2 },
  ],
  [
    "no volatility: a knock-in digital on the way",
    "digital",
    { ...call, ...digital, barrier_type: "double_in", barrier: 90, upper_barrier: 101, volatility: 0 },
    { price: 10 / grown(0.05), status: 2 },
  ],
  [
    "no volatility: a knock-out digital on the way",
    "digital",
    { ...call, ...digital, barrier_type: "up_out", barrier: 101, volatility: 0 },
    { price: 0, status: 2 },
  ],
  [
    "no volatility: the maximum is the forward",
    "lookback",
    { ...call, strike_type: "fixed", extreme_so_far: 100.5, volatility: 0 },
    { price: 100 / grown(0.02) - 95 / grown(0.05), status: 2 },
  ],
  [
    "no volatility: the maximum is the past's",
    "lookback",
    { ...call, ...lookback, volatility: 0 },
    { price: 10 / grown(0.05), delta: 0, dual_delta: -1 / grown(0.05), status: 2 },
  ],
  [
    "no volatility: spot less minimum",
    "lookback",
    { ...call, strike_type: "floating", extreme_so_far: 99, volatility: 0 },
    { price: 100 / grown(0.02) - 99 / grown(0.05), delta: 1 / grown(0.02), status: 2 },
  ],
  [
    "no spot: a put that cannot be knocked up",
    "barrier",
    { ...put, spot: 0, barrier_type: "up_out", barrier: 120 },
    { price: 95 / grown(0.05), delta: -1 / grown(0.02), status: 3 },
  ],
  ["no spot is below every barrier", "barrier", { ...put, spot: 0, ...downOut, rebate: 2 }, { price: 2, status: 3 }],
  ["no spot: a digital put", "digital", { ...put, ...digital, spot: 0 }, { price: 10 / grown(0.05), status: 3 }],
  [
    "no spot: a put on the minimum",
    "lookback",
    { ...put, strike_type: "fixed", extreme_so_far: 90, spot: 0 },
    { price: 95 / grown(0.05), status: 3 },
  ],
  ["no strike: the asset if it lives", "barrier", { ...call, ...downOut, strike: 0 }, { price: NaN, status: 0 }],
  [
    "no strike: a put on a barrier is worth nothing",
    "barrier",
    { ...put, ...downOut, strike: 0 },
    { price: 0, status: 0 },
  ],
  [
    "no strike: a level of 0 is never touched",
    "digital",
    { ...put, payoff: "no_touch", strike: 0 },
    { price: 1 / grown(0.05), status: 0 },
  ],
  [
    "no strike: a put on the minimum is worth nothing",
    "lookback",
    { ...put, strike_type: "fixed", extreme_so_far: 90, strike: 0 },
    { price: 0, status: 0 },
  ],
  [
    "no extreme: a minimum of 0 stays",
    "lookback",
    { ...call, strike_type: "floating", extreme_so_far: 0 },
    { price: 100 / grown(0.02), delta: 1 / grown(0.02), status: 0 },
  ],
  [
    "at its barrier a knock-out is worth the rebate",
    "barrier",
    { ...call, barrier_type: "up_out", barrier: 100, rebate: 3 },
    { price: 3, delta: 0, vega: 0, status: 0 },
  ],
  [
    "beyond two barriers as well",
    "barrier",
    { ...call, barrier_type: "double_out", barrier: 101, upper_barrier: 120, rebate: 3 },
    { price: 3, status: 0 },
  ],
  [
    "a touch already made pays now",
    "digital",
    { ...call, payoff: "one_touch", strike: 99, cash: 7 },
    { price: 7, delta: 0, status: 0 },
  ],
  [
    "an asset touched is the asset",
    "digital",
    { ...put, payoff: "asset_touch", strike: 101 },
    { price: 100, delta: 1, status: 0 },
  ],
  [
    "a touch paid at expiry waits",
    "digital",
    { ...call, payoff: "one_touch_at_expiry", strike: 99, cash: 7 },
    { price: 7 / grown(0.05), status: 0 },
  ],
];

describe("S4.47 limits", () => {
  test.each(limits)("%s", (_, model, row, expected) => {
    const values = priceRow(model, row);
    for (const [name, value] of Object.entries(expected) as [keyof Values, number][]) {
      if (name === "price" && Number.isNaN(value)) continue;
      if (Number.isNaN(value)) expect(values[name], name).toBeNaN();
      else expect(Math.abs(values[name] - value), `${name} is ${values[name]}, not ${value}`).toBeLessThan(1e-13 * 100);
    }
  });

  test("no strike: a knock-out call is the asset that a digital pays", () => {
    const row = { ...call, ...downOut, strike: 0 };
    const asset = priceRow("digital", { ...row, payoff: "asset" });
    expect(Math.abs(priceRow("barrier", row).price - asset.price)).toBeLessThan(1e-12);
  });

  test("no strike: of two levels that must not be touched the other is left", () => {
    const both = priceRow("digital", { ...put, payoff: "no_touch", strike: 0, barrier_type: "up_out", barrier: 130 });
    const one = priceRow("digital", { ...call, payoff: "no_touch", strike: 130 });
    for (const output of ["price", "delta", "vega", "theta"] as const) expect(both[output]).toBe(one[output]);
  });

  test("no price is below nothing by a rounding, and without carry the kink is one point", () => {
    const row = {
      isCall: true,
      spot: 115.25455524414696,
      strike: 106.97500306730113,
      time_to_expiry: 0.37891685300635974,
      rate: 0.06307257835584447,
      dividend_yield: -0.022942194248109407,
      volatility: 0.19234786040584234,
      barrier_type: "double_out",
      barrier: 114.88561173040361,
      upper_barrier: 119.8233108141196,
    };
    // its images leave a rounding below 0
    expect(priceRow("barrier", row).price).toBe(0);
    for (let rate = 0.001; rate < 0.2; rate += 0.0037) {
      const sure = { ...put, volatility: 0, rate, dividend_yield: rate, strike: 100, ...downOut, barrier: 50 };
      const discount = Math.exp(-rate / 2);
      expect(priceRow("barrier", sure).delta).toBeCloseTo(-0.5 * discount, 14);
      expect(priceRow("barrier", { ...sure, strike: 100.00000000000001 }).delta).toBeCloseTo(-discount, 14);
      expect(priceRow("barrier", { ...sure, strike: 99.99999999999999 }).delta).toBe(0);
    }
  });

  test("a corridor a millionth wide over thirty years is left at once, and costs no more images than any", () => {
    const narrow = { ...call, volatility: 3, time_to_expiry: 30, barrier: 99.9999, upper_barrier: 100.0001 };
    const out = priceRow("barrier", { ...narrow, barrier_type: "double_out", rebate: 5 });
    expect(out.status).toBe(0);
    expect(Math.abs(out.price - 5)).toBeLessThan(1e-9);
    expect(priceRow("barrier", { ...narrow, barrier_type: "double_in", rebate: 5 }).price).toBe(
      priceRow("barrier", { ...narrow, barrier_type: "none" }).price,
    );
    const touch = priceRow("digital", {
      ...narrow,
      payoff: "one_touch",
      strike: 100.0001,
      barrier_type: "down_out",
      cash: 10,
    });
    // half of the paths leave upwards
    expect(Math.abs(touch.price - 5)).toBeLessThan(1e-4);
  });

  test("no strike: whatever the barrier, a call is the limit of small strikes", () => {
    for (const terms of [
      { barrier_type: "up_out", barrier: 120 },
      { barrier_type: "up_in", barrier: 120 },
      { barrier_type: "down_in", barrier: 80 },
      { barrier_type: "double_out", barrier: 80, upper_barrier: 120 },
    ]) {
      const [none, tiny] = [0, 1e-12].map((strike) => priceRow("barrier", { ...call, ...terms, strike }));
      for (const output of ["price", "delta", "gamma", "vega", "theta", "rho", "dual_delta"] as const)
        expect(Math.abs(none![output] - tiny![output]), `${terms.barrier_type} ${output}`).toBeLessThan(1e-10);
    }
  });

  test("no barrier, or one out of reach, is the plain option in every output", () => {
    for (const row of [call, put]) {
      const plain = priceRow("black_scholes_merton", row);
      const rows = [
        { barrier_type: "none", barrier: 1 },
        { barrier_type: "down_out", barrier: 1e-9 },
        { barrier_type: "up_out", barrier: 1e12 },
      ];
      for (const terms of rows) {
        const values = priceRow("barrier", { ...row, ...terms });
        for (const output of exoticOutputs)
          expect(Math.abs(values[output] - plain[output]), output).toBeLessThan(1e-12 * (10 + Math.abs(plain[output])));
      }
    }
  });
});

/** What is refused, by the model and what of a good row is changed. */
const refused: [Exclude<ExoticModel, "asian">, Partial<ExoticRow>, keyof typeof statusCodes][] = [
  ["barrier", { spot: -1 }, "out_of_domain"],
  ["barrier", { strike: -1 }, "out_of_domain"],
  ["barrier", { volatility: -0.1 }, "out_of_domain"],
  ["barrier", { volatility: 1e3 }, "out_of_domain"],
  ["barrier", { spot: 1e300 }, "out_of_domain"],
  ["barrier", { spot: 1e300, time_to_expiry: 0 }, "out_of_domain"],
  ["barrier", { rate: 1000 }, "out_of_domain"],
  ["barrier", { barrier: 0 }, "out_of_domain"],
  ["barrier", { barrier: -5 }, "out_of_domain"],
  ["barrier", { rebate: -1 }, "out_of_domain"],
  ["barrier", { barrier_type: 7 }, "out_of_domain"],
  ["barrier", { barrier_type: 1.5 }, "out_of_domain"],
  ["barrier", { barrier_type: -1 }, "out_of_domain"],
  ["barrier", { barrier_type: "double_out" }, "out_of_domain"],
  ["barrier", { barrier_type: "double_out", upper_barrier: 80 }, "out_of_domain"],
  ["barrier", { monitoring_interval: -1 }, "out_of_domain"],
  ["barrier", { spot: Number.NaN }, "non_finite"],
  ["barrier", { volatility: Number.POSITIVE_INFINITY }, "non_finite"],
  ["barrier", { barrier: Number.NaN }, "non_finite"],
  ["barrier", { rebate: Number.POSITIVE_INFINITY }, "non_finite"],
  ["barrier", { monitoring_interval: Number.NaN }, "non_finite"],
  ["barrier", { barrier_type: "double_out", upper_barrier: Number.NaN }, "non_finite"],
  ["digital", { cash: -1 }, "out_of_domain"],
  ["digital", { cash: Number.NaN }, "non_finite"],
  ["digital", { gap_strike: Number.NaN }, "non_finite"],
  ["digital", { payoff: "gap" }, "out_of_domain"],
  ["digital", { payoff: 9 }, "out_of_domain"],
  ["digital", { payoff: 0.5 }, "out_of_domain"],
  ["digital", { barrier_type: "down_out", barrier: 0 }, "out_of_domain"],
  ["digital", { payoff: "one_touch", barrier_type: "up_out", barrier: 150 }, "out_of_domain"],
  ["digital", { payoff: "one_touch", barrier_type: "down_in", barrier: 80 }, "out_of_domain"],
  ["digital", { payoff: "one_touch_at_expiry", barrier_type: "down_out", barrier: 80 }, "out_of_domain"],
  ["lookback", { strike_type: 2 }, "out_of_domain"],
  ["lookback", { extreme_so_far: -1 }, "out_of_domain"],
  ["lookback", { extreme_so_far: Number.NaN }, "non_finite"],
];

describe("S4.47 refused rows", () => {
  test.each(refused)("%s, %j: %s", (model, change, status) => {
    const good = {
      barrier: { ...call, ...downOut },
      digital: { ...call, ...digital, strike: 120 },
      lookback: { ...call, ...lookback },
    };
    expect(priceRow(model, good[model]).status).toBe(0);
    const values = priceRow(model, { ...good[model], ...change } as ExoticRow);
    expect(values.status).toBe(statusCodes[status]);
    for (const output of exoticOutputs) expect(values[output], output).toBeNaN();
  });
});

describe("S4.47 between prices", () => {
  const priced = (model: ExoticModel | "black_scholes_merton", rows: readonly ExoticRow[]) =>
    engine.price(exoticRequest(model, rows, ["price"])).columns.price!;

  test.each([
    ["everyday", everyday],
    ["wild", wild],
  ] as const)("a knock-in and its knock-out are the plain option, neither less than nothing, %s", (_, wildness) => {
    const rows = randomRows("barrier", 300, 5, wildness).map((row) => ({ ...row, rebate: 0 }));
    const other = (type: unknown) =>
      String(type).endsWith("in") ? String(type).replace("in", "out") : String(type).replace("out", "in");
    const one = priced("barrier", rows);
    const two = priced(
      "barrier",
      rows.map((row) => ({ ...row, barrier_type: other(row.barrier_type) })),
    );
    const plain = priced("black_scholes_merton", rows);
    for (const [index, row] of rows.entries()) {
      const { spot, strike, time_to_expiry: time, rate, dividend_yield: q } = row as unknown as Record<string, number>;
      const size = Math.max(spot!, strike!) * Math.exp(Math.max(0, -rate! * time!, -q! * time!));
      expect(one[index]).toBeGreaterThanOrEqual(0);
      expect(one[index]! - plain[index]!, JSON.stringify(row)).toBeLessThanOrEqual(1e-14 * size);
      expect(Math.abs(one[index]! + two[index]! - plain[index]!), JSON.stringify(row)).toBeLessThanOrEqual(
        2e-14 * size,
      );
    }
  });

  test("every wild row of every model has all its numbers", () => {
    for (const model of exoticModels) {
      // the second moment of an arithmetic average is out of reach for the wildest
      const rows = randomRows(model, 2000, 91, wild).filter(
        (row) => model !== "asian" || Number(row.volatility) ** 2 * Number(row.time_to_expiry) < 100,
      );
      const { columns, status } = engine.price(exoticRequest(model, rows));
      for (const [index, row] of rows.entries()) {
        expect(status[index], JSON.stringify(row)).toBe(0);
        for (const output of exoticOutputs) {
          if (output !== "lambda")
            expect(Number.isFinite(columns[output]![index]!), `${output} ${JSON.stringify(row)}`).toBe(true);
        }
      }
    }
  });

  test("a gap is an asset less cash, and touching and not touching are certain together", () => {
    const rows = [call, put].flatMap((row) => [row, { ...row, barrier_type: "up_in", barrier: 110 }]);
    const gap = priced(
      "digital",
      rows.map((row) => ({ ...row, payoff: "gap", gap_strike: 97 })),
    );
    const asset = priced(
      "digital",
      rows.map((row) => ({ ...row, payoff: "asset" })),
    );
    const cash = priced(
      "digital",
      rows.map((row) => ({ ...row, payoff: "cash", cash: 97 })),
    );
    for (const [index, row] of rows.entries())
      expect(Math.abs(gap[index]! - (row.isCall ? 1 : -1) * (asset[index]! - cash[index]!))).toBeLessThan(1e-13 * 100);
    for (const isCall of [true, false]) {
      const row = { ...market, isCall, strike: isCall ? 115 : 90 };
      const [hit, not] = priced(
        "digital",
        ["one_touch_at_expiry", "no_touch"].map((payoff) => ({ ...row, payoff })),
      );
      expect(Math.abs(hit! + not! - Math.exp(-0.025))).toBeLessThan(1e-15);
      const [hitAsset, notAsset] = priced(
        "digital",
        ["asset_touch_at_expiry", "asset_no_touch"].map((payoff) => ({ ...row, payoff })),
      );
      expect(Math.abs(hitAsset! + notAsset! - 100 * Math.exp(-0.01))).toBeLessThan(1e-13);
    }
  });

  test("barriers seen in intervals are right by the correction, fifty looks in 0.2 years", () => {
    // spot and strike 100, rate 10 %, volatility 30 %: down-and-out calls as in Broadie, Glasserman and Kou's table 2.1, each against the
    // recursion over its fifty looks; without the correction they are off by the last figure
    const looks = 50;
    for (const [barrier, error, uncorrected] of [
      [85, 2e-4, 0.01],
      [91, 3e-4, 0.16],
      [95, 1e-3, 0.48],
      [97, 3e-3, 0.75],
    ] as const) {
      const row = {
        isCall: true,
        spot: 100,
        strike: 100,
        time_to_expiry: 0.2,
        rate: 0.1,
        dividend_yield: 0,
        volatility: 0.3,
      };
      const terms = { ...row, barrier_type: "down_out", barrier };
      const expected = discreteDownOutCall(row, barrier, looks);
      const [moved, still] = priced("barrier", [{ ...terms, monitoring_interval: 0.2 / looks }, terms]);
      expect(Math.abs(moved! - expected), `${barrier}: ${moved}, ${expected}`).toBeLessThan(error);
      expect(Math.abs(still! - expected), `${barrier}: ${still}, ${expected}`).toBeGreaterThan(uncorrected);
    }
  });

  test("a digital's barriers and touches are moved by the same", () => {
    const shift = Math.exp(-0.5825971579390107 * 0.25 * Math.sqrt(0.01));
    const interval = { monitoring_interval: 0.01 };
    const [moved, shifted] = priced("digital", [
      { ...call, ...digital, ...downOut, ...interval },
      { ...call, ...digital, ...downOut, barrier: 80 * shift },
    ]);
    expect(Math.abs(moved! - shifted!)).toBeLessThan(1e-13);
    const [touch, touched] = priced("digital", [
      { ...call, payoff: "one_touch", strike: 110, ...interval },
      { ...call, payoff: "one_touch", strike: 110 / shift },
    ]);
    expect(Math.abs(touch! - touched!)).toBeLessThan(1e-14);
  });

  test("extremes seen in intervals are right by the correction, at their beginning and later", () => {
    for (const isCall of [true, false]) {
      // what is left of the error shrinks like the interval, not like its root
      for (const [looks, error, uncorrected] of [
        [50, 0.032, 1],
        [200, 0.0085, 0.5],
        [800, 0.0022, 0.25],
      ] as const) {
        const row = { ...market, isCall, strike_type: "floating", extreme_so_far: 100 };
        const expected = discreteFloating(row, isCall, looks);
        const [moved, still] = priced("lookback", [{ ...row, monitoring_interval: 0.5 / looks }, row]);
        expect(Math.abs(moved! - expected), `${moved}, ${expected}`).toBeLessThan(error);
        expect(Math.abs(still! - expected)).toBeGreaterThan(uncorrected);
      }
    }
    // a fixed strike below every maximum is the floating one and the forward
    const far = { ...call, strike: 1, extreme_so_far: 100, monitoring_interval: 0.01 };
    const [fixed, floating] = priced("lookback", [
      { ...far, strike_type: "fixed" },
      { ...far, isCall: false, strike_type: "floating" },
    ]);
    expect(Math.abs(fixed! - floating! - (100 * Math.exp(-0.01) - Math.exp(-0.025)))).toBeLessThan(1e-12);
    // K is seen as often as the maximum is: a strike above all that was seen
    const above = { ...call, strike: 110, strike_type: "fixed", extreme_so_far: 100 };
    const [often, always] = priced("lookback", [{ ...above, monitoring_interval: 1e-9 }, above]);
    expect(Math.abs(often! - always!)).toBeLessThan(1e-3);
  });
});

type Market = {
  spot: number;
  strike: number;
  time_to_expiry: number;
  rate: number;
  dividend_yield: number;
  volatility: number;
};

const normalLaw = (x: number) => {
  // ∫ φ by Gauss–Legendre is enough here
  const tail = integral((y) => Math.exp(-0.5 * y * y), -Math.min(40, Math.abs(x)), 0) / Math.sqrt(2 * Math.PI);
  return 0.5 + Math.sign(x) * tail;
};

/** A down-and-out call whose barrier is looked at so many times, the last at expiry: backwards over a grid, look by look. */
function discreteDownOutCall(row: Market, barrier: number, looks: number): number {
  const { spot, strike, time_to_expiry: time, rate, dividend_yield: q, volatility } = row;
  const dt = time / looks;
  const s = volatility * Math.sqrt(dt);
  const nu = (rate - q - 0.5 * volatility ** 2) * dt;
  const low = Math.log(barrier);
  const points = 700;
  const width = (Math.log(spot) + 7 * volatility * Math.sqrt(time) - low) / points;
  const at = (i: number) => low + i * width;
  const halfBand = Math.ceil((9 * s) / width);
  const drift = nu / width;
  const kernel = (distance: number) =>
    Math.exp(-0.5 * ((distance * width - nu) / s) ** 2) / (s * Math.sqrt(2 * Math.PI));
  let values = Float64Array.from({ length: points + 1 }, (_, i) => Math.max(Math.exp(at(i)) - strike, 0));
  const step = (from: Float64Array, x: number) => {
    const middle = (x - low) / width;
    const first = Math.max(0, Math.floor(middle + drift - halfBand));
    const last = Math.min(points, Math.ceil(middle + drift + halfBand));
    let sum = 0;
    for (let i = first; i <= last; i++) {
      // Gregory's ends where the barrier cuts the integral
      const ends = i === 0 ? 3 / 8 : i === 1 ? 7 / 6 : i === 2 ? 23 / 24 : 1;
      sum += ends * kernel(i - middle) * from[i]!;
    }
    return sum * width * Math.exp(-rate * dt);
  };
  for (let look = looks; look > 1; look--) values = values.map((_, i) => step(values, at(i)));
  return step(values, Math.log(spot));
}

/** A floating lookback from its beginning, by Spitzer's identity: n aₙ = Σ bₖ aₙ₋ₖ, bₖ = E[e^(X⁺)] after k steps, aₙ = E[e^max]. */
function discreteFloating(row: Market, isCall: boolean, looks: number): number {
  const { spot, time_to_expiry: time, rate, dividend_yield: q, volatility } = row;
  const nu = rate - q - 0.5 * volatility ** 2;
  const b = Array.from({ length: looks + 1 }, (_, k) => {
    const t = (time * k) / looks;
    const s = volatility * Math.sqrt(t);
    if (k === 0) return 1;
    // of a minimum the negative part
    const sign = isCall ? -1 : 1;
    return normalLaw((-sign * nu * t) / s) + Math.exp((rate - q) * t) * normalLaw((sign * (nu * t + s * s)) / s);
  });
  const a = [1];
  for (let n = 1; n <= looks; n++) {
    let sum = 0;
    for (let k = 1; k <= n; k++) sum += b[k]! * a[n - k]!;
    a.push(sum / n);
  }
  const extreme = spot * a[looks]! * Math.exp(-rate * time);
  const asset = spot * Math.exp(-q * time);
  return isCall ? asset - extreme : extreme - asset;
}
