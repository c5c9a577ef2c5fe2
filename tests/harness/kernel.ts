// The engine over the built kernel for tests of numbers, and rows to price with it. Built once a file: compiling it costs a few
// milliseconds. Random rows come from a printed seed.

import { readFileSync } from "node:fs";
import { buildWasm } from "../../build/wasm";
import { type InputName, modelNamed, type OutputName } from "../../src/engine/catalog";
import { createEngine, type Engine, type PriceRequest } from "../../src/engine/engine";
import { seededRandom } from "../../src/foundation/random";

/** The bytes of the kernel that the sources give now. */
export async function kernelBytes(): Promise<Uint8Array> {
  // not the Buffer itself: its slices share its bytes, and who changes a copy would change all
  return new Uint8Array(readFileSync((await buildWasm()).path));
}

/** A column's bytes alone: the columns of an answer may share one buffer. */
export function bytesOf(column: Float64Array): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
}

/** An engine over them. */
export async function testEngine(): Promise<Engine> {
  return createEngine({ wasmBytes: await kernelBytes(), version: "test" });
}

/** The inputs of a model over a spot. */
export type SpotInput = "spot" | "strike" | "time_to_expiry" | "rate" | "dividend_yield" | "volatility";

/** One option on a spot by wire names; a call unless told otherwise. */
export type Row = Record<SpotInput, number> & { readonly isCall?: boolean };

/** Every output of a model over a spot. */
export const spotOutputs: readonly OutputName[] = modelNamed("black_scholes_merton").outputs;

/** A request over rows, every input a column, in raw units and for all outputs unless told otherwise. */
export function requestOf(
  rows: readonly Row[],
  options: Partial<PriceRequest> = {},
): PriceRequest & { isCall: Uint8Array } {
  const column = (name: SpotInput) => Float64Array.from(rows, (row) => row[name]);
  return {
    model: "black_scholes_merton",
    count: rows.length,
    inputs: {
      spot: column("spot"),
      strike: column("strike"),
      time_to_expiry: column("time_to_expiry"),
      rate: column("rate"),
      dividend_yield: column("dividend_yield"),
      volatility: column("volatility"),
    },
    outputs: spotOutputs,
    units: "raw",
    ...options,
    isCall: Uint8Array.from(rows, (row) => (row.isCall === false ? 0 : 1)),
  };
}

/**
 * The same rows for another model of the family: the spot becomes the forward, the yield the foreign rate; with a displacement
 * forward and strike are what is left once it is taken off.
 */
export function familyRequest(
  model: "black_76" | "garman_kohlhagen" | "displaced_black",
  rows: readonly Row[],
  options: Partial<PriceRequest> & { readonly displacement?: number } = {},
): PriceRequest & { isCall: Uint8Array } {
  const { displacement = 0, ...rest } = options;
  const { inputs, outputs } = modelNamed(model);
  const inputOf = (row: Row, name: InputName): number => {
    switch (name) {
      case "forward":
        return row.spot - displacement;
      case "strike":
        return row.strike - displacement;
      case "displacement":
        return displacement;
      case "foreign_rate":
        return row.dividend_yield;
      default:
        return row[name as SpotInput];
    }
  };
  const columns = inputs.map(({ name }) => [name, Float64Array.from(rows, (row) => inputOf(row, name))]);
  return requestOf(rows, { model, inputs: Object.fromEntries(columns), outputs, ...rest });
}

/** One option's outputs by name and its status. */
export function priceOne(
  engine: Engine,
  row: Row,
  options: Partial<PriceRequest> = {},
): Record<OutputName, number> & { status: number } {
  const { columns, status } = engine.price(requestOf([row], options));
  const values = Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, column[0]!]));
  return { ...(values as Record<OutputName, number>), status: status[0]! };
}

/** Options as a market has them, half of them puts, from a seed. */
export function marketRows(count: number, seed: bigint): Row[] {
  const random = seededRandom(seed);
  const between = (low: number, high: number) => low + (high - low) * random.unit();
  return Array.from({ length: count }, () => ({
    isCall: random.unit() < 0.5,
    spot: between(20, 200),
    strike: between(20, 200),
    time_to_expiry: between(0.001, 3),
    rate: between(-0.02, 0.1),
    dividend_yield: between(-0.01, 0.06),
    volatility: between(0.03, 1.2),
  }));
}

/** The 64-bit patterns of a column: equality of these is equality of bits, NaN included. */
export function bitsOf(column: Float64Array): bigint[] {
  return [...new BigUint64Array(column.slice().buffer)];
}
