// A file of option quotes, whichever of the known layouts it has. The layout shows in the first line that isn't blank, so
// the file is read once and standard input will do.

import type { ChainFile } from "../../domain/chain";
import type { ByteSource } from "../tabular/bytes";
import { type CsvRecord, isBlank, readCsvRecords, shownRecord } from "../tabular/csv";
import { malformed, type TableLimits } from "../tabular/table";
import { isIndexLine, readQuoteTable } from "./cboe/quote-table";
import { isPlainHeader, type PlainDefaults, readPlainColumns } from "./plain-columns";

/** Reads a chain. Throws BsoptError `invalid` naming the file, the line and what was expected there. */
export async function readChainFile(
  source: ByteSource,
  file: string,
  limits: TableLimits,
  defaults: PlainDefaults,
): Promise<ChainFile> {
  const records = readCsvRecords(refuseJson(source, file), file, limits);
  let first = await records.next();
  while (!first.done && isBlank(first.value.fields)) first = await records.next();
  if (first.done) throw malformed("EMPTY_FILE", file, "is empty");
  const all = withFirst(first.value, records);
  if (isIndexLine(first.value.fields)) return readQuoteTable(all, file);
  if (isPlainHeader(first.value.fields)) return readPlainColumns(all, file, defaults);
  throw malformed(
    "UNKNOWN_LAYOUT",
    `${file} line ${first.value.line}`,
    `${shownRecord(first.value.fields)} begins neither a Cboe quote table (an index line with Last:) nor a chain in plain columns (a header with symbol or strike)`,
  );
}

async function* withFirst(first: CsvRecord, rest: AsyncIterable<CsvRecord>): AsyncGenerator<CsvRecord> {
  yield first;
  yield* rest;
}

/** Passes a source on unless it begins as JSON does, which would otherwise be called a misplaced quotation mark. */
async function* refuseJson(source: ByteSource, file: string): ByteSource {
  let isJudged = false;
  for await (const chunk of source) {
    const start: string = isJudged
      ? ""
      : Buffer.from(chunk)
          .toString("utf8")
          .replace(/^\ufeff/, "")
          .trimStart();
    if (/^[[{]/.test(start))
      throw malformed("UNKNOWN_LAYOUT", file, "is JSON; a chain is read from comma-separated text");
    isJudged ||= start !== "";
    yield chunk;
  }
}
