// The command line inside the executable: prices, chains, verification, exit codes.

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { Installation } from "../harness/executable";

const installation = new Installation();
afterAll(() => installation.remove());

const data = process.env.BSOPT_TEST_DATA ?? join(root, "..", "shared", "data");
const cboe = join(data, "cboe-spx-2025-10-01");
const hasData = existsSync(cboe);
if (!hasData) process.stderr.write(`skipped: no market data at ${data}; set BSOPT_TEST_DATA\n`);
const quoteTables = hasData
  ? readdirSync(cboe)
      .filter((name) => name.endsWith(".csv"))
      .map((name) => join(cboe, name))
  : [];

interface Row {
  [column: string]: string;
}

function readCsv(text: string): Row[] {
  const [head = "", ...lines] = text.trim().split("\n");
  const names = head.trim().split(",");
  return lines.map((line) =>
    Object.fromEntries(
      line
        .trim()
        .split(",")
        .map((value, index) => [names[index]!, value]),
    ),
  );
}

describe("the command line", () => {
  test("every command answers --help with exit code 0", async () => {
    for (const command of [
      "serve",
      "price",
      "iv",
      "chain",
      "surface",
      "migrate",
      "key",
      "verify",
      "bench",
      "openapi",
      "health",
      "version",
    ]) {
      const done = await installation.run([command, "--help"]);
      expect([command, done.code, done.stdout.includes("Usage: ")]).toEqual([command, 0, true]);
    }
  });

  test("version tells what was compiled in", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const done = await installation.run(["version", "--json"]);
    expect(JSON.parse(done.stdout)).toMatchObject({
      version,
      build_time: expect.stringMatching(/^20/),
      wasm_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  test("S4.47 price prints one option, and iv finds its volatility again", async () => {
    const common = ["--spot", "100", "--strike", "105", "--days", "182", "--rate", "0.03", "--type", "call", "--json"];
    const priced = JSON.parse((await installation.run(["price", ...common, "--volatility", "0.2"])).stdout);
    expect(priced.price).toBeGreaterThan(3);
    const solved = JSON.parse((await installation.run(["iv", ...common, "--price", String(priced.price)])).stdout);
    expect(Math.abs(solved.implied_volatility - 0.2)).toBeLessThan(1e-14);
  });

  test("S1.15 verify passes its tables inside this executable and shows its speed beside the twin", async () => {
    const done = await installation.run(["verify"]);
    expect(done.code).toBe(0);
    for (const word of ["price", "delta", "gamma", "vega", "theta", "rho", "implied"])
      expect(done.stdout).toContain(word);
  });

  test("openapi prints the document the server serves", async () => {
    const document = JSON.parse((await installation.run(["openapi"])).stdout);
    expect(document.openapi).toBe("3.1.0");
  });

  test("migrate goes down and up again on the data folder", async () => {
    const fresh = new Installation();
    try {
      const up = JSON.parse((await fresh.run(["migrate", "up", "--json"])).stdout);
      expect(up.version).toBe(up.latest_version);
      expect(up.version).toBeGreaterThan(0);
      expect(JSON.parse((await fresh.run(["migrate", "down", "--to", "0", "--json"])).stdout).version).toBe(0);
      expect((await fresh.run(["migrate", "status"])).stdout).toContain("pending");
      expect((await fresh.run(["migrate", "down", "--to", "x"])).code).toBe(2);
    } finally {
      fresh.remove();
    }
  });

  test.each([
    { args: [], code: 2 },
    { args: ["prise"], code: 2 },
    { args: ["price", "--spot", "100"], code: 2 },
    {
      args: [
        "price",
        "--spot",
        "abc",
        "--strike",
        "1",
        "--days",
        "1",
        "--rate",
        "0",
        "--volatility",
        "1",
        "--type",
        "call",
      ],
      code: 2,
    },
    { args: ["chain", "missing.csv"], code: 1 },
    { args: ["serve", "--prot", "1"], code: 2 },
  ])("wrong usage or a missing file is told in words, without a stack: $args", async ({ args, code }) => {
    const done = await installation.run(args);
    expect(done.code).toBe(code);
    expect(done.stdout + done.stderr).not.toBe("");
    expect(done.stderr).not.toMatch(/\$bunfs|\n\s+at /);
  });

  test("a malformed chain is refused with its line", async () => {
    const done = await installation.run(["chain", "-"], { stdin: "symbol,strike\n" });
    expect(done.code).toBe(1);
    expect(done.stderr).toContain("error: ");
  });

  test("one bad row spoils no other, and the exit code says so", async () => {
    const stdin =
      "option_type,spot,strike,time_to_expiry,rate,volatility\ncall,100,105,0.5,0.03,0.2\nput,-1,105,0.5,0.03,0.2\n";
    const done = await installation.run(["price", "-", "--format", "csv"], { stdin });
    expect(done.code).toBe(3);
    const rows = readCsv(done.stdout);
    expect(rows).toHaveLength(2);
    expect(Number(rows[0]!.price)).toBeGreaterThan(3);
    expect(rows[1]!.price).toBe("");
  });
});

describe.skipIf(!hasData)("a real chain", () => {
  test("S1.04 S4.47 eleven Cboe quote tables: 1,900 and more options priced, deltas at Cboe's own volatility within rms 0.0072 and 95 % within 0.0128", async () => {
    const vendorDelta = new Map<string, number>();
    for (const file of quoteTables) {
      for (const line of readFileSync(file, "utf8").split("\n")) {
        const cells = line.split(",");
        if (cells.length < 22) continue;
        vendorDelta.set(cells[1]!, Number(cells[8]));
        vendorDelta.set(cells[12]!, Number(cells[19]));
      }
    }
    const mid = readCsv((await installation.run(["chain", ...quoteTables, "--format", "csv"])).stdout);
    expect(mid.filter(({ price }) => price !== "").length).toBeGreaterThanOrEqual(1900);

    const rows = readCsv(
      (await installation.run(["chain", ...quoteTables, "--volatility", "vendor", "--format", "csv"])).stdout,
    );
    const differences: number[] = [];
    for (const { symbol, delta } of rows) {
      const vendor = vendorDelta.get(symbol!);
      if (vendor === undefined || delta === "" || Math.abs(vendor) <= 0.02 || Math.abs(vendor) >= 0.98) continue;
      differences.push(Math.abs(Number(delta) - vendor));
    }
    differences.sort((a, b) => a - b);
    expect(differences.length).toBeGreaterThan(1000);
    expect(
      Math.sqrt(differences.reduce((sum, difference) => sum + difference ** 2, 0) / differences.length),
    ).toBeLessThanOrEqual(0.0072);
    expect(differences[Math.ceil(differences.length * 0.95) - 1]!).toBeLessThanOrEqual(0.0128);
  });

  test("the parity rate of every expiry lies between 3.7 and 4.2 %, to the tenth", async () => {
    const rows = readCsv((await installation.run(["chain", ...quoteTables, "--format", "csv"])).stdout);
    const rates = new Map<string, number>();
    for (const { expiry, discount, time_to_expiry } of rows)
      rates.set(expiry!, -Math.log(Number(discount)) / Number(time_to_expiry));
    expect(rates.size).toBeGreaterThanOrEqual(11);
    for (const [expiry, rate] of rates)
      expect([expiry, Math.round(rate * 1000) >= 37 && Math.round(rate * 1000) <= 42]).toEqual([expiry, true]);
  });
});
