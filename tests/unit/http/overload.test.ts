// When a request is refused for the load: decided by a clock and turns that the test moves itself.

import { describe, expect, test } from "bun:test";
import { healthRoutes } from "../../../src/features/health";
import { createHealth } from "../../../src/features/health/service";
import { ManualClock, systemClock } from "../../../src/foundation/clock";
import {
  behindMilliseconds,
  createOverload,
  heldCountMax,
  heldMilliseconds,
  longTurnsMin,
} from "../../../src/http/overload";
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
  return { overload, turn, clock, options };
}

describe("S2.41 the event loop's turns", () => {
  test("a turn serves for at most twice its time, whatever came before, and the rest of it is refused", () => {
    const { turn } = turns({ turnMillisecondsMax: 40 });
    expect(turn(81, 1)).toBe(0);
    expect(turn(100, 1)).toBe(100 - 81);
  });

  test("a step that takes long by itself refuses nobody, however long it is", () => {
    const { turn } = turns({ turnMillisecondsMax: 40 });
    for (let index = 0; index < 10; index++) expect(turn(8, 1000)).toBe(0);
  });

  test(`after ${longTurnsMin} long turns in a row each further one serves for half its time`, () => {
    const { turn } = turns({ turnMillisecondsMax: 40 });
    for (let index = 0; index < longTurnsMin; index++) expect(turn(60, 1)).toBe(0);
    expect(turn(60, 1)).toBe(60 - 21);
    expect(turn(60, 1)).toBe(60 - 21);
  });

  test("two long turns and a short one are no overload", () => {
    const { turn } = turns({ turnMillisecondsMax: 40 });
    for (let round = 0; round < 5; round++) {
      for (let index = 0; index < longTurnsMin - 1; index++) expect(turn(60, 1)).toBe(0);
      expect(turn(40, 1)).toBe(0);
    }
  });

  test("it ends once nothing had to be refused for longer than clients wait until they come back", () => {
    const { turn, clock } = turns({ turnMillisecondsMax: 40 });
    for (let index = 0; index < longTurnsMin; index++) turn(60, 1);
    expect(turn(60, 1)).toBeGreaterThan(0);
    clock.advance(behindMilliseconds - 100);
    expect(turn(60, 1)).toBeGreaterThan(0);
    clock.advance(behindMilliseconds);
    expect(turn(60, 1)).toBe(0);
  });
});

describe("S5.12 overload_turn_ms", () => {
  test("changed while turns go on, the next turn goes by it", () => {
    const { turn, options } = turns({ turnMillisecondsMax: 200 });
    for (let index = 0; index <= longTurnsMin; index++) expect(turn(100, 1)).toBe(0);
    options.turnMillisecondsMax = 40;
    expect(turn(100, 1)).toBe(100 - 81);
  });
});

describe("S5.02 requests under way", () => {
  test("from the set number on a further one is refused", () => {
    const { overload } = turns({ requestsInFlightMax: 3 });
    expect([0, 2, 3, 4].map((count) => overload.refuses(count))).toEqual([false, false, true, true]);
  });
});

describe("S2.50 refusals", () => {
  test("wait for a tenth of a second, those of the same moment together, those after it for their own", async () => {
    const { overload, clock } = turns();
    const told: string[] = [];
    const hold = (name: string) => overload.hold()?.then(() => told.push(name));
    const first = [hold("one"), hold("two")];
    clock.advance(50);
    const second = hold("three");
    clock.advance(heldMilliseconds - 51);
    await Promise.resolve();
    expect(told).toEqual([]);
    clock.advance(1);
    await Promise.all(first);
    expect(told).toEqual(["one", "two"]);
    clock.advance(50);
    await second;
    expect(told).toEqual(["one", "two", "three"]);
  });

  test(`at most ${heldCountMax} wait; a further one goes out at once, and there is room again once they have gone`, async () => {
    const { overload, clock } = turns();
    let last: Promise<void> | null = null;
    for (let index = 0; index < heldCountMax; index++) last = overload.hold();
    expect(last).not.toBeNull();
    expect(overload.hold()).toBeNull();
    clock.advance(heldMilliseconds);
    await last;
    await Promise.resolve();
    expect(overload.hold()).not.toBeNull();
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
    const { call, close, server } = testServer({ features: [health, things], config: { requestsInFlightMax: 1 } });
    const first = call("POST", "/api/v1/things", { key: "admin", body: { name: "one" } });
    await entered.promise;

    const refused = await call("POST", "/api/v1/things", {
      body: { name: "two" },
      headers: { "x-request-id": "mine" },
    });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(refused.json).toMatchObject({
      type: "urn:bsopt:problem:overloaded",
      title: "Unavailable",
      status: 503,
      instance: "/api/v1/things",
      code: "OVERLOADED",
      retryable: true,
      errors: [],
    });
    expect(refused.json.trace_id).toMatch(/^[0-9a-f]{32}$/);
    expect(refused.headers.get("x-request-id")).toBe("mine");
    expect(server.shedCount).toBe(1);
    for (const path of ["/health", "/liveness", "/readiness"]) {
      expect([path, (await call("GET", path)).status]).toEqual([path, 200]);
    }

    released.resolve();
    expect((await first).status).toBe(201);
    expect((await call("POST", "/api/v1/things", { key: "admin", body: { name: "two" } })).status).toBe(201);
    // the same headers as on any other answer that tells of a problem
    const unknown = await call("GET", "/health/nowhere");
    const names = (headers: Headers) => [...headers.keys()].filter((name) => name !== "retry-after").sort();
    expect(names(refused.headers)).toEqual(names(unknown.headers));
    await close();
  });
});
