// The latencies this product publishes, in one place: the route that tells how it is doing, the benchmark that compares
// and the documents all read them here. Pure data.

export interface ServiceLevel {
  /** Stable name on the wire. */
  readonly name: "single_option" | "batch_of_1000";
  /** The operation, by its id in the API's document, whose requests count. */
  readonly operation: "price" | "priceBatch";
  /** Requests of at most this many options count. */
  readonly optionsMax: number;
  /** The published 99th percentile, from the request's head to the answer, inside the server. */
  readonly p99MillisecondsMax: number;
  /** The load the figure is published for: authenticated requests a second on one core. */
  readonly requestsPerSecondPerCore: number;
}

export const serviceLevels: readonly ServiceLevel[] = [
  { name: "single_option", operation: "price", optionsMax: 1, p99MillisecondsMax: 5, requestsPerSecondPerCore: 10_000 },
  {
    name: "batch_of_1000",
    operation: "priceBatch",
    optionsMax: 1000,
    p99MillisecondsMax: 10,
    requestsPerSecondPerCore: 500,
  },
];

/** The level whose figure a request counts in, or null. `options` is how many options it priced, where that is known. */
export function serviceLevelOf(operation: string, options: number | null): ServiceLevel | null {
  return serviceLevels.find((level) => level.operation === operation && (options ?? 1) <= level.optionsMax) ?? null;
}
