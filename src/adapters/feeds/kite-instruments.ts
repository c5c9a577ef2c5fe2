// Zerodha's list of instruments, as downloaded once a day: which number stands for which contract, and what a contract is. Separate from
// the connection, which only knows numbers. Options and futures on indexes and shares of NSE are taken, and what they are on; of the rest
// there is no canonical name.
//
// Source: Kite Connect 3, "Instruments": CSV with the columns below; a number's last byte is its segment, the rest the exchange's own.

import { builtInCalendars } from "../../domain/exchange-calendars";
import type { Instrument } from "../../domain/instrument";
import { instrumentFromSymbol } from "../../domain/instrument-symbol";
import { BsoptError } from "../../foundation/errors";
import { quoted } from "../../foundation/printable";
import type { ByteSource } from "../tabular/bytes";
import { headerNames, isBlank, readCsvRecords } from "../tabular/csv";
import { fileLimits } from "../tabular/table";

export interface KiteInstruments {
  /** By number. */
  readonly symbols: ReadonlyMap<number, string>;
  /** By canonical symbol. */
  readonly tokens: ReadonlyMap<string, number>;
  readonly instruments: readonly Instrument[];
  /** Rows of these exchanges whose name could not be read. */
  readonly unreadableCount: number;
}

const columns = ["instrument_token", "tradingsymbol", "strike", "tick_size", "lot_size", "instrument_type", "exchange"];

/** Reads the list. Throws BsoptError `invalid` where a column is missing. */
export async function readKiteInstruments(source: ByteSource, name: string): Promise<KiteInstruments> {
  const symbols = new Map<number, string>();
  const tokens = new Map<string, number>();
  const instruments: Instrument[] = [];
  const conventions = { calendars: builtInCalendars() };
  let unreadableCount = 0;
  let names: readonly string[] | null = null;
  for await (const { fields } of readCsvRecords(source, name, fileLimits)) {
    if (names === null) {
      names = headerNames(fields);
      const missing = columns.filter((column) => !names!.includes(column));
      if (missing.length === 0) continue;
      throw new BsoptError({
        reason: "invalid",
        code: "KITE_INSTRUMENTS_UNREADABLE",
        detail: `${quoted(name, 200)} is no list of Kite's instruments: it lacks ${missing.join(", ")}.`,
        hint: "Download it anew from https://api.kite.trade/instruments.",
      });
    }
    if (isBlank(fields)) continue;
    const cell = (column: string) => fields[names!.indexOf(column)]?.trim() ?? "";
    const exchange = cell("exchange");
    if (exchange !== "NFO" && exchange !== "NSE") continue;
    const token = Number(cell("instrument_token"));
    const instrument = instrumentFromSymbol(`nse:${cell("tradingsymbol")}`, conventions);
    // Shares of other series (-BE, -SM, bonds) have names that are none; nothing is written on them.
    const isReadable = typeof instrument !== "string" && Number.isSafeInteger(token) && token > 0;
    if (!isReadable || tokens.has(instrument.symbol)) {
      if (exchange === "NFO") unreadableCount += 1;
      continue;
    }
    symbols.set(token, instrument.symbol);
    tokens.set(instrument.symbol, token);
    instruments.push(withTerms(instrument, cell("lot_size"), cell("tick_size")));
  }
  return { symbols, tokens, instruments, unreadableCount };
}

/** A lot is what one contract stands for; the list says it, and the smallest step. */
function withTerms(instrument: Instrument, lotSize: string, tickSize: string): Instrument {
  const [lot, tick] = [Number(lotSize), Number(tickSize)];
  return {
    ...instrument,
    multiplier: instrument.kind !== "underlying" && lot > 0 ? lot : instrument.multiplier,
    tickSize: tick > 0 ? tick : instrument.tickSize,
  };
}
