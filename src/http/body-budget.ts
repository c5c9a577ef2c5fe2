// How much of large bodies, with the answers made from them, this process holds at once. Separate because it is the only
// bound over several requests together: each is held to its route's limit, but enough of them at a time would still fill
// the memory. Small bodies are not counted; they are as bounded as requests under way are.

import { Refusal } from "./problem";

/** Bodies up to this size are not counted. */
export const countedBytesMin = 65_536;
/** Larger bodies count until their answer has gone out; those up to this size until it is made. */
export const heldBytesMin = 1_048_576;

/** What one request holds, from its body to the last byte of its answer. */
export interface BodyLease {
  /** Counts further bytes. Throws Refusal 503 BODIES_WAITING where there is no room for them. */
  add(bytes: number): void;
  /** Whether so much is counted that the end of the answer matters. */
  readonly isHeld: boolean;
  /** Gives everything back; once is enough, more does no harm. */
  release(): void;
}

/** Bytes given back after which memory is asked to follow. */
const collectedBytesMin = 33_554_432;

export class BodyBudget {
  readonly #bytesMax: () => number;
  readonly #collect: () => void;
  #heldBytes = 0;
  #givenBackBytes = 0;

  /**
   * `collect` is called when much was given back: the runtime sees small objects die, not the large arrays behind them, and
   * without it the next bodies come on top of the last (a peak of 690 to 830 MB over six bodies of a million options; 380 to
   * 450 MB with it, at no step over 30 ms; a collection done at once and in full takes 45 ms).
   */
  constructor(bytesMax: number | (() => number), collect: () => void = () => {}) {
    this.#bytesMax = typeof bytesMax === "number" ? () => bytesMax : bytesMax;
    this.#collect = collect;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  lease(): BodyLease {
    return new Lease(this);
  }

  /** Counts more bytes for one body, which counts for `counted` so far and for `total` now. */
  take(total: number, counted: number): void {
    const heldByOthers = this.#heldBytes - counted;
    // One body alone always has room: its own route bounds it.
    if (heldByOthers > 0 && heldByOthers + total > this.#bytesMax()) throw waiting();
    this.#heldBytes += total - counted;
  }

  giveBack(counted: number): void {
    this.#heldBytes -= counted;
    this.#givenBackBytes += counted;
    if (this.#givenBackBytes < collectedBytesMin) return;
    this.#givenBackBytes = 0;
    this.#collect();
  }
}

/** A class, since every request with a body has one: an object with functions of its own is several objects. */
class Lease implements BodyLease {
  readonly #budget: BodyBudget;
  #total = 0;
  #counted = 0;
  #isOver = false;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  add(bytes: number): void {
    this.#total += bytes;
    if (this.#isOver || this.#total <= countedBytesMin) return;
    this.#budget.take(this.#total, this.#counted);
    this.#counted = this.#total;
  }

  get isHeld(): boolean {
    return this.#counted > heldBytesMin && !this.#isOver;
  }

  release(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#budget.giveBack(this.#counted);
  }
}

function waiting(): Refusal {
  return new Refusal({
    kind: "unavailable",
    code: "BODIES_WAITING",
    detail: "Too many large bodies are under way; retry after the time the answer names",
    headers: { "retry-after": "1" },
  });
}
