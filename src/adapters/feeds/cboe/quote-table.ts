// Cboe's delayed quote table as its site lets it be downloaded: a blank line, the index with its last price, the moment it
// was taken, a header whose names come twice (calls left of Strike, puts right of it), then one line a strike. Separate
// because only this file knows that layout. Must never guess: what isn't that layout is an error with its line and what was
// expected; a line that can't be read stays as a row without a contract.
//
// Source: the layout of files downloaded in October 2025. IV is per 1.00 and printed as 0 where there is none.

import { momentAtOffset, newYorkOffsetMinutes, parseCivilDate } from "../../../domain/calendar";
import { type ChainFile, type ChainRow, type ReadingFault, readingFaultsMax } from "../../../domain/chain";
import { contractFromSymbol, type OptionContract } from "../../../domain/instrument";
import { strikeThousandthsFromText, symbolFaultDetail } from "../../../domain/symbol";
import type { EpochMicroseconds } from "../../../foundation/clock";
import { quoted } from "../../../foundation/printable";
import { type CsvRecord, isBlank, shownRecord } from "../../tabular/csv";
import { malformed, numberFromCell } from "../../tabular/table";

/** Whether a file's first record is the index line of a quote table. */
export function isIndexLine(fields: readonly string[]): boolean {
  return fields.slice(1).some((field) => /^\s*Last:/.test(field));
}

/**
 * Reads the records of a quote table (blank lines already skipped), call before put, strikes in their order.
 * Throws BsoptError `invalid` (MALFORMED_QUOTE_TABLE) where the first three records aren't what they should be or no
 * option follows.
 */
export async function readQuoteTable(records: AsyncIterable<CsvRecord>, file: string): Promise<ChainFile> {
  const iterator = records[Symbol.asyncIterator]();
  const spot = spotOf(await nextRecord(iterator, file, "the index line, such as S&P 500 INDEX,Last: 6711.20"), file);
  const asOf = momentOf(
    await nextRecord(iterator, file, 'a line such as "Date: October 1, 2025 at 6:01 PM EDT"'),
    file,
  );
  const layout = layoutOf(await nextRecord(iterator, file, "a header with Calls, Strike and Puts"), file);

  const rows: ChainRow[] = [];
  const faults: ReadingFault[] = [];
  let faultCount = 0;
  const report = (line: number, detail: string) => {
    faultCount += 1;
    if (faults.length < readingFaultsMax) faults.push({ file, line, detail });
  };
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    const { line, fields } = next.value;
    if (isBlank(fields)) continue;
    const isSurplus = fields.slice(layout.fieldCount).some((field) => field.trim() !== "");
    if (isSurplus || fields.length < layout.fieldCount) {
      // A comma too many or too few has moved every cell after it: nothing on this line can be trusted.
      report(line, `has ${fields.length} fields where the header has ${layout.fieldCount}`);
      rows.push({ asOf, spot, ...unreadable }, { asOf, spot, ...unreadable });
      continue;
    }
    for (const side of ["call", "put"] as const) {
      const row = rowOf(fields, layout, layout[side], side);
      for (const detail of row.details) report(line, `${side}: ${detail}`);
      rows.push({ asOf, spot, ...row.values });
    }
  }
  if (rows.length === 0) throw malformed("MALFORMED_QUOTE_TABLE", file, "has a header but no option under it");
  return { name: file, kind: "cboe_quote_table", rows, faults, faultCount };
}

async function nextRecord(iterator: AsyncIterator<CsvRecord>, file: string, expected: string): Promise<CsvRecord> {
  const next = await iterator.next();
  if (next.done) throw malformed("MALFORMED_QUOTE_TABLE", file, `ends too early: ${expected} was expected`);
  return next.value;
}

function refuse({ line, fields }: CsvRecord, file: string, expected: string): never {
  const detail = `${expected} was expected, not ${shownRecord(fields)}`;
  throw malformed("MALFORMED_QUOTE_TABLE", `${file} line ${line}`, detail);
}

function spotOf(record: CsvRecord, file: string): number {
  // Joined again, since a thousands separator in the price would have split it.
  const text = record.fields.join(",");
  const last = /Last:\s*(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)\s*(?:,|$)/.exec(text)?.[1];
  const spot = last === undefined ? null : numberFromCell(last, { thousandsSeparators: true });
  if (spot === null || !(spot > 0)) refuse(record, file, "the index line with its Last: price");
  return spot;
}

const monthNames = "January February March April May June July August September October November December".split(" ");

function momentOf(record: CsvRecord, file: string): EpochMicroseconds {
  const text = record.fields.join(",");
  const parts = /^\s*Date:\s*([A-Za-z]+) (\d{1,2}), (\d{4}) at (\d{1,2}):(\d{2}) (AM|PM) (EDT|EST|ET)\b/.exec(text);
  const expected = "a line such as Date: October 1, 2025 at 6:01 PM EDT";
  if (!parts) refuse(record, file, expected);
  const [, monthName, day, year, hour12, minute, half, zone] = parts as unknown as string[];
  const month = (monthNames.indexOf(monthName!) + 1).toString().padStart(2, "0");
  const date = parseCivilDate(`${year}-${month}-${day!.padStart(2, "0")}`);
  const [clockHour, clockMinute] = [Number(hour12), Number(minute)];
  if (date === null || clockHour < 1 || clockHour > 12 || clockMinute > 59) refuse(record, file, expected);
  const time = { hour: (clockHour % 12) + (half === "PM" ? 12 : 0), minute: clockMinute };
  const offset = zone === "EDT" ? -240 : zone === "EST" ? -300 : newYorkOffsetMinutes(date, time);
  if (offset === null) refuse(record, file, expected);
  return momentAtOffset(date, time, offset);
}

/** Where a call's or put's fields stand in a line; −1 for one the file doesn't have. */
interface Leg {
  readonly symbol: number;
  readonly bid: number;
  readonly ask: number;
  readonly volatility: number;
  readonly delta: number;
}

interface Layout {
  readonly expiry: number;
  readonly strike: number;
  readonly call: Leg;
  readonly put: Leg;
  readonly fieldCount: number;
}

function layoutOf(record: CsvRecord, file: string): Layout {
  const names = record.fields.map((field) => field.trim());
  while (names.at(-1) === "") names.pop();
  const [strike, puts] = [names.indexOf("Strike"), names.indexOf("Puts")];
  const leg = (symbol: number, end: number): Leg => {
    const at = (name: string) => {
      const index = names.indexOf(name, symbol);
      return index < end ? index : -1;
    };
    return { symbol, bid: at("Bid"), ask: at("Ask"), volatility: at("IV"), delta: at("Delta") };
  };
  const call = leg(names.indexOf("Calls"), strike);
  const put = leg(puts, names.length);
  const needed = [strike, call.symbol, call.bid, call.ask, put.symbol, put.bid, put.ask];
  if (needed.some((index) => index < 0) || !(call.symbol < strike && strike < puts))
    refuse(record, file, "a header with Calls, Bid, Ask, then Strike, then Puts, Bid, Ask");
  return { expiry: names.indexOf("Expiration Date"), strike, call, put, fieldCount: names.length };
}

type RowValues = Omit<ChainRow, "asOf" | "spot">;

const unreadable: RowValues = {
  contract: null,
  bid: Number.NaN,
  ask: Number.NaN,
  vendorVolatility: Number.NaN,
  vendorDelta: Number.NaN,
};

/** One side of a line; what can't be read is NaN (or no contract) and a sentence. */
function rowOf(
  fields: readonly string[],
  layout: Layout,
  leg: Leg,
  side: "call" | "put",
): { values: RowValues; details: readonly string[] } {
  const details: string[] = [];
  const number = (index: number, name: string) => {
    if (index < 0) return Number.NaN;
    const text = fields[index] ?? "";
    const value = numberFromCell(text, { thousandsSeparators: true });
    if (value === null) details.push(`${name} ${quoted(text)} is not a number`);
    return value ?? Number.NaN;
  };
  const contract = contractOf(fields, layout, leg, side, details);
  const volatility = number(leg.volatility, "IV");
  const values = {
    contract,
    bid: number(leg.bid, "Bid"),
    ask: number(leg.ask, "Ask"),
    vendorVolatility: volatility > 0 ? volatility : Number.NaN,
    vendorDelta: number(leg.delta, "Delta"),
  };
  return { values, details };
}

function contractOf(
  fields: readonly string[],
  layout: Layout,
  leg: Leg,
  side: "call" | "put",
  details: string[],
): OptionContract | null {
  const symbol = fields[leg.symbol]?.trim() ?? "";
  const contract = contractFromSymbol(symbol);
  const fault = (detail: string) => {
    details.push(detail);
    return null;
  };
  if (typeof contract === "string") return fault(`${quoted(symbol)} ${symbolFaultDetail[contract]}`);
  if (contract.optionType !== side) return fault(`${symbol} is a ${contract.optionType}`);
  const strikeText = fields[layout.strike]?.trim().replaceAll(",", "") ?? "";
  if (strikeThousandthsFromText(strikeText) !== contract.strikeThousandths)
    return fault(`${symbol} stands beside the strike ${quoted(strikeText)}`);
  const expiryText = layout.expiry < 0 ? null : (fields[layout.expiry]?.trim() ?? "");
  if (expiryText !== null && !isSameDay(expiryText, contract))
    return fault(`${symbol} stands beside the expiration date ${quoted(expiryText)}`);
  return contract;
}

/** Whether "Fri Apr 17 2026" names the contract's expiry day. */
function isSameDay(text: string, { expiryDate: { year, month, day } }: OptionContract): boolean {
  const parts = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d{1,2}) (\d{4})$/.exec(text);
  if (!parts) return false;
  return parts[1] === monthNames[month - 1]!.slice(0, 3) && Number(parts[2]) === day && Number(parts[3]) === year;
}
