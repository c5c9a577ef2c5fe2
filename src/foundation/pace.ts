// How often something is done at most, however often it is asked for: the first asking is granted at once, those that follow within the interval
// are granted together at its end. Separate because what is done is its owner's business, and so is waking up in time. Pure.

export class Pace {
  readonly #intervalMilliseconds: number;
  #isAsked = false;
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(intervalMilliseconds: number) {
    this.#intervalMilliseconds = intervalMilliseconds;
  }

  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** It is wanted from now on, until granted. */
  ask(): void {
    this.#isAsked = true;
  }

  /** When what is asked for may be done, or null where nobody asks. */
  get dueAt(): number | null {
    return this.#isAsked ? this.#lastAt + this.#intervalMilliseconds : null;
  }

  /** Whether it is asked for and may be done now; then it counts as done. */
  grant(nowMilliseconds: number): boolean {
    if (!this.#isAsked || nowMilliseconds < this.#lastAt + this.#intervalMilliseconds) return false;
    this.#isAsked = false;
    this.#lastAt = nowMilliseconds;
    return true;
  }
}
