// Counting what happens again and again instead of telling it each time: the first of a kind is told at once, what follows within
// its window is counted and told in one line at the window's end. Separate because a flood must cost a bounded number of lines
// and of bytes, whoever sends it. It holds no clock: the moment is handed in.

import { assert } from "./assert";

/** What is to be told of one kind: its last value, and how often it came after the first. */
export interface Repeats<Value> {
  readonly value: Value;
  readonly count: number;
  /** The kinds were too many to be told apart: this counts all of those. */
  readonly isOverflow: boolean;
}

interface Window<Value> {
  readonly endsAtMilliseconds: number;
  value: Value;
  count: number;
}

export class RepeatCounter<Value> {
  readonly #windowMilliseconds: number;
  readonly #kindCountMax: number;
  /** In the order of their beginning, so that those which end first stand first. */
  readonly #windows = new Map<string, Window<Value>>();
  #overflow: Window<Value> | null = null;

  /** At most `kindCountMax` kinds are told apart at once; a value of a further kind is counted with all such. */
  constructor(limits: { windowMilliseconds: number; kindCountMax: number }) {
    assert(limits.windowMilliseconds > 0 && limits.kindCountMax > 0, "a window and a count of kinds are positive");
    this.#windowMilliseconds = limits.windowMilliseconds;
    this.#kindCountMax = limits.kindCountMax;
  }

  /** True where this is the first of its kind, to be told now; false where it was counted. */
  isFirst(kind: string, value: Value, nowMilliseconds: number): boolean {
    const known = this.#windows.get(kind);
    if (known) {
      known.value = value;
      known.count += 1;
      return false;
    }
    if (this.#windows.size < this.#kindCountMax) {
      this.#windows.set(kind, { endsAtMilliseconds: nowMilliseconds + this.#windowMilliseconds, value, count: 0 });
      return true;
    }
    this.#overflow ??= { endsAtMilliseconds: nowMilliseconds + this.#windowMilliseconds, value, count: 0 };
    this.#overflow.value = value;
    this.#overflow.count += 1;
    return false;
  }

  /** Ends the windows whose time is over and gives what they counted; a kind seen once gives nothing. */
  takeEnded(nowMilliseconds: number): Repeats<Value>[] {
    const told: Repeats<Value>[] = [];
    for (const [kind, { endsAtMilliseconds, value, count }] of this.#windows) {
      if (endsAtMilliseconds > nowMilliseconds) break;
      this.#windows.delete(kind);
      if (count > 0) told.push({ value, count, isOverflow: false });
    }
    if (this.#overflow !== null && this.#overflow.endsAtMilliseconds <= nowMilliseconds) {
      const { value, count } = this.#overflow;
      this.#overflow = null;
      told.push({ value, count, isOverflow: true });
    }
    return told;
  }
}
