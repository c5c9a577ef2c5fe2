// Asian options: published prices, and twins that sum moments over all pairs of fixings, integrate two fixings exactly, or let fixings become
// dense; what is known of an average, expiry, certainty and refused rows.

import { beforeAll, describe, expect, test } from "bun:test";
import { type OutputName, statusCodes } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import published from "../../golden/asian-published.json";
import { type ExoticRow, everyday, exoticOutputs, exoticRequest, randomRows } from "../../harness/exotic";
import { integral } from "../../harness/exotic-twin";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

type Values = Record<OutputName, number> & { status: number };

const asianOutputs: readonly OutputName[] = [...exoticOutputs, "standard_error"];

function priceRow(row: ExoticRow): Values {
  const { columns, status } = engine.price(exoticRequest("asian", [row], asianOutputs));
  const values = Object.fromEntries(asianOutputs.map((output) => [output, columns[output]![0]!]));
  return { ...values, status: status[0]! } as Values;
}

const numbersOf = (row: ExoticRow) => row as unknown as Record<string, number>;

/** N(x) by its integral. */
function law(x: number): number {
  const part = integral((y) => Math.exp(-0.5 * y * y), 0, Math.min(Math.abs(x), 12)) / Math.sqrt(2 * Math.PI);
  return 0.5 + Math.sign(x) * part;
}

/** E[max(±(X - Y), 0)] of lognormal variables. */
function exchange(isCall: boolean, x: number, y: number, w2: number): number {
  const w = Math.sqrt(w2);
  const d = Math.log(x / y) / w + w / 2;
  return isCall ? x * law(d) - y * law(d - w) : y * law(w - d) - x * law(-d);
}

/** Over fixings: moments by sums over all pairs. Mean of what is past and lies now are constants. */
function twin(row: ExoticRow): number {
  const {
    spot,
    strike,
    time_to_expiry: time,
    rate,
    dividend_yield: q,
    volatility: v,
    average_so_far: past,
  } = numbersOf(row);
  const times = row.fixings!;
  const n = times.length;
  const b = rate! - q!;
  const discount = Math.exp(-rate! * time!);
  const forward = spot! * Math.exp(b * time!);
  const isFloating = row.strike_type === "floating";
  const coming = times.filter((t) => t > 0);
  const behind = times.length - coming.length;
  const pairs = (f: (one: number, other: number) => number) =>
    coming.reduce((sum, one) => sum + coming.reduce((inner, other) => inner + f(one, other), 0), 0);
  if (row.average === "geometric") {
    const middle = coming.reduce((sum, t) => sum + t, 0) / n;
    const w2 = (v! * v! * pairs(Math.min)) / n / n;
    const log = (behind * Math.log(past!) + coming.length * Math.log(spot!)) / n + (b - 0.5 * v! * v!) * middle;
    const mean = Math.exp(log + 0.5 * w2);
    if (!isFloating) return discount * exchange(row.isCall, mean, strike!, w2);
    return discount * exchange(row.isCall, forward, mean, w2 + v! * v! * (time! - 2 * middle));
  }
  const f = (t: number) => spot! * Math.exp(b * t);
  const known = (behind * past!) / n;
  const mean = coming.reduce((sum, t) => sum + f(t), 0) / n;
  const square = pairs((one, other) => f(one) * f(other) * Math.exp(v! * v! * Math.min(one, other))) / n / n;
  if (!isFloating) {
    if (strike! <= known) return row.isCall ? discount * (known + mean - strike!) : 0;
    return discount * exchange(row.isCall, mean, strike! - known, Math.log(square / mean / mean));
  }
  const whole = known + mean;
  const product = forward * known + coming.reduce((sum, t) => sum + f(t) * forward * Math.exp(v! * v! * t), 0) / n;
  const own = Math.log((known * known + 2 * known * mean + square) / whole / whole);
  const shared = Math.log(product / forward / whole);
  return discount * exchange(row.isCall, forward, whole, own + v! * v! * time! - 2 * shared);
}

describe("S4.47 published Asian options", () => {
  for (const row of published.cases) {
    const { option_type: type, expected, tolerance, source } = row;
    const days = (t: number) => Math.round(360 * t) / 360;
    test(`${row.average} ${type} ${row.spot}/${row.strike}, ${row.count ?? "continuous"}: ${expected} (${source})`, () => {
      const { count, first, last } = row;
      const fixings =
        count === undefined
          ? []
          : Array.from({ length: count }, (_, i) => days(first! + (i * (last! - first!)) / (count - 1)));
      const { source: _, expected: __, tolerance: ___, count: ____, first: _____, last: ______, ...terms } = row;
      const option = { time_to_expiry: fixings.at(-1)!, ...terms, isCall: type === "call", fixings };
      const { price, status } = priceRow(option as unknown as ExoticRow);
      expect(status).toBe(0);
      expect(Math.abs(price - expected), String(price)).toBeLessThanOrEqual(tolerance);
    });
  }

  test("the strike of a geometric average over ten fixings is worth 4.95620, by integration; 4.97109 circulates", () => {
    const fixings = Array.from({ length: 10 }, (_, i) => (i + 1) / 10);
    const market = { spot: 100, strike: 100, time_to_expiry: 1, rate: 0.06, dividend_yield: 0.03, volatility: 0.2 };
    const { price } = priceRow({ ...market, isCall: true, average: "geometric", strike_type: "floating", fixings });
    // ln S_T given ln G is normal: integrate over G what is left of the payoff
    const g = { mean: Math.log(100) + 0.01 * 0.55, variance: 0.04 * 0.385 };
    const cov = 0.04 * 0.55;
    const left = 0.04 - (cov * cov) / g.variance;
    const value = integral(
      (z) => {
        const log = Math.sqrt(g.variance) * z;
        const mean = Math.log(100) + 0.01 + (cov / g.variance) * log + 0.5 * left;
        const part = exchange(true, Math.exp(mean), Math.exp(g.mean + log), left);
        return (part * Math.exp(-0.5 * z * z)) / Math.sqrt(2 * Math.PI);
      },
      -9,
      9,
    );
    expect(Math.abs(price - Math.exp(-0.06) * value)).toBeLessThan(1e-11);
    expect(price).toBeCloseTo(4.9562, 5);
  });
});

describe("S4.47 averages over fixings", () => {
  test("agree with sums over all pairs on random rows, past fixings and floating strikes among them", () => {
    const rows = randomRows("asian", 400, 17, everyday).filter(
      (row) => row.fixings !== undefined && row.fixings.length > 1,
    );
    expect(rows.length).toBeGreaterThan(150);
    const { columns, status } = engine.price(exoticRequest("asian", rows, ["price"]));
    for (const [index, row] of rows.entries()) {
      expect(status[index]).toBe(0);
      const size = Math.max(Number(row.spot), Number(row.strike));
      expect(Math.abs(columns.price![index]! - twin(row)) / size, JSON.stringify(row)).toBeLessThan(1e-13);
    }
  });

  test("keep their digits where volatility is tiny: at the money a price is a share of it", () => {
    const row = {
      isCall: true,
      spot: 100,
      strike: 100,
      time_to_expiry: 1,
      rate: 0,
      dividend_yield: 0,
      average: "arithmetic",
    };
    // σ S √(Σ min(t_i, t_j))/n / √(2π); of a continuous average √(1/3)
    const fixings = [0.25, 0.5, 0.75, 1];
    for (const [terms, share] of [
      [{ fixings }, Math.sqrt(7.5 / 16)],
      [{}, Math.sqrt(1 / 3)],
    ] as const) {
      for (const volatility of [1e-4, 1e-6, 1e-7]) {
        const { price } = priceRow({ ...row, ...terms, volatility });
        expect(Math.abs(price / ((100 * volatility * share) / Math.sqrt(2 * Math.PI)) - 1)).toBeLessThan(1e-7);
      }
    }
  });

  test("are exact where one is left: the plain option on a part of the spot", () => {
    const market = { spot: 100, strike: 98, time_to_expiry: 0.5, rate: 0.04, dividend_yield: 0.01, volatility: 0.3 };
    for (const isCall of [true, false]) {
      const plain = (strike: number) =>
        engine.price(exoticRequest("black_scholes_merton", [{ ...market, isCall, strike }], ["price"])).columns
          .price![0]!;
      // one now, one at expiry: half of an option over 2K - S
      expect(
        Math.abs(priceRow({ ...market, isCall, average: "arithmetic", fixings: [0, 0.5] }).price - plain(96) / 2),
      ).toBeLessThan(1e-13);
      // two past of mean 103, one to come
      const begun = { ...market, isCall, average: "arithmetic", fixings: [-0.5, -0.1, 0.5], average_so_far: 103 };
      expect(Math.abs(priceRow(begun).price - plain(3 * 98 - 206) / 3)).toBeLessThan(1e-13);
      expect(
        Math.abs(priceRow({ ...market, isCall, average: "geometric", fixings: [0.5] }).price - plain(98)),
      ).toBeLessThan(1e-13);
    }
  });

  test("are off by their lognormal assumption only: two fixings by a double integral", () => {
    for (const [volatility, error] of [
      [0.1, 0.003],
      [0.2, 0.01],
      [0.5, 0.1],
    ] as const) {
      const row = {
        isCall: true,
        spot: 100,
        strike: 100,
        time_to_expiry: 1,
        rate: 0.05,
        dividend_yield: 0,
        volatility,
      };
      const { price } = priceRow({ ...row, average: "arithmetic", fixings: [0.5, 1] });
      const nu = 0.05 - 0.5 * volatility ** 2;
      const exact = integral(
        (z) => {
          const first = 100 * Math.exp(nu * 0.5 + volatility * Math.sqrt(0.5) * z);
          // half of an option on the second fixing over 2K - first
          const left = 200 - first;
          const forward = first * Math.exp(0.025);
          const part = left > 0 ? exchange(true, forward, left, volatility ** 2 / 2) : forward - left;
          return (0.5 * part * Math.exp(-0.5 * z * z)) / Math.sqrt(2 * Math.PI);
        },
        -9,
        9,
        [(Math.log(2) - nu * 0.5) / volatility / Math.sqrt(0.5)],
      );
      const off = Math.abs(price - Math.exp(-0.05) * exact);
      expect(off, `${price}, ${Math.exp(-0.05) * exact}`).toBeLessThan(error);
      expect(off).toBeGreaterThan(error / 2);
    }
  });
});

describe("S4.47 arithmetic averages conditioned on the geometric one", () => {
  const market = {
    isCall: true,
    spot: 100,
    strike: 100,
    time_to_expiry: 1,
    rate: 0.05,
    dividend_yield: 0,
    average: "arithmetic",
  };
  /** Two fixings, exactly: over the first, half of an option on the second. */
  function exactOfTwo(volatility: number): number {
    const nu = 0.05 - 0.5 * volatility ** 2;
    const value = integral(
      (z) => {
        const first = 100 * Math.exp(nu * 0.5 + volatility * Math.sqrt(0.5) * z);
        const left = 200 - first;
        const forward = first * Math.exp(0.025);
        const part = left > 0 ? exchange(true, forward, left, volatility ** 2 / 2) : forward - left;
        return (0.5 * part * Math.exp(-0.5 * z * z)) / Math.sqrt(2 * Math.PI);
      },
      -9,
      9,
      [(Math.log(2) - nu * 0.5) / volatility / Math.sqrt(0.5)],
    );
    return Math.exp(-0.05) * value;
  }

  test.each([
    [0.1, 1.2e-4],
    [0.2, 1e-3],
    [0.5, 0.015],
  ])("at %d: the bound is below by less than %d, and simulated within four of its errors", (volatility, below) => {
    const exact = exactOfTwo(volatility);
    const row = { ...market, volatility, fixings: [0.5, 1] };
    const bound = priceRow({ ...row, method: "lower_bound" });
    expect(bound.price).toBeLessThan(exact);
    expect(bound.price).toBeGreaterThan(exact - below);
    expect(bound.standard_error).toBe(0);
    for (const seed of [1, 2, 3]) {
      const { price, standard_error: error } = priceRow({ ...row, method: "control_variate", paths: 16_384, seed });
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(below / 4);
      expect(Math.abs(price - exact) / error, `${price}, ${exact}, seed ${seed}`).toBeLessThan(4);
    }
  });

  test("give Vecer's exact prices of continuous averages, by two numbers of fixings", () => {
    // published: Vecer (2001), the seven cases' four that circulate, each with its tolerance
    for (const [spot, rate, volatility, time, expected, tolerance, paths] of [
      [1.9, 0.05, 0.5, 1, 0.193174, 1e-5, 131_072],
      [2.1, 0.05, 0.5, 1, 0.30622, 1e-4, 2048],
      [2, 0.18, 0.3, 1, 0.218388, 1e-4, 2048],
      [2, 0.05, 0.5, 2, 0.350095, 2e-4, 2048],
    ] as const) {
      const row = { isCall: true, spot, strike: 2, time_to_expiry: time, rate, dividend_yield: 0, volatility };
      const by = (count: number) => {
        const fixings = Array.from({ length: count }, (_, i) => ((i + 0.5) * time) / count);
        return priceRow({ ...row, average: "arithmetic", method: "control_variate", paths, fixings }).price;
      };
      // the middle of so many parts: off by the square of a part
      expect(Math.abs((4 * by(64) - by(32)) / 3 - expected)).toBeLessThan(tolerance);
    }
  }, 30_000);

  test("the bound's Greeks are differences of it, and follow the pricing equation's spot, strike and known part", () => {
    const base = { ...market, spot: 97, volatility: 0.35, method: "lower_bound", average_so_far: 104 };
    for (const fixings of [
      [0.25, 0.5, 0.75, 1],
      [-0.2, 0.1, 0.8],
      [0, 0.5, 1],
    ]) {
      for (const isCall of [true, false]) {
        const row = { ...base, isCall, fixings };
        const at = priceRow(row);
        const steps = [
          ["delta", "price", "spot"],
          ["gamma", "delta", "spot"],
          ["speed", "gamma", "spot"],
          ["vega", "price", "volatility"],
          ["volga", "vega", "volatility"],
          ["ultima", "volga", "volatility"],
          ["zomma", "gamma", "volatility"],
          ["rho", "price", "rate"],
          ["dividend_rho", "price", "dividend_yield"],
          ["dual_delta", "price", "strike"],
          ["dual_gamma", "dual_delta", "strike"],
          ["color", "gamma", "time_to_expiry"],
          ["theta", "price", "time_to_expiry"],
        ] as const;
        for (const [greek, below, input] of steps) {
          const step = {
            spot: 0.5,
            strike: 0.5,
            volatility: 0.002,
            rate: 0.002,
            dividend_yield: 0.002,
            time_to_expiry: 0.001,
          }[input];
          const moved = (times: number) => {
            const there = { ...row, [input]: Number(row[input]) + times * step };
            // what lies now stays now
            const later = fixings.map((t) => (t === 0 ? 0 : t + times * step));
            return priceRow(input === "time_to_expiry" ? { ...there, fixings: later } : there)[below];
          };
          const difference =
            (45 * (moved(1) - moved(-1)) - 9 * (moved(2) - moved(-2)) + moved(3) - moved(-3)) / (60 * step);
          const expected = input === "time_to_expiry" ? -difference : difference;
          expect(Math.abs(at[greek] - expected), `${greek} ${at[greek]} ${expected} ${fixings}`).toBeLessThan(
            1e-6 * (1 + Math.abs(expected)),
          );
        }
      }
    }
  });

  test("an average that begins now gets shorter as time passes, and is what one that begins in a moment tends to", () => {
    const step = 0.001;
    for (const average of ["arithmetic", "geometric"])
      for (const strike_type of ["fixed", "floating"])
        for (const isCall of [true, false]) {
          const row = { ...market, spot: 97, volatility: 0.35, average, strike_type, isCall, average_so_far: 104 };
          const at = priceRow(row);
          const later = (times: number) => priceRow({ ...row, time_to_expiry: row.time_to_expiry + times * step });
          for (const [greek, below] of [
            ["theta", "price"],
            ["charm", "delta"],
            ["veta", "vega"],
            ["color", "gamma"],
          ] as const) {
            const change = (times: number) => later(times)[below] - later(-times)[below];
            const expected = -(45 * change(1) - 9 * change(2) + change(3)) / (60 * step);
            expect(Math.abs(at[greek] - expected), greek).toBeLessThan(1e-6 * (1 + Math.abs(expected)));
          }
          const soon = priceRow({ ...row, averaging_start: 1e-9 });
          expect(Math.abs(soon.price - at.price)).toBeLessThan(1e-6);
        }
  });

  test("the bound is exact for one fixing, never above a simulation by more than its error, and keeps parity", () => {
    const rows = randomRows("asian", 300, 41, everyday)
      .filter((row) => row.fixings !== undefined && row.fixings.at(-1)! > 0)
      .map((row) => ({ ...row, average: "arithmetic", strike_type: "fixed", paths: 256 }));
    const of = (method: string, change: Partial<ExoticRow> = {}) =>
      engine.price(
        exoticRequest(
          "asian",
          rows.map((row) => ({ ...row, method, ...change })),
          ["price", "standard_error"],
        ),
      );
    const [bound, simulated, moments] = [of("lower_bound"), of("control_variate"), of("moments")];
    const [calls, puts] = [of("lower_bound", { isCall: true }), of("lower_bound", { isCall: false })];
    const averages = of("lower_bound", { isCall: true, strike: 0 });
    for (const [index, row] of rows.entries()) {
      const price = (result: typeof bound) => result.columns.price![index]!;
      expect(bound.status[index]).toBe(0);
      expect(simulated.status[index]).toBe(0);
      expect(price(simulated)).toBeGreaterThanOrEqual(price(bound));
      if (row.fixings!.filter((t) => t > 0).length === 1)
        expect(Math.abs(price(bound) - price(moments))).toBeLessThan(1e-12);
      const { strike, time_to_expiry: time, rate } = numbersOf(row);
      const parity = price(averages) - strike! * Math.exp(-rate! * time!);
      expect(Math.abs(price(calls) - price(puts) - parity), JSON.stringify(row)).toBeLessThan(1e-11);
    }
  });

  test("a seed gives the same bits again, another seed others, and few outputs the bits of all", () => {
    const row = { ...market, volatility: 0.4, fixings: [0.25, 0.5, 1], method: "control_variate", paths: 1024 };
    expect(priceRow({ ...row, seed: 7 })).toEqual(priceRow({ ...row, seed: 7 }));
    expect(priceRow({ ...row, seed: 8 }).price).not.toBe(priceRow({ ...row, seed: 7 }).price);
    const alone = engine.price(exoticRequest("asian", [{ ...row, seed: 7 }], ["price"])).columns.price![0]!;
    expect(alone).toBe(priceRow({ ...row, seed: 7 }).price);
  });
});

describe("S4.47 continuous averages", () => {
  const market = { spot: 100, strike: 101, time_to_expiry: 0.5, rate: 0.05, dividend_yield: 0.02, volatility: 0.3 };
  for (const average of ["arithmetic", "geometric"]) {
    for (const strike_type of ["fixed", "floating"]) {
      test(`are what dense fixings tend to, ${average}, ${strike_type}, in every output`, () => {
        for (const [start, so] of [
          [0, 0],
          [0.2, 0],
          [-0.3, 97],
        ] as const) {
          const terms = { ...market, isCall: true, average, strike_type };
          const whole = priceRow({ ...terms, averaging_start: start, average_so_far: so });
          // the middle of each of so many parts: off by the square of a part's length, which two counts take out
          const dense = (count: number) => {
            const fixings = Array.from({ length: count }, (_, i) => start + ((0.5 - start) * (i + 0.5)) / count);
            return priceRow({ ...terms, fixings, average_so_far: so });
          };
          const [coarse, fine] = [dense(400), dense(800)];
          for (const output of [
            "price",
            "delta",
            "gamma",
            "vega",
            "rho",
            "dividend_rho",
            "volga",
            "dual_delta",
          ] as const) {
            const limit = (4 * fine[output] - coarse[output]) / 3;
            expect(Math.abs(whole[output] - limit), `${output} ${start}`).toBeLessThan(2e-7 * (1 + Math.abs(limit)));
          }
        }
      });
    }
  }

  test("of an average without carry are those with hardly any", () => {
    const at = (rate: number) =>
      priceRow({ ...market, isCall: true, average: "arithmetic", rate, dividend_yield: 0.02 });
    const [none, little] = [at(0.02), at(0.02 + 1e-9)];
    for (const output of exoticOutputs)
      expect(Math.abs(none[output] - little[output])).toBeLessThan(1e-6 * (1 + Math.abs(none[output])));
  });

  test("of high volatility are still the sum of their panels", () => {
    const row = { ...market, isCall: true, average: "arithmetic", volatility: 2, time_to_expiry: 10 };
    const whole = priceRow(row);
    expect(whole.status).toBe(0);
    // E[A²] in closed form
    const b = 0.03;
    const v2 = 4;
    const t = 10;
    const m1 = Math.expm1(b * t) / (b * t);
    const m2 =
      ((2 * Math.exp((2 * b + v2) * t)) / ((b + v2) * (2 * b + v2)) +
        (2 / b) * (1 / (2 * b + v2) - Math.exp(b * t) / (b + v2))) /
      (t * t);
    const expected = Math.exp(-0.5) * exchange(true, 100 * m1, 101, Math.log(m2 / m1 / m1));
    expect(Math.abs(whole.price / expected - 1)).toBeLessThan(1e-12);
  });
});

const call = {
  isCall: true,
  spot: 100,
  strike: 95,
  time_to_expiry: 0.5,
  rate: 0.05,
  dividend_yield: 0.02,
  volatility: 0.25,
  average: "arithmetic",
};
const limits: [string, ExoticRow, Partial<Values>][] = [
  [
    "expired: the past's average",
    { ...call, time_to_expiry: 0, fixings: [-0.5, -0.25], average_so_far: 98 },
    { price: 3, delta: 0, dual_delta: -1, theta: 0, status: 1 },
  ],
  [
    "expired: a last fixing now",
    { ...call, time_to_expiry: 0, fixings: [-0.5, 0], average_so_far: 98 },
    { price: 4, delta: 0.5, status: 1 },
  ],
  [
    "expired: continuous",
    { ...call, time_to_expiry: 0, averaging_start: -1, average_so_far: 98 },
    { price: 3, delta: 0, status: 1 },
  ],
  ["expired before it began: the spot", { ...call, time_to_expiry: 0 }, { price: 5, delta: 1, status: 1 }],
  [
    "expired: geometric",
    { ...call, average: "geometric", time_to_expiry: 0, fixings: [-0.5, 0], average_so_far: 81 },
    { price: 0, status: 1 },
  ],
  [
    "expired at the kink",
    { ...call, time_to_expiry: 0, strike: 100 },
    { price: 0, delta: 0.5, dual_delta: -0.5, gamma: NaN, speed: NaN, theta: NaN, status: 1 },
  ],
  [
    "no volatility: the forwards' average",
    { ...call, volatility: 0, fixings: [0.25, 0.5] },
    { price: Math.exp(-0.025) * (50 * Math.exp(0.0075) + 50 * Math.exp(0.015) - 95), vega: 0, status: 2 },
  ],
  [
    "no volatility: geometric",
    { ...call, average: "geometric", volatility: 0, fixings: [0.25, 0.5] },
    { price: Math.exp(-0.025) * (100 * Math.exp(0.01125) - 95), vega: 0, status: 2 },
  ],
  [
    "no volatility: against the spot",
    { ...call, strike_type: "floating", volatility: 0, fixings: [0.25, 0.5] },
    { price: Math.exp(-0.025) * 50 * (Math.exp(0.015) - Math.exp(0.0075)), status: 2 },
  ],
  [
    "no spot: a put",
    { ...call, isCall: false, spot: 0, fixings: [0.25, 0.5] },
    { price: 95 * Math.exp(-0.025), status: 3 },
  ],
  [
    "no spot: half of the average is known",
    { ...call, spot: 0, strike: 40, fixings: [-0.25, 0.5], average_so_far: 100 },
    { price: 10 * Math.exp(-0.025), status: 3 },
  ],
  [
    "no spot: a geometric average of nothing",
    { ...call, average: "geometric", spot: 0, fixings: [0.5] },
    { price: 0, status: 3 },
  ],
  [
    "no strike: the average",
    { ...call, strike: 0, fixings: [0.5] },
    { price: 100 * Math.exp(-0.01), delta: Math.exp(-0.01), gamma: 0, status: 0 },
  ],
  [
    "more known than the strike: sure",
    { ...call, strike: 40, fixings: [-0.25, 0.5], average_so_far: 100 },
    { price: Math.exp(-0.025) * 10 + 50 * Math.exp(-0.01), gamma: 0, vega: 0, status: 0 },
  ],
  [
    "more known than the strike: a put is nothing",
    { ...call, isCall: false, strike: 40, fixings: [-0.25, 0.5], average_so_far: 100 },
    { price: 0, lambda: NaN, status: 0 },
  ],
  [
    "all past, paid later",
    { ...call, fixings: [-0.25, -0.1], average_so_far: 100 },
    { price: 5 * Math.exp(-0.025), delta: 0, vega: 0, status: 0 },
  ],
  [
    "all past, geometric",
    { ...call, average: "geometric", fixings: [-0.25, -0.1], average_so_far: 100 },
    { price: 5 * Math.exp(-0.025), delta: 0, status: 0 },
  ],
  [
    "the average is the last spot: nothing",
    { ...call, strike_type: "floating", fixings: [0.5] },
    { price: 0, delta: 0, gamma: 0, status: 0 },
  ],
  [
    "a fixing a rounding after expiry",
    { ...call, strike: 0, fixings: [0.5 + 1e-16] },
    { price: 100 * Math.exp(-0.01), status: 0 },
  ],
];

describe("S4.47 limits of averages", () => {
  test.each(limits)("%s", (_, row, expected) => {
    const values = priceRow(row);
    for (const [name, value] of Object.entries(expected) as [keyof Values, number][]) {
      if (Number.isNaN(value)) expect(values[name], name).toBeNaN();
      else expect(Math.abs(values[name] - value), `${name} is ${values[name]}, not ${value}`).toBeLessThan(1e-12);
    }
  });

  const refused: [Partial<ExoticRow>, keyof typeof statusCodes][] = [
    [{ average: 2 }, "out_of_domain"],
    [{ strike_type: 3 }, "out_of_domain"],
    [{ fixings: [0.6] }, "out_of_domain"],
    [{ fixings: [0.3, 0.2] }, "out_of_domain"],
    [{ fixings: [Number.NaN] }, "non_finite"],
    [{ fixings: [-0.1, 0.5] }, "out_of_domain"],
    [{ fixings: [-0.1, 0.5], average_so_far: -1 }, "out_of_domain"],
    [{ average_so_far: Number.NaN }, "non_finite"],
    [{ averaging_start: Number.POSITIVE_INFINITY }, "non_finite"],
    [{ averaging_start: 0.5 }, "out_of_domain"],
    [{ averaging_start: -0.5 }, "out_of_domain"],
    [{ volatility: 30 }, "out_of_domain"],
    [{ volatility: -1 }, "out_of_domain"],
    [{ time_to_expiry: 0, fixings: [0.5] }, "out_of_domain"],
    [{ method: 3 }, "out_of_domain"],
    [{ method: "lower_bound" }, "out_of_domain"],
    [{ method: "lower_bound", strike_type: "floating", fixings: [0.5] }, "out_of_domain"],
    [{ method: "control_variate", fixings: [0.5], paths: 63 }, "out_of_domain"],
    [{ method: "control_variate", fixings: [0.5], paths: 100.5 }, "out_of_domain"],
    [{ method: "control_variate", fixings: [0.5], seed: -1 }, "out_of_domain"],
    [{ method: "control_variate", fixings: Array.from({ length: 65 }, (_, i) => (i + 1) / 200) }, "out_of_domain"],
    [{ method: Number.NaN }, "non_finite"],
    [{ paths: Number.NaN }, "non_finite"],
    [{ seed: Number.POSITIVE_INFINITY }, "non_finite"],
  ];
  test.each(refused)("%j is refused: %s", (change, status) => {
    const values = priceRow({ ...call, ...change } as ExoticRow);
    expect(values.status).toBe(statusCodes[status]);
    for (const output of exoticOutputs) expect(values[output], output).toBeNaN();
  });

  test("call less put is the average less the strike, fixed or floating", () => {
    const rows = randomRows("asian", 200, 3, everyday).map((row) => ({ ...row, isCall: true }));
    const of = (isCall: boolean, strike?: number) =>
      engine.price(
        exoticRequest(
          "asian",
          rows.map((row) => ({ ...row, isCall, ...(strike === undefined ? {} : { strike, strike_type: "fixed" }) })),
          ["price"],
        ),
      ).columns.price!;
    const [calls, puts, averages] = [of(true), of(false), of(true, 0)];
    for (const [index, row] of rows.entries()) {
      const { spot, strike, time_to_expiry: time, rate, dividend_yield: q } = numbersOf(row);
      const asset = spot! * Math.exp(-q! * time!);
      const expected =
        row.strike_type === "floating"
          ? asset - averages[index]!
          : averages[index]! - strike! * Math.exp(-rate! * time!);
      expect(Math.abs(calls[index]! - puts[index]! - expected), JSON.stringify(row)).toBeLessThan(1e-12 * 100);
    }
  });
});
