// The pricing engine as every other room sees it: columns in, fresh columns out, a status per row. Decides here (is the
// output offered, is a required input missing, which unit), computes in the kernel. It must never throw for a value in a
// row: that is the row's status. Shapes are the caller's to check; a wrong one is our mistake and stops here.

import { createHash } from "node:crypto";
import { assert, InvariantError } from "../foundation/assert";
import { inputIds, listIds, outputIds } from "./abi";
import {
  type InputName,
  type ListName,
  type ModelDefinition,
  type ModelName,
  modelNamed,
  models,
  type OutputName,
  statusCodes,
  type Units,
  unitFactor,
} from "./catalog";
import type { DecimalWriter } from "./decimal-text";
import { chunkRowsMax, createKernel } from "./kernel";
import type { Lists } from "./lists";
import type { KernelInput, KernelList, KernelOutput, KernelRequest, KernelResult } from "./place";
import { createPool, type PoolActivity, type PoolWorkers } from "./pool";

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
  /** Those that the model takes; one that is left out is empty. */
  readonly lists?: Partial<Record<ListName, Lists>> | undefined;
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
  readonly lists?: Partial<Record<ListName, Lists>> | undefined;
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
  /** What becomes of large batches, for whoever watches. */
  readonly activity: PoolActivity;
  /**
   * Prices and Greeks, at once and in this thread. Throws InvariantError for a wrong shape: a missing required input or a
   * column of another length.
   */
  price(request: PriceRequest): PriceResult;
  /** Implied volatilities, as `price`. */
  impliedVolatility(request: ImpliedVolatilityRequest): ImpliedVolatilityResult;
  /**
   * The same bits as `price`. Small requests are computed before this returns; large ones in chunks, side by side with the
   * workers, other work of this process in between. The columns must be left alone until it settles. Rejects as `price`
   * throws, and with BsoptError `unavailable`: BATCHES_WAITING (retryable) where too many large batches are under way,
   * BATCH_DROPPED once the signal aborts, ENGINE_STOPPED.
   */
  priceAsync(request: PriceRequest, options?: AsyncOptions): Promise<PriceResult>;
  /** The same bits as `impliedVolatility`, in the way of `priceAsync`. */
  impliedVolatilityAsync(request: ImpliedVolatilityRequest, options?: AsyncOptions): Promise<ImpliedVolatilityResult>;
  /** Writes columns of results as JSON's text, saying what String() says, several times as fast; null for NaN. */
  readonly writeDecimals: DecimalWriter;
  /**
   * Runs dummy options through every entrance until the compiler's last tier is reached, about 20 ms in all, in steps of
   * less than a millisecond between which a server may answer. A process that prices once and ends does without.
   */
  warmUp(): Generator<void, void, void>;
  /** Fails large batches under way and ends the workers; a later large batch begins anew. */
  stop(): Promise<void>;
}

export interface AsyncOptions {
  /** Aborts when nobody wants the answer any more. */
  readonly signal?: AbortSignal | undefined;
}

export interface EngineOptions {
  readonly wasmBytes: Uint8Array;
  readonly version: string;
  /** Default: none; large batches are still computed in steps. */
  readonly workers?: PoolWorkers;
  /** Large batches under way and waiting at once, 16 unless told otherwise; read at each batch, for it may change. */
  readonly batchesMax?: number;
}

/** Rows priced at start so that the compiler's last tier is reached before the first customer; half as many are solved. */
const warmUpRows = 100_000;
/** More than that no row weighs: a chunk is one row long before. */
const weightMax = 2 ** 30;
/** What is computed to find a volatility. */
const solvedFor: readonly OutputName[] = ["price", "vega"];
/** A volatility costs about as many prices, where it is found by pricing. */
const solvingWeight = 6;
/** Options priced one by one at start: the entrance for single rows leaves the interpreter, at a millisecond's cost. */
const warmUpSingles = 100;

/** Builds an engine over the module's bytes, synchronously. */
export function createEngine(options: EngineOptions): Engine {
  const { wasmBytes, version, workers } = options;
  const kernel = createKernel(wasmBytes);
  const pool = createPool({
    kernel,
    workers: workers ?? null,
    get batchesMax() {
      return options.batchesMax ?? 16;
    },
  });
  const plans = new PricePlans();
  const run = <Result>({ request, resultOf }: Task<Result>) => resultOf(kernel.run(request));
  const runAsync = async <Result>(task: Task<Result>, { signal }: AsyncOptions = {}): Promise<Result> =>
    task.request.count * (task.request.weight ?? 1) <= chunkRowsMax
      ? run(task)
      : task.resultOf(await pool.run(task.request, signal));
  const engine: Engine = {
    info: {
      version,
      wasmSha256: createHash("sha256").update(wasmBytes).digest("hex"),
      simd: true,
      workers: workers?.count ?? 0,
    },
    get activity() {
      return pool.activity;
    },
    price: (request) => {
      const plan = plans.of(request);
      return refusal(request, plan) ?? run(priceTask(request, plan));
    },
    impliedVolatility: (request) => run(impliedVolatilityTask(request)),
    priceAsync: async (request, more) => {
      const plan = plans.of(request);
      return refusal(request, plan) ?? runAsync(priceTask(request, plan), more);
    },
    impliedVolatilityAsync: async (request, more) => runAsync(impliedVolatilityTask(request), more),
    writeDecimals: kernel.writeDecimals,
    warmUp: () => warmUp(engine),
    stop: () => pool.stop(),
  };
  return engine;
}

/** What the kernel is asked, and how its columns become an answer. */
interface Task<Result> {
  readonly request: KernelRequest;
  readonly resultOf: (result: KernelResult) => Result;
}

/** What follows from a model, outputs and units alone. */
interface PricePlan {
  readonly model: ModelDefinition;
  readonly units: Units;
  readonly asked: readonly OutputName[];
  /** The model offers all of them. */
  readonly isOffered: boolean;
  /** Each once. */
  readonly wanted: readonly OutputName[];
  readonly kernelOutputs: readonly KernelOutput[];
}

const plansKeptMax = 8;

/** The last few plans: clients ask for the same again and again, and working it out costs as much as pricing an option. */
class PricePlans {
  readonly #kept: PricePlan[] = [];
  #next = 0;

  of({ model: name, outputs, units }: PriceRequest): PricePlan {
    for (const plan of this.#kept) {
      if (plan.model.name === name && plan.units === units && isSameList(plan.asked, outputs)) return plan;
    }
    const model = modelNamed(name);
    const wanted = [...new Set(outputs)];
    const isOffered = outputs.every((output) => model.outputs.includes(output));
    const plan: PricePlan = {
      model,
      units,
      asked: [...outputs],
      isOffered,
      wanted,
      kernelOutputs: isOffered
        ? wanted.map((output) => ({ id: outputIds[output], factor: unitFactor(output, units) }))
        : [],
    };
    this.#kept[this.#next] = plan;
    this.#next = (this.#next + 1) % plansKeptMax;
    return plan;
  }
}

function isSameList(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}

/** The answer to a request for an output that the model does not offer. */
function refusal({ count, outputs }: PriceRequest, plan: PricePlan): PriceResult | null {
  return plan.isOffered ? null : unsupported(count, outputs);
}

function priceTask({ count, isCall, inputs, lists }: PriceRequest, plan: PricePlan): Task<PriceResult> {
  const { model, wanted, kernelOutputs } = plan;
  const kernelInputs: KernelInput[] = [];
  for (const { name, default: fallback } of model.inputs) {
    kernelInputs.push(kernelInput(model, name, inputs[name] ?? fallback, count));
  }
  return {
    request: {
      operation: "price",
      model: model.id,
      count,
      isCall: checkedIsCall(isCall, count),
      inputs: kernelInputs,
      lists: kernelLists(model, lists, kernelInputs, count),
      outputs: kernelOutputs,
      weight: weightOf(model, inputs, lists, wanted),
    },
    resultOf({ columns, status }) {
      const named: Partial<Record<OutputName, Float64Array>> = {};
      for (let index = 0; index < wanted.length; index++) named[wanted[index]!] = columns[index]!;
      return { count, columns: named, status };
    },
  };
}

/** Every row refused because an output is asked for that the model does not offer. */
function unsupported(count: number, outputs: readonly OutputName[]): PriceResult {
  const columns: Partial<Record<OutputName, Float64Array>> = {};
  for (const output of outputs) columns[output] = new Float64Array(count).fill(Number.NaN);
  return { count, columns, status: new Int32Array(count).fill(statusCodes.unsupported_output) };
}

function impliedVolatilityTask(request: ImpliedVolatilityRequest): Task<ImpliedVolatilityResult> {
  const { count, isCall, inputs, lists, onUnattainable } = request;
  const model = modelNamed(request.model);
  assert(model.impliedVolatility, `${model.name} has no implied volatility`);
  const kernelInputs: KernelInput[] = [];
  for (const { name, default: fallback } of model.inputs) {
    if (name !== "volatility") kernelInputs.push(kernelInput(model, name, inputs[name] ?? fallback, count));
  }
  kernelInputs.push({ id: inputIds.price, column: checkedColumn("price", request.price, count) });
  return {
    request: {
      operation: "implied_volatility",
      model: model.id,
      count,
      isCall: checkedIsCall(isCall, count),
      inputs: kernelInputs,
      lists: kernelLists(model, lists, kernelInputs, count),
      outputs: [
        { id: outputIds.implied_volatility, factor: 1 },
        { id: outputIds.attainable_error, factor: 1 },
      ],
      unattainableIsZero: onUnattainable === "zero",
      weight: weightOf(model, inputs, lists, solvedFor) * solvingWeight,
    },
    resultOf: ({ columns, status }) => ({
      count,
      impliedVolatility: columns[0]!,
      attainableError: columns[1]!,
      status,
    }),
  };
}

/** What a row of the model costs at most, by the inputs and outputs asked for; 1 at least, and no more than what is taken for endless. */
function weightOf(
  { weight, inputs: definitions }: ModelDefinition,
  inputs: PriceRequest["inputs"],
  lists: PriceRequest["lists"],
  outputs: readonly OutputName[],
): number {
  if (weight === undefined) return 1;
  const largest = (name: InputName): number => {
    const column = inputs[name] ?? definitions.find((definition) => definition.name === name)?.default ?? Number.NaN;
    // a NaN is no value: beside it the others count
    return typeof column === "number" ? column : column.reduce((most, value) => Math.max(most, value || 0), 0);
  };
  const isListed = (name: ListName) => (lists?.[name]?.longest ?? 1) > 1;
  const rows = weight({ largest, isListed, outputs });
  return rows >= 1 ? Math.min(rows, weightMax) : 1;
}

function kernelInput(model: ModelDefinition, name: InputName, column: Column | undefined, count: number): KernelInput {
  if (column === undefined) throw new InvariantError(`${model.name} needs ${name}`);
  return { id: inputIds[name], column: checkedColumn(name, column, count) };
}

/** The lists that were given; those that were not are the address 0 for every row, among the numbers. */
function kernelLists(
  { name: modelName, lists: definitions = [] }: ModelDefinition,
  given: PriceRequest["lists"],
  inputs: KernelInput[],
  count: number,
): KernelList[] | undefined {
  if (definitions.length === 0) {
    if (given === undefined || Object.keys(given).length === 0) return undefined;
    throw new InvariantError(`${modelName} takes no lists`);
  }
  const lists: KernelList[] = [];
  for (const { name, isRequired, lengthMax } of definitions) {
    const each = given?.[name];
    const id = listIds[name];
    assert(each !== undefined || isRequired !== true, `${modelName} needs ${name}`);
    if (each === undefined) {
      inputs.push({ id, column: 0 });
      continue;
    }
    checkedColumn(name, each.starts, count);
    assert(each.longest <= 1 + 2 * lengthMax, `a list of ${each.longest} numbers`);
    lists.push({ id, lists: each });
  }
  return lists;
}

// Their messages are made only where they are needed: this runs for every input of every request.
function checkedColumn(name: string, column: Column, count: number): Column {
  if (typeof column === "number" || column.length === count) return column;
  throw new InvariantError(`${name} is not ${count} rows long`);
}

function checkedIsCall(isCall: boolean | Uint8Array, count: number): boolean | Uint8Array {
  if (typeof isCall === "boolean" || isCall.length === count) return isCall;
  throw new InvariantError(`isCall is not ${count} rows long`);
}

/**
 * Both entrances, in full tiles and in a single row, of what is asked for in microseconds; the kernel's other parts would cost
 * every start 130 ms of a core more.
 */
function* warmUp(engine: Engine): Generator<void, void, void> {
  for (const model of models) {
    if (model.weight !== undefined && model.name !== "american") continue;
    // the catalog's own examples, over strikes around that of the example
    const examples: Partial<Record<InputName, number>> = {};
    for (const { name, example } of model.inputs) examples[name] = example;
    const weight = weightOf(model, examples, undefined, model.outputs);
    const rows = Math.ceil(2000 / weight);
    const isCall = Uint8Array.from({ length: rows }, (_, row) => row & 1);
    const strike = Float64Array.from({ length: rows }, (_, row) => examples.strike! * (0.7 + (0.6 * row) / rows));
    const all = { ...examples, strike };
    const { volatility: _, ...inputs } = all;
    for (let done = 0; done < warmUpRows; done += rows * weight) {
      const request = { model: model.name, count: rows, isCall, units: "raw" } as const;
      const { columns } = engine.price({ ...request, inputs: all, outputs: model.outputs });
      if (model.impliedVolatility && done < warmUpRows / 2) {
        engine.impliedVolatility({ ...request, inputs, price: columns.price!, onUnattainable: "null" });
      }
      yield;
    }
    for (let done = 0; done < warmUpSingles; done += weight) {
      engine.price({
        model: model.name,
        count: 1,
        isCall: true,
        inputs: examples,
        outputs: model.outputs,
        units: "raw",
      });
    }
    yield;
  }
}
