// What the limits cost a request, in one run: the same server with and without them, the same small route, without a
// socket, in turns; and one bucket of a table that is full of others. Only the ratio is judged. Without a socket nobody's address is
// asked of the system, which is another 0.6 µs for whoever counts by address.

import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Principal, RateClass } from "../../src/domain/principal";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { MemoryBucketStore } from "../../src/foundation/token-bucket";
import { createLimits, noLimits } from "../../src/http/limits";
import { requestFor, testPrincipal, testServer } from "../../tests/harness/http";
import {
  type AwaitedContender,
  type CompareOptions,
  type Contender,
  compare,
  compareAwaited,
  describe,
  type Measurement,
  type Ratio,
  ratioOf,
} from "../compare";

const plenty = { perMinute: 1_000_000, burst: 1_000_000 };
const pong = Type.Object({ pong: Type.Literal(true) }, { additionalProperties: false, $id: "Pong" });
const feature = () =>
  new Elysia().get("/api/v1/ping", () => ({ pong: true as const }), {
    response: { 200: pong },
    detail: { permission: "pricing:read", operationId: "ping", summary: "Answers", tags: ["Bench"] },
  });

/** A server whose every caller is of this class. */
function serverOf(rateClass: RateClass | null, clock: Clock) {
  const principal: Principal = { ...testPrincipal("viewer"), rateClass: rateClass ?? "standard" };
  const limits = createLimits({
    store: new MemoryBucketStore({ clock }),
    clock,
    address: plenty,
    user: plenty,
    bot: plenty,
    endpoints: [],
  });
  return testServer({
    features: [feature()],
    authenticator: { authenticate: () => principal },
    limits: rateClass === null ? noLimits : limits,
    clock,
  }).server;
}

/** Nanoseconds a request without limits and with those of each class. */
export async function benchLimitedRequests(
  options: CompareOptions,
): Promise<{ measurements: Measurement[]; ratios: Ratio[] }> {
  const classes = [null, "unlimited", "bot", "standard"] as const;
  const contenders = classes.map((rateClass): AwaitedContender => {
    const server = serverOf(rateClass, options.clock);
    return {
      name: rateClass === null ? "no limits" : `limits, ${rateClass}`,
      rows: 1,
      run: () => server.handle(requestFor("GET", "/api/v1/ping", { key: "viewer" })),
    };
  });
  const measurements = await compareAwaited(contenders, options);
  const ratio = (name: string, floor: number) =>
    ratioOf(measurements, { name: `a request with ${name} to one with none`, fast: name, slow: "no limits", floor });
  return { measurements, ratios: [ratio("limits, unlimited", 0.97), ratio("limits, standard", 0.75)] };
}

/** Nanoseconds of a decision: one bucket alone, one of 100,000, and a fresh one each time in a full table. */
export function benchBuckets(options: CompareOptions): Measurement[] {
  const { clock } = options;
  const policy = { name: "bench", perMinute: 1_000, burst: 1_000_000 };
  const alone = new MemoryBucketStore({ clock });
  const many = new MemoryBucketStore({ clock });
  const flooded = new MemoryBucketStore({ clock });
  for (let index = 0; index < 100_000; index++) {
    many.take(`key-${index}`, policy);
    flooded.take(`key-${index}`, policy);
  }
  let next = 0;
  const stepped = (step: number) => {
    next += step;
    return next;
  };
  const contenders: Contender[] = [
    { name: "one bucket", rows: 1, run: () => alone.take("key", policy) },
    { name: "one of 100,000", rows: 1, run: () => many.take(`key-${stepped(7919) % 100_000}`, policy) },
    { name: "a newcomer to a full table", rows: 1, run: () => flooded.take(`new-${stepped(1)}`, policy) },
  ];
  return compare(contenders, options);
}

if (import.meta.main) {
  const options = { clock: systemClock, rounds: 15, rowsPerRound: 10_000 };
  process.stdout.write(describe("a token of a bucket", benchBuckets({ ...options, rowsPerRound: 100_000 }), []));
  const { measurements, ratios } = await benchLimitedRequests(options);
  process.stdout.write(describe("a request without a socket", measurements, ratios));
}
