// The parent of several servers, over processes that are only promises and a clock moved by hand.

import { describe, expect, test } from "bun:test";
import {
  type Listening,
  type ServerProcess,
  signOfLifeMilliseconds,
  silentLooksMax,
  startMillisecondsMax,
  superviseProcesses,
} from "../../../src/commands/processes";
import { ManualClock } from "../../../src/foundation/clock";
import { silentLog } from "../../../src/foundation/log";
import { seededRandom } from "../../../src/foundation/random";
import { until } from "../../harness/storage";

interface Fake extends ServerProcess {
  readonly port: number;
  readonly signals: string[];
  signsOfLifeCount: number;
  listen(): void;
  end(code: number): void;
}

function supervised({
  count = 2,
  stopsWhenAsked = true,
  givesSignsOfLife = false,
}: {
  count?: number;
  stopsWhenAsked?: boolean;
  givesSignsOfLife?: boolean;
} = {}) {
  const clock = new ManualClock();
  const started: Fake[] = [];
  const stop = Promise.withResolvers<void>();
  let restart: (() => void) | null = null;
  let reload: (() => void) | null = null;
  let told: Listening | null = null;
  const start = (port: number): Fake => {
    const listening = Promise.withResolvers<Listening | null>();
    const exited = Promise.withResolvers<number>();
    const fake: Fake = {
      pid: started.length + 1,
      port,
      signals: [],
      signsOfLifeCount: 0,
      listening: listening.promise,
      exited: exited.promise,
      listen: () => listening.resolve({ url: "http://127.0.0.1:4711", firstAdminKey: null, givesSignsOfLife }),
      end(code) {
        exited.resolve(code);
        listening.resolve(null);
      },
      signal(name) {
        fake.signals.push(name);
        if (name === "SIGKILL") fake.end(137);
        else if (name === "SIGHUP") return;
        else if (stopsWhenAsked) fake.end(0);
      },
    };
    started.push(fake);
    return fake;
  };
  const ended = superviseProcesses({
    count,
    start,
    port: 0,
    stopped: stop.promise,
    onRestartAsked: (listener) => {
      restart = listener;
      return () => {
        restart = null;
      };
    },
    onReloadAsked: (listener) => {
      reload = listener;
      return () => {
        reload = null;
      };
    },
    onListening: async (listening) => {
      told = listening;
    },
    stopMillisecondsMax: 5000,
    clock,
    random: seededRandom(1n),
    log: silentLog,
  });
  return {
    clock,
    started,
    ended,
    stop: () => stop.resolve(),
    restart: () => restart?.(),
    reload: () => reload?.(),
    hearsReload: () => reload !== null,
    told: () => told,
    /** All listening, the parent waiting. */
    async ready() {
      started[0]!.listen();
      await until("the others were started", () => started.length === count);
      for (const fake of started.slice(1)) fake.listen();
      await until("it was told", () => told !== null && restart !== null);
    },
  };
}

describe("S5.12 settings read anew", () => {
  test("is passed on to all that listen, at any time, and to none that does not yet", async () => {
    const run = supervised({ count: 2 });
    run.reload();
    expect(run.started[0]!.signals).toEqual([]);
    await run.ready();
    run.reload();
    expect(run.started.map(({ signals }) => signals)).toEqual([["SIGHUP"], ["SIGHUP"]]);
    run.stop();
    expect(await run.ended).toBe(0);
    expect(run.hearsReload()).toBe(false);
  });
});

describe("S3.14 several server processes", () => {
  test("the first chooses the port, the others follow, and it is told once all listen", async () => {
    const run = supervised({ count: 3 });
    run.started[0]!.listen();
    await until("the others were started", () => run.started.length === 3);
    expect(run.started.map(({ port }) => port)).toEqual([0, 4711, 4711]);
    expect(run.told()).toBeNull();
    for (const fake of run.started) fake.listen();
    await until("it was told", () => run.told() !== null);
    run.stop();
    expect(await run.ended).toBe(0);
    expect(run.started.map(({ signals }) => signals)).toEqual([["SIGTERM"], ["SIGTERM"], ["SIGTERM"]]);
  });

  test("where the first ends before it listens no other is started, and its exit code is the parent's", async () => {
    const run = supervised();
    run.started[0]!.end(2);
    expect(await run.ended).toBe(2);
    expect(run.started).toHaveLength(1);
  });

  test("a stop during the start stops what was started, in order", async () => {
    const run = supervised();
    run.stop();
    expect(await run.ended).toBe(0);
    expect(run.started.map(({ signals }) => signals[0])).toEqual(["SIGTERM"]);
  });

  test("one that died is started again after a wait that grows with each death in a row", async () => {
    const run = supervised();
    await run.ready();
    const waits: number[] = [];
    for (let death = 0; death < 8; death++) {
      const before = run.started.length;
      run.started.at(-1)!.end(137);
      let waited = 0;
      for (; run.started.length === before && waited < 20_000; waited += 50) {
        await new Promise((resolve) => setImmediate(resolve));
        if (run.started.length === before) run.clock.advance(50);
      }
      expect(run.started).toHaveLength(before + 1);
      run.started.at(-1)!.listen();
      waits.push(waited);
    }
    expect(waits[0]).toBeLessThanOrEqual(150);
    expect(waits[7]).toBeGreaterThanOrEqual(5_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(10_100);
    expect(run.started[0]!.signals).toEqual([]);
    run.stop();
    expect(await run.ended).toBe(0);
  });

  test("a stop while one is being started again is a stop in order, though that one ends by the signal", async () => {
    const run = supervised({ stopsWhenAsked: false });
    await run.ready();
    run.started[1]!.end(137);
    await until("another was started", () => {
      run.clock.advance(50);
      return run.started.length === 3;
    });
    run.stop();
    await until("both were asked", () => run.started[0]!.signals.length === 1 && run.started[2]!.signals.length > 0);
    run.started[2]!.end(143);
    run.started[0]!.end(0);
    expect(await run.ended).toBe(0);
  });

  test("one that does not stop in time is killed, and the exit code tells", async () => {
    const run = supervised({ stopsWhenAsked: false });
    await run.ready();
    run.stop();
    await until("they were asked", () => run.started.every(({ signals }) => signals.length === 1));
    run.clock.advance(5000);
    expect(await run.ended).toBe(137);
    expect(run.started.map(({ signals }) => signals)).toEqual([
      ["SIGTERM", "SIGKILL"],
      ["SIGTERM", "SIGKILL"],
    ]);
  });
});

describe("S3.14 a server that hangs", () => {
  /** Looks, one after the other; before each, those that live give a sign of it. */
  async function look(run: ReturnType<typeof supervised>, times: number, living: readonly number[]): Promise<void> {
    for (let index = 0; index < times; index++) {
      for (const place of living) run.started[place]!.signsOfLifeCount += 1;
      await new Promise((resolve) => setImmediate(resolve));
      run.clock.advance(signOfLifeMilliseconds);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  test("is killed at the fifteenth look that finds no sign of life, and not before; another is started", async () => {
    const run = supervised({ givesSignsOfLife: true });
    await run.ready();
    await look(run, 100, [0, 1]);
    expect(run.started.map(({ signals }) => signals)).toEqual([[], []]);
    await look(run, silentLooksMax - 1, [0]);
    expect(run.started.map(({ signals }) => signals)).toEqual([[], []]);
    await look(run, 1, [0]);
    expect(run.started.slice(0, 2).map(({ signals }) => signals)).toEqual([[], ["SIGKILL"]]);
    await until("another was started", () => {
      run.clock.advance(50);
      return run.started.length === 3;
    });
    run.stop();
    expect(await run.ended).toBe(0);
  });

  test("and comes back in time is left alone, and its silence counts from the beginning", async () => {
    const run = supervised({ givesSignsOfLife: true });
    await run.ready();
    await look(run, silentLooksMax - 1, [0]);
    await look(run, 1, [0, 1]);
    await look(run, silentLooksMax - 1, [0]);
    expect(run.started.map(({ signals }) => signals)).toEqual([[], []]);
    run.stop();
    expect(await run.ended).toBe(0);
  });

  test("of a version that gives no signs of life is not judged by them", async () => {
    const run = supervised();
    await run.ready();
    await look(run, 5 * silentLooksMax, []);
    expect(run.started.map(({ signals }) => signals)).toEqual([[], []]);
    run.stop();
    expect(await run.ended).toBe(0);
  });

  test("where the parent itself was stopped for an hour, nobody is killed: looks are counted, not time", async () => {
    const run = supervised({ givesSignsOfLife: true });
    await run.ready();
    await look(run, 3, [0, 1]);
    run.clock.advance(3_600_000);
    await look(run, 3, [0, 1]);
    expect(run.started.map(({ signals }) => signals)).toEqual([[], []]);
    run.stop();
    expect(await run.ended).toBe(0);
  });
});

describe("S3.14 a rolling restart", () => {
  test("each is asked to stop only after its successor listens, one after the other", async () => {
    const run = supervised();
    await run.ready();
    run.restart();
    await until("a successor was started", () => run.started.length === 3);
    expect(run.started.map(({ signals }) => signals.length)).toEqual([0, 0, 0]);
    run.started[2]!.listen();
    await until("the next one was started", () => run.started.length === 4);
    expect(run.started.map(({ signals }) => signals.length)).toEqual([1, 0, 0, 0]);
    run.started[3]!.listen();
    await until("the second was asked", () => run.started[1]!.signals.length === 1);
    run.stop();
    expect(await run.ended).toBe(0);
    expect(run.started).toHaveLength(4);
  });

  test("a successor that ends leaves the others as they are, and one that never listens is killed", async () => {
    const run = supervised();
    await run.ready();
    run.restart();
    await until("a successor was started", () => run.started.length === 3);
    run.started[2]!.end(1);
    await new Promise((resolve) => setImmediate(resolve));
    run.restart();
    await until("another was started", () => run.started.length === 4);
    run.clock.advance(startMillisecondsMax);
    await until("it was killed", () => run.started[3]!.signals.includes("SIGKILL"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(run.started.slice(0, 2).map(({ signals }) => signals)).toEqual([[], []]);
    run.stop();
    expect(await run.ended).toBe(0);
    expect(run.started).toHaveLength(4);
  });

  test("asked again while one is under way, it goes round once", async () => {
    const run = supervised();
    await run.ready();
    run.restart();
    run.restart();
    await until("a successor was started", () => run.started.length === 3);
    run.started[2]!.listen();
    await until("the next one was started", () => run.started.length === 4);
    run.started[3]!.listen();
    await until("the second was asked", () => run.started[1]!.signals.length === 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(run.started).toHaveLength(4);
    run.stop();
    await run.ended;
  });
});
