// `bsopt surface`: from a file of quotes to a volatility surface: per expiry the slice's parameters and how well it fits, or per quote
// what the fit makes of it. Decides what is read and how it is shown; what is computed is surfaces/calibrate.

import { Command, Option } from "commander";
import { writeTable } from "../adapters/tabular/formats";
import type { ColumnTable, TableColumn } from "../adapters/tabular/table";
import { decimals, layOutTable, type TerminalColumn } from "../adapters/tabular/terminal";
import { formatCivilDate } from "../domain/calendar";
import type { ChainFile, ChainRow } from "../domain/chain";
import { formatTimestamp } from "../foundation/clock";
import {
  type Calibration,
  calibrateSurfaces,
  type FittedExpiry,
  type FittedSurface,
  type SurfaceModel,
  sliceFailureDetail,
  surfaceModels,
} from "../surfaces/calibrate";
import { jumpWingsOf } from "../surfaces/svi";
import { formatOption, leftOutNote, type PricingCommandDependencies, type PrintFormat, printFormat } from "./arguments";
import {
  addChainFileOptions,
  type ChainFileFlags,
  checkChainFlags,
  filesHead,
  forwardNotes,
  readChainFiles,
  tellFaults,
} from "./chain-files";
import { CommandExit, exitCodes, type OutputStream } from "./io";
import { deliver } from "./output";
import { createProgress } from "./progress";

interface SurfaceFlags extends ChainFileFlags {
  readonly model: SurfaceModel;
  readonly quotes?: true;
  readonly format?: PrintFormat;
  readonly json?: true;
  readonly output?: string;
}

/** Reads chains and fits a surface to each underlying. Exit code 3 where an expiry could not be fitted. */
export function surfaceCommand(dependencies: PricingCommandDependencies): Command {
  const command = new Command("surface").description(
    "fit a volatility surface without arbitrage to a real option chain: a Cboe quote table as downloaded, or plain columns",
  );
  const model = new Option(
    "--model <model>",
    "what a slice is made of: SVI with a wing for far puts, SVI, extended SSVI",
  )
    .choices(surfaceModels)
    .default("svi_put_wing");
  return addChainFileOptions(command, [model])
    .option("--quotes", "a row for each quote with what the fit makes of it, in place of one for each expiry")
    .addOption(formatOption())
    .option("--json", "the same as --format json")
    .option("-o, --output <file>", "write there; the ending tells the format")
    .action((files: string[], flags: SurfaceFlags) => runSurface(dependencies, files, flags));
}

async function runSurface(
  dependencies: PricingCommandDependencies,
  paths: string[],
  flags: SurfaceFlags,
): Promise<void> {
  const { io, clock } = dependencies;
  const format = printFormat(flags, "table");
  checkChainFlags(flags, paths);
  const progress = createProgress(io.stderr, clock, "surface");
  const files = await readChainFiles(dependencies, paths, flags, progress);
  const rows = files.flatMap((file) => file.rows);
  const { model, rate, dividendYield, spot } = flags;
  const fitting = calibrateSurfaces(dependencies.engine(), { rows, model, rate, dividendYield, spot });
  let step = fitting.next();
  for (; !step.done; step = fitting.next()) await progress.update(step.value, rows.length);
  await progress.finish();
  const calibration = step.value;
  const surfaces = calibration.surfaces.map(judged);
  const fitted = surfaces.flatMap(({ surface }) => surface.expiries);

  await tellFaults(dependencies, files);
  const expiries = calibration.valuation.expiries;
  for (const note of forwardNotes(expiries, flags, "fitted as European")) await io.stderr.write(`note: ${note}\n`);
  for (const { expiry, failure } of fitted)
    if (failure !== null) await io.stderr.write(`note: ${nameOf(expiry)}: no slice, ${sliceFailureDetail[failure]}\n`);
  if (format === "table") {
    const { chunks, dropped } = flags.quotes
      ? quoteChunks(rows, calibration, io.stdout)
      : expiryChunks(surfaces, io.stdout);
    if (dropped.length > 0) await io.stderr.write(`${leftOutNote(dropped)}\n`);
    await deliver(io, flags.output, chunks);
  } else {
    const table = flags.quotes ? quoteTable(rows, calibration) : expiryTable(model, surfaces);
    const rowsName = flags.quotes ? "quotes" : "expiries";
    await deliver(io, flags.output, writeTable(format, table, head(files, model, surfaces), rowsName));
  }
  for (const surface of surfaces) await io.stderr.write(`${summary(surface, calibration, rows)}\n`);
  const isWhole = fitted.every(({ failure }) => failure === null || failure === "superseded");
  if (!isWhole || rows.some(({ contract }) => contract === null)) throw new CommandExit(exitCodes.partial);
}

/** A surface with what its checks found, by expiry; NaN where there is nothing to check. */
interface JudgedSurface {
  readonly surface: FittedSurface;
  readonly isFree: boolean;
  readonly leastDurrleman: ReadonlyMap<FittedExpiry, number>;
  /** The least rise of total variance since the expiry before. */
  readonly leastRise: ReadonlyMap<FittedExpiry, number>;
}

function judged(surface: FittedSurface): JudgedSurface {
  const report = surface.surface?.arbitrage();
  const withSlice = surface.expiries.filter(({ slice }) => slice !== null);
  return {
    surface,
    isFree: report?.isFree ?? false,
    leastDurrleman: new Map(withSlice.map((expiry, index) => [expiry, report!.butterflies[index]!.least])),
    leastRise: new Map(withSlice.slice(1).map((expiry, index) => [expiry, report!.calendars[index]!.least])),
  };
}

function nameOf({ contract }: FittedExpiry["expiry"]): string {
  return `${contract.root} ${formatCivilDate(contract.expiryDate)} ${contract.settlement}`;
}

function summary({ surface, isFree }: JudgedSurface, { reasons }: Calibration, rows: readonly ChainRow[]): string {
  const { underlying, expiries } = surface;
  const own = reasons.filter((_, index) => rows[index]!.contract?.underlying === underlying);
  const used = own.filter((reason) => reason === null).length;
  const fitted = expiries.filter(({ slice }) => slice !== null).length;
  if (fitted === 0) return `${underlying}: no surface`;
  const inside = expiries.reduce(
    (sum, { quality }) => sum + (quality ? quality.insideShare * quality.quoteCount : 0),
    0,
  );
  const share = `${((inside / used) * 100).toFixed(0)} % inside bid and ask`;
  const arbitrage = isFree ? "no arbitrage" : "ARBITRAGE LEFT";
  return `${underlying}: ${fitted} of ${expiries.length} expiries, ${used} of ${own.length} quotes used, ${share}, ${arbitrage}`;
}

const number = (name: string, values: Iterable<number>): TableColumn => ({
  name,
  kind: "number",
  values: Float64Array.from(values),
});

/** A row an expiry. */
function expiryTable(model: SurfaceModel, surfaces: readonly JudgedSurface[]): ColumnTable {
  const all = surfaces.flatMap((judgement) => judgement.surface.expiries.map((fitted) => ({ fitted, judgement })));
  const text = (name: string, of: (fitted: FittedExpiry) => string | null): TableColumn => ({
    name,
    kind: "text",
    values: all.map(({ fitted }) => of(fitted)),
  });
  const value = (name: string, of: (fitted: FittedExpiry) => number | undefined) =>
    number(
      name,
      all.map(({ fitted }) => of(fitted) ?? Number.NaN),
    );
  const svi = (fitted: FittedExpiry) => fitted.slice?.svi;
  const wings = (fitted: FittedExpiry) =>
    fitted.slice === null ? undefined : jumpWingsOf(fitted.slice.svi, fitted.slice.timeToExpiry);
  return {
    count: all.length,
    columns: [
      text("underlying", ({ expiry }) => expiry.underlying),
      text("root", ({ expiry }) => expiry.root),
      text("expiry", ({ expiry }) => formatTimestamp(expiry.contract.expiry)),
      text("valuation_time", ({ expiry }) => formatTimestamp(expiry.asOf)),
      value("time_to_expiry", ({ expiry }) => expiry.timeToExpiry),
      value("spot", ({ expiry }) => expiry.spot),
      value("forward", ({ expiry }) => expiry.parity?.forward),
      value("discount", ({ expiry }) => expiry.parity?.discount),
      value("rate", ({ expiry }) => expiry.parity?.rate),
      value("dividend_yield", ({ expiry }) => expiry.parity?.dividendYield),
      value("forward_error", ({ expiry }) => expiry.parity?.forwardError),
      value("rate_error", ({ expiry }) => expiry.parity?.rateError),
      text("forward_quality", ({ expiry }) => expiry.parity?.quality ?? null),
      text("model", ({ slice }) => (slice === null ? null : model)),
      value("a", (fitted) => svi(fitted)?.a),
      value("b", (fitted) => svi(fitted)?.b),
      value("rho", (fitted) => svi(fitted)?.rho),
      value("m", (fitted) => svi(fitted)?.m),
      value("sigma", (fitted) => svi(fitted)?.sigma),
      value("wing_height", (fitted) => svi(fitted)?.wing?.height),
      value("wing_centre", (fitted) => svi(fitted)?.wing?.centre),
      value("wing_width", (fitted) => svi(fitted)?.wing?.width),
      value("atm_volatility", (fitted) => Math.sqrt(wings(fitted)?.atmVariance ?? Number.NaN)),
      value("atm_skew", (fitted) => wings(fitted)?.atmSkew),
      value("put_wing", (fitted) => wings(fitted)?.putWing),
      value("call_wing", (fitted) => wings(fitted)?.callWing),
      value("minimum_volatility", (fitted) => Math.sqrt(wings(fitted)?.minimumVariance ?? Number.NaN)),
      {
        name: "quotes",
        kind: "integer",
        values: Int32Array.from(all, ({ fitted }) => fitted.quality?.quoteCount ?? 0),
      },
      value("median_half_spreads", ({ quality }) => quality?.medianHalfSpreads),
      value("max_half_spreads", ({ quality }) => quality?.maxHalfSpreads),
      value("inside_share", ({ quality }) => quality?.insideShare),
      value("rms_volatility_error", ({ quality }) => quality?.rmsVolatility),
      value("max_volatility_error", ({ quality }) => quality?.maxVolatility),
      number(
        "least_durrleman",
        all.map(({ fitted, judgement }) => judgement.leastDurrleman.get(fitted) ?? Number.NaN),
      ),
      number(
        "least_variance_rise",
        all.map(({ fitted, judgement }) => judgement.leastRise.get(fitted) ?? Number.NaN),
      ),
      text("reason", ({ failure }) => failure),
    ],
  };
}

/** A row a quote, in the files' order. */
function quoteTable(rows: readonly ChainRow[], { valuation, columns, isInside, reasons }: Calibration): ColumnTable {
  const text = (name: string, of: (row: ChainRow) => string | null): TableColumn => ({
    name,
    kind: "text",
    values: rows.map(of),
  });
  const quoted = (name: string, of: (row: ChainRow) => number) => number(name, rows.map(of));
  return {
    count: rows.length,
    columns: [
      text("symbol", ({ contract }) => contract?.symbol ?? null),
      text("underlying", ({ contract }) => contract?.underlying ?? null),
      text("expiry", ({ contract }) => (contract === null ? null : formatTimestamp(contract.expiry))),
      text("option_type", ({ contract }) => contract?.optionType ?? null),
      quoted("strike", ({ contract }) => contract?.strike ?? Number.NaN),
      quoted("bid", ({ bid }) => bid),
      quoted("ask", ({ ask }) => ask),
      number("mid", valuation.columns.mid),
      number("log_moneyness", columns.k),
      number("iv_bid", valuation.columns.ivBid),
      number("iv_mid", valuation.columns.ivMid),
      number("iv_ask", valuation.columns.ivAsk),
      number("fitted_volatility", columns.fittedVolatility),
      number("fitted_price", columns.fittedPrice),
      number("volatility_error", columns.volatilityError),
      number("price_error", columns.priceError),
      number("half_spreads", columns.halfSpreads),
      { name: "inside", kind: "integer", values: Int32Array.from(isInside) },
      { name: "reason", kind: "text", values: reasons },
    ],
  };
}

/** What the JSON document says beside its rows. */
function head(files: readonly ChainFile[], model: SurfaceModel, surfaces: readonly JudgedSurface[]) {
  return {
    model,
    files: filesHead(files),
    surfaces: surfaces.map(({ surface, isFree }) => ({
      underlying: surface.underlying,
      expiries: surface.expiries.length,
      fitted: surface.expiries.filter(({ slice }) => slice !== null).length,
      arbitrage_free: surface.surface === null ? null : isFree,
    })),
  };
}

interface Shown {
  readonly chunks: Iterable<string>;
  readonly dropped: readonly string[];
}

const points = (value: number | undefined) => decimals((value ?? Number.NaN) * 100, 2);

/** The table for a person: an underlying a block, an expiry a line. */
function expiryChunks(surfaces: readonly JudgedSurface[], { columns: width }: OutputStream): Shown {
  const dropped = new Set<string>();
  const chunks = surfaces.map((judgement) => {
    const { underlying, expiries } = judgement.surface;
    const column = (header: string, dropOrder: number, cell: (fitted: FittedExpiry) => string): TerminalColumn => ({
      header,
      align: header === "expiry" ? "left" : "right",
      dropOrder,
      cells: expiries.map(cell),
    });
    const value = (
      header: string,
      dropOrder: number,
      digits: number,
      of: (fitted: FittedExpiry) => number | undefined,
    ) => column(header, dropOrder, (fitted) => decimals(of(fitted) ?? Number.NaN, digits));
    const svi = (fitted: FittedExpiry) => fitted.slice?.svi;
    const wings = (fitted: FittedExpiry) =>
      fitted.slice === null ? undefined : jumpWingsOf(fitted.slice.svi, fitted.slice.timeToExpiry);
    const table = layOutTable(
      [
        column("expiry", 0, ({ expiry }) => nameOf(expiry)),
        value("years", 12, 4, ({ expiry }) => expiry.timeToExpiry),
        value("forward", 1, 2, ({ expiry }) => expiry.parity?.forward),
        column("atm", 0, (fitted) => points(Math.sqrt(wings(fitted)?.atmVariance ?? Number.NaN))),
        value("skew", 11, 4, (fitted) => wings(fitted)?.atmSkew),
        value("a", 6, 5, (fitted) => svi(fitted)?.a),
        value("b", 6, 5, (fitted) => svi(fitted)?.b),
        value("rho", 6, 4, (fitted) => svi(fitted)?.rho),
        value("m", 6, 4, (fitted) => svi(fitted)?.m),
        value("sigma", 6, 4, (fitted) => svi(fitted)?.sigma),
        value("height", 7, 4, (fitted) => svi(fitted)?.wing?.height),
        value("centre", 7, 4, (fitted) => svi(fitted)?.wing?.centre),
        value("width", 7, 4, (fitted) => svi(fitted)?.wing?.width),
        column("quotes", 0, ({ quality }) => String(quality?.quoteCount ?? 0)),
        value("median", 0, 2, ({ quality }) => quality?.medianHalfSpreads),
        column("inside", 0, ({ quality }) => (quality === null ? "–" : `${(quality.insideShare * 100).toFixed(0)}%`)),
        column("rms", 2, ({ quality }) => points(quality?.rmsVolatility)),
        column("worst", 3, ({ quality }) => points(quality?.maxVolatility)),
        value("least g", 4, 3, (fitted) => judgement.leastDurrleman.get(fitted)),
      ],
      width,
      { from: "atm", notes: expiries.map(({ failure }) => (failure === null ? null : failure.replaceAll("_", " "))) },
    );
    for (const header of table.dropped) dropped.add(header);
    return `${[underlying, ...table.lines].join("\n")}\n\n`;
  });
  return { chunks, dropped: [...dropped] };
}

/** The table for a person with a line a quote, an expiry a block. */
function quoteChunks(rows: readonly ChainRow[], calibration: Calibration, { columns: width }: OutputStream): Shown {
  const dropped = new Set<string>();
  const { valuation, columns, isInside, reasons } = calibration;
  const chunks = calibration.surfaces
    .flatMap(({ expiries }) => expiries)
    .map(({ expiry }) => {
      const { rowIndexes } = expiry;
      const column = (header: string, dropOrder: number, cell: (index: number) => string): TerminalColumn => ({
        header,
        align: header === "type" ? "left" : "right",
        dropOrder,
        cells: rowIndexes.map(cell),
      });
      const table = layOutTable(
        [
          column("type", 0, (index) => rows[index]!.contract!.optionType),
          column("strike", 0, (index) => String(rows[index]!.contract!.strike)),
          column("bid", 0, (index) => decimals(rows[index]!.bid, 2)),
          column("ask", 0, (index) => decimals(rows[index]!.ask, 2)),
          column("fitted", 0, (index) => decimals(columns.fittedPrice[index]!, 2)),
          column("half-spreads", 0, (index) => decimals(columns.halfSpreads[index]!, 2)),
          column("inside", 2, (index) => (isInside[index] === 1 ? "yes" : "no")),
          column("iv mid", 1, (index) => points(valuation.columns.ivMid[index])),
          column("iv fitted", 0, (index) => points(columns.fittedVolatility[index])),
          column("used", 3, (index) => reasons[index]?.replaceAll("_", " ") ?? "yes"),
        ],
        width,
      );
      for (const header of table.dropped) dropped.add(header);
      return `${[nameOf(expiry), ...table.lines].join("\n")}\n\n`;
    });
  return { chunks, dropped: [...dropped] };
}
