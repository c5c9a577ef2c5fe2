// What the health routes answer for every state a component can be in, by a clock the test moves.

import { describe, expect, test } from "bun:test";
import { healthRoutes } from "../../../../src/features/health";
import { agentsProbe, createHealth, type Probe, type ProbeOutcome } from "../../../../src/features/health/service";
import { Agent } from "../../../../src/foundation/agent";
import { ManualClock } from "../../../../src/foundation/clock";
import { markUnavailable } from "../../../../src/http/request-context";
import { testServer } from "../../../harness/http";
import { rawRequest } from "../../../harness/http-socket";

function setUp(probes: readonly Probe[]) {
  const clock = new ManualClock();
  const state = { isDraining: false };
  const options = { probes, clock, isDraining: () => state.isDraining, eventLoopLagMillisecondsMax: 1000 };
  const health = createHealth(options);
  const server = testServer({ features: [healthRoutes({ health, markUnavailable })] });
  return { clock, state, health, server, options };
}

const ok = { status: "ok" } as const;
function probe(component: string, isRequired: boolean, check: Probe["check"]): Probe {
  return { component, isRequired, check };
}
const healthy = probe("database", true, () => ok);
const broken = (component: string, isRequired: boolean) =>
  probe(component, isRequired, () => Promise.reject(new Error("10.0.0.7: password refused")));

/** Lets every promise that can go on do so; the manual clock does not move by itself. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

describe("S2.01 GET /health", () => {
  test("answers 200 ok whatever the components say, to any host and without a key", async () => {
    const { server } = setUp([broken("database", true)]);
    const answer = await server.call("GET", "/health", { headers: { host: "10.1.2.3:8080" } });
    expect([answer.status, answer.json]).toEqual([200, { status: "ok" }]);
  });

  test("answers an HTTP/1.0 probe that names no host", async () => {
    const { server } = setUp([]);
    const { port } = server.listen();
    for (const path of ["/health", "/liveness", "/readiness"]) {
      expect((await rawRequest(port, `GET ${path} HTTP/1.0\r\n\r\n`)).status).toBe(200);
    }
    const malformed = await rawRequest(port, "GET /health HTTP/1.1\r\nHost: a/b\r\n\r\n");
    expect(malformed.status).toBe(400);
    await server.close();
  });
});

describe("S2.02 GET /readiness", () => {
  const optional = (component: string, outcome: ProbeOutcome) => probe(component, false, () => outcome);
  const rows: readonly (readonly [
    string,
    readonly Probe[],
    number,
    string,
    readonly (readonly [string, string, string | undefined])[],
  ])[] = [
    ["no component", [], 200, "ok", []],
    [
      "all well",
      [healthy, probe("agents", true, async () => ok)],
      200,
      "ok",
      [
        ["database", "ok", undefined],
        ["agents", "ok", undefined],
      ],
    ],
    [
      "a required one down",
      [broken("database", true), probe("agents", true, () => ok)],
      503,
      "failed",
      [
        ["database", "failed", "not reachable"],
        ["agents", "ok", undefined],
      ],
    ],
    [
      "one down that is not required",
      [healthy, broken("cache", false)],
      200,
      "degraded",
      [
        ["database", "ok", undefined],
        ["cache", "degraded", "not reachable"],
      ],
    ],
    [
      "one that tells it is reduced",
      [healthy, optional("cache", { status: "degraded", message: "reduced" })],
      200,
      "degraded",
      [
        ["database", "ok", undefined],
        ["cache", "degraded", "reduced"],
      ],
    ],
    [
      "a required one that is reduced",
      [probe("database", true, () => ({ status: "degraded", message: "reduced" }))],
      200,
      "degraded",
      [["database", "degraded", "reduced"]],
    ],
    [
      "one that throws at once",
      [
        probe("database", true, () => {
          throw new Error("at once");
        }),
      ],
      503,
      "failed",
      [["database", "failed", "not reachable"]],
    ],
  ];
  for (const [name, probes, status, word, checks] of rows) {
    test(`S2.05 with ${name} answers ${status} ${word}, each check by component, status, message and latency_ms`, async () => {
      const { server } = setUp(probes);
      const answer = await server.call("GET", "/readiness");
      expect([answer.status, answer.json.status]).toEqual([status, word]);
      expect(
        answer.json.checks.map((check: Record<string, unknown>) => [check.component, check.status, check.message]),
      ).toEqual(checks as never);
      for (const check of answer.json.checks) {
        expect(check.latency_ms).toBeNumber();
        expect(Object.keys(check).sort()).toEqual(
          check.status === "ok"
            ? ["component", "latency_ms", "status"]
            : ["component", "latency_ms", "message", "status"],
        );
      }
      expect(answer.text).not.toContain("10.0.0.7");
      expect(answer.headers.get("retry-after")).toBe(status === 503 ? "1" : null);
    });
  }

  test("S2.04 a check that does not come back is failed after 2 s, its signal aborted, the others told", async () => {
    let signal: AbortSignal | undefined;
    const { clock, server } = setUp([
      healthy,
      probe("slow", true, (given) => {
        signal = given;
        return new Promise(() => undefined);
      }),
    ]);
    const asking = server.call("GET", "/readiness");
    await settle();
    expect(signal?.aborted).toBe(false);
    clock.advance(2000);
    const { status, json } = await asking;
    expect(status).toBe(503);
    expect(json.checks).toEqual([
      { component: "database", status: "ok", latency_ms: 0 },
      { component: "slow", status: "failed", message: "not reached in time", latency_ms: 2000 },
    ]);
    expect(signal?.aborted).toBe(true);
  });

  test("S2.04 a check that never comes back is not asked a second time", async () => {
    let asked = 0;
    const { clock, health } = setUp([
      probe("stuck", true, () => {
        asked += 1;
        return new Promise(() => undefined);
      }),
    ]);
    for (let round = 0; round < 3; round++) {
      const asking = health.readiness();
      await settle();
      clock.advance(2000);
      expect((await asking).status).toBe("failed");
      clock.advance(5000);
    }
    expect(asked).toBe(1);
  });

  test("S2.08 1000 concurrent probes cost one ping, and so do 1000 within the cache's life", async () => {
    let pings = 0;
    const gate = Promise.withResolvers<void>();
    const { clock, server } = setUp([
      probe("database", true, async () => {
        pings += 1;
        await gate.promise;
        return ok;
      }),
    ]);
    const asking = Array.from({ length: 1000 }, () => server.call("GET", "/readiness"));
    await settle();
    gate.resolve();
    const answers = await Promise.all(asking);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    await Promise.all(Array.from({ length: 1000 }, () => server.call("GET", "/readiness")));
    expect(pings).toBe(1);
    clock.advance(1000);
    await server.call("GET", "/readiness");
    expect(pings).toBe(2);
  });

  test("S2.08 recovers when the component does", async () => {
    let isDown = true;
    const { clock, server } = setUp([
      probe("database", true, () => (isDown ? { status: "failed", message: "not reachable" } : ok)),
    ]);
    expect((await server.call("GET", "/readiness")).status).toBe(503);
    isDown = false;
    clock.advance(1000);
    expect((await server.call("GET", "/readiness")).status).toBe(200);
  });

  test("while draining answers 503 at once, past the cache", async () => {
    const { state, server } = setUp([healthy]);
    expect((await server.call("GET", "/readiness")).status).toBe(200);
    state.isDraining = true;
    const answer = await server.call("GET", "/readiness");
    expect(answer.status).toBe(503);
    expect(answer.json.checks.at(-1)).toEqual({
      component: "server",
      status: "failed",
      message: "draining",
      latency_ms: 0,
    });
    expect((await server.call("GET", "/health")).status).toBe(200);
  });

  test("two probes of one component are a mistake", () => {
    expect(() => setUp([healthy, healthy])).toThrow("2 probes");
  });
});

describe("S2.06 component agents", () => {
  test("is failed when a started agent is dead, ok again when it recovers", async () => {
    let fails = true;
    const clock = new ManualClock();
    const agent = new Agent({
      name: "loop",
      intervalMilliseconds: 10,
      failuresMax: 1,
      clock,
      round: () => {
        if (fails) throw new Error("no");
      },
      onFailure: () => undefined,
    });
    const { check } = agentsProbe(() => [agent]);
    const { signal } = new AbortController();
    expect(await check(signal)).toEqual(ok);
    agent.start();
    await settle();
    expect(await check(signal)).toEqual({ status: "failed", message: "a loop has stopped" });
    fails = false;
    clock.advance(60_000);
    await settle();
    expect(await check(signal)).toEqual(ok);
    await agent.stop();
  });
});

describe("S2.03 GET /liveness", () => {
  test("answers 200 before the first beat and while beats come in time", async () => {
    const { clock, health, server } = setUp([]);
    expect((await server.call("GET", "/liveness")).json).toEqual({ status: "ok", event_loop_lag_ms: 0 });
    expect(health.lastHeartbeat()).toBeNull();
    health.heartbeat.start();
    await settle();
    for (let beat = 0; beat < 3; beat++) {
      clock.advance(250);
      await settle();
    }
    expect((await server.call("GET", "/liveness")).json).toEqual({ status: "ok", event_loop_lag_ms: 0 });
    expect(health.lastHeartbeat()).toBe(clock.nowMicroseconds());
    await stop(health.heartbeat, clock);
  });

  test("answers 503 when a beat is overdue past the limit, and 200 when beats come in time again", async () => {
    const { clock, health, server } = setUp([]);
    health.heartbeat.start();
    await settle();
    // The loop is blocked: time passes and no beat runs before the probe is answered.
    clock.advance(1251);
    const overdue = await server.call("GET", "/liveness");
    expect([overdue.status, overdue.json]).toEqual([503, { status: "failed", event_loop_lag_ms: 1001 }]);
    await settle();
    clock.advance(250);
    await settle();
    expect((await server.call("GET", "/liveness")).status).toBe(200);
    await stop(health.heartbeat, clock);
  });

  test("S5.12 event_loop_lag_max_ms changed meanwhile, the next look goes by it", async () => {
    const { clock, health, options } = setUp([]);
    health.heartbeat.start();
    await settle();
    clock.advance(1250);
    options.eventLoopLagMillisecondsMax = 999;
    expect(health.liveness().status).toBe("failed");
    await stop(health.heartbeat, clock);
  });

  test("a lag at the limit is still alive", async () => {
    const { clock, health } = setUp([]);
    health.heartbeat.start();
    await settle();
    clock.advance(1250);
    expect(health.liveness()).toEqual({ status: "ok", event_loop_lag_ms: 1000 });
    await stop(health.heartbeat, clock);
  });
});

async function stop(agent: Agent, clock: ManualClock): Promise<void> {
  const stopping = agent.stop();
  clock.advance(1000);
  await stopping;
}
