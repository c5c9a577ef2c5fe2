// The pricing feature over the real kernel, behind a whole server. Built once a test file: compiling the kernel costs
// some milliseconds. The clock is the test's, so that "now" is a known moment.

import type { Authenticator } from "../../src/domain/principal";
import { createEngine, type Engine } from "../../src/engine/engine";
import { pricingRoutes } from "../../src/features/pricing";
import { createPricing, type PricingService } from "../../src/features/pricing/service";
import { ManualClock } from "../../src/foundation/clock";
import { kernelWasmBytes } from "../../src/storage/assets";
import { type TestServer, testServer } from "./http";

export interface PricingFixture {
  readonly engine: Engine;
  readonly pricing: PricingService;
  readonly clock: ManualClock;
  readonly server: TestServer;
  /** Engine times recorded so far, in milliseconds. */
  readonly timings: { readonly name: string; readonly durationMilliseconds: number }[];
}

/** Pricing over the real kernel, with the limits a server has unless others are asked for. */
export function openPricing(
  options: { batchRowsMax?: number; batchBytesMax?: number; authenticator?: Authenticator } = {},
): PricingFixture {
  const { batchRowsMax = 100_000, batchBytesMax = 33_554_432 } = options;
  const engine = createEngine({ wasmBytes: kernelWasmBytes(), version: "1.2.3" });
  const clock = new ManualClock();
  const pricing = createPricing({ engine, clock, batchRowsMax });
  const timings: PricingFixture["timings"] = [];
  const recordTiming = (_request: Request, name: string, durationMilliseconds: number) => {
    timings.push({ name, durationMilliseconds });
  };
  const server = testServer({
    features: [pricingRoutes({ pricing, batchBytesMax, recordTiming })],
    ...(options.authenticator && { authenticator: options.authenticator }),
  });
  return { engine, pricing, clock, server, timings };
}

/** The contract's example, to be varied. */
export const example = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  strike: 105,
  time_to_expiry: 0.5,
  rate: 0.03,
  dividend_yield: 0.01,
  volatility: 0.2,
} as const;

/** The same with a price in place of the volatility. */
export const priceExample = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  strike: 105,
  time_to_expiry: 0.5,
  rate: 0.03,
  dividend_yield: 0.01,
  price: 4.1,
} as const;
