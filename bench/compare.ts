// How benches compare: contenders in turns over many rounds of one run, so that a busy machine slows all alike; best and median
// of each; and ratios, the only figures that are judged (build/bench.ts reads the RATIO lines). Separate so that every
// bench measures the same way. It must not read the time by itself: the clock is handed in.

import type { Clock } from "../src/foundation/clock";

/** One way of doing the work; `run` does it once, over `rows` options. */
export interface Contender {
  readonly name: string;
  readonly rows: number;
  readonly run: () => unknown;
}

/** The same where the work is waited for. */
export interface AwaitedContender extends Contender {
  readonly run: () => Promise<unknown>;
}

/** Nanoseconds an option. */
export interface Measurement {
  readonly name: string;
  readonly rows: number;
  readonly bestNanoseconds: number;
  readonly medianNanoseconds: number;
}

/** How many times one contender is faster than another, by their best rounds; `floor` is what it should at least be. */
export interface Ratio {
  readonly name: string;
  readonly ratio: number;
  readonly floor: number;
}

export interface CompareOptions {
  readonly clock: Clock;
  /** Rounds; each runs every contender once. */
  readonly rounds: number;
  /** Options each contender prices in a round: as many calls as that takes. */
  readonly rowsPerRound: number;
}

/** Measures the contenders in turns, after one uncounted round. */
export function compare(contenders: readonly Contender[], options: CompareOptions): Measurement[] {
  const { clock, rounds, rowsPerRound } = options;
  const times = contenders.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    for (const [index, { run, rows }] of contenders.entries()) {
      const calls = Math.max(1, Math.round(rowsPerRound / rows));
      const start = clock.monotonicMilliseconds();
      for (let call = 0; call < calls; call++) run();
      const nanoseconds = ((clock.monotonicMilliseconds() - start) * 1e6) / (calls * rows);
      if (round >= 0) times[index]!.push(nanoseconds);
    }
  }
  return measurementsOf(contenders, times);
}

/** The same for work that is waited for. */
export async function compareAwaited(
  contenders: readonly AwaitedContender[],
  options: CompareOptions,
): Promise<Measurement[]> {
  const { clock, rounds, rowsPerRound } = options;
  const times = contenders.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    for (const [index, { run, rows }] of contenders.entries()) {
      const calls = Math.max(1, Math.round(rowsPerRound / rows));
      const start = clock.monotonicMilliseconds();
      for (let call = 0; call < calls; call++) await run();
      const nanoseconds = ((clock.monotonicMilliseconds() - start) * 1e6) / (calls * rows);
      if (round >= 0) times[index]!.push(nanoseconds);
    }
  }
  return measurementsOf(contenders, times);
}

function measurementsOf(contenders: readonly Contender[], times: readonly number[][]): Measurement[] {
  return contenders.map(({ name, rows }, index) => {
    const sorted = times[index]!.toSorted((a, b) => a - b);
    return { name, rows, bestNanoseconds: sorted[0]!, medianNanoseconds: sorted[sorted.length >> 1]! };
  });
}

/** How many times `fast` is faster than `slow`. Throws RangeError where either was not measured. */
export function ratioOf(
  measurements: readonly Measurement[],
  options: { readonly name: string; readonly fast: string; readonly slow: string; readonly floor: number },
): Ratio {
  const { name, fast, slow, floor } = options;
  const best = (contender: string) => {
    const found = measurements.find((measurement) => measurement.name === contender);
    if (found === undefined) throw new RangeError(`${contender} was not measured`);
    return found.bestNanoseconds;
  };
  return { name, ratio: best(slow) / best(fast), floor };
}

/** The table for a person, then a RATIO line for each judged figure; ends with a newline. */
export function describe(title: string, measurements: readonly Measurement[], ratios: readonly Ratio[]): string {
  const width = Math.max(...measurements.map(({ name }) => name.length), title.length);
  const line = (name: string, ...cells: readonly string[]) =>
    `${name.padEnd(width)}${cells.map((cell) => cell.padStart(12)).join("")}`;
  return `${[
    line(title, "options", "best ns", "median ns"),
    ...measurements.map(({ name, rows, bestNanoseconds, medianNanoseconds }) =>
      line(name, String(rows), bestNanoseconds.toFixed(1), medianNanoseconds.toFixed(1)),
    ),
    ...ratios.map(({ name, ratio }) => `${name}: ${ratio.toFixed(2)} times`),
    ...ratios.map((ratio) => `RATIO ${JSON.stringify(ratio)}`),
  ].join("\n")}\n`;
}
