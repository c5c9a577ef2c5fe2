// A chain in plain columns: a header line of our own names, a row an option. The option is named by its symbol, or by
// underlying, expiry, option_type and strike. Separate from the venues' layouts because this is the one we define.
// Must never guess a column's meaning: an unknown name is an error that lists the known ones.

import { parseCivilDate } from "../../domain/calendar";
import { type ChainFile, type ChainRow, type ReadingFault, readingFaultsMax } from "../../domain/chain";
import { parseTimestamp, timestampFaultDetail } from "../../domain/day-count";
import { contractFromParts, contractFromSymbol, type OptionContract } from "../../domain/instrument";
import { strikeThousandthsFromText, symbolFaultDetail } from "../../domain/symbol";
import type { EpochMicroseconds } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import { quoted } from "../../foundation/printable";
import { type CsvRecord, headerNames, isBlank } from "../tabular/csv";
import { checkColumnNames, malformed, numberFromCell } from "../tabular/table";

/** Every column a plain chain may have. The last five are taken for what they are and not used. */
export const plainChainColumns = [
  "symbol",
  "underlying",
  "expiry",
  "option_type",
  "strike",
  "bid",
  "ask",
  "iv",
  "delta",
  "spot",
  "valuation_time",
  "last",
  "volume",
  "open_interest",
  "bid_size",
  "ask_size",
] as const;

type PlainColumn = (typeof plainChainColumns)[number];

/** What holds for rows whose file doesn't say. */
export interface PlainDefaults {
  readonly asOf: EpochMicroseconds;
  /** NaN where unknown. */
  readonly spot: number;
}

/** Whether a file's first record is the header of a plain chain. */
export function isPlainHeader(fields: readonly string[]): boolean {
  const names = headerNames(fields);
  return names.includes("symbol") || names.includes("strike") || names.includes("option_type");
}

/** Reads header and rows. Throws BsoptError `invalid` where a column is unknown, repeated or lacking, or no row follows. */
export async function readPlainColumns(
  records: AsyncIterable<CsvRecord>,
  file: string,
  defaults: PlainDefaults,
): Promise<ChainFile> {
  let names: readonly PlainColumn[] | undefined;
  const rows: ChainRow[] = [];
  const faults: ReadingFault[] = [];
  let faultCount = 0;
  for await (const { line, fields } of records) {
    if (!names) {
      names = columnsOf(fields, `${file} line ${line}`);
      continue;
    }
    if (isBlank(fields)) continue;
    const details: string[] = [];
    const isSurplus = fields.slice(names.length).some((field) => field.trim() !== "");
    if (fields.length < names.length || isSurplus) {
      details.push(`has ${fields.length} fields where the header has ${names.length}`);
      rows.push({ ...unreadable, ...defaults });
    } else {
      rows.push(rowOf(new Map(names.map((name, index) => [name, fields[index]!.trim()])), defaults, details));
    }
    for (const detail of details) {
      faultCount += 1;
      if (faults.length < readingFaultsMax) faults.push({ file, line, detail });
    }
  }
  if (rows.length === 0) throw malformed("EMPTY_FILE", file, "holds no option");
  return { name: file, kind: "plain_columns", rows, faults, faultCount };
}

const unreadable = {
  contract: null,
  bid: Number.NaN,
  ask: Number.NaN,
  vendorVolatility: Number.NaN,
  vendorDelta: Number.NaN,
} as const;

function columnsOf(fields: readonly string[], where: string): readonly PlainColumn[] {
  const names = headerNames(fields);
  checkColumnNames(names, plainChainColumns, where);
  const has = (name: string) => names.includes(name);
  const naming = ["underlying", "expiry", "option_type", "strike"];
  const lacking = [
    ...(has("symbol") ? [] : naming.filter((name) => !has(name))),
    ...["bid", "ask"].filter((name) => !has(name) && !has("iv")),
  ];
  if (lacking.length > 0) {
    const detail = `lacks ${lacking.join(", ")}; a chain needs symbol (or ${naming.join(", ")}), bid and ask`;
    throw malformed("MISSING_COLUMN", where, detail);
  }
  return names as readonly PlainColumn[];
}

function rowOf(cells: ReadonlyMap<PlainColumn, string>, defaults: PlainDefaults, details: string[]): ChainRow {
  const number = (name: PlainColumn) => {
    const cell = cells.get(name) ?? "";
    const value = numberFromCell(cell);
    if (value === null) details.push(`${name} ${quoted(cell)} is not a number`);
    return value ?? Number.NaN;
  };
  const volatility = number("iv");
  const spot = number("spot");
  return {
    contract: contractOf(cells, details),
    asOf: valuationTimeOf(cells, details) ?? defaults.asOf,
    spot: Number.isNaN(spot) ? defaults.spot : spot,
    bid: number("bid"),
    ask: number("ask"),
    vendorVolatility: volatility > 0 ? volatility : Number.NaN,
    vendorDelta: number("delta"),
  };
}

function valuationTimeOf(cells: ReadonlyMap<PlainColumn, string>, details: string[]): EpochMicroseconds | null {
  const cell = cells.get("valuation_time") ?? "";
  if (cell === "") return null;
  const moment = parseTimestamp(cell);
  if (typeof moment === "bigint") return moment;
  details.push(`valuation_time ${quoted(cell)} ${timestampFaultDetail[moment]}`);
  return null;
}

function contractOf(cells: ReadonlyMap<PlainColumn, string>, details: string[]): OptionContract | null {
  const contract = cells.get("symbol") ? contractNamed(cells.get("symbol")!) : contractDescribed(cells);
  if (typeof contract === "string") {
    details.push(contract);
    return null;
  }
  const contradiction = contradictionOf(contract, cells);
  if (contradiction !== null) details.push(contradiction);
  return contradiction === null ? contract : null;
}

function contractNamed(symbol: string): OptionContract | string {
  const contract = contractFromSymbol(symbol);
  return typeof contract === "string" ? `symbol ${quoted(symbol)} ${symbolFaultDetail[contract]}` : contract;
}

/** A contract from its four columns: an expiry day settles by the root's rule, a moment is taken as it stands. */
function contractDescribed(cells: ReadonlyMap<PlainColumn, string>): OptionContract | string {
  const expiryText = cells.get("expiry") ?? "";
  const expiryDate = parseCivilDate(expiryText.slice(0, 10));
  const moment = expiryText.length > 10 ? parseTimestamp(expiryText) : null;
  if (expiryDate === null || typeof moment === "string")
    return `expiry ${quoted(expiryText)} is neither a day such as 2026-12-18 nor a moment with its offset`;
  const optionType = optionTypeOf(cells.get("option_type") ?? "");
  if (optionType === null) return `option_type ${quoted(cells.get("option_type") ?? "")} is neither call nor put`;
  const strikeText = cells.get("strike") ?? "";
  const strikeThousandths = strikeThousandthsFromText(strikeText);
  if (strikeThousandths === null) return `strike ${quoted(strikeText)} is no price from 0.001 to 99999.999`;
  try {
    const root = cells.get("underlying") ?? "";
    const contract = contractFromParts({ root, expiryDate, optionType, strikeThousandths });
    return moment === null ? contract : { ...contract, expiry: moment };
  } catch (error) {
    if (error instanceof BsoptError) return error.detail;
    throw error;
  }
}

/** A column beside the symbol that says something else than the symbol does, in words; null where all agree. */
function contradictionOf(contract: OptionContract, cells: ReadonlyMap<PlainColumn, string>): string | null {
  const { strikeThousandths, optionType, symbol } = contract;
  const strikeText = cells.get("strike");
  if (strikeText && strikeThousandthsFromText(strikeText) !== strikeThousandths)
    return `${symbol} stands beside the strike ${quoted(strikeText)}`;
  const typeText = cells.get("option_type");
  if (typeText && optionTypeOf(typeText) !== optionType)
    return `${symbol} stands beside the option_type ${quoted(typeText)}`;
  return null;
}

function optionTypeOf(text: string): "call" | "put" | null {
  switch (text.toLowerCase()) {
    case "call":
    case "c":
      return "call";
    case "put":
    case "p":
      return "put";
    default:
      return null;
  }
}
