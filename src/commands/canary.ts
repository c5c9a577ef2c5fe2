// `bsopt canary`: sends the same requests to a server in use and to the one that is to take its place, in pairs, and says whether the second
// does as well: errors, answers, latency. The requests change nothing. They come from a seed, so two runs ask the same. Exit code 1
// where the candidate does not pass.

import { Command, InvalidArgumentError } from "commander";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import { printable, quoted } from "../foundation/printable";
import { type Random, seededRandom } from "../foundation/random";
import { type CanaryReport, judge, type Pair, type Side } from "./canary-report";
import { CommandExit, type CommandIo, exitCodes, UsageError } from "./io";
import { readKeyFile, ServerClient, serverAddress } from "./server-client";
import { alignedTable } from "./text-table";

export interface CanaryDependencies {
  readonly io: CommandIo;
  readonly clock: Clock;
}

interface CanaryFlags {
  readonly keyFile: string;
  readonly candidateKeyFile?: string;
  readonly requests: number;
  readonly seed: number;
  readonly latencyRatioMax: number;
  readonly json?: true;
}

/** Less than one in a thousand may fail. */
export const errorRateMax = 0.001;
/** Pairs before those that count: first requests open connections and compile. */
const warmUpCount = 20;

export function canaryCommand({ io, clock }: CanaryDependencies): Command {
  return new Command("canary")
    .description("compare a server with the one that is to take its place: errors, answers, latency")
    .argument("<baseline>", "address of the server in use")
    .argument("<candidate>", "address of the one that is to take its place")
    .requiredOption("--key-file <file>", "a key of both servers, or of the first")
    .option("--candidate-key-file <file>", "a key of the second, where it has others")
    .option("--requests <count>", "pairs of requests", countArgument, 2000)
    .option("--seed <number>", "which requests", countArgument, 1)
    .option("--latency-ratio-max <ratio>", "how many times as long it may take", ratioArgument, 1.5)
    .option("--json", "as JSON")
    .allowExcessArguments(false)
    .action(async (baselineUrl: string, candidateUrl: string, flags: CanaryFlags) => {
      const key = await readKeyFile(io, flags.keyFile);
      const { candidateKeyFile } = flags;
      const candidateKey = candidateKeyFile === undefined ? key : await readKeyFile(io, candidateKeyFile);
      const baseline = new ServerClient(serverAddress(baselineUrl), { key, clock });
      const candidate = new ServerClient(serverAddress(candidateUrl), { key: candidateKey, clock });
      if (baseline.url === candidate.url) throw new UsageError("both addresses are the same");
      const pairs = await pairsOf({ baseline, candidate }, flags);
      const report = judge(pairs, { errorRateMax, latencyRatioMax: flags.latencyRatioMax });
      const orders = "orders: not offered by these servers";
      await io.stdout.write(
        flags.json
          ? `${JSON.stringify({ baseline: baseline.url, candidate: candidate.url, ...report, orders: "not_offered" })}\n`
          : `${shown(report)}${orders}\n${report.passed ? "passed\n" : report.faults.map((fault) => `failed: ${printable(fault)}\n`).join("")}`,
      );
      if (!report.passed) throw new CommandExit(exitCodes.failed);
    });
}

/** One after the other, each pair in the other order than the one before: what comes second finds the machine warmer. */
async function pairsOf(
  servers: { readonly baseline: ServerClient; readonly candidate: ServerClient },
  { requests, seed }: CanaryFlags,
): Promise<Pair[]> {
  const random = seededRandom(BigInt(seed));
  const pairs: Pair[] = [];
  for (let index = -warmUpCount; index < requests; index++) {
    const { path, body, scale } = requestOf(random);
    const ask = (name: "baseline" | "candidate") => sideOf(servers[name], path, body);
    let baseline: Side;
    let candidate: Side;
    if (index % 2 === 0) {
      baseline = await ask("baseline");
      candidate = await ask("candidate");
    } else {
      candidate = await ask("candidate");
      baseline = await ask("baseline");
    }
    const pair = { request: `${path} ${body}`.slice(0, 300), scale, baseline, candidate };
    // What could not be reached before it began is no canary's verdict but a wrong address or key.
    if (index === -warmUpCount) requireBegun(pair);
    if (index >= 0) pairs.push(pair);
  }
  return pairs;
}

function requireBegun({ baseline, candidate }: Pair): void {
  for (const [name, { status, json }] of Object.entries({ baseline, candidate })) {
    if (status === 200) continue;
    const code = (json as { code?: unknown } | undefined)?.code;
    throw new BsoptError({
      reason: "unavailable",
      code: "CANARY_NOT_BEGUN",
      detail: `the ${name} ${status === 0 ? "does not answer" : `answers ${status} ${printable(String(code ?? ""))}`.trimEnd()}`,
      hint: "A canary needs both servers, and a key of each with the scope pricing:read and a rate class that is not limited.",
    });
  }
}

async function sideOf(client: ServerClient, path: string, body: string): Promise<Side> {
  try {
    return await client.ask({ method: "POST", path, withKey: true, body });
  } catch (error) {
    if (!(error instanceof BsoptError) || error.code !== "NO_ANSWER") throw error;
    return { status: 0, milliseconds: 0, json: undefined };
  }
}

const outputs = ["price", "delta", "gamma", "vega", "theta", "rho"];
const batchRows = 200;

/** A price, an implied volatility or a batch over ordinary inputs, in the shares 6, 2 and 2. */
function requestOf(random: Random): { path: string; body: string; scale: number } {
  const between = (low: number, high: number) => low + (high - low) * random.unit();
  const option = () => {
    const underlying = between(20, 500);
    return {
      underlying,
      strike: underlying * between(0.7, 1.4),
      volatility: between(0.05, 0.9),
      isCall: random.unit() < 0.5,
    };
  };
  const isForward = random.unit() < 0.3;
  const model = isForward ? "black_76" : "black_scholes_merton";
  const own = (underlying: number | number[]) =>
    isForward ? { forward: underlying } : { spot: underlying, dividend_yield: between(0, 0.04) };
  const common = { model, rate: between(-0.01, 0.08), time_to_expiry: between(0.02, 3) };
  const kind = random.unit();
  if (kind < 0.2) {
    const rows = Array.from({ length: batchRows }, option);
    const body = {
      ...common,
      ...own(rows.map(({ underlying }) => underlying)),
      option_type: rows.map(({ isCall }) => (isCall ? "call" : "put")),
      strike: rows.map(({ strike }) => strike),
      volatility: rows.map(({ volatility }) => volatility),
      outputs,
    };
    const scale = Math.max(...rows.map(({ underlying, strike }) => Math.max(underlying, strike)));
    return { path: "/api/v1/pricing/batch", body: JSON.stringify(body), scale };
  }
  const { underlying, strike, volatility, isCall } = option();
  const single = { ...common, ...own(underlying), strike, option_type: isCall ? "call" : "put" };
  const scale = Math.max(underlying, strike);
  if (kind < 0.4) {
    // A price between the bounds of every option with these inputs, or one that is refused in a status: both servers say the same.
    const body = { ...single, price: underlying * between(0.3, 0.6) };
    return { path: "/api/v1/pricing/implied-volatility", body: JSON.stringify(body), scale };
  }
  return { path: "/api/v1/pricing/price", body: JSON.stringify({ ...single, volatility, outputs }), scale };
}

function shown({ pairs, errors, answers, latency }: CanaryReport): string {
  const line = (name: "baseline" | "candidate") => [
    name,
    `${errors[name]}`,
    `${latency[name].p50.toFixed(2)} ms`,
    `${latency[name].p95.toFixed(2)} ms`,
  ];
  const ratio = ["ratio", "", latency.ratio.p50.toFixed(2), latency.ratio.p95.toFixed(2)];
  const table = alignedTable(["server", "errors", "p50", "p95"], [line("baseline"), line("candidate"), ratio]);
  const engines = answers.sameEngine ? "of the same engine, bit for bit" : "of two engines, within what both allow";
  return `${pairs} requests to each\n${table}${answers.compared} answers compared ${engines}: ${answers.different} differ\n`;
}

function countArgument(text: string): number {
  const value = Number(text);
  if (!/^\d{1,7}$/.test(text) || value < 1) throw new InvalidArgumentError(`${quoted(text)} is no count from 1 on.`);
  return value;
}

function ratioArgument(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 1 && value <= 100))
    throw new InvalidArgumentError(`${quoted(text)} is no ratio from 1 to 100.`);
  return value;
}
