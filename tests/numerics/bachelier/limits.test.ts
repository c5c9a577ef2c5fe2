// The normal model's edges: expiry, no volatility, the kink, bad values and random extremes; a forward of zero is not one of them. A row
// that cannot be priced gets a status; a row that is ok is finite in every output.

import { beforeAll, describe, expect, test } from "bun:test";
import { type OutputName, type StatusName, statusName } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { pricePlainBachelier } from "../../../src/engine/plain-bachelier";
import { seededRandom } from "../../../src/foundation/random";
import { type NormalRow, normalOutputs, normalRequest, priceNormal } from "../../harness/bachelier";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const usual: NormalRow = { forward: 10, strike: 10, time_to_expiry: 0.5, rate: 0.04, volatility: 5 };
const discount = Math.exp(-0.02);
const none = Number.NaN;

type Values = Partial<Record<OutputName, number>>;
interface Case {
  readonly title: string;
  readonly change: Partial<NormalRow>;
  readonly status: StatusName;
  /** What is not 0, by output; NaN is null. */
  readonly call: Values;
  readonly put: Values;
}

const worthless: Values = { lambda: none };
const kink: Values = { gamma: none, dual_gamma: none, theta: none, speed: none, lambda: none };
const cases: Case[] = [
  {
    title: "T = 0, forward above",
    change: { time_to_expiry: 0, forward: 12 },
    status: "expired",
    call: { price: 2, delta: 1, dual_delta: -1, lambda: 6 },
    put: worthless,
  },
  {
    title: "T = 0, forward below, both negative",
    change: { time_to_expiry: 0, forward: -12, strike: -8 },
    status: "expired",
    call: worthless,
    put: { price: 4, delta: -1, dual_delta: 1, lambda: 3 },
  },
  {
    title: "T = 0 at the kink",
    change: { time_to_expiry: 0 },
    status: "expired",
    call: { ...kink, delta: 0.5, dual_delta: -0.5 },
    put: { ...kink, delta: -0.5, dual_delta: 0.5 },
  },
  {
    title: "T < 0 with a huge rate and no volatility",
    change: { time_to_expiry: -1, forward: 12, rate: 1e300, volatility: 0 },
    status: "expired",
    call: { price: 2, delta: 1, dual_delta: -1, lambda: 6 },
    put: worthless,
  },
  {
    title: "no volatility, forward above",
    change: { volatility: 0, forward: 12 },
    status: "zero_volatility",
    call: {
      price: 2 * discount,
      delta: discount,
      dual_delta: -discount,
      theta: 0.04 * 2 * discount,
      rho: -0.5 * 2 * discount,
      charm: 0.04 * discount,
      lambda: 6,
    },
    put: worthless,
  },
  {
    title: "no volatility, forward 0 and strike above",
    change: { volatility: 0, forward: 0, strike: 3 },
    status: "zero_volatility",
    call: worthless,
    put: {
      price: 3 * discount,
      delta: -discount,
      dual_delta: discount,
      theta: 0.04 * 3 * discount,
      rho: -0.5 * 3 * discount,
      charm: -0.04 * discount,
      lambda: 0,
    },
  },
  {
    title: "no volatility at the kink",
    change: { volatility: 0 },
    status: "zero_volatility",
    call: { ...kink, delta: 0.5 * discount, dual_delta: -0.5 * discount, charm: 0.02 * discount },
    put: { ...kink, delta: -0.5 * discount, dual_delta: 0.5 * discount, charm: -0.02 * discount },
  },
];

describe("S4.47 limits of the normal model", () => {
  for (const { title, change, status, call, put } of cases) {
    for (const isCall of [true, false]) {
      test(`${title}: ${isCall ? "call" : "put"}, ${status}`, () => {
        const result = priceNormal(engine, { ...usual, ...change, isCall });
        expect(statusName(result.status)).toBe(status);
        for (const output of normalOutputs) {
          const expected = (isCall ? call : put)[output] ?? 0;
          if (Number.isNaN(expected)) expect(result[output], output).toBeNaN();
          else expect(Math.abs(result[output] - expected), output).toBeLessThanOrEqual(4e-16 * Math.abs(expected));
          expect(Object.is(result[output], -0), output).toBe(false);
        }
      });
    }
  }

  const ordinary: [string, Partial<NormalRow>][] = [
    ["a forward of 0", { forward: 0 }],
    ["a strike of 0", { strike: 0 }],
    ["forward and strike of 0", { forward: 0, strike: 0 }],
    ["a negative forward", { forward: -30 }],
    ["a negative strike", { strike: -30 }],
    ["a denormal forward", { forward: 5e-324 }],
    ["forward and strike of 1.6e60", { forward: 1.6e60, strike: -1.6e60 }],
    ["the smallest time and volatility", { time_to_expiry: 2 ** -200, volatility: 2 ** -200 }],
    ["the largest time and volatility", { time_to_expiry: 1.6e60, volatility: 1.6e60, rate: 0 }],
    ["a rate that discounts by e^256", { rate: 512 }],
    ["a rate that discounts by e^-256", { rate: -512 }],
  ];
  for (const [title, change] of ordinary) {
    test(`${title} is ordinary: ok and finite in every output but a worthless lambda`, () => {
      for (const isCall of [true, false]) {
        const result = priceNormal(engine, { ...usual, ...change, isCall });
        expect(statusName(result.status)).toBe("ok");
        for (const output of normalOutputs) {
          if (output === "lambda" && result.price === 0) expect(result.lambda).toBeNaN();
          else expect(Number.isFinite(result[output]), `${output} ${result[output]}`).toBe(true);
        }
      }
    });
  }

  test("far out of the money, where the price is no double, price and Greeks are 0 and lambda is null", () => {
    const result = priceNormal(engine, { ...usual, forward: -1000 });
    expect(statusName(result.status)).toBe("ok");
    for (const output of normalOutputs) {
      if (output === "lambda") expect(result.lambda).toBeNaN();
      else expect(result[output], output).toBe(0);
    }
  });

  const bad: [string, Partial<NormalRow>, StatusName][] = [
    ["a forward that is NaN", { forward: none }, "non_finite"],
    ["a strike that is NaN", { strike: none }, "non_finite"],
    ["a time that is NaN", { time_to_expiry: none }, "non_finite"],
    ["a rate that is NaN", { rate: none }, "non_finite"],
    ["a volatility that is NaN", { volatility: none }, "non_finite"],
    ["an infinite forward", { forward: Number.NEGATIVE_INFINITY }, "non_finite"],
    ["an infinite volatility after expiry", { volatility: Number.POSITIVE_INFINITY, time_to_expiry: 0 }, "non_finite"],
    ["a negative volatility", { volatility: -1 }, "out_of_domain"],
    ["a negative volatility after expiry", { volatility: -1, time_to_expiry: -1 }, "out_of_domain"],
    ["a forward of 2^200", { forward: 2 ** 200 }, "out_of_domain"],
    ["a strike of -2^200", { strike: -(2 ** 200) }, "out_of_domain"],
    ["a forward of 2^200 without volatility", { forward: 2 ** 200, volatility: 0 }, "out_of_domain"],
    ["a time of 2^-201", { time_to_expiry: 2 ** -201 }, "out_of_domain"],
    ["a time of 2^200", { time_to_expiry: 2 ** 200, rate: 0 }, "out_of_domain"],
    ["a volatility of 2^-201", { volatility: 2 ** -201 }, "out_of_domain"],
    ["a volatility of 2^200", { volatility: 2 ** 200 }, "out_of_domain"],
    ["a rate that discounts by more than e^256", { rate: 512.1 }, "out_of_domain"],
    ["the same without volatility", { rate: -512.1, volatility: 0 }, "out_of_domain"],
    ["a payoff too large for a double", { time_to_expiry: 0, forward: 1.7e308, strike: -1.7e308 }, "out_of_domain"],
  ];
  for (const [title, change, status] of bad) {
    test(`${title} is ${status}, null in every output`, () => {
      for (const isCall of [true, false]) {
        // a put far out of the money has no payoff that could overflow
        if (change.forward === 1.7e308 && !isCall) continue;
        const result = priceNormal(engine, { ...usual, ...change, isCall });
        expect(statusName(result.status)).toBe(status);
        for (const output of normalOutputs) expect(result[output], output).toBeNaN();
      }
    });
  }

  const seed = 20_261_125n;
  test(`random extremes never give an ok row that is not finite, and the twin agrees on every status (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const extremes = [0, -0, 1, -1, 1e-300, -1e-300, 1e300, 1e308, -1e308, 5e-324, none, Number.POSITIVE_INFINITY];
    const number = () => {
      const kind = random.unit();
      if (kind < 0.1) return extremes[Math.floor(random.unit() * extremes.length)]!;
      if (kind < 0.6) return 10 ** (random.unit() * 125 - 62) * (random.unit() < 0.1 ? -1 : 1);
      return random.unit() * 2;
    };
    const rows: NormalRow[] = Array.from({ length: 60_000 }, () => {
      const time = number();
      return {
        isCall: random.unit() < 0.5,
        forward: number() * (random.unit() < 0.4 ? -1 : 1),
        strike: number() * (random.unit() < 0.4 ? -1 : 1),
        time_to_expiry: time,
        rate: random.unit() < 0.7 ? ((random.unit() - 0.5) * 500) / time : number(),
        volatility: number(),
      };
    });
    const result = engine.price(normalRequest(rows));
    const plain = pricePlainBachelier(normalRequest(rows));
    const counts = new Map<StatusName, number>();
    let wrong = 0;
    for (const [index, row] of rows.entries()) {
      const code = result.status[index]!;
      counts.set(statusName(code), (counts.get(statusName(code)) ?? 0) + 1);
      if (code !== plain.status[index]) wrong++;
      expect(wrong, JSON.stringify(row)).toBe(0);
      for (const output of normalOutputs) {
        const value = result.columns[output]![index]!;
        const isWorthless = output === "lambda" && result.columns.price![index] === 0;
        const isSound = code >= 10 || isWorthless ? Number.isNaN(value) : code > 0 || Number.isFinite(value);
        if (!isSound || Math.abs(value) === Number.POSITIVE_INFINITY) {
          throw new Error(`${output} of ${JSON.stringify(row)} is ${value} with status ${code}`);
        }
      }
    }
    for (const status of ["ok", "expired", "zero_volatility", "non_finite", "out_of_domain"] as const) {
      expect(counts.get(status) ?? 0, status).toBeGreaterThan(100);
    }
  });
});
