// `bsopt bench`: how fast this very executable prices on this machine, through the same door the server uses.
// Times on a shared machine vary: best and median stand side by side, and `bsopt verify` shows the ratio to the
// plain twin, which is what can be compared between machines.

import { Command } from "commander";
import { defaultOutputs } from "../engine/catalog";
import type { Engine } from "../engine/engine";
import type { Clock } from "../foundation/clock";
import { type CommandIo, UsageError } from "./io";

export interface BenchDependencies {
  readonly io: CommandIo;
  readonly engine: () => Engine;
  readonly clock: Clock;
}

export interface BenchRow {
  readonly task: "price_and_greeks" | "implied_volatility";
  readonly rows: number;
  readonly rounds: number;
  /** Nanoseconds an option. */
  readonly best_ns: number;
  readonly median_ns: number;
}

const sizes = [1, 100, 1_000, 10_000, 100_000];
const roundsMin = 5;
const roundsMax = 20_000;

/** A spread of strikes, times and volatilities around a spot of 100, the same at every call. */
function sample(rows: number) {
  const column = (low: number, high: number, step: number) =>
    Float64Array.from({ length: rows }, (_, index) => low + (high - low) * ((index * step) % 1));
  return {
    isCall: Uint8Array.from({ length: rows }, (_, index) => index & 1),
    inputs: {
      spot: 100,
      strike: column(70, 140, 0.618_033_988_75),
      time_to_expiry: column(0.02, 2, 0.414_213_562_37),
      rate: 0.03,
      dividend_yield: 0.01,
      volatility: column(0.1, 0.6, 0.732_050_807_57),
    },
  };
}

/** Times `work` for about the given time and tells nanoseconds an option. */
function time(options: {
  task: BenchRow["task"];
  rows: number;
  milliseconds: number;
  clock: Clock;
  work: () => void;
}): BenchRow {
  const { task, rows, milliseconds, clock, work } = options;
  const durations: number[] = [];
  const end = clock.monotonicMilliseconds() + milliseconds;
  while (durations.length < roundsMin || (durations.length < roundsMax && clock.monotonicMilliseconds() < end)) {
    const start = clock.monotonicMilliseconds();
    work();
    durations.push(clock.monotonicMilliseconds() - start);
  }
  durations.sort((a, b) => a - b);
  const nanoseconds = (duration: number) => (duration * 1e6) / rows;
  return {
    task,
    rows,
    rounds: durations.length,
    best_ns: nanoseconds(durations[0]!),
    median_ns: nanoseconds(durations[durations.length >> 1]!),
  };
}

export function measure(engine: Engine, clock: Clock, millisecondsEach: number): BenchRow[] {
  return sizes.flatMap((rows) => {
    const { isCall, inputs } = sample(rows);
    const { volatility, ...market } = inputs;
    const request = { model: "black_scholes_merton", count: rows, isCall, units: "market" } as const;
    const price = engine.price({ ...request, inputs, outputs: ["price"] }).columns.price!;
    const timed = (task: BenchRow["task"], work: () => void) =>
      time({ task, rows, milliseconds: millisecondsEach, clock, work });
    return [
      timed("price_and_greeks", () => engine.price({ ...request, inputs, outputs: defaultOutputs })),
      timed("implied_volatility", () =>
        engine.impliedVolatility({ ...request, inputs: market, price, onUnattainable: "null" }),
      ),
    ];
  });
}

/** Prints nanoseconds an option and options a second for several batch sizes. */
export function benchCommand(dependencies: BenchDependencies): Command {
  const { io, engine, clock } = dependencies;
  return new Command("bench")
    .description("time the kernel inside this executable on this machine")
    .option("--milliseconds <n>", "time spent on each row of the table", "200")
    .option("--json", "as JSON")
    .action(async ({ milliseconds, json }: { milliseconds: string; json?: true }) => {
      if (!/^\d{1,5}$/.test(milliseconds)) throw new UsageError("--milliseconds takes a whole number up to 99999");
      const rows = measure(engine(), clock, Number(milliseconds));
      if (json) return await io.stdout.write(`${JSON.stringify(rows)}\n`);
      const lines = rows.map(
        ({ task, rows: count, best_ns, median_ns }) =>
          `${task.padEnd(19)}${String(count).padStart(8)}${best_ns.toFixed(1).padStart(12)}${median_ns.toFixed(1).padStart(12)}${(1000 / median_ns).toFixed(2).padStart(12)}`,
      );
      const head = `${"".padEnd(19)}${"options".padStart(8)}${"best ns".padStart(12)}${"median ns".padStart(12)}${"million/s".padStart(12)}`;
      await io.stdout.write(`${[head, ...lines].join("\n")}\n`);
    });
}
