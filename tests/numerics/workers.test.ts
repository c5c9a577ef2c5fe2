// The number of threads is nobody's business but the clock's: prices, Greeks, volatilities and statuses have the same bits by any
// number of workers, for any count of rows, whichever inputs are one number for all, edge rows among the others.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { InputName, OutputName } from "../../src/engine/catalog";
import { modelNamed } from "../../src/engine/catalog";
import { type Column, createEngine, type Engine, type PriceRequest } from "../../src/engine/engine";
import { newColumn } from "../../src/foundation/column";
import { seededRandom } from "../../src/foundation/random";
import { kernelBytes } from "../harness/kernel";
import { realWorkers } from "../harness/threads";

const workerCounts = [0, 1, 2, 3];
const seed = 20_260_731n;
const model = modelNamed("black_scholes_merton");
const inputNames = model.inputs.map(({ name }) => name);
const engines: Engine[] = [];

beforeAll(async () => {
  process.stdout.write(`workers: seed ${seed}\n`);
  const wasmBytes = await kernelBytes();
  for (const count of workerCounts) {
    const engine = createEngine({ wasmBytes, version: "test", workers: realWorkers(count) });
    engines.push(engine);
    expect(engine.info.workers).toBe(count);
    // Threads start with the first batch that pays for them: what is compared below is to be computed by all of them.
    const warm = requestOf(rowsMax, 0);
    while (engine.activity.workersRunning < count || (count > 0 && engine.activity.workerChunks === 0))
      await engine.priceAsync(warm);
  }
});

afterAll(async () => {
  for (const engine of engines) await engine.stop();
});

const ranges: Partial<Record<InputName, readonly [number, number]>> = {
  spot: [20, 200],
  strike: [20, 200],
  time_to_expiry: [0.001, 3],
  rate: [-0.02, 0.1],
  dividend_yield: [-0.01, 0.06],
  volatility: [0.03, 1.2],
};
const edges = [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 5e-324, 1e300];

const rowsMax = 100_003;
const random = seededRandom(seed);
const between = ([low, high]: readonly [number, number]) => low + (high - low) * random.unit();
/** Every input as a column, an edge in every 997th row of each. */
const columns = new Map(
  inputNames.map((name, index) => {
    const edgeOf = (row: number) => ((row + 100 * index) % 997 === 0 ? edges[row % edges.length] : undefined);
    return [name, Float64Array.from({ length: rowsMax }, (_, row) => edgeOf(row) ?? between(ranges[name]!))] as const;
  }),
);
const isCalls = Uint8Array.from({ length: rowsMax }, () => (random.unit() < 0.5 ? 1 : 0));

/** A request in which a bit of the pattern makes an input one number for all rows; the highest bit, the option type. */
function requestOf(count: number, pattern: number): PriceRequest {
  const inputs: Partial<Record<InputName, Column>> = {};
  for (const [index, name] of inputNames.entries()) {
    const column = columns.get(name)!.subarray(0, count);
    if (pattern & (1 << index)) inputs[name] = between(ranges[name]!);
    else if (index & 1) {
      // every other column lies in shared memory from the beginning
      const shared = newColumn(count);
      shared.set(column);
      inputs[name] = shared;
    } else inputs[name] = column;
  }
  const isCall = pattern & (1 << inputNames.length) ? true : isCalls.subarray(0, count);
  return { model: model.name, count, isCall, inputs, outputs: model.outputs, units: "market" };
}

function expectSameBits(actual: ArrayBufferView, expected: ArrayBufferView, what: string): void {
  const bytes = (view: ArrayBufferView) => Buffer.from(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
  expect(bytes(actual).equals(bytes(expected)), what).toBe(true);
}

const counts = [4095, 4097, 8193, 20_481, 65_536, rowsMax];
const everyInput = (1 << inputNames.length) - 1;
const patterns = [0, 0b010101, 0b101010, 0b1011101, everyInput, everyInput | (1 << inputNames.length)];

describe("S4.64 any number of workers", () => {
  test.each(counts)("gives the same bits for %d options, whatever is broadcast", async (count) => {
    for (const pattern of patterns) {
      const request = requestOf(count, pattern);
      const priced = engines[0]!.price(request);
      const { volatility: _, ...inputs } = request.inputs;
      const asked = {
        model: model.name,
        count,
        isCall: request.isCall,
        inputs,
        price: priced.columns.price!,
        onUnattainable: "zero",
      } as const;
      const solved = engines[0]!.impliedVolatility(asked);
      for (const engine of engines) {
        const what = `${engine.info.workers} workers, pattern ${pattern.toString(2)}`;
        const [prices, volatilities] = await Promise.all([
          engine.priceAsync(request),
          engine.impliedVolatilityAsync(asked),
        ]);
        expect(prices.count).toBe(count);
        for (const output of Object.keys(priced.columns) as OutputName[])
          expectSameBits(prices.columns[output]!, priced.columns[output]!, `${what}, ${output}`);
        expectSameBits(prices.status, priced.status, `${what}, status`);
        expectSameBits(volatilities.impliedVolatility, solved.impliedVolatility, `${what}, volatility`);
        expectSameBits(volatilities.attainableError, solved.attainableError, `${what}, attainable error`);
        expectSameBits(volatilities.status, solved.status, `${what}, status of volatility`);
      }
    }
  });

  test("was really used", () => {
    for (const engine of engines.slice(1)) expect(engine.activity.workerChunks).toBeGreaterThan(10);
    expect(engines[0]!.activity.workerChunks).toBe(0);
  });
});
