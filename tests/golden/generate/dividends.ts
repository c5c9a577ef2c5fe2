// Makes src/engine/golden/dividends.json: options on an asset that pays one cash dividend, European calls and puts and American calls, by
// integrals (tests/harness/dividend-quadrature.ts). Run it by hand where the table is to change: `bun tests/golden/generate/dividends.ts`.

import { join } from "node:path";
import { quadratureGreeks } from "../../harness/dividend-quadrature";
import { testEngine } from "../../harness/kernel";

const columns = [
  "is_call",
  "is_american",
  "spot",
  "time_to_expiry",
  "rate",
  "volatility",
  "dividend_time",
  "dividend_amount",
  "price",
  "delta",
];
const engine = await testEngine();
const rows: number[][] = [];
for (const [isCall, isAmerican] of [
  [true, false],
  [false, false],
  [true, true],
] as const) {
  for (const [index, spot] of [75, 90, 100, 110, 130, 160].entries()) {
    for (const [time, rate, volatility, when, amount] of [
      [0.5, 0.03, 0.2, 0.1 + 0.06 * index, 1 + index],
      [1.5, 0.06, 0.35, 1.4 - 0.2 * index, 6 - 0.75 * index],
    ] as const) {
      const { price, delta } = quadratureGreeks(engine, {
        isCall,
        isAmerican,
        spot,
        strike: 100,
        time,
        rate,
        dividendYield: 0,
        volatility,
        dividends: [[when, amount]],
      });
      const digits = (value: number) => Number(value.toPrecision(9));
      rows.push([
        Number(isCall),
        Number(isAmerican),
        spot,
        time,
        rate,
        volatility,
        when,
        amount,
        digits(price),
        digits(delta),
      ]);
    }
  }
}
const text = `{\n  "columns": ${JSON.stringify(columns)},\n  "rows": [\n${rows.map((row) => `    ${JSON.stringify(row)}`).join(",\n")}\n  ]\n}\n`;
await Bun.write(join(import.meta.dir, "../../../src/engine/golden/dividends.json"), text);
