// One chunk's buffers in the kernel's memory: the request block, option types, statuses and columns, and the copying in and
// out. Separate from kernel.ts, which knows threads and instances, because this is all there is to know of bytes. It knows addresses and bytes, no finance; nothing but this file writes a request block.

import { assert } from "../foundation/assert";
import { flagIsCallBroadcast, flagUnattainableIsZero, inputsMax, outputsMax, requestLayout } from "./abi";

/** One input: its id and either one number for every row or a column as long as the request. */
export interface KernelInput {
  readonly id: number;
  readonly column: number | Float64Array;
}

/** One output: its id and the factor its raw values are multiplied by. */
export interface KernelOutput {
  readonly id: number;
  readonly factor: number;
}

/** One call's columns. */
export interface KernelRequest {
  readonly operation: "price" | "implied_volatility";
  readonly model: number;
  readonly count: number;
  /** true or 1 is a call. */
  readonly isCall: boolean | Uint8Array;
  readonly inputs: readonly KernelInput[];
  readonly outputs: readonly KernelOutput[];
  /** Implied volatility only: a price that no volatility gives becomes 0 instead of null. */
  readonly unattainableIsZero?: boolean;
}

/** What a call gives: fresh arrays, one per output in the request's order, and the statuses. */
export interface KernelResult {
  readonly columns: readonly Float64Array[];
  readonly status: Int32Array;
}

/** Columns a place has buffers for. A call that needs more is our mistake. */
const columnsMax = 32;

/**
 * Bytes from one column to the next: a chunk and five cache lines. Columns a power of two apart would share the sets of the
 * first-level cache and push each other out (a tenth of the time).
 */
function columnBytes(rowsMax: number): number {
  return rowsMax * 8 + 320;
}

/** The next address on a cache line. */
export function alignUp(address: number): number {
  return Math.ceil(address / 64) * 64;
}

/** Arrays for every row of a request, to be filled part by part. */
export function emptyResult({ count, outputs }: KernelRequest): KernelResult {
  return { columns: outputs.map(() => new Float64Array(count)), status: new Int32Array(count) };
}

export interface PlaceOptions {
  readonly memory: WebAssembly.Memory;
  /** Where it begins, on a cache line; `Place.bytes` follow that are its alone. */
  readonly address: number;
  readonly rowsMax: number;
  readonly requestBytes: number;
  /** The scratch of the thread that will compute here. */
  readonly scratch: number;
}

/** Room for one chunk of up to `rowsMax` rows. Fill it, have its `address` computed, then take the results out. */
export class Place {
  /** Bytes a place takes. */
  static bytes({ rowsMax, requestBytes }: Pick<PlaceOptions, "rowsMax" | "requestBytes">): number {
    return alignUp(requestBytes) + alignUp(rowsMax) + alignUp(rowsMax * 4) + columnsMax * alignUp(columnBytes(rowsMax));
  }

  /** Of the request block: what the kernel's functions are called with. */
  readonly address: number;
  readonly rowsMax: number;
  readonly #words: Uint32Array;
  readonly #factors: Float64Array;
  readonly #isCalls: Uint8Array;
  readonly #statuses: Int32Array;
  readonly #columns: readonly Float64Array[];
  /** Which of the columns are outputs of the request described last. */
  #outputsFrom = 0;
  #outputCount = 0;

  constructor({ memory, address, rowsMax, requestBytes, scratch }: PlaceOptions) {
    const { buffer } = memory;
    const isCalls = address + alignUp(requestBytes);
    const statuses = isCalls + alignUp(rowsMax);
    const columns = statuses + alignUp(rowsMax * 4);
    this.address = address;
    this.rowsMax = rowsMax;
    this.#words = new Uint32Array(buffer, address, requestBytes / 4);
    this.#factors = new Float64Array(buffer, address + requestLayout.factors, outputsMax);
    this.#isCalls = new Uint8Array(buffer, isCalls, rowsMax);
    this.#statuses = new Int32Array(buffer, statuses, rowsMax);
    this.#columns = Array.from(
      { length: columnsMax },
      (_, index) => new Float64Array(buffer, columns + index * alignUp(columnBytes(rowsMax)), rowsMax),
    );
    this.#words[requestLayout.scratch / 4] = scratch;
    this.#words[requestLayout.isCall / 4] = isCalls;
    this.#words[requestLayout.status / 4] = statuses;
  }

  /** Writes the request block and what is the same for every row. */
  describe({ model, isCall, inputs, outputs, unattainableIsZero }: KernelRequest): void {
    assert(inputs.length + outputs.length <= columnsMax, `${inputs.length} and ${outputs.length} columns at once`);
    const words = this.#words;
    let broadcastMask = 0;
    let outputMask = 0;
    words[requestLayout.model / 4] = model;
    words[requestLayout.flags / 4] =
      (typeof isCall === "boolean" ? flagIsCallBroadcast : 0) | (unattainableIsZero ? flagUnattainableIsZero : 0);
    if (typeof isCall === "boolean") this.#isCalls[0] = isCall ? 1 : 0;
    for (let index = 0; index < inputs.length; index++) {
      const { id, column } = inputs[index]!;
      assert(id < inputsMax, `input id ${id}`);
      const view = this.#columns[index]!;
      words[requestLayout.inputs / 4 + id] = view.byteOffset;
      if (typeof column === "number") {
        broadcastMask |= 1 << id;
        view[0] = column;
      }
    }
    for (let index = 0; index < outputs.length; index++) {
      const { id, factor } = outputs[index]!;
      assert(id < outputsMax, `output id ${id}`);
      outputMask |= 1 << id;
      words[requestLayout.outputs / 4 + id] = this.#columns[inputs.length + index]!.byteOffset;
      this.#factors[id] = factor;
    }
    words[requestLayout.broadcastMask / 4] = broadcastMask;
    words[requestLayout.outputMask / 4] = outputMask >>> 0;
    this.#outputsFrom = inputs.length;
    this.#outputCount = outputs.length;
  }

  /** Copies the rows from start to stop in. */
  load({ isCall, inputs }: KernelRequest, start: number, stop: number): void {
    this.#words[requestLayout.count / 4] = stop - start;
    if (typeof isCall !== "boolean") this.#isCalls.set(part(isCall, start, stop));
    for (let index = 0; index < inputs.length; index++) {
      const { column } = inputs[index]!;
      if (typeof column !== "number") this.#columns[index]!.set(part(column, start, stop));
    }
  }

  /** Copies the computed rows to where they belong in the whole request's result. */
  unload({ columns, status }: KernelResult, start: number, stop: number): void {
    const count = stop - start;
    for (let index = 0; index < columns.length; index++) {
      columns[index]!.set(part(this.#columns[this.#outputsFrom + index]!, 0, count), start);
    }
    status.set(part(this.#statuses, 0, count), start);
  }

  /** The computed rows as fresh arrays. Those of a batch share one buffer: views of it cost nothing, and one is made. */
  take(count: number): KernelResult {
    const columns: Float64Array[] = [];
    const status = new Int32Array(count);
    if (count === 1) {
      for (let index = 0; index < this.#outputCount; index++) {
        const column = new Float64Array(1);
        column[0] = this.#columns[this.#outputsFrom + index]![0]!;
        columns.push(column);
      }
      status[0] = this.#statuses[0]!;
      return { columns, status };
    }
    const buffer = new ArrayBuffer(this.#outputCount * count * 8);
    for (let index = 0; index < this.#outputCount; index++) {
      const column = new Float64Array(buffer, index * count * 8, count);
      column.set(part(this.#columns[this.#outputsFrom + index]!, 0, count));
      columns.push(column);
    }
    status.set(part(this.#statuses, 0, count));
    return { columns, status };
  }
}

/** The rows from start to stop, without a new view where that is the whole column. */
function part<Column extends Float64Array | Int32Array | Uint8Array>(
  column: Column,
  start: number,
  stop: number,
): Column {
  return (start === 0 && stop === column.length ? column : column.subarray(start, stop)) as Column;
}
