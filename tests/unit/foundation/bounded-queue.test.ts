// The queue with a limit, against a plain array over random steps.

import { describe, expect, test } from "bun:test";
import { BoundedQueue } from "../../../src/foundation/bounded-queue";
import { seededRandom } from "../../../src/foundation/random";

describe("BoundedQueue", () => {
  test("gives back what it took, in order, and says false when full", () => {
    const queue = new BoundedQueue<string>(2);
    expect([queue.push("a"), queue.push("b"), queue.push("c")]).toEqual([true, true, false]);
    expect([queue.count, queue.peek(), queue.shift(), queue.count]).toEqual([2, "a", "a", 1]);
    expect(queue.push("d")).toBe(true);
    expect(queue.drain()).toEqual(["b", "d"]);
    expect([queue.count, queue.peek(), queue.shift()]).toEqual([0, undefined, undefined]);
  });

  test("behaves as a plain array over 20,000 random steps (seed 11)", () => {
    const random = seededRandom(11n);
    const queue = new BoundedQueue<number>(50);
    const plain: number[] = [];
    for (let step = 0; step < 20_000; step++) {
      if (random.unit() < 0.52) {
        const accepted = plain.length < 50;
        if (accepted) plain.push(step);
        expect(queue.push(step)).toBe(accepted);
      } else if (random.unit() < 0.01) {
        expect(queue.drain()).toEqual(plain.splice(0));
      } else {
        expect(queue.shift()).toBe(plain.shift() as number);
      }
      expect([queue.count, queue.peek()]).toEqual([plain.length, plain[0]]);
    }
  });

  for (const countMax of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    test(`a limit of ${countMax} is our own mistake`, () => {
      expect(() => new BoundedQueue(countMax)).toThrow("limit must be a positive integer");
    });
  }
});
