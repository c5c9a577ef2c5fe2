// The market's routes: quotes in; quotes, chains, surfaces and Greeks out, as of now or of any past moment. Declarations, and what a question in
// an address means; who may ask is http's to decide, and what is known the books'.

import { Elysia, t } from "elysia";
import { writeCsv } from "../../adapters/tabular/csv";
import type { TableColumn } from "../../adapters/tabular/table";
import { WireTable } from "../../adapters/tabular/wire-table";
import type { UnderlyingBook } from "../../book/book";
import { chainPage, chainStyleHash } from "../../book/html";
import { parseSelection, type Selection } from "../../book/selection";
import { type ChainView, chain, chainJson, greeksJson, quoteJson, surfaceJson } from "../../book/view";
import { parseTimestamp, timestampFaultDetail } from "../../domain/day-count";
import type { Quote } from "../../domain/quote";
import type { Units } from "../../engine/catalog";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import type { Instruments } from "../instruments/service";
import {
  Chain,
  ChainPath,
  ChainQuery,
  chainCsvColumns,
  GreeksKnown,
  GreeksQuery,
  QuoteBatch,
  QuoteInput,
  QuotesKnown,
  QuotesQuery,
  QuotesTaken,
  quoteColumns,
  quoteExamples,
  quoteKnownColumns,
  quotesMax,
  rejectionsShownMax,
  Surface,
  SurfaceQuery,
  symbolsMax,
} from "./model";
import type { Market, Rejection } from "./service";

export interface MarketRoutesDependencies {
  readonly market: Market<UnderlyingBook>;
  readonly instruments: Pick<Instruments, "find" | "look" | "canonical" | "ofUnderlying">;
  readonly clock: Clock;
  /** Read at each request: they may change. */
  readonly limits: { readonly batchBytesMax: number; readonly tableBytesMax: number };
  /** What a request's Accept header wants, by its short name. */
  readonly acceptedFormatOf: (request: Request) => string;
}

const tags = ["Market"];
const reading = { permission: "market:read" as const, tags };
const lineBytesMax = 65_536;
const json = (text: string) => new Response(text, { headers: { "content-type": "application/json" } }) as never;

/** Everything under /api/v1/market that is about quotes. */
export function marketRoutes({ market, instruments, clock, limits, acceptedFormatOf }: MarketRoutesDependencies) {
  async function bookFor(underlying: string, asked: string | undefined): Promise<UnderlyingBook | null> {
    const asOf = momentOf(asked, clock.nowMicroseconds());
    return asOf === null ? market.book(underlying) : market.bookAt(underlying, asOf);
  }

  async function knownBook(text: string, asked: string | undefined): Promise<UnderlyingBook> {
    const read = instruments.canonical(text);
    const book = "symbol" in read ? await bookFor(read.symbol, asked) : null;
    if (book !== null) return book;
    const detail = asked === undefined ? "Nothing is known of this underlying" : "Nothing was known of this underlying";
    throw new BsoptError({ reason: "not-found", code: "UNDERLYING_UNKNOWN", detail });
  }

  /** Each symbol's text, or why there is none. Of a past moment what was listed then counts, not what is listed now. */
  async function known(
    texts: readonly string[],
    asked: string | undefined,
    textOf: (book: UnderlyingBook, symbol: string) => string | null,
    none: "no_quote" | "not_an_option",
  ) {
    const books = new Map<string, Promise<UnderlyingBook | null>>();
    const data: string[] = [];
    const missing: { symbol: string; reason: string }[] = [];
    for (const text of texts) {
      const read = instruments.canonical(text);
      const symbol = "symbol" in read ? read.symbol : text;
      const underlying = "symbol" in read ? instruments.look(symbol)?.underlying : undefined;
      if (underlying === undefined) {
        missing.push({ symbol, reason: "unknown_symbol" });
        continue;
      }
      if (!books.has(underlying)) books.set(underlying, bookFor(underlying, asked));
      const book = (await books.get(underlying)) ?? null;
      const told = book && textOf(book, symbol);
      if (told) data.push(told);
      else missing.push({ symbol, reason: none });
    }
    return { data, missing };
  }

  return new Elysia({ name: "market" })
    .post(
      "/api/v1/market/quotes",
      async ({ body }) => {
        const { quotes, places, rejected } = quotesOf(body as QuoteBatch | QuoteInput | WireTable, instruments);
        const report = await market.ingestKept(quotes, "post");
        for (const { index, code, detail } of report.rejected) rejected.push({ index: places[index]!, code, detail });
        rejected.sort((one, other) => one.index - other.index);
        const { accepted, duplicates, late } = report;
        const taken: QuotesTaken = {
          ...{ accepted, duplicates, late, rejected_count: rejected.length },
          rejected: rejected.slice(0, rejectionsShownMax),
          durability: "process",
        };
        return json(JSON.stringify(taken));
      },
      {
        body: t.Union([QuoteBatch, QuoteInput]),
        response: { 200: QuotesTaken },
        detail: {
          permission: "market:write",
          operationId: "sendQuotes",
          summary: "Send quotes",
          description: `One quote or up to ${quotesMax}. What is wrong with one refuses that one alone. Sending the same again changes nothing.`,
          tags,
          bodyBytesMax: () => limits.batchBytesMax,
          tables: () => ({
            ...{ columns: quoteColumns, examples: quoteExamples, lineBytesMax },
            ...{ bytesMax: limits.tableBytesMax, rowsMax: quotesMax },
          }),
          answersJson: true,
        },
      },
    )
    .get(
      "/api/v1/market/quotes",
      async ({ query, request }) => {
        const { symbols, underlying, as_of } = query;
        if (symbols !== undefined && underlying !== undefined)
          throw fault("symbols", "ONE_OF", "comes beside underlying, which says the same in another way");
        const texts = symbols === undefined ? await listedOn(underlying, as_of) : symbolsOf(symbols);
        const found = await known(texts, as_of, quoteJson, "no_quote");
        const format = query.format ?? acceptedFormatOf(request);
        if (format === "ndjson") return text(found.data.map((line) => `${line}\n`).join(""), "application/x-ndjson");
        if (format === "csv")
          return csv(
            quoteKnownColumns,
            found.data.map((line) => JSON.parse(line)),
          );
        // Of a whole underlying, what was never quoted goes without saying.
        const missing = symbols === undefined ? [] : found.missing;
        return json(`{"data":[${found.data.join(",")}],"missing":${JSON.stringify(missing)}}`);
      },
      {
        query: QuotesQuery,
        response: { 200: QuotesKnown },
        detail: { ...reading, operationId: "quotes", summary: "The last quotes", answerFormats: ["ndjson", "csv"] },
      },
    )
    .get(
      "/api/v1/market/greeks",
      async ({ query }) => {
        const units: Units = query.units ?? "market";
        const textOf = (book: UnderlyingBook, symbol: string) => greeksJson(book, symbol, units);
        const { data, missing } = await known(symbolsOf(query.symbols), query.as_of, textOf, "not_an_option");
        return json(`{"data":[${data.join(",")}],"missing":${JSON.stringify(missing)}}`);
      },
      {
        query: GreeksQuery,
        response: { 200: GreeksKnown },
        detail: { ...reading, operationId: "liveGreeks", summary: "Values and Greeks of options at the market" },
      },
    )
    .get(
      "/api/v1/market/surface/:underlying",
      async ({ params, query }) => json(surfaceJson(await knownBook(params.underlying, query.as_of))),
      {
        params: ChainPath,
        query: SurfaceQuery,
        response: { 200: Surface },
        detail: {
          ...reading,
          operationId: "surface",
          summary: "The volatility surface fitted to an underlying's chain",
        },
      },
    )
    .get(
      "/api/v1/market/chain/:underlying",
      async ({ params, query, request }) => {
        const units: Units = query.units ?? "market";
        const { expiry } = query;
        const selection = selectionOf(query);
        const book = await knownBook(params.underlying, query.as_of);
        const format = query.format ?? chainFormatOf(request, acceptedFormatOf);
        if (format === "json" && expiry === undefined) return json(chainJson(book, selection, units));
        const view = viewOf(book, selection, expiry, units);
        if (format === "csv") return csv(chainCsvColumns, cellsOf(view));
        if (format !== "html") return json(JSON.stringify(view));
        const policy = `default-src 'none'; style-src '${chainStyleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
        const headers = {
          "content-type": "text/html; charset=utf-8",
          "content-security-policy": policy,
          vary: "Accept",
        };
        return new Response(chainPage(view), { headers }) as never;
      },
      {
        params: ChainPath,
        query: ChainQuery,
        response: { 200: Chain },
        detail: {
          ...reading,
          operationId: "chain",
          summary: "An underlying's options with values and Greeks",
          description: "As a page of tables where a browser asks for it, or with format=html.",
          answerFormats: ["csv"],
        },
      },
    );

  async function listedOn(text: string | undefined, asked: string | undefined): Promise<readonly string[]> {
    if (text === undefined) return market.underlyings();
    const book = await knownBook(text, asked);
    return [book.underlying, ...book.rows.instruments.slice(0, book.rows.count).map(({ symbol }) => symbol)];
  }
}

/** The quotes of a body, their places in it, and what cannot even be read. */
function quotesOf(body: QuoteBatch | QuoteInput | WireTable, instruments: Pick<Instruments, "find" | "canonical">) {
  const rows = body instanceof WireTable ? rowsOf(body) : "quotes" in body ? body.quotes : [body];
  const quotes: Quote[] = [];
  const places: number[] = [];
  const rejected: Rejection[] = [];
  rows.forEach((row, index) => {
    const at = parseTimestamp(row.ts);
    if (typeof at !== "bigint") {
      rejected.push({ index, code: "TS_INVALID", detail: `ts ${timestampFaultDetail[at]}` });
      return;
    }
    const read = instruments.find(row.symbol) === null ? instruments.canonical(row.symbol) : row;
    if (!("symbol" in read)) {
      rejected.push({ index, code: "SYMBOL_INVALID", detail: `symbol ${read.detail}` });
      return;
    }
    places.push(index);
    quotes.push({
      ...{ symbol: read.symbol, at, bid: row.bid ?? Number.NaN, ask: row.ask ?? Number.NaN },
      ...{ bidSize: row.bid_size ?? Number.NaN, askSize: row.ask_size ?? Number.NaN, last: row.last ?? Number.NaN },
      ...{ volume: row.volume ?? Number.NaN, openInterest: row.open_interest ?? Number.NaN },
      sourceSequence: row.source_seq ?? null,
    });
  });
  return { quotes, places, rejected };
}

function rowsOf(table: WireTable): QuoteInput[] {
  const wordAt = (name: string, row: number) => {
    const column = table.columns.get(name);
    return (column?.kind === "word" && column.words[column.codes[row]!]) || "";
  };
  const numberAt = (name: string, row: number) => {
    const column = table.columns.get(name);
    const value = column?.kind === "number" ? column.values[row]! : Number.NaN;
    return Number.isNaN(value) ? null : value;
  };
  const numbers = Object.entries(quoteColumns).flatMap(([name, kind]) => (kind === "number" ? [name] : []));
  return Array.from({ length: table.count }, (_, row) => ({
    ...{ symbol: wordAt("symbol", row), ts: wordAt("ts", row) },
    ...Object.fromEntries(numbers.map((name) => [name, numberAt(name, row)])),
  }));
}

function fault(name: string, code: string, detail: string): BsoptError {
  const faults = [{ pointer: `/query/${name}`, code, detail }];
  return new BsoptError({ reason: "invalid", code: "SCHEMA_INVALID", detail: `/query/${name} ${detail}`, faults });
}

function momentOf(text: string | undefined, now: EpochMicroseconds): EpochMicroseconds | null {
  if (text === undefined) return null;
  const at = parseTimestamp(text);
  if (typeof at !== "bigint") throw fault("as_of", "TIMESTAMP_INVALID", timestampFaultDetail[at]);
  if (at > now) throw fault("as_of", "IN_FUTURE", "lies in the future");
  return at;
}

function symbolsOf(text: string): string[] {
  const symbols = [...new Set(text.split(","))];
  if (symbols.length > symbolsMax) throw fault("symbols", "TOO_MANY", `names more than ${symbolsMax} symbols`);
  if (symbols.includes("")) throw fault("symbols", "EMPTY", "names nothing between two commas");
  return symbols;
}

/** The strikes asked for; an expiry by itself is a selection too. */
function selectionOf({ strikes, percent, delta, tolerance, expiry }: ChainQuery): Selection {
  const asked = Object.entries({ strikes, percent, delta }).filter(([, value]) => value !== undefined);
  if (asked.length > 1) throw fault(asked[1]![0], "ONE_OF", "comes beside another way to choose strikes");
  if (tolerance !== undefined && delta === undefined) throw fault("tolerance", "ONE_OF", "belongs to delta");
  const dated = expiry === undefined ? null : parseSelection(expiry);
  if (dated !== null && "fault" in dated) throw fault("expiry", "NO_SUCH_DAY", "is no day of any calendar");
  const [name, value] = asked[0] ?? ["", ""];
  const text =
    name === "strikes"
      ? `atm~${value}`
      : name === "delta"
        ? `delta~${value}~${tolerance ?? "0.05"}`
        : `${name}~${value}`;
  const selection = name === "" ? { kind: "all" as const } : parseSelection(text);
  if ("fault" in selection) throw fault(name, "OUT_OF_RANGE", selection.fault);
  return selection;
}

/** A chain of chosen strikes, of one day where that is asked for. */
function viewOf(book: UnderlyingBook, selection: Selection, date: string | undefined, units: Units): ChainView {
  const view = chain(book, selection, units);
  if (date === undefined) return view;
  const ofDay = new Set(
    chain(book, { kind: "expiry", date }, units).expiries.map(({ expiry, root }) => `${expiry} ${root}`),
  );
  return { ...view, expiries: view.expiries.filter(({ expiry, root }) => ofDay.has(`${expiry} ${root}`)) };
}

function chainFormatOf(request: Request, acceptedFormatOf: (request: Request) => string): string {
  const accept = request.headers.get("accept") ?? "";
  return accept.includes("text/html") ? "html" : acceptedFormatOf(request);
}

function cellsOf({ underlying, as_of, spot, expiries }: ChainView): Record<string, unknown>[] {
  return expiries.flatMap(({ expiry, forward, rows }) =>
    rows.flatMap(({ strike, call, put }) =>
      (["call", "put"] as const).flatMap((option_type) => {
        const cell = option_type === "call" ? call : put;
        return cell === null ? [] : [{ underlying, as_of, spot, expiry, forward, strike, option_type, ...cell }];
      }),
    ),
  );
}

/** Numbers stand as they are, text so that no spreadsheet takes it for a formula. */
function csv(names: readonly string[], rows: readonly Readonly<Record<string, unknown>>[]): never {
  const columns = names.map((name): TableColumn => {
    const values = rows.map((row) => row[name] ?? null) as readonly (string | number | null)[];
    if (values.some((value) => typeof value === "number"))
      return {
        name,
        kind: "number",
        values: Float64Array.from(values, (value) => (value === null ? Number.NaN : Number(value))),
      };
    return { name, kind: "text", values: values as readonly (string | null)[] };
  });
  return text([...writeCsv({ count: rows.length, columns })].join(""), "text/csv; charset=utf-8");
}

function text(body: string, type: string): never {
  return new Response(body, { headers: { "content-type": type, vary: "Accept" } }) as never;
}
