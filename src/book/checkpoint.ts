// A book's whole state as bytes and back, to the bit: what was fitted, valued and numbered, and the quotes of a refit under way. Separate
// from the book, which only decides. Versioned; a reader refuses another version. The bytes are not compressed: who keeps them does.

import { assert } from "../foundation/assert";
import { ByteReader, ByteWriter } from "./byte-stream";
import type { BookSettings, ForwardSource, SpotSource } from "./entries";
import { instrumentsOf, plainInstrument } from "./entry-codec";
import type { Expiry, ExpiryFit, FittedSlice } from "./expiry";
import type { RefitInput } from "./refit";
import { columnNames, Rows } from "./rows";
import { type BookState, type Quoted, quotedColumns } from "./state";

export const checkpointVersion = 1;

/** The state as bytes. */
export function writeBook(state: BookState): Uint8Array {
  const { rows, pending } = state;
  const writer = new ByteWriter(4096 + rows.count * (8 * columnNames.length + 64));
  writer.whole(checkpointVersion);
  writer.text(state.underlying);
  writer.text(JSON.stringify(state.settings));
  writer.text(JSON.stringify(state.ownInstrument === null ? [] : [plainInstrument(state.ownInstrument)]));
  for (const name of quotedColumns) writer.double(state.own[name]);
  for (const value of [state.paritySpot, state.spot, state.valuedAt, state.fittedAt]) writer.double(value);
  writer.text(state.spotSource);
  writer.whole(state.version);
  writer.whole(state.expiries.length);
  for (const expiry of state.expiries) writeExpiry(writer, expiry);
  writer.text(JSON.stringify(rows.instruments.map(plainInstrument)));
  writer.whole(rows.structure);
  for (const name of columnNames) writer.doubles(rows.columns[name].subarray(0, rows.count));
  writer.byte(pending === null ? 0 : 1);
  if (pending !== null) writePending(writer, pending);
  return writer.take();
}

/** The state that `writeBook` was given. Throws InvariantError where the bytes are none of its. */
export function readBook(bytes: Uint8Array): BookState {
  const reader = new ByteReader(bytes);
  const version = reader.whole();
  assert(version === checkpointVersion, `a checkpoint of version ${version}`);
  const underlying = reader.text();
  const settings = JSON.parse(reader.text()) as BookSettings;
  const [ownInstrument = null] = instrumentsOf(reader.text());
  const own = {} as Record<(typeof quotedColumns)[number], number>;
  for (const name of quotedColumns) own[name] = reader.double();
  const [paritySpot, spot, valuedAt, fittedAt] = [reader.double(), reader.double(), reader.double(), reader.double()];
  const spotSource = reader.text() as SpotSource;
  const bookVersion = reader.whole();
  const expiries = Array.from({ length: reader.whole() }, () => readExpiry(reader));
  const rows = new Rows();
  rows.refill(instrumentsOf(reader.text()));
  rows.structure = reader.whole();
  for (const name of columnNames) reader.doubles(rows.columns[name].subarray(0, rows.count));
  const pending = reader.byte() === 0 ? null : readPending(reader, rows.optionCount);
  assert(reader.isAtEnd, "bytes follow the checkpoint");
  return {
    underlying,
    settings,
    rows,
    expiries,
    own: own as Quoted,
    ownInstrument,
    paritySpot,
    spot,
    spotSource,
    version: bookVersion,
    valuedAt,
    fittedAt,
    pending,
  };
}

const fitNumbers = ["at", "timeToExpiry", "spot", "forward", "rate", "dividendYield", "strikesUsed"] as const;
const sviNumbers = ["a", "b", "rho", "m", "sigma"] as const;
const wingNumbers = ["height", "centre", "width"] as const;

function writeExpiry(writer: ByteWriter, { at, root, style, rowCount, fit, settlementSpot }: Expiry): void {
  writer.double(at);
  writer.text(root);
  writer.text(style);
  writer.whole(rowCount);
  writer.double(settlementSpot);
  writer.byte(fit === null ? 0 : 1);
  if (fit === null) return;
  for (const name of fitNumbers) writer.double(fit[name]);
  writer.text(fit.source);
  writer.text(fit.quality ?? "");
  writer.byte(fit.isDeAmericanised ? 1 : 0);
  const { slice } = fit;
  writer.byte(slice === null ? 0 : 1);
  if (slice === null) return;
  writer.double(slice.at);
  writer.double(slice.timeToExpiry);
  writer.double(slice.coldLoss);
  writer.whole(slice.quoteCount);
  for (const name of sviNumbers) writer.double(slice.svi[name]);
  const { wing } = slice.svi;
  writer.byte(wing === undefined ? 0 : 1);
  if (wing !== undefined) for (const name of wingNumbers) writer.double(wing[name]);
}

function readExpiry(reader: ByteReader): Expiry {
  const at = reader.double();
  const root = reader.text();
  const style = reader.text() as Expiry["style"];
  const rowCount = reader.whole();
  const settlementSpot = reader.double();
  const fit = reader.byte() === 0 ? null : readFit(reader);
  return { at, root, style, rowCount, fit, settlementSpot };
}

function readFit(reader: ByteReader): ExpiryFit {
  const numbers = doublesNamed(reader, fitNumbers);
  const source = reader.text() as ForwardSource;
  const quality = reader.text();
  const isDeAmericanised = reader.byte() === 1;
  const slice = reader.byte() === 0 ? null : readSlice(reader);
  return {
    ...numbers,
    source,
    quality: quality === "" ? null : (quality as ExpiryFit["quality"]),
    isDeAmericanised,
    slice,
  };
}

function readSlice(reader: ByteReader): FittedSlice {
  const [at, timeToExpiry, coldLoss] = [reader.double(), reader.double(), reader.double()];
  const quoteCount = reader.whole();
  const raw = doublesNamed(reader, sviNumbers);
  const svi = reader.byte() === 0 ? raw : { ...raw, wing: doublesNamed(reader, wingNumbers) };
  return { at, timeToExpiry, coldLoss, quoteCount, svi };
}

function doublesNamed<Name extends string>(reader: ByteReader, names: readonly Name[]): Record<Name, number> {
  const numbers = {} as Record<Name, number>;
  for (const name of names) numbers[name] = reader.double();
  return numbers;
}

function writePending(writer: ByteWriter, pending: RefitInput): void {
  writer.double(pending.at);
  writer.whole(pending.version);
  writer.text(JSON.stringify(pending.settings));
  writer.double(pending.spot);
  writer.text(pending.spotSource);
  writer.doubles(pending.bid);
  writer.doubles(pending.ask);
  writer.whole(pending.futures.size);
  for (const [at, middle] of pending.futures) {
    writer.double(at);
    writer.double(middle);
  }
}

function readPending(reader: ByteReader, optionCount: number): RefitInput {
  const [at, version] = [reader.double(), reader.whole()];
  const settings = JSON.parse(reader.text()) as BookSettings;
  const spot = reader.double();
  const spotSource = reader.text() as SpotSource;
  const [bid, ask] = [new Float64Array(optionCount), new Float64Array(optionCount)];
  reader.doubles(bid);
  reader.doubles(ask);
  const futures = new Map<number, number>();
  for (let left = reader.whole(); left > 0; left--) futures.set(reader.double(), reader.double());
  return { at, version, settings, spot, spotSource, bid, ask, futures };
}
