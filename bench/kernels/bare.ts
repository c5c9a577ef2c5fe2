// The wasm kernel by itself for the benches: a request's columns already lie in its memory, and a run computes them where they are. Separate
// because it measures the island alone; what copying in and fresh columns out cost on top is engine.price's figure. It must not
// be used to price anything: nothing is checked.

import { inputIds, outputIds } from "../../src/engine/abi";
import { type InputName, modelNamed, unitFactor } from "../../src/engine/catalog";
import type { PriceRequest } from "../../src/engine/engine";
import type { KernelRequest } from "../../src/engine/place";
import { alignUp, emptyResult, Place, Tray } from "../../src/engine/place";

/** Requests whose columns wait in the kernel's memory. */
export interface BareKernel {
  /** Puts a request's columns in place; `run` computes it once, `prices` copies the first output out. */
  readonly load: (request: PriceRequest) => { readonly run: () => void; readonly prices: () => Float64Array };
}

interface Exports {
  readonly heap_base: () => number;
  readonly scratch_bytes: () => number;
  readonly request_bytes: () => number;
  readonly price_batch: (request: number) => number;
}

/** A kernel with room for `places` requests of up to `rowsMax` rows. Throws RangeError from `load` where they are taken. */
export function bareKernel(options: {
  readonly wasmBytes: Uint8Array;
  readonly places: number;
  readonly rowsMax: number;
}): BareKernel {
  const { wasmBytes, places, rowsMax } = options;
  const pages = 4096;
  const memory = new WebAssembly.Memory({ initial: 64, maximum: pages, shared: true });
  const module = new WebAssembly.Module(wasmBytes.slice().buffer);
  const exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Exports;
  const requestBytes = exports.request_bytes();
  const scratch = alignUp(exports.heap_base());
  const first = scratch + alignUp(exports.scratch_bytes());
  const bytes = alignUp(Place.bytes({ rowsMax, requestBytes })) + Tray.bytes(rowsMax);
  memory.grow(Math.ceil((first + places * bytes) / 65_536));
  let taken = 0;
  return {
    load: ({ model: name, count, isCall, inputs, outputs, units }) => {
      if (taken === places) throw new RangeError(`all ${places} places are taken`);
      const address = first + taken++ * bytes;
      const tray = new Tray({ memory, address, rowsMax });
      const place = new Place({ memory, address: address + Tray.bytes(rowsMax), rowsMax, requestBytes, scratch });
      const request: KernelRequest = {
        operation: "price",
        model: modelNamed(name).id,
        count,
        isCall,
        inputs: (Object.keys(inputs) as InputName[]).map((input) => ({ id: inputIds[input], column: inputs[input]! })),
        outputs: outputs.map((output) => ({ id: outputIds[output], factor: unitFactor(output, units) })),
      };
      place.describe(request, tray);
      place.load(request, 0, count);
      return {
        run: () => {
          exports.price_batch(place.address);
        },
        prices: () => {
          const result = emptyResult(request);
          tray.unload(result, 0, count);
          return result.columns[0]!;
        },
      };
    },
  };
}
