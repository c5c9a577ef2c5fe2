// The use cases of pricing: one option or many, a price or a volatility. Separate from rules.ts, which turns bodies
// into columns, and from the engine, which computes them. A single request is a batch of one row, so that the two
// cannot differ. A bad shape throws; a bad value comes back as its row's status, never as an error.

import { createHash } from "node:crypto";
import type { TableColumn } from "../../adapters/tabular/table";
import type { WireAnswer } from "../../adapters/tabular/wire";
import { WireTable } from "../../adapters/tabular/wire-table";
import type { Calendars } from "../../domain/business-calendar";
import { civilFromDays, formatCivilDate } from "../../domain/calendar";
import { dayCounts } from "../../domain/day-count";
import { builtInCalendars } from "../../domain/exchange-calendars";
import {
  defaultOutputs,
  defaultOutputsOf,
  type ModelDefinition,
  models,
  type OutputName,
  type StatusName,
  shownInput,
  statusCodes,
  statusName,
  type Units,
  unitFactor,
} from "../../engine/catalog";
import type { Column, Engine, ImpliedVolatilityResult, PriceResult } from "../../engine/engine";
import { type Lists, listAt } from "../../engine/lists";
import type { Clock } from "../../foundation/clock";
import { newColumn } from "../../foundation/column";
import { Faults } from "../../foundation/faults";
import { nextTurn } from "../../foundation/turn";
import type {
  BatchColumns,
  BatchQuery,
  BatchRows,
  ImpliedVolatilityAnswer,
  ImpliedVolatilityBatchColumns,
  ImpliedVolatilityBatchQuery,
  ImpliedVolatilityBatchRows,
  ImpliedVolatilityRequest,
  ModelsAnswer,
  OnUnattainable,
  PriceAnswer,
  PriceRequest,
  SingleQuery,
} from "./model";
import {
  type Body,
  type Group,
  type KnownModels,
  knownModels,
  type Question,
  type Sheet,
  type SheetOptions,
  sameOutputs,
  sheetOfColumns,
  sheetOfRows,
  sheetOfTable,
} from "./rules";

/** Told how long the engine itself took, in milliseconds. */
export type Meter = (durationMilliseconds: number) => void;

export interface PricingOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  /** Options in one batch in JSON at most. */
  readonly batchRowsMax: number;
  /** Options in one batch as CSV, NDJSON or Arrow at most; as many as in JSON unless told otherwise. */
  readonly tableRowsMax?: number;
  /** What business/252 can count by; those built in unless the user has more. */
  readonly calendars?: Calendars;
  /** The engine's models; the whole catalog unless a test brings another. */
  readonly catalog?: readonly ModelDefinition[];
}

/** What may come along with a request. */
export interface Circumstances<Query> {
  /** The address's parameters: those that a table's columns cannot say, and whether the inputs are to be hashed. */
  readonly query?: Query;
  readonly meter?: Meter;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal?: AbortSignal;
}

/** A batch's answer by columns, NaN as null, to be written in any format. */
export interface BatchOutcome extends WireAnswer {
  /** SHA-256 over the inputs (docs/guides/pricing.md says over which bytes), where it was asked for. */
  readonly inputsHash: string | null;
  /** The one moment that all rows were valued at, where an expiry was given. */
  readonly valuationTime: string | null;
}

/**
 * Methods throw or reject with BsoptError `invalid` for a bad shape and `limit-breached` for too many rows; never for a
 * value. Those for batches also `unavailable` where the engine has too much to do.
 */
export interface PricingService {
  readonly engine: { readonly version: string; readonly wasm_sha256: string };
  /** How the numbers of an answer are best written. */
  readonly writeDecimals: Engine["writeDecimals"];
  /** At once where a formula does it; else in turn with whatever else is computed, and beside the event loop where it takes long. */
  price(body: PriceRequest, circumstances?: Circumstances<SingleQuery>): PriceAnswer | Promise<PriceAnswer>;
  priceBatch(
    body: BatchColumns | BatchRows | WireTable,
    circumstances?: Circumstances<BatchQuery>,
  ): Promise<BatchOutcome>;
  impliedVolatility(
    body: ImpliedVolatilityRequest,
    circumstances?: Circumstances<SingleQuery>,
  ): ImpliedVolatilityAnswer | Promise<ImpliedVolatilityAnswer>;
  impliedVolatilityBatch(
    body: ImpliedVolatilityBatchColumns | ImpliedVolatilityBatchRows | WireTable,
    circumstances?: Circumstances<ImpliedVolatilityBatchQuery>,
  ): Promise<BatchOutcome>;
  models(): ModelsAnswer;
}

export function createPricing(options: PricingOptions): PricingService {
  const { engine, clock, calendars = builtInCalendars(), catalog = models } = options;
  const engineOnWire = { version: engine.info.version, wasm_sha256: engine.info.wasmSha256 };
  // Read at each use: they may change.
  const rowsMax = () => ({ batch: options.batchRowsMax, table: options.tableRowsMax ?? options.batchRowsMax });
  let described: ModelsAnswer | null = null;
  const known: Readonly<Record<Question, KnownModels>> = {
    price: knownModels("price", catalog),
    implied_volatility: knownModels(
      "implied_volatility",
      catalog.filter((model) => model.impliedVolatility),
    ),
  };

  const sheetOptions = (question: Question) => ({
    known: known[question],
    calendars,
    now: clock.nowMicroseconds(),
    rowCountMax: rowsMax().batch,
  });
  /** Of an option by its years the present is never asked for, and to tell it makes a large number. */
  const timeless = Object.fromEntries(
    (["price", "implied_volatility"] as const).map((question) => [
      question,
      { known: known[question], calendars, now: 0n, rowCountMax: 1 },
    ]),
  ) as Readonly<Record<Question, SheetOptions>>;
  const sheetOfOne = (body: PriceRequest | ImpliedVolatilityRequest, question: Question) =>
    sheetOfColumns(body, body.expiry === undefined ? timeless[question] : sheetOptions(question));

  function sheetOfBatch(
    body: Body | { readonly options: readonly Body[] } | WireTable,
    question: Question,
    query: BatchQuery | ImpliedVolatilityBatchQuery,
  ): Sheet {
    const options = sheetOptions(question);
    if (body instanceof WireTable) return sheetOfTable(body, query, { ...options, rowCountMax: rowsMax().table });
    refuseTableParameters(query);
    return isRows(body) ? sheetOfRows(body.options, options) : sheetOfColumns(body, options);
  }

  /** Measured from outside, for it may wait its turn. */
  async function timed<Result>(meter: Meter | undefined, work: () => Promise<Result>): Promise<Result> {
    if (!meter) return work();
    const start = clock.monotonicMilliseconds();
    const result = await work();
    meter(clock.monotonicMilliseconds() - start);
    return result;
  }

  function timedNow<Result>(meter: Meter | undefined, work: () => Result): Result {
    if (!meter) return work();
    const start = clock.monotonicMilliseconds();
    const result = work();
    meter(clock.monotonicMilliseconds() - start);
    return result;
  }

  /** What is told beside the columns of any batch. */
  async function outcomeOf(
    question: Question,
    sheet: Sheet,
    { columns, status }: Merged,
    { units, isHashed }: { units?: Units; isHashed: boolean },
  ): Promise<BatchOutcome> {
    const { model, valuationTime, count } = sheet;
    const inputsHash = isHashed ? await hashOfInputs(question, sheet) : null;
    const told: TableColumn[] = columns.map(([name, values]) => ({ name, kind: "number", values }));
    told.push({ name: "status", kind: "integer", values: status });
    if (typeof model !== "string") told.push({ name: "model", kind: "text", values: model });
    // A batch echoes times only where it worked them out: columns of years would only come back as they went.
    if (valuationTime !== null)
      told.push({ name: "time_to_expiry", kind: "number", values: spread(sheet.years, count) });
    if (Array.isArray(valuationTime)) told.push({ name: "valuation_time", kind: "text", values: valuationTime });
    const once = {
      units,
      model: typeof model === "string" ? model : undefined,
      valuation_time: typeof valuationTime === "string" ? valuationTime : undefined,
    };
    const hash = inputsHash === null ? {} : { inputs_hash: inputsHash };
    const words = {
      ...once,
      engine_version: engineOnWire.version,
      engine_wasm_sha256: engineOnWire.wasm_sha256,
      ...hash,
    };
    return {
      table: { count, columns: told },
      before: { count },
      after: { ...once, engine: engineOnWire, ...hash },
      metadata: Object.fromEntries(Object.entries(words).filter(([, word]) => word !== undefined)) as Record<
        string,
        string
      >,
      inputsHash,
      valuationTime: once.valuation_time ?? null,
    };
  }

  function oneToPrice(body: PriceRequest) {
    const sheet = sheetOfOne(body, "price");
    const [group] = sheet.groups;
    const { outputs = defaultOutputsOf([group!.model]), units = "market" } = body;
    return { sheet, request: priceRequest(group!, outputs, units) };
  }

  function oneToSolve(body: ImpliedVolatilityRequest) {
    const sheet = sheetOfOne(body, "implied_volatility");
    return { sheet, request: volatilityRequest(sheet.groups[0]!, body.on_unattainable ?? "null") };
  }

  function priceAnswer(
    { model, outputs, units = "market" }: PriceRequest,
    sheet: Sheet,
    { columns, status }: PriceResult,
    { query = {} }: Circumstances<SingleQuery>,
  ): PriceAnswer {
    const greeks: PriceAnswer["greeks"] = {};
    let price: number | null | undefined;
    for (const name of outputs ?? defaultOutputsOf([sheet.groups[0]!.model])) {
      const value = orNull(columns[name]![0]!);
      if (name === "price") price = value;
      else greeks[name] = value;
    }
    const answer = {
      greeks,
      status: statusName(status[0]!),
      units,
      model,
      time_to_expiry: orNull(sheet.years as number),
      engine: engineOnWire,
    };
    // Most have neither a moment nor a hash: spread objects take as long as the price itself.
    const told: PriceAnswer = price === undefined ? answer : { price, ...answer };
    if (typeof sheet.valuationTime === "string") told.valuation_time = sheet.valuationTime;
    if (query.inputs_hash === "true") told.inputs_hash = hashOfOne("price", sheet);
    return told;
  }

  function volatilityAnswer(
    { model }: ImpliedVolatilityRequest,
    sheet: Sheet,
    { impliedVolatility, attainableError, status }: ImpliedVolatilityResult,
    { query = {} }: Circumstances<SingleQuery>,
  ): ImpliedVolatilityAnswer {
    return {
      implied_volatility: orNull(impliedVolatility[0]!),
      status: statusName(status[0]!),
      attainable_error: orNull(attainableError[0]!),
      model,
      ...timeOfOne(sheet),
      engine: engineOnWire,
      ...(query.inputs_hash === "true" && { inputs_hash: hashOfOne("implied_volatility", sheet) }),
    };
  }

  return {
    engine: engineOnWire,
    writeDecimals: engine.writeDecimals,

    price(body, circumstances = {}) {
      const { sheet, request } = oneToPrice(body);
      if (sheet.groups[0]!.model.weight === undefined)
        return priceAnswer(
          body,
          sheet,
          timedNow(circumstances.meter, () => engine.price(request)),
          circumstances,
        );
      return timed(circumstances.meter, () => engine.priceAsync(request)).then((priced) =>
        priceAnswer(body, sheet, priced, circumstances),
      );
    },

    async priceBatch(body, { query = {}, meter, signal } = {}) {
      const sheet = sheetOfBatch(body, "price", query);
      const unasked = defaultOutputsOf(sheet.groups.map(({ model }) => model));
      const asked = body instanceof WireTable ? askedByQuery(query) : isRows(body) ? sharedByRows(body, unasked) : body;
      const { outputs = unasked, units = "market" } = asked;
      const merged = await merge(sheet, outputs, (group) =>
        // An output that a group's model does not offer makes that group's rows unsupported_output; the engine says so.
        timed(meter, () => engine.priceAsync(priceRequest(group, outputs, units), { signal })),
      );
      return outcomeOf("price", sheet, merged, { units, isHashed: isHashed(body, query) });
    },

    impliedVolatility(body, circumstances = {}) {
      const { sheet, request } = oneToSolve(body);
      const { meter } = circumstances;
      if (sheet.groups[0]!.model.weight === undefined)
        return volatilityAnswer(
          body,
          sheet,
          timedNow(meter, () => engine.impliedVolatility(request)),
          circumstances,
        );
      return timed(circumstances.meter, () => engine.impliedVolatilityAsync(request)).then((solved) =>
        volatilityAnswer(body, sheet, solved, circumstances),
      );
    },

    async impliedVolatilityBatch(body, { query = {}, meter, signal } = {}) {
      const sheet = sheetOfBatch(body, "implied_volatility", query);
      const asked = body instanceof WireTable ? query : isRows(body) ? { on_unattainable: attitudeOfRows(body) } : body;
      const request = (group: Group) => volatilityRequest(group, asked.on_unattainable ?? "null");
      const merged = await merge(sheet, ["implied_volatility", "attainable_error"], async (group) => {
        const solved = await timed(meter, () => engine.impliedVolatilityAsync(request(group), { signal }));
        const { impliedVolatility, attainableError, status } = solved;
        return { columns: { implied_volatility: impliedVolatility, attainable_error: attainableError }, status };
      });
      return outcomeOf("implied_volatility", sheet, merged, { isHashed: isHashed(body, query) });
    },

    models() {
      const { batch, table } = rowsMax();
      if (described?.batch_rows_max !== batch || described.table_rows_max !== table) {
        described = describeCatalog(catalog, calendars, { batch, table }, engineOnWire);
      }
      return described;
    },
  };
}

function priceRequest(
  { model, count, isCall, fields, lists, years }: Group,
  outputs: readonly OutputName[],
  units: Units,
) {
  return { model: model.name, count, isCall, inputs: { ...fields, time_to_expiry: years }, lists, outputs, units };
}

function volatilityRequest({ model, count, isCall, fields, lists, years }: Group, onUnattainable: OnUnattainable) {
  const { price, ...inputs } = fields;
  return {
    model: model.name,
    count,
    isCall,
    inputs: { ...inputs, time_to_expiry: years },
    lists,
    price: price!,
    onUnattainable,
  };
}

/** What a table's parameters ask for. Throws `invalid` where an output comes twice; that each exists has been checked. */
function askedByQuery({ outputs, units }: BatchQuery): { outputs?: readonly OutputName[]; units?: Units } {
  const names = outputs?.split(",") as OutputName[] | undefined;
  const faults = new Faults();
  if (names && new Set(names).size < names.length) faults.add("/query/outputs", "REPEATED", "must not repeat an item");
  faults.throwIfAny();
  return { ...(names && { outputs: names }), ...(units && { units }) };
}

/** A JSON body says all itself: a parameter beside it would have to be obeyed or silently dropped. */
function refuseTableParameters(query: Readonly<Record<string, unknown>>): void {
  const faults = new Faults();
  for (const name of ["model", "units", "outputs", "on_unattainable", "day_count", "calendar"]) {
    if (query[name] !== undefined) {
      faults.add(`/query/${name}`, "NOT_ALLOWED", "belongs into the body where that is JSON");
    }
  }
  faults.throwIfAny();
}

function isHashed(body: object, query: { readonly inputs_hash?: "true" | "false" }): boolean {
  return query.inputs_hash === "true" || ("inputs_hash" in body && body.inputs_hash === true);
}

const isRows = <Rows extends { readonly options: unknown }>(body: object | Rows): body is Rows => "options" in body;

/** The outputs and units that all rows of a batch share, because its answer can name them only once. */
function sharedByRows(
  body: BatchRows,
  unasked: readonly OutputName[],
): { outputs: readonly OutputName[]; units: Units } {
  const { options } = body;
  const outputsOf = (row?: PriceRequest) => row?.outputs ?? body.outputs ?? unasked;
  const unitsOf = (row?: PriceRequest) => row?.units ?? body.units ?? "market";
  const outputs = outputsOf(options[0]);
  const units = unitsOf(options[0]);
  requireShared(options, "outputs", (row) => sameOutputs(outputsOf(row), outputs));
  requireShared(options, "units", (row) => unitsOf(row) === units);
  return { outputs, units };
}

function attitudeOfRows(body: ImpliedVolatilityBatchRows): OnUnattainable {
  const attitudeOf = (row?: ImpliedVolatilityRequest) => row?.on_unattainable ?? body.on_unattainable ?? "null";
  const attitude = attitudeOf(body.options[0]);
  requireShared(body.options, "on_unattainable", (row) => attitudeOf(row) === attitude);
  return attitude;
}

function requireShared<Row>(rows: readonly Row[], name: string, isShared: (row: Row) => boolean): void {
  const faults = new Faults();
  for (let index = 0; index < rows.length && !faults.isFull; index++) {
    if (isShared(rows[index]!)) continue;
    faults.add(`/options/${index}/${name}`, "ROWS_DISAGREE", "must be the same in every row of a batch");
  }
  faults.throwIfAny();
}

interface Computed<Name extends string> {
  readonly columns: Readonly<Partial<Record<Name, Float64Array>>>;
  readonly status: Int32Array;
}

interface Merged {
  readonly columns: readonly (readonly [name: string, values: Float64Array])[];
  readonly status: Int32Array;
}

/** Computes group by group and puts the rows back in the request's order; NaN stays. */
async function merge<Name extends string>(
  sheet: Sheet,
  names: readonly Name[],
  compute: (group: Group) => Promise<Computed<Name>>,
): Promise<Merged> {
  const [only] = sheet.groups;
  if (sheet.groups.length === 1 && only?.positions === null) {
    const { columns, status } = await compute(only);
    return { columns: names.map((name) => [name, columns[name]!]), status };
  }
  const merged = names.map((name) => [name, newColumn(sheet.count)] as const);
  const status = new Int32Array(sheet.count);
  for (const group of sheet.groups) {
    const computed = await compute(group);
    const positions = group.positions!;
    for (const [name, to] of merged) {
      const from = computed.columns[name]!;
      for (let index = 0; index < from.length; index++) to[positions[index]!] = from[index]!;
    }
    for (let index = 0; index < group.count; index++) status[positions[index]!] = computed.status[index]!;
  }
  return { columns: merged, status };
}

/** JSON has no NaN and no infinity. */
function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function timeOfOne({ years, valuationTime }: Sheet): { time_to_expiry: number | null; valuation_time?: string } {
  return {
    time_to_expiry: orNull(years as number),
    ...(typeof valuationTime === "string" && { valuation_time: valuationTime }),
  };
}

function spread(column: Column, count: number): Float64Array {
  return typeof column === "number" ? newColumn(count).fill(column) : column;
}

const hashedRowsAtOnce = 16_384;
const hashedListsAtOnce = 1024;

/**
 * SHA-256, in hex, over the inputs in one canonical form, so that the same options have the same hash whatever format they
 * came in and whichever of their numbers were sent once for all. docs/guides/pricing.md, "What was priced", is its
 * specification: a line of words for each group of rows of one model, then its columns as little-endian doubles.
 */
function* hashSteps(question: Question, { count, groups }: Sheet): Generator<void, string> {
  const hash = createHash("sha256").update(`bsopt-inputs-1 ${question} ${count}\n`);
  const buffer = new Float64Array(Math.min(count, hashedRowsAtOnce));
  for (const { model, count: rows, positions, isCall, fields, lists, years } of groups) {
    hash.update(`${model.name} ${rows}\n`);
    if (positions !== null) hash.update(positions);
    const columns: readonly (Column | undefined)[] = [
      ...model.inputs.flatMap(({ name, default: fallback }) =>
        name === "volatility" && question === "implied_volatility"
          ? []
          : [name === "time_to_expiry" ? years : (fields[name] ?? fallback)],
      ),
      ...(question === "implied_volatility" ? [fields.price] : []),
      typeof isCall === "boolean" ? Number(isCall) : Float64Array.from(isCall),
    ];
    for (const column of columns) {
      for (let start = 0; start < rows; start += hashedRowsAtOnce) {
        const part = buffer.subarray(0, Math.min(hashedRowsAtOnce, rows - start));
        if (typeof column === "number") part.fill(column);
        else part.set(column!.subarray(start, start + part.length));
        // A NaN has many bit patterns and one meaning.
        for (let row = 0; row < part.length; row++) if (Number.isNaN(part[row])) part[row] = Number.NaN;
        hash.update(part);
        yield;
      }
    }
    for (const { name } of model.lists ?? []) {
      const each = lists[name];
      if (each === undefined || isEmpty(each)) continue;
      hash.update(`${name}\n`);
      for (let row = 0; row < rows; row++) {
        const numbers = Float64Array.from(listAt(each, row), (value) => (Number.isNaN(value) ? Number.NaN : value));
        hash.update(Float64Array.of(numbers.length)).update(numbers);
        if (row % hashedListsAtOnce === hashedListsAtOnce - 1) yield;
      }
    }
  }
  return hash.digest("hex");
}

/** Lists that are empty in every row are like none. */
function isEmpty(lists: Lists): boolean {
  return lists.longest === 1;
}

function hashOfOne(question: Question, sheet: Sheet): string {
  const steps = hashSteps(question, sheet);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

async function hashOfInputs(question: Question, sheet: Sheet): Promise<string> {
  const steps = hashSteps(question, sheet);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (sheet.count > hashedRowsAtOnce) await nextTurn();
  }
}

function describeCatalog(
  catalog: readonly ModelDefinition[],
  calendars: Calendars,
  rowsMax: { readonly batch: number; readonly table: number },
  engine: ModelsAnswer["engine"],
): ModelsAnswer {
  return {
    models: catalog.map((model) => ({
      name: model.name,
      title: model.title,
      source: model.source,
      inputs: model.inputs.map((input) => ({
        name: input.name,
        title: input.title,
        unit: input.unit,
        required: input.default === undefined,
        default: shownInput(input, input.default) ?? null,
        domain: input.domain,
        example: shownInput(input, input.example),
      })),
      lists: (model.lists ?? []).map(({ name, title, unit, items, isRequired, lengthMax, domain, example }) => ({
        name,
        title,
        unit,
        items,
        required: isRequired === true,
        items_max: lengthMax,
        domain,
        example: [...example],
      })),
      outputs: model.outputs.map((name) => ({
        name,
        market_factor: unitFactor(name, "market"),
        default: defaultOutputs.includes(name),
      })),
      implied_volatility: model.impliedVolatility,
      limits: [...model.limits],
    })),
    day_counts: [...dayCounts],
    calendars: [...calendars.values()].map(({ name, firstDay, lastDay }) => ({
      name,
      first_date: formatCivilDate(civilFromDays(firstDay)),
      last_date: formatCivilDate(civilFromDays(lastDay)),
    })),
    statuses: (Object.keys(statusCodes) as StatusName[]).map((name) => ({ code: statusCodes[name], name })),
    batch_rows_max: rowsMax.batch,
    table_rows_max: rowsMax.table,
    engine,
  };
}
