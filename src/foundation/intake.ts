// What comes in faster than it may be worked on: a bounded queue that gives it out in batches, and under pressure first lets newer values take the
// place of older ones of the same key, then drops the oldest, then takes no more. Values that were promised to somebody are neither replaced nor
// dropped. Separate from bounded-queue.ts, which only holds. It must never put two values of one key in another order.

import { assert } from "./assert";
import { Pressure, type PressureLevel } from "./pressure";

export interface IntakeOptions<Item> {
  /** Values waiting at most. */
  readonly countMax: number;
  /** Values that are given out together at most. */
  readonly batchMax: number;
  readonly keyOf: (item: Item) => string;
  /** It is promised that the value will be worked on. */
  readonly isPromised: (item: Item) => boolean;
}

export interface IntakeCounts {
  readonly waiting: number;
  readonly level: PressureLevel;
  /** How often each level was entered. */
  readonly entered: Readonly<Record<PressureLevel, number>>;
  readonly taken: number;
  readonly conflated: number;
  readonly dropped: number;
  readonly refused: number;
  readonly batches: number;
  /** How full the last batch was, 0 to 1. */
  readonly lastFill: number;
}

export class Intake<Item> {
  readonly #options: IntakeOptions<Item>;
  readonly #pressure: Pressure;
  /** Null: replaced, dropped or given out. */
  #items: (Item | null)[] = [];
  #headIndex = 0;
  /** Nothing before it may be dropped. */
  #dropIndex = 0;
  /** Waiting, holes not counted. */
  #count = 0;
  /** Where the newest waiting value of a key stands that may be replaced; kept only under pressure. */
  #places: Map<string, number> | null = null;
  #taken = 0;
  #conflated = 0;
  #dropped = 0;
  #refused = 0;
  #batches = 0;
  #lastFill = 0;

  constructor(options: IntakeOptions<Item>) {
    assert(options.batchMax > 0 && options.batchMax <= options.countMax, "a batch fits into the queue");
    this.#options = options;
    this.#pressure = new Pressure(options.countMax);
  }

  get count(): number {
    return this.#count;
  }

  get isBatchFull(): boolean {
    return this.#count >= this.#options.batchMax;
  }

  counts(): IntakeCounts {
    return {
      waiting: this.#count,
      level: this.#pressure.level,
      entered: this.#pressure.entered,
      taken: this.#taken,
      conflated: this.#conflated,
      dropped: this.#dropped,
      refused: this.#refused,
      batches: this.#batches,
      lastFill: this.#lastFill,
    };
  }

  /** Takes all of them, in order, or none: false, where they would not fit even after dropping what may be dropped. */
  add(items: readonly Item[]): boolean {
    const { countMax, isPromised } = this.#options;
    // A promise is not given where there is no room for it.
    const isCalm = this.#count + items.length <= countMax;
    if (!isCalm && (items.length > countMax || items.some(isPromised) || !this.#makeRoom(items.length))) {
      this.#refused += items.length;
      return false;
    }
    for (const item of items) this.#addOne(item);
    return true;
  }

  #addOne(item: Item): void {
    const { keyOf, isPromised } = this.#options;
    this.#taken += 1;
    const level = this.#pressure.at(this.#count);
    if (level === "ok") this.#places = null;
    else if (this.#replace(item)) return;
    if (level === "critical") this.#dropOldest();
    this.#items.push(item);
    this.#count += 1;
    if (this.#places === null) return;
    if (isPromised(item)) this.#places.delete(keyOf(item));
    else this.#places.set(keyOf(item), this.#items.length - 1);
  }

  /** The newest of a key takes the place of the one that waits. */
  #replace(item: Item): boolean {
    const { keyOf, isPromised } = this.#options;
    this.#places ??= this.#findPlaces();
    if (isPromised(item)) return false;
    const place = this.#places.get(keyOf(item));
    if (place === undefined) return false;
    this.#items[place] = item;
    this.#conflated += 1;
    return true;
  }

  #findPlaces(): Map<string, number> {
    const { keyOf, isPromised } = this.#options;
    const places = new Map<string, number>();
    for (let place = this.#headIndex; place < this.#items.length; place++) {
      const item = this.#items[place]!;
      if (item === null) continue;
      // Only the newest of a key: an older one is followed by one that may not be overtaken.
      if (isPromised(item)) places.delete(keyOf(item));
      else places.set(keyOf(item), place);
    }
    return places;
  }

  #makeRoom(count: number): boolean {
    while (this.#count + count > this.#options.countMax) {
      if (!this.#dropOldest()) return false;
    }
    return true;
  }

  /** False where all that waits is promised. */
  #dropOldest(): boolean {
    this.#dropIndex = Math.max(this.#dropIndex, this.#headIndex);
    while (this.#dropIndex < this.#items.length) {
      const place = this.#dropIndex++;
      const item = this.#items[place]!;
      if (item === null || this.#options.isPromised(item)) continue;
      this.#items[place] = null;
      this.#count -= 1;
      this.#dropped += 1;
      const key = this.#options.keyOf(item);
      if (this.#places?.get(key) === place) this.#places.delete(key);
      return true;
    }
    return false;
  }

  /** The oldest that wait, at most a batch of them. */
  take(): Item[] {
    const { batchMax, keyOf } = this.#options;
    const batch: Item[] = [];
    while (batch.length < batchMax && this.#headIndex < this.#items.length) {
      const item = this.#items[this.#headIndex]!;
      const place = this.#headIndex++;
      if (item === null) continue;
      this.#items[place] = null;
      batch.push(item);
      if (this.#places?.get(keyOf(item)) === place) this.#places.delete(keyOf(item));
    }
    this.#count -= batch.length;
    this.#tidy();
    this.#pressure.at(this.#count);
    if (batch.length > 0) {
      this.#batches += 1;
      this.#lastFill = batch.length / batchMax;
    }
    return batch;
  }

  #tidy(): void {
    if (this.#headIndex < this.#items.length && this.#headIndex * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#headIndex);
    this.#dropIndex = Math.max(0, this.#dropIndex - this.#headIndex);
    this.#headIndex = 0;
    // Places have moved; found anew where they are needed.
    this.#places = null;
  }
}
