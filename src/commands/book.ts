// A book of options from a file, with flags for what its columns leave out, priced in slices and given back in input order.
// One bad row never spoils another: what can't be read of it becomes NaN, and its status and reason say so.

import { readTable, writeTable } from "../adapters/tabular/formats";
import {
  type ColumnTable,
  cellFaultsMax,
  fileLimits,
  formatOfPath,
  malformed,
  numbersOf,
  type ReadTable,
  type TableColumn,
  textsOf,
} from "../adapters/tabular/table";
import { layOutTable, type TerminalColumn } from "../adapters/tabular/terminal";
import { outsideCalendar } from "../domain/business-calendar";
import { type Counting, type Moment, parseMoment, timestampFaultDetail, yearsToExpiry } from "../domain/day-count";
import { type ListName, modelNamed } from "../engine/catalog";
import type { Column } from "../engine/engine";
import { type Lists, ListsBuilder, listNumbersMax, slicedLists } from "../engine/lists";
import type { EpochMicroseconds } from "../foundation/clock";
import { quoted } from "../foundation/printable";
import { leftOutNote, type PricingCommandDependencies, printFormat } from "./arguments";
import { countingOf } from "./counting";
import { CommandExit, exitCodes, UsageError } from "./io";
import { momentsBy, numbersOfCell, numbersOfFlag } from "./listed";
import { namingOf } from "./naming";
import { deliver } from "./output";
import { createProgress } from "./progress";
import { listsGiven } from "./single";
import {
  type BookFlags,
  type BookInput,
  type BookTask,
  bookSchema,
  carriedColumns,
  checkTimeFlags,
  flagOf,
  givenNumber,
  statusColumns,
  timeOf,
} from "./task";

const rowsPerSlice = 65_536;
const faultsShownMax = 20;

/**
 * Prices a file's options. Throws BsoptError where the file can't be read and UsageError where columns and flags don't add up;
 * exit code 3 where some rows have no price.
 */
export async function runBook(
  dependencies: PricingCommandDependencies,
  task: BookTask,
  path: string,
  flags: BookFlags,
): Promise<void> {
  const { engine, io, clock } = dependencies;
  const [source, name] = path === "-" ? [io.stdin(), "standard input"] : [io.readFile(path), path];
  const inputFormat = flags.inputFormat ?? formatOfPath(path) ?? "csv";
  const format = printFormat(flags, inputFormat);
  const model = modelNamed(flags.model);
  const definitions = task.inputs(model);
  const progress = createProgress(io.stderr, clock, task.label);
  const naming = namingOf(flags.map ?? [], inputFormat, bookSchema(task, [model]));
  const book = naming.rename(await readTable(inputFormat, progress.reading(source), name, naming.schema, fileLimits));
  if (book.count === 0) throw malformed("EMPTY_FILE", name, "holds no option");
  checkTimeFlags(flags, textsOf(book, "expiry") !== undefined);
  const counting = await countingOf(dependencies, flags);
  const faults = new FaultList(book);

  const isCall = callsOf(book, name, flags, faults);
  const inputs: Partial<Record<BookInput, Column>> = {
    time_to_expiry: timesOf(book, name, flags, { now: clock.nowMicroseconds(), counting }, faults),
  };
  for (const definition of definitions) {
    const { name: input, words, default: fallback } = definition;
    const given = givenNumber(flags, definition);
    const own = words ? placesOf(book, input, words, faults) : numbersOf(book, input);
    const column = own ?? given ?? fallback;
    refuseBoth(book, input, given, name);
    if (column === undefined)
      throw new UsageError(`${input} is neither a column of ${name} nor given as --${flagOf(input)}`);
    inputs[input] = column;
  }
  const isUnreadable = isCall.map((value) => (value === 2 ? 1 : 0));
  const lists = listsOfBook(book, name, flags, { now: clock.nowMicroseconds(), counting }, faults, isUnreadable);
  const usable = maskUnreadable(inputs, isUnreadable);

  const parts: { columns: readonly TableColumn[]; status: Int32Array }[] = [];
  for (let start = 0; start < book.count; start += rowsPerSlice) {
    const end = Math.min(start + rowsPerSlice, book.count);
    const sliced = Object.fromEntries(
      Object.entries(usable).map(([input, column]) => [
        input,
        typeof column === "number" ? column : column.subarray(start, end),
      ]),
    );
    const calls = Uint8Array.from(isCall.subarray(start, end), (value) => (value === 1 ? 1 : 0));
    const slicedOfLists = Object.fromEntries(
      Object.entries(lists).map(([list, each]) => [list, slicedLists(each, start, end)]),
    );
    const slice = {
      lists: slicedOfLists,
      model: flags.model,
      count: end - start,
      isCall: calls,
      inputs: sliced,
      units: flags.units ?? "market",
    };
    parts.push(await task.compute(engine(), slice));
    await progress.update(end, book.count);
  }
  await progress.finish();

  for (const line of faults.inWords(name)) await io.stderr.write(`${line}\n`);
  const status = joined(parts.map((part) => part.status));
  const table = resultTable(book, parts, status, faults.rows);
  const head = { model: flags.model, ...(flags.units === undefined ? {} : { units: flags.units }), count: book.count };
  const chunks =
    format === "table" ? await printedTable(table, parts[0]!.columns, io) : writeTable(format, table, head);
  await deliver(io, flags.output, chunks);
  if (status.some((code) => code >= 10)) throw new CommandExit(exitCodes.partial);
}

/** What could not be read of a book: the reader's faults and this room's, a bounded number of them in words. */
class FaultList {
  readonly rows: Set<number>;
  readonly #book: ReadTable;
  readonly #words: { readonly line: number; readonly text: string }[] = [];
  #count: number;

  constructor(book: ReadTable) {
    this.#book = book;
    this.#count = book.faultCount;
    this.rows = new Set(book.faultyRows);
    for (const { line, column, detail } of book.faults) this.#say(line, column, detail);
  }

  add(row: number, column: string, detail: string): void {
    // A line of the wrong length has been reported whole; what it lacks needs no second word.
    if (this.rows.has(row)) return;
    this.rows.add(row);
    this.#count += 1;
    this.#say(this.#book.lines[row]!, column, detail);
  }

  /** At most `faultsShownMax` lines, in the order of the file. */
  inWords(file: string): readonly string[] {
    const shown = this.#words.toSorted((left, right) => left.line - right.line).slice(0, faultsShownMax);
    const more = this.#count - shown.length;
    return [...shown.map(({ text }) => `${file} ${text}`), ...(more > 0 ? [`… and ${more} more faults`] : [])];
  }

  #say(line: number, column: string, detail: string): void {
    if (this.#words.length < 2 * cellFaultsMax)
      this.#words.push({ line, text: `line ${line}${column === "" ? "" : `, ${column}`}: ${detail}` });
  }
}

function refuseBoth(book: ReadTable, column: string, flag: unknown, file: string): void {
  if (flag !== undefined && book.columns.some((each) => each.name === column))
    throw new UsageError(`${column} is a column of ${file} and given as a flag; one of them must go`);
}

/** 1 for a call, 0 for a put, 2 where the row doesn't say. */
function callsOf(book: ReadTable, file: string, flags: BookFlags, faults: FaultList): Uint8Array {
  refuseBoth(book, "option_type", flags.type, file);
  if (flags.type !== undefined) return new Uint8Array(book.count).fill(flags.type === "call" ? 1 : 0);
  const texts = textsOf(book, "option_type");
  if (!texts) throw new UsageError(`option_type is neither a column of ${file} nor given as --type`);
  return Uint8Array.from(texts, (text, row) => {
    if (text === "call") return 1;
    if (text === "put") return 0;
    faults.add(row, "option_type", `${quoted(text ?? "")} is neither call nor put`);
    return 2;
  });
}

/** A column of an input's words as their places; NaN, which the kernel refuses, where a row says none of them. */
function placesOf(
  book: ReadTable,
  column: string,
  words: readonly string[],
  faults: FaultList,
): Float64Array | undefined {
  const texts = textsOf(book, column);
  return (
    texts &&
    Float64Array.from(texts, (text, row) => {
      const place = words.indexOf(text ?? "");
      if (place >= 0) return place;
      faults.add(row, column, `${quoted(text ?? "")} is none of ${words.join(", ")}`);
      return Number.NaN;
    })
  );
}

/** Years to expiry: a column of them, moments of expiry, or what the flags say for all. NaN where a row's can't be read. */
function timesOf(
  book: ReadTable,
  file: string,
  flags: BookFlags,
  { now, counting }: { now: EpochMicroseconds; counting: Counting },
  faults: FaultList,
): Column {
  const years = numbersOf(book, "time_to_expiry");
  const expiries = textsOf(book, "expiry");
  const flagged = timeOf(flags, now, counting);
  if ([years, expiries, flagged].filter((each) => each !== undefined).length > 1)
    throw new UsageError(`the time to expiry is given twice: by time_to_expiry, expiry or a flag; ${file} needs one`);
  const moments = textsOf(book, "valuation_time");
  if (moments && !expiries && flags.expiry === undefined)
    throw new UsageError(`valuation_time, a column of ${file}, means something only with an expiry`);
  if (years) return years;
  if (flagged !== undefined && !moments) return flagged;
  if (flagged === undefined && !expiries)
    throw new UsageError(`time_to_expiry and expiry are neither columns of ${file} nor given as flags`);
  refuseBoth(book, "valuation_time", flags.valuationTime, file);
  const momentOf = (text: string | null, row: number, column: string): Moment | null => {
    const moment = parseMoment(text ?? "");
    if (typeof moment !== "string") return moment;
    faults.add(row, column, `${quoted(text ?? "")} ${timestampFaultDetail[moment]}`);
    return null;
  };
  return Float64Array.from({ length: book.count }, (_, row) => {
    const expiry = expiries ? momentOf(expiries[row]!, row, "expiry") : flags.expiry!;
    const moment = moments?.[row] ? momentOf(moments[row]!, row, "valuation_time") : undefined;
    const valuation = moment === undefined ? (flags.valuationTime ?? now) : moment?.microseconds;
    if (expiry === null || valuation === undefined) return Number.NaN;
    const outcome = yearsToExpiry(valuation, expiry, counting);
    if (typeof outcome === "number") return outcome;
    faults.add(row, outcome.field, outsideCalendar(outcome.calendar));
    return Number.NaN;
  });
}

/**
 * Each list that a column or a flag gives, by the valuation of its row. A row whose list cannot be read is marked. Throws UsageError
 * where a list is required and missing.
 */
function listsOfBook(
  book: ReadTable,
  file: string,
  flags: BookFlags,
  { now, counting }: { now: EpochMicroseconds; counting: Counting },
  faults: FaultList,
  isUnreadable: Uint8Array,
): Partial<Record<ListName, Lists>> {
  const model = modelNamed(flags.model);
  const given = listsGiven(model, flags);
  const moments = textsOf(book, "valuation_time");
  const hasExpiry = flags.expiry !== undefined || textsOf(book, "expiry") !== undefined;
  const valuationOf = (row: number): EpochMicroseconds | null => {
    if (!hasExpiry) return null;
    const moment = moments?.[row] ? parseMoment(moments[row]) : undefined;
    return moment === undefined || typeof moment === "string" ? (flags.valuationTime ?? now) : moment.microseconds;
  };
  const lists: Partial<Record<ListName, Lists>> = {};
  for (const definition of model.lists ?? []) {
    const texts = textsOf(book, definition.name);
    const flag = given.get(definition.name);
    refuseBoth(book, definition.name, flag, file);
    if (texts === undefined && flag === undefined) {
      if (definition.isRequired)
        throw new UsageError(
          `${definition.name} is neither a column of ${file} nor given as --${flagOf(definition.name)}`,
        );
      continue;
    }
    const builder = new ListsBuilder();
    const starts = new Float64Array(book.count);
    for (let row = 0; row < book.count; row++) {
      const yearsOf = momentsBy(valuationOf(row), counting);
      const numbers = flag
        ? numbersOfFlag(flag.written, definition, yearsOf)
        : numbersOfCell(texts![row] ?? "", definition, yearsOf);
      if (typeof numbers === "string") {
        faults.add(row, definition.name, numbers);
        isUnreadable[row] = 1;
      }
      const start = builder.add(typeof numbers === "string" ? [] : numbers);
      if (start === null) throw new UsageError(`the lists of ${file} hold more than ${listNumbersMax} numbers`);
      starts[row] = start;
    }
    lists[definition.name] = builder.finish(starts);
  }
  return lists;
}

/** Rows that could not be read get NaN for a time, so that the kernel answers them non_finite. */
function maskUnreadable(
  inputs: Partial<Record<BookInput, Column>>,
  isUnreadable: Uint8Array,
): Partial<Record<BookInput, Column>> {
  if (!isUnreadable.includes(1)) return inputs;
  const time = inputs.time_to_expiry!;
  const masked = Float64Array.from(isUnreadable, (value, row) =>
    value === 1 ? Number.NaN : typeof time === "number" ? time : time[row]!,
  );
  return { ...inputs, time_to_expiry: masked };
}

function joined(parts: readonly Int32Array[]): Int32Array {
  const whole = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The book's own columns, then what was computed, then status and reason. */
function resultTable(
  book: ReadTable,
  parts: readonly { columns: readonly TableColumn[] }[],
  status: Int32Array,
  unreadable: ReadonlySet<number>,
): ColumnTable {
  const computed = parts[0]!.columns.map((first, index): TableColumn => {
    const values = new Float64Array(book.count);
    let at = 0;
    for (const part of parts) {
      const slice = part.columns[index]!.values as Float64Array;
      values.set(slice, at);
      at += slice.length;
    }
    return { name: first.name, kind: "number", values };
  });
  const ownColumns = book.columns.filter(({ name }) => !computed.some((column) => column.name === name));
  return { count: book.count, columns: [...ownColumns, ...computed, ...statusColumns(status, unreadable)] };
}

/** Columns that tell the options apart. */
const namingColumns: readonly string[] = [...carriedColumns, "option_type", "strike"];

/** The table for a person. Where it is too wide the inputs go first, then the last outputs; standard error names them. */
async function printedTable(
  table: ColumnTable,
  computed: readonly TableColumn[],
  { stdout, stderr }: PricingCommandDependencies["io"],
): Promise<readonly string[]> {
  const dropOrder = ({ name }: TableColumn, index: number): number => {
    if (name === "status" || name === "reason") return 0;
    const output = computed.findIndex((column) => column.name === name);
    if (output === 0) return 1;
    if (namingColumns.includes(name)) return 2;
    return output > 0 ? 2 + output : 2 + computed.length + index;
  };
  const columns = table.columns.map(
    (column, index): TerminalColumn => ({
      header: column.name.replaceAll("_", " "),
      align: column.kind === "text" ? "left" : "right",
      dropOrder: dropOrder(column, index),
      cells: Array.from(column.values as ArrayLike<number | string | null>, (value) =>
        value === null || Number.isNaN(value)
          ? "–"
          : typeof value === "number"
            ? String(Number(value.toPrecision(8)))
            : value,
      ),
    }),
  );
  const { lines, dropped } = layOutTable(columns, stdout.columns);
  if (dropped.length > 0) await stderr.write(`${leftOutNote(dropped)}\n`);
  return [`${lines.join("\n")}\n`];
}
