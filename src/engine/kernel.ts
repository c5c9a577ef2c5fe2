// The wasm kernel: one compiled module and one memory a process, and for every thread a desk of its own, an instance with its
// scratch, a place for one chunk and trays for results. Separate from the engine, which decides what a model needs; this knows addresses and
// bytes alone. It must not wait, and never gives memory back: what was reserved is used again by whoever reserved it.

import { assert } from "../foundation/assert";
import { abiVersion } from "./abi";
import { createDecimalWriter, type DecimalWriter } from "./decimal-text";
import { alignUp, emptyResult, type KernelRequest, type KernelResult, listRowsMax, Place, Tray } from "./place";

/** Rows that cross at a time: a chunk's columns stay in the second-level cache, and the memory stays small. */
export const chunkRowsMax = 4096;

const pageBytes = 65_536;

/** The memory's limit, 384 MiB, as the module declares it (build/wasm.ts): address space, not memory, until it is used. */
const memoryPagesMax = 6144;

/** What a thread opens its desk with; it can be posted. */
export interface DeskStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Memory that is this desk's alone. */
  readonly address: number;
  /** Rows of a chunk, at most. */
  readonly rowsMax: number;
  /** Trays the desk has, each with room for one chunk's results. */
  readonly trays: number;
}

/** Another thread's way to compute: its instance of the kernel, its own place, and trays that the kernel's thread sees too. */
export interface Desk {
  /** Computes the rows from start to stop, at most `rowsMax`, into a tray. Throws what the module traps with. */
  fillTray(tray: number, request: KernelRequest, start: number, stop: number): void;
}

/** Another thread's desk from where the kernel was made. */
export interface ReservedDesk {
  readonly start: DeskStart;
  readonly trays: readonly Tray[];
}

/** The kernel of a process: a place and a tray for the thread that made it, and desks for others. */
export interface Kernel {
  /** Computes every row at once. */
  run(request: KernelRequest): KernelResult;
  /** Computes the rows from start to stop, at most `chunkRowsMax`, into the whole request's result. */
  runChunk(request: KernelRequest, result: KernelResult, start: number, stop: number): void;
  /** Reserves memory for another thread's desk. Throws RangeError past the memory's limit. */
  reserveDesk(size: Pick<DeskStart, "rowsMax" | "trays">): ReservedDesk;
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
  const reserveDesk: Kernel["reserveDesk"] = (size) => {
    const start = { module, memory, address: reserve(deskBytes(exports, size)), ...size };
    return { start, trays: traysOf(start) };
  };
  const { start, trays } = reserveDesk({ rowsMax: chunkRowsMax, trays: 1 });
  const tray = trays[0]!;
  const compute = computerAt(exports, start);
  return {
    run(request) {
      const { count } = request;
      const rowsMax = Math.min(chunkRowsMax, listRowsMax(request));
      if (count <= rowsMax) {
        compute(request, tray, 0, count);
        return tray.take(request);
      }
      const result = emptyResult(request);
      for (let start = 0; start < count; start += rowsMax) {
        const stop = Math.min(count, start + rowsMax);
        compute(request, tray, start, stop);
        tray.unload(result, start, stop);
      }
      return result;
    },
    runChunk(request, result, start, stop) {
      compute(request, tray, start, stop);
      tray.unload(result, start, stop);
    },
    reserveDesk,
    writeDecimals: createDecimalWriter({ memory, reserve, decimals: exports.decimals }),
  };
}

/** A desk in a thread that did not make the kernel. Throws InvariantError as `createKernel` does. */
export function openDesk(start: DeskStart): Desk {
  const compute = computerAt(instantiate(start.module, start.memory), start);
  const trays = traysOf(start);
  return { fillTray: (tray, request, first, stop) => compute(request, trays[tray]!, first, stop) };
}

function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  const exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
  assert(exports.abi_version() === abiVersion, `the kernel speaks layout ${exports.abi_version()}, not ${abiVersion}`);
  return exports;
}

/** A desk's memory: the trays first, which its own thread and this one find alike; then the place, then the scratch. */
function deskBytes(exports: KernelExports, { rowsMax, trays }: Pick<DeskStart, "rowsMax" | "trays">): number {
  const place = Place.bytes({ rowsMax, requestBytes: exports.request_bytes() });
  return trays * Tray.bytes(rowsMax) + place + exports.scratch_bytes();
}

function traysOf({ memory, address, rowsMax, trays }: DeskStart): Tray[] {
  const trayAt = (index: number) => new Tray({ memory, address: address + index * Tray.bytes(rowsMax), rowsMax });
  return Array.from({ length: trays }, (_, index) => trayAt(index));
}

/** Computes the rows from start to stop of a request into a tray. */
function computerAt(
  exports: KernelExports,
  desk: DeskStart,
): (request: KernelRequest, tray: Tray, start: number, stop: number) => void {
  const { memory, rowsMax } = desk;
  const requestBytes = exports.request_bytes();
  const address = desk.address + desk.trays * Tray.bytes(rowsMax);
  const scratch = address + Place.bytes({ rowsMax, requestBytes });
  const place = new Place({ memory, address, rowsMax, requestBytes, scratch });
  return (request, tray, start, stop) => {
    place.describe(request, tray);
    place.load(request, start, stop);
    if (request.operation === "price") exports.price_batch(place.address);
    else exports.implied_volatility_batch(place.address);
  };
}
