// `bsopt chain`: a real chain, from a file to volatilities, prices and Greeks. Decides what is read and how it is shown; what
// is computed is surfaces/chain. What was inferred is told: per expiry in the table's head lines and in the JSON document, on
// standard error for the other formats.

import { Command, Option } from "commander";
import { readChainFile } from "../adapters/feeds/chain-file";
import { plainChainColumns } from "../adapters/feeds/plain-columns";
import { writeTable } from "../adapters/tabular/formats";
import { type ColumnTable, fileLimits, overLimit, type TableColumn } from "../adapters/tabular/table";
import { decimals, foldLine, layOutTable, type TerminalColumn } from "../adapters/tabular/terminal";
import { formatCivilDate } from "../domain/calendar";
import type { ChainFile, ChainRow } from "../domain/chain";
import type { Units } from "../engine/catalog";
import { unreachable } from "../foundation/assert";
import { type EpochMicroseconds, formatTimestamp } from "../foundation/clock";
import {
  type ChainExpiry,
  type ChainReason,
  type ChainRequest,
  type ChainValuation,
  chainReasons,
  type VolatilityChoice,
  valueChain,
  volatilityChoices,
} from "../surfaces/chain";
import { type ParitySource, parityFailureDetail } from "../surfaces/parity";
import {
  formatOption,
  leftOutNote,
  momentArgument,
  numberArgument,
  type PricingCommandDependencies,
  type PrintFormat,
  printFormat,
  unitsOption,
} from "./arguments";
import { CommandExit, exitCodes, type OutputStream, UsageError } from "./io";
import { deliver } from "./output";
import { createProgress, type Progress } from "./progress";

interface ChainFlags {
  readonly rate?: number;
  readonly dividendYield?: number;
  readonly spot?: number;
  readonly volatility: VolatilityChoice;
  readonly units: Units;
  readonly valuationTime?: EpochMicroseconds;
  readonly format?: PrintFormat;
  readonly json?: true;
  readonly output?: string;
}

/** Faults shown in words; the rest are counted. */
const faultsShownMax = 20;

/** Reads chains, infers what isn't given, prices every option. Exit code 3 where some have no price. */
export function chainCommand(dependencies: PricingCommandDependencies): Command {
  return new Command("chain")
    .description("price a real option chain: a Cboe quote table as downloaded, or plain columns")
    .argument(
      "<file...>",
      `quote tables or files with the columns ${plainChainColumns.join(", ")} (enough: symbol, bid, ask); - is standard input`,
    )
    .option("--rate <rate>", "interest rate, continuous (0.04 is 4 %); else inferred per expiry", numberArgument)
    .option("--dividend-yield <yield>", "dividend yield, continuous; else inferred per expiry", numberArgument)
    .option("--spot <price>", "price of the underlying instead of the file's", numberArgument)
    .addOption(
      new Option("--volatility <which>", "volatility to price at: of the quotes, or the file's own")
        .choices(volatilityChoices)
        .default("mid"),
    )
    .addOption(unitsOption())
    .option("--valuation-time <moment>", "moment of the quotes where the file doesn't say; else now", momentArgument)
    .addOption(formatOption())
    .option("--json", "the same as --format json")
    .option("-o, --output <file>", "write there; the ending tells the format")
    .action((files: string[], flags: ChainFlags) => runChain(dependencies, files, flags));
}

async function runChain(dependencies: PricingCommandDependencies, paths: string[], flags: ChainFlags): Promise<void> {
  const { io, clock } = dependencies;
  const format = printFormat(flags, "table");
  checkFlags(flags, paths);
  const progress = createProgress(io.stderr, clock, "chain");
  const files = await readFiles(dependencies, paths, flags, progress);
  const rows = files.flatMap((file) => file.rows);
  const request: ChainRequest = {
    rows,
    volatility: flags.volatility,
    units: flags.units,
    rate: flags.rate,
    dividendYield: flags.dividendYield,
    spot: flags.spot,
  };
  const valuing = valueChain(dependencies.engine(), request);
  let step = valuing.next();
  for (; !step.done; step = valuing.next()) await progress.update(step.value, rows.length);
  await progress.finish();
  const valuation = step.value;

  await tellFaults(dependencies, files);
  for (const note of notesOf(valuation, request)) await io.stderr.write(`note: ${note}\n`);
  if (format === "table") {
    const { chunks, dropped } = tableChunks(request, valuation, io.stdout);
    if (dropped.length > 0) await io.stderr.write(`${leftOutNote(dropped)}\n`);
    await deliver(io, flags.output, chunks);
  } else {
    if (format !== "json")
      for (const expiry of valuation.expiries) await io.stderr.write(`note: ${headLines(expiry).join(", ")}\n`);
    await deliver(
      io,
      flags.output,
      writeTable(format, columnTable(request, valuation), head(files, request, valuation)),
    );
  }
  await io.stderr.write(`${summary(valuation)}\n`);
  if (valuation.pricedCount < rows.length) throw new CommandExit(exitCodes.partial);
}

function checkFlags({ rate, dividendYield, spot }: ChainFlags, paths: readonly string[]): void {
  for (const [flag, value] of Object.entries({ "--rate": rate, "--dividend-yield": dividendYield, "--spot": spot }))
    if (value !== undefined && !Number.isFinite(value)) throw new UsageError(`${flag} must be a finite number`);
  if (spot !== undefined && spot <= 0) throw new UsageError("--spot must be above zero");
  if (paths.filter((path) => path === "-").length > 1) throw new UsageError("standard input can be read only once");
}

async function readFiles(
  { io, clock }: PricingCommandDependencies,
  paths: readonly string[],
  flags: ChainFlags,
  progress: Progress,
): Promise<ChainFile[]> {
  const defaults = { asOf: flags.valuationTime ?? clock.nowMicroseconds(), spot: Number.NaN };
  const files: ChainFile[] = [];
  let rowCount = 0;
  for (const path of paths) {
    const [source, name] = path === "-" ? [io.stdin(), "standard input"] : [io.readFile(path), path];
    const file = await readChainFile(progress.reading(source), name, fileLimits, defaults);
    rowCount += file.rows.length;
    if (rowCount > fileLimits.rowsMax) throw overLimit(name, `brings the rows over ${fileLimits.rowsMax}`);
    files.push(file);
  }
  return files;
}

async function tellFaults({ io }: PricingCommandDependencies, files: readonly ChainFile[]): Promise<void> {
  const faults = files.flatMap((file) => file.faults);
  const count = files.reduce((sum, file) => sum + file.faultCount, 0);
  for (const { file, line, detail } of faults.slice(0, faultsShownMax))
    await io.stderr.write(`${file} line ${line}: ${detail}\n`);
  if (count > faultsShownMax) await io.stderr.write(`… and ${count - faultsShownMax} more faults\n`);
}

/** Rates beyond these make one doubt the quotes. */
const rateDoubtMin = -0.05;
const rateDoubtMax = 0.15;

/** What a reader of the numbers should know about how they came about. */
function notesOf({ expiries }: ChainValuation, request: ChainRequest): string[] {
  const notes: string[] = [];
  const american = new Set(expiries.filter(({ contract }) => contract.style === "american").map(({ root }) => root));
  if (american.size > 0)
    notes.push(
      `options on ${[...american].join(", ")} are American and are priced as European; parity holds only nearly for them`,
    );
  if (expiries.some(({ spot }) => !(spot > 0)))
    notes.push("without a spot (--spot), delta is per unit of the prepaid forward");
  for (const { contract, parity } of expiries) {
    const isDoubtful =
      parity && request.rate === undefined && !(parity.rate >= rateDoubtMin && parity.rate <= rateDoubtMax);
    if (isDoubtful)
      notes.push(
        `${contract.root} ${formatCivilDate(contract.expiryDate)}: a rate of ${percent(parity.rate)} is hard to believe; give --rate`,
      );
  }
  return notes;
}

function percent(value: number): string {
  return Number.isFinite(value) ? `${(value * 100).toFixed(3)} %` : "unknown";
}

/** One expiry's name and time, then its forward, discount and rate and where they come from: two lines. */
function headLines({ contract, asOf, timeToExpiry, parity, failure }: ChainExpiry): readonly string[] {
  const name = `${contract.root} ${formatCivilDate(contract.expiryDate)} ${contract.settlement}`;
  const time = `${decimals(timeToExpiry, 4)} years from ${formatTimestamp(asOf).slice(0, 16)}Z`;
  if (parity === null) return [`${name}: ${time}`, `no forward: ${parityFailureDetail[failure!]}`];
  const numbers = [
    `forward ${decimals(parity.forward, 4)}`,
    `discount ${decimals(parity.discount, 6)}`,
    `rate ${percent(parity.rate)}`,
    `dividend yield ${percent(parity.dividendYield)}`,
  ];
  const fit = `over ${parity.strikesUsed} of ${parity.strikesSeen} strikes (residual ${parity.residualRms.toPrecision(2)})`;
  return [`${name}: ${time}`, [...numbers, sourceInWords(parity.source, fit)].join(", ")];
}

function sourceInWords(source: ParitySource, fit: string): string {
  switch (source) {
    case "parity":
      return `parity ${fit}`;
    case "parity_with_rate":
      return `rate given, parity ${fit}`;
    case "parity_with_dividend_yield":
      return `yield given, parity ${fit}`;
    case "given":
      return "rate and yield given";
    default:
      return unreachable(source);
  }
}

function summary({ reasons, pricedCount }: ChainValuation): string {
  const total = `${reasons.length} options, ${pricedCount} priced`;
  const counts = chainReasons.flatMap((reason) => {
    const count = reasons.filter((each) => each === reason).length;
    return count > 0 ? [`${reason} ${count}`] : [];
  });
  return counts.length > 0 ? `${total}, ${reasons.length - pricedCount} not: ${counts.join(", ")}` : total;
}

/** The contract's columns, in its order. */
function columnTable({ rows }: ChainRequest, valuation: ChainValuation): ColumnTable {
  const { columns, status, reasons } = valuation;
  const text = (name: string, of: (row: ChainRow) => string | null): TableColumn => ({
    name,
    kind: "text",
    values: rows.map(of),
  });
  const number = (name: string, values: Float64Array): TableColumn => ({ name, kind: "number", values });
  const quoteNumber = (name: string, of: (row: ChainRow) => number) => number(name, Float64Array.from(rows, of));
  return {
    count: rows.length,
    columns: [
      text("symbol", (row) => row.contract?.symbol ?? null),
      text("underlying", (row) => row.contract?.underlying ?? null),
      text("expiry", (row) => (row.contract ? formatTimestamp(row.contract.expiry) : null)),
      text("option_type", (row) => row.contract?.optionType ?? null),
      quoteNumber("strike", (row) => row.contract?.strike ?? Number.NaN),
      quoteNumber("bid", (row) => row.bid),
      quoteNumber("ask", (row) => row.ask),
      number("mid", columns.mid),
      number("iv_bid", columns.ivBid),
      number("iv_mid", columns.ivMid),
      number("iv_ask", columns.ivAsk),
      quoteNumber("iv_vendor", (row) => row.vendorVolatility),
      number("forward", columns.forward),
      number("discount", columns.discount),
      number("time_to_expiry", columns.timeToExpiry),
      number("price", columns.price),
      number("delta", columns.delta),
      number("gamma", columns.gamma),
      number("vega", columns.vega),
      number("theta", columns.theta),
      number("rho", columns.rho),
      { name: "status", kind: "integer", values: status },
      { name: "reason", kind: "text", values: reasons },
    ],
  };
}

/** What the JSON document says beside its rows. */
function head(files: readonly ChainFile[], request: ChainRequest, valuation: ChainValuation): Record<string, unknown> {
  const orNull = (value: number | undefined) => (value !== undefined && Number.isFinite(value) ? value : null);
  return {
    model: "black_scholes_merton",
    units: request.units,
    volatility: request.volatility,
    count: request.rows.length,
    priced: valuation.pricedCount,
    files: files.map(({ name, kind, rows, faults, faultCount }) => ({
      name,
      kind,
      count: rows.length,
      fault_count: faultCount,
      faults: faults.map(({ line, detail }) => ({ line, detail })),
    })),
    expiries: valuation.expiries.map(({ contract, asOf, spot, timeToExpiry, parity, failure, rowIndexes }) => ({
      root: contract.root,
      underlying: contract.underlying,
      expiry: formatTimestamp(contract.expiry),
      settlement: contract.settlement,
      valuation_time: formatTimestamp(asOf),
      time_to_expiry: timeToExpiry,
      spot: orNull(spot),
      forward: orNull(parity?.forward),
      discount: orNull(parity?.discount),
      rate: orNull(parity?.rate),
      dividend_yield: orNull(parity?.dividendYield),
      source: parity?.source ?? null,
      strikes_seen: parity?.strikesSeen ?? null,
      strikes_used: parity?.strikesUsed ?? null,
      residual_rms: orNull(parity?.residualRms),
      failure,
      count: rowIndexes.length,
    })),
  };
}

/** The table for a person: per expiry its head lines, folded where a terminal is too narrow for them, then its options. */
function tableChunks(
  request: ChainRequest,
  valuation: ChainValuation,
  { columns: width, isTTY }: OutputStream,
): { chunks: Iterable<string>; dropped: readonly string[] } {
  const dropped = new Set<string>();
  const chunks = valuation.expiries.map((expiry) => {
    const table = layOutTable(expiryColumns(request, valuation, expiry), width, {
      from: "price",
      notes: expiry.rowIndexes.map((index) => reasonInWords(valuation.reasons[index]!)),
    });
    for (const header of table.dropped) dropped.add(header);
    const head = headLines(expiry).flatMap((line) => (isTTY ? foldLine(line, width) : [line]));
    return `${[...head, ...table.lines].join("\n")}\n\n`;
  });
  return { chunks, dropped: [...dropped] };
}

function reasonInWords(reason: ChainReason | null): string | null {
  return reason === null ? null : reason.replaceAll("_", " ");
}

function expiryColumns(request: ChainRequest, valuation: ChainValuation, expiry: ChainExpiry): TerminalColumn[] {
  const { rowIndexes } = expiry;
  const { columns } = valuation;
  const isVendor = request.volatility === "vendor";
  const priceDigits = rowIndexes.some((index) => request.rows[index]!.contract!.strike >= 1000) ? 2 : 4;
  const column = (header: string, dropOrder: number, cell: (index: number) => string): TerminalColumn => ({
    header,
    align: header === "type" ? "left" : "right",
    dropOrder,
    cells: rowIndexes.map(cell),
  });
  const volatility = (value: number) => (Number.isFinite(value) ? `${(value * 100).toFixed(2)}%` : "–");
  return [
    column("type", 0, (index) => request.rows[index]!.contract!.optionType),
    column("strike", 0, (index) => String(request.rows[index]!.contract!.strike)),
    column("bid", 0, (index) => decimals(request.rows[index]!.bid, 2)),
    column("ask", 0, (index) => decimals(request.rows[index]!.ask, 2)),
    column("mid", 8, (index) => decimals(columns.mid[index]!, 3)),
    column("iv bid", 6, (index) => volatility(columns.ivBid[index]!)),
    column("iv mid", isVendor ? 5 : 0, (index) => volatility(columns.ivMid[index]!)),
    column("iv ask", 7, (index) => volatility(columns.ivAsk[index]!)),
    column("iv file", isVendor ? 0 : 9, (index) => volatility(request.rows[index]!.vendorVolatility)),
    column("price", 0, (index) => decimals(columns.price[index]!, priceDigits)),
    column("delta", 0, (index) => decimals(columns.delta[index]!, 4)),
    column("gamma", 1, (index) => decimals(columns.gamma[index]!, 6)),
    column("vega", 2, (index) => decimals(columns.vega[index]!, 3)),
    column("theta", 3, (index) => decimals(columns.theta[index]!, 3)),
    column("rho", 4, (index) => decimals(columns.rho[index]!, 3)),
  ];
}
