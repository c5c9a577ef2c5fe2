// The models that are mapped onto Black–Scholes–Merton's problem: a forward is a spot whose yield is the rate, a foreign rate is a yield, a
// displaced forward is a sum. What must hold because of the mapping, statuses where a displacement moves the edges, and round trips.

import { describe, expect, test } from "bun:test";
import { type InputName, type ModelName, statusCodes, statusName } from "../../src/engine/catalog";
import type { Column, ImpliedVolatilityRequest } from "../../src/engine/engine";
import { seededRandom } from "../../src/foundation/random";
import { bitsOf, testEngine } from "../harness/kernel";

const engine = await testEngine();
const seed = 20_261_131n;
const count = 5001;

type Inputs = Partial<Record<Exclude<InputName, "volatility">, Column>>;

function solve(model: ModelName, isCall: boolean | Uint8Array, inputs: Inputs, price: Column, rows = count) {
  const request: ImpliedVolatilityRequest = { model, count: rows, isCall, inputs, price, onUnattainable: "null" };
  const { impliedVolatility, attainableError, status } = engine.impliedVolatility(request);
  return { impliedVolatility, attainableError, status };
}

const fingerprint = ({ impliedVolatility, attainableError, status }: ReturnType<typeof solve>) => [
  bitsOf(impliedVolatility),
  bitsOf(attainableError),
  [...status],
];

/** Columns of random options, prices anywhere between nothing and a half of the strike. */
function sample() {
  const random = seededRandom(seed);
  const column = (low: number, high: number) =>
    Float64Array.from({ length: count }, () => low + (high - low) * random.unit());
  return {
    isCall: Uint8Array.from({ length: count }, () => (random.unit() < 0.5 ? 1 : 0)),
    underlying: column(80, 120),
    strike: column(80, 120),
    time: column(0.01, 3),
    rate: column(-0.02, 0.08),
    other: column(-0.02, 0.08),
    price: column(0, 50),
  };
}

describe("S4.47 implied volatility of the Black family", () => {
  const { isCall, underlying, strike, time, rate, other, price } = sample();

  test(`black_76 has the bits of black_scholes_merton with the rate for a yield (seed ${seed})`, () => {
    const forward = solve("black_76", isCall, { forward: underlying, strike, time_to_expiry: time, rate }, price);
    const spot = solve(
      "black_scholes_merton",
      isCall,
      { spot: underlying, strike, time_to_expiry: time, rate, dividend_yield: rate },
      price,
    );
    expect(fingerprint(forward)).toEqual(fingerprint(spot));
    expect(forward.status.filter((code) => code === statusCodes.ok).length).toBeGreaterThan(count / 2);
  });

  test(`garman_kohlhagen has the bits of black_scholes_merton with the foreign rate for a yield (seed ${seed})`, () => {
    const inputs = { spot: underlying, strike, time_to_expiry: time, rate };
    const currency = solve("garman_kohlhagen", isCall, { ...inputs, foreign_rate: other }, price);
    const spot = solve("black_scholes_merton", isCall, { ...inputs, dividend_yield: other }, price);
    expect(fingerprint(currency)).toEqual(fingerprint(spot));
  });

  test(`displaced_black has the bits of black_76 where the displacement is 0, or sums are exact (seed ${seed})`, () => {
    const inputs = { forward: underlying, strike, time_to_expiry: time, rate };
    const expected = fingerprint(solve("black_76", isCall, inputs, price));
    expect(fingerprint(solve("displaced_black", isCall, { ...inputs, displacement: 0 }, price))).toEqual(expected);
    const whole = { ...inputs, forward: underlying.map(Math.round), strike: strike.map(Math.round) };
    const moved = {
      ...whole,
      forward: whole.forward.map((value) => value - 90),
      strike: whole.strike.map((value) => value - 90),
    };
    expect(fingerprint(solve("displaced_black", isCall, { ...moved, displacement: 90 }, price))).toEqual(
      fingerprint(solve("black_76", isCall, whole, price)),
    );
  });

  test(`a displaced row has the same bits alone, in any place and with its displacement broadcast (seed ${seed})`, () => {
    const displacement = Float64Array.from({ length: count }, () => 30.1);
    const shifted = underlying.map((value) => value - 100.3);
    const strikes = strike.map((value) => value - 100.3);
    const inputs = { forward: shifted, strike: strikes, time_to_expiry: time, rate, displacement };
    const whole = solve("displaced_black", isCall, inputs, price);
    expect(fingerprint(solve("displaced_black", isCall, { ...inputs, displacement: 30.1 }, price))).toEqual(
      fingerprint(whole),
    );
    for (let row = 0; row < 300; row++) {
      const pick = (column: Float64Array) => column.slice(row, row + 1);
      const alone = solve(
        "displaced_black",
        isCall.slice(row, row + 1),
        Object.fromEntries(Object.entries(inputs).map(([name, column]) => [name, pick(column)])),
        pick(price),
        1,
      );
      expect(bitsOf(alone.impliedVolatility)[0]).toBe(bitsOf(whole.impliedVolatility)[row]!);
      expect(bitsOf(alone.attainableError)[0]).toBe(bitsOf(whole.attainableError)[row]!);
      expect(alone.status[0]).toBe(whole.status[row]!);
    }
  });

  const none = Number.NaN;
  const infinite = Number.POSITIVE_INFINITY;
  type Row = {
    isCall?: boolean;
    forward?: number;
    strike?: number;
    displacement?: number;
    rate?: number;
    price: number;
  };
  // forward -1, strike 0.5, displacement 3, no rate: the call's bound is 2, the put's 3.5, the put's intrinsic value 1.5
  const rows: readonly [string, Row, string][] = [
    ["a negative forward with a displacement", { price: 0.3 }, "ok"],
    ["a displacement that is NaN", { displacement: none, price: 0.3 }, "non_finite"],
    ["an infinite displacement", { displacement: infinite, price: 0.3 }, "non_finite"],
    [
      "a forward and a displacement whose sum is infinite",
      { forward: 1e308, displacement: 1.7e308, price: 1 },
      "out_of_domain",
    ],
    ["a forward as far below zero as the displacement", { forward: -3, price: 0.3 }, "out_of_domain"],
    ["a forward further below zero than the displacement", { forward: -3.1, price: 0.3 }, "out_of_domain"],
    ["a strike as far below zero as the displacement", { strike: -3, price: 0.3 }, "out_of_domain"],
    ["a call's price at its bound", { price: 2 }, "above_maximum"],
    ["a call's price an ulp below its bound", { price: 2 - 2 ** -52 }, "ok"],
    ["a put's price at its bound", { isCall: false, price: 3.5 }, "above_maximum"],
    ["a put's price at its intrinsic value", { isCall: false, price: 1.5 }, "below_intrinsic"],
    ["a put's price an ulp above its intrinsic value", { isCall: false, price: 1.5 + 2 ** -52 }, "ok"],
    // 0.1 + 0.2 and 0.2 + 0.2 are rounded sums of doubles, their difference is not taken of them
    [
      "a put's price at an intrinsic value of given numbers",
      { isCall: false, forward: 0.1, strike: 0.2, displacement: 0.2, price: 0.1 },
      "below_intrinsic",
    ],
    [
      "a bound that is no double: a call's price at its double from below",
      { forward: 0.1, strike: 5, displacement: 0.2, price: 0.3 },
      "ok",
    ],
    [
      "a bound that is no double: a call's price at its double from above",
      { forward: 0.1, strike: 5, displacement: 0.2, price: 0.30000000000000004 },
      "above_maximum",
    ],
  ];
  test.each(rows)("displaced_black: %s", (_, { price: given, isCall: side, ...row }, expected) => {
    const inputs = { forward: -1, strike: 0.5, displacement: 3, rate: 0, time_to_expiry: 1, ...row };
    const { impliedVolatility, status } = solve("displaced_black", side ?? true, inputs, given, 1);
    expect(statusName(status[0]!) as string).toBe(expected);
    expect(Number.isNaN(impliedVolatility[0]!)).toBe(expected !== "ok");
  });

  test("a price at a bound that is a double is above_maximum whatever the other leg: a foreign rate of 0, a rate of 0", () => {
    const inputs = { spot: 1.1, strike: 1, time_to_expiry: 0.5 };
    const bounds = [
      solve("garman_kohlhagen", true, { ...inputs, rate: 0.03, foreign_rate: 0 }, 1.1, 1),
      solve("garman_kohlhagen", false, { ...inputs, rate: 0, foreign_rate: 0.03 }, 1, 1),
      solve("black_76", true, { forward: 1.1, strike: 1, time_to_expiry: 0.5, rate: 0 }, 1.1, 1),
    ];
    expect(bounds.map(({ status }) => statusName(status[0]!))).toEqual(Array(3).fill("above_maximum"));
  });

  test.each(["black_76", "garman_kohlhagen", "displaced_black"] as const)(
    `%s: prices come back from their volatilities within what both calculations state (seed ${seed})`,
    (model) => {
      const isShifted = model === "displaced_black";
      const displacement = isShifted ? 100.3 : 0;
      const move = (column: Float64Array) => column.map((value) => value - displacement);
      const inputs: Inputs = {
        [model === "garman_kohlhagen" ? "spot" : "forward"]: move(underlying),
        strike: move(strike),
        time_to_expiry: time,
        rate,
        ...(model === "garman_kohlhagen" ? { foreign_rate: other } : {}),
        ...(isShifted ? { displacement } : {}),
      };
      const { impliedVolatility, attainableError, status } = solve(model, isCall, inputs, price);
      const back = engine.price({
        model,
        count,
        isCall,
        inputs: { ...inputs, volatility: impliedVolatility },
        outputs: ["price", "vega"],
        units: "raw",
      });
      let worst = 0;
      let compared = 0;
      for (let row = 0; row < count; row++) {
        if (status[row] !== statusCodes.ok || back.status[row] !== statusCodes.ok) continue;
        compared++;
        const own = 1.3e-15 * Math.max(underlying[row]!, strike[row]!);
        const moved = 4 * attainableError[row]! * impliedVolatility[row]! * back.columns.vega![row]!;
        const size = Math.abs(back.columns.price![row]! - price[row]!) / (own + moved);
        if (!(size <= worst)) worst = size;
      }
      expect(compared).toBeGreaterThan(count / 2);
      expect(worst).toBeLessThan(1);
    },
  );
});
