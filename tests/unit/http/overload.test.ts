// When a request is refused for the load: decided by a clock and turns that the test moves itself.

import { describe, expect, test } from "bun:test";
import { healthRoutes } from "../../../src/features/health";
import { createHealth } from "../../../src/features/health/service";
import { ManualClock, systemClock } from "../../../src/foundation/clock";
import {
  createOverload,
  type Overload,
  refusalsPerTurnMax,
  waitingBytesMax,
  waitingCountMax,
  waitMillisecondsMax,
} from "../../../src/http/overload";
import { testServer } from "../../harness/http";
import { probeRoutes } from "../../http/probe-routes";

function line(limits: { requestsInFlightMax?: number; turnMillisecondsMax?: number } = {}) {
  const clock = new ManualClock();
  let pending: (() => void)[] = [];
  const state = { underWay: 0 };
  const options = {
    clock,
    requestsInFlightMax: limits.requestsInFlightMax ?? 1000,
    turnMillisecondsMax: limits.turnMillisecondsMax ?? 20,
    underWayCount: () => state.underWay,
    afterTurn: (callback: () => void) => pending.push(callback),
  };
  const overload = createOverload(options);
  /** Ends a turn, and lets what was promised come through. */
  const endTurn = async () => {
    const due = pending;
    pending = [];
    for (const callback of due) callback();
    for (let hop = 0; hop < 3; hop++) await Promise.resolve();
  };
  /** One turn of `count` requests of so many milliseconds each; how many of them were served as they came. */
  const arrive = (count: number, milliseconds: number) => {
    let served = 0;
    for (let index = 0; index < count; index++) {
      if (!overload.servesNow(state.underWay)) continue;
      served += 1;
      clock.advance(milliseconds);
    }
    return served;
  };
  return { overload, arrive, endTurn, clock, options, state };
}

/** Gets so many in line; their verdicts, as they come. */
function inLine(overload: Overload, count: number, bytes = 0): string[] {
  const verdicts: string[] = [];
  for (let index = 0; index < count; index++) void overload.wait(bytes)?.then((word) => verdicts.push(word));
  return verdicts;
}

describe("S2.41 a turn of the event loop", () => {
  test("serves for its time, whatever came before, and the rest of it waits", async () => {
    const { arrive, endTurn } = line();
    for (let round = 0; round < 3; round++) {
      expect(arrive(100, 1)).toBe(21);
      await endTurn();
    }
  });

  test("counts a step that takes long by itself as a short one, however long it is", async () => {
    const { arrive, endTurn } = line({ turnMillisecondsMax: 40 });
    for (let round = 0; round < 5; round++) {
      expect(arrive(8, 1000)).toBe(8);
      await endTurn();
    }
  });

  test("S5.12 goes by overload_turn_ms as it is changed", async () => {
    const { arrive, endTurn, options } = line({ turnMillisecondsMax: 200 });
    expect(arrive(100, 1)).toBe(100);
    await endTurn();
    options.turnMillisecondsMax = 40;
    expect(arrive(100, 1)).toBe(41);
  });
});

describe("S2.50 the line", () => {
  test("is served in its order, some in each turn, and whoever comes meanwhile waits behind", async () => {
    const { overload, endTurn, clock } = line();
    const order: number[] = [];
    for (let index = 0; index < 100; index++) void overload.wait(0)!.then(() => order.push(index));
    expect([overload.waitingCount, overload.servesNow(0)]).toEqual([100, false]);
    await endTurn();
    expect(order).toEqual(Array.from({ length: 32 }, (_, index) => index));
    clock.advance(5);
    await endTurn();
    expect(order).toHaveLength(64);
    // A turn of 20 ms was too long: half as many in the next; one of 1 ms short, and twice as many.
    clock.advance(20);
    await endTurn();
    expect(order).toHaveLength(80);
    clock.advance(1);
    await endTurn();
    expect(order).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(overload.waitingCount).toBe(0);
    await endTurn();
    expect(overload.servesNow(0)).toBe(true);
  });

  test("tells whoever has waited for a quarter of a second to come back, some in each turn, and serves those behind", async () => {
    const { overload, endTurn, clock } = line();
    const old = inLine(overload, refusalsPerTurnMax + 10);
    clock.advance(waitMillisecondsMax);
    const fresh = inLine(overload, 5);
    clock.advance(1);
    await endTurn();
    // Beside the refusals of this turn the next in line are served, old as they are: that is the shorter way out of it.
    expect(old.filter((word) => word === "refuse")).toHaveLength(refusalsPerTurnMax);
    expect(old.filter((word) => word === "serve")).toHaveLength(10);
    expect(fresh).toEqual(Array.from({ length: 5 }, () => "serve"));
  });

  test("a long step before the first turn of the line refuses nobody who had not waited before it", async () => {
    const { overload, endTurn, clock } = line();
    const verdicts = inLine(overload, 10);
    clock.advance(waitMillisecondsMax);
    await endTurn();
    expect(verdicts).toEqual(Array.from({ length: 10 }, () => "serve"));
  });

  test("has so many places; there is one again once somebody has left", async () => {
    const { overload, endTurn } = line();
    inLine(overload, waitingCountMax);
    expect(overload.wait(0)).toBeNull();
    await endTurn();
    expect(overload.wait(0)).not.toBeNull();
  });

  test("holds bodies up to a bound, one of unknown length as a mebibyte", async () => {
    const { overload, endTurn } = line();
    inLine(overload, 1, waitingBytesMax - 1_048_576);
    expect(overload.wait(1_048_577)).toBeNull();
    expect(overload.wait(null)).not.toBeNull();
    expect(overload.wait(1)).toBeNull();
    expect(overload.wait(0)).not.toBeNull();
    await endTurn();
    expect(overload.wait(waitingBytesMax)).not.toBeNull();
  });
});

describe("S5.02 requests under way", () => {
  test("from the set number on a further one waits, until one of them is over", async () => {
    const { overload, endTurn, clock, state } = line({ requestsInFlightMax: 3 });
    expect([0, 2, 3, 4].map((count) => overload.servesNow(count))).toEqual([true, true, false, false]);
    state.underWay = 3;
    const verdicts = inLine(overload, 2);
    await endTurn();
    clock.advance(10);
    await endTurn();
    expect(verdicts).toEqual([]);
    state.underWay = 2;
    clock.advance(10);
    await endTurn();
    expect(verdicts).toEqual(["serve"]);
    clock.advance(waitMillisecondsMax);
    state.underWay = 3;
    await endTurn();
    expect(verdicts).toEqual(["serve", "refuse"]);
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
