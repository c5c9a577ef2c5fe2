// The real chain of tests/numerics/cboe-chain as a surface: no arbitrage by the house's own checks nor by prices, and the median quote
// fitted inside half its bid–ask spread, expiry by expiry. The figures are printed, for docs/numerics/svi.md.

import { describe, expect, test } from "bun:test";
import { readChainFile } from "../../src/adapters/feeds/chain-file";
import { fileLimits } from "../../src/adapters/tabular/table";
import type { ChainRow } from "../../src/domain/chain";
import { type Calibration, calibrateSurfaces, type SurfaceModel } from "../../src/surfaces/calibrate";
import { testEngine } from "../harness/command-line";
import { marketData } from "../harness/market-data";
import { priceFaults } from "../harness/price-arbitrage";

const files = marketData("cboe-spx-2025-10-01");

async function* once(text: string) {
  yield Buffer.from(text);
}

async function rowsOfFiles(): Promise<ChainRow[]> {
  const rows: ChainRow[] = [];
  for (const [name, text] of Object.entries(files!)) {
    const file = await readChainFile(once(text), name, fileLimits, { asOf: 0n, spot: Number.NaN });
    rows.push(...file.rows);
  }
  return rows;
}

async function calibrated(model: SurfaceModel): Promise<Calibration> {
  const calibrating = calibrateSurfaces(testEngine(), { rows: await rowsOfFiles(), model });
  let step = calibrating.next();
  while (!step.done) step = calibrating.next();
  return step.value;
}

function report(model: SurfaceModel, { surfaces }: Calibration): void {
  const lines = surfaces[0]!.expiries.map(({ expiry, quality }) => {
    const { quoteCount, medianHalfSpreads, insideShare, rmsVolatility, maxVolatility } = quality!;
    return [
      expiry.root.padEnd(4),
      expiry.timeToExpiry.toFixed(4),
      `${quoteCount} quotes`,
      `median ${medianHalfSpreads.toFixed(2)} half-spreads`,
      `inside ${(insideShare * 100).toFixed(0)} %`,
      `rms ${(rmsVolatility * 100).toFixed(2)}`,
      `worst ${(maxVolatility * 100).toFixed(2)} points`,
    ].join("  ");
  });
  process.stderr.write(`${model}\n${lines.join("\n")}\n`);
}

/** Over all quotes used. */
function medianHalfSpreads({ reasons, columns }: Calibration): number {
  const sizes = reasons.flatMap((reason, index) => (reason === null ? [Math.abs(columns.halfSpreads[index]!)] : []));
  return sizes.toSorted((left, right) => left - right)[sizes.length >> 1]!;
}

describe.skipIf(files === null)("S4.47 a surface of eleven real quote tables", () => {
  test("with put wings: all 988 out-of-the-money quotes used, on every expiry the median within half the spread, no arbitrage", async () => {
    const calibration = await calibrated("svi_put_wing");
    report("svi_put_wing", calibration);
    const { surface, expiries } = calibration.surfaces[0]!;
    expect(calibration.surfaces).toHaveLength(1);
    expect(expiries).toHaveLength(13);
    expect(calibration.reasons.filter((reason) => reason === null)).toHaveLength(988);
    for (const { failure, isDrawnBack, quality } of expiries) {
      expect({ failure, isDrawnBack }).toEqual({ failure: null, isDrawnBack: false });
      expect(quality!.medianHalfSpreads).toBeLessThan(1);
      expect(quality!.insideShare).toBeGreaterThan(0.5);
      expect(quality!.rmsVolatility).toBeLessThan(0.004);
    }
    expect(medianHalfSpreads(calibration)).toBeLessThan(0.7);

    const { isFree, butterflies, calendars, leastBetween } = surface!.arbitrage();
    expect(isFree).toBeTrue();
    for (const { least } of butterflies) expect(least).toBeGreaterThan(0);
    for (const { least } of calendars) expect(least).toBeGreaterThan(0);
    expect(leastBetween).toBeGreaterThan(0);
    expect(priceFaults(surface!)).toEqual([]);
  });

  test("its local volatility exists everywhere and lies between 1 % and 200 %", async () => {
    const { surface } = (await calibrated("svi_put_wing")).surfaces[0]!;
    for (let time = 0.1; time < 2.2; time += 0.05)
      for (let strike = 3000; strike <= 9000; strike += 100) {
        const { localVolatility, density } = surface!.at(strike, time);
        expect(localVolatility).toBeGreaterThan(0.01);
        expect(localVolatility).toBeLessThan(2);
        expect(density).toBeGreaterThanOrEqual(0);
      }
  });

  test.each<[SurfaceModel, number]>([
    ["svi", 3],
    ["essvi", 2.2],
  ])(
    "%s leaves no arbitrage either, and is further off: the median quote by less than %d half-spreads",
    async (model, most) => {
      const calibration = await calibrated(model);
      report(model, calibration);
      const { surface, expiries } = calibration.surfaces[0]!;
      expect(expiries.every(({ failure }) => failure === null)).toBeTrue();
      expect(surface!.arbitrage().isFree).toBeTrue();
      expect(priceFaults(surface!)).toEqual([]);
      expect(medianHalfSpreads(calibration)).toBeLessThan(most);
      expect(medianHalfSpreads(calibration)).toBeGreaterThan(1);
    },
  );
});
