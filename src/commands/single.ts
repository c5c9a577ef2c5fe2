// One option from flags: `bsopt price --spot 100 --strike 105 …` and `bsopt iv …`.

import { writeTable } from "../adapters/tabular/formats";
import type { TableColumn } from "../adapters/tabular/table";
import {
  type ListDefinition,
  type ListName,
  type ModelDefinition,
  modelNamed,
  models,
  statusName,
  type WrittenItem,
} from "../engine/catalog";
import { listText } from "../engine/list-items";
import { type Lists, sameLists } from "../engine/lists";
import { formatTimestamp } from "../foundation/clock";
import { type PricingCommandDependencies, printFormat } from "./arguments";
import { countingOf } from "./counting";
import { CommandExit, exitCodes, UsageError } from "./io";
import { momentsBy, numbersOfFlag } from "./listed";
import { deliver } from "./output";
import {
  type BookFlags,
  type BookInput,
  type BookInputDefinition,
  type BookTask,
  checkTimeFlags,
  flagOf,
  givenNumber,
  keyOf,
  statusColumns,
  timeOf,
} from "./task";

/** Prices the flags' option. Throws UsageError naming every flag that is missing; exit code 3 where it has no price. */
export async function runSingle(
  dependencies: PricingCommandDependencies,
  task: BookTask,
  flags: BookFlags,
): Promise<void> {
  const { engine, io, clock } = dependencies;
  checkTimeFlags(flags, false);
  const format = printFormat(flags, "table");
  const now = clock.nowMicroseconds();
  const model = modelNamed(flags.model);
  const definitions = task.inputs(model);
  const counting = await countingOf(dependencies, flags);
  const time = timeOf(flags, now, counting);
  const given = listsGiven(model, flags);
  const missing = definitions
    .filter((input) => givenNumber(flags, input) === undefined && input.default === undefined)
    .map((input) => `--${flagOf(input.name)}`);
  for (const { name, isRequired } of model.lists ?? [])
    if (isRequired && !given.has(name)) missing.push(`--${flagOf(name)}`);
  if (flags.type === undefined) missing.push("--type");
  if (time === undefined) missing.push("--days (or --time, or --expiry)");
  if (missing.length > 0)
    throw new UsageError(`missing ${missing.join(", ")}`, "or name a file of options; --help tells all flags");

  const inputs: Partial<Record<BookInput, number>> = { time_to_expiry: time! };
  for (const input of definitions) inputs[input.name] = givenNumber(flags, input) ?? input.default!;
  const units = flags.units ?? "market";
  const yearsOf = momentsBy(flags.expiry === undefined ? null : (flags.valuationTime ?? now), counting);
  const lists: Partial<Record<ListName, Lists>> = {};
  for (const [name, { definition, written }] of given)
    lists[name] = sameLists(numbersOfFlag(written, definition, yearsOf));
  const isCall = Uint8Array.of(flags.type === "call" ? 1 : 0);
  const slice = { model: flags.model, count: 1, isCall, inputs, lists, units };
  const { columns, status } = await task.compute(engine(), slice);
  const outputs = Object.fromEntries(columns.map((column) => [column.name, cellOf(column, 0)]));
  const statusText = statusName(status[0]!);

  if (format === "table") {
    await deliver(io, flags.output, [describeSingle(flags, definitions, inputs, given, columns, statusText)]);
  } else if (format === "json") {
    const { version, wasmSha256 } = engine().info;
    const document = {
      ...task.answer(outputs, { units }),
      status: statusText,
      model: flags.model,
      time_to_expiry: Number.isFinite(time) ? time : null,
      ...(flags.expiry === undefined ? {} : { valuation_time: formatTimestamp(flags.valuationTime ?? now) }),
      engine: { version, wasm_sha256: wasmSha256 },
    };
    await deliver(io, flags.output, [`${JSON.stringify(document)}\n`]);
  } else {
    const numbers = Object.entries(inputs).map(([name, value]): TableColumn => {
      const words = definitions.find((input) => input.name === name)?.words;
      return words
        ? { name, kind: "text", values: [words[value]!] }
        : { name, kind: "number", values: Float64Array.of(value) };
    });
    const table = {
      count: 1,
      columns: [
        { name: "option_type", kind: "text", values: [flags.type!] } as const,
        ...numbers,
        ...[...given].map(([name, { written }]) => ({ name, kind: "text", values: [listText(written)] }) as const),
        ...columns,
        ...statusColumns(status, new Set()),
      ],
    };
    await deliver(io, flags.output, writeTable(format, table, {}));
  }
  if (status[0]! >= 10) throw new CommandExit(exitCodes.partial);
}

type ListsGiven = ReadonlyMap<
  ListName,
  { readonly definition: ListDefinition; readonly written: readonly WrittenItem[] }
>;

/** The lists that flags gave. Throws UsageError where the model takes none of that name. */
export function listsGiven({ name: model, lists = [] }: ModelDefinition, flags: BookFlags): ListsGiven {
  const given = new Map(
    lists.flatMap((definition) => {
      const written = flags[keyOf(definition.name)] as readonly WrittenItem[] | undefined;
      return written === undefined ? [] : [[definition.name, { definition, written }] as const];
    }),
  );
  for (const { lists: others = [] } of models) {
    for (const { name } of others)
      if (flags[keyOf(name)] !== undefined && !given.has(name))
        throw new UsageError(`--${flagOf(name)} is no input of ${model}`);
  }
  return given;
}

function cellOf(column: TableColumn, row: number): number | null {
  const value = column.values[row];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function describeSingle(
  flags: BookFlags,
  definitions: readonly BookInputDefinition[],
  inputs: Partial<Record<BookInput, number>>,
  lists: ListsGiven,
  columns: readonly TableColumn[],
  status: string,
): string {
  const given = Object.entries(inputs).map(
    ([name, value]) =>
      `${name.replaceAll("_", " ")} ${definitions.find((input) => input.name === name)?.words?.[value] ?? Number(value.toPrecision(10))}`,
  );
  for (const [name, { written }] of lists) given.push(`${name.replaceAll("_", " ")} ${listText(written)}`);
  const width = Math.max(...columns.map((column) => column.name.length), "status".length);
  const lines = columns.map((column) => {
    const value = cellOf(column, 0);
    return `${column.name.padEnd(width)}  ${value === null ? "–" : Number(value.toPrecision(12))}`;
  });
  return `${flags.model} ${flags.type}: ${given.join(", ")}\n${lines.join("\n")}\n${"status".padEnd(width)}  ${status}\n`;
}
