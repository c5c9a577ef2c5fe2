// When a request is refused for the load: decided by a clock and turns that the test moves itself.

import { describe, expect, test } from "bun:test";
import { healthRoutes } from "../../../src/features/health";
import { createHealth } from "../../../src/features/health/service";
import { ManualClock, systemClock } from "../../../src/foundation/clock";
import { createOverload, longTurnsMin } from "../../../src/http/overload";
import { testServer } from "../../harness/http";
import { probeRoutes } from "../../http/probe-routes";

function turns(limits: { requestsInFlightMax?: number; turnMillisecondsMax?: number } = {}) {
  const clock = new ManualClock();
  let pending: (() => void)[] = [];
  const options = {
    clock,
    requestsInFlightMax: limits.requestsInFlightMax ?? 1000,
    turnMillisecondsMax: limits.turnMillisecondsMax ?? 40,
    afterTurn: (callback: () => void) => pending.push(callback),
  };
  const overload = createOverload(options);
  /** One turn of `count` requests of so many milliseconds each; how many of them were refused. */
  const turn = (count: number, milliseconds: number) => {
    let refused = 0;
    for (let index = 0; index < count; index++) {
      if (overload.refuses(0)) refused += 1;
      else clock.advance(milliseconds);
    }
    const due = pending;
    pending = [];
    for (const callback of due) callback();
    return refused;
  };
  return { overload, turn, options };
}

describe("S2.41 the event loop's turns", () => {
  test("one turn that is too long refuses nobody, however long it is", () => {
    const { turn } = turns();
    expect(turn(1000, 10)).toBe(0);
    expect(turn(10, 1)).toBe(0);
    expect(turn(1000, 10)).toBe(0);
  });

  test(`after ${longTurnsMin} long turns in a row the rest of each further one is refused, and what fits in time is served`, () => {
    const { turn } = turns({ turnMillisecondsMax: 40 });
    for (let index = 0; index < longTurnsMin; index++) expect(turn(100, 1)).toBe(0);
    expect(turn(100, 1)).toBe(100 - 41);
    expect(turn(100, 1)).toBe(100 - 41);
  });

  test("the first turn that is short enough ends it", () => {
    const { turn } = turns();
    for (let index = 0; index < longTurnsMin + 1; index++) turn(100, 1);
    expect(turn(20, 1)).toBe(0);
    expect(turn(100, 1)).toBe(0);
  });
});

describe("S5.12 overload_turn_ms", () => {
  test("changed while turns go on, the next turn goes by it", () => {
    const { turn, options } = turns({ turnMillisecondsMax: 200 });
    for (let index = 0; index <= longTurnsMin; index++) expect(turn(100, 1)).toBe(0);
    options.turnMillisecondsMax = 40;
    for (let index = 0; index < longTurnsMin; index++) expect(turn(100, 1)).toBe(0);
    expect(turn(100, 1)).toBe(100 - 41);
  });
});

describe("S5.02 requests under way", () => {
  test("from the set number on a further one is refused, and counted", () => {
    const { overload } = turns({ requestsInFlightMax: 3 });
    expect([0, 2, 3, 4].map((count) => overload.refuses(count))).toEqual([false, false, true, true]);
    expect(overload.refusedCount).toBe(2);
  });
});

describe("S4.57 a server that has too much to do", () => {
  test("answers 503 OVERLOADED with a time to retry before it looks at anything, still answers probes, and serves again", async () => {
    const entered = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const health = healthRoutes({
      health: createHealth({
        probes: [],
        clock: systemClock,
        isDraining: () => false,
        eventLoopLagMillisecondsMax: 1000,
      }),
      markUnavailable: () => undefined,
    });
    const things = probeRoutes({
      onMake: () => {
        entered.resolve();
        return released.promise;
      },
    });
    const { call, close } = testServer({ features: [health, things], config: { requestsInFlightMax: 1 } });
    const first = call("POST", "/api/v1/things", { key: "admin", body: { name: "one" } });
    await entered.promise;

    const refused = await call("POST", "/api/v1/things", { body: { name: "two" } });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(refused.json).toMatchObject({ code: "OVERLOADED", retryable: true });
    for (const path of ["/health", "/liveness", "/readiness"]) {
      expect([path, (await call("GET", path)).status]).toEqual([path, 200]);
    }

    released.resolve();
    expect((await first).status).toBe(201);
    expect((await call("POST", "/api/v1/things", { key: "admin", body: { name: "two" } })).status).toBe(201);
    await close();
  });
});
