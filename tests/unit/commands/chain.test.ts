// `bsopt chain` as a shell sees it, on a chain made by the engine itself, so that everything is known beforehand.

import { describe, expect, test } from "bun:test";
import { tableFromIPC } from "@uwdata/flechette";
import { parse } from "csv-parse/sync";
import { ManualClock } from "../../../src/foundation/clock";
import { runCommand, testEngine } from "../../harness/command-line";

type Row = Record<string, string>;
const rowsOf = (text: string) => parse(text, { columns: true }) as Row[];

const columns =
  "symbol,underlying,expiry,option_type,strike,bid,ask,mid,iv_bid,iv_mid,iv_ask,iv_vendor,forward,discount,time_to_expiry,price,delta,gamma,vega,theta,rho,status,reason";

const [spot, rate, dividendYield, volatility] = [1000, 0.04, 0.01, 0.2];
const strikes = [800, 850, 900, 950, 1000, 1050, 1100, 1150, 1200];
/** 2025-12-18 09:30 in New York: exactly a year before the AM settlement of 2026-12-18. */
const clock = new ManualClock(1_766_068_200_000_000n);

/** Quotes around the model's own prices at one volatility, half a unit wide on either side. */
function quoteLines(root: string): string[] {
  const lines: string[] = [];
  for (const optionType of ["call", "put"] as const) {
    const { columns: values } = testEngine().price({
      model: "black_scholes_merton",
      count: strikes.length,
      isCall: optionType === "call",
      inputs: {
        spot,
        strike: Float64Array.from(strikes),
        time_to_expiry: 1,
        rate,
        dividend_yield: dividendYield,
        volatility,
      },
      outputs: ["price"],
      units: "market",
    });
    strikes.forEach((strike, index) => {
      const price = values.price![index]!;
      const symbol = `${root}261218${optionType === "call" ? "C" : "P"}${String(strike * 1000).padStart(8, "0")}`;
      lines.push([symbol, price - 0.5, price + 0.5, 0.21].join(","));
    });
  }
  return lines;
}

const header = "symbol,bid,ask,iv";
const chain = [header, ...quoteLines("SPX"), ""].join("\n");
const files = { "chain.csv": chain };
const run = (argv: string[], more: Parameters<typeof runCommand>[1] = {}) =>
  runCommand(["chain", ...argv], { files, clock, ...more });

describe("S4.47 bsopt chain", () => {
  test("csv has exactly the contract's columns, one row an option in the file's order", async () => {
    const { code, out } = await run(["chain.csv", "--format", "csv", "--spot", "1000"]);
    expect(code).toBe(0);
    expect(out.split("\n")[0]).toBe(columns);
    expect(rowsOf(out).map(({ symbol }) => symbol)).toEqual(quoteLines("SPX").map((line) => line.split(",")[0]));
  });

  test("forward, rate and yield are inferred, and the model's own volatility and Greeks come back", async () => {
    const { out } = await run(["chain.csv", "--format", "csv", "--spot", "1000"]);
    const { columns: expected } = testEngine().price({
      model: "black_scholes_merton",
      count: strikes.length,
      isCall: true,
      inputs: {
        spot,
        strike: Float64Array.from(strikes),
        time_to_expiry: 1,
        rate,
        dividend_yield: dividendYield,
        volatility,
      },
      outputs: ["delta", "rho"],
      units: "market",
    });
    rowsOf(out).forEach((row, index) => {
      expect(Number(row.forward)).toBeCloseTo(spot * Math.exp(rate - dividendYield), 8);
      expect(Number(row.discount)).toBeCloseTo(Math.exp(-rate), 11);
      expect(row.time_to_expiry).toBe("1");
      expect(row.expiry).toBe("2026-12-18T14:30:00.000000Z");
      expect(Number(row.iv_mid)).toBeCloseTo(volatility, 10);
      expect(Number(row.iv_bid)).toBeLessThan(volatility);
      expect(Number(row.iv_ask)).toBeGreaterThan(volatility);
      expect(row.iv_vendor).toBe("0.21");
      expect(Number(row.price)).toBeCloseTo(Number(row.mid), 10);
      if (index < strikes.length) {
        expect(Number(row.delta)).toBeCloseTo(expected.delta![index]!, 10);
        expect(Number(row.rho)).toBeCloseTo(expected.rho![index]!, 8);
      }
    });
  });

  test.each([
    ["bid", "iv_bid", -0.5],
    ["ask", "iv_ask", 0.5],
  ])("--volatility %s prices at that side", async (choice, column, offset) => {
    const { out } = await run(["chain.csv", "--format", "csv", "--spot", "1000", "--volatility", choice]);
    for (const row of rowsOf(out)) {
      expect(row[column]).not.toBe("");
      expect(Number(row.price)).toBeCloseTo(Number(row.mid) + offset, 9);
    }
  });

  test("--volatility vendor prices at the file's own", async () => {
    const { out } = await run(["chain.csv", "--format", "csv", "--spot", "1000", "--volatility", "vendor"]);
    for (const row of rowsOf(out)) expect(Number(row.price)).toBeGreaterThan(Number(row.mid));
  });

  test("--units raw: vega per 1.00 and theta per year", async () => {
    const market = rowsOf((await run(["chain.csv", "--format", "csv", "--spot", "1000"])).out);
    const raw = rowsOf((await run(["chain.csv", "--format", "csv", "--spot", "1000", "--units", "raw"])).out);
    expect(Number(raw[4]!.vega)).toBeCloseTo(Number(market[4]!.vega) * 100, 9);
    expect(Number(raw[4]!.theta)).toBeCloseTo(Number(market[4]!.theta) * 365, 9);
    expect(raw[4]!.delta).toBe(market[4]!.delta!);
  });

  test("--rate and --dividend-yield are used instead of parity, and the notes say so", async () => {
    const argv = ["chain.csv", "--format", "csv", "--spot", "1000"];
    const both = await run([...argv, "--rate", "0.05", "--dividend-yield", "0.02"]);
    expect(Number(rowsOf(both.out)[0]!.forward)).toBeCloseTo(1000 * Math.exp(0.03), 9);
    expect(both.err).toContain("rate 5.000 %, dividend yield 2.000 %, rate and yield given");
    const onlyRate = await run([...argv, "--rate", "0.04"]);
    expect(onlyRate.err).toContain("dividend yield 1.000 %, rate given, parity over 9 of 9 strikes");
    const onlyYield = await run([...argv, "--dividend-yield", "0.01"]);
    expect(onlyYield.err).toContain("rate 4.000 %, dividend yield 1.000 %, yield given, parity over 9 of 9 strikes");
  });

  test("without a spot the prices are the same and delta is per unit of prepaid forward", async () => {
    const without = await run(["chain.csv", "--format", "csv"]);
    const withSpot = rowsOf((await run(["chain.csv", "--format", "csv", "--spot", "1000"])).out);
    expect(without.err).toContain("note: without a spot (--spot), delta is per unit of the prepaid forward");
    rowsOf(without.out).forEach((row, index) => {
      expect(Number(row.price)).toBeCloseTo(Number(withSpot[index]!.price), 9);
      expect(Number(row.delta) * Math.exp(-dividendYield)).toBeCloseTo(Number(withSpot[index]!.delta), 9);
    });
  });

  test("json: the expiries beside the options", async () => {
    const { code, out, err } = await run(["chain.csv", "--json", "--spot", "1000"]);
    expect(code).toBe(0);
    const document = JSON.parse(out);
    expect(document).toMatchObject({
      model: "black_scholes_merton",
      units: "market",
      volatility: "mid",
      count: 18,
      priced: 18,
    });
    expect(document.files).toEqual([
      { name: "chain.csv", kind: "plain_columns", count: 18, fault_count: 0, faults: [] },
    ]);
    expect(document.expiries).toHaveLength(1);
    expect(document.expiries[0]).toMatchObject({
      root: "SPX",
      settlement: "am",
      source: "parity",
      strikes_seen: 9,
      strikes_used: 9,
      failure: null,
      spot: 1000,
      valuation_time: "2025-12-18T14:30:00.000000Z",
    });
    expect(document.expiries[0].rate).toBeCloseTo(rate, 10);
    expect(Object.keys(document.options[0]).join(",")).toBe(columns);
    expect(err).toBe("18 options, 18 priced\n");
  });

  test("ndjson and arrow carry the same rows", async () => {
    const expected = rowsOf((await run(["chain.csv", "--format", "csv", "--spot", "1000"])).out);
    const ndjson = await run(["chain.csv", "--format", "ndjson", "--spot", "1000"]);
    const lines = ndjson.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ delta }) => String(delta))).toEqual(expected.map(({ delta }) => delta!));
    const arrow = await run(["chain.csv", "-o", "x.arrow", "--spot", "1000"]);
    const table = tableFromIPC(arrow.written.get("x.arrow")!);
    expect(table.names.join(",")).toBe(columns);
    expect([...table.getChild("delta")!.toArray()].map(String)).toEqual(expected.map(({ delta }) => delta!));
    expect(table.getChild("reason")!.nullCount).toBe(18);
  });

  test("table: per expiry its forward, then its options, all within the screen", async () => {
    const { out } = await run(["chain.csv", "--spot", "1000"], { columns: 120 });
    const lines = out.trimEnd().split("\n");
    expect(lines[0]).toBe("SPX 2026-12-18 am: 1.0000 years from 2025-12-18T14:30Z");
    expect(lines[1]).toMatch(
      /^forward 1030\.4545, discount 0\.960789, rate 4\.000 %, dividend yield 1\.000 %, parity over 9 of 9/,
    );
    expect(lines[2]).toMatch(/^type {2}strike .* price +delta +gamma +vega +theta +rho$/);
    expect(lines).toHaveLength(4 + 18);
    for (const line of lines.slice(2)) expect(line.length).toBeLessThanOrEqual(120);
    const narrow = await run(["chain.csv", "--spot", "1000"], { columns: 70, isTerminal: true });
    for (const line of narrow.out.trimEnd().split("\n")) expect(line.length).toBeLessThanOrEqual(70);
    expect(narrow.err).toContain("note: left out for want of width: iv file, mid, iv ask");
  });
});

describe("S4.47 rows that can't be priced", () => {
  const broken: [string, string[], string, string][] = [
    ["a quote without a bid", [], "SPX261218C01000000,0,5,0.2", "20 no_bid"],
    ["a quote without an ask", [], "SPX261218C01000000,90,,0.2", "20 no_ask"],
    ["a crossed quote", [], "SPX261218C01000000,95,90,0.2", "20 crossed"],
    ["a crossed quote at its bid", ["--volatility", "bid"], "SPX261218C01000000,95,90,0.2", "20 crossed"],
    ["a crossed quote at its ask", ["--volatility", "ask"], "SPX261218C01000000,95,90,0.2", "20 crossed"],
    ["no bid where the bid is asked for", ["--volatility", "bid"], "SPX261218C01000000,,90,0.2", "20 no_bid"],
    ["no ask where the ask is asked for", ["--volatility", "ask"], "SPX261218C01000000,90,,0.2", "20 no_ask"],
    ["no ask where the bid is asked for", ["--volatility", "bid"], "SPX261218C01000000,90,,0.2", "0 "],
    ["no bid where the ask is asked for", ["--volatility", "ask"], "SPX261218C01000000,0,90,0.2", "0 "],
    [
      "no volatility of the vendor's",
      ["--volatility", "vendor"],
      "SPX261218C01000000,90,95,0",
      "20 no_vendor_volatility",
    ],
    ["no quote where the vendor is asked for", ["--volatility", "vendor"], "SPX261218C01000000,,,0.2", "0 "],
    ["a price below intrinsic value", [], "SPX261218C00700000,200,201,0.2", "10 below_intrinsic"],
    ["a price above the underlying's", [], "SPX261218C01000000,2000,2001,0.2", "11 above_maximum"],
    ["a volatility beyond the domain", ["--volatility", "vendor"], "SPX261218C01000000,90,95,1e80", "21 out_of_domain"],
    ["an unreadable symbol", [], "NOTHING,90,95,0.2", "20 unreadable_row"],
    ["too few fields", [], "SPX261218C01000000,90", "20 unreadable_row"],
    ["another expiry with too few strikes", [], "SPX270115C01000000,90,95,0.2", "20 no_forward"],
  ];
  test.each(broken)("%s (%p): %s gives %s", async (_, flags, line, expected) => {
    const text = `${chain}${line}\n`;
    const outcome = await run(["chain.csv", "--format", "csv", "--spot", "1000", ...flags], {
      files: { "chain.csv": text },
    });
    const rows = rowsOf(outcome.out);
    expect(rows).toHaveLength(19);
    const last = rows.at(-1)!;
    expect(`${last.status} ${last.reason}`).toBe(expected);
    expect(last.price === "").toBe(expected !== "0 ");
    expect(rows.slice(0, 18).every((row) => row.price !== "" && row.reason === "")).toBeTrue();
    expect(outcome.code).toBe(expected === "0 " ? 0 : 3);
    if (expected !== "0 ") expect(outcome.err).toContain(`19 options, 18 priced, 1 not: ${expected.split(" ")[1]} 1`);
  });

  test("an expiry without a forward says why, and what it is called", async () => {
    const text = `${chain}SPX270115C01000000,90,95,0.2\n`;
    const { out } = await run(["chain.csv", "--spot", "1000"], { files: { "chain.csv": text } });
    expect(out).toContain(
      "SPX 2027-01-15 am: 1.0767 years from 2025-12-18T14:30Z\nno forward: too few strikes have a liquid call and a liquid put\n",
    );
    expect(out).toMatch(/call +1000 .* no forward\n/);
  });

  test("with rate and yield given too few strikes are no hindrance", async () => {
    const text = "symbol,bid,ask\nSPX261218C01000000,90,95\n";
    const argv = ["x.csv", "--format", "csv", "--spot", "1000", "--rate", "0.04", "--dividend-yield", "0.01"];
    const { code, out } = await run(argv, { files: { "x.csv": text } });
    expect(code).toBe(0);
    expect(Number(rowsOf(out)[0]!.price)).toBeCloseTo(92.5, 10);
  });

  test("an expired option is worth its payoff, and its status says expired", async () => {
    const text = "symbol,bid,ask,spot\nSPX251217C00900000,90,95,1000\nSPX251217P00900000,1,2,1000\n";
    const { code, out } = await run(["x.csv", "--format", "csv"], { files: { "x.csv": text } });
    expect(code).toBe(0);
    expect(rowsOf(out).map(({ price, delta, status, iv_mid }) => [price, delta, status, iv_mid])).toEqual([
      ["100", "1", "1", ""],
      ["0", "0", "1", ""],
    ]);
  });

  test("expiries, roots and files are kept apart, each with its own forward", async () => {
    const other = quoteLines("SPXW").join("\n");
    const { out } = await run(["chain.csv", "other.csv", "--json", "--spot", "1000"], {
      files: { "chain.csv": chain, "other.csv": `${header}\n${other}\n` },
    });
    const { expiries, options } = JSON.parse(out);
    expect(expiries.map(({ root, settlement }: Row) => `${root} ${settlement}`)).toEqual(["SPX am", "SPXW pm"]);
    expect(expiries[1].time_to_expiry).toBeGreaterThan(1);
    expect(options).toHaveLength(36);
    expect(options[18].underlying).toBe("SPX");
  });

  test("one expiry quoted at two moments is two expiries, each with its own time", async () => {
    const stamped = (moment: string) => quoteLines("SPX").map((line) => `${line},${moment}`);
    const lines = [...stamped("2025-12-18T14:30:00Z"), ...stamped("2026-06-18T14:30:00Z")];
    const { out } = await run(["two.csv", "--json", "--spot", "1000"], {
      files: { "two.csv": `${header},valuation_time\n${lines.join("\n")}\n` },
    });
    const { expiries } = JSON.parse(out);
    expect(expiries.map(({ count, time_to_expiry }: Row) => [count, Number(time_to_expiry).toFixed(3)])).toEqual([
      [18, "1.000"],
      [18, "0.501"],
    ]);
  });

  test("where an option is quoted twice the first quote makes the forward", async () => {
    const alone = JSON.parse((await run(["chain.csv", "--json", "--spot", "1000"])).out);
    const again = `${chain}${chain.split("\n")[1]!.replace(/,[^,]*,[^,]*,/, ",900,901,")}\n`;
    const twice = JSON.parse(
      (await run(["again.csv", "--json", "--spot", "1000"], { files: { "again.csv": again } })).out,
    );
    expect(twice.options).toHaveLength(19);
    expect(twice.expiries[0]).toMatchObject({ forward: alone.expiries[0].forward, strikes_used: 9 });
  });

  test("American options and rates no one would believe are remarked on", async () => {
    const text = chain.replaceAll("SPX", "SPY");
    const american = await run(["chain.csv", "--spot", "1000"], { files: { "chain.csv": text } });
    expect(american.err).toContain("note: options on SPY are American and are priced as European");
    const near = { clock: new ManualClock(clock.nowMicroseconds() + 360n * 86_400_000_000n) };
    const doubtful = await run(["chain.csv", "--spot", "1000"], near);
    expect(doubtful.err).toMatch(/note: SPX 2026-12-18: a rate of \d+\.\d{3} % is hard to believe; give --rate/);
  });

  test("--valuation-time takes the clock's place where the file doesn't say", async () => {
    const argv = ["chain.csv", "--format", "csv", "--valuation-time", "2026-06-18T14:30:00Z"];
    const row = rowsOf((await run(argv)).out)[0]!;
    expect(Number(row.time_to_expiry)).toBeCloseTo(183 / 365, 12);
  });
});

describe("S2.35 bsopt chain, used wrongly", () => {
  test.each([
    [["chain.csv", "--rate", "four"], 2, `argument 'four' is invalid. "four" is not a number.`],
    [["chain.csv", "--rate", "NaN"], 2, "error: --rate must be a finite number"],
    [["chain.csv", "--dividend-yield", "1e999"], 2, "error: --dividend-yield must be a finite number"],
    [["chain.csv", "--spot", "-5"], 2, "error: --spot must be above zero"],
    [["chain.csv", "--volatility", "last"], 2, "Allowed choices are mid, bid, ask, vendor."],
    [["chain.csv", "--format", "xml"], 2, "Allowed choices are table, csv, json, ndjson, arrow."],
    [["chain.csv", "--valuation-time", "2026-06-18"], 2, "must have a time and an offset"],
    [[], 2, "missing required argument 'file'"],
    [["-", "-"], 2, "error: standard input can be read only once"],
    [["chain.csv", "nowhere.csv"], 1, "error: there is no file nowhere.csv"],
    [["prose.txt"], 1, 'error: prose.txt line 1: "Dear reader" begins neither a Cboe quote table'],
    [["rows.json"], 1, "error: rows.json: is JSON; a chain is read from comma-separated text"],
    [["bad.csv"], 1, 'error: bad.csv line 1: the column "bud" is unknown; known columns: symbol,'],
  ] as [string[], number, string][])("%p ends with %d and a sentence", async (argv, code, message) => {
    const outcome = await run(argv, {
      files: {
        ...files,
        "prose.txt": "Dear reader\n",
        "rows.json": '\ufeff\n [\n {"symbol": "x"}]',
        "bad.csv": "symbol,bud\n",
      },
    });
    expect(outcome.err).toContain(message);
    expect(outcome.code).toBe(code as never);
    expect(outcome.out).toBe("");
    expect(outcome.err).not.toContain("    at ");
  });

  test("- is standard input", async () => {
    const { code, out } = await run(["-", "--format", "csv"], { stdin: chain });
    expect(code).toBe(0);
    expect(rowsOf(out)).toHaveLength(18);
  });

  test("hundreds of faults: twenty in words, the rest counted", async () => {
    const text = `${chain}${"NOTHING,1,2,0.2\n".repeat(300)}`;
    const { err } = await run(["chain.csv", "--format", "csv"], { files: { "chain.csv": text } });
    expect(err.split("\n").filter((line) => line.startsWith("chain.csv line"))).toHaveLength(20);
    expect(err).toContain("… and 280 more faults\n");
  });

  test("foreign text in a file can't move the cursor", async () => {
    const { err, out } = await run(["chain.csv"], {
      files: { "chain.csv": `${chain}\u001b[2J\u001b]0;x\u0007,1,2,0.2\n` },
    });
    expect(err + out).not.toContain("\u001b");
    expect(err).not.toContain("\u0007");
  });

  test("whoever stops reading gets no complaint", async () => {
    const { code, err } = await run(["chain.csv", "--format", "csv"], { writesUntilBroken: 0 });
    expect(code).toBe(0);
    expect(err).not.toContain("error");
  });
});
