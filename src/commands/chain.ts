// `bsopt chain`: a real chain, from a file to volatilities, prices and Greeks. Decides what is read and how it is shown; what
// is computed is surfaces/chain. What was inferred is told: per expiry in the table's head lines and in the JSON document, on
// standard error for the other formats.

import { Command, Option } from "commander";
import { writeTable } from "../adapters/tabular/formats";
import type { ColumnTable, TableColumn } from "../adapters/tabular/table";
import { decimals, foldLine, layOutTable, type TerminalColumn } from "../adapters/tabular/terminal";
import { formatCivilDate } from "../domain/calendar";
import type { ChainFile, ChainRow } from "../domain/chain";
import type { Units } from "../engine/catalog";
import { unreachable } from "../foundation/assert";
import { formatTimestamp } from "../foundation/clock";
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
  type PricingCommandDependencies,
  type PrintFormat,
  printFormat,
  unitsOption,
} from "./arguments";
import {
  addChainFileOptions,
  type ChainFileFlags,
  checkChainFlags,
  filesHead,
  forwardNotes,
  percent,
  readChainFiles,
  tellFaults,
} from "./chain-files";
import { CommandExit, exitCodes, type OutputStream } from "./io";
import { deliver } from "./output";
import { createProgress } from "./progress";

interface ChainFlags extends ChainFileFlags {
  readonly volatility: VolatilityChoice;
  readonly units: Units;
  readonly format?: PrintFormat;
  readonly json?: true;
  readonly output?: string;
}

/** Reads chains, infers what isn't given, prices every option. Exit code 3 where some have no price. */
export function chainCommand(dependencies: PricingCommandDependencies): Command {
  const command = new Command("chain").description(
    "price a real option chain: a Cboe quote table as downloaded, or plain columns",
  );
  const volatility = new Option("--volatility <which>", "volatility to price at: of the quotes, or the file's own")
    .choices(volatilityChoices)
    .default("mid");
  return addChainFileOptions(command, [volatility, unitsOption()])
    .addOption(formatOption())
    .option("--json", "the same as --format json")
    .option("-o, --output <file>", "write there; the ending tells the format")
    .action((files: string[], flags: ChainFlags) => runChain(dependencies, files, flags));
}

async function runChain(dependencies: PricingCommandDependencies, paths: string[], flags: ChainFlags): Promise<void> {
  const { io, clock } = dependencies;
  const format = printFormat(flags, "table");
  checkChainFlags(flags, paths);
  const progress = createProgress(io.stderr, clock, "chain");
  const files = await readChainFiles(dependencies, paths, flags, progress);
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

/** What a reader of the numbers should know about how they came about. */
function notesOf({ expiries }: ChainValuation, request: ChainRequest): string[] {
  const notes = forwardNotes(expiries, request, "priced as European");
  if (expiries.some(({ spot }) => !(spot > 0)))
    notes.push("without a spot (--spot), delta is per unit of the prepaid forward");
  return notes;
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
    files: filesHead(files),
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
      forward_error: orNull(parity?.forwardError),
      rate_error: orNull(parity?.rateError),
      quality: parity?.quality ?? null,
      strikes:
        parity?.strikes.map(({ strike, use, residual, weight }) => ({
          strike,
          use,
          residual: orNull(residual),
          weight,
        })) ?? null,
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
