// A first-in first-out queue with a limit, as every queue here must have one. It only holds values:
// waiting, waking and what to answer when it is full are its owner's business.

import { assert } from "./assert";

/** First in, first out, at most `countMax` values. Every operation is constant time (shift amortised). */
export class BoundedQueue<T> {
  readonly countMax: number;
  #values: (T | undefined)[] = [];
  #headIndex = 0;

  constructor(countMax: number) {
    assert(
      Number.isSafeInteger(countMax) && countMax > 0,
      `a queue's limit must be a positive integer, not ${countMax}`,
    );
    this.countMax = countMax;
  }

  get count(): number {
    return this.#values.length - this.#headIndex;
  }

  /** Appends and says true; says false, changing nothing, where the queue is full. */
  push(value: T): boolean {
    if (this.count >= this.countMax) return false;
    this.#values.push(value);
    return true;
  }

  /** The oldest value without taking it, or undefined where the queue is empty. */
  peek(): T | undefined {
    return this.#values[this.#headIndex];
  }

  /** Takes the oldest value, or undefined where the queue is empty. */
  shift(): T | undefined {
    if (this.count === 0) return undefined;
    const value = this.#values[this.#headIndex];
    this.#values[this.#headIndex] = undefined;
    this.#headIndex += 1;
    // Half the array is holes: copy the rest once, so that the cost stays constant on average.
    if (this.#headIndex * 2 >= this.#values.length) {
      this.#values = this.#values.slice(this.#headIndex);
      this.#headIndex = 0;
    }
    return value;
  }

  /** Takes up to `countMax` values, oldest first. */
  take(countMax: number): T[] {
    const values: T[] = [];
    while (values.length < countMax && this.count > 0) values.push(this.shift() as T);
    return values;
  }

  /** Takes everything, oldest first. */
  drain(): T[] {
    const values = this.#values.slice(this.#headIndex) as T[];
    this.#values = [];
    this.#headIndex = 0;
    return values;
  }
}
