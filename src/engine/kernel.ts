// One instance of the wasm kernel with its one memory: lays out the request block, scratch and column buffers, copies chunks
// of rows in and out, and calls it. Separate from the engine so that a worker can hold one as well. It knows addresses and
// bytes, no finance: it must not decide what a model needs, and nothing but this file touches the memory.

import { assert } from "../foundation/assert";
import { abiVersion, flagIsCallBroadcast, flagUnattainableIsZero, inputsMax, outputsMax, requestLayout } from "./abi";

/** Rows that cross at a time: a chunk's columns stay in the second-level cache, and the memory stays small. */
export const chunkRowsMax = 4096;

/** Columns the memory has buffers for at once. A call that needs more is our mistake. */
const columnsMax = 32;

/**
 * Bytes from one column to the next: a chunk and five cache lines. Columns a power of two apart would share the sets of the
 * first-level cache and push each other out (a tenth of the time).
 */
const columnBytes = chunkRowsMax * 8 + 320;

const pageBytes = 65_536;

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

/** A running kernel. */
export interface Kernel {
  /** Computes every row. */
  run(request: KernelRequest): KernelResult;
}

interface KernelExports {
  abi_version(): number;
  heap_base(): number;
  scratch_bytes(): number;
  request_bytes(): number;
  price_batch(request: number): number;
  implied_volatility_batch(request: number): number;
}

/**
 * Instantiates the module, synchronously. Throws InvariantError where the module speaks another layout version, and
 * WebAssembly.CompileError where the bytes are no module.
 */
export function createKernel(wasmBytes: Uint8Array): Kernel {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const module = new WebAssembly.Module(wasmBytes.slice().buffer);
  const exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
  assert(exports.abi_version() === abiVersion, `the kernel speaks layout ${exports.abi_version()}, not ${abiVersion}`);

  const request = alignUp(exports.heap_base());
  const scratch = alignUp(request + exports.request_bytes());
  const isCalls = alignUp(scratch + exports.scratch_bytes());
  const statuses = alignUp(isCalls + chunkRowsMax);
  const columns = alignUp(statuses + chunkRowsMax * 4);
  const end = columns + columnsMax * columnBytes;
  memory.grow(Math.ceil(end / pageBytes) - memory.buffer.byteLength / pageBytes);

  // The memory never grows again, so these views stay valid.
  const words = new Uint32Array(memory.buffer, request, exports.request_bytes() / 4);
  const factors = new Float64Array(memory.buffer, request + requestLayout.factors, outputsMax);
  const isCallView = new Uint8Array(memory.buffer, isCalls, chunkRowsMax);
  const statusView = new Int32Array(memory.buffer, statuses, chunkRowsMax);
  const views = Array.from(
    { length: columnsMax },
    (_, index) => new Float64Array(memory.buffer, columns + index * columnBytes, chunkRowsMax),
  );

  return {
    run({ operation, model, count, isCall, inputs, outputs, unattainableIsZero }) {
      assert(inputs.length + outputs.length <= columnsMax, `${inputs.length} and ${outputs.length} columns at once`);
      let broadcastMask = 0;
      let outputMask = 0;
      words[requestLayout.model / 4] = model;
      words[requestLayout.scratch / 4] = scratch;
      words[requestLayout.isCall / 4] = isCalls;
      words[requestLayout.status / 4] = statuses;
      words[requestLayout.flags / 4] =
        (typeof isCall === "boolean" ? flagIsCallBroadcast : 0) | (unattainableIsZero ? flagUnattainableIsZero : 0);
      if (typeof isCall === "boolean") isCallView[0] = isCall ? 1 : 0;
      for (const [index, { id, column }] of inputs.entries()) {
        assert(id < inputsMax, `input id ${id}`);
        const view = views[index]!;
        words[requestLayout.inputs / 4 + id] = view.byteOffset;
        if (typeof column === "number") {
          broadcastMask |= 1 << id;
          view[0] = column;
        }
      }
      for (const [index, { id, factor }] of outputs.entries()) {
        assert(id < outputsMax, `output id ${id}`);
        outputMask |= 1 << id;
        words[requestLayout.outputs / 4 + id] = views[inputs.length + index]!.byteOffset;
        factors[id] = factor;
      }
      words[requestLayout.broadcastMask / 4] = broadcastMask;
      words[requestLayout.outputMask / 4] = outputMask >>> 0;

      const load = (start: number, stop: number) => {
        words[requestLayout.count / 4] = stop - start;
        if (typeof isCall !== "boolean") isCallView.set(part(isCall, start, stop));
        for (let index = 0; index < inputs.length; index++) {
          const column = inputs[index]!.column;
          if (typeof column !== "number") views[index]!.set(part(column, start, stop));
        }
      };
      const compute = () => {
        if (operation === "price") exports.price_batch(request);
        else exports.implied_volatility_batch(request);
      };
      const outputViews = views.slice(inputs.length, inputs.length + outputs.length);
      if (count <= chunkRowsMax) {
        // one copy out, and no array that is first filled with zeros
        load(0, count);
        compute();
        return { columns: outputViews.map((view) => view.slice(0, count)), status: statusView.slice(0, count) };
      }
      const columns = outputs.map(() => new Float64Array(count));
      const status = new Int32Array(count);
      for (let start = 0; start < count; start += chunkRowsMax) {
        const stop = Math.min(count, start + chunkRowsMax);
        load(start, stop);
        compute();
        for (let index = 0; index < columns.length; index++) {
          columns[index]!.set(part(outputViews[index]!, 0, stop - start), start);
        }
        status.set(part(statusView, 0, stop - start), start);
      }
      return { columns, status };
    },
  };
}

/** The rows from start to stop, without a new view where that is the whole column. */
function part<Column extends Float64Array | Int32Array | Uint8Array>(
  column: Column,
  start: number,
  stop: number,
): Column {
  return (start === 0 && stop === column.length ? column : column.subarray(start, stop)) as Column;
}

function alignUp(address: number): number {
  return Math.ceil(address / 64) * 64;
}
