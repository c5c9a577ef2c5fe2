// `bsopt price` and `bsopt iv` as a shell sees them: arguments and files in, text and an exit code out.

import { describe, expect, test } from "bun:test";
import { tableFromIPC } from "@uwdata/flechette";
import { parse } from "csv-parse/sync";
import { type InputName, modelNamed, models } from "../../../src/engine/catalog";
import { sameLists } from "../../../src/engine/lists";
import { ManualClock } from "../../../src/foundation/clock";
import { type Outcome, runCommand, testEngine } from "../../harness/command-line";

const words = (line: string) => line.split(" ").filter((word) => word !== "");
const run = (line: string, surroundings = {}): Promise<Outcome> => runCommand(words(line), surroundings);
const rowsOf = (text: string) => parse(text, { columns: true }) as Record<string, string>[];

const one = "price --spot 100 --strike 105 --days 182 --rate 0.03 --volatility 0.2 --type call";

const expiring = one.replace("--days 182", "--expiry 2026-12-18T16:00:00-05:00");

/** The same option straight from the engine. */
const direct = testEngine().price({
  model: "black_scholes_merton",
  count: 1,
  isCall: true,
  inputs: { spot: 100, strike: 105, time_to_expiry: 182 / 365, rate: 0.03, dividend_yield: 0, volatility: 0.2 },
  outputs: ["price", "delta", "gamma", "vega", "theta", "rho"],
  units: "market",
});

describe("S4.47 bsopt price, one option", () => {
  test("for a person: what was priced, then each output on a line", async () => {
    const { code, out, err } = await run(one);
    expect(code).toBe(0);
    expect(err).toBe("");
    expect(out.split("\n")).toEqual([
      "black_scholes_merton call: time to expiry 0.498630137, spot 100, strike 105, rate 0.03, dividend yield 0, volatility 0.2",
      expect.stringMatching(/^price {3}4\.169066716/),
      expect.stringMatching(/^delta {3}0\.4329227973/),
      expect.stringMatching(/^gamma {3}0\.02784796298/),
      expect.stringMatching(/^vega {4}0\.277716671/),
      expect.stringMatching(/^theta {3}-0\.01847476435/),
      expect.stringMatching(/^rho {5}0\.195080130/),
      "status  ok",
      "",
    ]);
  });

  test("for a machine: the API's answer, to the last bit of the engine's", async () => {
    const { code, out } = await run(`${one} --json`);
    expect(code).toBe(0);
    const { price, greeks, ...rest } = JSON.parse(out);
    expect(price).toBe(direct.columns.price![0]);
    expect(greeks.vega).toBe(direct.columns.vega![0]);
    expect(Object.keys(greeks)).toEqual(["delta", "gamma", "vega", "theta", "rho"]);
    expect(rest).toEqual({
      units: "market",
      status: "ok",
      model: "black_scholes_merton",
      time_to_expiry: 182 / 365,
      engine: { version: "test", wasm_sha256: testEngine().info.wasmSha256 },
    });
  });

  test.each(["csv", "ndjson", "arrow"])("as %s: one row under the API's names", async (format) => {
    const { code, out, outBytes } = await run(`${one} --format ${format}`);
    expect(code).toBe(0);
    const row =
      format === "csv"
        ? rowsOf(out)[0]!
        : format === "ndjson"
          ? JSON.parse(out)
          : (tableFromIPC(outBytes).toArray()[0] as Record<string, unknown>);
    expect(Number(row.price)).toBe(direct.columns.price![0]!);
    expect(row.option_type).toBe("call");
    expect(Number(row.status)).toBe(0);
  });

  test("--outputs and --units: what was asked for, in raw derivatives", async () => {
    const { out } = await run(`${one} --outputs vega --units raw --json`);
    const { greeks, price, units } = JSON.parse(out);
    expect(Object.keys(greeks)).toEqual(["vega"]);
    expect(greeks.vega).toBeCloseTo(direct.columns.vega![0]! * 100, 12);
    expect(price).toBeUndefined();
    expect(units).toBe("raw");
    expect(JSON.parse((await run(`${one} --outputs price --json`)).out).greeks).toEqual({});
  });

  const clock = new ManualClock(1_767_225_600_000_000n); // 2026-01-01T00:00:00Z
  test.each([
    ["--time 0.5", 0.5],
    ["--days 365", 1],
    ["--expiry 2027-01-01T00:00:00Z", 1],
    ["--expiry 2027-01-01T05:00:00+05:00 --valuation-time 2026-01-01T00:00:00Z", 1],
    ["--expiry 2026-12-27T00:00:00Z --day-count act/360", 1],
    ["--expiry 2026-07-02T12:00:00-05:00 --valuation-time 2026-07-02T11:00:00-05:00", 1 / 8760],
    ["--expiry 2026-07-01T12:00:00Z --day-count 30/360", 0.5],
    ["--expiry 2026-07-01T12:00:00Z --day-count act/act_isda", 181 / 365],
    ["--expiry 2026-01-12T12:00:00Z --day-count business/252", 6 / 252],
    ["--expiry 2026-01-12T12:00:00Z --day-count business/252 --calendar cboe", 6 / 252],
  ])("the time %s is %d years", async (time, years) => {
    const { code, out } = await run(`${one.replace("--days 182", time)} --json`, { clock });
    expect(code).toBe(0);
    const answer = JSON.parse(out);
    expect(answer.time_to_expiry).toBe(years);
    if (time.startsWith("--expiry")) expect(answer.valuation_time).toMatch(/^2026-0[17]-0[12]T\d\d:00:00\.000000Z$/);
    else expect(answer.valuation_time).toBeUndefined();
  });

  test.each([
    ["--spot -100", "out_of_domain", 3],
    ["--spot NaN", "non_finite", 3],
    ["--spot 1e999", "non_finite", 3],
    ["--strike -1", "out_of_domain", 3],
    ["--volatility -0.2", "out_of_domain", 3],
    ["--days 0", "expired", 0],
    ["--days -1", "expired", 0],
    ["--volatility 0", "zero_volatility", 0],
    ["--spot 0", "zero_underlying", 0],
    ["--rate -0.02", "ok", 0],
  ])("S2.35 with %s the status is %s and the exit code %d", async (change, status, code) => {
    const flag = change.split(" ")[0]!;
    const line = one.replace(new RegExp(`${flag} \\S+`), change);
    const table = await run(line);
    expect(table.out).toContain(`status  ${status}\n`);
    const json = await run(`${line} --json`);
    expect([json.code, table.code]).toEqual([code as never, code as never]);
    const answer = JSON.parse(json.out);
    expect(answer.status).toBe(status);
    expect(answer.price === null).toBe(code === 3);
  });

  test.each([
    ["price --spot 100 --strike 105", "missing --rate, --volatility, --type, --days (or --time, or --expiry)"],
    [`${one} --time 1`, "give only one of --time, --days and --expiry"],
    [`${one} --day-count act/360`, "--day-count means something only with an expiry"],
    [`${one} --calendar cboe`, "--calendar means something only with an expiry"],
    [`${one} --calendars own.toml`, "--calendars means something only with an expiry"],
    [`${expiring} --calendar cboe`, "--calendar means something only with --day-count business/252"],
    [`${expiring} --day-count 30/360 --calendars own.toml`, "--calendars means something only with --day-count"],
    [
      `${expiring} --day-count 30/365`,
      "argument '30/365' is invalid. Allowed choices are act/365f, act/360, act/act_isda,",
    ],
    [`${expiring} --day-count business/252 --calendar mars`, '"mars" is no calendar known here; known: cboe, new_york'],
    [
      `${expiring.replace("2026-12", "2226-12")} --day-count business/252`,
      "--expiry falls on a day outside 1990-01-01 to 2199-12-31, which is all that the calendar new_york knows",
    ],
    [`${one} --valuation-time 2026-01-01T00:00:00Z`, "--valuation-time means something only with an expiry"],
    [one.replace("100", "abc"), `option '--spot <number>' argument 'abc' is invalid. "abc" is not a number.`],
    [one.replace("100", "1,000"), '"1,000" is not a number.'],
    [
      one.replace("call", "straddle"),
      "option '--type <type>' argument 'straddle' is invalid. Allowed choices are call, put.",
    ],
    [one.replace("--days 182", "--expiry 2026-12-18"), '"2026-12-18" must have a time and an offset'],
    [
      `${one} --outputs price,prise`,
      '"prise" is no output; known: price, delta, gamma, vega, theta, rho, dividend_rho, vanna,',
    ],
    [`${one} --outputs price,price`, "An output is named twice."],
    [`${one} --model black`, "argument 'black' is invalid"],
    [`${one} --json --format csv`, "--json contradicts --format csv"],
    [`${one} --volatiliti 2`, "unknown option '--volatiliti'"],
    ["prise", "unknown command 'prise'"],
    [`${one} a.csv b.csv`, "too many arguments"],
  ])("S2.35 wrong usage is exit code 2 and a sentence: %s", async (line, message) => {
    const { code, out, err } = await run(line);
    expect(code).toBe(2);
    expect(out).toBe("");
    expect(err).toContain(message);
    expect(err).not.toContain("    at ");
  });

  test("--help tells what a flag means to each model where that differs, once where it does not", async () => {
    const help = (await run("price --help")).out.replace(/\s+/g, " ");
    expect(help).toContain("default 200); monte_carlo: Dates at which an American option may be exercised");
    expect(help).toContain("(per square root of a year); bachelier: Volatility of the forward's own changes");
    expect(help.split("Interest rate, continuously compounded").length).toBe(2);
    expect(help).toMatch(/--barrier-type <word> .*choices: "none", "down_in"/);
  });

  test("--help is no error and names every flag", async () => {
    const { code, out, err } = await run("price --help");
    expect(code).toBe(0);
    expect(err).toBe("");
    for (const flag of [
      "--spot",
      "--strike",
      "--rate",
      "--dividend-yield",
      "--volatility",
      "--type",
      "--days",
      "--expiry",
    ])
      expect(out).toContain(flag);
  });

  test("-o writes into a file, and its ending names the format", async () => {
    const { code, out, written } = await runCommand([...words(one), "-o", "answer.json"]);
    expect(code).toBe(0);
    expect(out).toBe("");
    expect(JSON.parse(Buffer.from(written.get("answer.json")!).toString()).price).toBe(direct.columns.price![0]);
  });
});

const book = `id,option_type,spot,strike,time_to_expiry,rate,volatility
=a,call,100,105,0.5,0.03,0.2
b,put,-100,105,0.5,0.03,0.2
c,putt,100,105,0.5,0.03,0.2
d,put,100,NaN,0.5,0.03,0.2
e,put,100,x,0.5,0.03,0.2
f,put,100,1,0.5
g,put,100,105,0,0.03,0.2
h,call,1e999,105,0.5,0.03,0.2
i,put,100,105,0.5,0.03,0.2
`;

describe("S1.04 bsopt price, a book", () => {
  test("one row out for each row in, in their order; a bad row spoils no other and says why", async () => {
    const { code, out, err } = await run("price book.csv", { files: { "book.csv": book } });
    expect(code).toBe(3);
    const rows = rowsOf(out);
    expect(rows.map(({ id, status, reason }) => [id, status, reason].join(" "))).toEqual([
      "'=a 0 ",
      "b 21 out_of_domain",
      "c 20 unreadable_row",
      "d 20 non_finite",
      "e 20 unreadable_row",
      " 20 unreadable_row",
      "g 1 ",
      "h 20 non_finite",
      "i 0 ",
    ]);
    expect(rows.map(({ price }) => price === "")).toEqual([false, true, true, true, true, true, false, true, false]);
    expect(err.split("\n")).toEqual([
      'book.csv line 4, option_type: "putt" is neither call nor put',
      'book.csv line 6, strike: "x" is not a number',
      "book.csv line 7: has 5 fields where the header has 7",
      "",
    ]);
    expect(out.split("\n")[0]).toBe(
      "id,option_type,spot,strike,time_to_expiry,rate,volatility,price,delta,gamma,vega,theta,rho,status,reason",
    );
  });

  const good = `option_type,strike,volatility\n${Array.from({ length: 50 }, (_, index) => `${index % 2 ? "call" : "put"},${80 + index},0.${10 + index}`).join("\n")}\n`;
  const flags = "--spot 100 --rate 0.03 --days 182";

  test("what columns leave out, flags give to every row; the numbers are the engine's own", async () => {
    const { code, out } = await run(`price book.csv ${flags}`, { files: { "book.csv": good } });
    expect(code).toBe(0);
    const rows = rowsOf(out);
    const given = rowsOf(good);
    const { columns } = testEngine().price({
      model: "black_scholes_merton",
      count: 50,
      isCall: Uint8Array.from(given, (row) => (row.option_type === "call" ? 1 : 0)),
      inputs: {
        spot: 100,
        strike: Float64Array.from(given, (row) => Number(row.strike)),
        time_to_expiry: 182 / 365,
        rate: 0.03,
        volatility: Float64Array.from(given, (row) => Number(row.volatility)),
      },
      outputs: ["price", "theta"],
      units: "market",
    });
    expect(rows.map((row) => Number(row.price))).toEqual([...columns.price!]);
    expect(rows.map((row) => Number(row.theta))).toEqual([...columns.theta!]);
  });

  test.each(["csv", "json", "ndjson", "arrow"])(
    "into %s and out of it again the book stays the same",
    async (format) => {
      const first = await run(`price book.csv ${flags} -o x.${format}`, { files: { "book.csv": good } });
      expect(first.code).toBe(0);
      const bytes = first.written.get(`x.${format}`)!;
      const prices = (await run(`price book.csv ${flags}`, { files: { "book.csv": good } })).out;
      const expected = rowsOf(prices).map((row) => Number(row.price));
      const back =
        format === "csv"
          ? rowsOf(Buffer.from(bytes).toString()).map((row) => Number(row.price))
          : format === "json"
            ? JSON.parse(Buffer.from(bytes).toString()).options.map((row: { price: number }) => row.price)
            : format === "ndjson"
              ? Buffer.from(bytes)
                  .toString()
                  .trim()
                  .split("\n")
                  .map((line) => JSON.parse(line).price)
              : [...tableFromIPC(bytes).getChild("price")!.toArray()];
      expect(back).toEqual(expected);
    },
  );

  test("every format is read: the same book as json, ndjson and arrow gives the same prices", async () => {
    const expected = rowsOf((await run(`price book.csv ${flags}`, { files: { "book.csv": good } })).out);
    const rows = rowsOf(good).map((row) => ({
      ...row,
      strike: Number(row.strike),
      volatility: Number(row.volatility),
    }));
    const files = {
      "b.json": JSON.stringify(rows),
      "b.ndjson": rows.map((row) => JSON.stringify(row)).join("\n"),
    };
    for (const name of Object.keys(files)) {
      const { out } = await run(`price ${name} ${flags} --format csv`, { files });
      expect(rowsOf(out).map((row) => row.price)).toEqual(expected.map((row) => row.price));
    }
    const piped = await run(`price - ${flags} --input-format ndjson --format csv`, { stdin: files["b.ndjson"] });
    expect(rowsOf(piped.out).map((row) => row.price)).toEqual(expected.map((row) => row.price));
  });

  test("- is standard input and output, csv unless told otherwise", async () => {
    const { code, out } = await run(`price - ${flags} -o -`, { stdin: good });
    expect(code).toBe(0);
    expect(rowsOf(out)).toHaveLength(50);
  });

  test("--format table is for a person: aligned and within the screen", async () => {
    const { out } = await run("price book.csv --format table", { files: { "book.csv": book }, columns: 70 });
    const lines = out.trimEnd().split("\n");
    expect(lines).toHaveLength(11);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(70);
    expect(lines[2]).toStartWith("=a");
    expect(lines[3]).toEndWith("out_of_domain");
  });

  test("--format table on a narrow screen keeps what was computed, leaves inputs out first and names them", async () => {
    const text = `option_type,spot,strike,time_to_expiry,rate,dividend_yield,volatility\ncall,100,105,0.5,0.03,0.01,0.2\n`;
    const narrow = await run("price book.csv --format table", { files: { "book.csv": text }, columns: 80 });
    const names = narrow.out.split("\n")[0]!.split(/ {2,}/);
    expect(names).toEqual(["option type", "strike", "price", "delta", "gamma", "status", "reason"]);
    expect(narrow.err).toBe(
      "note: left out for want of width: volatility, dividend yield, rate, time to expiry, spot, rho, theta, vega (--format csv has all)\n",
    );
    const wide = await run("price book.csv --format table", { files: { "book.csv": text }, columns: 200 });
    expect(wide.out).toContain("dividend yield");
    expect(wide.err).toBe("");
  });

  test("expiries become times row by row, and what is no moment says so", async () => {
    const text = `option_type,expiry,valuation_time
call,2026-12-18T16:00:00-05:00,2025-12-18T16:00:00-05:00
call,2026-12-18,2025-12-18T16:00:00-05:00
call,2026-12-18T16:00:00-05:00,never
call,,
call,2027-01-01T00:00:00Z,
`;
    const clock = new ManualClock(1_767_225_600_000_000n);
    const line = "price x.csv --spot 100 --strike 100 --rate 0 --volatility 0.2 --outputs price";
    const { code, out, err } = await run(line, { files: { "x.csv": text }, clock });
    expect(code).toBe(3);
    const rows = rowsOf(out);
    expect(rows.map(({ reason }) => reason)).toEqual(["", "unreadable_row", "unreadable_row", "unreadable_row", ""]);
    expect(rows[0]!.price).toBe(rows[4]!.price!);
    expect(err).toContain('x.csv line 3, expiry: "2026-12-18" must have a time and an offset');
    expect(err).toContain('x.csv line 4, valuation_time: "never" must be an RFC 3339 date and time');
    expect(err).toContain('x.csv line 5, expiry: "" must be');
  });

  test("--day-count says how a column of expiries becomes years", async () => {
    const files = { "x.csv": "option_type,expiry\ncall,2026-12-27T00:00:00Z\n", "y.csv": "option_type\ncall\n" };
    const flags = "--spot 100 --strike 100 --rate 0 --volatility 0.2 --outputs price --format csv";
    const price = async (line: string) => rowsOf((await run(`${line} ${flags}`, { files })).out)[0]!.price;
    const counted = await price("price x.csv --valuation-time 2026-01-01T00:00:00Z --day-count act/360");
    expect(counted).toBe(await price("price y.csv --time 1"));
  });

  describe("S4.47 S5.10 calendars of one's own", () => {
    const own = `[own]
weekend = ["friday", "saturday"]
holidays = [2026-01-05]
`;
    const clock = new ManualClock(1_767_225_600_000_000n); // 2026-01-01T00:00:00Z, a Thursday
    const line = `${one.replace("--days 182", "--expiry 2026-01-08T00:00:00Z")} --day-count business/252 --json`;
    const files = {
      "own.toml": own,
      "own.JSON": JSON.stringify(Bun.TOML.parse(own)),
      "bsopt.toml": "calendars = 'own.toml'",
      "wrong.toml": "[own]\nholidays = ['x']\n[two]\n",
      "torn.toml": "[own",
      "torn.json": "{",
      "long.toml": "#".repeat(4_194_305),
    };
    // Thursday, Sunday, Tuesday, Wednesday.
    test.each([
      ["--calendar own --calendars own.toml", {}],
      ["--calendar own --calendars own.JSON", {}],
      ["--calendar own", { BSOPT_CALENDARS: "own.JSON" }],
      ["--calendar own", {}],
    ])("%s with %p are read from their file", async (flags, environment) => {
      const { code, out, err } = await run(`${line} ${flags}`, { clock, files, environment });
      expect(err).toBe("");
      expect(code).toBe(0);
      expect(JSON.parse(out).time_to_expiry).toBe(4 / 252);
    });

    test("a file beside built-in calendars takes nothing from them", async () => {
      const { out } = await run(`${line} --calendars own.toml --calendar cboe`, { clock, files });
      expect(JSON.parse(out).time_to_expiry).toBe(4 / 252);
      const { err, code } = await run(`${line} --calendars own.toml --calendar mars`, { clock, files });
      expect(err).toContain('"mars" is no calendar known here; known: cboe, new_york, own');
      expect(code).toBe(2);
    });

    test.each([
      ["wrong.toml", 2, "error: wrong.toml holds 2 wrong calendar entries:\n  own/holidays/0 must be a day such as"],
      ["torn.toml", 2, "error: torn.toml must be valid TOML"],
      ["torn.json", 2, "error: torn.json must be valid JSON"],
      ["long.toml", 2, "error: long.toml is larger than 4194304 bytes"],
      ["none.toml", 1, "error: there is no file none.toml"],
    ])("%s ends with %d and a sentence", async (file, code, message) => {
      const outcome = await run(`${line} --calendar own --calendars ${file}`, { clock, files });
      expect(outcome.err).toContain(message);
      expect(outcome.code).toBe(code as never);
      expect(outcome.out).toBe("");
    });

    test("a book's rows are counted each, and one that the calendar does not know is unreadable", async () => {
      const text =
        "option_type,expiry\ncall,2026-01-08T00:00:00Z\ncall,2027-01-08T00:00:00Z\ncall,2026-01-08T00:00:00Z\n";
      const book = "price x.csv --spot 100 --strike 100 --rate 0 --volatility 0.2 --outputs price";
      const counted = `${book} --day-count business/252 --calendar own --calendars own.toml`;
      const { code, out, err } = await run(counted, { clock, files: { ...files, "x.csv": text } });
      expect(code).toBe(3);
      const rows = rowsOf(out);
      expect(rows.map(({ reason }) => reason)).toEqual(["", "unreadable_row", ""]);
      expect(rows[2]!.price).toBe(rows[0]!.price!);
      expect(err).toBe(
        "x.csv line 3, expiry: falls on a day outside 2026-01-01 to 2026-12-31, which is all that the calendar own knows\n",
      );
    });
  });

  test("one --expiry for a book is counted from each row's own valuation_time", async () => {
    const text = `option_type,valuation_time\ncall,2025-12-18T21:00:00Z\ncall,2026-06-18T21:00:00Z\n`;
    const line =
      "price x.csv --spot 100 --strike 100 --rate 0 --volatility 0.2 --expiry 2026-12-18T21:00:00Z --outputs";
    const { code, out } = await run(`${line} price`, { files: { "x.csv": text } });
    expect(code).toBe(0);
    const single = async (days: number) =>
      JSON.parse(
        (await run(`${one.replace("--days 182", `--days ${days}`).replace("105", "100").replace("0.03", "0")} --json`))
          .out,
      );
    expect(rowsOf(out).map(({ price }) => Number(price))).toEqual([
      (await single(365)).price,
      (await single(183)).price,
    ]);
  });

  test("hundreds of faults: twenty in words, the rest counted", async () => {
    const text = `option_type\n${"x\n".repeat(500)}`;
    const { err } = await run("price x.csv --spot 1 --strike 1 --rate 0 --volatility 1 --days 1", {
      files: { "x.csv": text },
    });
    const lines = err.trimEnd().split("\n");
    expect(lines).toHaveLength(21);
    expect(lines[20]).toBe("… and 480 more faults");
  });

  test("more rows than one slice come back whole and in order", async () => {
    const count = 70_000;
    const strikes = Array.from({ length: count }, (_, index) => 50 + (index % 100));
    const files = { "x.json": JSON.stringify({ option_type: "put", strike: strikes }) };
    const { code, out } = await run(`price x.json ${flags} --volatility 0.2 --outputs price --format csv`, { files });
    expect(code).toBe(0);
    const rows = rowsOf(out);
    expect(rows).toHaveLength(count);
    expect(rows[65_536]!.strike).toBe(String(strikes[65_536]));
    expect(rows[65_536]!.price).toBe(rows[36]!.price!);
  });

  test.each([
    ["price nowhere.csv", 1, "error: there is no file nowhere.csv"],
    [
      "price x.csv --spot 1 --strike 1 --days 1",
      2,
      "error: spot is a column of x.csv and given as a flag; one of them must go",
    ],
    ["price x.csv --type put", 2, "error: option_type is a column of x.csv and given as a flag; one of them must go"],
    ["price x.csv", 2, "error: time_to_expiry and expiry are neither columns of x.csv nor given as flags"],
    ["price x.csv --days 1", 2, "error: strike is neither a column of x.csv nor given as --strike"],
    ["price y.csv --days 1", 2, "error: option_type is neither a column of y.csv nor given as --type"],
    ["price z.csv --days 1 --type put", 2, "error: the time to expiry is given twice"],
    [
      "price v.csv --valuation-time 2026-01-01T00:00:00Z --type put",
      2,
      "error: valuation_time is a column of v.csv and given as a flag",
    ],
    ["price empty.csv --days 1 --type put", 1, "error: empty.csv: holds no option"],
    [
      "price v.csv --type put --calendar cboe",
      2,
      "error: --calendar means something only with --day-count business/252",
    ],
    ["price x.csv --days 1 --day-count act/360", 2, "error: --day-count means something only with an expiry"],
    ["price t.csv --day-count act/360 --type put", 2, "error: --day-count means something only with an expiry"],
    [
      "price t.csv --valuation-time 2026-01-01T00:00:00Z --type put",
      2,
      "error: --valuation-time means something only with an expiry",
    ],
    [
      "price u.csv --days 1 --type put",
      2,
      "error: valuation_time, a column of u.csv, means something only with an expiry",
    ],
    [
      "price bad.csv",
      1,
      'error: bad.csv line 1: the column "sopt" is unknown; known columns: id, symbol, option_type, spot,',
    ],
    ["price torn.csv", 1, "error: torn.csv line 2: a quotation mark stands inside a field"],
    ["iv x.csv --days 1", 2, "error: strike is neither a column of x.csv nor given as --strike"],
    ["iv vol.csv --days 1", 1, 'error: vol.csv line 1: the column "volatility" is unknown'],
  ])("S2.35 %s ends with %d and a sentence", async (line, code, message) => {
    const files = {
      "x.csv": "spot,option_type\n1,call\n",
      "y.csv": "spot\n1\n",
      "z.csv": "spot,time_to_expiry\n1,1\n",
      "v.csv": "expiry,valuation_time\n2026-01-01T00:00:00Z,2026-01-01T00:00:00Z\n",
      "t.csv": "spot,time_to_expiry\n1,1\n",
      "u.csv": "spot,valuation_time\n1,2026-01-01T00:00:00Z\n",
      "empty.csv": "spot\n",
      "bad.csv": "sopt\n1\n",
      "torn.csv": 'spot\n1"2,3\n',
      "vol.csv": "volatility\n1\n",
    };
    const outcome = await run(line, { files });
    expect(outcome.err).toContain(message);
    expect(outcome.code).toBe(code as never);
    expect(outcome.out).toBe("");
    expect(outcome.err).not.toContain("    at ");
  });
});

describe("help", () => {
  /** Columns of a book: what every model takes or only some do, each once, in the catalog's order; times last. */
  const columnsOf = (task: "price" | "iv") => {
    const offered = models.filter((model) => task === "price" || model.impliedVolatility);
    const own = offered.flatMap((model) => model.inputs);
    const lists = new Set(offered.flatMap((model) => (model.lists ?? []).map(({ name }) => name)));
    const names = own.map(({ name }) => (task === "iv" && name === "volatility" ? "price" : name));
    const others = [...new Set(names)].filter((name) => name !== "time_to_expiry");
    return ["id", "symbol", "option_type", ...others, ...lists, "time_to_expiry", "expiry", "valuation_time"];
  };

  test.each(["price", "iv"] as const)(
    "of %s names every column of a book, and the reader takes those of the model",
    async (command) => {
      const columns = columnsOf(command);
      expect(columns).toContain(command === "price" ? "volatility" : "price");
      const { code, out } = await run(`${command} --help`);
      expect(code).toBe(0);
      expect(out.replaceAll(/\s+/g, " ")).toContain(`columns: ${columns.join(", ")};`);
      const { err } = await run(`${command} x.csv`, { files: { "x.csv": "nonsense\n1\n" } });
      const taken = modelNamed("black_scholes_merton").inputs.map(({ name }) => name);
      const ofOthers = models
        .flatMap(({ inputs, lists = [] }) => [...inputs, ...lists].map(({ name }) => name as string))
        .filter((name) => !taken.includes(name as InputName));
      const known = columns.filter((column) => !ofOthers.includes(column));
      expect(err).toContain(`known columns: ${known.join(", ")}\n`);
    },
  );
});

describe("S4.47 bsopt iv", () => {
  const line = "iv --price 4.169066716566313 --spot 100 --strike 105 --days 182 --rate 0.03 --type call";

  test("finds the volatility that price was given", async () => {
    const { code, out } = await run(`${line} --json`);
    expect(code).toBe(0);
    const answer = JSON.parse(out);
    // The price is known to 1e-15 · strike; vega is 28 per unit of volatility.
    expect(Math.abs(answer.implied_volatility - 0.2)).toBeLessThan(
      (1e-15 * 105) / 27 + 6 * 0.2 * answer.attainable_error,
    );
    expect(answer).toMatchObject({ status: "ok", model: "black_scholes_merton" });
    expect(answer.units).toBeUndefined();
  });

  test("for a person", async () => {
    const { out } = await run(line);
    expect(out).toMatch(/\nimplied_volatility {2}0\.2\n/);
    expect(out).toMatch(/\nstatus {14}ok\n/);
  });

  test.each([
    ["0", "below_intrinsic"],
    ["-1", "below_intrinsic"],
    ["101", "above_maximum"],
    ["NaN", "non_finite"],
  ])("the price %s has none: %s, exit code 3", async (price, status) => {
    const { code, out } = await run(`${line.replace("4.169066716566313", price)} --json`);
    expect(code).toBe(3);
    expect(JSON.parse(out)).toMatchObject({ status, implied_volatility: null });
  });

  test("--on-unattainable zero gives zero below intrinsic value, and still says so", async () => {
    const { code, out } = await run(`${line.replace("4.169066716566313", "0")} --on-unattainable zero --json`);
    expect(code).toBe(3);
    expect(JSON.parse(out)).toMatchObject({ status: "below_intrinsic", implied_volatility: 0 });
  });

  test("a book with one price that no volatility gives: exit code 3, the others solved", async () => {
    const text = "option_type,price\ncall,4.2\ncall,0\ncall,101\n";
    const flags = "--spot 100 --strike 105 --rate 0.03 --days 182";
    const { code, out } = await run(`iv x.csv ${flags}`, { files: { "x.csv": text } });
    expect(rowsOf(out).map(({ reason }) => reason)).toEqual(["", "below_intrinsic", "above_maximum"]);
    expect(code).toBe(3);
    for (const price of [0, 101])
      expect((await run(`iv x.csv ${flags}`, { files: { "x.csv": `option_type,price\ncall,${price}\n` } })).code).toBe(
        3,
      );
  });

  test("a book's prices become its volatilities", async () => {
    const volatilities = [0.1, 0.25, 0.4, 0.8];
    const strikes = [90, 100, 110, 150];
    const text = `option_type,strike,volatility\n${volatilities.map((volatility, index) => `call,${strikes[index]},${volatility}`).join("\n")}\n`;
    const flags = "--spot 100 --rate 0.03 --days 182";
    const priced = rowsOf((await run(`price x.csv ${flags} --outputs price`, { files: { "x.csv": text } })).out);
    const prices = `id,option_type,strike,price\n${priced.map((row, index) => `r${index},call,${row.strike},${row.price}`).join("\n")}\n`;
    const { code, out } = await run(`iv p.csv ${flags}`, { files: { "p.csv": prices } });
    expect(code).toBe(0);
    expect(out.split("\n")[0]).toBe("id,option_type,strike,price,implied_volatility,attainable_error,status,reason");
    rowsOf(out).forEach((row, index) => {
      expect(row.id).toBe(`r${index}`);
      // The deepest of them has a vega of 1.5 per unit of volatility, the price an error of 1e-15 · strike.
      expect(Math.abs(Number(row.implied_volatility) - volatilities[index]!)).toBeLessThan(2e-13);
    });
  });
});

describe("S4.47 bsopt price and iv with dividends", () => {
  const american =
    "price --model american --type put --spot 100 --strike 105 --rate 0.05 --volatility 0.3 --outputs price,delta";
  const asked = { spot: 100, strike: 105, time_to_expiry: 1, rate: 0.05, volatility: 0.3 };
  const expected = (dividends: readonly number[], time = 1) =>
    testEngine().price({
      model: "american",
      count: 1,
      isCall: false,
      inputs: { ...asked, time_to_expiry: time },
      lists: { discrete_dividends: sameLists(dividends) },
      outputs: ["price", "delta"],
      units: "market",
    }).columns;

  test("take them from a flag by years or by dates, in any order", async () => {
    const byYears = await run(`${american} --time 1 --discrete-dividends 0.5:2;0.25:1 --json`);
    expect(byYears.code).toBe(0);
    expect(JSON.parse(byYears.out).price).toBe(expected([0.25, 1, 0.5, 2]).price![0]);
    const dated = `${american} --expiry 2027-01-01T00:00:00Z --valuation-time 2026-01-01T00:00:00Z`;
    const byDate = await run(`${dated} --discrete-dividends 2026-07-02T12:00:00Z:2 --json`);
    expect(JSON.parse(byDate.out).price).toBe(expected([0.5, 2]).price![0]);
  });

  test("show what they were given", async () => {
    const { out } = await run(`${american} --time 1 --discrete-dividends 0.5:2;0.75:1`);
    expect(out).toContain("discrete dividends 0.5:2;0.75:1");
    const csv = await run(`${american} --time 1 --discrete-dividends 0.5:2 --format csv`);
    expect(rowsOf(csv.out)[0]).toMatchObject({ discrete_dividends: "0.5:2", status: "0" });
  });

  test.each([
    ["a word", "--time 1 --discrete-dividends soon", "is not valid|must be time:amount"],
    [
      "a date without an expiry",
      "--time 1 --discrete-dividends 2026-07-02T12:00:00Z:2",
      "means something only with an expiry",
    ],
    ["a bare date", "--expiry 2027-01-01T00:00:00Z --discrete-dividends 2026-07-02:2", "item 1, date"],
  ])("refuse %s", async (_, flags, message) => {
    const { code, err } = await run(`${american} ${flags}`);
    expect(code).toBe(2);
    expect(err).toMatch(new RegExp(message));
  });

  test("refuse them for a model that has none", async () => {
    const { code, err } = await run(`${one} --discrete-dividends 0.5:2`);
    expect(code).toBe(2);
    expect(err).toContain("--discrete-dividends is no input of black_scholes_merton");
  });

  const flags = "--model american --type put --spot 100 --strike 105 --rate 0.05 --volatility 0.3 --outputs price";

  test("read them from a book, each row's own; a row that cannot be read spoils no other", async () => {
    const book = "time_to_expiry,discrete_dividends\n1,0.5:2;0.25:1\n1,\n1,soon\n0.5,0.25:1\n";
    const { code, out, err } = await run(`price book.csv ${flags} --format csv`, { files: { "book.csv": book } });
    expect(code).toBe(3);
    const rows = rowsOf(out);
    expect(rows.map(({ price }) => Number(price))).toEqual([
      expected([0.25, 1, 0.5, 2]).price![0]!,
      expected([]).price![0]!,
      0,
      expected([0.25, 1], 0.5).price![0]!,
    ]);
    expect(rows.map(({ time_to_expiry: time }) => time)).toEqual(["1", "1", "1", "0.5"]);
    expect(rows[2]).toMatchObject({ price: "", reason: "unreadable_row" });
    expect(err).toContain("line 4, discrete_dividends");
  });

  test("count a book's dates by each row's valuation, and find volatilities with them", async () => {
    const book = [
      "expiry,valuation_time,discrete_dividends",
      "2027-01-01T00:00:00Z,2026-01-01T00:00:00Z,2026-07-02T12:00:00Z:2",
      "2027-01-01T00:00:00Z,2026-07-02T12:00:00Z,2026-10-01T18:00:00Z:2",
    ].join("\n");
    const { out } = await run(`price book.csv ${flags} --format csv`, { files: { "book.csv": book } });
    const prices = rowsOf(out).map(({ price }) => Number(price));
    expect(prices).toEqual([expected([0.5, 2]).price![0]!, expected([0.25, 2], 0.5).price![0]!]);
    const inverse = flags.replace("--volatility 0.3 --outputs price", `--price ${prices[0]} --time 1`);
    const solved = await run(`iv ${inverse} --discrete-dividends 0.5:2 --json`);
    expect(JSON.parse(solved.out).implied_volatility).toBeCloseTo(0.3, 9);
  });

  test("take one list for all rows of a book from a flag, and refuse both", async () => {
    const book = "time_to_expiry\n1\n0.5\n";
    const { out } = await run(`price book.csv ${flags} --discrete-dividends 0.25:1 --format csv`, {
      files: { "book.csv": book },
    });
    expect(rowsOf(out).map(({ price }) => Number(price))).toEqual([
      expected([0.25, 1]).price![0]!,
      expected([0.25, 1], 0.5).price![0]!,
    ]);
    const both = "time_to_expiry,discrete_dividends\n1,0.5:2\n";
    const refused = await run(`price book.csv ${flags} --discrete-dividends 0.25:1`, { files: { "book.csv": both } });
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining("one of them must go")]);
  });
});
