// The wasm kernel: one compiled module and one memory a process, and for every thread a desk of its own, an instance with its
// scratch and a place for one chunk. Separate from the engine, which decides what a model needs; this knows addresses and
// bytes alone. It must not wait, and never gives memory back: what was reserved is used again by whoever reserved it.

import { assert } from "../foundation/assert";
import { abiVersion } from "./abi";
import { createDecimalWriter, type DecimalWriter } from "./decimal-text";
import { alignUp, emptyResult, type KernelRequest, type KernelResult, Place } from "./place";

/** Rows that cross at a time: a chunk's columns stay in the second-level cache, and the memory stays small. */
export const chunkRowsMax = 4096;

const pageBytes = 65_536;

/** The memory's limit, 256 MiB, as the module declares it (build/wasm.ts): address space, not memory, until it is used. */
const memoryPagesMax = 4096;

/** A thread's way to compute: its instance of the kernel, and its own place for a chunk in the shared memory. */
export interface Desk {
  /** Computes every row at once. */
  run(request: KernelRequest): KernelResult;
  /** Computes the rows from start to stop, at most `chunkRowsMax`, into the whole request's result. */
  runChunk(request: KernelRequest, result: KernelResult, start: number, stop: number): void;
}

/** What a thread opens its desk with; it can be posted. */
export interface DeskStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Memory that is this desk's alone. */
  readonly address: number;
}

/** The kernel of a process: the desk of the thread that made it, and desks for others. */
export interface Kernel extends Desk {
  /** Reserves memory for another thread's desk, about a mebibyte. Throws RangeError past the memory's limit. */
  reserveDesk(): DeskStart;
  /** Columns as text, in this thread. */
  readonly writeDecimals: DecimalWriter;
}

interface KernelExports {
  abi_version(): number;
  heap_base(): number;
  scratch_bytes(): number;
  request_bytes(): number;
  price_batch(request: number): number;
  implied_volatility_batch(request: number): number;
  decimals(values: number, count: number, powers: number, to: number): number;
}

/**
 * Compiles and instantiates the module, synchronously. Throws InvariantError where the module speaks another layout version,
 * and WebAssembly.CompileError where the bytes are no module.
 */
export function createKernel(wasmBytes: Uint8Array): Kernel {
  const module = new WebAssembly.Module(wasmBytes.slice().buffer);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: memoryPagesMax, shared: true });
  const exports = instantiate(module, memory);
  let end = alignUp(exports.heap_base());
  const reserve = (bytes: number): number => {
    const address = end;
    end = alignUp(address + bytes);
    const missing = end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
    return address;
  };
  const reserveDesk = (): DeskStart => ({ module, memory, address: reserve(deskBytes(exports)) });
  return {
    ...deskOver(exports, reserveDesk()),
    reserveDesk,
    writeDecimals: createDecimalWriter({ memory, reserve, decimals: exports.decimals }),
  };
}

/** A desk in a thread that did not make the kernel. Throws InvariantError as `createKernel` does. */
export function openDesk(start: DeskStart): Desk {
  return deskOver(instantiate(start.module, start.memory), start);
}

function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  const exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
  assert(exports.abi_version() === abiVersion, `the kernel speaks layout ${exports.abi_version()}, not ${abiVersion}`);
  return exports;
}

function deskBytes(exports: KernelExports): number {
  return (
    alignUp(exports.scratch_bytes()) + Place.bytes({ rowsMax: chunkRowsMax, requestBytes: exports.request_bytes() })
  );
}

function deskOver(exports: KernelExports, { memory, address }: DeskStart): Desk {
  const place = new Place({
    memory,
    address: address + alignUp(exports.scratch_bytes()),
    rowsMax: chunkRowsMax,
    requestBytes: exports.request_bytes(),
    scratch: address,
  });
  const compute = (request: KernelRequest, start: number, stop: number) => {
    place.load(request, start, stop);
    if (request.operation === "price") exports.price_batch(place.address);
    else exports.implied_volatility_batch(place.address);
  };
  return {
    run(request) {
      const { count } = request;
      place.describe(request);
      if (count <= chunkRowsMax) {
        compute(request, 0, count);
        return place.take(count);
      }
      const result = emptyResult(request);
      for (let start = 0; start < count; start += chunkRowsMax) {
        const stop = Math.min(count, start + chunkRowsMax);
        compute(request, start, stop);
        place.unload(result, start, stop);
      }
      return result;
    },
    runChunk(request, result, start, stop) {
      place.describe(request);
      compute(request, start, stop);
      place.unload(result, start, stop);
    },
  };
}
