// The pricing engine as every other room sees it: columns in, fresh columns out, a status per row. Decides here (is the
// output offered, is a required input missing, which unit), computes in the kernel. It must never throw for a value in a
// row: that is the row's status. Shapes are the caller's to check; a wrong one is our mistake and stops here.

import { createHash } from "node:crypto";
import { assert } from "../foundation/assert";
import { inputIds, outputIds } from "./abi";
import {
  type InputName,
  type ModelDefinition,
  type ModelName,
  modelNamed,
  models,
  type OutputName,
  statusCodes,
  type Units,
  unitFactor,
} from "./catalog";
import { createKernel, type Kernel, type KernelInput } from "./kernel";

/** One number for every row, or a number per row. */
export type Column = number | Float64Array;

/** Options to price, by columns. */
export interface PriceRequest {
  readonly model: ModelName;
  /** Rows; every column that is an array is exactly this long. */
  readonly count: number;
  /** true or 1 is a call, false or 0 a put. */
  readonly isCall: boolean | Uint8Array;
  /** Required inputs must be there; the others take the catalog's default. */
  readonly inputs: Partial<Record<InputName, Column>>;
  readonly outputs: readonly OutputName[];
  readonly units: Units;
}

/** Prices and Greeks in input order; the arrays are fresh and the caller's. */
export interface PriceResult {
  readonly count: number;
  /** One column per requested output; NaN is null. */
  readonly columns: Partial<Record<OutputName, Float64Array>>;
  /** Status code per row (see statusCodes). */
  readonly status: Int32Array;
}

/** Prices to turn back into volatilities, by columns. */
export interface ImpliedVolatilityRequest {
  readonly model: ModelName;
  readonly count: number;
  readonly isCall: boolean | Uint8Array;
  /** Every input of the model but the volatility. */
  readonly inputs: Partial<Record<Exclude<InputName, "volatility">, Column>>;
  readonly price: Column;
  /** What a price that no volatility gives becomes. */
  readonly onUnattainable: "null" | "zero";
}

/** Volatilities in input order; the arrays are fresh and the caller's. */
export interface ImpliedVolatilityResult {
  readonly count: number;
  /** Per √year; NaN is null. */
  readonly impliedVolatility: Float64Array;
  /** Relative error that the price's own rounding allows; NaN is null. */
  readonly attainableError: Float64Array;
  readonly status: Int32Array;
}

/** What a running engine says of itself. */
export interface EngineInfo {
  readonly version: string;
  /** Lower-case hex of the module's bytes. */
  readonly wasmSha256: string;
  readonly simd: boolean;
  /** Threads beside the caller's own. */
  readonly workers: number;
}

export interface Engine {
  readonly info: EngineInfo;
  /** Prices and Greeks. Throws InvariantError for a wrong shape: a missing required input or a column of another length. */
  price(request: PriceRequest): PriceResult;
  /** Implied volatilities. Throws InvariantError as `price` does. */
  impliedVolatility(request: ImpliedVolatilityRequest): ImpliedVolatilityResult;
  /**
   * Runs dummy options through every entrance until the compiler's last tier is reached, about 20 ms in all, in steps of
   * less than a millisecond between which a server may answer. A process that prices once and ends does without.
   */
  warmUp(): Generator<void, void, void>;
}

/** Rows priced at start so that the compiler's last tier is reached before the first customer; half as many are solved. */
const warmUpRows = 100_000;
/** Options priced one by one at start: the entrance for single rows leaves the interpreter, at a millisecond's cost. */
const warmUpSingles = 100;

/** Builds an engine over the module's bytes, synchronously. */
export function createEngine(options: { readonly wasmBytes: Uint8Array; readonly version: string }): Engine {
  const { wasmBytes, version } = options;
  const kernel = createKernel(wasmBytes);
  const engine: Engine = {
    info: {
      version,
      wasmSha256: createHash("sha256").update(wasmBytes).digest("hex"),
      simd: true,
      workers: 0,
    },
    price: (request) => price(kernel, request),
    impliedVolatility: (request) => impliedVolatility(kernel, request),
    warmUp: () => warmUp(engine),
  };
  return engine;
}

function price(kernel: Kernel, request: PriceRequest): PriceResult {
  const { count, isCall, outputs, units } = request;
  const model = modelNamed(request.model);
  if (!outputs.every((output) => model.outputs.includes(output))) return unsupported(count, outputs);
  const wanted = [...new Set(outputs)];
  const { columns, status } = kernel.run({
    operation: "price",
    model: model.id,
    count,
    isCall: checkedIsCall(isCall, count),
    inputs: model.inputs.map((input) => kernelInput(model, input.name, request.inputs[input.name], count)),
    outputs: wanted.map((output) => ({ id: outputIds[output], factor: unitFactor(output, units) })),
  });
  const named: Partial<Record<OutputName, Float64Array>> = {};
  for (const [index, output] of wanted.entries()) named[output] = columns[index]!;
  return { count, columns: named, status };
}

/** Every row refused because an output is asked for that the model does not offer. */
function unsupported(count: number, outputs: readonly OutputName[]): PriceResult {
  const columns: Partial<Record<OutputName, Float64Array>> = {};
  for (const output of outputs) columns[output] = new Float64Array(count).fill(Number.NaN);
  return { count, columns, status: new Int32Array(count).fill(statusCodes.unsupported_output) };
}

function impliedVolatility(kernel: Kernel, request: ImpliedVolatilityRequest): ImpliedVolatilityResult {
  const { count, isCall, inputs, onUnattainable } = request;
  const model = modelNamed(request.model);
  assert(model.impliedVolatility, `${model.name} has no implied volatility`);
  const kernelInputs: KernelInput[] = [];
  for (const { name } of model.inputs) {
    if (name !== "volatility") kernelInputs.push(kernelInput(model, name, inputs[name], count));
  }
  kernelInputs.push({ id: inputIds.price, column: checkedColumn("price", request.price, count) });
  const { columns, status } = kernel.run({
    operation: "implied_volatility",
    model: model.id,
    count,
    isCall: checkedIsCall(isCall, count),
    inputs: kernelInputs,
    outputs: [
      { id: outputIds.implied_volatility, factor: 1 },
      { id: outputIds.attainable_error, factor: 1 },
    ],
    unattainableIsZero: onUnattainable === "zero",
  });
  return { count, impliedVolatility: columns[0]!, attainableError: columns[1]!, status };
}

function kernelInput(model: ModelDefinition, name: InputName, given: Column | undefined, count: number): KernelInput {
  const column = given ?? model.inputs.find((input) => input.name === name)?.default;
  assert(column !== undefined, `${model.name} needs ${name}`);
  return { id: inputIds[name], column: checkedColumn(name, column, count) };
}

function checkedColumn(name: string, column: Column, count: number): Column {
  assert(typeof column === "number" || column.length === count, `${name} is not ${count} rows long`);
  return column;
}

function checkedIsCall(isCall: boolean | Uint8Array, count: number): boolean | Uint8Array {
  assert(typeof isCall === "boolean" || isCall.length === count, `isCall is not ${count} rows long`);
  return isCall;
}

/** Both entrances, in full tiles and in a single row. */
function* warmUp(engine: Engine): Generator<void, void, void> {
  const rows = 2000;
  const strike = Float64Array.from({ length: rows }, (_, row) => 60 + (80 * row) / rows);
  const isCall = Uint8Array.from({ length: rows }, (_, row) => row & 1);
  const inputs = { spot: 100, strike, time_to_expiry: 0.5, rate: 0.03, dividend_yield: 0.01 };
  for (const model of models) {
    for (let done = 0; done < warmUpRows; done += rows) {
      const request = { model: model.name, count: rows, isCall, units: "raw" } as const;
      const { columns } = engine.price({ ...request, inputs: { ...inputs, volatility: 0.2 }, outputs: model.outputs });
      if (model.impliedVolatility && done < warmUpRows / 2) {
        engine.impliedVolatility({ ...request, inputs, price: columns.price!, onUnattainable: "null" });
      }
      yield;
    }
    for (let done = 0; done < warmUpSingles; done++) {
      engine.price({
        model: model.name,
        count: 1,
        isCall: true,
        inputs: { ...inputs, strike: 105, volatility: 0.2 },
        outputs: model.outputs,
        units: "raw",
      });
    }
    yield;
  }
}
