// The options that the kernel benches price: spread evenly over what a market has, calls and puts in turn, the same on every
// machine. Separate so that price and implied volatility speak of the same rows.

import { defaultOutputs } from "../../src/engine/catalog";
import type { PriceRequest } from "../../src/engine/engine";

/** A request of that many rows; every column is an array, nothing is shared between rows. */
export function sampleOptions(rows: number): PriceRequest & { readonly isCall: Uint8Array } {
  const column = (low: number, high: number, stride: number) =>
    Float64Array.from({ length: rows }, (_, row) => low + (high - low) * ((row * stride) % 1));
  return {
    model: "black_scholes_merton",
    count: rows,
    isCall: Uint8Array.from({ length: rows }, (_, row) => row & 1),
    inputs: {
      spot: column(95, 105, 0.2360679774997897),
      strike: column(60, 150, 0.6180339887498949),
      time_to_expiry: column(0.02, 2, 0.41421356237309503),
      rate: column(0, 0.05, 0.7320508075688772),
      dividend_yield: column(0, 0.03, 0.16227766016837952),
      volatility: column(0.1, 0.6, 0.6457513110645907),
    },
    outputs: defaultOutputs,
    units: "market",
  };
}
