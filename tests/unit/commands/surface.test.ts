// `bsopt surface` as a shell sees it, on a chain made by the engine itself at one volatility, so that everything is known beforehand.

import { describe, expect, test } from "bun:test";
import { tableFromIPC } from "@uwdata/flechette";
import { parse } from "csv-parse/sync";
import { ManualClock } from "../../../src/foundation/clock";
import { runCommand, testEngine } from "../../harness/command-line";

type Row = Record<string, string>;
const rowsOf = (text: string) => parse(text, { columns: true }) as Row[];

/** 2025-12-18 09:30 in New York: exactly a year before the AM settlement of 2026-12-18. */
const clock = new ManualClock(1_766_068_200_000_000n);
const strikes = [800, 850, 900, 950, 1000, 1050, 1100, 1150, 1200];
const volatility = 0.2;

/** Quotes half a unit to either side of the model's own prices. */
function quoteLines(root: string, count = strikes.length): string[] {
  const lines: string[] = [];
  for (const optionType of ["call", "put"] as const) {
    const { columns } = testEngine().price({
      model: "black_scholes_merton",
      count: strikes.length,
      isCall: optionType === "call",
      inputs: {
        spot: 1000,
        strike: Float64Array.from(strikes),
        time_to_expiry: 1,
        rate: 0.04,
        dividend_yield: 0.01,
        volatility,
      },
      outputs: ["price"],
      units: "market",
    });
    strikes.slice(0, count).forEach((strike, index) => {
      const price = columns.price![index]!;
      const symbol = `${root}261218${optionType === "call" ? "C" : "P"}${String(strike * 1000).padStart(8, "0")}`;
      lines.push([symbol, price - 0.5, price + 0.5].join(","));
    });
  }
  return lines;
}

const files = {
  "chain.csv": ["symbol,bid,ask", ...quoteLines("SPX"), ""].join("\n"),
  "two.csv": ["symbol,bid,ask", ...quoteLines("SPX"), ...quoteLines("NDX", 3), ""].join("\n"),
  "american.csv": ["symbol,bid,ask", ...quoteLines("AAPL"), ""].join("\n"),
  "torn.csv": ["symbol,bid,ask", ...quoteLines("SPX"), "SPX261218X00800000,1,2", ""].join("\n"),
};
const run = (argv: string[], more: Parameters<typeof runCommand>[1] = {}) =>
  runCommand(["surface", ...argv], { files, clock, ...more });

describe("S4.47 bsopt surface", () => {
  test("csv has a row an expiry: forward and volatility come back, and the quality says so", async () => {
    const { code, out, err } = await run(["chain.csv", "--format", "csv", "--spot", "1000"]);
    expect(code).toBe(0);
    const [row, ...others] = rowsOf(out);
    expect(others).toEqual([]);
    expect(row).toMatchObject({ underlying: "SPX", root: "SPX", model: "svi_put_wing", quotes: "9", reason: "" });
    expect(Number(row!.forward)).toBeCloseTo(1000 * Math.exp(0.03), 6);
    expect(Number(row!.rate)).toBeCloseTo(0.04, 8);
    expect(Number(row!.dividend_yield)).toBeCloseTo(0.01, 8);
    expect(Number(row!.atm_volatility)).toBeCloseTo(0.2, 6);
    expect(Number(row!.inside_share)).toBe(1);
    expect(Number(row!.median_half_spreads)).toBeLessThan(0.01);
    expect(Number(row!.least_durrleman)).toBeGreaterThan(0);
    expect(row!.least_variance_rise).toBe("");
    expect(err).toBe("SPX: 1 of 1 expiries, 9 of 18 quotes used, 100 % inside bid and ask, no arbitrage\n");
  });

  test("--quotes has a row a quote, in the file's order", async () => {
    const { out } = await run(["chain.csv", "--quotes", "--format", "csv"]);
    const rows = rowsOf(out);
    expect(rows.map(({ symbol }) => symbol)).toEqual(quoteLines("SPX").map((line) => line.split(",")[0]!));
    for (const row of rows) {
      expect(Number(row.fitted_volatility)).toBeCloseTo(0.2, 4);
      expect(Number(row.fitted_price)).toBeCloseTo(Number(row.mid), 2);
      expect(Number(row.price_error)).toBeCloseTo(Number(row.fitted_price) - Number(row.mid), 9);
      expect(row.inside).toBe("1");
      const isCall = row.option_type === "call";
      // The forward is 1030.45.
      expect(row.reason).toBe(isCall === Number(row.strike) > 1030 ? "" : "in_the_money");
    }
  });

  test.each(["svi", "essvi"])("--model %s is told with its parameters, and has no wing", async (model) => {
    const { out } = await run(["chain.csv", "--model", model, "--format", "csv"]);
    const [row] = rowsOf(out);
    expect(row!.model).toBe(model);
    expect(row!.wing_height).toBe("");
    expect(Number(row!.atm_volatility)).toBeCloseTo(0.2, 3);
  });

  test("json has files, surfaces and the rows under what they are", async () => {
    const document = JSON.parse((await run(["chain.csv", "--json"])).out);
    expect(document).toMatchObject({
      model: "svi_put_wing",
      files: [{ name: "chain.csv", count: 18, fault_count: 0 }],
      surfaces: [{ underlying: "SPX", expiries: 1, fitted: 1, arbitrage_free: true }],
    });
    expect(document.expiries).toHaveLength(1);
    expect(JSON.parse((await run(["chain.csv", "--json", "--quotes"])).out).quotes).toHaveLength(18);
  });

  test("arrow carries numbers, and --output tells the format", async () => {
    const { written } = await run(["chain.csv", "-o", "surface.arrow"]);
    const table = tableFromIPC(written.get("surface.arrow")!, {});
    expect(table.numRows).toBe(1);
    expect(table.getChild("atm_volatility").at(0)).toBeCloseTo(0.2, 6);
  });

  test("on a terminal a line an expiry; narrow ones leave columns out and say which", async () => {
    const wide = await run(["chain.csv"], { columns: 220 });
    expect(wide.out).toContain("SPX 2026-12-18 am");
    expect(wide.out).toContain("20.00");
    expect(wide.out).toContain("height");
    const narrow = await run(["chain.csv"], { columns: 80 });
    expect(narrow.out).not.toContain("height");
    expect(narrow.err).toContain("left out for want of width");
    const quotes = await run(["chain.csv", "--quotes"], { columns: 60 });
    expect(quotes.out).toContain("half-spreads");
    expect(quotes.err).toContain("used");
  });

  test("an expiry without a forward has a row with its reason, a note, and exit code 3", async () => {
    const { code, out, err } = await run(["two.csv", "--format", "csv"]);
    expect(code).toBe(3);
    expect(rowsOf(out).map(({ underlying, reason }) => [underlying, reason])).toEqual([
      ["SPX", ""],
      ["NDX", "no_forward"],
    ]);
    expect(err).toContain("note: NDX 2026-12-18 am: no slice, no forward could be found");
    expect(err).toContain("NDX: no surface");
    const table = await run(["two.csv"]);
    expect(table.out).toContain("no forward");
    expect(JSON.parse((await run(["two.csv", "--json"])).out).surfaces[1].arbitrage_free).toBeNull();
  });

  test("a row that can't be read is told and makes the exit code 3", async () => {
    const { code, err } = await run(["torn.csv", "--format", "csv"]);
    expect(code).toBe(3);
    expect(err).toContain("torn.csv line 20");
  });

  test("American options are fitted as European, and that is said", async () => {
    const { err } = await run(["american.csv", "--format", "csv"]);
    expect(err).toContain("note: options on AAPL are American and are fitted as European");
  });

  test.each([
    ["an unknown model", ["chain.csv", "--model", "sabr"]],
    ["no file", []],
    ["a spot of zero", ["chain.csv", "--spot", "0"]],
  ])("%s is wrong usage", async (_, argv) => {
    expect((await run(argv)).code).toBe(2);
  });
});
