// The last few of something that is asked for again and again, looked through one by one. Separate because what makes two of
// them the same is their owner's to say. It holds a few and never more.

import { assert } from "./assert";

export class Recent<Item> {
  readonly #countMax: number;
  readonly #items: Item[] = [];
  #next = 0;

  constructor(countMax: number) {
    assert(Number.isSafeInteger(countMax) && countMax > 0, "a positive whole number of items");
    this.#countMax = countMax;
  }

  /** The first that is the one. */
  find(isIt: (item: Item) => boolean): Item | undefined {
    for (let index = 0; index < this.#items.length; index++) {
      const item = this.#items[index]!;
      if (isIt(item)) return item;
    }
    return undefined;
  }

  /** Keeps it, in the place of the oldest where there are enough. */
  keep(item: Item): Item {
    this.#items[this.#next] = item;
    this.#next = (this.#next + 1) % this.#countMax;
    return item;
  }
}
