// Clock, identifiers, randomness, errors, assertions and supervised loops.

import { describe, expect, test } from "bun:test";
import { Agent } from "../../../src/foundation/agent";
import { assert, InvariantError, unreachable } from "../../../src/foundation/assert";
import { formatTimestamp, ManualClock, systemClock, wallClock } from "../../../src/foundation/clock";
import { BsoptError } from "../../../src/foundation/errors";
import { randomBase62, uuid7 } from "../../../src/foundation/identifier";
import { silentLog } from "../../../src/foundation/log";
import { seededRandom, systemRandom } from "../../../src/foundation/random";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("clock", () => {
  test.each([
    { microseconds: 0n, text: "1970-01-01T00:00:00.000000Z" },
    { microseconds: 1_700_000_000_123_456n, text: "2023-11-14T22:13:20.123456Z" },
    { microseconds: -1n, text: "1969-12-31T23:59:59.999999Z" },
    { microseconds: -1_000_000n, text: "1969-12-31T23:59:59.000000Z" },
  ])("S5.15 $microseconds µs is written $text", ({ microseconds, text }) => {
    expect(formatTimestamp(microseconds)).toBe(text);
  });

  test("the system clock agrees with Date to a second and never steps back", async () => {
    expect(Math.abs(Number(systemClock.nowMicroseconds() / 1000n) - Date.now())).toBeLessThan(1000);
    const before = systemClock.monotonicMilliseconds();
    await systemClock.sleep(1);
    expect(systemClock.monotonicMilliseconds()).toBeGreaterThanOrEqual(before + 0.9);
  });

  test.each([
    { what: "set back an hour", step: -3_600_000, followed: true },
    { what: "set on by a day", step: 86_400_000, followed: true },
    { what: "set on by a quarter of a second", step: 251, followed: true },
    { what: "apart by what an interruption takes", step: 249, followed: false },
  ])(
    "S3.16 wall time where the machine's clock is $what: followed $followed, microseconds go on",
    ({ step, followed }) => {
      let wall = 1_750_000_000_000;
      let passed = 5000.25;
      const now = wallClock(
        () => Math.floor(wall),
        () => passed,
      );
      const before = now();
      wall += 10;
      passed += 10.125;
      expect(now() - before).toBe(10_125n);
      wall += step;
      const after = now();
      expect(after - before).toBe(followed ? BigInt(step + 10) * 1000n : 10_125n);
      wall += 10;
      passed += 10.5;
      expect(now() - after).toBe(10_500n);
    },
  );

  test("a sleep ends at once when its signal aborts, before or during", async () => {
    const abort = new AbortController();
    const sleep = systemClock.sleep(3_600_000, abort.signal);
    abort.abort();
    await sleep;
    await systemClock.sleep(3_600_000, abort.signal);
    await new ManualClock().sleep(3_600_000, abort.signal);
  });

  test("a manual clock wakes exactly the sleepers whose time has come", async () => {
    const clock = new ManualClock(0n);
    const woken: number[] = [];
    for (const milliseconds of [10, 20, 30]) void clock.sleep(milliseconds).then(() => woken.push(milliseconds));
    const abort = new AbortController();
    void clock.sleep(99, abort.signal).then(() => woken.push(99));
    clock.advance(20);
    abort.abort();
    await turn();
    expect(woken.sort()).toEqual([10, 20, 99]);
    expect([clock.nowMicroseconds(), clock.monotonicMilliseconds()]).toEqual([20_000n, 20]);
  });
});

describe("identifiers", () => {
  test("a version 7 UUID carries its time, version and variant, and sorts by time", () => {
    const random = seededRandom(1n);
    const first = uuid7(1_700_000_000_000_000n, random);
    const second = uuid7(1_700_000_000_001_000n, random);
    expect(first).toMatch(/^018bcfe5-6800-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(second > first).toBe(true);
  });

  test("base62 draws each letter evenly: bytes past 247 are drawn again", () => {
    let draw = 0;
    const bytes = [248, 255, 0, 61, 62, 247];
    const random = {
      unit: () => 0,
      bytes: (count: number) => Uint8Array.from({ length: count }, () => bytes[draw++ % bytes.length]!),
    };
    expect(randomBase62(4, random)).toBe("0z0z");
  });

  test("text from the system's randomness has the asked length and does not repeat", () => {
    const seen = new Set(Array.from({ length: 200 }, () => randomBase62(12, systemRandom)));
    expect(seen.size).toBe(200);
    for (const text of seen) expect(text).toMatch(/^[0-9A-Za-z]{12}$/);
    expect(systemRandom.unit()).toBeLessThan(1);
  });

  test("a seed repeats its sequence, another seed does not", () => {
    const draws = (seed: bigint) => Array.from({ length: 5 }, seededRandom(seed).unit);
    expect(draws(7n)).toEqual(draws(7n));
    expect(draws(7n)).not.toEqual(draws(8n));
    expect(draws(7n).every((value) => value >= 0 && value < 1)).toBe(true);
    expect(seededRandom(7n).bytes(4)).toEqual(seededRandom(7n).bytes(4));
  });
});

describe("errors and assertions", () => {
  test("S5.20 an error keeps reason, code, detail, hint, faults and cause", () => {
    const cause = new Error("inner");
    const fault = { pointer: "/a", code: "X", detail: "y" };
    const error = new BsoptError({
      reason: "conflict",
      code: "C",
      detail: "d",
      hint: "h",
      cause,
      faults: [fault],
      retryAfterSeconds: 3,
    });
    expect([
      error.reason,
      error.code,
      error.detail,
      error.message,
      error.hint,
      error.cause,
      error.faults,
      error.retryAfterSeconds,
    ]).toEqual(["conflict", "C", "d", "d", "h", cause, [fault], 3]);
    expect(new BsoptError({ reason: "internal", code: "C", detail: "d" }).faults).toEqual([]);
  });

  test("an assertion throws with its message, and only where the condition fails", () => {
    assert(true, "never");
    expect(() => assert(false, "count is -1")).toThrow(new InvariantError("count is -1"));
    expect(() => unreachable("x" as never)).toThrow('unreachable value "x"');
  });

  test("the silent log takes everything and says nothing", () => {
    for (const level of ["debug", "info", "warn", "error"] as const) expect(silentLog[level]({}, "x")).toBeUndefined();
  });
});

describe("agent", () => {
  function supervised(round: () => void | Promise<void>) {
    const clock = new ManualClock(0n);
    const failures: unknown[] = [];
    const agent = new Agent({
      name: "sample",
      intervalMilliseconds: 100,
      failuresMax: 3,
      clock,
      round,
      onFailure: (error) => failures.push(error),
    });
    const tick = async (milliseconds: number) => {
      clock.advance(milliseconds);
      await turn();
    };
    return { agent, failures, tick };
  }

  test("works at once and then each interval, until stopped", async () => {
    let rounds = 0;
    const { agent, tick } = supervised(() => {
      rounds += 1;
    });
    expect(agent.state).toBe("idle");
    agent.start();
    agent.start();
    await turn();
    await tick(99);
    expect(rounds).toBe(1);
    await tick(1);
    expect([rounds, agent.state, agent.name]).toEqual([2, "running", "sample"]);
    await agent.stop();
    await tick(1000);
    expect([rounds, agent.state]).toEqual([2, "stopped"]);
  });

  test("is dead after the given failures in a row, backs off, and lives again after one good round", async () => {
    let isBroken = true;
    const { agent, failures, tick } = supervised(() => {
      if (isBroken) throw new Error("no");
    });
    agent.start();
    await turn();
    await tick(200);
    expect([failures.length, agent.state]).toEqual([2, "running"]);
    await tick(399);
    expect(failures.length).toBe(2);
    await tick(1);
    expect([failures.length, agent.state]).toEqual([3, "dead"]);
    isBroken = false;
    await tick(800);
    expect(agent.state).toBe("running");
    await agent.stop();
  });

  test("S5.19 is not dead while what it needs is away, and is at work within five seconds once that is back", async () => {
    let rounds = 0;
    let isAway = true;
    const { agent, failures, tick } = supervised(() => {
      rounds += 1;
      if (isAway) throw new BsoptError({ reason: "unavailable", code: "AWAY", detail: "no" });
    });
    agent.start();
    await turn();
    for (let second = 0; second < 60; second++) await tick(1000);
    expect(agent.state).toBe("running");
    expect([agent.failureCount, failures.length]).toEqual([rounds, rounds]);
    isAway = false;
    const before = rounds;
    await tick(5000);
    expect(rounds).toBe(before + 1);
    await agent.stop();
  });
});
