// The only door of the island: what the host may call. Functions over addresses in the one imported memory; nothing here
// computes, allocates or throws. The host reads the facts (abi version, sizes) before it lays out memory.
import { abiVersion, requestBytes, scratchBytes } from "./abi/layout";
import { impliedVolatilityBatch } from "./batch/implied-volatility";
import { priceBatch } from "./batch/price";
import { decimals as writeDecimals } from "./text/decimal";

/** Layout version; the host refuses another. */
export function abi_version(): i32 {
  return abiVersion;
}

/** First free address after the constants. */
export function heap_base(): usize {
  return __heap_base;
}

/** Bytes of scratch each caller (thread) must give, aligned to 16. */
export function scratch_bytes(): usize {
  return scratchBytes;
}

/** Bytes of a request block, aligned to 16. */
export function request_bytes(): usize {
  return requestBytes;
}

/** Prices and Greeks for the request block at the address; returns how many rows have a status other than ok. */
export function price_batch(request: usize): i32 {
  return priceBatch(request);
}

/** Implied volatilities for the request block at the address; returns how many rows have a status other than ok. */
export function implied_volatility_batch(request: usize): i32 {
  return impliedVolatilityBatch(request);
}

/** Doubles as text with commas between (see text/decimal.ts); returns the bytes written. */
export function decimals(values: usize, count: i32, powers: usize, to: usize): i32 {
  return writeDecimals(values, count, powers, to);
}
