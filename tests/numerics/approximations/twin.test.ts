// The approximations against slow twins on random options of either kind and rates of either sign: the printed formulas with the critical price by
// halving, and the value of the strategies integrated over densities (tests/harness/approximations.ts).

import { beforeAll, describe, expect, test } from "bun:test";
import type { Engine } from "../../../src/engine/engine";
import { seededRandom } from "../../../src/foundation/random";
import type { AmericanRow } from "../../harness/american";
import { europeanTwin, quadraticTwin, requestFor, strategyTwin } from "../../harness/approximations";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

/** Options that may be worth exercising early, rates of either sign where that can be. */
function rowsOf(count: number, seed: number): AmericanRow[] {
  const source = seededRandom(BigInt(seed));
  const between = (low: number, high: number) => low + (high - low) * source.unit();
  return Array.from({ length: count }, () => {
    const isCall = source.unit() < 0.5;
    const volatility = between(0.08, 0.8);
    const time = between(0.05, 3);
    const some = between(0.005, 0.12);
    const any = between(-0.04, 0.12);
    return {
      isCall,
      spot: 100 * Math.exp(between(-2, 2) * volatility * Math.sqrt(time)),
      strike: 100,
      time_to_expiry: time,
      rate: isCall ? any : some,
      dividend_yield: isCall ? some : any,
      volatility,
    };
  });
}

/** What is worth more than the option: exercising it now, or never early. */
const bound = (row: AmericanRow) =>
  Math.max(row.isCall ? row.spot - row.strike : row.strike - row.spot, europeanTwin(row));

function worstOf(
  rows: readonly AmericanRow[],
  model: Parameters<typeof requestFor>[0],
  twin: (row: AmericanRow) => number,
) {
  const { columns, status } = engine.price(requestFor(model, rows, ["price"]));
  let worst = { error: 0, shown: "" };
  for (const [index, row] of rows.entries()) {
    expect(status[index], JSON.stringify(row)).toBe(0);
    const expected = Math.max(twin(row), bound(row));
    const error = Math.abs(columns.price![index]! - expected) / Math.max(row.spot, row.strike);
    if (!(error <= worst.error))
      worst = { error, shown: JSON.stringify({ row, expected, price: columns.price![index] }) };
  }
  return worst;
}

describe("S4.47 the quadratic approximations", () => {
  test.each([
    ["barone_adesi_whaley", false],
    ["ju_zhong", true],
  ] as const)("%s is its printed formula, within 1e-12 of the larger of spot and strike", (model, isJuZhong) => {
    const rows = rowsOf(400, 1987);
    const { error, shown } = worstOf(rows, model, (row) => quadraticTwin(isJuZhong, row));
    expect(error, shown).toBeLessThanOrEqual(1e-12);
  });

  test("Ju and Zhong's correction is left out where it is none: 1 - χ below 0.1", () => {
    const row = {
      isCall: false,
      spot: 96.58926684279676,
      strike: 100,
      time_to_expiry: 0.0018385314263459091,
      rate: 0.13174821875843248,
      dividend_yield: 0.08439385906766331,
      volatility: 0.9869950689628917,
    };
    const priceBy = (model: "ju_zhong" | "barone_adesi_whaley" | "american", more = {}) =>
      engine.price(requestFor(model, [row], ["price"], more)).columns.price![0]!;
    expect(priceBy("ju_zhong")).toBe(priceBy("barone_adesi_whaley"));
    const exact = priceBy("american", { scheme: 2 });
    expect(Math.abs(priceBy("ju_zhong") - exact)).toBeLessThan(1e-3);
    expect(Math.abs(quadraticTwin(true, row) - exact)).toBeGreaterThan(0.01);
  });

  test("go through a rate of 0, where the printed formulas divide by it", () => {
    for (const model of ["barone_adesi_whaley", "ju_zhong"] as const) {
      const at = (rate: number) => {
        const row = {
          isCall: true,
          spot: 104,
          strike: 100,
          time_to_expiry: 2,
          rate,
          dividend_yield: 0.06,
          volatility: 0.25,
        };
        const { columns } = engine.price(requestFor(model, [row], ["price", "rho", "ultima"]));
        return [columns.price![0]!, columns.rho![0]!, columns.ultima![0]!] as const;
      };
      const [below, now, above] = [at(-1e-7), at(0), at(1e-7)];
      for (const place of [0, 1, 2] as const) {
        const middle = (below[place] + above[place]) / 2;
        expect(Math.abs(now[place] - middle), `${model} ${place}`).toBeLessThan(1e-9 * (1 + Math.abs(middle)));
      }
    }
  });
});

describe("S4.47 Bjerksund and Stensland's strategies", () => {
  // what is exercised now the twin's paths would start beyond their boundary
  const waiting = (model: "bjerksund_stensland_1993" | "bjerksund_stensland_2002", rows: AmericanRow[]) => {
    const { columns } = engine.price(requestFor(model, rows, ["delta", "exercise_boundary"]));
    return rows.filter((row, index) => {
      const boundary = columns.exercise_boundary![index]!;
      return row.isCall ? row.spot < 0.99 * boundary : row.spot > 1.01 * boundary;
    });
  };

  test("of 1993 is worth what its follower gets, within 1e-10 of the larger of spot and strike", () => {
    const rows = waiting("bjerksund_stensland_1993", rowsOf(120, 1993));
    expect(rows.length).toBeGreaterThan(80);
    const { error, shown } = worstOf(rows, "bjerksund_stensland_1993", (row) => strategyTwin(false, row));
    expect(error, shown).toBeLessThanOrEqual(1e-10);
  });

  test("of 2002 too, within 2e-10, which is four integrals' error", () => {
    const rows = waiting("bjerksund_stensland_2002", rowsOf(16, 2002));
    expect(rows.length).toBeGreaterThan(8);
    const { error, shown } = worstOf(rows, "bjerksund_stensland_2002", (row) => strategyTwin(true, row));
    expect(error, shown).toBeLessThanOrEqual(2e-10);
  });
});
