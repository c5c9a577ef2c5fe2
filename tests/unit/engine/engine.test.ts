// The engine's contract: columns in, fresh columns out, defaults, broadcasts, statuses for values and assertions for shapes.

import { beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { type OutputName, statusCodes } from "../../../src/engine/catalog";
import { createEngine, type Engine, type PriceRequest } from "../../../src/engine/engine";
import { pricePlain } from "../../../src/engine/plain";
import { kernelBytes } from "../../harness/kernel";

let engine: Engine;
let bytes: Uint8Array;

beforeAll(async () => {
  bytes = await kernelBytes();
  engine = createEngine({ wasmBytes: bytes, version: "9.8.7" });
});

const inputs = { spot: 100, strike: 105, time_to_expiry: 0.5, rate: 0.03, dividend_yield: 0.01, volatility: 0.2 };
const request: PriceRequest = {
  model: "black_scholes_merton",
  count: 1,
  isCall: true,
  inputs,
  outputs: ["price", "delta"],
  units: "market",
};

describe("S1.15 engine", () => {
  test("tells its version and the hash of the very bytes it runs", () => {
    expect(engine.info).toEqual({
      version: "9.8.7",
      wasmSha256: createHash("sha256").update(bytes).digest("hex"),
      simd: true,
      workers: 0,
    });
  });

  test("prices one option from numbers alone", () => {
    const { count, columns, status } = engine.price(request);
    expect(count).toBe(1);
    expect([...status]).toEqual([0]);
    // mpmath, 30 digits
    expect(columns.price![0]).toBeCloseTo(3.96569599453419, 13);
    expect(Object.keys(columns)).toEqual(["price", "delta"]);
  });

  test("takes a dividend yield of 0 where none is given", () => {
    const { dividend_yield: _, ...rest } = inputs;
    const without = engine.price({ ...request, inputs: rest });
    const zero = engine.price({ ...request, inputs: { ...inputs, dividend_yield: 0 } });
    expect([...without.columns.price!]).toEqual([...zero.columns.price!]);
  });

  test("gives fresh arrays that later calls leave alone", () => {
    const first = engine.price({ ...request, count: 3 });
    const kept = [...first.columns.price!];
    const second = engine.price({ ...request, count: 3, isCall: false });
    expect([...first.columns.price!]).toEqual(kept);
    expect(second.columns.price).not.toBe(first.columns.price);
    first.columns.price!.fill(7);
    expect(second.columns.price![0]).not.toBe(7);
    // Memory of this result alone: nothing of the kernel's, and no rows beyond its own.
    const columns = Object.values(first.columns);
    const bytes = columns.reduce((sum, column) => sum + column.byteLength, 0);
    for (const column of columns) {
      expect(column.buffer).toBeInstanceOf(ArrayBuffer);
      expect(column.buffer.byteLength).toBe(bytes);
    }
    expect(first.status.buffer.byteLength).toBe(first.status.byteLength);
  });

  test("gives each of many questions in turn its own outputs and units, whatever was asked before", () => {
    const questions = (["market", "raw"] as const).flatMap((units) =>
      [["price"], ["vega"], ["price", "vega"], ["vega", "price"], ["vega", "price", "vega"], ["rho"]].map(
        (outputs) => ({
          units,
          outputs: outputs as OutputName[],
        }),
      ),
    );
    const all = ["price", "vega", "rho"] as const;
    for (const { units, outputs } of [...questions, ...questions]) {
      const whole = engine.price({ ...request, units, outputs: all, count: 3 });
      const { columns } = engine.price({ ...request, units, outputs, count: 3 });
      expect(Object.keys(columns)).toEqual([...new Set(outputs)]);
      for (const name of outputs) expect(columns[name]).toEqual(whole.columns[name]!);
      // A list that the caller changes afterwards is another question.
      outputs[0] = "price";
      expect(Object.keys(engine.price({ ...request, units, outputs, count: 3 }).columns)[0]).toBe("price");
    }
  });

  test("leaves the caller's columns alone, also when they are parts of larger ones", () => {
    const wide = Float64Array.from({ length: 9 }, (_, index) => 90 + index);
    const strike = wide.subarray(2, 7);
    const result = engine.price({ ...request, count: 5, inputs: { ...inputs, strike } });
    expect([...wide]).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98]);
    const alone = engine.price({ ...request, count: 5, inputs: { ...inputs, strike: strike.slice() } });
    expect([...result.columns.price!]).toEqual([...alone.columns.price!]);
  });

  test("prices no rows into empty columns", () => {
    const { columns, status } = engine.price({
      ...request,
      count: 0,
      inputs: { ...inputs, strike: new Float64Array(0) },
    });
    expect(columns.price).toHaveLength(0);
    expect(status).toHaveLength(0);
  });

  test("gives a repeated output once, and none where none is asked for", () => {
    const twice = engine.price({ ...request, outputs: ["delta", "price", "delta"] });
    expect(Object.keys(twice.columns)).toEqual(["delta", "price"]);
    const none = engine.price({ ...request, inputs: { ...inputs, spot: -1 }, outputs: [] });
    expect(Object.keys(none.columns)).toEqual([]);
    expect([...none.status]).toEqual([statusCodes.out_of_domain]);
  });

  test("answers unsupported_output, null everywhere, where the model does not offer an output", () => {
    const outputs: OutputName[] = ["price", "aura" as OutputName];
    const { columns, status } = engine.price({ ...request, count: 3, outputs });
    expect([...status]).toEqual([22, 22, 22]);
    for (const output of outputs) expect([...columns[output]!]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });

  test("stops at a missing required input and at a column of another length, before touching a row", () => {
    const { rate: _, ...withoutRate } = inputs;
    expect(() => engine.price({ ...request, inputs: withoutRate })).toThrow("black_scholes_merton needs rate");
    expect(() => engine.price({ ...request, count: 2, inputs: { ...inputs, strike: new Float64Array(3) } })).toThrow(
      "strike is not 2 rows long",
    );
    expect(() => engine.price({ ...request, count: 2, isCall: new Uint8Array(1) })).toThrow(
      "isCall is not 2 rows long",
    );
  });

  test("counts any byte but 0 as a call", () => {
    const { columns } = engine.price({ ...request, count: 3, isCall: Uint8Array.of(1, 255, 0) });
    expect(columns.delta![0]).toBe(columns.delta![1]!);
    expect(columns.delta![2]).toBeLessThan(0);
  });

  test("does not share memory with another engine", () => {
    const other = createEngine({ wasmBytes: bytes, version: "other" });
    const before = engine.price(request).columns.price![0]!;
    other.price({ ...request, isCall: false });
    expect(engine.price(request).columns.price![0]).toBe(before);
    expect(other.price(request).columns.price![0]).toBe(before);
  });
});

describe("implied volatility through the engine", () => {
  const { volatility, ...market } = inputs;
  const price = () => engine.price(request).columns.price!;

  test("S4.47 gives back the volatility that made the price", () => {
    const result = engine.impliedVolatility({
      model: "black_scholes_merton",
      count: 1,
      isCall: true,
      inputs: market,
      price: price(),
      onUnattainable: "null",
    });
    expect([...result.status]).toEqual([0]);
    expect(Math.abs(result.impliedVolatility[0]! / volatility - 1)).toBeLessThan(1e-14);
    expect(result.attainableError[0]).toBeLessThan(1e-14);
  });

  test("gives null, or zero where that is asked for, below the intrinsic value", () => {
    const ask = (onUnattainable: "null" | "zero") =>
      engine.impliedVolatility({
        model: "black_scholes_merton",
        count: 1,
        isCall: true,
        inputs: { ...market, spot: 150 },
        price: 10,
        onUnattainable,
      });
    expect([...ask("null").status]).toEqual([statusCodes.below_intrinsic]);
    expect(ask("null").impliedVolatility[0]).toBeNaN();
    expect([...ask("zero").status]).toEqual([statusCodes.below_intrinsic]);
    expect(ask("zero").impliedVolatility[0]).toBe(0);
  });

  test("stops at a missing input and at a price column of another length", () => {
    const { rate: _, ...withoutRate } = market;
    const shape = { model: "black_scholes_merton", count: 2, isCall: true, onUnattainable: "null" } as const;
    expect(() => engine.impliedVolatility({ ...shape, inputs: withoutRate, price: 1 })).toThrow("needs rate");
    expect(() => engine.impliedVolatility({ ...shape, inputs: market, price: new Float64Array(1) })).toThrow(
      "price is not 2 rows long",
    );
  });
});

describe("the plain twin", () => {
  test("takes numbers and a default dividend yield as the engine does", () => {
    const { dividend_yield: _, ...rest } = inputs;
    const plain = pricePlain({ ...request, inputs: rest, isCall: false });
    const kernel = engine.price({ ...request, inputs: rest, isCall: false });
    expect(plain.columns.price![0]).toBeCloseTo(kernel.columns.price![0]!, 12);
    expect(plain.columns.delta![0]).toBeCloseTo(kernel.columns.delta![0]!, 12);
    expect(Object.keys(plain.columns)).toEqual(["price", "delta"]);
  });
});

describe("warming up", () => {
  test("S1.05 goes in many short steps, changes no answer and ends", () => {
    const fresh = createEngine({ wasmBytes: bytes, version: "fresh" });
    const before = fresh.price(request).columns.price;
    let stepCount = 0;
    for (const _ of fresh.warmUp()) stepCount += 1;
    expect(stepCount).toBeGreaterThan(20);
    expect(fresh.price(request).columns.price).toEqual(before!);
  });
});

describe("S4.64 asking for an answer later", () => {
  test("gives what asking for it now gives, for one row and for many", async () => {
    const many = 10_001;
    const strike = Float64Array.from({ length: many }, (_, row) => 60 + row / 100);
    for (const asked of [request, { ...request, count: many, inputs: { ...inputs, strike } }]) {
      expect(await engine.priceAsync(asked)).toEqual(engine.price(asked));
      const { volatility: _, ...rest } = asked.inputs;
      const inverse = {
        ...asked,
        inputs: rest,
        price: engine.price(asked).columns.price!,
        onUnattainable: "null",
      } as const;
      expect(await engine.impliedVolatilityAsync(inverse)).toEqual(engine.impliedVolatility(inverse));
    }
    expect(engine.activity.batches).toBe(0);
  });

  test("rejects what asking now would throw", async () => {
    const short = { ...request, count: 2, inputs: { ...inputs, strike: new Float64Array(3) } };
    await expect(engine.priceAsync(short)).rejects.toThrow("strike is not 2 rows long");
    await expect(engine.impliedVolatilityAsync({ ...short, price: 1, onUnattainable: "null" })).rejects.toThrow(
      "strike is not 2 rows long",
    );
  });

  test("marks every row of many where an output is asked for that the model does not offer", async () => {
    const { status } = await engine.priceAsync({ ...request, count: 9000, outputs: ["aura" as OutputName] });
    expect(status.every((code) => code === statusCodes.unsupported_output)).toBe(true);
  });

  test("is over where nobody waits any more, and where the engine is being stopped", async () => {
    const other = createEngine({ wasmBytes: bytes, version: "other", batchesMax: 1 });
    const large = { ...request, count: 9000 };
    const signal = AbortSignal.abort();
    await expect(other.priceAsync(large, { signal })).rejects.toMatchObject({ code: "BATCH_DROPPED" });
    const running = other.priceAsync(large);
    await expect(other.priceAsync(large)).rejects.toMatchObject({ code: "BATCHES_WAITING", retryAfterSeconds: 1 });
    await running;
    const late = other.priceAsync(large);
    const stopping = other.stop();
    await expect(late).rejects.toMatchObject({ code: "ENGINE_STOPPED" });
    expect((await other.priceAsync(request)).status).toEqual(Int32Array.of(0));
    await stopping;
  });
});
