// Digital, barrier and lookback prices against integrals over densities (tests/harness/exotic-twin.ts), on random everyday and wild rows of
// every word of the contract.

import { beforeAll, describe, expect, test } from "bun:test";
import type { Engine } from "../../../src/engine/engine";
import { type ExoticRow, everyday, exoticRequest, randomRows, type Wildness, wild } from "../../harness/exotic";
import { extremeTwin, hitOneTwin, hitTwin, livingTwin, type TwinRow } from "../../harness/exotic-twin";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

type Numbers = Record<string, number>;

function twinRow(row: ExoticRow): TwinRow {
  const { spot, time_to_expiry: time, rate, dividend_yield: dividendYield, volatility } = row as unknown as Numbers;
  return { spot: spot!, time: time!, rate: rate!, dividendYield: dividendYield!, volatility: volatility! };
}

function bounds(row: ExoticRow): [number | null, number | null] {
  const { barrier, upper_barrier: upper } = row as unknown as Numbers;
  const type = String(row.barrier_type ?? "none");
  if (type === "none") return [null, null];
  if (type.startsWith("double")) return [barrier!, upper!];
  return type.startsWith("down") ? [barrier!, null] : [null, barrier!];
}

/** In if it is a knock-in: all less what lives. */
function knocked(row: ExoticRow, payoff: (spot: number) => number): number {
  const [lower, upper] = bounds(row);
  const market = twinRow(row);
  const kinks = [Number(row.strike)];
  const living = livingTwin(market, lower, upper, payoff, kinks);
  return String(row.barrier_type).endsWith("in") ? livingTwin(market, null, null, payoff, kinks) - living : living;
}

function hitEither(row: ExoticRow): number {
  const [lower, upper] = bounds(row);
  const market = twinRow(row);
  if (lower !== null && upper !== null) {
    return hitOneTwin(market, lower, upper, true) + hitOneTwin(market, lower, upper, false);
  }
  return hitTwin(market, (lower ?? upper)!);
}

function barrierTwin(row: ExoticRow): number {
  const { strike, rebate } = row as unknown as Numbers;
  const option = knocked(row, (spot) => Math.max(row.isCall ? spot - strike! : strike! - spot, 0));
  if (rebate === 0) return option;
  const [lower, upper] = bounds(row);
  const isIn = String(row.barrier_type).endsWith("in");
  return option + rebate! * (isIn ? livingTwin(twinRow(row), lower, upper, () => 1, []) : hitEither(row));
}

function digitalTwin(row: ExoticRow): number {
  const { strike, cash, gap_strike: gap } = row as unknown as Numbers;
  const beyond = (spot: number) => (row.isCall ? spot > strike! : spot < strike!);
  const level: [number | null, number | null] = row.isCall ? [null, strike!] : [strike!, null];
  const market = twinRow(row);
  const paid = (spot: number) => (String(row.payoff).startsWith("asset") ? spot : cash!);
  switch (row.payoff) {
    case "cash":
    case "asset":
      return knocked(row, (spot) => (beyond(spot) ? paid(spot) : 0));
    case "gap":
      return knocked(row, (spot) => (beyond(spot) ? (row.isCall ? spot - gap! : gap! - spot) : 0));
    case "one_touch":
      return cash! * hitTwin(market, strike!);
    case "asset_touch":
      return strike! * hitTwin(market, strike!);
    case "no_touch":
    case "asset_no_touch":
      return livingTwin(market, ...level, paid, []);
    default:
      return livingTwin(market, null, null, paid, []) - livingTwin(market, ...level, paid, []);
  }
}

function lookbackTwin(row: ExoticRow): number {
  const { strike, extreme_so_far: seen, spot, time_to_expiry: time, dividend_yield: q } = row as unknown as Numbers;
  const isFixed = row.strike_type === "fixed";
  const isMaximum = isFixed === row.isCall;
  const whole = (extreme: number) => (isMaximum ? Math.max(extreme, seen!) : Math.min(extreme, seen!));
  if (isFixed) {
    const payoff = (extreme: number) => Math.max(row.isCall ? whole(extreme) - strike! : strike! - whole(extreme), 0);
    return extremeTwin(twinRow(row), isMaximum, payoff, [strike!, seen!]);
  }
  const expected = extremeTwin(twinRow(row), isMaximum, whole, [seen!]);
  const asset = spot! * Math.exp(-q! * time!);
  return isMaximum ? expected - asset : asset - expected;
}

const twins = { barrier: barrierTwin, digital: digitalTwin, lookback: lookbackTwin };

describe("S4.47 random rows agree with integrals over densities", () => {
  const everywhere: [string, Wildness, number][] = [
    ["everyday", everyday, 2e-14],
    ["wild", wild, 2e-13],
  ];
  for (const model of ["barrier", "digital", "lookback"] as const) {
    test.each(everywhere)(`${model}, %s`, (name, wildness, tolerance) => {
      const seed = name === "wild" ? 77 : 7;
      const rows = randomRows(model, 150, seed, wildness);
      const { columns, status } = engine.price(exoticRequest(model, rows, ["price"]));
      for (const [index, row] of rows.entries()) {
        const shown = `seed ${seed}, row ${index}: ${JSON.stringify(row)}`;
        const expected = twins[model](row);
        const { spot, time_to_expiry: time, rate, dividend_yield: q } = row as unknown as Numbers;
        // what a price is made of: spot and strike, grown where rates are below 0
        const size = Math.max(spot!, Number(row.strike)) * Math.exp(Math.max(0, -rate! * time!, -q! * time!));
        expect(status[index], shown).toBe(0);
        expect(Math.abs(columns.price![index]! - expected) / size, shown).toBeLessThanOrEqual(tolerance);
      }
    });
  }

  test("barriers that a drift of many deviations meets: what overflows and what vanishes come together", () => {
    const rows = [0.002, 0.004, 0.01].flatMap((volatility) =>
      [-2, 0, 1.5].flatMap((deviations) =>
        (["up_in", "up_out", "down_in", "down_out"] as const).map((barrier_type): ExoticRow => {
          const up = barrier_type.startsWith("up");
          const rate = up ? 0.12 : -0.12;
          const barrier = 100 * Math.exp(rate + deviations * volatility);
          return {
            isCall: up,
            spot: 100,
            strike: barrier * (up ? 1.001 : 0.999),
            time_to_expiry: 1,
            rate,
            dividend_yield: 0,
            volatility,
            barrier_type,
            barrier,
            upper_barrier: 0,
            rebate: barrier_type.endsWith("in") ? 4 : 0,
          };
        }),
      ),
    );
    const { columns, status } = engine.price(exoticRequest("barrier", rows, ["price"]));
    for (const [index, row] of rows.entries()) {
      expect(status[index]).toBe(0);
      expect(Math.abs(columns.price![index]! - barrierTwin(row)), JSON.stringify(row)).toBeLessThanOrEqual(2e-11);
    }
    // some are decided by chance
    expect(columns.price!.filter((price) => price > 0.01 && price < 3.9).length).toBeGreaterThan(5);
  });

  test("a touch that another barrier may end, everyday", () => {
    const rows = randomRows("barrier", 120, 9, everyday)
      .filter((row) => String(row.barrier_type).startsWith("double"))
      .flatMap((row): ExoticRow[] => {
        const { barrier, upper_barrier: upper, rebate: _, ...market } = row;
        const both = { ...market, payoff: "one_touch", cash: 10 };
        return [
          { ...both, isCall: false, strike: barrier!, barrier: upper!, barrier_type: "up_out" },
          { ...both, isCall: true, strike: upper!, barrier: barrier!, barrier_type: "down_out" },
          { ...both, isCall: true, strike: upper!, barrier: barrier!, barrier_type: "down_out", payoff: "no_touch" },
        ];
      });
    const { columns, status } = engine.price(exoticRequest("digital", rows, ["price"]));
    for (const [index, row] of rows.entries()) {
      const levels = [Number(row.strike), Number(row.barrier)];
      const lower = Math.min(...levels);
      const upper = Math.max(...levels);
      const expected =
        row.payoff === "no_touch"
          ? 10 * livingTwin(twinRow(row), lower, upper, () => 1, [])
          : 10 * hitOneTwin(twinRow(row), lower, upper, !row.isCall);
      expect(status[index]).toBe(0);
      expect(Math.abs(columns.price![index]! - expected), JSON.stringify(row)).toBeLessThanOrEqual(1e-12);
    }
  });
});
