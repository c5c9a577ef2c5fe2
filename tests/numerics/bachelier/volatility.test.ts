// The normal model's implied volatility: statuses, policy, round trips, the same bits alone and in a batch, no row without an answer. Exact
// values are with the other models' in tests/numerics/implied-volatility.test.ts.

import { describe, expect, test } from "bun:test";
import { type StatusName, statusCodes, statusName } from "../../../src/engine/catalog";
import type { ImpliedVolatilityRequest } from "../../../src/engine/engine";
import { impliedVolatilityPlainBachelier } from "../../../src/engine/plain-bachelier";
import { seededRandom } from "../../../src/foundation/random";
import { normalRequest, normalRows } from "../../harness/bachelier";
import { bitsOf, testEngine } from "../../harness/kernel";

const engine = await testEngine();
const unit = 2 ** -53;
const seed = 20_261_126n;

interface Row {
  readonly isCall?: boolean;
  readonly forward?: number;
  readonly strike?: number;
  readonly time?: number;
  readonly rate?: number;
  readonly price: number;
}

function requestOf(rows: readonly Row[], onUnattainable: "null" | "zero" = "null"): ImpliedVolatilityRequest {
  const column = (value: (row: Row) => number | undefined, standard: number) =>
    Float64Array.from(rows, (row) => value(row) ?? standard);
  return {
    model: "bachelier",
    count: rows.length,
    isCall: Uint8Array.from(rows, ({ isCall }) => ((isCall ?? true) ? 1 : 0)),
    inputs: {
      forward: column(({ forward }) => forward, 2),
      strike: column(({ strike }) => strike, -1),
      time_to_expiry: column(({ time }) => time, 0.5),
      rate: column(({ rate }) => rate, 0),
    },
    price: column(({ price }) => price, Number.NaN),
    onUnattainable,
  };
}

// forward 2, strike -1, no rate: the call's intrinsic value is 3, the put's 0; no price is too high
const none = Number.NaN;
const rows: readonly [string, Row, StatusName][] = [
  ["a call in the money", { price: 3.5 }, "ok"],
  ["a put out of the money", { isCall: false, price: 0.5 }, "ok"],
  ["a price a hundred times the forward", { price: 200 }, "ok"],
  ["a price of 2^399", { price: 2 ** 399 }, "ok"],
  ["a price of 2^400", { price: 2 ** 400 }, "out_of_domain"],
  ["a price of 1e308", { price: 1e308 }, "out_of_domain"],
  ["forward and strike of 0", { forward: 0, strike: 0, price: 1 }, "ok"],
  ["forward and strike of -5", { forward: -5, strike: -5, price: 1 }, "ok"],
  ["a price of 5e-324 out of the money", { isCall: false, price: 5e-324 }, "ok"],
  ["a price of 5e-324 at the money", { forward: -1, price: 5e-324, time: 0.01 }, "out_of_domain"],
  ["a price of 1e-300 at the money", { forward: -1, price: 1e-300 }, "ok"],
  ["a forward that is NaN", { forward: none, price: 4 }, "non_finite"],
  ["a strike that is NaN", { strike: none, price: 4 }, "non_finite"],
  ["a time that is NaN", { time: none, price: 4 }, "non_finite"],
  ["a rate that is NaN", { rate: none, price: 4 }, "non_finite"],
  ["a price that is NaN", { price: none }, "non_finite"],
  ["an infinite price", { price: Number.POSITIVE_INFINITY }, "non_finite"],
  ["an infinite strike after expiry", { strike: Number.NEGATIVE_INFINITY, time: 0, price: 4 }, "non_finite"],
  ["no time left", { time: 0, price: 4 }, "expired"],
  ["expiry past at a price below intrinsic", { time: -1, price: 1 }, "expired"],
  ["a forward of 2^200", { forward: 2 ** 200, price: 4 }, "out_of_domain"],
  ["a strike of -2^200", { strike: -(2 ** 200), price: 4 }, "out_of_domain"],
  ["a time of 2^-201", { time: 2 ** -201, price: 4 }, "out_of_domain"],
  ["a time of 2^200", { time: 2 ** 200, price: 4 }, "out_of_domain"],
  ["a rate times time of 256.05", { rate: 512.1, price: 4 }, "out_of_domain"],
  ["a rate times time of -256.05", { rate: -512.1, price: 4 }, "out_of_domain"],
  ["a call's price of zero", { price: 0 }, "below_intrinsic"],
  ["a put's price of zero", { isCall: false, price: 0 }, "below_intrinsic"],
  ["a put's price of negative zero", { isCall: false, price: -0 }, "below_intrinsic"],
  ["a negative price", { isCall: false, price: -1 }, "below_intrinsic"],
  ["a hugely negative price", { isCall: false, price: -1e308 }, "below_intrinsic"],
  ["a call's price at intrinsic", { price: 3 }, "below_intrinsic"],
  ["a call's price an ulp above intrinsic", { price: 3.0000000000000004 }, "ok"],
  ["a call's price an ulp below intrinsic", { price: 2.9999999999999996 }, "below_intrinsic"],
  // 0.3 - 0.1 is no double: it lies just below 0.2
  [
    "an intrinsic value that is no double: a price below it",
    { forward: 0.3, strike: 0.1, price: 0.19999999999999998 },
    "below_intrinsic",
  ],
  ["an intrinsic value that is no double: a price above it", { forward: 0.3, strike: 0.1, price: 0.2 }, "ok"],
  [
    "with a rate, a price a trillionth below intrinsic",
    { rate: 0.1, price: 3 * Math.exp(-0.05) * (1 - 1e-12) },
    "below_intrinsic",
  ],
  ["with a rate, a price a trillionth above intrinsic", { rate: 0.1, price: 3 * Math.exp(-0.05) * (1 + 1e-12) }, "ok"],
];

describe("S4.47 implied volatility of the normal model", () => {
  test.each(rows)("%s", (_, row, expected) => {
    for (const policy of ["null", "zero"] as const) {
      const { impliedVolatility, attainableError, status } = engine.impliedVolatility(requestOf([row], policy));
      expect(statusName(status[0]!)).toBe(expected);
      if (expected === "ok") {
        expect(impliedVolatility[0]).toBeWithin(2 ** -1022, Number.POSITIVE_INFINITY);
        expect(attainableError[0]).toBeWithin(unit, Number.POSITIVE_INFINITY);
      } else {
        const isZero = expected === "below_intrinsic" && policy === "zero";
        expect(bitsOf(impliedVolatility)).toEqual([isZero ? 0n : 0x7ff8000000000000n]);
        expect(bitsOf(attainableError)).toEqual([0x7ff8000000000000n]);
      }
    }
  });

  test("all of them in one batch, and the plain twin, give the same statuses", () => {
    const twice = [...rows, ...rows.toReversed(), rows[0]!];
    const expected = twice.map(([, , status]) => status);
    const request = requestOf(twice.map(([, row]) => row));
    expect(Array.from(engine.impliedVolatility(request).status, statusName)).toEqual(expected);
    const plain = impliedVolatilityPlainBachelier(requestOf(rows.map(([, row]) => row)));
    // the twin takes an intrinsic value that is no double for the double beside it
    const differing = Array.from(plain.status, statusName).flatMap((status, row) =>
      status === rows[row]![2] ? [] : [rows[row]![0]],
    );
    expect(differing.filter((title) => !title.startsWith("an intrinsic value that is no double"))).toEqual([]);
  });

  test("at the money it is price·e^(rT)·√(2π/T)", () => {
    const { impliedVolatility, attainableError } = engine.impliedVolatility(
      requestOf([{ forward: -1, strike: -1, time: 4, rate: 0.05, price: 2.5 }]),
    );
    const expected = 2.5 * Math.exp(0.2) * Math.sqrt((2 * Math.PI) / 4);
    expect(Math.abs(impliedVolatility[0]! / expected - 1)).toBeLessThan(8 * unit);
    expect(attainableError[0]! / (2 * unit)).toBeCloseTo(1, 12);
  });

  const count = 60_001;
  const options = normalRows(count, seed);
  const request = normalRequest(options, { outputs: ["price"] });
  const { volatility, ...market } = request.inputs;
  const prices = engine.price(request).columns.price!;
  const solve = (
    rows: number,
    inputs: ImpliedVolatilityRequest["inputs"],
    price: Float64Array | number,
    isCall = request.isCall,
  ) => engine.impliedVolatility({ model: "bachelier", count: rows, isCall, inputs, price, onUnattainable: "null" });
  const whole = solve(count, market, prices);

  test(`${count} volatilities come back from their prices within ten attainable errors (seed ${seed})`, () => {
    let worst = 0;
    let compared = 0;
    for (let row = 0; row < count; row++) {
      if (whole.status[row] !== statusCodes.ok) continue;
      compared++;
      const made = (volatility as Float64Array)[row]!;
      const size = Math.abs(whole.impliedVolatility[row]! / made - 1) / whole.attainableError[row]!;
      if (!(size <= worst)) worst = size;
    }
    expect(compared).toBeGreaterThan(0.99 * count);
    // six of them are the price's own error, which the volatility repeats
    expect(worst).toBeLessThan(10);
  });

  test(`the volatility grows with the price, and the plain twin agrees to 1e-8 where a price carries it (seed ${seed})`, () => {
    const plain = impliedVolatilityPlainBachelier({
      model: "bachelier",
      count,
      isCall: request.isCall,
      inputs: market,
      price: prices,
      onUnattainable: "null",
    });
    let worst = 0;
    for (let row = 0; row < count; row++) {
      if (!(whole.attainableError[row]! < 1e4 * unit)) continue;
      worst = Math.max(worst, Math.abs(plain.impliedVolatility[row]! / whole.impliedVolatility[row]! - 1));
    }
    expect(worst).toBeLessThan(1e-8);
    for (const strike of [2, 2.0000001, 3, 20, 90]) {
      const steps = Float64Array.from({ length: 20_001 }, (_, step) => Math.exp(-200 + 0.011 * step));
      const rising = solve(
        20_001,
        { forward: 2, strike, time_to_expiry: 1, rate: 0.01 },
        steps,
        new Uint8Array(20_001).fill(1),
      );
      expect(rising.status.every((code) => code === statusCodes.ok)).toBe(true);
      for (let step = 1; step < 20_001; step++) {
        const [before, after] = [rising.impliedVolatility[step - 1]!, rising.impliedVolatility[step]!];
        if (!(after > before)) throw new Error(`strike ${strike}: ${after} at step ${step} after ${before}`);
      }
    }
  });

  test(`S1.04 a row has the same bits alone, at any offset, and in columns or broadcast (seed ${seed})`, () => {
    const part = (first: number, rows: number) => {
      const inputs = Object.fromEntries(
        Object.entries(market).map(([name, column]) => [name, (column as Float64Array).slice(first, first + rows)]),
      );
      return solve(rows, inputs, prices.slice(first, first + rows), request.isCall.slice(first, first + rows));
    };
    for (const rows of [1, 2, 3, 127, 128, 129, 257]) {
      for (const first of [0, 1, 63, 4095, 5000]) {
        const result = part(first, rows);
        expect(bitsOf(result.impliedVolatility)).toEqual(bitsOf(whole.impliedVolatility.slice(first, first + rows)));
        expect(bitsOf(result.attainableError)).toEqual(bitsOf(whole.attainableError.slice(first, first + rows)));
        expect([...result.status]).toEqual([...whole.status.slice(first, first + rows)]);
      }
    }
    const one = { forward: 2, strike: -1, time_to_expiry: 0.5, rate: 0.03 };
    const expected = solve(1, one, 3.5, Uint8Array.of(1));
    const many = engine.impliedVolatility({
      model: "bachelier",
      count: 131,
      isCall: true,
      inputs: one,
      price: 3.5,
      onUnattainable: "null",
    });
    expect(new Set(bitsOf(many.impliedVolatility))).toEqual(new Set(bitsOf(expected.impliedVolatility)));
  });

  test(`200,000 rows from extremes: an ok row has a positive finite volatility, every other is null (seed ${seed})`, () => {
    const random = seededRandom(seed + 1n);
    const extremes = [0, -0, 1, -1, 1e-300, 1e300, 1e308, 5e-324, none, Number.POSITIVE_INFINITY, 2 ** 200, 2 ** -200];
    const number = (decades: number) =>
      random.unit() < 0.05
        ? extremes[Math.floor(random.unit() * extremes.length)]!
        : 10 ** ((random.unit() - 0.5) * 2 * decades) * (random.unit() < 0.3 ? -1 : 1);
    const wild: Row[] = Array.from({ length: 200_000 }, () => {
      const time = Math.abs(number(58));
      const forward = number(60);
      return {
        isCall: random.unit() < 0.5,
        forward,
        strike: random.unit() < 0.3 ? forward * (1 + random.unit() * 10 ** (-20 * random.unit())) : number(60),
        time,
        rate: random.unit() < 0.3 ? 0 : ((random.unit() - 0.5) * 520) / time,
        price: Math.abs(number(random.unit() < 0.2 ? 320 : 100)),
      };
    });
    const result = engine.impliedVolatility(requestOf(wild));
    const seen = new Map<number, number>();
    for (const [row, code] of result.status.entries()) {
      seen.set(code, (seen.get(code) ?? 0) + 1);
      const [answer, error] = [result.impliedVolatility[row]!, result.attainableError[row]!];
      const isSound =
        code === statusCodes.ok
          ? answer > 0 && answer < Number.POSITIVE_INFINITY && error >= unit && error < Number.POSITIVE_INFINITY
          : Number.isNaN(answer) && Number.isNaN(error);
      if (!isSound) throw new Error(`${statusName(code)} ${answer} ${error} ${JSON.stringify(wild[row])}`);
    }
    for (const code of [0, 10, 20, 21]) expect(seen.get(code) ?? 0, statusName(code)).toBeGreaterThan(500);
  });
});
