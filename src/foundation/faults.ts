// What is wrong with a request, gathered so that all of it is told at once. Separate from errors.ts, which is thrown: this decides when.
// It holds a bounded number of faults and never what was sent.

import { BsoptError, type FieldFault } from "./errors";

/** Faults told of at most; a body can have a hundred thousand. */
export const faultCountMax = 20;

/** Gathers faults up to the limit and throws them together. */
export class Faults {
  readonly #list: FieldFault[] = [];
  readonly #placeOf: ((pointer: string) => string) | undefined;

  /** `placeOf` says where a fault's pointer leads where fields do not stand in the body. */
  constructor(placeOf?: (pointer: string) => string) {
    this.#placeOf = placeOf;
  }

  get isFull(): boolean {
    return this.#list.length >= faultCountMax;
  }

  add(at: string, code: string, detail: string): void {
    const pointer = this.#placeOf?.(at) ?? at;
    // One text read for every row of a column is one fault.
    if (this.isFull || this.#list.some((fault) => fault.pointer === pointer && fault.code === code)) return;
    this.#list.push({ pointer, code, detail });
  }

  /** Throws `invalid` if there are any. */
  throwIfAny(): void {
    const first = this.#list[0];
    if (!first) return;
    throw new BsoptError({
      reason: "invalid",
      code: first.code,
      detail: `${first.pointer} ${first.detail}`,
      faults: this.#list,
    });
  }
}
