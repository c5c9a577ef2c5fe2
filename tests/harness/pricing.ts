// The pricing feature over the real kernel, behind a whole server. Built once a test file: compiling the kernel costs
// some milliseconds. The clock is the test's, so that "now" is a known moment.

import type { HttpConfig } from "../../src/config/config";
import type { Authenticator } from "../../src/domain/principal";
import { createEngine, type Engine } from "../../src/engine/engine";
import { type PricingLimits, type PricingRoutesDependencies, pricingRoutes } from "../../src/features/pricing";
import { type BatchOutcome, createPricing, type PricingService } from "../../src/features/pricing/service";
import { ManualClock } from "../../src/foundation/clock";
import { acceptedFormatOf, recordOptions } from "../../src/http/request-context";
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

/** Pricing of models that a formula does: an answer, not the promise of one. */
export interface PricingAtOnce extends PricingService {
  price(...asked: Parameters<PricingService["price"]>): Awaited<ReturnType<PricingService["price"]>>;
  impliedVolatility(
    ...asked: Parameters<PricingService["impliedVolatility"]>
  ): Awaited<ReturnType<PricingService["impliedVolatility"]>>;
}

export function atOnce(pricing: PricingService): PricingAtOnce {
  const now = <Answer>(answer: Answer | Promise<Answer>): Answer => {
    if (answer instanceof Promise) throw new Error("only promised");
    return answer;
  };
  return {
    ...pricing,
    price: (...asked) => now(pricing.price(...asked)),
    impliedVolatility: (...asked) => now(pricing.impliedVolatility(...asked)),
  };
}

/** Pricing over the real kernel, with the limits a server has unless others are asked for. */
export function openPricing(
  options: Partial<PricingLimits> & {
    batchRowsMax?: number;
    authenticator?: Authenticator;
    config?: Partial<HttpConfig>;
  } = {},
): PricingFixture {
  const { batchRowsMax = 100_000, tableRowsMax = 1_000_000 } = options;
  const engine = createEngine({ wasmBytes: kernelWasmBytes(), version: "1.2.3" });
  const clock = new ManualClock();
  const pricing = createPricing({ engine, clock, batchRowsMax, tableRowsMax });
  const timings: PricingFixture["timings"] = [];
  const recordTiming = (_request: Request, name: string, durationMilliseconds: number) => {
    timings.push({ name, durationMilliseconds });
  };
  const server = testServer({
    features: [pricingRoutes({ ...pricingDependencies(pricing, options), recordTiming })],
    ...(options.config && { config: options.config }),
    ...(options.authenticator && { authenticator: options.authenticator }),
  });
  return { engine, pricing, clock, server, timings };
}

/** What the routes need, with the limits a server has unless others are asked for. */
export function pricingDependencies(
  pricing: PricingService,
  { batchBytesMax = 33_554_432, tableBytesMax = 134_217_728, tableRowsMax = 1_000_000 }: Partial<PricingLimits> = {},
): PricingRoutesDependencies {
  return {
    pricing,
    limits: { batchBytesMax, tableBytesMax, tableRowsMax },
    recordTiming: () => {},
    recordOptions,
    acceptedFormatOf,
  };
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

/** A batch's outcome as its JSON says it: columns as arrays, NaN as null. */
export function answerOf<Answer>({ table, before, after }: BatchOutcome): Answer {
  const columns = table.columns.map(({ name, kind, values }) => [
    name,
    kind === "number" ? Array.from(values, (value) => (Number.isFinite(value) ? value : null)) : [...values],
  ]);
  const told = Object.entries(after).filter(([, value]) => value !== undefined);
  return { ...before, ...Object.fromEntries([...columns, ...told]) } as Answer;
}
