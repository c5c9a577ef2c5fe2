// Options of the normal model for tests of numbers: rows as requests, and rows to price from a printed seed.

import { type InputName, modelNamed, type OutputName } from "../../src/engine/catalog";
import type { Engine, PriceRequest } from "../../src/engine/engine";
import { seededRandom } from "../../src/foundation/random";

const names = ["forward", "strike", "time_to_expiry", "rate", "volatility"] as const satisfies readonly InputName[];

/** One option by wire names; a call unless told otherwise. */
export type NormalRow = Record<(typeof names)[number], number> & { readonly isCall?: boolean };

/** Every output the model has. */
export const normalOutputs: readonly OutputName[] = modelNamed("bachelier").outputs;

/** A request over rows, every input a column, in raw units and for all outputs unless told otherwise. */
export function normalRequest(
  rows: readonly NormalRow[],
  options: Partial<PriceRequest> = {},
): PriceRequest & { isCall: Uint8Array } {
  return {
    model: "bachelier",
    count: rows.length,
    inputs: Object.fromEntries(names.map((name) => [name, Float64Array.from(rows, (row) => row[name])])),
    outputs: normalOutputs,
    units: "raw",
    ...options,
    isCall: Uint8Array.from(rows, (row) => (row.isCall === false ? 0 : 1)),
  };
}

/** One option's outputs by name and its status. */
export function priceNormal(
  engine: Engine,
  row: NormalRow,
  options: Partial<PriceRequest> = {},
): Record<OutputName, number> & { status: number } {
  const { columns, status } = engine.price(normalRequest([row], options));
  const values = Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, column[0]!]));
  return { ...(values as Record<OutputName, number>), status: status[0]! };
}

/** Options over forwards of either sign, half of them puts, from a seed. */
export function normalRows(count: number, seed: bigint): NormalRow[] {
  const random = seededRandom(seed);
  const between = (low: number, high: number) => low + (high - low) * random.unit();
  return Array.from({ length: count }, () => {
    const forward = between(-100, 100);
    const volatility = between(1, 40);
    const time = between(0.001, 3);
    return {
      isCall: random.unit() < 0.5,
      forward,
      strike: forward + between(-4, 4) * volatility * Math.sqrt(time),
      time_to_expiry: time,
      rate: between(-0.02, 0.1),
      volatility,
    };
  });
}
