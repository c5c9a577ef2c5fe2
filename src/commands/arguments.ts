// The flags that the pricing commands share, and how their text becomes values. Separate so that --rate means the same
// to price, iv and chain. A text that is no number is wrong usage; NaN and infinities are values, which the kernel answers
// with a status.

import { InvalidArgumentError, Option } from "commander";
import { formatOfPath, numberFromCell, type TableFormat, tableFormats } from "../adapters/tabular/table";
import { type Moment, parseMoment, timestampFaultDetail } from "../domain/day-count";
import { models, type OutputName, type Units } from "../engine/catalog";
import type { Engine } from "../engine/engine";
import type { Clock, EpochMicroseconds } from "../foundation/clock";
import { quoted } from "../foundation/printable";
import type { CommandIo } from "./io";
import { UsageError } from "./io";

/** What the pricing commands are handed. */
export interface PricingCommandDependencies {
  readonly engine: () => Engine;
  readonly io: CommandIo;
  readonly clock: Clock;
  /** Read only where a setting is needed that no flag gave: the file of the user's calendars. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Formats a command can print: the machine's, and a table for a person. */
export type PrintFormat = TableFormat | "table";

/** A number, for a flag's parser. */
export function numberArgument(text: string): number {
  const value = text.trim() === "" ? null : numberFromCell(text);
  if (value === null) throw new InvalidArgumentError(`${quoted(text)} is not a number.`);
  return value;
}

/** A moment, for a flag's parser. */
export function momentArgument(text: string): EpochMicroseconds {
  return placedMomentArgument(text).microseconds;
}

/** A moment with the offset it was written in, for a flag's parser. */
export function placedMomentArgument(text: string): Moment {
  const moment = parseMoment(text);
  if (typeof moment !== "string") return moment;
  throw new InvalidArgumentError(`${quoted(text)} ${timestampFaultDetail[moment]}.`);
}

/** A list of outputs, for a flag's parser. */
export function outputsArgument(text: string): readonly OutputName[] {
  const known = [...new Set(models.flatMap((model) => model.outputs))];
  const names = text.split(",").map((name) => name.trim());
  for (const name of names) {
    if (!known.some((output) => output === name))
      throw new InvalidArgumentError(`${quoted(name)} is no output; known: ${known.join(", ")}.`);
  }
  if (new Set(names).size !== names.length) throw new InvalidArgumentError("An output is named twice.");
  return names as OutputName[];
}

/** --units market|raw */
export function unitsOption(): Option {
  const choices: readonly Units[] = ["market", "raw"];
  return new Option("--units <units>", "market: vega and rho per point, theta per day; raw: the derivatives")
    .choices(choices)
    .default("market");
}

/** --format */
export function formatOption(): Option {
  return new Option("--format <format>", "form of the output").choices(["table", ...tableFormats]);
}

/**
 * The form of the output: what was asked for, else what --json or the ending of --output says, else the default.
 * Throws UsageError where two of them contradict.
 */
export function printFormat(
  flags: { format?: PrintFormat; json?: true; output?: string },
  otherwise: PrintFormat,
): PrintFormat {
  if (flags.json && flags.format !== undefined && flags.format !== "json")
    throw new UsageError(`--json contradicts --format ${flags.format}`);
  if (flags.json) return "json";
  return flags.format ?? (flags.output === undefined ? null : formatOfPath(flags.output)) ?? otherwise;
}

/** What standard error says where a table for a person had no room for some of its columns. */
export function leftOutNote(headers: readonly string[]): string {
  return `note: left out for want of width: ${headers.join(", ")} (--format csv has all)`;
}
