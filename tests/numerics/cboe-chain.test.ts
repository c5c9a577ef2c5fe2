// A real chain: eleven quote tables of S&P 500 index options as Cboe's site gave them on 2025-10-01, after the close. What
// must come out is stated here in numbers; what the comparison with Cboe's own deltas can and can't show is told in
// docs/guides/chain.md.

import { describe, expect, test } from "bun:test";
import { parse } from "csv-parse/sync";
import { readChainFile } from "../../src/adapters/feeds/chain-file";
import { fileLimits } from "../../src/adapters/tabular/table";
import { runCommand } from "../harness/command-line";
import { marketData } from "../harness/market-data";

const files = marketData("cboe-spx-2025-10-01");
const names = Object.keys(files ?? {});

type Row = Readonly<Record<string, string>>;
const rowsOf = (text: string) => parse(text, { columns: true }) as Row[];

async function* once(text: string) {
  yield Buffer.from(text);
}

/** Cboe's printed deltas by symbol. */
async function printedDeltas(): Promise<Map<string, number>> {
  const deltas = new Map<string, number>();
  for (const [name, text] of Object.entries(files!)) {
    const file = await readChainFile(once(text), name, fileLimits, { asOf: 0n, spot: Number.NaN });
    expect(file.faultCount).toBe(0);
    for (const row of file.rows) deltas.set(row.contract!.symbol, row.vendorDelta);
  }
  return deltas;
}

describe.skipIf(files === null)("S4.47 eleven real quote tables", () => {
  test("1,900 options and more are priced, the rest say why, and the exit code is 3", async () => {
    const { code, out, err } = await runCommand(["chain", ...names, "--format", "csv"], { files: files! });
    const rows = rowsOf(out);
    expect(rows).toHaveLength(1976);
    const priced = rows.filter((row) => row.price !== "");
    expect(priced.length).toBeGreaterThanOrEqual(1900);
    expect(priced.every((row) => row.status === "0" && row.reason === "" && row.delta !== "")).toBeTrue();
    const unpriced = rows.filter((row) => row.price === "");
    expect(new Set(unpriced.map((row) => `${row.status} ${row.reason}`))).toEqual(new Set(["10 below_intrinsic"]));
    expect(code).toBe(3);
    expect(err).toContain(`1976 options, ${priced.length} priced`);
  });

  test("priced at the middle, an option is worth its middle again", async () => {
    const { out } = await runCommand(["chain", ...names, "--format", "csv"], { files: files! });
    let worst = 0;
    for (const { mid, price } of rowsOf(out))
      if (price !== "") worst = Math.max(worst, Math.abs(Number(price) - Number(mid)));
    // 1e-15 · max(spot, strike) of the price and as much of the volatility.
    expect(worst).toBeLessThan(5e-11);
  });

  test("bid, middle and ask volatilities come in that order", async () => {
    const { out } = await runCommand(["chain", ...names, "--format", "csv"], { files: files! });
    let seen = 0;
    for (const { iv_bid, iv_mid, iv_ask } of rowsOf(out)) {
      if (iv_bid === "" || iv_mid === "" || iv_ask === "") continue;
      seen += 1;
      expect(Number(iv_bid)).toBeLessThanOrEqual(Number(iv_mid));
      expect(Number(iv_mid)).toBeLessThanOrEqual(Number(iv_ask));
    }
    expect(seen).toBeGreaterThan(1800);
  });

  test("thirteen expiries, each with a parity forward; rates lie between 3.7 and 4.2 % to the printed tenth", async () => {
    const { out } = await runCommand(["chain", ...names, "--json"], { files: files! });
    const { expiries } = JSON.parse(out) as { expiries: Record<string, number & string>[] };
    expect(expiries).toHaveLength(13);
    for (const each of expiries) {
      const { root, expiry, rate, forward, discount, time_to_expiry, source, strikes_used } = each;
      const { forward_error, rate_error, quality } = each;
      const name = `${root} ${expiry}`;
      expect(`${name} ${source}`).toBe(`${name} parity`);
      const tenths = Math.round(Number(rate) * 1000);
      expect(tenths).toBeGreaterThanOrEqual(37);
      expect(tenths).toBeLessThanOrEqual(42);
      expect(strikes_used).toBeGreaterThanOrEqual(20);
      expect(Number(discount)).toBeCloseTo(Math.exp(-Number(rate) * Number(time_to_expiry)), 14);
      // By scatter alone: a forward to a fifth of a point, a rate to two hundredths.
      expect(String(quality)).toBe("sound");
      expect(Number(forward_error)).toBeLessThan(0.2);
      expect(Number(rate_error)).toBeLessThan(2e-4);
      // The forward grows with the time: 6,711.20 now, some 2.9 to 3.3 % a year.
      const growth = Math.log(Number(forward) / 6711.2002) / Number(time_to_expiry);
      expect(growth).toBeGreaterThan(0.028);
      expect(growth).toBeLessThan(0.034);
    }
  });

  test("at Cboe's own volatilities, deltas agree with Cboe's: rms ≤ 0.0072, 95th percentile ≤ 0.0128", async () => {
    const deltas = await printedDeltas();
    const argv = ["chain", ...names, "--volatility", "vendor", "--format", "csv"];
    const { code, out } = await runCommand(argv, { files: files! });
    expect(code).toBe(3);
    const differences: number[] = [];
    for (const { symbol, delta, iv_vendor, reason } of rowsOf(out)) {
      if (iv_vendor === "") expect(reason).toBe("no_vendor_volatility");
      const printed = deltas.get(symbol!)!;
      if (delta === "" || Math.abs(printed) <= 0.02 || Math.abs(printed) >= 0.98) continue;
      differences.push(Math.abs(Number(delta) - printed));
    }
    differences.sort((left, right) => left - right);
    const rms = Math.sqrt(differences.reduce((sum, each) => sum + each * each, 0) / differences.length);
    const percentile95 = differences[Math.ceil(0.95 * differences.length) - 1]!;
    expect(differences.length).toBeGreaterThan(1700);
    expect(rms).toBeLessThanOrEqual(0.0072);
    expect(percentile95).toBeLessThanOrEqual(0.0128);
    // The largest belongs to the longest expiry, where the two yields differ for the longest time.
    expect(differences.at(-1)!).toBeLessThan(0.03);
  });

  test("the difference is the vendor's yield: with −0.47 % in its place, deltas agree with Cboe's to 0.005 at worst", async () => {
    const deltas = await printedDeltas();
    const { out } = await runCommand(["chain", ...names, "--volatility", "vendor", "--format", "csv"], {
      files: files!,
    });
    let worst = 0;
    for (const { symbol, delta, forward, discount, time_to_expiry } of rowsOf(out)) {
      const printed = deltas.get(symbol!)!;
      if (delta === "" || Math.abs(printed) <= 0.02 || Math.abs(printed) >= 0.98) continue;
      const prepaidForward = Number(forward) * Number(discount);
      const vendorPrepaidForward = 6711.2002 * Math.exp(0.0047 * Number(time_to_expiry));
      worst = Math.max(worst, Math.abs(Number(delta) * (vendorPrepaidForward / prepaidForward) - printed));
    }
    expect(worst).toBeLessThan(0.005);
  });

  test("solved volatilities agree with Cboe's within 0.25 points where delta is 0.1 to 0.9", async () => {
    const { out } = await runCommand(["chain", ...names, "--format", "csv"], { files: files! });
    let worst = 0;
    for (const { iv_mid, iv_vendor, delta } of rowsOf(out)) {
      if (iv_mid === "" || iv_vendor === "" || Math.abs(Number(delta)) < 0.1 || Math.abs(Number(delta)) > 0.9) continue;
      worst = Math.max(worst, Math.abs(Number(iv_mid) - Number(iv_vendor)));
    }
    expect(worst).toBeLessThan(0.0025);
  });

  test("calls and puts at one strike have the same volatility near the money: parity holds for what was inferred", async () => {
    const { out } = await runCommand(["chain", ...names, "--format", "csv"], { files: files! });
    const calls = new Map<string, number>();
    let worst = 0;
    for (const { expiry, strike, option_type, iv_mid, delta, underlying, symbol } of rowsOf(out)) {
      if (Math.abs(Number(delta)) < 0.25 || Math.abs(Number(delta)) > 0.75) continue;
      const key = `${symbol!.slice(0, -9)} ${underlying} ${expiry} ${strike}`;
      if (option_type === "call") calls.set(key, Number(iv_mid));
      else if (calls.has(key)) worst = Math.max(worst, Math.abs(calls.get(key)! - Number(iv_mid)));
    }
    expect(worst).toBeLessThan(0.0025);
  });
});
