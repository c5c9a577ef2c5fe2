// The use cases of pricing: one option or many, a price or a volatility. Separate from rules.ts, which turns bodies
// into columns, and from the engine, which computes them. A single request is a batch of one row, so that the two
// cannot differ. A bad shape throws; a bad value comes back as its row's status, never as an error.

import type { Calendars } from "../../domain/business-calendar";
import { civilFromDays, formatCivilDate } from "../../domain/calendar";
import { dayCounts } from "../../domain/day-count";
import { builtInCalendars } from "../../domain/exchange-calendars";
import {
  defaultOutputs,
  type ModelDefinition,
  models,
  type OutputName,
  type StatusName,
  statusCodes,
  statusName,
  type Units,
  unitFactor,
} from "../../engine/catalog";
import type { Engine } from "../../engine/engine";
import type { Clock } from "../../foundation/clock";
import type {
  BatchAnswer,
  BatchColumns,
  BatchRows,
  ImpliedVolatilityAnswer,
  ImpliedVolatilityBatchAnswer,
  ImpliedVolatilityBatchColumns,
  ImpliedVolatilityBatchRows,
  ImpliedVolatilityRequest,
  ModelsAnswer,
  OnUnattainable,
  PriceAnswer,
  PriceRequest,
} from "./model";
import {
  type Body,
  Faults,
  type Group,
  type KnownModels,
  knownModels,
  type Question,
  type Sheet,
  sameOutputs,
  sheetOfColumns,
  sheetOfRows,
} from "./rules";

/** Told how long the engine itself took, in milliseconds. */
export type Meter = (durationMilliseconds: number) => void;

export interface PricingOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  /** Options in one batch at most. */
  readonly batchRowsMax: number;
  /** What business/252 can count by; those built in unless the user has more. */
  readonly calendars?: Calendars;
  /** The engine's models; the whole catalog unless a test brings another. */
  readonly catalog?: readonly ModelDefinition[];
}

/** Methods throw BsoptError `invalid` for a bad shape and `limit-breached` for too many rows; never for a value. */
export interface PricingService {
  price(body: PriceRequest, meter?: Meter): PriceAnswer;
  priceBatch(body: BatchColumns | BatchRows, meter?: Meter): BatchAnswer;
  impliedVolatility(body: ImpliedVolatilityRequest, meter?: Meter): ImpliedVolatilityAnswer;
  impliedVolatilityBatch(
    body: ImpliedVolatilityBatchColumns | ImpliedVolatilityBatchRows,
    meter?: Meter,
  ): ImpliedVolatilityBatchAnswer;
  models(): ModelsAnswer;
}

type Numbers = (number | null)[];

export function createPricing(options: PricingOptions): PricingService {
  const { engine, clock, batchRowsMax, calendars = builtInCalendars(), catalog = models } = options;
  const engineOnWire = { version: engine.info.version, wasm_sha256: engine.info.wasmSha256 };
  const modelsAnswer = describeCatalog(catalog, calendars, batchRowsMax, engineOnWire);
  const known: Readonly<Record<Question, KnownModels>> = {
    price: knownModels("price", catalog),
    implied_volatility: knownModels(
      "implied_volatility",
      catalog.filter((model) => model.impliedVolatility),
    ),
  };

  const sheetOf = (body: Body | { readonly options: readonly Body[] }, question: Question): Sheet => {
    const options = { known: known[question], calendars, now: clock.nowMicroseconds(), rowCountMax: batchRowsMax };
    return isRows(body) ? sheetOfRows(body.options, options) : sheetOfColumns(body, options);
  };

  function timed<Result>(meter: Meter | undefined, work: () => Result): Result {
    if (!meter) return work();
    const start = clock.monotonicMilliseconds();
    const result = work();
    meter(clock.monotonicMilliseconds() - start);
    return result;
  }

  /** An output that a group's model does not offer makes that group's rows unsupported_output; the engine says so. */
  function priceSheet(sheet: Sheet, asked: { outputs: readonly OutputName[]; units: Units }, meter?: Meter) {
    return merge(sheet, asked.outputs, (group) => {
      const inputs = { ...group.fields, time_to_expiry: group.years };
      const { count, isCall } = group;
      return timed(meter, () => engine.price({ model: group.model.name, count, isCall, inputs, ...asked }));
    });
  }

  function solveSheet(sheet: Sheet, onUnattainable: OnUnattainable, meter?: Meter) {
    return merge(sheet, ["implied_volatility", "attainable_error"], (group) => {
      const { price, ...fields } = group.fields;
      const inputs = { ...fields, time_to_expiry: group.years };
      const { count, isCall } = group;
      const solved = timed(meter, () =>
        engine.impliedVolatility({ model: group.model.name, count, isCall, inputs, price: price!, onUnattainable }),
      );
      const columns = { implied_volatility: solved.impliedVolatility, attainable_error: solved.attainableError };
      return { columns, status: solved.status };
    });
  }

  return {
    price(body, meter) {
      const sheet = sheetOf(body, "price");
      const { outputs = defaultOutputs, units = "market" } = body;
      const { columns, status } = priceSheet(sheet, { outputs, units }, meter);
      const { price, ...greeks } = Object.fromEntries(
        outputs.map((name) => [name, columns[name]![0]!]),
      ) as PriceAnswer["greeks"] & { price?: number | null };
      return {
        ...(price !== undefined && { price }),
        greeks,
        status: statusName(status[0]!),
        units,
        model: body.model,
        ...timeOfOne(sheet),
        engine: engineOnWire,
      };
    },

    priceBatch(body, meter) {
      const asked = isRows(body) ? sharedByRows(body) : body;
      const { outputs = defaultOutputs, units = "market" } = asked;
      const sheet = sheetOf(body, "price");
      const { columns, status } = priceSheet(sheet, { outputs, units }, meter);
      return {
        count: sheet.count,
        ...(columns as Record<OutputName, Numbers>),
        status,
        units,
        model: sheet.model,
        ...timesOfMany(sheet),
        engine: engineOnWire,
      };
    },

    impliedVolatility(body, meter) {
      const sheet = sheetOf(body, "implied_volatility");
      const { columns, status } = solveSheet(sheet, body.on_unattainable ?? "null", meter);
      return {
        implied_volatility: columns.implied_volatility[0]!,
        status: statusName(status[0]!),
        attainable_error: columns.attainable_error[0]!,
        model: body.model,
        ...timeOfOne(sheet),
        engine: engineOnWire,
      };
    },

    impliedVolatilityBatch(body, meter) {
      const onUnattainable = (isRows(body) ? attitudeOfRows(body) : body.on_unattainable) ?? "null";
      const sheet = sheetOf(body, "implied_volatility");
      const { columns, status } = solveSheet(sheet, onUnattainable, meter);
      return {
        count: sheet.count,
        ...columns,
        status,
        model: sheet.model,
        ...timesOfMany(sheet),
        engine: engineOnWire,
      };
    },

    models: () => modelsAnswer,
  };
}

const isRows = <Rows extends { readonly options: unknown }>(body: object | Rows): body is Rows => "options" in body;

/** The outputs and units that all rows of a batch share, because its answer can name them only once. */
function sharedByRows(body: BatchRows): { outputs?: readonly OutputName[]; units?: Units } {
  const { options } = body;
  const outputsOf = (row?: PriceRequest) => row?.outputs ?? body.outputs ?? defaultOutputs;
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

/** Computes group by group and puts the rows back in the request's order, NaN as null. */
function merge<Name extends string>(sheet: Sheet, names: readonly Name[], compute: (group: Group) => Computed<Name>) {
  const columns = Object.fromEntries(names.map((name) => [name, new Array(sheet.count)])) as Record<Name, Numbers>;
  const status = new Array<number>(sheet.count);
  for (const group of sheet.groups) {
    const computed = compute(group);
    const { positions } = group;
    for (const name of names) {
      const from = computed.columns[name]!;
      const to = columns[name];
      for (let index = 0; index < from.length; index++)
        to[positions ? positions[index]! : index] = orNull(from[index]!);
    }
    for (let index = 0; index < group.count; index++) {
      status[positions ? positions[index]! : index] = computed.status[index]!;
    }
  }
  return { columns, status };
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

/** A batch echoes times only where it worked them out: columns of years would only come back as they went. */
function timesOfMany({ years, valuationTime, count }: Sheet): {
  time_to_expiry?: Numbers;
  valuation_time?: string | (string | null)[];
} {
  if (valuationTime === null) return {};
  const yearsEach = typeof years === "number" ? new Array<number>(count).fill(years) : years;
  return { time_to_expiry: Array.from(yearsEach, orNull), valuation_time: valuationTime };
}

function describeCatalog(
  catalog: readonly ModelDefinition[],
  calendars: Calendars,
  batchRowsMax: number,
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
        default: input.default ?? null,
        domain: input.domain,
        example: input.example,
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
    batch_rows_max: batchRowsMax,
    engine,
  };
}
