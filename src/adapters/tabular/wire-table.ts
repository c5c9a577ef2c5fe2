// A table as a client sends it: columns of numbers and of words, read straight from the bytes of a body. Separate from
// table.ts, whose readers forgive a person's file cell by cell and tell about it afterwards; a client's body is taken
// whole or refused whole, with a pointer to each fault. A missing number (a null, an empty cell) is a value and becomes NaN:
// what NaN comes to is that row's own affair. Words are kept once each, because a million rows hold few different ones.

import { BsoptError, type FieldFault } from "../../foundation/errors";

/** Words by code: row i says `words[codes[i]]`, or nothing where the code is −1. */
export interface WordColumn {
  readonly kind: "word";
  readonly words: readonly string[];
  readonly codes: Int32Array;
}

export interface NumberColumn {
  readonly kind: "number";
  readonly values: Float64Array;
}

export type WireColumn = NumberColumn | WordColumn;

/** A body by columns. The arrays may be views of the bytes it was read from. */
export class WireTable {
  constructor(
    readonly count: number,
    readonly columns: ReadonlyMap<string, WireColumn>,
  ) {}
}

/**
 * The columns a body may have, and as what. A list is read as a word, its text; where JSON holds an array, that array's text.
 */
export type WireSchema = Readonly<Record<string, WireColumn["kind"] | "list">>;

export interface WireLimits {
  readonly rowsMax: number;
  /** Of one line of text. */
  readonly lineBytesMax: number;
}

/** Lets others have their turn; awaited between steps of at most a few milliseconds. */
export type GiveWay = () => Promise<void>;

/** The media types a table travels as, each with the format's short name. */
export const wireFormats = {
  ndjson: "application/x-ndjson",
  csv: "text/csv",
  arrow: "application/vnd.apache.arrow.stream",
} as const;

export type WireFormat = keyof typeof wireFormats;

/** Bytes that are not what their media type says. Carries no faults, by which it is told from a table of a wrong shape. */
export function malformedTable(detail: string, cause?: unknown): BsoptError {
  return new BsoptError({ reason: "invalid", code: "BODY_MALFORMED", detail, cause });
}

/** More rows than are taken at once. */
export function tooManyRows(rowsMax: number): BsoptError {
  return new BsoptError({
    reason: "limit-breached",
    code: "BATCH_TOO_LARGE",
    detail: `A batch has ${rowsMax} options at most; this one has more`,
  });
}

const faultsMax = 20;

/** Gathers what is wrong with a table's shape, up to a limit. */
export class TableFaults {
  readonly #list: FieldFault[] = [];

  get isFull(): boolean {
    return this.#list.length >= faultsMax;
  }

  /** A fault of a column, or of one of its cells; rows count from 0. */
  add(column: string, row: number | null, code: string, detail: string): void {
    if (this.isFull) return;
    const name = column.slice(0, 64).replaceAll("~", "~0").replaceAll("/", "~1");
    this.#list.push({ pointer: row === null ? `/${name}` : `/${name}/${row}`, code, detail });
  }

  /** Throws BsoptError `invalid` with all faults, if there are any. */
  throwIfAny(): void {
    const first = this.#list[0];
    if (first === undefined) return;
    throw new BsoptError({
      reason: "invalid",
      code: "SCHEMA_INVALID",
      detail: `${first.pointer} ${first.detail}`,
      faults: this.#list,
    });
  }
}

/** Adds a fault for every column that is unknown or comes twice. */
export function checkNames(names: readonly string[], schema: WireSchema, faults: TableFaults): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (!Object.hasOwn(schema, name)) faults.add(name, null, "UNKNOWN_FIELD", "is not a column of this batch");
    else if (seen.has(name)) faults.add(name, null, "REPEATED", "comes twice");
    seen.add(name);
    if (faults.isFull) return;
  }
}

const firstCapacity = 1024;

/** Numbers as they come. */
export class GrowingNumbers {
  #values = new Float64Array(firstCapacity);
  #count = 0;

  push(value: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(this.#count * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count++] = value;
  }

  finish(): NumberColumn {
    return { kind: "number", values: this.#values.subarray(0, this.#count) };
  }
}

/** Words as they come, each kept once. */
export class GrowingWords {
  readonly #codeOf = new Map<string, number>();
  #codes = new Int32Array(firstCapacity);
  #count = 0;
  #lastWord: string | null = null;
  #lastCode = -1;

  /** Null is a missing word. */
  push(word: string | null): void {
    if (this.#count === this.#codes.length) {
      const larger = new Int32Array(this.#count * 2);
      larger.set(this.#codes);
      this.#codes = larger;
    }
    this.#codes[this.#count++] = word === null ? -1 : this.#code(word);
  }

  finish(): WordColumn {
    return { kind: "word", words: [...this.#codeOf.keys()], codes: this.#codes.subarray(0, this.#count) };
  }

  #code(word: string): number {
    if (word === this.#lastWord) return this.#lastCode;
    let code = this.#codeOf.get(word);
    if (code === undefined) {
      code = this.#codeOf.size;
      this.#codeOf.set(word, code);
    }
    this.#lastWord = word;
    this.#lastCode = code;
    return code;
  }
}
