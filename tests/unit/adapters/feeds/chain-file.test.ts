// Chains as files: Cboe's quote table as downloaded, in all the shapes a download, an editor or a spreadsheet leaves it in,
// plain columns, and everything that is neither.

import { describe, expect, test } from "bun:test";
import { readChainFile } from "../../../../src/adapters/feeds/chain-file";
import { fileLimits } from "../../../../src/adapters/tabular/table";
import type { ChainFile } from "../../../../src/domain/chain";
import { formatTimestamp } from "../../../../src/foundation/clock";
import { BsoptError } from "../../../../src/foundation/errors";

async function* pieces(text: string) {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += 97) yield bytes.subarray(start, start + 97);
}

const defaults = { asOf: 1_759_356_060_000_000n, spot: Number.NaN };
const read = (text: string): Promise<ChainFile> => readChainFile(pieces(text), "quotes.csv", fileLimits, defaults);

async function refusal(text: string): Promise<string> {
  const error = await read(text).then(
    () => null,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(BsoptError);
  expect((error as BsoptError).reason).toBe("invalid");
  return (error as BsoptError).detail;
}

const index = "S&P 500 INDEX,Last: 6711.2002,Change:  22.7402";
const date = '"Date: October 1, 2025 at 6:01 PM EDT",Bid: 6661.1099,Ask: 6743.9702,Size: 1*1,Volume: 0';
const header =
  "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest";
const row =
  "Fri Dec 18 2026,SPX261218C06700000,0,0,620.1,625.3,0,0.1784,0.62,0.0002,0,6700.00,SPX261218P06700000,0,0,370.2,372.4,1,0.1785,-0.38,0.0002,9";
const weekly = row
  .replaceAll("SPX261218", "SPXW261231")
  .replace("Fri Dec 18 2026", "Thu Dec 31 2026")
  .replace("0.1784", "0");
const file = (...lines: string[]) => `\n${[index, date, header, ...lines].join("\n")}\n`;

describe("S4.47 a Cboe quote table", () => {
  test("as downloaded: blank first line, calls and puts in one row, two roots, IV printed as 0", async () => {
    const chain = await read(file(row, weekly));
    expect(chain.kind).toBe("cboe_quote_table");
    expect(chain.faultCount).toBe(0);
    expect(chain.rows.map(({ contract }) => contract?.symbol)).toEqual([
      "SPX261218C06700000",
      "SPX261218P06700000",
      "SPXW261231C06700000",
      "SPXW261231P06700000",
    ]);
    const [call, put, weeklyCall] = chain.rows;
    expect(call).toMatchObject({
      bid: 620.1,
      ask: 625.3,
      vendorVolatility: 0.1784,
      vendorDelta: 0.62,
      spot: 6711.2002,
    });
    expect(put).toMatchObject({ bid: 370.2, ask: 372.4, vendorVolatility: 0.1785, vendorDelta: -0.38 });
    expect(weeklyCall!.vendorVolatility).toBeNaN();
    expect(formatTimestamp(call!.asOf)).toBe("2025-10-01T22:01:00.000000Z");
  });

  test.each([
    ["windows line ends", file(row).replaceAll("\n", "\r\n")],
    ["a byte order mark", `\ufeff${file(row)}`],
    ["no blank first line", file(row).trimStart()],
    ["blank lines between and after", `${file(row).replaceAll("\n", "\n\n")}\n\n`],
    ["trailing commas, as a spreadsheet saves it", file(row).replaceAll("\n", ",,,\n")],
    [
      "quotes around everything",
      file(
        row
          .split(",")
          .map((cell) => `"${cell}"`)
          .join(","),
      ),
    ],
    ["a thousands separator in the strike", file(row.replace("6700.00", '"6,700.00"'))],
    ["a thousands separator in the index", file(row).replace("6711.2002", "6,711.2002")],
    ["an unquoted date", file(row).replaceAll('"', "")],
    ["a line of commas at the end", `${file(row)}${",".repeat(21)}\n`],
  ])("with %s reads the same", async (_, text) => {
    const chain = await read(text);
    expect(chain.faults).toEqual([]);
    expect(chain.rows).toHaveLength(2);
    expect(chain.rows[0]).toMatchObject({ bid: 620.1, spot: 6711.2002 });
    expect(chain.rows[1]!.contract!.symbol).toBe("SPX261218P06700000");
    expect(formatTimestamp(chain.rows[0]!.asOf)).toBe("2025-10-01T22:01:00.000000Z");
  });

  test.each([
    ["October 1, 2025 at 6:01 PM EDT", "2025-10-01T22:01:00.000000Z"],
    ["January 5, 2026 at 12:00 PM EST", "2026-01-05T17:00:00.000000Z"],
    ["January 5, 2026 at 12:30 AM EST", "2026-01-05T05:30:00.000000Z"],
    ["July 5, 2026 at 9:30 AM ET", "2026-07-05T13:30:00.000000Z"],
    ["December 5, 2026 at 9:30 AM ET", "2026-12-05T14:30:00.000000Z"],
  ])("taken on %s is valued at %s", async (text, moment) => {
    const chain = await read(file(row).replace("October 1, 2025 at 6:01 PM EDT", text));
    expect(formatTimestamp(chain.rows[0]!.asOf)).toBe(moment);
  });

  const bad: [string, string, string, number][] = [
    ["a word for a bid", row.replace("620.1", "n/a"), 'call: Bid "n/a" is not a number', 0],
    [
      "a symbol of another strike",
      row.replace("C06700000", "C06800000"),
      'call: SPX261218C06800000 stands beside the strike "6700.00"',
      1,
    ],
    [
      "a symbol of another day",
      row.replace("Fri Dec 18 2026", "Fri Dec 11 2026"),
      'call: SPX261218C06700000 stands beside the expiration date "Fri Dec 11 2026"',
      2,
    ],
    [
      "an expiration in another spelling",
      row.replace("Fri Dec 18 2026", "2026-12-18"),
      'call: SPX261218C06700000 stands beside the expiration date "2026-12-18"',
      2,
    ],
    ["a put among the calls", row.replace("C06700000", "P06700000"), "call: SPX261218P06700000 is a put", 1],
    ["no symbol at all", row.replace("SPX261218C06700000", ""), 'call: "" is not an option symbol such as', 1],
    ["too few fields", row.split(",").slice(0, 14).join(","), "has 14 fields where the header has 22", 2],
    ["a comma too many", row.replace("620.1", "6,20.1"), "has 23 fields where the header has 22", 2],
  ];
  test.each(bad)("with %s says so and loses no other row", async (_, line, detail, unreadable) => {
    const chain = await read(file(row, line, weekly));
    expect(chain.rows).toHaveLength(6);
    expect(chain.rows.filter(({ contract }) => contract === null)).toHaveLength(unreadable);
    expect(chain.faults[0]!.line).toBe(6);
    expect(chain.faults[0]!.detail).toStartWith(detail);
    expect(chain.rows[4]!.contract!.symbol).toBe("SPXW261231C06700000");
  });

  test("of a thousand bad rows a hundred are told and all are counted", async () => {
    const chain = await read(file(...Array.from({ length: 1000 }, () => row.replace("620.1", "x"))));
    expect(chain.faults).toHaveLength(100);
    expect(chain.faultCount).toBe(1000);
  });

  const refused: [string, string, RegExp][] = [
    ["nothing after the index", `\n${index}\n`, /^quotes.csv: ends too early: a line such as "Date:/],
    ["no header", `\n${index}\n${date}\n`, /^quotes.csv: ends too early: a header with Calls/],
    ["no rows", `\n${index}\n${date}\n${header}\n`, /^quotes.csv: has a header but no option under it$/],
    [
      "an index without a price",
      file(row).replace("Last: 6711.2002", "Last: n/a"),
      /^quotes.csv line 2: the index line with its Last: price was expected, not "S&P 500 INDEX,Last: n\/a/,
    ],
    ["an index at zero", file(row).replace("6711.2002", "0"), /^quotes.csv line 2: the index line/],
    [
      "an unreadable date",
      file(row).replace("October 1, 2025 at", "yesterday at"),
      /^quotes.csv line 3: a line such as Date: October 1, 2025 at 6:01 PM EDT was expected, not/,
    ],
    ["a month there isn't", file(row).replace("October", "Octember"), /^quotes.csv line 3: a line such as/],
    ["a day there isn't", file(row).replace("October 1,", "February 30,"), /^quotes.csv line 3: a line such as/],
    ["an hour there isn't", file(row).replace("6:01 PM", "13:01 PM"), /^quotes.csv line 3: a line such as/],
    [
      "a year before the zone's rule",
      file(row).replace("2025 at 6:01 PM EDT", "1980 at 6:01 PM ET"),
      /^quotes.csv line 3: a line such as/,
    ],
    [
      "a header without puts",
      file(row).replace("Puts", "Pots"),
      /^quotes.csv line 4: a header with Calls, Bid, Ask, then Strike, then Puts, Bid, Ask was expected/,
    ],
    [
      "a header without the calls' bid",
      file(row).replace("Net,Bid", "Net,Bit"),
      /^quotes.csv line 4: a header with Calls/,
    ],
  ];
  test.each(refused)("S2.35 with %s is refused with its line and what was expected", async (_, text, detail) => {
    expect(await refusal(text)).toMatch(detail);
  });
});

describe("S4.39 a chain in plain columns", () => {
  test("by symbol", async () => {
    const chain = await read("symbol,bid,ask,iv,delta,spot\nSPX261218C06700000,620.1,625.3,0.18,0.62,6711\n");
    expect(chain.kind).toBe("plain_columns");
    expect(chain.rows[0]).toMatchObject({
      bid: 620.1,
      ask: 625.3,
      vendorVolatility: 0.18,
      vendorDelta: 0.62,
      spot: 6711,
    });
    expect(chain.rows[0]!.contract!.strike).toBe(6700);
    expect(chain.rows[0]!.asOf).toBe(defaults.asOf);
  });

  const described: [string, string, string][] = [
    ["SPX,2026-12-18,call,6700,1,2", "SPX261218C06700000", "2026-12-18T14:30:00.000000Z"],
    ["SPXW,2026-12-18,put,6700.5,1,2", "SPXW261218P06700500", "2026-12-18T21:00:00.000000Z"],
    ["SPY,2026-12-18,C,0.5,1,2", "SPY261218C00000500", "2026-12-18T21:00:00.000000Z"],
    ["SPY,2026-12-18T13:00:00-05:00,P,670,1,2", "SPY261218P00670000", "2026-12-18T18:00:00.000000Z"],
  ];
  test.each(described)("described by %s is %s", async (line, symbol, expiry) => {
    const chain = await read(`underlying,expiry,option_type,strike,bid,ask\n${line}\n`);
    expect(chain.faults).toEqual([]);
    expect(chain.rows[0]!.contract!.symbol).toBe(symbol);
    expect(formatTimestamp(chain.rows[0]!.contract!.expiry)).toBe(expiry);
  });

  test("with a time of valuation of its own", async () => {
    const chain = await read(
      "symbol,bid,ask,valuation_time\nSPX261218C06700000,1,2,2026-01-05T12:00:00Z\nSPX261218P06700000,1,2,\n",
    );
    expect(formatTimestamp(chain.rows[0]!.asOf)).toBe("2026-01-05T12:00:00.000000Z");
    expect(chain.rows[1]!.asOf).toBe(defaults.asOf);
  });

  test("vendor volatilities alone are enough", async () => {
    expect((await read("symbol,iv\nSPX261218C06700000,0.2\n")).rows).toHaveLength(1);
  });

  const bad: [string, string][] = [
    ["^SPX,2026-12-18,call,6700,1,2", "An option symbol needs a root of one to six capital letters or digits."],
    [
      "SPX,18/12/2026,call,6700,1,2",
      'expiry "18/12/2026" is neither a day such as 2026-12-18 nor a moment with its offset',
    ],
    ["SPX,2026-12-18T16:00,call,6700,1,2", 'expiry "2026-12-18T16:00" is neither a day'],
    ["SPX,2026-02-30,call,6700,1,2", 'expiry "2026-02-30" is neither a day'],
    ["SPX,2026-12-18,straddle,6700,1,2", 'option_type "straddle" is neither call nor put'],
    ["SPX,2026-12-18,call,-5,1,2", 'strike "-5" is no price from 0.001 to 99999.999'],
    ["SPX,2026-12-18,call,6700", "has 4 fields where the header has 6"],
    ["SPX,2026-12-18,call,6700,1,2,3", "has 7 fields where the header has 6"],
    [",2026-12-18,call,6700,1,2", "An option symbol needs a root"],
  ];
  test.each(bad)("S2.35 the row %s is kept without a contract, and says why", async (line, detail) => {
    const chain = await read(`underlying,expiry,option_type,strike,bid,ask\n${line}\nSPX,2026-12-18,call,6700,1,2\n`);
    expect(chain.rows).toHaveLength(2);
    expect(chain.rows[0]!.contract).toBeNull();
    expect(chain.rows[1]!.contract).not.toBeNull();
    expect(chain.faults[0]!.line).toBe(2);
    expect(chain.faults[0]!.detail).toStartWith(detail);
  });

  const contradictions: [string, string, string][] = [
    ["symbol,strike,bid,ask", "SPX261218C06700000,6800,1,2", 'SPX261218C06700000 stands beside the strike "6800"'],
    [
      "symbol,option_type,bid,ask",
      "SPX261218C06700000,put,1,2",
      'SPX261218C06700000 stands beside the option_type "put"',
    ],
    ["symbol,bid,ask", "spx261218C06700000,1,2", 'symbol "spx261218C06700000" has a root'],
  ];
  test.each(contradictions)("under %s the row %s contradicts itself", async (header, line, detail) => {
    const chain = await read(`${header}\n${line}\n`);
    expect(chain.rows[0]!.contract).toBeNull();
    expect(chain.faults[0]!.detail).toStartWith(detail);
  });

  test("a number or moment that can't be read leaves the row its contract", async () => {
    const chain = await read("symbol,bid,ask,valuation_time\nSPX261218C06700000,x,2,today\n");
    expect(chain.rows[0]!.contract).not.toBeNull();
    expect(chain.rows[0]!.bid).toBeNaN();
    expect(chain.faultCount).toBe(2);
  });

  test("rows of commas and blank lines are no rows", async () => {
    expect((await read("symbol,bid,ask\n,,\n\nSPX261218C06700000,1,2\n")).rows).toHaveLength(1);
  });

  const refused: [string, string, RegExp][] = [
    [
      "an unknown column",
      "symbol,bid,ask,bud\n",
      /^quotes.csv line 1: the column "bud" is unknown; known columns: symbol, underlying,/,
    ],
    ["a repeated column", "symbol,bid,bid,ask\n", /^quotes.csv line 1: the column "bid" comes twice$/],
    [
      "no way to tell the option",
      "strike,bid,ask\n",
      /^quotes.csv line 1: lacks underlying, expiry, option_type; a chain needs symbol/,
    ],
    ["no quotes", "symbol,spot\n", /^quotes.csv line 1: lacks bid, ask; a chain needs/],
    ["no rows", "symbol,bid,ask\n", /^quotes.csv: holds no option$/],
  ];
  test.each(refused)("S2.35 with %s is refused", async (_, text, detail) => {
    expect(await refusal(text)).toMatch(detail);
  });
});

describe("S2.35 a file that is no chain", () => {
  test.each([
    ["nothing", "", /^quotes.csv: is empty$/],
    ["blank lines", "\n\n\n", /^quotes.csv: is empty$/],
    ["prose", "Dear reader,\n", /^quotes.csv line 1: "Dear reader," begins neither a Cboe quote table/],
    ["another table", "a,b,c\n1,2,3\n", /^quotes.csv line 1: "a,b,c" begins neither/],
    ["an escape sequence", "\u001b[31mred,b\n", /^quotes.csv line 1: "\ufffd\[31mred,b" begins neither/],
  ])("%s is refused", async (_, text, detail) => {
    expect(await refusal(text)).toMatch(detail);
  });
});
