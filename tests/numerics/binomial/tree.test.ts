// Binomial trees: the same values as trees built the plain way, node by node; what smoothing and extrapolation make of their error; Greeks; and that an
// American price is never below what cannot be wrong.

import { beforeAll, describe, expect, test } from "bun:test";
import { modelNamed, type OutputName } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { hullSteps } from "../../../src/engine/golden/approximations";
import { seededRandom } from "../../../src/foundation/random";
import { type AmericanRow, wildRows } from "../../harness/american";
import { europeanTwin, requestFor } from "../../harness/approximations";
import { type TreeTerms, treeTwin } from "../../harness/binomial-twin";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const trees = ["cox_ross_rubinstein", "leisen_reimer"] as const;

/** The catalog's numbers of a tree's words. */
const inputsOf = ({ tree, steps, isAmerican, isSmoothed = false }: TreeTerms, isExtrapolated = false) => ({
  tree: trees.indexOf(tree),
  steps,
  exercise: isAmerican ? 1 : 0,
  smoothing: isSmoothed ? 1 : 0,
  extrapolation: isExtrapolated ? 1 : 0,
});

function priced(
  rows: readonly AmericanRow[],
  terms: TreeTerms,
  isExtrapolated = false,
  outputs: OutputName[] = ["price"],
) {
  return engine.price(requestFor("binomial", rows, outputs, inputsOf(terms, isExtrapolated)));
}

/** Rates and yields of either sign, and some volatilities too small for Cox, Ross and Rubinstein's chance. */
function rowsOf(count: number, seed: number): AmericanRow[] {
  const source = seededRandom(BigInt(seed));
  const between = (low: number, high: number) => low + (high - low) * source.unit();
  return Array.from({ length: count }, (_, row) => {
    const volatility = row % 6 === 5 ? between(0.002, 0.02) : between(0.05, 0.9);
    const time = between(0.05, 3);
    return {
      isCall: source.unit() < 0.5,
      spot: 100 * Math.exp(between(-2, 2) * volatility * Math.sqrt(time)),
      strike: 100,
      time_to_expiry: time,
      rate: between(-0.05, 0.12),
      dividend_yield: between(-0.05, 0.12),
      volatility,
    };
  });
}

const floorOf = (row: AmericanRow) =>
  Math.max(row.isCall ? row.spot - row.strike : row.strike - row.spot, europeanTwin(row));

describe("S4.47 a binomial tree", () => {
  const cases: TreeTerms[] = trees.flatMap((tree) =>
    [1, 2, 5, 50, 51].flatMap((asked) => {
      const steps = tree === "leisen_reimer" ? asked | 1 : asked;
      return [true, false].flatMap((isAmerican) =>
        [true, false].map((isSmoothed) => ({ tree, steps, isAmerican, isSmoothed })),
      );
    }),
  );
  test.each(cases)("of %j is the plain tree, within 1e-11 of the larger of spot and strike", (terms) => {
    const rows = rowsOf(60, 79);
    const { columns, status } = priced(rows, terms);
    for (const [index, row] of rows.entries()) {
      const tree = treeTwin(row, terms);
      const expected = terms.isAmerican ? Math.max(tree, floorOf(row)) : tree;
      const shown = JSON.stringify({ row, terms, expected, price: columns.price![index] });
      // Peizer and Pratt's chances are 0 or 1 to a double where the strike is far from the forward: the forward's tree stands in
      if (!Number.isFinite(tree)) continue;
      expect(status[index], shown).toBe(0);
      expect(Math.abs(columns.price![index]! - expected), shown).toBeLessThanOrEqual(1e-11 * Math.max(row.spot, 100));
    }
  });

  test("makes an even number of steps odd for Leisen and Reimer", () => {
    const rows = rowsOf(20, 3);
    const terms: TreeTerms = { tree: "leisen_reimer", steps: 50, isAmerican: true };
    expect(priced(rows, terms).columns.price).toEqual(priced(rows, { ...terms, steps: 51 }).columns.price!);
  });

  test("extrapolates from half its steps, by their number or, where the tree is smooth, its square", () => {
    const rows = rowsOf(60, 11);
    const check = (terms: TreeTerms, half: number, order: number) => {
      const { columns } = priced(rows, terms, true);
      const ratio = (terms.steps / half) ** order;
      for (const [index, row] of rows.entries()) {
        const fine = treeTwin(row, terms);
        const value = fine + (fine - treeTwin(row, { ...terms, steps: half })) / (ratio - 1);
        const expected = terms.isAmerican ? Math.max(value, floorOf(row)) : value;
        if (!Number.isFinite(value)) continue;
        const shown = JSON.stringify({ row, terms });
        expect(Math.abs(columns.price![index]! - expected), shown).toBeLessThanOrEqual(1e-10 * Math.max(row.spot, 100));
      }
    };
    check({ tree: "cox_ross_rubinstein", steps: 40, isAmerican: true, isSmoothed: true }, 20, 1);
    check({ tree: "leisen_reimer", steps: 41, isAmerican: true }, 21, 1);
    check({ tree: "leisen_reimer", steps: 41, isAmerican: false }, 21, 2);
    const one: TreeTerms = { tree: "cox_ross_rubinstein", steps: 1, isAmerican: true };
    expect(priced(rows, one, true).columns.price).toEqual(priced(rows, one).columns.price!);
  });

  test("does not extrapolate beyond what an option can be worth", () => {
    const overshot: [AmericanRow, TreeTerms, number][] = [
      [
        { spot: 10_000, strike: 230, time_to_expiry: 0.966, rate: -0.2, dividend_yield: -0.17, volatility: 13 },
        { tree: "cox_ross_rubinstein", steps: 7, isAmerican: false },
        230 * Math.exp(0.2 * 0.966),
      ],
      [
        { spot: 293, strike: 295, time_to_expiry: 0.021, rate: 0.27, dividend_yield: -0.7, volatility: 0.037 },
        { tree: "cox_ross_rubinstein", steps: 28, isAmerican: false, isSmoothed: true },
        0,
      ],
    ];
    for (const [row, terms, expected] of overshot) {
      const half = treeTwin(row, { ...terms, steps: terms.steps >> 1 });
      const fine = treeTwin(row, terms);
      const past = fine + (fine - half) / (terms.steps / (terms.steps >> 1) - 1);
      expect(Math.sign(past - expected), "the plain extrapolation").toBe(expected === 0 ? -1 : 1);
      expect(priced([row], terms, true).columns.price![0]).toBeCloseTo(expected, 12);
    }
  });

  test("has Hull's example to its printed digits at 30 to 500 steps", () => {
    const row = { spot: 50, strike: 50, time_to_expiry: 5 / 12, rate: 0.1, dividend_yield: 0, volatility: 0.4 };
    for (const [steps, expected] of hullSteps) {
      const { columns } = priced([row], { tree: "cox_ross_rubinstein", steps, isAmerican: true });
      expect(Math.abs(columns.price![0]! - expected)).toBeLessThanOrEqual(5e-4);
    }
  });
});

describe("S4.47 a tree's error", () => {
  /** What a market has. */
  const rows = Array.from({ length: 200 }, (_, row): AmericanRow => {
    const part = (stride: number) => (row * stride) % 1;
    return {
      isCall: row % 2 === 0,
      spot: 85 + 35 * part(0.2360679774997897),
      strike: 100,
      time_to_expiry: 0.08 + 0.9 * part(0.41421356237309503),
      rate: 0.1 * part(0.7320508075688772),
      dividend_yield: 0.08 * part(0.6180339887498949),
      volatility: 0.1 + 0.5 * part(0.6457513110645907),
    };
  });
  const exactOf = (output: OutputName, isAmerican: boolean) =>
    engine.price(
      isAmerican
        ? requestFor("american", rows, [output], { scheme: 2 })
        : requestFor("black_scholes_merton", rows, [output]),
    ).columns[output]!;

  // measured, rounded up; 200 steps (201), strike 100
  const cases: [string, TreeTerms, boolean, number][] = [
    ["Cox–Ross–Rubinstein", { tree: "cox_ross_rubinstein", steps: 200, isAmerican: true }, false, 0.026],
    ["smoothed", { tree: "cox_ross_rubinstein", steps: 200, isAmerican: true, isSmoothed: true }, false, 0.01],
    [
      "smoothed and extrapolated",
      { tree: "cox_ross_rubinstein", steps: 200, isAmerican: true, isSmoothed: true },
      true,
      0.0075,
    ],
    ["Leisen–Reimer", { tree: "leisen_reimer", steps: 201, isAmerican: true }, false, 0.0065],
    ["Leisen–Reimer extrapolated", { tree: "leisen_reimer", steps: 201, isAmerican: true }, true, 0.0017],
    ["European, Leisen–Reimer", { tree: "leisen_reimer", steps: 201, isAmerican: false }, false, 2.6e-5],
    ["European, Leisen–Reimer extrapolated", { tree: "leisen_reimer", steps: 201, isAmerican: false }, true, 2.7e-7],
  ];
  test.each(cases)("of 200 steps, %s", (_, terms, isExtrapolated, most) => {
    const exact = exactOf("price", terms.isAmerican);
    const prices = priced(rows, terms, isExtrapolated).columns.price!;
    const worst = Math.max(...prices.map((price, row) => Math.abs(price - exact[row]!)));
    expect(worst).toBeLessThanOrEqual(most);
  });

  test("in Greeks is small where the tree is smooth", () => {
    const terms: TreeTerms = { tree: "leisen_reimer", steps: 201, isAmerican: true, isSmoothed: true };
    const most: Partial<Record<OutputName, number>> = {
      delta: 2e-4,
      gamma: 5e-5,
      vega: 0.2,
      theta: 0.02,
      rho: 0.6,
      dividend_rho: 0.6,
      dual_delta: 2e-4,
    };
    for (const [name, limit] of Object.entries(most)) {
      const output = name as OutputName;
      const exact = exactOf(output, true);
      const boundary = exactOf("exercise_boundary", true);
      const own = priced(rows, terms, true, [output]).columns[output]!;
      // nearer to the boundary than a few nodes a tree sees it blurred, and gamma and theta jump there
      const far = rows.map(({ spot, volatility, time_to_expiry: time }, row) => {
        const nodes = Math.abs(Math.log(spot / boundary[row]!)) / (2 * volatility * Math.sqrt(time / 201));
        return !(nodes < 4);
      });
      const worst = Math.max(...own.map((value, row) => (far[row] ? Math.abs(value - exact[row]!) : 0)));
      expect(worst, output).toBeLessThanOrEqual(limit);
    }
  });
});

describe("S4.47 what a tree costs", () => {
  test("goes with the square of its steps, so that a batch of large trees is computed in short steps", async () => {
    const rows = rowsOf(16, 5);
    const chunksOf = async (steps: number, outputs: OutputName[]) => {
      const terms = { tree: 0, steps };
      const request = requestFor("binomial", Array.from({ length: 4 }, () => rows).flat(), outputs, terms);
      const before = engine.activity.ownChunks;
      const inSteps = await engine.priceAsync(request);
      expect(inSteps).toEqual(engine.price(request));
      return engine.activity.ownChunks - before;
    };
    // 64 trees of 10 steps are computed at once, of 500 few at a time
    expect(await chunksOf(10, ["price"])).toBe(0);
    expect(await chunksOf(500, ["price"])).toBeGreaterThanOrEqual(16);
  });

  test("is more with each Greek that takes two more trees, and with extrapolation", () => {
    const { weight } = modelNamed("binomial");
    const of = (outputs: OutputName[], inputs: Record<string, number>) =>
      weight!({ outputs, largest: (name) => inputs[name] ?? Number.NaN, isListed: () => false });
    const plain = of(["price", "gamma"], { steps: 200, extrapolation: 0 });
    expect(of(["price", "vega", "rho"], { steps: 200, extrapolation: 0 })).toBe(5 * plain);
    expect(of(["price"], { steps: 200, extrapolation: 1 })).toBe(1.25 * plain);
    expect(of(["price"], { steps: 400, extrapolation: 0 }) / plain).toBeCloseTo(4, 1);
  });
});

describe("S4.47 wild rows by trees", () => {
  test.each(trees)(
    "%s: have a price, or no double holds their spots, and never less than payoff and European price",
    (tree) => {
      const rows = wildRows(1500, 1979);
      for (const isSmoothed of [false, true]) {
        const terms: TreeTerms = { tree, steps: 40, isAmerican: true, isSmoothed };
        const { columns, status } = priced(rows, terms, isSmoothed, [
          "price",
          "delta",
          "gamma",
          "vega",
          "theta",
          "rho",
        ]);
        const european = engine.price(requestFor("black_scholes_merton", rows, ["price"])).columns.price!;
        for (const [index, row] of rows.entries()) {
          const shown = JSON.stringify({ row, terms });
          expect(status[index], shown).toBe(0);
          const price = columns.price![index]!;
          const rounding = 4e-15 * (Math.max(row.spot, row.strike) + price);
          const payoff = row.isCall ? row.spot - row.strike : row.strike - row.spot;
          expect(price, shown).toBeGreaterThanOrEqual(Math.max(payoff, european[index]! - rounding));
          for (const column of Object.values(columns)) expect(Number.isFinite(column[index]!), shown).toBe(true);
        }
      }
    },
  );
});
