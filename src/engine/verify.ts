// Checks the kernel inside this very program: every golden table it carries, and its speed beside the plain TypeScript twin,
// timed in turns so that a busy machine slows both. Separate from the tests because it ships: a customer runs it on the
// machine that will price. It judges numbers only; a slow machine is told, never failed.

import { assert } from "../foundation/assert";
import type { Clock } from "../foundation/clock";
import { defaultOutputs } from "./catalog";
import type { Engine, ImpliedVolatilityRequest, PriceRequest } from "./engine";
import { checkAmerican } from "./golden/american";
import { checkApproximations } from "./golden/approximations";
import { checkBachelier } from "./golden/bachelier";
import { checkBlack } from "./golden/black";
import { checkDividends } from "./golden/dividends";
import { checkExotic } from "./golden/exotic";
import { checkImpliedVolatility } from "./golden/implied-volatility";
import { checkStochastic } from "./golden/stochastic";
import { pricePlain } from "./plain";
import { impliedVolatilityPlain } from "./plain-implied-volatility";
import type { OutputCheck, SpeedCheck, VerifyReport } from "./verify-report";

export type { OutputCheck, SpeedCheck, VerifyReport } from "./verify-report";

/** Rows a timed round works on: the columns stay in the second-level cache. */
const timedRows = 4096;
/** Rounds, each timing the kernel and then the twin; and calls of each within a round. */
const timedRounds = 15;
const callsPerRound = 8;

/** Runs every check. Takes about a third of a second. */
export function verify(engine: Engine, options: { readonly clock: Clock }): VerifyReport {
  const checks: OutputCheck[] = [
    ...checkBlack((request) => engine.price(request)),
    ...checkBachelier((request) => engine.price(request)),
    ...checkImpliedVolatility(engine),
    ...checkAmerican((request) => engine.price(request)),
    ...checkDividends((request) => engine.price(request)),
    ...checkApproximations((request) => engine.price(request)),
    ...checkExotic((request) => engine.price(request)),
    ...checkStochastic((request) => engine.price(request)),
  ];
  const sample = sampleRequest();
  const prices = priceSample(engine, sample);
  const speeds = [
    timeBoth(
      "price_and_greeks",
      options.clock,
      () => engine.price(sample),
      () => pricePlain(sample),
    ),
    timeBoth(
      "implied_volatility",
      options.clock,
      () => engine.impliedVolatility(prices),
      () => impliedVolatilityPlain(prices),
    ),
  ];
  return { passed: checks.every((check) => check.passed), wasm_sha256: engine.info.wasmSha256, checks, speeds };
}

/** The report as a table for a terminal, ending with a newline. */
export function describeReport(report: VerifyReport): string {
  const lines = report.checks.map(({ table, output, measure, rows, worst, tolerance, passed }) =>
    [
      passed ? "ok  " : "FAIL",
      table.padEnd(26),
      output.padEnd(20),
      String(rows).padStart(5),
      worst.toExponential(1).padStart(9),
      `≤ ${tolerance.toExponential(0).padEnd(6)}`,
      measure,
    ].join(" "),
  );
  const head = `     ${"table".padEnd(26)} ${"output".padEnd(20)} ${"rows".padStart(5)} ${"worst".padStart(9)}`;
  const speeds = report.speeds.map(
    ({ task, kernel_ns, plain_ns, ratio }) =>
      `${task}: ${kernel_ns.toFixed(1)} ns an option, plain TypeScript ${plain_ns.toFixed(1)} ns, ${ratio.toFixed(2)} times as fast`,
  );
  const verdict = report.passed ? "every table holds" : "A TABLE DOES NOT HOLD";
  return `${[head, ...lines, "", ...speeds, "", `${verdict} (wasm ${report.wasm_sha256.slice(0, 16)})`].join("\n")}\n`;
}

/** Best time of each over interleaved rounds. */
function timeBoth(task: SpeedCheck["task"], clock: Clock, kernel: () => unknown, plain: () => unknown): SpeedCheck {
  let kernelBest = Number.POSITIVE_INFINITY;
  let plainBest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < timedRounds; round++) {
    kernelBest = Math.min(kernelBest, time(clock, kernel));
    plainBest = Math.min(plainBest, time(clock, plain));
  }
  return { task, kernel_ns: kernelBest, plain_ns: plainBest, ratio: plainBest / kernelBest };
}

function time(clock: Clock, work: () => unknown): number {
  const start = clock.monotonicMilliseconds();
  for (let call = 0; call < callsPerRound; call++) work();
  return ((clock.monotonicMilliseconds() - start) * 1e6) / (callsPerRound * timedRows);
}

/** Options as a market has them, spread evenly and the same on every machine; calls and puts in turn. */
function sampleRequest(): PriceRequest {
  const column = (low: number, high: number, stride: number) =>
    Float64Array.from({ length: timedRows }, (_, row) => low + (high - low) * ((row * stride) % 1));
  return {
    model: "black_scholes_merton",
    count: timedRows,
    isCall: Uint8Array.from({ length: timedRows }, (_, row) => row & 1),
    inputs: {
      spot: column(95, 105, 0.2360679774997897),
      strike: column(60, 150, 0.6180339887498949),
      time_to_expiry: column(0.02, 2, 0.4142135623730951),
      rate: column(0, 0.05, 0.7320508075688772),
      dividend_yield: column(0, 0.03, 0.23606797749978967),
      volatility: column(0.1, 0.6, 0.6457513110645907),
    },
    outputs: defaultOutputs,
    units: "market",
  };
}

/** The sample's own prices, to be turned back into its volatilities. */
function priceSample(engine: Engine, sample: PriceRequest): ImpliedVolatilityRequest {
  const { model, count, isCall, inputs } = sample;
  const { volatility: _, ...market } = inputs;
  const { price } = engine.price(sample).columns;
  assert(price !== undefined, "the sample asks for its price");
  return { model, count, isCall, inputs: market, price, onUnattainable: "null" };
}
