// What being measured costs a request, in one run: the same server with and without metrics, the same small route, without a socket, in turns;
// what one answer costs to count; and one scrape of the whole table of routes. The ratio is judged, and the
// count may take two microseconds.

import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { declaredServer } from "../../src/app/routes";
import { buildInfo } from "../../src/config/build-info";
import { loadConfig } from "../../src/config/config";
import { systemClock } from "../../src/foundation/clock";
import { silentLog } from "../../src/foundation/log";
import { systemRandom } from "../../src/foundation/random";
import { createRequestMetrics } from "../../src/http/request-metrics";
import type { Answered } from "../../src/http/server";
import { createMetrics, type Metrics } from "../../src/telemetry/metrics";
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

const pong = Type.Object({ pong: Type.Literal(true) }, { additionalProperties: false, $id: "Pong" });
const feature = () =>
  new Elysia().get("/api/v1/ping", () => ({ pong: true as const }), {
    response: { 200: pong },
    detail: { permission: "pricing:read", operationId: "ping", summary: "Answers", tags: ["Bench"] },
  });

/** Every route of the application, with nothing behind. */
function counted(): { metrics: Metrics; answered: Answered; count: (answered: Answered) => void } {
  const { routes } = declaredServer({
    config: loadConfig({ flags: {}, environment: {}, file: null }),
    build: buildInfo,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  const metrics = createMetrics();
  const options = {
    metrics,
    routes: routes.routes,
    requestsInFlight: () => 0,
    requestsShed: () => 0,
    requestsWaiting: () => 0,
    endpointLimitCount: 0,
  };
  const answered: Answered = {
    route: routes.match("/api/v1/pricing/price")?.methods.get("POST") ?? null,
    method: "POST",
    status: 200,
    requestId: "r",
    isAdmitted: true,
    principal: testPrincipal("viewer"),
    limit: {
      policy: { name: "user", perMinute: 1, burst: 1 },
      decision: { allowed: true, limit: 1, remaining: 1, resetSeconds: 0, retryAfterSeconds: 0 },
    },
    problem: null,
    optionCount: 1,
    engineMilliseconds: 0.003,
    milliseconds: 0.06,
  };
  return { metrics, answered, count: createRequestMetrics(options) };
}

/** Nanoseconds to count one answer of the route with the most to count: a priced option. */
export function benchCounting(options: CompareOptions): Measurement[] {
  const { count, answered } = counted();
  const contenders: Contender[] = [{ name: "a priced option's answer counted", rows: 1, run: () => count(answered) }];
  return compare(contenders, options);
}

/** Nanoseconds a request with and without metrics. */
export async function benchMeasuredRequests(
  options: CompareOptions,
): Promise<{ measurements: Measurement[]; ratios: Ratio[] }> {
  const contenders = [false, true].map((isMeasured): AwaitedContender => {
    let count: ((answered: Answered) => void) | null = null;
    const { server } = testServer({
      features: [feature()],
      clock: options.clock,
      ...(isMeasured && { onAnswered: (answered: Answered) => count?.(answered) }),
    });
    const { routes } = server.routes;
    count = createRequestMetrics({
      metrics: createMetrics(),
      routes,
      requestsInFlight: () => server.underWayCount,
      requestsShed: () => server.shedCount,
      requestsWaiting: () => server.waitingCount,
      endpointLimitCount: 0,
    });
    return {
      name: isMeasured ? "measured" : "not measured",
      rows: 1,
      run: () => server.handle(requestFor("GET", "/api/v1/ping", { key: "viewer" })),
    };
  });
  const measurements = await compareAwaited(contenders, options);
  const ratio = { name: "a measured request to one that is not", fast: "measured", slow: "not measured", floor: 0.75 };
  return { measurements, ratios: [ratioOf(measurements, ratio)] };
}

/** Nanoseconds of a scrape of everything about requests. */
export async function benchScrape(options: CompareOptions): Promise<Measurement[]> {
  const { metrics } = counted();
  return compareAwaited([{ name: "a scrape of every route", rows: 1, run: () => metrics.text() }], options);
}

if (import.meta.main) {
  const options = { clock: systemClock, rounds: 15, rowsPerRound: 10_000 };
  process.stdout.write(describe("one answer", benchCounting({ ...options, rowsPerRound: 100_000 }), []));
  const { measurements, ratios } = await benchMeasuredRequests(options);
  process.stdout.write(describe("a request without a socket", measurements, ratios));
  process.stdout.write(describe("one scrape", await benchScrape({ ...options, rowsPerRound: 20 }), []));
}
