// A real chain of index options as a live book: fitted, then followed while the spot moves. No arbitrage by the surface's own checks nor in
// the prices, every value the engine's own for the inputs that the book says it used, and the median quote within its spread.

import { describe, expect, test } from "bun:test";
import { readChainFile } from "../../src/adapters/feeds/chain-file";
import { fileLimits } from "../../src/adapters/tabular/table";
import { UnderlyingBook } from "../../src/book/book";
import { yearsBetween } from "../../src/book/expiry";
import { chain } from "../../src/book/view";
import type { ChainRow } from "../../src/domain/chain";
import type { Instrument } from "../../src/domain/instrument";
import { bookEngine, quoteOf, testSettings } from "../harness/book";
import { marketData } from "../harness/market-data";

const files = marketData("cboe-spx-2025-10-01");

async function* once(text: string) {
  yield Buffer.from(text);
}

async function realRows(): Promise<ChainRow[]> {
  const rows: ChainRow[] = [];
  for (const [name, text] of Object.entries(files!))
    rows.push(...(await readChainFile(once(text), name, fileLimits, { asOf: 0n, spot: Number.NaN })).rows);
  return rows.filter(({ contract }) => contract !== null);
}

function instrumentOf({ contract }: ChainRow): Instrument {
  const { symbol, underlying, root, expiry, strike, optionType, style, settlement } = contract!;
  const terms = { symbol, underlying, root, expiry, strike, optionType, style, settlement };
  return { ...terms, kind: "option", multiplier: 100, tickSize: null, currency: "USD", calendar: "XNYS" };
}

describe.skipIf(files === null)("S4.47 a live book of eleven real quote tables", () => {
  test("fits 13 expiries without arbitrage, prices 1,976 options, and follows the spot to the engine's bits", async () => {
    const rows = await realRows();
    const at = rows
      .map(({ asOf }) => asOf)
      .sort((left, right) => Number(left - right))
      .at(-1)!;
    const { spot } = rows[0]!;
    const book = new UnderlyingBook({ underlying: "SPX", engine: bookEngine(), settings: testSettings });
    book.list(rows.map(instrumentOf));
    for (const row of rows) book.apply(quoteOf(row.contract!.symbol, row.asOf, row.bid, row.ask), at);
    book.apply(quoteOf("SPX", at, spot - 0.25, spot + 0.25), at);
    book.refit(at);
    expect(book.value(at)).toEqual({ optionCount: 1976, nullCount: 0 });
    expect(book.surface!.arbitrage().isFree).toBe(true);

    const view = chain(book, { kind: "all" });
    expect(view.expiries).toHaveLength(13);
    const misses: number[] = [];
    for (const { forward_source, rows: strikes } of view.expiries) {
      expect(forward_source).toBe("parity");
      for (const { call, put } of strikes)
        for (const cell of [call!, put!])
          misses.push(Math.abs(cell.price! - (cell.bid! + cell.ask!) / 2) / ((cell.ask! - cell.bid!) / 2));
    }
    misses.sort((left, right) => left - right);
    process.stderr.write(
      `book: median miss ${misses[misses.length >> 1]!.toFixed(2)} half-spreads, nine tenths within ${misses[Math.floor(0.9 * misses.length)]!.toFixed(2)}\n`,
    );
    expect(misses[misses.length >> 1]!).toBeLessThan(0.6);

    for (const move of [0.97, 0.995, 1.0001, 1.02]) {
      const moment = at + BigInt(Math.round(1e6 * move));
      book.apply(quoteOf("SPX", moment, spot * move - 0.25, spot * move + 0.25), moment);
      expect(book.value(moment).nullCount).toBe(0);
      expectEngineBits(book, Number(moment));
      expectNoPriceArbitrage(book);
    }
  });
});

/** Every value again from what the book says it used. */
function expectEngineBits(book: UnderlyingBook, moment: number): void {
  const { rows, expiries } = book;
  const { columns } = rows;
  const count = rows.optionCount;
  const fitOf = (row: number) => expiries[columns.expiryIndex[row]!]!.fit!;
  const column = (of: (row: number) => number) => Float64Array.from({ length: count }, (_, row) => of(row));
  const outputs = ["price", "delta", "gamma", "vega", "theta", "rho"] as const;
  const priced = bookEngine().price({
    model: "black_scholes_merton",
    count,
    isCall: rows.isCall.slice(0, count),
    inputs: {
      spot: book.spot,
      strike: column((row) => rows.instruments[row]!.strike!),
      time_to_expiry: column((row) => yearsBetween(moment, Number(rows.instruments[row]!.expiry))),
      rate: column((row) => fitOf(row).rate),
      dividend_yield: column((row) => fitOf(row).dividendYield),
      volatility: columns.volatility.slice(0, count),
    },
    outputs,
    units: "raw",
  });
  for (const output of outputs)
    expect(Array.from(columns[output].subarray(0, count))).toEqual(Array.from(priced.columns[output]!));
}

/** Calls fall with the strike, by no more than its discounted step, and are convex; puts follow by parity. */
function expectNoPriceArbitrage(book: UnderlyingBook): void {
  for (const { expiry, strikes } of book.layout) {
    const discount = Math.exp(-expiry.fit!.rate * expiry.fit!.timeToExpiry);
    const price = book.rows.columns.price;
    let slopeBefore = -discount;
    for (let index = 1; index < strikes.length; index++) {
      const [left, right] = [strikes[index - 1]!, strikes[index]!];
      const slope = (price[right.call]! - price[left.call]!) / (right.strike - left.strike);
      const rounding = 1e-9;
      expect(slope).toBeLessThanOrEqual(rounding);
      expect(slope).toBeGreaterThanOrEqual(slopeBefore - rounding);
      slopeBefore = slope;
    }
  }
}
