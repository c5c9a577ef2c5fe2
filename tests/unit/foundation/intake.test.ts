// What comes in faster than it is worked on: what is kept, what is replaced, what goes, and that order holds. S4.31 and S4.34's rules by themselves.

import { describe, expect, test } from "bun:test";
import { Intake } from "../../../src/foundation/intake";
import { Pressure } from "../../../src/foundation/pressure";
import { seededRandom } from "../../../src/foundation/random";

interface Item {
  readonly key: string;
  readonly value: number;
  readonly isPromised?: boolean;
}

const open = (countMax: number, batchMax = countMax) =>
  new Intake<Item>({
    countMax,
    batchMax,
    keyOf: ({ key }) => key,
    isPromised: ({ isPromised }) => isPromised === true,
  });
const of = (text: string): Item[] =>
  text
    .split(" ")
    .map((word) => ({ key: word[0]!, value: Number.parseInt(word.slice(1), 10), isPromised: word.endsWith("!") }));
const told = (items: readonly Item[]) => items.map(({ key, value }) => `${key}${value}`).join(" ");

describe("intake", () => {
  test("S4.31 gives out batches in order, tells how full the last was and what is pending", () => {
    const intake = open(100, 4);
    intake.add(of("a1 b1 a2 a2 c1"));
    expect([intake.count, intake.isBatchFull]).toEqual([5, true]);
    expect(told(intake.take())).toBe("a1 b1 a2 a2");
    expect(intake.counts()).toMatchObject({ lastFill: 1, batches: 1, waiting: 1, taken: 5 });
    expect([told(intake.take()), intake.counts().lastFill, told(intake.take())]).toEqual(["c1", 0.25, ""]);
    expect(intake.counts()).toMatchObject({ batches: 2, waiting: 0, level: "ok" });
  });

  test("S4.34 from half full on the newest of a key takes the waiting one's place", () => {
    const intake = open(10);
    intake.add(of("a1 b1 c1 d1 e1 a2 f1 b2"));
    expect(told(intake.take())).toBe("a2 b2 c1 d1 e1 f1");
    expect(intake.counts()).toMatchObject({ conflated: 2, dropped: 0, entered: { warn: 1, critical: 0 } });
  });

  test("S4.34 from nine tenths on the oldest goes", () => {
    const intake = open(10);
    for (const item of of("a1 b1 c1 d1 e1 f1 g1 h1 i1 j1 k1")) intake.add([item]);
    expect(told(intake.take())).toBe("c1 d1 e1 f1 g1 h1 i1 j1 k1");
    expect(intake.counts()).toMatchObject({ dropped: 2, entered: { critical: 1 } });
  });

  test("S4.34 what is promised is neither replaced nor dropped, and is refused where there is no room", () => {
    const intake = open(10);
    intake.add(of("a1! b1 c1! d1 e1 a2 f1"));
    expect(told(intake.take())).toBe("a1 b1 c1 d1 e1 a2 f1");
    for (const name of "abcdefghij") expect(intake.add(of(`${name}1!`))).toBe(true);
    expect(intake.add(of("k1!"))).toBe(false);
    expect(intake.add(of("k1"))).toBe(false);
    expect(intake.counts()).toMatchObject({ waiting: 10, refused: 2, dropped: 0 });
  });

  test("S4.34 a promise between two of a key keeps their order: the older is not overtaken", () => {
    const intake = open(8);
    intake.add(of("a1 b1 c1 d1 a2! a3 a4"));
    expect(told(intake.take())).toBe("a1 b1 c1 d1 a2 a4");
  });

  test("S4.34 more than fit at all are refused whole", () => {
    const intake = open(3);
    expect(intake.add(of("a1 b1 c1 d1"))).toBe(false);
    expect(intake.counts()).toMatchObject({ waiting: 0, refused: 4, taken: 0 });
  });

  test("S4.34 a key's values leave in the order they came, the last of them always does, and nothing is unaccounted for, whatever the load", () => {
    const random = seededRandom(11n);
    for (let round = 0; round < 200; round++) {
      const intake = open(1 + Math.floor(random.unit() * 40), 1);
      const left = new Map<string, number>();
      const promised = new Set<number>();
      let [value, out] = [0, 0];
      for (let step = 0; step < 300; step++) {
        if (random.unit() < 0.7) {
          const item = {
            key: "abcdefgh"[Math.floor(random.unit() * 8)]!,
            value: value++,
            isPromised: random.unit() < 0.1,
          };
          if (intake.add([item]) && item.isPromised) promised.add(item.value);
        } else {
          for (const { key, value } of intake.take()) {
            expect(value).toBeGreaterThan(left.get(key) ?? -1);
            left.set(key, value);
            promised.delete(value);
            out += 1;
          }
        }
        const { taken, waiting, conflated, dropped } = intake.counts();
        expect(taken).toBe(out + waiting + conflated + dropped);
      }
      for (let batch = intake.take(); batch.length > 0; batch = intake.take())
        for (const { value } of batch) promised.delete(value);
      expect(promised.size).toBe(0);
    }
  });
});

describe("pressure", () => {
  test("S4.34 a level is left well below where it was entered", () => {
    const pressure = new Pressure(100);
    const levels = [49, 50, 30, 24, 89, 90, 61, 59, 90, 10].map((count) => pressure.at(count));
    expect(levels).toEqual(["ok", "warn", "warn", "ok", "warn", "critical", "critical", "warn", "critical", "ok"]);
    expect(pressure.entered).toEqual({ ok: 2, warn: 3, critical: 2 });
  });
});
