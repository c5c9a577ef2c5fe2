// What `chain` and `surface` have in common: the files they read, the flags that say how, and what standard error tells of either.
// Separate so that both take a chain alike.

import { type Command, Option } from "commander";
import { readChainFile } from "../adapters/feeds/chain-file";
import { plainChainColumns } from "../adapters/feeds/plain-columns";
import { fileLimits, overLimit } from "../adapters/tabular/table";
import { formatCivilDate } from "../domain/calendar";
import type { ChainFile } from "../domain/chain";
import type { EpochMicroseconds } from "../foundation/clock";
import type { ChainExpiry } from "../surfaces/chain";
import { momentArgument, numberArgument, type PricingCommandDependencies } from "./arguments";
import { UsageError } from "./io";
import type { Progress } from "./progress";

export interface ChainFileFlags {
  readonly rate?: number;
  readonly dividendYield?: number;
  readonly spot?: number;
  readonly valuationTime?: EpochMicroseconds;
}

/** Faults shown in words; the rest are counted. */
const faultsShownMax = 20;

/** Adds the files and what may be given beside them; `others` come where the reader expects them, before the moment. */
export function addChainFileOptions(command: Command, others: readonly Option[]): Command {
  command
    .argument(
      "<file...>",
      `quote tables or files with the columns ${plainChainColumns.join(", ")} (enough: symbol, bid, ask); - is standard input`,
    )
    .option("--rate <rate>", "interest rate, continuous (0.04 is 4 %); else inferred per expiry", numberArgument)
    .option("--dividend-yield <yield>", "dividend yield, continuous; else inferred per expiry", numberArgument)
    .option("--spot <price>", "price of the underlying instead of the file's", numberArgument);
  for (const option of others) command.addOption(option);
  return command.addOption(
    new Option("--valuation-time <moment>", "moment of the quotes where the file doesn't say; else now").argParser(
      momentArgument,
    ),
  );
}

/** Throws UsageError where a flag's number is no number, or standard input would be read twice. */
export function checkChainFlags({ rate, dividendYield, spot }: ChainFileFlags, paths: readonly string[]): void {
  for (const [flag, value] of Object.entries({ "--rate": rate, "--dividend-yield": dividendYield, "--spot": spot }))
    if (value !== undefined && !Number.isFinite(value)) throw new UsageError(`${flag} must be a finite number`);
  if (spot !== undefined && spot <= 0) throw new UsageError("--spot must be above zero");
  if (paths.filter((path) => path === "-").length > 1) throw new UsageError("standard input can be read only once");
}

/** Reads all files. Throws BsoptError `invalid` naming the file, the line and what was expected there. */
export async function readChainFiles(
  { io, clock }: PricingCommandDependencies,
  paths: readonly string[],
  flags: ChainFileFlags,
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

/** Tells what could not be read. */
export async function tellFaults({ io }: PricingCommandDependencies, files: readonly ChainFile[]): Promise<void> {
  const faults = files.flatMap((file) => file.faults);
  const count = files.reduce((sum, file) => sum + file.faultCount, 0);
  for (const { file, line, detail } of faults.slice(0, faultsShownMax))
    await io.stderr.write(`${file} line ${line}: ${detail}\n`);
  if (count > faultsShownMax) await io.stderr.write(`… and ${count - faultsShownMax} more faults\n`);
}

/** What a JSON document says of the files. */
export function filesHead(files: readonly ChainFile[]): Record<string, unknown>[] {
  return files.map(({ name, kind, rows, faults, faultCount }) => ({
    name,
    kind,
    count: rows.length,
    fault_count: faultCount,
    faults: faults.map(({ line, detail }) => ({ line, detail })),
  }));
}

/** Rates beyond these make one doubt the quotes. */
const rateDoubtMin = -0.05;
const rateDoubtMax = 0.15;

/** What a reader of the numbers should know about how the forwards came about; `treated` says what is done with American options. */
export function forwardNotes(
  expiries: readonly ChainExpiry[],
  flags: { readonly rate?: number | undefined },
  treated: string,
): string[] {
  const notes: string[] = [];
  const american = new Set(expiries.filter(({ contract }) => contract.style === "american").map(({ root }) => root));
  if (american.size > 0)
    notes.push(
      `options on ${[...american].join(", ")} are American and are ${treated}; parity holds only nearly for them`,
    );
  for (const { contract, parity } of expiries) {
    const isDoubtful =
      parity && flags.rate === undefined && !(parity.rate >= rateDoubtMin && parity.rate <= rateDoubtMax);
    if (isDoubtful)
      notes.push(
        `${contract.root} ${formatCivilDate(contract.expiryDate)}: a rate of ${percent(parity.rate)} is hard to believe; give --rate`,
      );
  }
  return notes;
}

/** A share as a percentage, for a sentence. */
export function percent(value: number): string {
  return Number.isFinite(value) ? `${(value * 100).toFixed(3)} %` : "unknown";
}
