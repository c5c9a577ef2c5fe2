// The wasm kernel in this thread: one instance over the process's one memory, which workers share, and the place in it where
// the caller's own chunks are computed. Separate from the engine, which decides what a model needs; this knows addresses
// and bytes alone. It must not wait, and never gives memory back: what was reserved is used again by whoever reserved it.

import { assert } from "../foundation/assert";
import { abiVersion } from "./abi";
import { alignUp, emptyResult, type KernelRequest, type KernelResult, Place } from "./place";

/** Rows that cross at a time: a chunk's columns stay in the second-level cache, and the memory stays small. */
export const chunkRowsMax = 4096;

const pageBytes = 65_536;

/** The memory's limit, 256 MiB, as the module declares it (build/wasm.ts): address space, not memory, until it is used. */
const memoryPagesMax = 4096;

/** What another thread needs to have an instance of its own. */
export interface KernelParts {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

/** Memory that a place for chunks and a scratch need, as the module tells. */
export interface KernelSizes {
  readonly requestBytes: number;
  readonly scratchBytes: number;
}

/** A running kernel. */
export interface Kernel {
  readonly parts: KernelParts;
  readonly sizes: KernelSizes;
  /** Computes every row at once. */
  run(request: KernelRequest): KernelResult;
  /** Computes the rows from start to stop, at most `chunkRowsMax`, into the whole request's result. */
  runChunk(request: KernelRequest, result: KernelResult, start: number, stop: number): void;
  /** Memory for the asker alone, on a cache line, zero at first. Throws RangeError past the memory's limit. */
  reserve(bytes: number): number;
}

/** Computes the request block at an address. */
export type Compute = (operation: KernelRequest["operation"], address: number) => void;

interface KernelExports {
  abi_version(): number;
  heap_base(): number;
  scratch_bytes(): number;
  request_bytes(): number;
  price_batch(request: number): number;
  implied_volatility_batch(request: number): number;
}

/**
 * Compiles and instantiates the module, synchronously. Throws InvariantError where the module speaks another layout version,
 * and WebAssembly.CompileError where the bytes are no module.
 */
export function createKernel(wasmBytes: Uint8Array): Kernel {
  const module = new WebAssembly.Module(wasmBytes.slice().buffer);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: memoryPagesMax, shared: true });
  const { exports, compute } = instantiate({ module, memory });
  const sizes = { requestBytes: exports.request_bytes(), scratchBytes: exports.scratch_bytes() };
  let end = alignUp(exports.heap_base());
  const reserve = (bytes: number): number => {
    const address = end;
    end = alignUp(address + bytes);
    const missing = end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
    return address;
  };
  const scratch = reserve(sizes.scratchBytes);
  const place = { rowsMax: chunkRowsMax, requestBytes: sizes.requestBytes };
  const own = new Place({ ...place, memory, scratch, address: reserve(Place.bytes(place)) });

  const runChunk = (request: KernelRequest, result: KernelResult, start: number, stop: number) => {
    own.load(request, start, stop);
    compute(request.operation, own.address);
    own.unload(result, start, stop);
  };
  return {
    parts: { module, memory },
    sizes,
    reserve,
    run(request) {
      const { count, operation } = request;
      own.describe(request);
      if (count <= chunkRowsMax) {
        own.load(request, 0, count);
        compute(operation, own.address);
        return own.take(count);
      }
      const result = emptyResult(request);
      for (let start = 0; start < count; start += chunkRowsMax) {
        runChunk(request, result, start, Math.min(count, start + chunkRowsMax));
      }
      return result;
    },
    runChunk(request, result, start, stop) {
      own.describe(request);
      runChunk(request, result, start, stop);
    },
  };
}

/** An instance over the given memory. Throws InvariantError where the module speaks another layout version. */
export function instantiate({ module, memory }: KernelParts): {
  readonly exports: KernelExports;
  readonly compute: Compute;
} {
  const exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
  assert(exports.abi_version() === abiVersion, `the kernel speaks layout ${exports.abi_version()}, not ${abiVersion}`);
  return {
    exports,
    compute: (operation, address) => {
      if (operation === "price") exports.price_batch(address);
      else exports.implied_volatility_batch(address);
    },
  };
}
