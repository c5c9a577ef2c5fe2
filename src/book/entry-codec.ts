// A book's entries as bytes: one stream a field, so that what is alike lies together and compresses well; every stream's numbers are as
// short as they are. Quotes cost about twenty bytes. Separate from the book: the archive stores these bytes without looking inside.
// Versioned; a reader refuses a version it does not know, and bytes that don't end where their streams do.
//
// Layout: version · count of entries · streams, each its length and its bytes, in the order of `streamNames`. A stream holds a value
// for each entry that has one. Symbols are numbered by their first appearance; moments and sequences are differences from the last.

import type { Instrument } from "../domain/instrument";
import type { Quote } from "../domain/quote";
import { assert, unreachable } from "../foundation/assert";
import { ByteReader, ByteWriter } from "./byte-stream";
import type { BookEntry, BookSettings } from "./entries";

export const entryCodecVersion = 1;

const kinds = [
  "quote",
  "value",
  "refit",
  "refit_begin",
  "list",
  "unlist",
  "settings",
] as const satisfies readonly BookEntry["kind"][];

const quoteNumbers = ["bid", "ask", "bidSize", "askSize", "last", "volume", "openInterest"] as const;

const streamNames = ["kinds", "symbols", "venue", "received", "sequences", ...quoteNumbers, "texts"] as const;

/** In the stream of sequences: none; the number itself follows; from here on the difference from the symbol's last. */
const [sequenceNone, sequenceWhole, sequenceStep] = [0, 1, 2] as const;
const stepMax = 2 ** 50;

type StreamName = (typeof streamNames)[number];

/** The entries as bytes. */
export function encodeEntries(entries: readonly BookEntry[]): Uint8Array {
  const streams = {} as Record<StreamName, ByteWriter>;
  for (const name of streamNames) streams[name] = new ByteWriter();
  const symbols = new Map<string, number>();
  const sequences: number[] = [];
  let clock = 0n;
  const moment = (at: bigint) => {
    streams.received.signed(Number(at - clock));
    clock = at;
  };
  for (const entry of entries) {
    streams.kinds.byte(kinds.indexOf(entry.kind));
    switch (entry.kind) {
      case "quote": {
        const { quote } = entry;
        let place = symbols.get(quote.symbol);
        if (place === undefined) {
          place = symbols.size;
          symbols.set(quote.symbol, place);
          sequences.push(0);
          streams.symbols.whole(0);
          streams.texts.text(quote.symbol);
        } else streams.symbols.whole(place + 1);
        moment(entry.receivedAt);
        streams.venue.signed(Number(entry.receivedAt - quote.at));
        const { sourceSequence } = quote;
        if (sourceSequence === null) streams.sequences.whole(sequenceNone);
        else {
          const step = sourceSequence - sequences[place]!;
          if (Math.abs(step) < stepMax) streams.sequences.whole(sequenceStep + (step < 0 ? -2 * step - 1 : 2 * step));
          else {
            streams.sequences.whole(sequenceWhole);
            streams.sequences.double(sourceSequence);
          }
          sequences[place] = sourceSequence;
        }
        for (const name of quoteNumbers) streams[name].decimal(quote[name]);
        break;
      }
      case "value":
      case "refit":
      case "refit_begin":
        moment(entry.at);
        break;
      case "list":
        streams.texts.text(JSON.stringify(entry.instruments.map(plainInstrument)));
        break;
      case "unlist":
        streams.texts.text(JSON.stringify(entry.symbols));
        break;
      case "settings":
        streams.texts.text(JSON.stringify(entry.settings));
        break;
      default:
        unreachable(entry);
    }
  }
  const writer = new ByteWriter();
  writer.whole(entryCodecVersion);
  writer.whole(entries.length);
  for (const name of streamNames) writer.blob(streams[name].take());
  return writer.take();
}

/** The entries that `encodeEntries` was given. Throws InvariantError where the bytes are none of its. */
export function decodeEntries(bytes: Uint8Array): BookEntry[] {
  const reader = new ByteReader(bytes);
  const version = reader.whole();
  assert(version === entryCodecVersion, `entries of version ${version}`);
  const count = reader.whole();
  const streams = {} as Record<StreamName, ByteReader>;
  for (const name of streamNames) streams[name] = new ByteReader(reader.blob());
  assert(reader.isAtEnd, "bytes follow the entries");
  const symbols: string[] = [];
  const sequences: number[] = [];
  const entries: BookEntry[] = [];
  let clock = 0n;
  const moment = () => {
    clock += BigInt(streams.received.signed());
    return clock;
  };
  const readQuote = (): BookEntry => {
    const mark = streams.symbols.whole();
    if (mark === 0) {
      symbols.push(streams.texts.text());
      sequences.push(0);
    }
    const place = mark === 0 ? symbols.length - 1 : mark - 1;
    const symbol = symbols[place];
    assert(symbol !== undefined, `no symbol ${place}`);
    const receivedAt = moment();
    const at = receivedAt - BigInt(streams.venue.signed());
    const code = streams.sequences.whole();
    if (code === sequenceWhole) sequences[place] = streams.sequences.double();
    else if (code >= sequenceStep) {
      const folded = code - sequenceStep;
      sequences[place]! += folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
    }
    const quote: Quote = {
      symbol,
      at,
      bid: streams.bid.decimal(),
      ask: streams.ask.decimal(),
      bidSize: streams.bidSize.decimal(),
      askSize: streams.askSize.decimal(),
      last: streams.last.decimal(),
      volume: streams.volume.decimal(),
      openInterest: streams.openInterest.decimal(),
      sourceSequence: code === sequenceNone ? null : sequences[place]!,
    };
    return { kind: "quote", quote, receivedAt };
  };
  for (let index = 0; index < count; index++) {
    const kind = kinds[streams.kinds.byte()];
    assert(kind !== undefined, `entry ${index} is of no kind`);
    switch (kind) {
      case "quote":
        entries.push(readQuote());
        break;
      case "value":
      case "refit":
      case "refit_begin":
        entries.push({ kind, at: moment() });
        break;
      case "list":
        entries.push({ kind, instruments: instrumentsOf(streams.texts.text()) });
        break;
      case "unlist":
        entries.push({ kind, symbols: JSON.parse(streams.texts.text()) as string[] });
        break;
      case "settings":
        entries.push({ kind, settings: JSON.parse(streams.texts.text()) as BookSettings });
        break;
      default:
        unreachable(kind);
    }
  }
  for (const name of streamNames) assert(streams[name].isAtEnd, `the stream ${name} does not end with the entries`);
  return entries;
}

/** An instrument as JSON can say it: its moment as text. */
export function plainInstrument(instrument: Instrument): object {
  return { ...instrument, expiry: instrument.expiry === null ? null : instrument.expiry.toString() };
}

/** The instruments that `plainInstrument` made a text of. */
export function instrumentsOf(text: string): Instrument[] {
  const plain = JSON.parse(text) as (Omit<Instrument, "expiry"> & { expiry: string | null })[];
  return plain.map((each) => ({ ...each, expiry: each.expiry === null ? null : BigInt(each.expiry) }));
}
