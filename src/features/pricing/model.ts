// What pricing says and hears on the wire. Every name of a model, input or output comes from the engine's
// catalog, so that a new model widens these schemas without a line changing here. Single and batch bodies are
// made of the same fields; a column is a number or an array of numbers, and a number counts for every row.

import { type Static, type TOptional, type TProperties, type TSchema, type TUnsafe, Type } from "@sinclair/typebox";
import { tableExamples } from "../../adapters/tabular/examples";
import type { WireSchema } from "../../adapters/tabular/wire-table";
import { rowsCountMax as maxItems } from "../../config/settings";
import { dayCounts } from "../../domain/day-count";
import {
  defaultOutputs,
  type InputName,
  type ListName,
  models,
  type OutputName,
  type StatusName,
  statusCodes,
  type WordInput,
  type WrittenItem,
} from "../../engine/catalog";
import {
  columnField,
  columnOf,
  inputProperties,
  listColumnField,
  listField,
  listItem,
  listProperties,
  valueField,
} from "../../engine/wire-fields";
import { modelNumber, oneOf, timestamp } from "../../foundation/wire";

const closed = { additionalProperties: false } as const;

/** Inputs a body names itself. Time is apart: it comes as years or as two moments. */
type NamedInput = Exclude<InputName, "time_to_expiry" | WordInput>;

const unique = <Item>(items: readonly Item[]): Item[] => [...new Set(items)];

const impliedModels = models.filter((model) => model.impliedVolatility);
/** Every output some model offers, in the catalog's order. */
export const outputNames: readonly OutputName[] = unique(models.flatMap((model) => model.outputs));
const greekNames = outputNames.filter((name) => name !== "price");
const statusNames = Object.keys(statusCodes) as StatusName[];

const optionType = oneOf(["call", "put"]);
const dayCount = oneOf(dayCounts, {
  description:
    "How the time to expiry becomes years. act/365f (default) and act/360 count elapsed time to the microsecond; the others count days as expiry's offset shows them, business/252 those of a calendar. Only with expiry.",
});
const calendarLengthMax = 64;
const calendar = Type.String({
  maxLength: calendarLengthMax,
  description:
    "Whose business days count: new_york (default), cboe, or one of the server's own, which GET /api/v1/pricing/models lists. Only with the day_count business/252.",
  examples: ["cboe"],
});
const units = oneOf(["market", "raw"], {
  description: "market (default): vega and rho for one point, theta for one day. raw: the derivatives themselves.",
});
const outputs = Type.Array(oneOf(outputNames), {
  minItems: 1,
  maxItems: outputNames.length,
  uniqueItems: true,
  description: `What to compute; ${defaultOutputs.join(", ")} where it is left out, but for what the model does not offer.`,
});
const onUnattainable = oneOf(["null", "zero"], {
  description: "What stands where the price is below_intrinsic: null (default) or 0.",
});
const expiryWords =
  "When the option expires, RFC 3339 with an offset, instead of time_to_expiry. A bare date is refused: it does not say when.";
const valuationWords = "The moment to value at; the server's now where it is left out. Only with expiry.";
const yearsWords = "Time to expiry in years. Either this or expiry.";

const timeFields = {
  time_to_expiry: Type.Optional(modelNumber({ description: yearsWords, examples: [0.5] })),
  expiry: Type.Optional(timestamp({ description: expiryWords })),
  valuation_time: Type.Optional(timestamp({ description: valuationWords })),
  day_count: Type.Optional(dayCount),
  calendar: Type.Optional(calendar),
};
const timeColumns = {
  time_to_expiry: Type.Optional(columnOf(modelNumber(), yearsWords)),
  expiry: Type.Optional(columnOf(timestamp(), expiryWords)),
  valuation_time: Type.Optional(columnOf(timestamp(), valuationWords)),
  day_count: Type.Optional(dayCount),
  calendar: Type.Optional(calendar),
};
const priceWords = "The option's price, from which the volatility is sought";

const modelName = oneOf(models.map((model) => model.name));
const impliedModelName = oneOf(impliedModels.map((model) => model.name));

/** Gives a schema made from the catalog the static type its properties have. */
const typed = <Properties>(properties: TProperties) =>
  properties as { [Name in keyof Properties]: Properties[Name] & TSchema };
type OptionalInputs<Name extends string, Value> = { [Key in Name]: TOptional<TUnsafe<Value>> };
type Words<Value> = OptionalInputs<WordInput, Value extends number[] ? string | string[] : string>;
type Inputs<Value> = OptionalInputs<NamedInput, Value> & Words<Value>;
type InputsForVolatility<Value> = OptionalInputs<Exclude<NamedInput, "volatility">, Value> & Words<Value>;
type ListsOnWire = OptionalInputs<ListName, WrittenItem[]>;
type ListColumnsOnWire = OptionalInputs<ListName, WrittenItem[] | WrittenItem[][]>;

type Scalar = number;
type ColumnOnWire = number | number[];

const timeless: readonly InputName[] = ["time_to_expiry"];
const timelessAndUnknown: readonly InputName[] = ["time_to_expiry", "volatility"];

const example = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  strike: 105,
  time_to_expiry: 0.5,
  rate: 0.03,
  dividend_yield: 0.01,
  volatility: 0.2,
};

/** The body of POST /api/v1/pricing/price, and one row of a batch by rows. */
export const PriceRequest = Type.Object(
  {
    model: modelName,
    option_type: optionType,
    ...typed<Inputs<Scalar>>(inputProperties(models, timeless, valueField)),
    ...typed<ListsOnWire>(listProperties(models, listField)),
    ...timeFields,
    outputs: Type.Optional(outputs),
    units: Type.Optional(units),
  },
  {
    ...closed,
    $id: "PriceRequest",
    examples: [
      { ...example, outputs: ["price", "delta", "gamma", "vega", "theta", "rho"], units: "market" },
      {
        model: "black_scholes_merton",
        option_type: "put",
        spot: 5800,
        strike: 5600,
        expiry: "2026-12-18T16:00:00-05:00",
        valuation_time: "2026-06-18T09:30:00-04:00",
        day_count: "act/365f",
        rate: 0.0415,
        dividend_yield: 0.0121,
        volatility: 0.187,
      },
    ],
  },
);
export type PriceRequest = Static<typeof PriceRequest>;

const inputsHashAsked = Type.Optional(
  Type.Boolean({ description: "Whether the answer tells inputs_hash, the SHA-256 of what was priced." }),
);
const inputsHash = Type.Optional(
  Type.String({ pattern: "^[0-9a-f]{64}$", description: "SHA-256 of what was priced, where it was asked for." }),
);

const engineInfo = Type.Object(
  {
    version: Type.String({ description: "The program's version." }),
    wasm_sha256: Type.String({ description: "SHA-256 of the kernel that computed this." }),
  },
  { ...closed, $id: "EngineInfo" },
);

const numberOrNull = Type.Union([Type.Number(), Type.Null()]);
const numbers = Type.Array(numberOrNull);
const statusWord = oneOf(statusNames, { description: "Why a number is what it is, or is null." });
const statusColumn = Type.Array(Type.Integer(), {
  description: `A code for each row: ${statusNames.map((name) => `${statusCodes[name]} ${name}`).join(", ")}. From 10 on the outputs are null.`,
});
const valuationTime = Type.Optional(timestamp({ description: "The moment valued at, where expiry was given." }));

const engineExample = {
  version: "0.1.0",
  wasm_sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
};

/** The answer to one option. */
export const PriceAnswer = Type.Object(
  {
    price: Type.Optional(numberOrNull),
    greeks: Type.Object(
      typed<OptionalOutputs<Exclude<OutputName, "price">, number | null>>(
        Object.fromEntries(greekNames.map((name) => [name, Type.Optional(numberOrNull)])),
      ),
      { ...closed, $id: "Greeks" },
    ),
    status: statusWord,
    units,
    model: modelName,
    time_to_expiry: Type.Union([Type.Number(), Type.Null()], { description: "The years that were priced with." }),
    valuation_time: valuationTime,
    engine: engineInfo,
    inputs_hash: inputsHash,
  },
  {
    ...closed,
    $id: "PriceAnswer",
    examples: [
      {
        price: 4.1,
        greeks: { delta: 0.43, gamma: 0.028, vega: 0.28, theta: -0.018, rho: 0.19 },
        status: "ok",
        units: "market",
        model: "black_scholes_merton",
        time_to_expiry: 0.5,
        engine: engineExample,
      },
    ],
  },
);
export type PriceAnswer = Static<typeof PriceAnswer>;

type OptionalOutputs<Name extends string, Value> = { [Key in Name]: TOptional<TUnsafe<Value>> };

/** A batch by columns: each field a number for every row, or one a row. */
export const BatchColumns = Type.Object(
  {
    model: modelName,
    option_type: columnOf(optionType, "One for every row, or one a row."),
    ...typed<Inputs<ColumnOnWire>>(inputProperties(models, timeless, columnField)),
    ...typed<ListColumnsOnWire>(listProperties(models, listColumnField)),
    ...timeColumns,
    outputs: Type.Optional(outputs),
    units: Type.Optional(units),
    inputs_hash: inputsHashAsked,
  },
  {
    ...closed,
    $id: "BatchColumns",
    examples: [
      {
        model: "black_scholes_merton",
        option_type: ["call", "put"],
        spot: 100,
        strike: [95, 105],
        time_to_expiry: 0.5,
        rate: 0.03,
        dividend_yield: 0,
        volatility: [0.22, 0.2],
        outputs: ["price", "delta"],
      },
    ],
  },
);
export type BatchColumns = Static<typeof BatchColumns>;

/** A batch by rows: options as they would be sent one by one. */
export const BatchRows = Type.Object(
  {
    options: Type.Array(PriceRequest, { maxItems, description: "Each as it would be priced alone." }),
    outputs: Type.Optional(outputs),
    units: Type.Optional(units),
    inputs_hash: inputsHashAsked,
  },
  {
    ...closed,
    $id: "BatchRows",
    examples: [
      {
        options: [example, { ...example, option_type: "put", strike: 95 }],
        outputs: ["price", "delta"],
      },
    ],
  },
);
export type BatchRows = Static<typeof BatchRows>;

const modelColumn = <Name extends TSchema>(name: Name) =>
  columnOf(name, "One name where every row has the same model, else one a row.");
const timeColumn = Type.Optional(
  Type.Array(numberOrNull, { description: "The years each row was priced with, where expiry was given." }),
);
const valuationColumn = Type.Optional(
  Type.Union([timestamp(), Type.Array(Type.Union([timestamp(), Type.Null()]))], {
    description: "The moment valued at, where expiry was given: one, or one a row where they differ.",
  }),
);

/** The answer to a batch, in input order. */
export const BatchAnswer = Type.Object(
  {
    count: Type.Integer({ minimum: 0 }),
    ...typed<OptionalOutputs<OutputName, (number | null)[]>>(
      Object.fromEntries(outputNames.map((name) => [name, Type.Optional(numbers)])),
    ),
    status: statusColumn,
    units,
    model: modelColumn(modelName),
    time_to_expiry: timeColumn,
    valuation_time: valuationColumn,
    engine: engineInfo,
    inputs_hash: inputsHash,
  },
  {
    ...closed,
    $id: "BatchAnswer",
    examples: [
      {
        count: 2,
        price: [9.6, 6.9],
        delta: [0.7, -0.5],
        status: [0, 0],
        units: "market",
        model: "black_scholes_merton",
        engine: engineExample,
      },
    ],
  },
);
export type BatchAnswer = Static<typeof BatchAnswer>;

const volatilityExample = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  strike: 105,
  time_to_expiry: 0.5,
  rate: 0.03,
  dividend_yield: 0.01,
  price: 4.1,
};

/** The body of POST /api/v1/pricing/implied-volatility, and one row of a batch of them. */
export const ImpliedVolatilityRequest = Type.Object(
  {
    model: impliedModelName,
    option_type: optionType,
    ...typed<InputsForVolatility<Scalar>>(inputProperties(impliedModels, timelessAndUnknown, valueField)),
    ...typed<ListsOnWire>(listProperties(impliedModels, listField)),
    ...timeFields,
    price: modelNumber({ description: `${priceWords}.`, examples: [4.1] }),
    on_unattainable: Type.Optional(onUnattainable),
  },
  { ...closed, $id: "ImpliedVolatilityRequest", examples: [volatilityExample] },
);
export type ImpliedVolatilityRequest = Static<typeof ImpliedVolatilityRequest>;

const attainableWords =
  "How far off, relatively, the volatility must be expected to be because the price is a double: 2⁻⁵³·(1 + price/(vega·volatility)).";

export const ImpliedVolatilityAnswer = Type.Object(
  {
    implied_volatility: numberOrNull,
    status: statusWord,
    attainable_error: Type.Union([Type.Number(), Type.Null()], { description: attainableWords }),
    model: impliedModelName,
    time_to_expiry: Type.Union([Type.Number(), Type.Null()]),
    valuation_time: valuationTime,
    engine: engineInfo,
    inputs_hash: inputsHash,
  },
  {
    ...closed,
    $id: "ImpliedVolatilityAnswer",
    examples: [
      {
        implied_volatility: 0.2,
        status: "ok",
        attainable_error: 3e-16,
        model: "black_scholes_merton",
        time_to_expiry: 0.5,
        engine: engineExample,
      },
    ],
  },
);
export type ImpliedVolatilityAnswer = Static<typeof ImpliedVolatilityAnswer>;

export const ImpliedVolatilityBatchColumns = Type.Object(
  {
    model: impliedModelName,
    option_type: columnOf(optionType, "One for every row, or one a row."),
    ...typed<InputsForVolatility<ColumnOnWire>>(inputProperties(impliedModels, timelessAndUnknown, columnField)),
    ...typed<ListColumnsOnWire>(listProperties(impliedModels, listColumnField)),
    ...timeColumns,
    price: columnOf(modelNumber(), `${priceWords}: one for every row, or one a row.`),
    on_unattainable: Type.Optional(onUnattainable),
    inputs_hash: inputsHashAsked,
  },
  {
    ...closed,
    $id: "ImpliedVolatilityBatchColumns",
    examples: [{ ...volatilityExample, option_type: ["call", "put"], strike: [95, 105], price: [9.2, 7.4] }],
  },
);
export type ImpliedVolatilityBatchColumns = Static<typeof ImpliedVolatilityBatchColumns>;

export const ImpliedVolatilityBatchRows = Type.Object(
  {
    options: Type.Array(ImpliedVolatilityRequest, { maxItems, description: "Each as it would be asked alone." }),
    on_unattainable: Type.Optional(onUnattainable),
    inputs_hash: inputsHashAsked,
  },
  {
    ...closed,
    $id: "ImpliedVolatilityBatchRows",
    examples: [{ options: [volatilityExample, { ...volatilityExample, price: 3.9 }], on_unattainable: "null" }],
  },
);
export type ImpliedVolatilityBatchRows = Static<typeof ImpliedVolatilityBatchRows>;

export const ImpliedVolatilityBatchAnswer = Type.Object(
  {
    count: Type.Integer({ minimum: 0 }),
    implied_volatility: numbers,
    status: statusColumn,
    attainable_error: Type.Array(numberOrNull, { description: attainableWords }),
    model: modelColumn(impliedModelName),
    time_to_expiry: timeColumn,
    valuation_time: valuationColumn,
    engine: engineInfo,
    inputs_hash: inputsHash,
  },
  {
    ...closed,
    $id: "ImpliedVolatilityBatchAnswer",
    examples: [
      {
        count: 2,
        implied_volatility: [0.2, null],
        status: [0, 10],
        attainable_error: [3e-16, null],
        model: "black_scholes_merton",
        engine: engineExample,
      },
    ],
  },
);
export type ImpliedVolatilityBatchAnswer = Static<typeof ImpliedVolatilityBatchAnswer>;
export type OnUnattainable = Static<typeof onUnattainable>;

/** The columns a table of options may have, read off the schema of a body by columns. */
function tableColumns(columns: TProperties): WireSchema {
  return Object.fromEntries(
    Object.entries(columns).flatMap(([name, schema]): [string, WireSchema[string]][] => {
      // A column is a union of one item and a list of them.
      const item = (schema.anyOf as TSchema[] | undefined)?.find(({ type }) => type === "array")?.items as TSchema;
      if (item === undefined) return [];
      if (models.some(({ lists = [] }) => lists.some((list) => list.name === name))) return [[name, "list"]];
      return [[name, item.type === "number" ? "number" : "word"]];
    }),
  );
}

export const batchTableColumns = tableColumns(BatchColumns.properties);
export const impliedVolatilityTableColumns = tableColumns(ImpliedVolatilityBatchColumns.properties);

const { model: _, ...exampleRow } = example;
export const batchTableExamples = tableExamples([exampleRow, { ...exampleRow, option_type: "put", strike: 95 }]);
const { model: __, ...volatilityExampleRow } = volatilityExample;
export const impliedVolatilityTableExamples = tableExamples([
  volatilityExampleRow,
  { ...volatilityExampleRow, option_type: "put", strike: 95, price: 1.7 },
]);

const flag = oneOf(["true", "false"], {
  description: "Whether the answer tells inputs_hash, the SHA-256 of what was priced.",
});
const beside = "Only beside CSV, NDJSON and Arrow; in JSON it stands in the body.";
const format = oneOf(["json", "ndjson", "csv", "arrow"], {
  description: "The answer's format, whatever Accept says.",
});

/** The parameters of a route for one option. */
export const SingleQuery = Type.Object({ inputs_hash: Type.Optional(flag) }, closed);
export type SingleQuery = Static<typeof SingleQuery>;

const tableQuery = {
  day_count: Type.Optional(dayCount),
  calendar: Type.Optional(calendar),
  format: Type.Optional(format),
  inputs_hash: Type.Optional(flag),
};

/** The parameters of POST /api/v1/pricing/batch. */
export const BatchQuery = Type.Object(
  {
    model: Type.Optional(
      oneOf(
        models.map(({ name }) => name),
        { description: `The model. ${beside}` },
      ),
    ),
    outputs: Type.Optional(
      Type.String({
        pattern: `^(?:${outputNames.join("|")})(?:,(?:${outputNames.join("|")})){0,${outputNames.length - 1}}$`,
        description: `What to compute, separated by commas. ${beside}`,
        examples: ["price,delta"],
      }),
    ),
    units: Type.Optional(units),
    ...tableQuery,
  },
  closed,
);
export type BatchQuery = Static<typeof BatchQuery>;

/** The parameters of POST /api/v1/pricing/implied-volatility/batch. */
export const ImpliedVolatilityBatchQuery = Type.Object(
  {
    model: Type.Optional(
      oneOf(
        impliedModels.map(({ name }) => name),
        { description: `The model. ${beside}` },
      ),
    ),
    on_unattainable: Type.Optional(onUnattainable),
    ...tableQuery,
  },
  closed,
);
export type ImpliedVolatilityBatchQuery = Static<typeof ImpliedVolatilityBatchQuery>;

const ModelInput = Type.Object(
  {
    name: Type.String(),
    title: Type.String(),
    unit: Type.String(),
    required: Type.Boolean(),
    default: Type.Union([Type.Number(), Type.String(), Type.Null()], { description: "What a gap stands for." }),
    domain: Type.String({ description: "Which values are priced." }),
    example: Type.Union([Type.Number(), Type.String()]),
  },
  { ...closed, $id: "ModelInput" },
);

const ModelList = Type.Object(
  {
    name: Type.String(),
    title: Type.String(),
    unit: Type.String(),
    items: oneOf(["moments", "dated_amounts"], {
      description: "moments: years, or RFC 3339 texts. dated_amounts: objects of time or date, and amount.",
    }),
    required: Type.Boolean(),
    items_max: Type.Integer({ description: "Items at most." }),
    domain: Type.String({ description: "Which values are priced." }),
    example: Type.Array(Type.Union([Type.Number(), Type.String(), listItem.dated_amounts])),
  },
  { ...closed, $id: "ModelList" },
);

const ModelOutput = Type.Object(
  {
    name: Type.String(),
    market_factor: Type.Number({ description: "A market value is the raw one times this." }),
    default: Type.Boolean({ description: "Whether it is computed where outputs is left out." }),
  },
  { ...closed, $id: "ModelOutput" },
);

const ModelDescription = Type.Object(
  {
    name: modelName,
    title: Type.String(),
    source: Type.String({ description: "Author, year." }),
    inputs: Type.Array(ModelInput),
    lists: Type.Array(ModelList, { description: "Inputs that are a list for each option." }),
    outputs: Type.Array(ModelOutput),
    implied_volatility: Type.Boolean({ description: "Whether a price can be turned back into a volatility." }),
    limits: Type.Array(Type.String(), { description: "What happens at the edges." }),
  },
  { ...closed, $id: "ModelDescription" },
);

const CalendarDescription = Type.Object(
  {
    name: Type.String(),
    first_date: Type.String({ format: "date", description: "The first day it knows; an earlier one is refused." }),
    last_date: Type.String({ format: "date", description: "The last day it knows." }),
  },
  { ...closed, $id: "CalendarDescription" },
);

/** The answer of GET /api/v1/pricing/models. */
export const ModelsAnswer = Type.Object(
  {
    models: Type.Array(ModelDescription),
    day_counts: Type.Array(dayCount),
    calendars: Type.Array(CalendarDescription, { description: "Those that business/252 can count by." }),
    statuses: Type.Array(
      Type.Object({ code: Type.Integer(), name: statusWord }, { ...closed, $id: "StatusDescription" }),
    ),
    batch_rows_max: Type.Integer({ description: "Options in one batch in JSON, at most." }),
    table_rows_max: Type.Integer({ description: "Options in one batch as CSV, NDJSON or Arrow, at most." }),
    engine: engineInfo,
  },
  { ...closed, $id: "ModelsAnswer" },
);
export type ModelsAnswer = Static<typeof ModelsAnswer>;
