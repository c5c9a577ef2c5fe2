// The host's half of assembly/abi/layout.ts: the offsets of a request block and the ids of columns. Separate so that both
// halves can be laid side by side; a test compares them, and the kernel's version number stops a mismatched pair at start.

import type { InputName, ListName, OutputName } from "./catalog";

/** Must equal what the wasm says of itself. */
export const abiVersion = 2;

/** Offsets within a request block, in bytes. */
export const requestLayout = {
  model: 0,
  count: 4,
  outputMask: 8,
  broadcastMask: 12,
  scratch: 16,
  isCall: 20,
  status: 24,
  flags: 28,
  inputs: 32,
  outputs: 96,
  factors: 224,
} as const;

export const flagIsCallBroadcast = 1;
export const flagUnattainableIsZero = 2;

/** Columns of inputs and outputs a block has room for. */
export const inputsMax = 16;
export const outputsMax = 32;

/**
 * The kernel's id of every input; `price` stands in where a volatility is asked for. A forward takes the spot's place and a
 * foreign rate the dividend yield's: no model has both.
 */
export const inputIds: Readonly<Record<InputName | "price", number>> = {
  spot: 0,
  forward: 0,
  strike: 1,
  time_to_expiry: 2,
  rate: 3,
  dividend_yield: 4,
  foreign_rate: 4,
  volatility: 5,
  price: 6,
  displacement: 7,
  scheme: 8,
  tree: 9,
  steps: 10,
  exercise: 11,
  smoothing: 12,
  extrapolation: 13,
  payoff: 9,
  rebate: 9,
  strike_type: 9,
  cash: 10,
  window_start: 10,
  window_end: 11,
  gap_strike: 11,
  barrier_type: 12,
  barrier: 13,
  extreme_so_far: 13,
  average: 11,
  averaging_start: 7,
  average_so_far: 8,
  method: 14,
  upper_barrier: 14,
  monitoring_interval: 15,
  jump_intensity: 9,
  jump_mean: 10,
  jump_volatility: 11,
  v0: 9,
  kappa: 10,
  long_variance: 11,
  vol_of_vol: 12,
  correlation: 13,
  initial_volatility: 9,
  beta: 10,
  paths: 12,
  seed: 13,
  sampling: 14,
  variance_reduction: 15,
  space_steps: 12,
  time_steps: 13,
};

/** The kernel's id of every list: its column holds addresses, 0 that of an empty list, else of how many numbers follow there. */
export const listIds: Readonly<Record<ListName, number>> = {
  discrete_dividends: 9,
  fixings: 10,
};

/** The kernel's id of every output. */
export const outputIds: Readonly<Record<OutputName | "implied_volatility" | "attainable_error", number>> = {
  price: 0,
  delta: 1,
  gamma: 2,
  vega: 3,
  theta: 4,
  rho: 5,
  dividend_rho: 6,
  vanna: 7,
  volga: 8,
  charm: 9,
  veta: 10,
  speed: 11,
  zomma: 12,
  color: 13,
  ultima: 14,
  dual_delta: 15,
  dual_gamma: 16,
  lambda: 17,
  early_exercise_premium: 18,
  exercise_boundary: 19,
  black_volatility: 20,
  standard_error: 21,
  implied_volatility: 30,
  attainable_error: 31,
};
