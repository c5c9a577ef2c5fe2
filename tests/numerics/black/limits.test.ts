// The edges: expiry, no volatility, no spot, no strike, their corners, bad values, and random extremes. A row that cannot be
// priced gets a status; a row that is ok is finite in every output.

import { beforeAll, describe, expect, test } from "bun:test";
import { defaultOutputs, type OutputName, type StatusName, statusName } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { pricePlain } from "../../../src/engine/plain";
import { seededRandom } from "../../../src/foundation/random";
import { familyRequest, priceOne, type Row, requestOf, spotOutputs, testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const usual: Row = { spot: 100, strike: 100, time_to_expiry: 0.5, rate: 0.03, dividend_yield: 0.01, volatility: 0.2 };
const dq = Math.exp(-0.01 * 0.5);
const dr = Math.exp(-0.03 * 0.5);
// a forward that equals its strike exactly: no carry at all
const flat = { rate: 0, dividend_yield: 0 };
const none = Number.NaN;

interface Case {
  readonly title: string;
  readonly change: Partial<Row>;
  readonly status: StatusName;
  /** price, delta, gamma, vega, theta, rho; NaN is null. */
  readonly call: readonly number[];
  readonly put: readonly number[];
}

const nothing = [0, 0, 0, 0, 0, 0];
const cases: Case[] = [
  {
    title: "T = 0, spot above",
    change: { time_to_expiry: 0, spot: 110 },
    status: "expired",
    call: [10, 1, 0, 0, 0, 0],
    put: nothing,
  },
  {
    title: "T = 0, spot below",
    change: { time_to_expiry: 0, spot: 90 },
    status: "expired",
    call: nothing,
    put: [10, -1, 0, 0, 0, 0],
  },
  {
    title: "T = 0 at the kink",
    change: { time_to_expiry: 0 },
    status: "expired",
    call: [0, 0.5, none, 0, none, 0],
    put: [0, -0.5, none, 0, none, 0],
  },
  {
    title: "T = 0 and no volatility",
    change: { time_to_expiry: 0, volatility: 0, spot: 110 },
    status: "expired",
    call: [10, 1, 0, 0, 0, 0],
    put: nothing,
  },
  {
    title: "T = 0 and no spot",
    change: { time_to_expiry: 0, spot: 0 },
    status: "expired",
    call: nothing,
    put: [100, -1, 0, 0, 0, 0],
  },
  {
    title: "T = 0, spot and strike 0",
    change: { time_to_expiry: 0, spot: 0, strike: 0 },
    status: "expired",
    call: [0, 0.5, none, 0, none, 0],
    put: [0, -0.5, none, 0, none, 0],
  },
  {
    title: "T < 0",
    change: { time_to_expiry: -3, spot: 110 },
    status: "expired",
    call: [10, 1, 0, 0, 0, 0],
    put: nothing,
  },
  {
    title: "T < 0 with a huge rate",
    change: { time_to_expiry: -1, spot: 110, rate: 1e300 },
    status: "expired",
    call: [10, 1, 0, 0, 0, 0],
    put: nothing,
  },
  {
    title: "no volatility, forward above",
    change: { volatility: 0, spot: 110 },
    status: "zero_volatility",
    call: [110 * dq - 100 * dr, dq, 0, 0, 0.01 * 110 * dq - 0.03 * 100 * dr, 0.5 * 100 * dr],
    put: nothing,
  },
  {
    title: "no volatility, forward below",
    change: { volatility: 0, spot: 90 },
    status: "zero_volatility",
    call: nothing,
    put: [100 * dr - 90 * dq, -dq, 0, 0, 0.03 * 100 * dr - 0.01 * 90 * dq, -0.5 * 100 * dr],
  },
  {
    title: "no volatility at the kink",
    change: { volatility: 0, ...flat },
    status: "zero_volatility",
    call: [0, 0.5, none, 0, none, 25],
    put: [0, -0.5, none, 0, none, -25],
  },
  {
    title: "no volatility at the kink with equal carry",
    change: { volatility: 0, rate: 0.02, dividend_yield: 0.02, time_to_expiry: 1 },
    status: "zero_volatility",
    call: [0, 0.5 * Math.exp(-0.02), none, 0, none, 50 * Math.exp(-0.02)],
    put: [0, -0.5 * Math.exp(-0.02), none, 0, none, -50 * Math.exp(-0.02)],
  },
  {
    title: "no spot",
    change: { spot: 0 },
    status: "zero_underlying",
    call: nothing,
    put: [100 * dr, -dq, 0, 0, 0.03 * 100 * dr, -0.5 * 100 * dr],
  },
  {
    title: "no spot and no volatility",
    change: { spot: 0, volatility: 0 },
    status: "zero_underlying",
    call: nothing,
    put: [100 * dr, -dq, 0, 0, 3 * dr, -50 * dr],
  },
  {
    title: "no strike",
    change: { strike: 0 },
    status: "ok",
    call: [100 * dq, dq, 0, 0, 0.01 * 100 * dq, 0],
    put: nothing,
  },
  {
    title: "no strike and no volatility",
    change: { strike: 0, volatility: 0 },
    status: "zero_volatility",
    call: [100 * dq, dq, 0, 0, dq, 0],
    put: nothing,
  },
  {
    title: "no spot and no strike",
    change: { spot: 0, strike: 0 },
    status: "zero_underlying",
    call: [0, dq, 0, 0, 0, 0],
    put: nothing,
  },
];

/** What a limit's price and delta make of the further outputs: the payoff is linear, so its other derivatives follow. */
function furtherLimits(row: Row, [price, delta, gamma]: readonly number[]): Record<string, number> {
  const time = Math.max(0, row.time_to_expiry);
  const yieldDiscount = time > 0 ? Math.exp(-row.dividend_yield * time) : 1;
  const rateDiscount = time > 0 ? Math.exp(-row.rate * time) : 1;
  return {
    dividend_rho: -time * row.spot * delta!,
    vanna: 0,
    volga: 0,
    charm: time > 0 ? row.dividend_yield * delta! : 0,
    veta: 0,
    speed: gamma!,
    zomma: 0,
    color: 0,
    ultima: 0,
    dual_delta: (-delta! / yieldDiscount) * rateDiscount,
    dual_gamma: gamma!,
    lambda: price === 0 ? none : (row.spot * delta!) / price!,
  };
}

describe("S4.47 limits", () => {
  for (const { title, change, status, call, put } of cases) {
    for (const isCall of [true, false]) {
      test(`${title}: a ${isCall ? "call" : "put"} is ${status} with its limit values`, () => {
        const row = { ...usual, ...change, isCall };
        const result = priceOne(engine, row);
        expect(statusName(result.status)).toBe(status);
        const firsts = isCall ? call : put;
        const further = furtherLimits(row, firsts);
        for (const output of spotOutputs) {
          const index = defaultOutputs.indexOf(output);
          const expected = index >= 0 ? firsts[index]! : further[output]!;
          if (Number.isNaN(expected)) expect(result[output], output).toBeNaN();
          else
            expect(Math.abs(result[output] - expected), output).toBeLessThanOrEqual(4e-16 * Math.abs(expected) * 100);
        }
      });
    }
  }

  const plainLimit = (rows: Row[]) => pricePlain(requestOf(rows));
  test("are the plain twin's in every output, a call and a put of each case", () => {
    const rows = cases.flatMap(({ change }) => [true, false].map((isCall) => ({ ...usual, ...change, isCall })));
    const [kernel, plain] = [engine.price(requestOf(rows)), plainLimit(rows)];
    for (const output of spotOutputs) {
      for (const [index, row] of rows.entries()) {
        const [one, other] = [kernel.columns[output]![index]!, plain.columns[output]![index]!];
        const message = `${output} of ${JSON.stringify(row)}: ${one} ${other}`;
        expect(Number.isNaN(one), message).toBe(Number.isNaN(other));
        if (!Number.isNaN(one)) expect(Math.abs(one - other), message).toBeLessThanOrEqual(1e-14 * Math.abs(other));
      }
    }
  });

  const forwardCases: { title: string; change: Partial<Row>; status: StatusName; values: Record<string, number> }[] = [
    {
      title: "no volatility, forward above",
      change: { volatility: 0, spot: 110 },
      status: "zero_volatility",
      values: {
        price: 10 * dr,
        delta: dr,
        theta: 0.3 * dr,
        rho: -5 * dr,
        charm: 0.03 * dr,
        dual_delta: -dr,
        lambda: 11,
      },
    },
    {
      title: "no volatility at the kink",
      change: { volatility: 0 },
      status: "zero_volatility",
      values: { price: 0, delta: dr / 2, theta: none, gamma: none, speed: none, dual_gamma: none, rho: 0, vega: 0 },
    },
    {
      title: "a forward a bit above its strike, no volatility",
      change: { volatility: 0, spot: 100.00000000000001 },
      status: "zero_volatility",
      values: { price: 1.4210854715202004e-14 * dr, delta: dr, gamma: 0 },
    },
    {
      title: "no strike",
      change: { strike: 0 },
      status: "ok",
      values: { price: 100 * dr, delta: dr, rho: -50 * dr, theta: 3 * dr, dual_delta: -dr, lambda: 1, vega: 0 },
    },
    {
      title: "no forward",
      change: { spot: 0 },
      status: "zero_underlying",
      values: { price: 0, delta: 0, rho: 0, theta: 0, dual_delta: 0, lambda: none, vega: 0, gamma: 0 },
    },
    {
      title: "expired",
      change: { time_to_expiry: 0, spot: 110 },
      status: "expired",
      values: { price: 10, rho: 0, delta: 1 },
    },
    {
      title: "a negative forward",
      change: { spot: -1 },
      status: "out_of_domain",
      values: { price: none, delta: none },
    },
    { title: "NaN", change: { rate: none }, status: "non_finite", values: { price: none } },
  ];
  for (const { title, change, status, values } of forwardCases) {
    test(`black_76, ${title}: ${status}`, () => {
      const { columns, status: codes } = engine.price(familyRequest("black_76", [{ ...usual, ...change }]));
      expect(statusName(codes[0]!)).toBe(status);
      for (const [output, expected] of Object.entries(values)) {
        const value = columns[output as OutputName]![0]!;
        if (Number.isNaN(expected)) expect(value, output).toBeNaN();
        else expect(Math.abs(value - expected), output).toBeLessThanOrEqual(1e-15 * Math.abs(expected));
      }
    });
  }

  test("displaced_black prices negative forwards and strikes as long as the displaced ones are not", () => {
    const price = (forward: number, strike: number, displacement: number) => {
      const inputs = { forward, strike, time_to_expiry: 1, rate: 0.02, volatility: 0.3, displacement };
      const request = { model: "displaced_black", count: 1, isCall: true, inputs, units: "raw" } as const;
      const { columns, status } = engine.price({ ...request, outputs: ["price", "delta", "lambda"] });
      const value = (output: OutputName) => columns[output]![0]!;
      return { status: statusName(status[0]!), price: value("price"), delta: value("delta"), lambda: value("lambda") };
    };
    const negative = price(-0.005, -0.002, 0.02);
    expect(negative.status).toBe("ok");
    expect(negative.price).toBeGreaterThan(0);
    expect(negative.lambda).toBeCloseTo((-0.005 * negative.delta) / negative.price, 12);
    expect(price(-0.02, 0.01, 0.02)).toEqual({ status: "zero_underlying", price: 0, delta: 0, lambda: none });
    expect(price(0.01, -0.02, 0.02)).toMatchObject({ status: "ok", price: (0.01 + 0.02) * Math.exp(-0.02) });
    expect(price(-0.03, 0.01, 0.02).status).toBe("out_of_domain");
    expect(price(0.01, -0.03, 0.02).status).toBe("out_of_domain");
    expect(price(0.01, 0.02, none).status).toBe("non_finite");
    expect(price(0.01, 0.02, Number.POSITIVE_INFINITY).status).toBe("non_finite");
    expect(price(1e308, 0.02, 1e308).status).toBe("out_of_domain");
  });

  test("in market units are the raw limits times the factor", () => {
    const row = { ...usual, volatility: 0, spot: 110 };
    const [raw, market] = [priceOne(engine, row), priceOne(engine, row, { units: "market" })];
    expect(market.theta).toBe(raw.theta * (1 / 365));
    expect(market.rho).toBe(raw.rho * (1 / 100));
    expect(market.price).toBe(raw.price);
  });

  test("are reached from nearby: a millionth of a year, a volatility of 1e-9, a spot of 1e-60", () => {
    for (const isCall of [true, false]) {
      for (const [near, at] of [
        [
          { time_to_expiry: 1e-9, spot: 110 },
          { time_to_expiry: 0, spot: 110 },
        ],
        [
          { volatility: 1e-9, spot: 110 },
          { volatility: 0, spot: 110 },
        ],
        [
          { volatility: 1e-9, spot: 90 },
          { volatility: 0, spot: 90 },
        ],
        [{ spot: 1e-60 }, { spot: 0 }],
        [{ strike: 1e-60 }, { strike: 0 }],
      ]) {
        const nearby = priceOne(engine, { ...usual, ...near, isCall });
        const limit = priceOne(engine, { ...usual, ...at, isCall });
        expect(statusName(nearby.status)).toBe("ok");
        for (const output of ["price", "delta", "gamma", "vega", "rho"] as const) {
          expect(Math.abs(nearby[output] - limit[output]), output).toBeLessThan(1e-6);
        }
      }
    }
  });
});

describe("S4.47 bad values", () => {
  const bad: { title: string; change: Partial<Row>; status: StatusName }[] = [
    ...(["spot", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility"] as const).flatMap((input) =>
      [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((value) => ({
        title: `${input} ${value}`,
        change: { [input]: value },
        status: "non_finite" as const,
      })),
    ),
    ...(["spot", "strike", "volatility"] as const).map((input) => ({
      title: `${input} negative`,
      change: { [input]: -1e-9 },
      status: "out_of_domain" as const,
    })),
    { title: "NaN outranks a negative spot", change: { spot: -1, rate: Number.NaN }, status: "non_finite" },
    { title: "a negative spot outranks expiry", change: { spot: -1, time_to_expiry: 0 }, status: "out_of_domain" },
    { title: "spot above the domain", change: { spot: 2e60 }, status: "out_of_domain" },
    {
      title: "spot above the domain without volatility",
      change: { spot: 2e60, volatility: 0 },
      status: "out_of_domain",
    },
    { title: "strike below the domain", change: { strike: 5e-61 }, status: "out_of_domain" },
    { title: "time below the domain", change: { time_to_expiry: 1e-61 }, status: "out_of_domain" },
    { title: "volatility above the domain", change: { volatility: 1e61 }, status: "out_of_domain" },
    { title: "a rate that discounts by more than e^256", change: { rate: 600 }, status: "out_of_domain" },
    { title: "a yield that discounts by more than e^256", change: { dividend_yield: -600 }, status: "out_of_domain" },
    { title: "an astronomical rate", change: { rate: 1e300 }, status: "out_of_domain" },
    { title: "a denormal spot", change: { spot: 5e-324 }, status: "out_of_domain" },
  ];
  for (const { title, change, status } of bad) {
    test(`${title} is ${status}, null in every output, for calls and puts`, () => {
      for (const isCall of [true, false]) {
        const result = priceOne(engine, { ...usual, ...change, isCall });
        expect(statusName(result.status)).toBe(status);
        for (const output of spotOutputs) expect(result[output], output).toBeNaN();
      }
    });
  }

  test("a limit too large for a double is out_of_domain, and only where it is asked of that side", () => {
    const row = { ...usual, spot: 0, rate: 1e307, time_to_expiry: 1e-307 };
    expect(statusName(priceOne(engine, { ...row, isCall: true }).status)).toBe("zero_underlying");
    const put = priceOne(engine, { ...row, isCall: false });
    expect(statusName(put.status)).toBe("out_of_domain");
    expect(put.price).toBeNaN();
  });

  const seed = 20_261_123n;
  test(`random extremes never give an ok row that is not finite, and the twin agrees on every status (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const extremes = [
      0,
      -0,
      1,
      -1,
      1e-300,
      -1e-300,
      1e300,
      1e308,
      -1e308,
      5e-324,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ];
    const number = () => {
      const kind = random.unit();
      if (kind < 0.15) return extremes[Math.floor(random.unit() * extremes.length)]!;
      if (kind < 0.5) return 10 ** (random.unit() * 130 - 65) * (random.unit() < 0.1 ? -1 : 1);
      return random.unit() * 2;
    };
    const rows: Row[] = Array.from({ length: 60_000 }, () => ({
      isCall: random.unit() < 0.5,
      spot: number(),
      strike: number(),
      time_to_expiry: number(),
      rate: number() * (random.unit() < 0.3 ? -1 : 1),
      dividend_yield: number(),
      volatility: number(),
    }));
    const result = engine.price(requestOf(rows));
    const plain = pricePlain(requestOf(rows));
    const counts = new Map<StatusName, number>();
    for (const [index, row] of rows.entries()) {
      const status = statusName(result.status[index]!);
      counts.set(status, (counts.get(status) ?? 0) + 1);
      const message = `${status} ${JSON.stringify(row)}`;
      expect(result.status[index], message).toBe(plain.status[index]!);
      const values = spotOutputs.map((output) => result.columns[output]![index]!);
      // lambda is null where the price is 0
      const finite = values[0] === 0 ? values.slice(0, -1) : values;
      if (status === "ok") expect(finite.every(Number.isFinite), `${message} ${values}`).toBe(true);
      if (result.status[index]! >= 10) expect(values.every(Number.isNaN), message).toBe(true);
      expect(
        values.some((value) => Math.abs(value) === Number.POSITIVE_INFINITY),
        message,
      ).toBe(false);
      expect(Number.isNaN(values[0]!), message).toBe(result.status[index]! >= 10);
    }
    for (const status of [
      "ok",
      "expired",
      "zero_volatility",
      "zero_underlying",
      "non_finite",
      "out_of_domain",
    ] as const) {
      expect(counts.get(status) ?? 0, status).toBeGreaterThan(100);
    }
  });
});
