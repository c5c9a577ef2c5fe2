// The Greeks of the approximations, which come by arithmetic of derivatives (assembly/math/jet.ts), against sixth-order differences of the outputs
// they are derivatives of, down to the price, which is computed without them. Formula, European price and payoff each have theirs.

import { beforeAll, describe, expect, test } from "bun:test";
import type { OutputName } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { seededRandom } from "../../../src/foundation/random";
import type { AmericanRow } from "../../harness/american";
import { type Approximation, approximations, requestFor } from "../../harness/approximations";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

type Bumped = Exclude<keyof AmericanRow, "isCall">;

/** output, the output it is a derivative of, the input, its sign, and the step of that input relative to itself (rates: in all). */
const derivatives: readonly [OutputName, OutputName, Bumped, 1 | -1, number][] = [
  ["delta", "price", "spot", 1, 1e-3],
  ["gamma", "delta", "spot", 1, 1e-3],
  ["speed", "gamma", "spot", 1, 1e-3],
  ["vega", "price", "volatility", 1, 1e-3],
  ["vanna", "delta", "volatility", 1, 1e-3],
  ["volga", "vega", "volatility", 1, 1e-3],
  ["zomma", "gamma", "volatility", 1, 1e-3],
  ["ultima", "volga", "volatility", 1, 1e-3],
  ["theta", "price", "time_to_expiry", -1, 1e-3],
  ["charm", "delta", "time_to_expiry", -1, 1e-3],
  ["veta", "vega", "time_to_expiry", -1, 1e-3],
  ["color", "gamma", "time_to_expiry", -1, 1e-3],
  ["rho", "price", "rate", 1, 1e-4],
  ["dividend_rho", "price", "dividend_yield", 1, 1e-4],
  ["dual_delta", "price", "strike", 1, 1e-3],
  ["dual_gamma", "dual_delta", "strike", 1, 1e-3],
];

function rowsOf(count: number, seed: number): AmericanRow[] {
  const source = seededRandom(BigInt(seed));
  const between = (low: number, high: number) => low + (high - low) * source.unit();
  return Array.from({ length: count }, () => {
    const volatility = between(0.1, 0.7);
    const time = between(0.1, 2.5);
    return {
      isCall: source.unit() < 0.5,
      spot: 100 * Math.exp(between(-1.5, 1.5) * volatility * Math.sqrt(time)),
      strike: 100,
      time_to_expiry: time,
      rate: between(-0.03, 0.1),
      dividend_yield: between(-0.03, 0.1),
      volatility,
    };
  });
}

const stepOf = (row: AmericanRow, input: Bumped, step: number) =>
  input === "rate" || input === "dividend_yield" ? step : step * row[input];

/** Which of formula, European price and payoff each row is, as far as outputs tell. */
function kindsOf(model: Approximation, rows: readonly AmericanRow[]): string[] {
  const { columns } = engine.price(requestFor(model, rows, ["early_exercise_premium", "gamma", "exercise_boundary"]));
  return rows.map((_, row) =>
    columns.gamma![row] === 0 ? "payoff" : columns.early_exercise_premium![row] === 0 ? "European" : "formula",
  );
}

/** Rows that stay of one kind under every bump, whose boundary's rules (it is never below that of no time; r on either side of q) do not change. */
function clear(model: Approximation, rows: readonly AmericanRow[]): AmericanRow[] {
  const kinds = kindsOf(model, rows);
  let kept = rows.map((row) => {
    const own = row.isCall ? row : { rate: row.dividend_yield, dividend_yield: row.rate };
    const drift = (own.rate - own.dividend_yield) * row.time_to_expiry;
    const isNearRule = Math.abs(drift + 2 * row.volatility * Math.sqrt(row.time_to_expiry)) < 0.02;
    return !isNearRule && Math.abs(row.rate - row.dividend_yield) > 1e-3;
  });
  for (const [, , input, , step] of derivatives) {
    for (const multiple of [-3, 3]) {
      const bumped = rows.map((row) => ({ ...row, [input]: row[input] + multiple * stepOf(row, input, step) }));
      kept = kindsOf(model, bumped).map((kind, row) => kept[row]! && kind === kinds[row]);
    }
  }
  return rows.filter((_, row) => kept[row]);
}

describe("S4.47 the Greeks of", () => {
  for (const model of approximations) {
    test(`${model} are the derivatives of its price, to 2e-7 of themselves and of what differences can tell`, () => {
      const rows = clear(model, rowsOf(80, 4711));
      expect(rows.length).toBeGreaterThan(50);
      expect(new Set(kindsOf(model, rows))).toEqual(new Set(["formula", "European", "payoff"]));
      for (const [output, base, input, sign, step] of derivatives) {
        const computed = engine.price(requestFor(model, rows, [output])).columns[output]!;
        const at = (multiple: number) =>
          engine.price(
            requestFor(
              model,
              rows.map((row) => ({ ...row, [input]: row[input] + multiple * stepOf(row, input, step) })),
              [base],
            ),
          ).columns[base]!;
        const values = [-3, -2, -1, 1, 2, 3].map(at) as Float64Array[];
        for (const [index, row] of rows.entries()) {
          const [c, b, a, A, B, C] = values.map((column) => column[index]!) as [
            number,
            number,
            number,
            number,
            number,
            number,
          ];
          const h = stepOf(row, input, step);
          const slope = (sign * (45 * (A - a) - 9 * (B - b) + (C - c))) / (60 * h);
          // digits that six differences of rounded numbers lose
          const noise = (1e-12 * (Math.abs(A) + (base === "price" ? 100 : 0))) / h;
          const error = Math.abs(computed[index]! - slope);
          const allowed = 2e-7 * Math.abs(slope) + noise + 1e-9;
          expect(error, `${output} ${computed[index]} ${slope} ${JSON.stringify(row)}`).toBeLessThanOrEqual(allowed);
        }
      }
    });
  }

  test("what is exercised now are the payoff's, and lambda is the elasticity", () => {
    for (const model of approximations) {
      const row = {
        isCall: false,
        spot: 60,
        strike: 100,
        time_to_expiry: 1,
        rate: 0.06,
        dividend_yield: 0.01,
        volatility: 0.2,
      };
      const { columns } = engine.price(requestFor(model, [row]));
      const of = (output: OutputName) => columns[output]![0]!;
      expect([of("price"), of("delta"), of("dual_delta")]).toEqual([40, -1, 1]);
      for (const [output] of derivatives) if (!output.endsWith("delta")) expect(Math.abs(of(output)), output).toBe(0);
      expect(of("lambda")).toBe((60 * -1) / 40);
      expect(of("exercise_boundary")).toBeGreaterThan(60);
    }
  });
});
