// The implied volatility through the engine, as a customer reaches it: exact values, statuses, the same bits alone and in a batch,
// no row without an answer, prices given back. Tolerances are in units of what the price's own rounding allows,
// 2^-53·(1 + price/(vega·volatility)); docs/numerics/implied-volatility.md says where each comes from.

import { describe, expect, test } from "bun:test";
import { benchImpliedVolatility } from "../../bench/kernels/implied-volatility";
import { statusCodes, statusName } from "../../src/engine/catalog";
import type { ImpliedVolatilityRequest, ImpliedVolatilityResult } from "../../src/engine/engine";
import {
  attainableUnitsMax,
  checkImpliedVolatility,
  errorsInAttainableUnits,
  goldenImpliedVolatilities,
} from "../../src/engine/golden/implied-volatility";
import { impliedVolatilityPlain } from "../../src/engine/plain-implied-volatility";
import { ManualClock } from "../../src/foundation/clock";
import { testEngine } from "../harness/kernel";

const engine = await testEngine();
const model = "black_scholes_merton" as const;
const unit = 2 ** -53;
const nullBits = 0x7ff8000000000000n;

/** One row; what is not given is the contract's example. */
interface Row {
  readonly isCall?: boolean;
  readonly spot?: number;
  readonly strike?: number;
  readonly time?: number;
  readonly rate?: number;
  readonly dividendYield?: number;
  readonly price: number;
}

function requestOf(rows: readonly Row[], onUnattainable: "null" | "zero" = "null"): ImpliedVolatilityRequest {
  const column = (value: (row: Row) => number | undefined, standard: number) =>
    Float64Array.from(rows, (row) => value(row) ?? standard);
  return {
    model,
    count: rows.length,
    isCall: Uint8Array.from(rows, ({ isCall }) => ((isCall ?? true) ? 1 : 0)),
    inputs: {
      spot: column(({ spot }) => spot, 100),
      strike: column(({ strike }) => strike, 105),
      time_to_expiry: column(({ time }) => time, 0.5),
      rate: column(({ rate }) => rate, 0.03),
      dividend_yield: column(({ dividendYield }) => dividendYield, 0.01),
    },
    price: column(({ price }) => price, Number.NaN),
    onUnattainable,
  };
}

function solveOne(row: Row, onUnattainable: "null" | "zero" = "null") {
  const { impliedVolatility, attainableError, status } = engine.impliedVolatility(requestOf([row], onUnattainable));
  return {
    volatility: impliedVolatility[0]!,
    attainableError: attainableError[0]!,
    // taken from the columns: a NaN read as a number may lose its payload
    bits: [bitsOf(impliedVolatility)[0]!, bitsOf(attainableError)[0]!],
    status: statusName(status[0]!),
  };
}

/** The bits of a column, so that NaN and -0 count. */
const bitsOf = (column: Float64Array) => Array.from(new BigUint64Array(column.slice().buffer));

/** Part of a request's rows, in the order given. */
function pick(request: ImpliedVolatilityRequest, rows: readonly number[]): ImpliedVolatilityRequest {
  const part = <Column extends Float64Array | Uint8Array>(column: Column) =>
    column.constructor === Uint8Array
      ? Uint8Array.from(rows, (row) => column[row]!)
      : Float64Array.from(rows, (row) => column[row]!);
  const partOf = (column: number | Float64Array | undefined) =>
    typeof column === "object" ? (part(column) as Float64Array) : column!;
  const { spot, strike, time_to_expiry, rate, dividend_yield } = request.inputs;
  return {
    ...request,
    count: rows.length,
    isCall: typeof request.isCall === "boolean" ? request.isCall : (part(request.isCall) as Uint8Array),
    inputs: {
      spot: partOf(spot),
      strike: partOf(strike),
      time_to_expiry: partOf(time_to_expiry),
      rate: partOf(rate),
      dividend_yield: partOf(dividend_yield),
    },
    price: partOf(request.price),
  };
}

/** A fast reproducible source for many rows (xorshift32, Marsaglia 2003). */
function drawer(seed: number) {
  let state = seed | 1;
  const unitInterval = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) + 0.5) / 2 ** 32;
  };
  const between = (low: number, high: number) => low + (high - low) * unitInterval();
  const logBetween = (low: number, high: number) => Math.exp(between(Math.log(low), Math.log(high)));
  return { unitInterval, between, logBetween };
}

// The largest error per region in attainable errors: what is reached, and a little. The contract is 4; these hold the low words
// and fits in place, each of which costs a fraction when it goes.
const unitsMax: Readonly<Record<string, number>> = {
  tiny_vol: 2.3,
  market: 3.2,
  extreme: 2.2,
  wings: 2.9,
  huge_vol: 0.9,
  index: 1.5,
  near_money_carry: 2,
  no_rates_itm: 0.7,
  negative_rates: 2.2,
  high_volatility: 1.5,
  deep_itm: 1.1,
  far_apart: 2,
  near_cap: 0.6,
  near_intrinsic: 2,
  subnormal_price: 2,
  large_rates: 1.6,
  no_rates_near_intrinsic: 1.8,
  edge_of_domain: 0.5,
  // the models that are mapped onto the same problem
  futures: 1.8,
  currency: 1.8,
  shifted_rates: 2.2,
  shifted_near_money: 2,
  shifted_far: 2.6,
  small_deviation: 1.7,
  large_deviation: 1.9,
  largest_deviation: 1.9,
  small_in_the_money: 1,
};

// The normal model shares some names of regions.
const normalUnitsMax: Readonly<Record<string, number>> = {
  rates: 1.9,
  commodity: 1.8,
  no_rates: 1.3,
  near_money: 2,
  at_the_money: 1.6,
  wings: 1.9,
  deep_itm: 0.1,
  near_intrinsic: 0.4,
  no_rates_near_intrinsic: 0.05,
  huge_volatility: 1.9,
  large_rates: 1.8,
  subnormal_price: 2,
  edge_of_domain: 2.2,
};

describe("S4.47 exact volatilities", () => {
  for (const { name, request, expected, condition, region } of goldenImpliedVolatilities()) {
    const { impliedVolatility, attainableError, status } = engine.impliedVolatility(request);
    const errors = errorsInAttainableUnits({ impliedVolatility }, expected, condition);
    for (const part of new Set(region)) {
      const rows = region.flatMap((each, row) => (each === part ? [row] : []));
      const most = (request.model === "bachelier" ? normalUnitsMax : unitsMax)[part];
      test(`${name}, ${part}: ${rows.length} rows, all ok, within ${most} attainable errors of the exact answer`, () => {
        expect(rows.filter((row) => status[row] !== statusCodes.ok)).toEqual([]);
        const worst = Math.max(...rows.map((row) => errors[row]!));
        expect(worst).toBeLessThanOrEqual(most!);
      });
    }
    test(`${name}: the stated attainable error is 2^-53·(1 + price/(vega·volatility))`, () => {
      const rows = Array.from(condition.keys()).filter((row) => condition[row]! < 10);
      expect(rows.length).toBeGreaterThan(60);
      const worst = Math.max(
        ...rows.map((row) => Math.abs(attainableError[row]! / (unit * (1 + condition[row]!)) - 1)),
      );
      expect(worst).toBeLessThan(2e-11);
    });
  }

  // row 3 of every table is altered: one whose answer means something
  const tableCount = 6;

  test("the deviations σ√T of the tables reach from 1e-5 to 44, past which no double tells a price from its bound", () => {
    const deviations = goldenImpliedVolatilities()
      .filter(({ request }) => request.model !== "bachelier")
      .flatMap(({ request, expected }) => {
        const time = request.inputs.time_to_expiry!;
        return Array.from(
          expected,
          (volatility, row) => volatility * Math.sqrt(typeof time === "number" ? time : time[row]!),
        );
      });
    expect(Math.min(...deviations)).toBeLessThan(1.2e-5);
    expect(Math.max(...deviations)).toBeGreaterThan(44);
  });

  test("verify's check passes on the kernel and fails for volatilities a trillionth off, nulls, or one refused row", () => {
    expect(checkImpliedVolatility(engine).every(({ passed }) => passed)).toBeTrue();
    const altered = (change: (result: ImpliedVolatilityResult) => void) =>
      checkImpliedVolatility({
        impliedVolatility: (request) => {
          const result = engine.impliedVolatility(request);
          change(result);
          return result;
        },
      });
    const off = altered(({ impliedVolatility }) => {
      impliedVolatility[3]! *= 1 + 1e-12;
    });
    expect(off.filter(({ passed }) => !passed).map(({ output }) => output)).toEqual(
      Array(tableCount).fill("implied_volatility"),
    );
    const empty = altered(({ impliedVolatility }) => {
      impliedVolatility[3] = Number.NaN;
    });
    expect(empty.filter(({ passed }) => !passed)).toHaveLength(tableCount);
    const refused = altered(({ status }) => {
      status[3] = statusCodes.not_converged;
    });
    expect(refused.every(({ passed }) => !passed)).toBeTrue();
    const misstated = altered(({ attainableError }) => {
      attainableError[3]! *= 1 + 1e-5;
    });
    expect(misstated.filter(({ passed }) => !passed).map(({ output }) => output)).toEqual(
      Array(tableCount).fill("attainable_error"),
    );
    expect(attainableUnitsMax).toBe(4);
  });
});

// Spot 100, strike 105, T 0.5, rate 3 %, yield 1 %: the call's bounds are 0 and 100·e^-0.005 = 99.501…, the put's 3.935… and 103.4….
const callMaximum = 100 * Math.exp(-0.005);
const putMaximum = 105 * Math.exp(-0.015);
const putIntrinsic = putMaximum - callMaximum;

describe("S4.47 rows that have no volatility, and why", () => {
  const ok = "ok";
  const rows: readonly [string, Row, string][] = [
    ["an ordinary call", { price: 4.1 }, ok],
    ["an ordinary put", { isCall: false, price: 8.1 }, ok],
    ["a spot that is NaN", { spot: Number.NaN, price: 4.1 }, "non_finite"],
    ["a strike that is NaN", { strike: Number.NaN, price: 4.1 }, "non_finite"],
    ["a time that is NaN", { time: Number.NaN, price: 4.1 }, "non_finite"],
    ["a rate that is NaN", { rate: Number.NaN, price: 4.1 }, "non_finite"],
    ["a yield that is NaN", { dividendYield: Number.NaN, price: 4.1 }, "non_finite"],
    ["a price that is NaN", { price: Number.NaN }, "non_finite"],
    ["an infinite spot", { spot: Number.POSITIVE_INFINITY, price: 4.1 }, "non_finite"],
    ["an infinite strike", { strike: Number.POSITIVE_INFINITY, price: 4.1 }, "non_finite"],
    ["an infinite time", { time: Number.POSITIVE_INFINITY, price: 4.1 }, "non_finite"],
    ["an infinite rate", { rate: Number.NEGATIVE_INFINITY, price: 4.1 }, "non_finite"],
    ["an infinite yield", { dividendYield: Number.NEGATIVE_INFINITY, price: 4.1 }, "non_finite"],
    ["an infinite price", { price: Number.POSITIVE_INFINITY }, "non_finite"],
    ["a NaN beside a negative spot and no time", { spot: -1, time: 0, price: Number.NaN }, "non_finite"],
    ["a spot of zero", { spot: 0, price: 4.1 }, "out_of_domain"],
    ["a negative spot", { spot: -100, price: 4.1 }, "out_of_domain"],
    ["a strike of zero", { strike: 0, price: 4.1 }, "out_of_domain"],
    ["a negative strike", { strike: -105, price: 4.1 }, "out_of_domain"],
    ["a negative spot after expiry", { spot: -100, time: 0, price: 4.1 }, "out_of_domain"],
    ["no time left", { time: 0, price: 4.1 }, "expired"],
    ["negative zero time left", { time: -0, price: 4.1 }, "expired"],
    ["expiry past", { time: -0.1, price: 4.1 }, "expired"],
    ["expiry past at a price below intrinsic", { time: -0.1, isCall: false, price: 1 }, "expired"],
    ["a spot of 2^-201", { spot: 2 ** -201, price: 4.1 }, "out_of_domain"],
    ["a spot of 2^200", { spot: 2 ** 200, price: 4.1 }, "out_of_domain"],
    ["a strike of 2^-201", { strike: 2 ** -201, price: 4.1 }, "out_of_domain"],
    ["a strike of 2^200", { strike: 2 ** 200, price: 4.1 }, "out_of_domain"],
    ["a time of 2^-201", { time: 2 ** -201, price: 4.1 }, "out_of_domain"],
    ["a time of 2^200", { time: 2 ** 200, price: 4.1 }, "out_of_domain"],
    ["a rate times time of 256.05", { rate: 512.1, price: 4.1 }, "out_of_domain"],
    ["a rate times time of -256.05", { rate: -512.1, price: 4.1 }, "out_of_domain"],
    ["a yield times time of 256.05", { dividendYield: 512.1, price: 4.1 }, "out_of_domain"],
    ["a yield times time of -256.05", { dividendYield: -512.1, price: 4.1 }, "out_of_domain"],
    [
      "a forward e^776 strikes high",
      { spot: 1e60, strike: 1e-60, rate: 500, dividendYield: -500, price: 5e59 },
      "out_of_domain",
    ],
    ["a call's price of zero", { price: 0 }, "below_intrinsic"],
    ["a call's price of negative zero", { price: -0 }, "below_intrinsic"],
    ["a negative price", { price: -1 }, "below_intrinsic"],
    ["a put's price of zero in the money", { isCall: false, price: 0 }, "below_intrinsic"],
    [
      "a put's price a millionth below intrinsic",
      { isCall: false, price: putIntrinsic * (1 - 1e-6) },
      "below_intrinsic",
    ],
    ["a put's price a trillionth above intrinsic", { isCall: false, price: putIntrinsic * (1 + 1e-12) }, ok],
    ["a call's price a trillionth below its maximum", { price: callMaximum * (1 - 1e-12) }, ok],
    ["a call's price a trillionth above its maximum", { price: callMaximum * (1 + 1e-12) }, "above_maximum"],
    ["a put's price a trillionth below its maximum", { isCall: false, price: putMaximum * (1 - 1e-12) }, ok],
    [
      "a put's price a trillionth above its maximum",
      { isCall: false, price: putMaximum * (1 + 1e-12) },
      "above_maximum",
    ],
    ["a price of 10^300", { price: 1e300 }, "above_maximum"],
    ["a price of 10^-320 out of the money", { price: 1e-320 }, ok],
    // Without rates the bounds are doubles, and are judged to the last digit.
    ["without rates, a price at intrinsic", { spot: 110, rate: 0, dividendYield: 0, price: 5 }, "below_intrinsic"],
    [
      "without rates, a price an ulp above intrinsic",
      { spot: 110, rate: 0, dividendYield: 0, price: 5.000000000000001 },
      ok,
    ],
    [
      "without rates, a difference that is no double: a price at it, rounded down",
      { spot: 0.3, strike: 0.1, rate: 0, dividendYield: 0, price: 0.19999999999999998 },
      "below_intrinsic",
    ],
    [
      "without rates, a difference that is no double: a price at it, rounded up",
      { spot: 5, strike: 0.3, rate: 0, dividendYield: 0, price: 4.7 },
      ok,
    ],
    ["without rates, a call's price at the spot", { rate: 0, dividendYield: 0, price: 100 }, "above_maximum"],
    [
      "without rates, a call's price an ulp below the spot",
      { rate: 0, dividendYield: 0, price: 99.99999999999999 },
      ok,
    ],
    [
      "without rates, a put's price at the strike",
      { isCall: false, rate: 0, dividendYield: 0, price: 105 },
      "above_maximum",
    ],
    [
      "without rates, a put's price an ulp below the strike",
      { isCall: false, rate: 0, dividendYield: 0, price: 104.99999999999999 },
      ok,
    ],
    // A leg without carry is a double whatever the other leg's rate: the call's bound is the spot, the put's the strike.
    ...[0.03, -0.02, 0.0477].flatMap((carry): [string, Row, string][] => [
      [
        `rate ${carry}, no yield: a call in the money at the spot`,
        { strike: 95, rate: carry, dividendYield: 0, price: 100 },
        "above_maximum",
      ],
      [
        `rate ${carry}, no yield: a call in the money an ulp below the spot`,
        { strike: 95, rate: carry, dividendYield: 0, price: 99.99999999999999 },
        ok,
      ],
      [
        `yield ${carry}, no rate: a put in the money at the strike`,
        { isCall: false, strike: 111, rate: 0, dividendYield: carry, price: 111 },
        "above_maximum",
      ],
      [
        `yield ${carry}, no rate: a put in the money an ulp below the strike`,
        { isCall: false, strike: 111, rate: 0, dividendYield: carry, price: 110.99999999999999 },
        ok,
      ],
    ]),
    [
      "no yield, a strike too small to show in the spot: a call's price at the spot",
      { strike: 1e-40, dividendYield: 0, price: 100 },
      "above_maximum",
    ],
    [
      "no yield, a strike too small to show in the spot: a call's price an ulp below the spot",
      { strike: 1e-40, dividendYield: 0, price: 99.99999999999999 },
      "below_intrinsic",
    ],
  ];

  test.each(rows)("%s", (_, row, expected) => {
    const { volatility, attainableError, bits, status } = solveOne(row);
    expect(status).toBe(expected as typeof status);
    if (expected === ok) {
      expect(volatility).toBeGreaterThan(0);
      expect(volatility).toBeLessThan(Number.POSITIVE_INFINITY);
      expect(attainableError).toBeGreaterThanOrEqual(unit);
    } else expect(bits).toEqual([nullBits, nullBits]);
  });

  test("all of them at once, in one batch, in pairs with each other and twice over, give the same", () => {
    const twice = [...rows, ...rows.toReversed()];
    const { status } = engine.impliedVolatility(requestOf(twice.map(([, row]) => row)));
    expect(Array.from(status, statusName)).toEqual(
      twice.map(([, , expected]) => expected) as ReturnType<typeof statusName>[],
    );
  });

  test("on_unattainable zero gives 0 below intrinsic and null everywhere else; the status stays", () => {
    for (const [, row, expected] of rows) {
      const { bits, status } = solveOne(row, "zero");
      expect(status).toBe(expected as typeof status);
      if (expected !== ok) expect(bits).toEqual([expected === "below_intrinsic" ? 0n : nullBits, nullBits]);
    }
  });

  test("a price that says next to nothing of its volatility is answered with an attainable error that says so", () => {
    // An ulp above intrinsic: the time value is one rounding of the price.
    const { volatility, attainableError } = solveOne({
      spot: 110,
      rate: 0,
      dividendYield: 0,
      price: 5.000000000000001,
    });
    expect(volatility).toBeWithin(0.005, 0.02);
    expect(attainableError).toBeGreaterThan(0.005);
    // An ulp below the maximum: 16 deviations.
    const high = solveOne({ rate: 0, dividendYield: 0, price: 99.99999999999999 });
    expect(high.volatility * Math.sqrt(0.5)).toBeWithin(15, 18);
    expect(high.attainableError).toBeGreaterThan(0.005);
  });
});

/** Many rows of the kind named, with a price for each, from market-like ones to the edges of the domain. */
function sweep(
  kind: "market" | "any_price" | "near_maximum" | "near_intrinsic" | "tiny_price" | "edges",
  count: number,
  seed: number,
) {
  const { unitInterval, between, logBetween } = drawer(seed);
  const column = () => new Float64Array(count);
  const inputs = {
    spot: column(),
    strike: column(),
    time_to_expiry: column(),
    rate: column(),
    dividend_yield: column(),
  };
  const isCall = new Uint8Array(count);
  const volatility = column();
  const clip = (value: number) => Math.max(-300, Math.min(300, value));
  for (let row = 0; row < count; row++) {
    const isEdge = kind === "edges";
    const time = isEdge ? logBetween(1e-59, 1e59) : logBetween(1e-4, 30);
    const spot = isEdge ? logBetween(1e-60, 1e60) : logBetween(0.01, 1e5);
    const carries = isEdge
      ? [between(-1, 1) * logBetween(1e-6, 300), between(-1, 1) * logBetween(1e-6, 300)]
      : [
          unitInterval() < 0.2 ? 0 : between(-0.04, 0.16) * time,
          unitInterval() < 0.2 ? 0 : between(-0.02, 0.08) * time,
        ];
    const deviation = isEdge
      ? logBetween(1e-18, 80)
      : (kind === "market" ? logBetween(0.03, 2) : logBetween(1e-6, 30)) * Math.sqrt(time);
    const distance = isEdge ? between(-46, 46) : clip(between(-1, 1) * (kind === "market" ? 4 : 30) * deviation);
    isCall[row] = unitInterval() < 0.5 ? 1 : 0;
    inputs.spot[row] = spot;
    inputs.time_to_expiry[row] = time;
    inputs.rate[row] = carries[0]! / time;
    inputs.dividend_yield[row] = carries[1]! / time;
    inputs.strike[row] = isEdge
      ? unitInterval() < 0.5
        ? spot * Math.exp(distance)
        : logBetween(1e-60, 1e60)
      : spot * Math.exp(carries[0]! - carries[1]! + distance);
    volatility[row] = deviation / Math.sqrt(time);
  }
  const priced = engine.price({
    model,
    count,
    isCall,
    inputs: { ...inputs, volatility },
    outputs: ["price"],
    units: "raw",
  });
  const price = priced.columns.price!;
  for (let row = 0; row < count; row++) {
    const asset = inputs.spot[row]! * Math.exp(-inputs.dividend_yield[row]! * inputs.time_to_expiry[row]!);
    const loan = inputs.strike[row]! * Math.exp(-inputs.rate[row]! * inputs.time_to_expiry[row]!);
    const intrinsic = Math.max(0, isCall[row] === 1 ? asset - loan : loan - asset);
    const maximum = isCall[row] === 1 ? asset : loan;
    const anyPrice = () => intrinsic + unitInterval() * (maximum - intrinsic);
    if (kind === "any_price") price[row] = anyPrice();
    if (kind === "near_maximum") price[row] = maximum - maximum * logBetween(1e-17, 1);
    if (kind === "near_intrinsic") price[row] = intrinsic * (1 + between(-0.3, 0.7) * logBetween(1e-17, 1e-3));
    if (kind === "tiny_price")
      price[row] = unitInterval() < 0.5 ? logBetween(1e-320, 1e-280) : intrinsic + maximum * logBetween(1e-300, 1);
    if (kind === "edges" && unitInterval() < 0.5)
      price[row] = unitInterval() < 0.5 ? anyPrice() : intrinsic + maximum * logBetween(1e-300, 1);
  }
  return { isCall, inputs, price, volatility };
}

describe("S4.47 a bound that is a double", () => {
  const seed = 20_261_130;
  const count = 2000;
  test.each([
    ["call", "spot"],
    ["put", "strike"],
  ] as const)(
    `a %s's price at the %s is above_maximum and an ulp below it never is, in ${count} random markets (seed ${seed})`,
    (optionType, bound) => {
      const { inputs } = sweep("market", count, seed);
      const isCall = optionType === "call";
      const legs = { ...inputs, [isCall ? "dividend_yield" : "rate"]: 0 };
      const statusAt = (price: Float64Array) =>
        engine.impliedVolatility({ model, count, isCall, inputs: legs, price, onUnattainable: "null" }).status;
      const at = statusAt(inputs[bound]);
      expect(at.filter((code) => code !== statusCodes.above_maximum)).toHaveLength(0);
      const below = inputs[bound].map((value) => value - value * unit);
      expect(below.every((value, row) => value < inputs[bound][row]!)).toBeTrue();
      expect(statusAt(below).filter((code) => code === statusCodes.above_maximum)).toHaveLength(0);
      const twin = impliedVolatilityPlain({
        model,
        count,
        isCall,
        inputs: legs,
        price: inputs[bound],
        onUnattainable: "null",
      });
      expect(twin.status.filter((code) => code !== statusCodes.above_maximum)).toHaveLength(0);
    },
  );
});

describe("S4.47 every row is answered", () => {
  const seed = 20_251_001;
  test.each(["market", "any_price", "near_maximum", "near_intrinsic", "tiny_price", "edges"] as const)(
    `200,000 rows of kind %s: none fails to converge, and every ok row has a positive volatility (seed ${seed})`,
    (kind) => {
      const count = 200_000;
      const { isCall, inputs, price } = sweep(kind, count, seed);
      const result = engine.impliedVolatility({ model, count, isCall, inputs, price, onUnattainable: "null" });
      const seen = new Map<number, number>();
      let wrong = 0;
      for (let row = 0; row < count; row++) {
        const code = result.status[row]!;
        seen.set(code, (seen.get(code) ?? 0) + 1);
        const volatility = result.impliedVolatility[row]!;
        const error = result.attainableError[row]!;
        const isSound =
          code === statusCodes.ok
            ? volatility > 0 &&
              volatility < Number.POSITIVE_INFINITY &&
              error >= unit &&
              error < Number.POSITIVE_INFINITY
            : Number.isNaN(volatility) && Number.isNaN(error);
        if (!isSound) wrong++;
      }
      expect(seen.get(statusCodes.not_converged) ?? 0).toBe(0);
      expect(wrong).toBe(0);
      expect(seen.get(statusCodes.ok)!).toBeGreaterThan(count / 4);
    },
  );

  test.each(["market", "any_price", "near_maximum", "near_intrinsic"] as const)(
    `S4.47 100,000 prices of kind %s come back from their volatilities (seed ${seed})`,
    (kind) => {
      const count = 100_000;
      const { isCall, inputs, price } = sweep(kind, count, seed + 1);
      const { impliedVolatility, attainableError, status } = engine.impliedVolatility({
        model,
        count,
        isCall,
        inputs,
        price,
        onUnattainable: "null",
      });
      const back = engine.price({
        model,
        count,
        isCall,
        inputs: { ...inputs, volatility: impliedVolatility },
        outputs: ["price", "vega"],
        units: "raw",
      });
      let worst = 0;
      for (let row = 0; row < count; row++) {
        if (status[row] !== statusCodes.ok || back.status[row] !== statusCodes.ok) continue;
        const asset = inputs.spot[row]! * Math.exp(-inputs.dividend_yield[row]! * inputs.time_to_expiry[row]!);
        const loan = inputs.strike[row]! * Math.exp(-inputs.rate[row]! * inputs.time_to_expiry[row]!);
        // the price's own tolerance, and what four attainable errors of the volatility move the price by
        const own = 1e-15 * Math.max(inputs.spot[row]!, inputs.strike[row]!, asset, loan);
        const moved = 4 * attainableError[row]! * impliedVolatility[row]! * back.columns.vega![row]!;
        const size = Math.abs(back.columns.price![row]! - price[row]!) / (own + moved);
        if (!(size <= worst)) worst = size;
      }
      expect(worst).toBeLessThan(1);
    },
  );

  test("the volatility grows with the price over every seam: series, ratios, the other solver, both sides of the money", () => {
    const count = 40_001;
    for (const [isCall, strike, time] of [
      [true, 105, 0.5],
      [true, 80, 0.5],
      [false, 130, 2],
      [false, 100.000001, 0.01],
      [true, 3000, 1],
    ] as const) {
      const inputs = { spot: 100, strike, time_to_expiry: time, rate: 0.03, dividend_yield: 0.01 };
      const asset = 100 * Math.exp(-0.01 * time);
      const loan = strike * Math.exp(-0.03 * time);
      const intrinsic = Math.max(0, isCall ? asset - loan : loan - asset);
      const maximum = isCall ? asset : loan;
      const price = Float64Array.from(
        { length: count },
        (_, step) => intrinsic + (maximum - intrinsic) * ((step + 1) / (count + 1)),
      );
      const { impliedVolatility, attainableError, status } = engine.impliedVolatility({
        model,
        count,
        isCall,
        inputs,
        price,
        onUnattainable: "null",
      });
      expect(status.every((code) => code === statusCodes.ok)).toBeTrue();
      let falls = 0;
      for (let step = 1; step < count; step++) {
        if (!(impliedVolatility[step]! > impliedVolatility[step - 1]! * (1 - 8 * attainableError[step]!))) falls++;
      }
      expect(falls).toBe(0);
    }
  });
});

describe("S1.04 a row's answer does not depend on its company", () => {
  const kinds = ["market", "any_price", "tiny_price", "edges"] as const;
  const parts = kinds.map((kind, index) => sweep(kind, 250, 77 + index));
  const joined = (column: (part: ReturnType<typeof sweep>) => Float64Array) =>
    Float64Array.from(parts.flatMap((part) => Array.from(column(part))));
  const request: ImpliedVolatilityRequest = {
    model,
    count: 1000,
    isCall: Uint8Array.from(parts.flatMap(({ isCall }) => Array.from(isCall))),
    inputs: {
      spot: joined(({ inputs }) => inputs.spot),
      strike: joined(({ inputs }) => inputs.strike),
      time_to_expiry: joined(({ inputs }) => inputs.time_to_expiry),
      rate: joined(({ inputs }) => inputs.rate),
      dividend_yield: joined(({ inputs }) => inputs.dividend_yield),
    },
    price: joined(({ price }) => price),
    onUnattainable: "null",
  };
  const whole = engine.impliedVolatility(request);
  const allBits = { volatility: bitsOf(whole.impliedVolatility), error: bitsOf(whole.attainableError) };

  test("each row by itself has the bits it has in the batch", () => {
    for (let row = 0; row < request.count; row++) {
      const single = engine.impliedVolatility(pick(request, [row]));
      expect(bitsOf(single.impliedVolatility)[0]).toBe(allBits.volatility[row]!);
      expect(bitsOf(single.attainableError)[0]).toBe(allBits.error[row]!);
      expect(single.status[0]).toBe(whole.status[row]!);
    }
  });

  test("another order, which gives each row another neighbour and place, changes no bits", () => {
    const order = Array.from({ length: request.count }, (_, row) => (row * 387 + 1) % request.count);
    const shuffled = engine.impliedVolatility(pick(request, order));
    expect(bitsOf(shuffled.impliedVolatility)).toEqual(order.map((row) => allBits.volatility[row]!));
    expect(bitsOf(shuffled.attainableError)).toEqual(order.map((row) => allBits.error[row]!));
    expect(Array.from(shuffled.status)).toEqual(order.map((row) => whole.status[row]!));
  });

  test("numbers for every row give the bits that columns give, and every length up to three tiles works", () => {
    const columns = (count: number): ImpliedVolatilityRequest => requestOf(Array(count).fill({ price: 4.1 }));
    const expected = bitsOf(engine.impliedVolatility(columns(1)).impliedVolatility)[0]!;
    for (let count = 0; count <= 385; count += count < 10 || count > 120 ? 1 : 7) {
      const broadcast: ImpliedVolatilityRequest = {
        model,
        count,
        isCall: true,
        inputs: { spot: 100, strike: 105, time_to_expiry: 0.5, rate: 0.03, dividend_yield: 0.01 },
        price: 4.1,
        onUnattainable: "null",
      };
      for (const each of [broadcast, columns(count)]) {
        const { impliedVolatility, status } = engine.impliedVolatility(each);
        expect(bitsOf(impliedVolatility)).toEqual(Array(count).fill(expected));
        expect(status.every((code) => code === statusCodes.ok)).toBeTrue();
      }
    }
  });
});

describe("S1.15 the plain TypeScript twin", () => {
  test("agrees with the kernel on market rows: status for status, volatilities to 10^-8 where a price carries them", () => {
    const count = 20_000;
    const { isCall, inputs, price } = sweep("market", count, 5);
    const request: ImpliedVolatilityRequest = { model, count, isCall, inputs, price, onUnattainable: "null" };
    const fast = engine.impliedVolatility(request);
    const plain = impliedVolatilityPlain(request);
    let compared = 0;
    let worst = 0;
    for (let row = 0; row < count; row++) {
      if (fast.status[row] !== statusCodes.ok || fast.attainableError[row]! > 1e4 * unit) continue;
      compared++;
      const size = Math.abs(plain.impliedVolatility[row]! / fast.impliedVolatility[row]! - 1);
      if (!(size <= worst)) worst = size;
    }
    expect(compared).toBeGreaterThan(count / 2);
    expect(worst).toBeLessThan(1e-8);
  });

  test("gives the statuses the kernel gives, in columns and as one number", () => {
    const rows: Row[] = [
      { price: 4.1 },
      { price: 60 },
      { price: 99 },
      { strike: 1e9, price: 1e-9 },
      { price: Number.NaN },
      { spot: -1, price: 4 },
      { time: 0, price: 4 },
      { strike: 2 ** 201, price: 4 },
      { spot: 1e60, strike: 1e-60, rate: 500, dividendYield: -500, price: 5e59 },
      { price: 0 },
      { price: 101 },
    ];
    for (const policy of ["null", "zero"] as const) {
      const fast = engine.impliedVolatility(requestOf(rows, policy));
      const plain = impliedVolatilityPlain(requestOf(rows, policy));
      expect(Array.from(plain.status, statusName)).toEqual(Array.from(fast.status, statusName));
      for (const [row, volatility] of fast.impliedVolatility.entries()) {
        if (Number.isNaN(volatility)) expect(plain.impliedVolatility[row]).toBeNaN();
        else expect(plain.impliedVolatility[row]).toBeCloseTo(volatility, 11);
      }
    }
    const one = impliedVolatilityPlain({
      model,
      count: 1,
      isCall: false,
      inputs: { spot: 100, strike: 105, time_to_expiry: 0.5, rate: 0.03 },
      price: 8.1,
      onUnattainable: "null",
    });
    expect(one.impliedVolatility[0]).toBeCloseTo(
      solveOne({ isCall: false, dividendYield: 0, price: 8.1 }).volatility,
      12,
    );
  });

  test("is measured beside the kernel: a few rounds of the bench run and tell a ratio with its floor", async () => {
    const { measurements, ratios } = await benchImpliedVolatility({
      clock: new ManualClock(),
      rounds: 1,
      rowsPerRound: 4096,
    });
    expect(measurements.map(({ name }) => name)).toEqual(["plain TypeScript", "kernel"]);
    expect(ratios.map(({ floor }) => floor)).toEqual([2.8]);
  });
});
