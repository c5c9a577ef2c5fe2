// Inputs of many numbers each, such as an option's dividends: all lists of a batch end to end in one array, each led by how many numbers
// follow, so that a list crosses into the kernel by copying and rows may share one. Separate from place.ts, which copies them, and from
// those who read bodies and files, which make them.

import { assert } from "../foundation/assert";
import { newColumn } from "../foundation/column";

/** Lists of numbers. */
export interface Lists {
  /** Every list, led by its length. */
  readonly values: Float64Array;
  /** Where in `values` the list of each row begins; a number: that of every row. */
  readonly starts: number | Float64Array;
  /** Numbers of the longest, its length counted too. */
  readonly longest: number;
}

/** Numbers that the lists of a batch hold at most: 32 MiB. */
export const listNumbersMax = 4_194_304;

const firstCapacity = 256;

/** Gathers lists; the same list twice running is held once. */
export class ListsBuilder {
  #values = new Float64Array(firstCapacity);
  #end = 0;
  #last = -1;
  #longest = 1;

  /** Adds a list and tells where it begins, or null where there is no room for it: past `listNumbersMax`. */
  add(numbers: readonly number[]): number | null {
    if (this.#last >= 0 && this.#isLast(numbers)) return this.#last;
    const start = this.#end;
    const end = start + 1 + numbers.length;
    if (end > listNumbersMax) return null;
    if (end > this.#values.length) {
      const larger = new Float64Array(Math.max(end, 2 * this.#values.length));
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[start] = numbers.length;
    this.#values.set(numbers, start + 1);
    this.#longest = Math.max(this.#longest, 1 + numbers.length);
    this.#last = start;
    this.#end = end;
    return start;
  }

  /** The lists, each row's beginning at its start. They lie where threads share them. */
  finish(starts: number | Float64Array): Lists {
    const values = newColumn(this.#end);
    values.set(this.#values.subarray(0, this.#end));
    return { values, starts, longest: this.#longest };
  }

  #isLast(numbers: readonly number[]): boolean {
    const values = this.#values;
    if (values[this.#last] !== numbers.length) return false;
    for (let index = 0; index < numbers.length; index++) {
      if (!Object.is(values[this.#last + 1 + index], numbers[index])) return false;
    }
    return true;
  }
}

/** One list for every row. */
export function sameLists(numbers: readonly number[]): Lists {
  return { values: Float64Array.of(numbers.length, ...numbers), starts: 0, longest: 1 + numbers.length };
}

/** A list a row. */
export function listsOf(rows: readonly (readonly number[])[]): Lists {
  const builder = new ListsBuilder();
  const starts = Float64Array.from(rows, (numbers) => {
    const start = builder.add(numbers);
    assert(start !== null, "the lists hold too many numbers");
    return start;
  });
  return builder.finish(starts);
}

/** The lists of the rows from start to stop. */
export function slicedLists(lists: Lists, start: number, stop: number): Lists {
  return typeof lists.starts === "number" ? lists : { ...lists, starts: lists.starts.subarray(start, stop) };
}

/** The numbers of a row's list. */
export function listAt({ values, starts }: Lists, row: number): Float64Array {
  const start = typeof starts === "number" ? starts : starts[row]!;
  return values.subarray(start + 1, start + 1 + values[start]!);
}
