// One chunk's buffers in the kernel's memory: a place with the request block, option types and input columns, and trays for what
// is computed, and the copying in and out. Separate from kernel.ts, which knows threads and instances, because this is
// all there is to know of bytes. It knows no finance; nothing but this file writes a request block.

import { assert, InvariantError } from "../foundation/assert";
import { flagIsCallBroadcast, flagUnattainableIsZero, inputsMax, outputsMax, requestLayout } from "./abi";
import type { Lists } from "./lists";

/** One input: its id and either one number for every row or a column as long as the request. */
export interface KernelInput {
  readonly id: number;
  readonly column: number | Float64Array;
}

/** One input that is a list: its id, and the lists of the rows. */
export interface KernelList {
  readonly id: number;
  readonly lists: Lists;
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
  readonly lists?: readonly KernelList[] | undefined;
  readonly outputs: readonly KernelOutput[];
  /** Implied volatility only: a price that no volatility gives becomes 0 instead of null. */
  readonly unattainableIsZero?: boolean;
  /** What the dearest of the rows costs, in rows of Black–Scholes–Merton; 1 where it is left out. */
  readonly weight?: number;
}

/** What a call gives: fresh arrays, one per output in the request's order, and the statuses. */
export interface KernelResult {
  readonly columns: readonly Float64Array[];
  readonly status: Int32Array;
}

/** Numbers that the lists of one chunk have room for, lengths included: 128 KiB. */
const listRoomNumbers = 16_384;

/** Rows of a request that a chunk may have so that their lists find room; without a limit where no row has a list of its own. */
export function listRowsMax({ lists = [] }: KernelRequest): number {
  let room = listRoomNumbers;
  let each = 0;
  for (const { lists: one } of lists) {
    if (typeof one.starts === "number") room -= one.longest;
    else each += one.longest;
  }
  return each === 0 ? Number.POSITIVE_INFINITY : Math.floor(room / each);
}

/** Output columns a tray has room for. A call that needs more is our mistake. */
const trayColumnsMax = 20;

/**
 * Bytes from one column to the next: a chunk and five cache lines. Columns a power of two apart would share the sets of the
 * first-level cache and push each other out (a tenth of the time).
 */
function columnBytes(rowsMax: number): number {
  return alignUp(rowsMax * 8) + 320;
}

/** The next address on a cache line. */
export function alignUp(address: number): number {
  return Math.ceil(address / 64) * 64;
}

/**
 * Arrays for every row of a request, to be filled part by part. They are not cleared, which would take a tenth of the time: whoever
 * hands them on has written every row.
 */
export function emptyResult({ count, outputs }: KernelRequest): KernelResult {
  return {
    columns: outputs.map(() => new Float64Array(Buffer.allocUnsafeSlow(8 * count).buffer)),
    status: new Int32Array(Buffer.allocUnsafeSlow(4 * count).buffer),
  };
}

export interface TrayOptions {
  readonly memory: WebAssembly.Memory;
  /** Where it begins, on a cache line; `Tray.bytes` follow that are its alone. */
  readonly address: number;
  readonly rowsMax: number;
}

/** What becomes of one chunk: statuses and output columns. Threads that share the memory may each hold the same tray. */
export class Tray {
  /** Bytes a tray takes. */
  static bytes(rowsMax: number): number {
    return alignUp(rowsMax * 4) + trayColumnsMax * columnBytes(rowsMax);
  }

  readonly status: Int32Array;
  readonly columns: readonly Float64Array[];

  constructor({ memory: { buffer }, address, rowsMax }: TrayOptions) {
    const columns = address + alignUp(rowsMax * 4);
    this.status = new Int32Array(buffer, address, rowsMax);
    this.columns = Array.from(
      { length: trayColumnsMax },
      (_, index) => new Float64Array(buffer, columns + index * columnBytes(rowsMax), rowsMax),
    );
  }

  /** Copies the computed rows to where they belong in the whole request's result. */
  unload({ columns, status }: KernelResult, start: number, stop: number): void {
    const count = stop - start;
    for (let index = 0; index < columns.length; index++) {
      columns[index]!.set(part(this.columns[index]!, 0, count), start);
    }
    status.set(part(this.status, 0, count), start);
  }

  /** The computed rows as fresh arrays. Those of a batch share one buffer: views of it cost nothing, and one is made. */
  take({ count, outputs }: KernelRequest): KernelResult {
    const columns: Float64Array[] = [];
    const status = new Int32Array(count);
    if (count === 1) {
      for (let index = 0; index < outputs.length; index++) {
        const column = new Float64Array(1);
        column[0] = this.columns[index]![0]!;
        columns.push(column);
      }
      status[0] = this.status[0]!;
      return { columns, status };
    }
    // Not cleared, since every row is written.
    const { buffer } = Buffer.allocUnsafeSlow(outputs.length * count * 8);
    for (let index = 0; index < outputs.length; index++) {
      const column = new Float64Array(buffer, index * count * 8, count);
      column.set(part(this.columns[index]!, 0, count));
      columns.push(column);
    }
    status.set(part(this.status, 0, count));
    return { columns, status };
  }
}

export interface PlaceOptions extends TrayOptions {
  readonly requestBytes: number;
  /** The scratch of the thread that will compute here. */
  readonly scratch: number;
}

/** Room for what one chunk of up to `rowsMax` rows is asked. Fill it, then have its `address` computed. */
export class Place {
  /** Bytes a place takes. */
  static bytes({ rowsMax, requestBytes }: Pick<PlaceOptions, "rowsMax" | "requestBytes">): number {
    return alignUp(requestBytes) + alignUp(rowsMax) + inputsMax * columnBytes(rowsMax) + 8 * listRoomNumbers;
  }

  /** Of the request block: what the kernel's functions are called with. */
  readonly address: number;
  readonly #words: Uint32Array;
  readonly #factors: Float64Array;
  readonly #isCalls: Uint8Array;
  readonly #columns: readonly Float64Array[];
  /** Lists, one after another. */
  readonly #listRoom: Float64Array;
  /** Where the lists that are the same for every row end. */
  #sharedListsEnd = 0;

  constructor({ memory: { buffer }, address, rowsMax, requestBytes, scratch }: PlaceOptions) {
    const isCalls = address + alignUp(requestBytes);
    const columns = isCalls + alignUp(rowsMax);
    this.address = address;
    this.#words = new Uint32Array(buffer, address, requestBytes / 4);
    this.#factors = new Float64Array(buffer, address + requestLayout.factors, outputsMax);
    this.#isCalls = new Uint8Array(buffer, isCalls, rowsMax);
    this.#columns = Array.from(
      { length: inputsMax },
      (_, index) => new Float64Array(buffer, columns + index * columnBytes(rowsMax), rowsMax),
    );
    this.#listRoom = new Float64Array(buffer, columns + inputsMax * columnBytes(rowsMax), listRoomNumbers);
    this.#words[requestLayout.scratch / 4] = scratch;
    this.#words[requestLayout.isCall / 4] = isCalls;
  }

  /** Writes the request block and what is the same for every row; the tray is where the results will lie. */
  describe({ model, isCall, inputs, lists = [], outputs, unattainableIsZero }: KernelRequest, tray: Tray): void {
    const inputCount = inputs.length + lists.length;
    if (inputCount > inputsMax) throw new InvariantError(`${inputCount} inputs at once`);
    if (outputs.length > trayColumnsMax) throw new InvariantError(`${outputs.length} outputs at once`);
    const words = this.#words;
    let broadcastMask = 0;
    let outputMask = 0;
    words[requestLayout.model / 4] = model;
    words[requestLayout.flags / 4] =
      (typeof isCall === "boolean" ? flagIsCallBroadcast : 0) | (unattainableIsZero ? flagUnattainableIsZero : 0);
    if (typeof isCall === "boolean") this.#isCalls[0] = isCall ? 1 : 0;
    for (let index = 0; index < inputs.length; index++) {
      const { id, column } = inputs[index]!;
      if (id >= inputsMax) throw new InvariantError(`input id ${id}`);
      const view = this.#columns[index]!;
      words[requestLayout.inputs / 4 + id] = view.byteOffset;
      if (typeof column === "number") {
        broadcastMask |= 1 << id;
        view[0] = column;
      }
    }
    this.#sharedListsEnd = 0;
    for (let index = 0; index < lists.length; index++) {
      const { id, lists: each } = lists[index]!;
      if (id >= inputsMax) throw new InvariantError(`list id ${id}`);
      const view = this.#columns[inputs.length + index]!;
      words[requestLayout.inputs / 4 + id] = view.byteOffset;
      if (typeof each.starts === "number") {
        broadcastMask |= 1 << id;
        view[0] = this.#addList(each.values, each.starts, this.#sharedListsEnd);
        this.#sharedListsEnd += 1 + each.values[each.starts]!;
      }
    }
    for (let index = 0; index < outputs.length; index++) {
      const { id, factor } = outputs[index]!;
      if (id >= outputsMax) throw new InvariantError(`output id ${id}`);
      outputMask |= 1 << id;
      words[requestLayout.outputs / 4 + id] = tray.columns[index]!.byteOffset;
      this.#factors[id] = factor;
    }
    words[requestLayout.status / 4] = tray.status.byteOffset;
    words[requestLayout.broadcastMask / 4] = broadcastMask;
    words[requestLayout.outputMask / 4] = outputMask >>> 0;
  }

  /** Copies the rows from start to stop in. */
  load({ isCall, inputs, lists = [] }: KernelRequest, start: number, stop: number): void {
    this.#words[requestLayout.count / 4] = stop - start;
    if (typeof isCall !== "boolean") this.#isCalls.set(part(isCall, start, stop));
    for (let index = 0; index < inputs.length; index++) {
      const { column } = inputs[index]!;
      if (typeof column !== "number") this.#columns[index]!.set(part(column, start, stop));
    }
    let end = this.#sharedListsEnd;
    for (let index = 0; index < lists.length; index++) {
      const { values, starts } = lists[index]!.lists;
      if (typeof starts !== "number")
        end = this.#loadLists(values, starts.subarray(start, stop), inputs.length + index, end);
    }
  }

  /** Copies the lists that begin at the starts in, from `end` on; returns the new end. Neighbours with one list share it. */
  #loadLists(values: Float64Array, starts: Float64Array, column: number, end: number): number {
    const addresses = this.#columns[column]!;
    let next = end;
    for (let row = 0; row < starts.length; row++) {
      const start = starts[row]!;
      if (row > 0 && start === starts[row - 1]) {
        addresses[row] = addresses[row - 1]!;
        continue;
      }
      addresses[row] = this.#addList(values, start, next);
      next += 1 + values[start]!;
    }
    return next;
  }

  /** Copies a list to a place of the room and returns its address. */
  #addList(values: Float64Array, start: number, at: number): number {
    const room = this.#listRoom;
    const length = 1 + values[start]!;
    assert(start + length <= values.length && at + length <= room.length, `a list of ${length} at ${at} finds no room`);
    for (let index = 0; index < length; index++) room[at + index] = values[start + index]!;
    return room.byteOffset + 8 * at;
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
