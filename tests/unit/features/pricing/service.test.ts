// Pricing from bodies to answers: batch and single agree to the bit, rows and columns agree, times are worked out
// and echoed, mixed models come back in input order, and nothing a value can be makes it throw.

import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { businessCalendar } from "../../../../src/domain/business-calendar";
import { daysFromCivil } from "../../../../src/domain/calendar";
import { type DayCount, dayCounts } from "../../../../src/domain/day-count";
import { builtInCalendars } from "../../../../src/domain/exchange-calendars";
import {
  defaultOutputs,
  type InputName,
  type ModelDefinition,
  type ModelName,
  models,
  statusName,
  unitFactor,
} from "../../../../src/engine/catalog";
import type { Column, Engine, PriceRequest as EngineRequest } from "../../../../src/engine/engine";
import {
  BatchAnswer,
  type BatchColumns,
  ImpliedVolatilityAnswer,
  ImpliedVolatilityBatchAnswer,
  ModelsAnswer,
  PriceAnswer,
  type PriceRequest,
} from "../../../../src/features/pricing/model";
import { createPricing, type PricingService } from "../../../../src/features/pricing/service";
import { BsoptError } from "../../../../src/foundation/errors";
import { seededRandom } from "../../../../src/foundation/random";
import { answerOf, atOnce, example, openPricing, priceExample } from "../../../harness/pricing";

const { engine, clock, timings, ...fixture } = openPricing();
const pricing = spelledOut(fixture.pricing);

/** The service with its batches' answers as JSON says them. */
function spelledOut(service: PricingService) {
  return {
    ...atOnce(service),
    priceBatch: async (...asked: Parameters<PricingService["priceBatch"]>): Promise<BatchAnswer> =>
      answerOf(await service.priceBatch(...asked)),
    impliedVolatilityBatch: async (
      ...asked: Parameters<PricingService["impliedVolatilityBatch"]>
    ): Promise<ImpliedVolatilityBatchAnswer> => answerOf(await service.impliedVolatilityBatch(...asked)),
  };
}

async function failureOf(act: () => unknown): Promise<BsoptError> {
  try {
    await act();
  } catch (error) {
    expect(error).toBeInstanceOf(BsoptError);
    return error as BsoptError;
  }
  throw new Error("nothing was thrown");
}

/** Options over the whole plane, degenerate ones among them. */
function randomOptions(count: number, seed: bigint): PriceRequest[] {
  const random = seededRandom(seed);
  const odd = [0, -1, Number.POSITIVE_INFINITY, 1e-300, 1e300];
  const draw = (low: number, high: number) =>
    random.unit() < 0.03 ? odd[Math.floor(random.unit() * odd.length)]! : low + random.unit() * (high - low);
  return Array.from({ length: count }, () => ({
    model: "black_scholes_merton" as const,
    option_type: random.unit() < 0.5 ? ("call" as const) : ("put" as const),
    spot: draw(50, 150),
    strike: draw(50, 150),
    time_to_expiry: draw(0.01, 3),
    rate: draw(-0.02, 0.1),
    volatility: draw(0.05, 1),
    ...(random.unit() < 0.5 && { dividend_yield: draw(0, 0.05) }),
  }));
}

const columnsOf = (options: readonly PriceRequest[]): BatchColumns => ({
  model: "black_scholes_merton",
  option_type: options.map((option) => option.option_type),
  spot: options.map((option) => option.spot!),
  strike: options.map((option) => option.strike!),
  time_to_expiry: options.map((option) => option.time_to_expiry!),
  rate: options.map((option) => option.rate!),
  dividend_yield: options.map((option) => option.dividend_yield ?? 0),
  volatility: options.map((option) => option.volatility!),
});

describe("S1.04 a batch", () => {
  const seed = 20_260_101n;
  const options = randomOptions(1001, seed);
  for (const units of ["market", "raw"] as const) {
    test(`gives each option the very bits it has alone, in ${units} units, degenerate ones included (seed ${seed})`, async () => {
      const batch = await pricing.priceBatch({ ...columnsOf(options), units });
      expect(batch.count).toBe(options.length);
      const statuses = new Set<number>();
      for (const [index, option] of options.entries()) {
        const alone = pricing.price({ ...option, units });
        const together: Partial<PriceAnswer> = {
          price: batch.price![index]!,
          greeks: Object.fromEntries(defaultOutputs.slice(1).map((name) => [name, batch[name]![index]!])),
          status: statusName(batch.status[index]!),
        };
        statuses.add(batch.status[index]!);
        expect(together).toEqual({ price: alone.price!, greeks: alone.greeks, status: alone.status });
      }
      // The plane was wide enough to matter: priced, expired, without volatility, infinite and out of domain.
      for (const status of [0, 1, 2, 20, 21]) expect(statuses).toContain(status);
    });
  }

  test("by rows is the batch by columns", async () => {
    const { engine: _, ...byColumns } = await pricing.priceBatch(columnsOf(options));
    const { engine: __, ...byRows } = await pricing.priceBatch({ options });
    expect(byRows).toEqual(byColumns);
  });

  test("repeats a number for every row", async () => {
    const broadcast = await pricing.priceBatch({ ...example, strike: [95, 100, 105], option_type: "put" });
    const spelled = await pricing.priceBatch({
      ...example,
      strike: [95, 100, 105],
      option_type: ["put", "put", "put"],
      spot: [100, 100, 100],
      rate: [0.03, 0.03, 0.03],
      volatility: [0.2, 0.2, 0.2],
      time_to_expiry: [0.5, 0.5, 0.5],
      dividend_yield: [0.01, 0.01, 0.01],
    });
    expect(broadcast).toEqual(spelled);
  });

  const counts: readonly (readonly [string, () => Promise<{ count: number; status: number[] }>, number])[] = [
    ["of numbers alone is one option", () => pricing.priceBatch({ ...example }), 1],
    ["of empty columns is empty", () => pricing.priceBatch({ ...example, strike: [] }), 0],
    ["of no rows is empty", () => pricing.priceBatch({ options: [] }), 0],
    ["of empty columns of prices is empty", () => pricing.impliedVolatilityBatch({ ...priceExample, price: [] }), 0],
    ["of no rows of prices is empty", () => pricing.impliedVolatilityBatch({ options: [] }), 0],
  ];
  for (const [title, act, count] of counts) {
    test(title, async () => {
      const answer = await act();
      expect(answer.count).toBe(count);
      expect(answer.status.length).toBe(count);
    });
  }

  test("has the columns asked for and no others", async () => {
    const answer = await pricing.priceBatch({ ...example, strike: [95, 105], outputs: ["delta", "price"] });
    expect(Object.keys(answer).sort()).toEqual(["count", "delta", "engine", "model", "price", "status", "units"]);
  });

  test("past the limit of rows is refused before anything is computed", async () => {
    const small = spelledOut(openPricing({ batchRowsMax: 3 }).pricing);
    expect((await small.priceBatch({ ...example, strike: [1, 2, 3] })).count).toBe(3);
    for (const act of [
      () => small.priceBatch({ ...example, strike: [1, 2, 3, 4] }),
      () => small.priceBatch({ options: [example, example, example, example] }),
      () => small.impliedVolatilityBatch({ ...priceExample, price: [1, 2, 3, 4] }),
      () => small.impliedVolatilityBatch({ options: [priceExample, priceExample, priceExample, priceExample] }),
    ]) {
      expect((await failureOf(act)).code).toBe("BATCH_TOO_LARGE");
    }
  });
});

describe("S1.05 one option of a model that takes long", () => {
  const american = { ...example, model: "american", scheme: "fast" } as const;

  test("is promised, computed by the pool, and the same as in a batch", async () => {
    const promised = fixture.pricing.price({ ...american, outputs: ["price", "delta"] });
    expect(promised).toBeInstanceOf(Promise);
    const { price, greeks, status } = await promised;
    const batch = await pricing.priceBatch({ ...american, outputs: ["price", "delta"] });
    expect([price!, greeks.delta!, status]).toEqual([batch.price![0]!, batch.delta![0]!, "ok"]);
    const { volatility: _, outputs: __, ...inputs } = { ...american, outputs: undefined };
    const solved = fixture.pricing.impliedVolatility({ ...inputs, price: price! });
    expect(solved).toBeInstanceOf(Promise);
    expect((await solved).implied_volatility).toBeCloseTo(example.volatility, 7);
  });

  test("tells its time, its moment and the hash of its inputs like any other", async () => {
    const before = timings.length;
    const meter = (durationMilliseconds: number) => timings.push({ name: "engine", durationMilliseconds });
    const query = { inputs_hash: "true" } as const;
    const { time_to_expiry: _, ...timeless } = american;
    const moments = { expiry: "2026-12-18T21:00:00Z", valuation_time: "2026-06-18T21:00:00Z" };
    const answer = await fixture.pricing.price({ ...timeless, ...moments }, { query, meter });
    expect(answer).toMatchObject({ valuation_time: "2026-06-18T21:00:00.000000Z", time_to_expiry: 183 / 365 });
    expect(answer.inputs_hash).toMatch(/^[0-9a-f]{64}$/);
    expect(timings.length).toBe(before + 1);
  });
});

describe("S2.35 rows of a batch share what its answer can say only once", () => {
  const rows: readonly (readonly [string, () => unknown, string | null])[] = [
    [
      "outputs in another order are the same",
      () =>
        pricing.priceBatch({
          options: [
            { ...example, outputs: ["price", "delta"] },
            { ...example, outputs: ["delta", "price"] },
          ],
        }),
      null,
    ],
    [
      "outputs said once above count for rows that say nothing",
      () => pricing.priceBatch({ outputs: ["price"], options: [example, { ...example, outputs: ["price"] }] }),
      null,
    ],
    [
      "outputs left out mean the default",
      () => pricing.priceBatch({ options: [example, { ...example, outputs: [...defaultOutputs] }] }),
      null,
    ],
    [
      "other outputs are refused",
      () => pricing.priceBatch({ options: [{ ...example, outputs: ["price"] }, example] }),
      "/options/1/outputs",
    ],
    [
      "units left out mean market",
      () => pricing.priceBatch({ options: [example, { ...example, units: "market" }] }),
      null,
    ],
    [
      "other units are refused",
      () => pricing.priceBatch({ options: [example, { ...example, units: "raw" }] }),
      "/options/1/units",
    ],
    [
      "units against those above are refused",
      () => pricing.priceBatch({ units: "raw", options: [example, { ...example, units: "market" }] }),
      "/options/1/units",
    ],
    [
      "on_unattainable left out means null",
      () => pricing.impliedVolatilityBatch({ options: [priceExample, { ...priceExample, on_unattainable: "null" }] }),
      null,
    ],
    [
      "another on_unattainable is refused",
      () => pricing.impliedVolatilityBatch({ options: [priceExample, { ...priceExample, on_unattainable: "zero" }] }),
      "/options/1/on_unattainable",
    ],
  ];
  for (const [title, act, pointer] of rows) {
    test(title, async () => {
      if (pointer === null) return void act();
      const failure = await failureOf(act);
      expect(failure.code).toBe("ROWS_DISAGREE");
      expect(failure.faults.map((fault) => fault.pointer)).toEqual([pointer]);
    });
  }
  test("and the units of all rows are the answer's", async () => {
    expect((await pricing.priceBatch({ units: "raw", options: [example] })).units).toBe("raw");
    expect((await pricing.priceBatch({ options: [{ ...example, units: "raw" }] })).units).toBe("raw");
    const vegas = await pricing.priceBatch({ options: [{ ...example, units: "raw", outputs: ["vega"] }] });
    expect(vegas.vega).toEqual((await pricing.priceBatch({ ...example, units: "raw", outputs: ["vega"] })).vega!);
  });
});

describe("S4.47 the answer to one option", () => {
  test("has the price and the five first Greeks unless asked otherwise", async () => {
    const answer = pricing.price(example);
    expect(Object.keys(answer.greeks)).toEqual(["delta", "gamma", "vega", "theta", "rho"]);
    expect(answer).toMatchObject({
      status: "ok",
      units: "market",
      model: "black_scholes_merton",
      time_to_expiry: 0.5,
      engine: { version: "1.2.3", wasm_sha256: engine.info.wasmSha256 },
    });
    expect("valuation_time" in answer).toBe(false);
  });

  test("leaves out what was not asked for", async () => {
    expect(pricing.price({ ...example, outputs: ["delta"] })).not.toHaveProperty("price");
    expect(pricing.price({ ...example, outputs: ["price"] }).greeks).toEqual({});
  });

  const statuses: readonly (readonly [Partial<PriceRequest>, PriceAnswer["status"]])[] = [
    [{}, "ok"],
    [{ time_to_expiry: 0 }, "expired"],
    [{ time_to_expiry: -1 }, "expired"],
    [{ volatility: 0 }, "zero_volatility"],
    [{ spot: 0 }, "zero_underlying"],
    [{ spot: -1 }, "out_of_domain"],
    [{ strike: -1 }, "out_of_domain"],
    [{ volatility: -0.2 }, "out_of_domain"],
    [{ rate: 1e300 }, "out_of_domain"],
    [{ spot: Number.POSITIVE_INFINITY }, "non_finite"],
    [{ rate: Number.NEGATIVE_INFINITY }, "non_finite"],
    [{ time_to_expiry: Number.POSITIVE_INFINITY }, "non_finite"],
    [{ dividend_yield: Number.POSITIVE_INFINITY }, "non_finite"],
  ];
  for (const [change, status] of statuses) {
    test(`${JSON.stringify(change, (_, value) => (typeof value === "number" ? String(value) : value))} is ${status}`, async () => {
      const answer = pricing.price({ ...example, ...change });
      expect(answer.status).toBe(status);
      const isNull = ["out_of_domain", "non_finite"].includes(status);
      for (const value of [answer.price, ...Object.values(answer.greeks)]) expect(value === null).toBe(isNull);
      expect(Value.Check(PriceAnswer, JSON.parse(JSON.stringify(answer)))).toBe(true);
    });
  }

  test("has null in one output alone where its limit does not exist", async () => {
    const answer = pricing.price({ ...example, time_to_expiry: 0, spot: 105 });
    expect(answer).toMatchObject({ price: 0, status: "expired" });
    expect(answer.greeks).toEqual({ delta: 0.5, gamma: null, vega: 0, theta: null, rho: 0 });
  });
});

describe("S4.47 time to expiry from two moments", () => {
  const { time_to_expiry: _, ...timeless } = example;
  const valuation = "2026-06-18T16:00:00-04:00";
  const expiry = "2026-12-18T16:00:00-05:00";
  // 183 days and one hour: the clocks go back in between.
  const hours = 183 * 24 + 1;
  const years = hours / (365 * 24);

  test("is the elapsed time over 365 days, and both are echoed", async () => {
    const answer = pricing.price({ ...timeless, expiry, valuation_time: valuation });
    expect(answer.time_to_expiry).toBe(years);
    expect(answer.valuation_time).toBe("2026-06-18T20:00:00.000000Z");
    const { valuation_time: __, ...rest } = answer;
    expect(rest).toEqual(pricing.price({ ...example, time_to_expiry: years }));
  });
  test("over 360 days where asked", async () => {
    const answer = pricing.price({ ...timeless, expiry, valuation_time: valuation, day_count: "act/360" });
    expect(answer.time_to_expiry).toBe(hours / (360 * 24));
  });
  test("counts from the server's now where no valuation time is given", async () => {
    const answer = pricing.price({ ...timeless, expiry: "2026-06-15T15:06:40Z" });
    expect(answer.time_to_expiry).toBe(1);
    expect(answer.valuation_time).toBe("2025-06-15T15:06:40.000000Z");
    clock.advance(0.001);
    expect(pricing.price({ ...timeless, expiry: "2026-06-15T15:06:40.000001Z" }).time_to_expiry).toBe(1);
    clock.advance(-0.001);
  });
  test("gone by is expired", async () => {
    const answer = pricing.price({ ...timeless, expiry: valuation, valuation_time: expiry });
    expect(answer.status).toBe("expired");
    expect(answer.time_to_expiry).toBe(-years);
  });

  test("in columns: one for all rows, or one a row, and the same numbers as in rows", async () => {
    const expiries = [expiry, "2026-09-18T16:00:00-04:00", expiry];
    const strike = [95, 100, 105];
    const columns = await pricing.priceBatch({ ...timeless, strike, expiry: expiries, valuation_time: valuation });
    expect(columns.time_to_expiry).toEqual([years, 92 / 365, years]);
    expect(columns.valuation_time).toBe("2026-06-18T20:00:00.000000Z");
    const rows = await pricing.priceBatch({
      options: strike.map((each, index) => ({
        ...timeless,
        strike: each,
        expiry: expiries[index]!,
        valuation_time: valuation,
      })),
    });
    expect(rows).toEqual(columns);
    const single = await pricing.priceBatch({ ...timeless, strike, expiry, valuation_time: valuation });
    expect(single.time_to_expiry).toEqual([years, years, years]);
    expect(single.valuation_time).toBe("2026-06-18T20:00:00.000000Z");
  });

  test("in columns: valuation times that differ come back one a row", async () => {
    const answer = await pricing.priceBatch({ ...timeless, expiry, valuation_time: [valuation, valuation, expiry] });
    expect(answer.count).toBe(3);
    expect(answer.time_to_expiry).toEqual([years, years, 0]);
    expect(answer.valuation_time).toEqual([
      "2026-06-18T20:00:00.000000Z",
      "2026-06-18T20:00:00.000000Z",
      "2026-12-18T21:00:00.000000Z",
    ]);
    expect(Value.Check(BatchAnswer, answer)).toBe(true);
  });

  test("in rows: years and moments may be mixed, and a row of years has no moment", async () => {
    const answer = await pricing.priceBatch({
      options: [
        example,
        { ...timeless, expiry, valuation_time: valuation },
        example,
        { ...timeless, expiry, valuation_time: expiry },
        example,
      ],
    });
    expect(answer.time_to_expiry).toEqual([0.5, years, 0.5, 0, 0.5]);
    expect(answer.valuation_time).toEqual([
      null,
      "2026-06-18T20:00:00.000000Z",
      null,
      "2026-12-18T21:00:00.000000Z",
      null,
    ]);
    expect(Value.Check(BatchAnswer, answer)).toBe(true);
  });

  const business = { day_count: "business/252" } as const;
  const counted: readonly (readonly [DayCount, number])[] = [
    ["act/365f", years],
    ["act/360", hours / (360 * 24)],
    ["act/act_isda", 183 / 365],
    ["30/360", 0.5],
    ["30/360_us", 0.5],
    ["30e/360", 0.5],
    ["30e/360_isda", 0.5],
    ["business/252", 127 / 252],
  ];
  test.each(counted)(
    "counted by %s is %d years: alone, by columns, by rows, and for a volatility",
    async (day_count, expected) => {
      const moments = { expiry, valuation_time: valuation, day_count };
      const { time_to_expiry: __, ...timelessPrice } = priceExample;
      const answers = [
        pricing.price({ ...timeless, ...moments }),
        pricing.impliedVolatility({ ...timelessPrice, ...moments }),
      ];
      expect(answers.map((answer) => answer.time_to_expiry)).toEqual([expected, expected]);
      expect(answers[0]).toEqual({
        ...pricing.price({ ...example, time_to_expiry: expected }),
        valuation_time: "2026-06-18T20:00:00.000000Z",
      });
      const batches = await Promise.all([
        pricing.priceBatch({ ...timeless, ...moments, strike: [90, 100] }),
        pricing.priceBatch({ ...timeless, ...moments, expiry: [expiry, expiry] }),
        pricing.priceBatch({
          options: [
            { ...timeless, ...moments },
            { ...example, time_to_expiry: expected },
          ],
        }),
        pricing.impliedVolatilityBatch({ ...timelessPrice, ...moments, expiry: [expiry, expiry] }),
      ]);
      expect(batches.map((answer) => answer.time_to_expiry)).toEqual(batches.map(() => [expected, expected]));
    },
  );

  test("rows of several conventions and calendars are each counted by their own", async () => {
    const holiday = businessCalendar({
      name: "own",
      firstDay: daysFromCivil(2026, 1, 1),
      lastDay: daysFromCivil(2026, 12, 31),
      weekend: [0, 6],
      closedDays: () => [daysFromCivil(2026, 12, 17)],
    });
    const calendars = new Map([...builtInCalendars(), ["own", holiday]]);
    const own = spelledOut(createPricing({ engine, clock, batchRowsMax: 10, calendars }));
    const moments = { expiry, valuation_time: "2026-12-14T12:00:00-05:00" };
    const asked = [
      { ...business },
      { ...business, calendar: "own" },
      { day_count: "30/360" },
      { day_count: "act/act_isda" },
      { ...business, calendar: "own" },
      { ...business, calendar: "cboe" },
    ] as const;
    const answer = await own.priceBatch({ options: asked.map((each) => ({ ...timeless, ...moments, ...each })) });
    expect(answer.time_to_expiry).toEqual([4 / 252, 3 / 252, 4 / 360, 4 / 365, 3 / 252, 4 / 252]);
    expect(own.models().calendars).toEqual([
      { name: "new_york", first_date: "1990-01-01", last_date: "2199-12-31" },
      { name: "cboe", first_date: "1998-01-01", last_date: "2199-12-31" },
      { name: "own", first_date: "2026-01-01", last_date: "2026-12-31" },
    ]);
    const failure = await failureOf(() => own.price({ ...timeless, ...business, expiry, calendar: "mars" }));
    expect([failure.code, failure.detail]).toEqual([
      "CALENDAR_UNKNOWN",
      "/calendar is no calendar known here; known: cboe, new_york, own",
    ]);
    const outside = await failureOf(() =>
      own.price({ ...timeless, ...moments, ...business, calendar: "own", expiry: "2027-01-04T21:00:00Z" }),
    );
    expect([outside.code, outside.detail]).toEqual([
      "DATE_OUTSIDE_CALENDAR",
      "/expiry falls on a day outside 2026-01-01 to 2026-12-31, which is all that the calendar own knows",
    ]);
  });

  test("a column of many expiries in any order has the years each has alone", async () => {
    const texts = Array.from(
      { length: 28 },
      (_, index) => `2026-12-${String(index + 1).padStart(2, "0")}T16:00:00-05:00`,
    );
    const column = Array.from({ length: 200 }, (_, index) => texts[(index * 11) % texts.length]!);
    for (const day_count of dayCounts) {
      const moments = { valuation_time: valuation, day_count };
      const answer = await pricing.priceBatch({ ...timeless, ...moments, expiry: column, outputs: ["price"] });
      const alone = new Map(
        texts.map((text) => [text, pricing.price({ ...timeless, ...moments, expiry: text }).time_to_expiry]),
      );
      expect(answer.time_to_expiry).toEqual(column.map((text) => alone.get(text)!));
    }
  });

  const refused: readonly (readonly [string, () => unknown, string])[] = [
    ["a bare date", () => pricing.price({ ...timeless, expiry: "2026-12-18" }), "/expiry"],
    ["a time without an offset", () => pricing.price({ ...timeless, expiry: "2026-12-18T16:00:00" }), "/expiry"],
    [
      "a bare valuation date",
      () => pricing.price({ ...timeless, expiry, valuation_time: "2026-06-18" }),
      "/valuation_time",
    ],
    ["both years and expiry", () => pricing.price({ ...example, expiry }), "/expiry"],
    ["neither", () => pricing.price(timeless), "/time_to_expiry"],
    ["a day count without expiry", () => pricing.price({ ...example, day_count: "act/360" }), "/day_count"],
    ["a bad moment in a column", () => pricing.priceBatch({ ...timeless, expiry: [expiry, "soon"] }), "/expiry/1"],
    [
      "one bad moment for a column",
      () => pricing.priceBatch({ ...timeless, expiry: [expiry, expiry], valuation_time: "now" }),
      "/valuation_time",
    ],
    [
      "a bad valuation in a column",
      () => pricing.priceBatch({ ...timeless, expiry, valuation_time: [valuation, ""] }),
      "/valuation_time/1",
    ],
    [
      "columns of two lengths",
      () => pricing.priceBatch({ ...timeless, strike: [1, 2, 3], expiry: [expiry, expiry] }),
      "/expiry",
    ],
    [
      "a bad moment in a row",
      () => pricing.priceBatch({ options: [example, { ...timeless, expiry: "2026-12-18" }] }),
      "/options/1/expiry",
    ],
    ["a row with neither", () => pricing.priceBatch({ options: [example, timeless] }), "/options/1/time_to_expiry"],
    ["a calendar without expiry", () => pricing.price({ ...example, calendar: "cboe" }), "/calendar"],
    [
      "a calendar without business days",
      () => pricing.price({ ...timeless, expiry, day_count: "30/360", calendar: "cboe" }),
      "/calendar",
    ],
    ["an unknown calendar", () => pricing.price({ ...timeless, ...business, expiry, calendar: "mars" }), "/calendar"],
    [
      "an unknown calendar in a row",
      () => pricing.priceBatch({ options: [example, { ...timeless, ...business, expiry, calendar: "mars" }] }),
      "/options/1/calendar",
    ],
    [
      "an expiry past the calendar's end",
      () => pricing.price({ ...timeless, ...business, expiry: "2200-01-01T00:00:00Z" }),
      "/expiry",
    ],
    [
      "an expiry past the calendar's end in a column",
      () => pricing.priceBatch({ ...timeless, ...business, expiry: [expiry, "2200-01-01T00:00:00Z"] }),
      "/expiry/1",
    ],
    [
      "a valuation before the calendar's beginning",
      () =>
        pricing.price({ ...timeless, ...business, expiry, valuation_time: "1997-12-31T12:00:00Z", calendar: "cboe" }),
      "/valuation_time",
    ],
  ];
  for (const [title, act, pointer] of refused) {
    test(`${title} is refused, pointing at ${pointer}`, async () => {
      const failure = await failureOf(act);
      expect(failure.reason).toBe("invalid");
      expect(failure.faults.map((fault) => fault.pointer)).toEqual([pointer]);
    });
  }
});

describe("S4.47 implied volatility", () => {
  test("of a price is the volatility it was made with, within six times what its digits allow", async () => {
    for (const option_type of ["call", "put"] as const) {
      const { price } = pricing.price({ ...example, option_type, outputs: ["price"] });
      const answer = pricing.impliedVolatility({ ...priceExample, option_type, price: price! });
      expect(answer.status).toBe("ok");
      expect(Math.abs(answer.implied_volatility! / 0.2 - 1)).toBeLessThanOrEqual(6 * answer.attainable_error!);
      expect(Value.Check(ImpliedVolatilityAnswer, answer)).toBe(true);
    }
  });

  test("by columns, by rows and alone are the same", async () => {
    const prices = [0.5, 4.1, 30, 99, 101, 0, -1, Number.POSITIVE_INFINITY];
    const columns = await pricing.impliedVolatilityBatch({ ...priceExample, price: prices });
    const rows = await pricing.impliedVolatilityBatch({ options: prices.map((price) => ({ ...priceExample, price })) });
    expect(rows).toEqual(columns);
    for (const [index, price] of prices.entries()) {
      const alone = pricing.impliedVolatility({ ...priceExample, price });
      expect(columns.implied_volatility[index]).toBe(alone.implied_volatility);
      expect(columns.attainable_error[index]).toBe(alone.attainable_error);
      expect(statusName(columns.status[index]!)).toBe(alone.status);
    }
    expect(columns.status).toEqual([0, 0, 0, 0, 11, 10, 10, 20]);
    expect(Value.Check(ImpliedVolatilityBatchAnswer, columns)).toBe(true);
  });

  test("that no price has is null, or zero where asked", async () => {
    expect(pricing.impliedVolatility({ ...priceExample, price: 0 })).toMatchObject({
      implied_volatility: null,
      attainable_error: null,
      status: "below_intrinsic",
    });
    expect(pricing.impliedVolatility({ ...priceExample, price: 0, on_unattainable: "zero" })).toMatchObject({
      implied_volatility: 0,
      attainable_error: null,
      status: "below_intrinsic",
    });
    const rows = await pricing.impliedVolatilityBatch({
      options: [{ ...priceExample, price: 0 }],
      on_unattainable: "zero",
    });
    expect(rows.implied_volatility).toEqual([0]);
  });

  test("echoes times as a price does", async () => {
    const { time_to_expiry: _, ...timeless } = priceExample;
    const moments = { expiry: "2026-12-18T21:00:00Z", valuation_time: "2026-06-18T21:00:00Z" };
    const alone = pricing.impliedVolatility({ ...timeless, ...moments });
    expect(alone).toMatchObject({ time_to_expiry: 183 / 365, valuation_time: "2026-06-18T21:00:00.000000Z" });
    expect(await pricing.impliedVolatilityBatch({ ...timeless, ...moments })).toMatchObject({
      time_to_expiry: [183 / 365],
      valuation_time: "2026-06-18T21:00:00.000000Z",
    });
  });
});

describe("S1.04 rows of several models", () => {
  // Two models that do not exist: the first doubles the spot, the second takes another underlying and no yield.
  const input = (name: string, fallback?: number) => ({
    ...models[0]!.inputs[0]!,
    name: name as InputName,
    ...(fallback !== undefined && { default: fallback }),
  });
  const named = (name: string, inputs: ModelDefinition["inputs"]): ModelDefinition => ({
    ...models[0]!,
    name: name as ModelName,
    inputs,
  });
  const catalog = [
    named("doubling", [input("spot"), input("time_to_expiry"), input("dividend_yield", 7)]),
    named("forwarding", [input("forward"), input("time_to_expiry")]),
  ];
  const seen: EngineRequest[] = [];
  const at = (column: Column | undefined, row: number) => (typeof column === "number" ? column : column?.[row]);
  const engineOfTwo: Engine = {
    ...engine,
    async priceAsync(request) {
      seen.push(request);
      const { count, inputs } = request;
      const underlying = (inputs as Record<string, Column>).forward ?? inputs.spot;
      const price = Float64Array.from({ length: count }, (_, row) => {
        const isCall = typeof request.isCall === "boolean" ? request.isCall : request.isCall[row] === 1;
        return (isCall ? 1 : -1) * (1000 * at(underlying, row)! + 10 * at(inputs.time_to_expiry, row)!);
      });
      return {
        count,
        columns: { price },
        status: new Int32Array(count).fill(request.inputs.spot === undefined ? 1 : 0),
      };
    },
  };
  const mixed = spelledOut(createPricing({ engine: engineOfTwo, clock, batchRowsMax: 10, catalog }));
  const row = (model: string, fields: object) =>
    ({ model, option_type: "call", outputs: ["price"], ...fields }) as unknown as PriceRequest;

  test("come back in input order, each priced by its own model in one call a model", async () => {
    seen.length = 0;
    const answer = await mixed.priceBatch({
      options: [
        row("doubling", { spot: 1, time_to_expiry: 0.1 }),
        row("forwarding", { forward: 2, time_to_expiry: 0.2 }),
        row("doubling", { spot: 3, time_to_expiry: 0.3, option_type: "put", dividend_yield: 5 }),
        row("forwarding", { forward: 4, time_to_expiry: 0.4, option_type: "put" }),
        row("forwarding", { forward: 5, time_to_expiry: 0.5 }),
      ],
    });
    expect(answer.price).toEqual([1001, 2002, -3003, -4004, 5005]);
    expect(answer.status).toEqual([0, 1, 0, 1, 1]);
    expect(answer.model as string[]).toEqual(["doubling", "forwarding", "doubling", "forwarding", "forwarding"]);
    expect(seen.map((request) => request.count)).toEqual([2, 3]);
    expect(seen[0]!.inputs.dividend_yield).toEqual(Float64Array.of(7, 5));
  });

  test("refuse each row's fields by that row's model", async () => {
    const failure = await failureOf(() =>
      mixed.priceBatch({
        options: [
          row("doubling", { spot: 1, time_to_expiry: 0.1 }),
          row("doubling", { forward: 1, time_to_expiry: 0.1 }),
          row("forwarding", { spot: 1, time_to_expiry: 0.1 }),
        ],
      }),
    );
    expect(failure.faults.map((fault) => `${fault.pointer} ${fault.code}`)).toEqual([
      "/options/1/spot REQUIRED",
      "/options/1/forward UNKNOWN_FIELD",
      "/options/2/forward REQUIRED",
      "/options/2/spot UNKNOWN_FIELD",
    ]);
  });
});

describe("S1.04 the engine's own time", () => {
  test("is told once for each use of the engine", async () => {
    timings.length = 0;
    const told: number[] = [];
    const meter = (milliseconds: number) => void told.push(milliseconds);
    pricing.price(example, { meter });
    await pricing.priceBatch({ options: [example, example] }, { meter });
    pricing.impliedVolatility(priceExample, { meter });
    expect(told.length).toBe(3);
    for (const milliseconds of told) expect(milliseconds).toBeGreaterThanOrEqual(0);
  });
});

describe("S1.08 the list of models", () => {
  test("is the catalog", async () => {
    const answer = pricing.models();
    expect(Value.Check(ModelsAnswer, answer)).toBe(true);
    expect(answer.models.map((model) => model.name)).toEqual(models.map((model) => model.name));
    const [model] = answer.models;
    expect(model!.inputs.find((input) => input.name === "dividend_yield")).toMatchObject({
      required: false,
      default: 0,
    });
    expect(model!.inputs.find((input) => input.name === "rate")).toMatchObject({ required: true, default: null });
    expect(model!.outputs.map((output) => [output.name, output.market_factor])).toEqual(
      models[0]!.outputs.map((name) => [name, unitFactor(name, "market")]),
    );
    expect(answer.statuses).toContainEqual({ code: 21, name: "out_of_domain" });
    expect(answer.batch_rows_max).toBe(100_000);
  });
});
