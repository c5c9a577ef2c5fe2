// American options for tests of numbers: rows by name, requests of them, and random rows over the whole domain from a printed seed.

import { type InputName, modelNamed, type OutputName } from "../../src/engine/catalog";
import type { PriceRequest } from "../../src/engine/engine";
import { seededRandom } from "../../src/foundation/random";

/** One option; a put unless told otherwise. */
export interface AmericanRow {
  readonly isCall?: boolean;
  readonly spot: number;
  readonly strike: number;
  readonly time_to_expiry: number;
  readonly rate: number;
  readonly dividend_yield: number;
  readonly volatility: number;
}

/** The schemes' places in the catalog's list. */
export const schemes = { fast: 0, accurate: 1, reference: 2 } as const;

/** Everything the model gives. */
export const americanOutputs: readonly OutputName[] = modelNamed("american").outputs;

/** A request over rows, every input a column, in raw units. */
export function americanRequest(
  rows: readonly AmericanRow[],
  scheme: keyof typeof schemes,
  outputs: readonly OutputName[] = americanOutputs,
): PriceRequest & { isCall: Uint8Array; inputs: Record<string, Float64Array> } {
  const names = ["spot", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility"] as const;
  const columns: [InputName, Float64Array][] = names.map((name) => [name, Float64Array.from(rows, (row) => row[name])]);
  columns.push(["scheme", new Float64Array(rows.length).fill(schemes[scheme])]);
  return {
    model: "american",
    count: rows.length,
    isCall: Uint8Array.from(rows, (row) => (row.isCall ? 1 : 0)),
    inputs: Object.fromEntries(columns) as Record<string, Float64Array>,
    outputs,
    units: "raw",
  };
}

/**
 * Rows over all of the domain: rates and yields of any sign, each zero now and then, volatilities from 1 to 300 %, from half a day to
 * 30 years, spots to four deviations from the strike.
 */
export function wildRows(count: number, seed: number): AmericanRow[] {
  const source = seededRandom(BigInt(seed));
  const random = () => source.unit();
  const between = (low: number, high: number) => low + (high - low) * random();
  const carry = () => (random() < 0.05 ? 0 : (random() < 0.5 ? -1 : 1) * 0.3 * random() ** 2);
  return Array.from({ length: count }, () => {
    const volatility = Math.exp(between(Math.log(0.01), Math.log(3)));
    const time = Math.exp(between(Math.log(0.5 / 365), Math.log(30)));
    const reach = Math.min(3, 4 * volatility * Math.sqrt(time) + 0.05);
    return {
      isCall: random() < 0.5,
      spot: 100 * Math.exp(between(-reach, reach)),
      strike: 100,
      time_to_expiry: time,
      rate: carry(),
      dividend_yield: carry(),
      volatility,
    };
  });
}
