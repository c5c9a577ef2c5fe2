// Greeks of digital, barrier and lookback options: they fulfil the pricing equation and what follows from it by differentiating, which no
// formula here was made to do, and the rest agree with sixth-order differences of the Greek one order below.

import { beforeAll, describe, expect, test } from "bun:test";
import type { InputName, OutputName } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import {
  type ExoticRow,
  everyday,
  exoticModels,
  exoticOutputs,
  exoticRequest,
  randomRows,
  type Wildness,
  wild,
} from "../../harness/exotic";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

type Values = Record<OutputName, number>;

function valuesOf(model: (typeof exoticModels)[number], rows: readonly ExoticRow[]): Values[] {
  const { columns } = engine.price(exoticRequest(model, rows));
  return rows.map(
    (_, index) => Object.fromEntries(exoticOutputs.map((output) => [output, columns[output]![index]!])) as Values,
  );
}

/** Sum of the terms, and what rounding may make of it: the sizes of the terms. */
function residual(terms: readonly number[]): { sum: number; size: number } {
  return {
    sum: terms.reduce((sum, term) => sum + term, 0),
    size: terms.reduce((sum, term) => sum + Math.abs(term), 0),
  };
}

describe("S4.47 Greeks fulfil the pricing equation", () => {
  const everywhere: [string, Wildness, number][] = [
    ["everyday", everyday, 1e-10],
    ["wild", wild, 1e-8],
  ];
  for (const model of exoticModels) {
    test.each(everywhere)(`${model}, %s rows`, (_, wildness, tolerance) => {
      // at the extreme itself a lookback's second derivative in the spot has two sides; an average that is taken for lognormal, or is being
      // taken right now, does not follow the equation
      const rows = randomRows(model, 200, 21, wildness).filter(
        (row) => row.extreme_so_far !== row.spot && row.average !== "arithmetic" && !(Number(row.averaging_start) < 0),
      );
      for (const [index, value] of valuesOf(model, rows).entries()) {
        const row = rows[index]!;
        const { spot: s, rate: r, dividend_yield: q, volatility: v } = row as unknown as Record<string, number>;
        const carry = (r! - q!) * s!;
        const half = 0.5 * v! * v! * s! * s!;
        const equations = {
          price: [value.theta, carry * value.delta, half * value.gamma, -r! * value.price],
          spot: [
            value.charm,
            carry * value.gamma,
            (r! - q!) * value.delta,
            half * value.speed,
            v! * v! * s! * value.gamma,
            -r! * value.delta,
          ],
          volatility: [
            value.veta,
            carry * value.vanna,
            half * value.zomma,
            v! * s! * s! * value.gamma,
            -r! * value.vega,
          ],
        };
        for (const [name, terms] of Object.entries(equations)) {
          const { sum, size } = residual(terms);
          // what no rounding can be told from: derivatives of a price that is itself right to 1e-15 of the spot
          const floor = 1e-9 * (1 + size);
          expect(Math.abs(sum), `${name} ${JSON.stringify(row)}`).toBeLessThanOrEqual(tolerance * size + 1e-3 * floor);
        }
      }
    });
  }
});

/** A Greek, the one below it, and the input it is differentiated in; time counts backwards. */
const steps: [OutputName, OutputName, InputName][] = [
  ["delta", "price", "spot"],
  ["gamma", "delta", "spot"],
  ["speed", "gamma", "spot"],
  ["vega", "price", "volatility"],
  ["volga", "vega", "volatility"],
  ["ultima", "volga", "volatility"],
  ["theta", "price", "time_to_expiry"],
  ["charm", "delta", "time_to_expiry"],
  ["veta", "vega", "time_to_expiry"],
  ["color", "gamma", "time_to_expiry"],
  ["vanna", "delta", "volatility"],
  ["zomma", "gamma", "volatility"],
  ["rho", "price", "rate"],
  ["dividend_rho", "price", "dividend_yield"],
  ["dual_delta", "price", "strike"],
  ["dual_gamma", "dual_delta", "strike"],
];

/** Places where a difference would look across a kink: how far spot and strike may be moved. */
function room(row: ExoticRow, input: InputName): number {
  const {
    spot,
    strike,
    barrier,
    upper_barrier: upper,
    extreme_so_far: seen,
  } = row as unknown as Record<string, number>;
  const own = input === "strike" ? strike! : spot!;
  const others = [
    barrier,
    upper,
    seen,
    input === "strike" ? undefined : String(row.payoff).includes("touch") ? strike : undefined,
  ];
  if (input === "strike") others.push(spot);
  const gaps = others.filter((x) => x !== undefined && x > 0).map((x) => Math.abs(own - x!));
  return Math.min(...gaps, own * Number(row.volatility) * Math.sqrt(Number(row.time_to_expiry)));
}

describe("S4.47 Greeks agree with differences", () => {
  for (const model of exoticModels) {
    test(`${model}: all sixteen, everyday rows`, () => {
      const rows = randomRows(model, 120, 33, everyday).filter((row) => row.extreme_so_far !== row.spot);
      const at = valuesOf(model, rows);
      for (const [greek, below, input] of steps) {
        const step = rows.map((row) => {
          if (input === "spot" || input === "strike") return 0.02 * room(row, input);
          const years = Number(row.time_to_expiry);
          if (input === "volatility" || input === "time_to_expiry") return 0.004 * Number(row[input]);
          return (0.01 * Number(row.volatility)) / Math.sqrt(years);
        });
        const moved = (times: number) =>
          valuesOf(
            model,
            rows.map((row, index) => {
              const by = times * step[index]!;
              const there = { ...row, [input]: Number(row[input]) + by };
              if (input !== "time_to_expiry") return there;
              // every date goes along
              const { fixings, averaging_start: start } = row;
              return {
                ...there,
                ...(fixings ? { fixings: fixings.map((at) => at + by) } : {}),
                ...(start === undefined ? {} : { averaging_start: Number(start) + by }),
              };
            }),
          );
        const [m3, m2, m1, p1, p2, p3] = [-3, -2, -1, 1, 2, 3].map(moved) as [
          Values[],
          Values[],
          Values[],
          Values[],
          Values[],
          Values[],
        ];
        for (const [index, row] of rows.entries()) {
          if (step[index]! < 1e-4) continue;
          const of = (values: Values[]) => values[index]![below];
          const difference = (45 * (of(p1) - of(m1)) - 9 * (of(p2) - of(m2)) + of(p3) - of(m3)) / (60 * step[index]!);
          const expected = input === "time_to_expiry" ? -difference : difference;
          const size = Math.max(...[m3, m2, m1, p1, p2, p3].map((values) => Math.abs(of(values))));
          // relative, and what rounding of the values leaves of a difference
          const tolerance = 1e-6 * Math.abs(expected) + (1e-12 * size) / step[index]! + 1e-9;
          expect(Math.abs(at[index]![greek] - expected), `${greek} ${JSON.stringify(row)}`).toBeLessThanOrEqual(
            tolerance,
          );
        }
      }
    });
  }

  test("lambda is the spot's share in the price", () => {
    for (const model of exoticModels) {
      const rows = randomRows(model, 30, 4, everyday);
      for (const [index, value] of valuesOf(model, rows).entries()) {
        if (value.price === 0) expect(value.lambda).toBeNaN();
        else expect(value.lambda).toBe((Number(rows[index]!.spot) * value.delta) / value.price);
      }
    }
  });
});
