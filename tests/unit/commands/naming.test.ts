// A book under its own column names: every format, what is read over, and the pairs that are refused.

import { describe, expect, test } from "bun:test";
import { parse } from "csv-parse/sync";
import { defaultOutputs, modelNamed } from "../../../src/engine/catalog";
import { runCommand } from "../../harness/command-line";

const rowsOf = (text: string) => parse(text, { columns: true }) as Record<string, string>[];
const ours =
  "option_type,spot,strike,time_to_expiry,rate,volatility\ncall,100,105,0.5,0.03,0.2\nput,100,95,0.25,0.03,0.3\n";
const theirs = "Side,S0,K,Tau,R,Implied Vol,Note\ncall,100,105,0.5,0.03,0.2,first\nput,100,95,0.25,0.03,0.3,second\n";
const map = "Side=option_type,S0=spot,K=strike,Tau=time_to_expiry,R=rate,Implied Vol=volatility,Note=-";

describe("S4.47 bsopt price --map", () => {
  test("prices a file under its own names to the same digits, and reads over what is mapped to -", async () => {
    const plain = await runCommand(["price", "book.csv", "--format", "csv"], { files: { "book.csv": ours } });
    const mapped = await runCommand(["price", "book.csv", "--format", "csv", "--map", map], {
      files: { "book.csv": theirs },
    });
    expect(mapped.code).toBe(0);
    expect(rowsOf(mapped.out)).toEqual(rowsOf(plain.out));
  });

  test("may be given in several flags, and works for JSON, whose names are taken to the letter", async () => {
    const book = JSON.stringify({
      Side: ["call"],
      K: [105],
      spot: 100,
      time_to_expiry: 0.5,
      rate: 0.03,
      volatility: 0.2,
    });
    const argv = ["price", "book.json", "--format", "json", "--map", "Side=option_type", "--map", "K=strike"];
    const { code, out } = await runCommand(argv, { files: { "book.json": book } });
    expect(code).toBe(0);
    expect(JSON.parse(out).options).toHaveLength(1);
    const lower = await runCommand(["price", "book.json", "--map", "side=option_type,K=strike"], {
      files: { "book.json": book },
    });
    expect(lower.code).toBe(1);
    expect(lower.err).toContain('"Side"');
  });

  test("messages speak of the file's own names", async () => {
    const { err } = await runCommand(["price", "book.csv", "--format", "csv", "--map", map], {
      files: { "book.csv": theirs.replace("105", "a lot") },
    });
    expect(err).toContain("k");
    expect(err).toContain("line 2");
  });

  test.each([
    ["K", "pairs"],
    ["=strike", "pairs"],
    ["K=", "pairs"],
    ["K=stroke", '"stroke" is no column'],
    ["K=strike,X=strike", "strike two columns"],
    ["K=strike,K=spot", '"K" twice'],
    [Array.from({ length: 201 }, (_, index) => `c${index}=-`).join(","), "at most 200"],
  ])("S2.35 %p is wrong usage", async (pairs, words) => {
    const { code, err } = await runCommand(["price", "book.csv", "--map", pairs], { files: { "book.csv": theirs } });
    expect(code).toBe(2);
    expect(err).toContain(words);
  });
});

describe("S4.47 bsopt price --all", () => {
  const book = { files: { "book.csv": ours } };
  const columnsOf = async (...flags: string[]) =>
    Object.keys(rowsOf((await runCommand(["price", "book.csv", "--format", "csv", ...flags], book)).out)[0]!);

  test("adds every output the model has; without it the price and the five first Greeks come", async () => {
    const few = await columnsOf();
    const all = await columnsOf("--all");
    for (const output of defaultOutputs) expect(few).toContain(output);
    for (const output of modelNamed("black_scholes_merton").outputs) {
      expect(all).toContain(output);
      expect(few.includes(output)).toBe(defaultOutputs.includes(output));
    }
  });

  test("S2.35 contradicts --outputs", async () => {
    expect((await runCommand(["price", "book.csv", "--all", "--outputs", "price"], book)).code).toBe(2);
  });
});
