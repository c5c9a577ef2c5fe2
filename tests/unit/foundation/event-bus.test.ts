// The bus between parts of one process: order, bounds, isolation and what its drain means. Time is the test's; handlers end when it says.

import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../../src/foundation/clock";
import { createEventBus, type EventBus, queueCountDefault } from "../../../src/foundation/event-bus";
import { seededRandom } from "../../../src/foundation/random";
import { nextTurn } from "../../../src/foundation/turn";

function open(): { bus: EventBus; clock: ManualClock; failures: unknown[] } {
  const clock = new ManualClock();
  const failures: unknown[] = [];
  return { bus: createEventBus({ clock, onFailure: ({ error }) => failures.push(error) }), clock, failures };
}

/** Handlers that end one by one, when told. */
function gate() {
  const waiting: (() => void)[] = [];
  return {
    wait: () => new Promise<void>((resolve) => waiting.push(resolve)),
    open: () => waiting.shift()?.(),
    waiting,
  };
}

const turns = async (count = 5) => {
  for (let turn = 0; turn < count; turn++) await nextTurn();
};

describe("event bus: bounds (S5.03)", () => {
  test("S5.03 a queue holds a thousand events unless told otherwise, and refuses more where it refuses: nobody has a part of it", async () => {
    const { bus } = open();
    const topic = bus.topic<number>({ name: "t", overflow: "refuse" });
    const held = gate();
    topic.subscribe("slow", held.wait);
    const quick: number[] = [];
    topic.subscribe("quick", (event) => void quick.push(event));
    topic.publish(-1);
    await turns();
    for (let event = 0; event < queueCountDefault; event++) expect(topic.publish(event)).toBe(true);
    await turns();
    expect(topic.publish(9999)).toBe(false);
    await turns();
    expect(topic.refusedCount).toBe(1);
    expect(quick).toHaveLength(queueCountDefault + 1);
    expect(bus.counts()[0]).toMatchObject({ waiting: queueCountDefault, inHand: 1, dropped: 0 });
  });

  test("S5.03 drop_oldest drops the oldest of the handler that is behind, and of no other", async () => {
    const { bus } = open();
    const topic = bus.topic<number>({ name: "t", overflow: "drop_oldest", queueMax: 2, isCritical: true });
    const held = gate();
    const [slow, quick]: number[][] = [[], []];
    topic.subscribe("slow", (event) => {
      slow!.push(event);
      return held.wait();
    });
    topic.subscribe("quick", (event) => void quick!.push(event));
    for (const event of [1, 2, 3, 4]) {
      topic.publish(event);
      await turns();
    }
    expect(quick).toEqual([1, 2, 3, 4]);
    expect(bus.deadLetters).toEqual([{ topic: "t", handler: "slow", event: 2, reason: "dropped" }]);
    for (let left = 0; left < 3; left++) {
      held.open();
      await turns();
    }
    expect(slow).toEqual([1, 3, 4]);
    expect(bus.counts()[0]).toMatchObject({ published: 4, handled: 3, dropped: 1, waiting: 0, inHand: 0 });
  });

  test("S5.03 conflate keeps the newest of each key in the place of the waiting one", async () => {
    const { bus } = open();
    const topic = bus.topic<[string, number]>({
      name: "t",
      overflow: "conflate",
      keyOf: ([key]) => key,
      queueMax: 2,
      concurrencyMax: 1,
    });
    const held = gate();
    const seen: string[] = [];
    topic.subscribe("slow", ([key, value]) => {
      seen.push(`${key}${value}`);
      return held.wait();
    });
    topic.publish(["a", 1]);
    await turns();
    for (const event of [
      ["b", 1],
      ["a", 2],
      ["b", 2],
      ["a", 3],
      ["c", 1],
    ] as [string, number][])
      topic.publish(event);
    for (let left = 0; left < 3; left++) {
      held.open();
      await turns();
    }
    // c came while a and b waited: the oldest, b, went. a's turn came again when it was free, behind c.
    expect(seen).toEqual(["a1", "c1", "a3"]);
    expect(bus.counts()[0]).toMatchObject({ published: 6, handled: 3, conflated: 2, dropped: 1, waiting: 0 });
  });

  test("S5.03 block makes publishers wait in line, and none is lost", async () => {
    const { bus } = open();
    const topic = bus.topic<number>({ name: "t", overflow: "block", queueMax: 1 });
    const held = gate();
    const seen: number[] = [];
    topic.subscribe("slow", (event) => {
      seen.push(event);
      return held.wait();
    });
    const results = [topic.publish(1)];
    await turns();
    results.push(topic.publish(2), topic.publish(3), topic.publish(4));
    expect(results.slice(0, 2)).toEqual([true, true]);
    expect(results[2]).toBeInstanceOf(Promise);
    await turns();
    expect(bus.counts()[0]).toMatchObject({ waiting: 1, inHand: 1 });
    for (let left = 0; left < 4; left++) {
      held.open();
      await turns();
    }
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(await Promise.all(results)).toEqual([true, true, true, true]);
  });

  test("nothing is taken after closing; what waits is still handled, blocked publishers are told", async () => {
    const { bus } = open();
    const topic = bus.topic<number>({ name: "t", overflow: "block", queueMax: 1 });
    const held = gate();
    const seen: number[] = [];
    topic.subscribe("slow", (event) => {
      seen.push(event);
      return held.wait();
    });
    topic.publish(1);
    await turns();
    topic.publish(2);
    const blocked = topic.publish(3);
    bus.close();
    expect(topic.publish(4)).toBe(false);
    held.open();
    await turns();
    held.open();
    expect(await blocked).toBe(false);
    await bus.drain();
    expect(seen).toEqual([1, 2]);
  });
});

describe("event bus: isolation (S5.04, S5.06)", () => {
  test("S5.04 a handler that throws or rejects stops no other, and its next event is tried", async () => {
    const { bus, failures } = open();
    const topic = bus.topic<number>({ name: "t", overflow: "refuse", isCritical: true });
    const seen: number[] = [];
    topic.subscribe("throws", (event) => {
      if (event === 1) throw new Error("one");
    });
    topic.subscribe("rejects", async (event) => {
      if (event === 2) throw new Error("two");
    });
    topic.subscribe("works", (event) => void seen.push(event));
    for (const event of [1, 2, 3]) topic.publish(event);
    await bus.drain();
    expect(seen).toEqual([1, 2, 3]);
    expect(failures.map(String)).toEqual(["Error: one", "Error: two"]);
    expect(bus.counts().map(({ handled, failed }) => [handled, failed])).toEqual([
      [2, 1],
      [2, 1],
      [3, 0],
    ]);
    expect(bus.deadLetters.map(({ handler, event, reason }) => [handler, event, reason])).toEqual([
      ["throws", 1, "failed"],
      ["rejects", 2, "failed"],
    ]);
  });

  test("S5.04 five failures in a row open a handler's breaker; after five seconds one event tries whether it is over", async () => {
    const { bus, clock } = open();
    const topic = bus.topic<number>({ name: "t", overflow: "refuse", isCritical: true });
    let isBroken = true;
    const tried: number[] = [];
    topic.subscribe("h", (event) => {
      tried.push(event);
      if (isBroken) throw new Error("broken");
    });
    for (let event = 1; event <= 7; event++) topic.publish(event);
    await bus.drain();
    expect(tried).toEqual([1, 2, 3, 4, 5]);
    expect(bus.counts()[0]).toMatchObject({ failed: 5, skipped: 2, isOpen: true });
    expect(bus.deadLetters.slice(-2).map(({ event, reason }) => [event, reason])).toEqual([
      [6, "breaker_open"],
      [7, "breaker_open"],
    ]);
    clock.advance(5000);
    topic.publish(8);
    topic.publish(9);
    await bus.drain();
    // Still broken: one was enough to know.
    expect(tried).toEqual([1, 2, 3, 4, 5, 8]);
    isBroken = false;
    clock.advance(5000);
    topic.publish(10);
    topic.publish(11);
    await bus.drain();
    expect(tried.slice(-2)).toEqual([10, 11]);
    expect(bus.counts()[0]).toMatchObject({ handled: 2, isOpen: false });
  });

  test("S5.06 a handler past its time has its signal aborted and has failed; the next event of the key waits until it has ended", async () => {
    const { bus, clock, failures } = open();
    const topic = bus.topic<number>({ name: "t", overflow: "refuse", handlerMillisecondsMax: 100 });
    const held = gate();
    const seen: string[] = [];
    topic.subscribe("slow", async (event, signal) => {
      seen.push(`begun ${event}`);
      if (event === 2) return;
      signal.addEventListener("abort", () => seen.push("aborted"));
      await held.wait();
    });
    topic.publish(1);
    topic.publish(2);
    await turns();
    clock.advance(99);
    await turns();
    expect(seen).toEqual(["begun 1"]);
    clock.advance(1);
    await turns();
    expect(seen).toEqual(["begun 1", "aborted"]);
    held.open();
    await bus.drain();
    expect(seen).toEqual(["begun 1", "aborted", "begun 2"]);
    expect(failures).toHaveLength(1);
    expect(bus.counts()[0]).toMatchObject({ handled: 1, failed: 1, timedOut: 1, abandoned: 0 });
  });

  test("S5.06 one that does not end when told is given up after as long again, so that its key goes on", async () => {
    const { bus, clock } = open();
    const topic = bus.topic<number>({ name: "t", overflow: "refuse", handlerMillisecondsMax: 100, isCritical: true });
    const seen: number[] = [];
    topic.subscribe("stuck", (event) => {
      seen.push(event);
      return event === 1 ? new Promise<void>(() => {}) : undefined;
    });
    topic.publish(1);
    topic.publish(2);
    for (let step = 0; step < 2; step++) {
      await turns();
      clock.advance(100);
    }
    await bus.drain();
    expect(seen).toEqual([1, 2]);
    expect(bus.counts()[0]).toMatchObject({ handled: 1, failed: 1, timedOut: 1, abandoned: 1 });
    expect(bus.deadLetters.map(({ reason }) => reason)).toEqual(["timed_out"]);
  });
});

describe("event bus: order and end (S5.05, S5.08)", () => {
  test("S5.05 events of a key are handled one after another in order, however unevenly handlers take; keys go side by side", async () => {
    const { bus } = open();
    const random = seededRandom(7n);
    const topic = bus.topic<{ key: string; place: number }>({
      name: "t",
      overflow: "block",
      keyOf: ({ key }) => key,
      queueMax: 50,
    });
    const seen = new Map<string, number[]>();
    const inHand = new Set<string>();
    let sideBySide = 0;
    topic.subscribe("uneven", async ({ key, place }) => {
      expect(inHand.has(key)).toBe(false);
      inHand.add(key);
      sideBySide = Math.max(sideBySide, inHand.size);
      for (let turn = Math.floor(random.unit() * 6); turn > 0; turn--) await nextTurn();
      inHand.delete(key);
      seen.set(key, [...(seen.get(key) ?? []), place]);
    });
    for (let place = 0; place < 300; place++) {
      for (const key of ["a", "b", "c"]) await topic.publish({ key, place });
    }
    await bus.drain();
    for (const key of ["a", "b", "c"]) expect(seen.get(key)).toEqual(Array.from({ length: 300 }, (_, place) => place));
    expect(sideBySide).toBe(3);
  });

  test("S5.08 drain ends when the last handler has, not when queues are empty, and waits for what handlers publish", async () => {
    const { bus } = open();
    const first = bus.topic<number>({ name: "first", overflow: "refuse" });
    const second = bus.topic<number>({ name: "second", overflow: "refuse" });
    const held = gate();
    const seen: string[] = [];
    first.subscribe("passes on", async (event) => {
      await held.wait();
      second.publish(event);
      seen.push("passed on");
    });
    second.subscribe("last", async () => {
      await held.wait();
      seen.push("last");
    });
    first.publish(1);
    let isDrained = false;
    const draining = bus.drain().then(() => {
      isDrained = true;
    });
    await turns();
    expect([isDrained, bus.counts().map(({ waiting }) => waiting)]).toEqual([false, [0, 0]]);
    held.open();
    await turns();
    expect([isDrained, seen]).toEqual([false, ["passed on"]]);
    held.open();
    await draining;
    expect(seen).toEqual(["passed on", "last"]);
  });

  test("S5.08 a handler that was taken away is waited for while it works, and gets nothing more", async () => {
    const { bus } = open();
    const topic = bus.topic<number>({ name: "t", overflow: "refuse" });
    const held = gate();
    const seen: number[] = [];
    const leave = topic.subscribe("h", async (event) => {
      await held.wait();
      seen.push(event);
    });
    topic.publish(1);
    topic.publish(2);
    await turns();
    leave();
    let isDrained = false;
    const draining = bus.drain().then(() => {
      isDrained = true;
    });
    await turns();
    expect(isDrained).toBe(false);
    held.open();
    await draining;
    expect(seen).toEqual([1]);
  });

  test("names of topics and handlers are one each", () => {
    const { bus } = open();
    const topic = bus.topic({ name: "t", overflow: "refuse" });
    topic.subscribe("h", () => {});
    expect(() => topic.subscribe("h", () => {})).toThrow("has a handler h already");
    expect(() => bus.topic({ name: "t", overflow: "refuse" })).toThrow("is there already");
  });

  test("a hundred thousand events leave the loop its turns", async () => {
    const bus = createEventBus({ clock: (await import("../../../src/foundation/clock")).systemClock });
    const topic = bus.topic<number>({ name: "t", overflow: "refuse", queueMax: 100_000 });
    let handled = 0;
    topic.subscribe("h", () => void handled++);
    for (let event = 0; event < 100_000; event++) topic.publish(event);
    let handledAtTurn = -1;
    setImmediate(() => {
      handledAtTurn = handled;
    });
    await bus.drain();
    expect(handled).toBe(100_000);
    expect(handledAtTurn).toBeLessThan(100_000);
  });
});
