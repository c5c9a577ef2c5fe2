// A user's calendars from their file, beside the built-in ones. Separate from domain/calendar-document, which says what
// such a file must hold and touches no disk. Every fault is told at once, one a line; a file with a fault gives nothing.

import type { BusinessCalendar, Calendars } from "../domain/business-calendar";
import { calendarsOfDocument } from "../domain/calendar-document";
import { builtInCalendars } from "../domain/exchange-calendars";
import { printable } from "../foundation/printable";
import { type CommandIo, UsageError } from "./io";

const fileBytesMax = 4_194_304;

/** The built-in calendars and the file's. Throws UsageError naming every fault, BsoptError where it cannot be read. */
export async function readCalendars(io: CommandIo, path: string | null): Promise<Calendars> {
  const builtIn = builtInCalendars();
  if (path === null) return builtIn;
  const { calendars, faults } = calendarsOfDocument(parse(await textOf(io, path), path));
  if (faults.length > 0) {
    const lines = faults.map(({ pointer, detail }) => `  ${pointer === "" ? "the file" : pointer} ${detail}`);
    throw new UsageError(
      `${printable(path)} holds ${faults.length} wrong calendar ${faults.length === 1 ? "entry" : "entries"}:\n${lines.join("\n")}`,
      "docs/numerics/day-count.md shows such a file",
    );
  }
  return new Map<string, BusinessCalendar>([
    ...builtIn,
    ...calendars.map((calendar) => [calendar.name, calendar] as const),
  ]);
}

async function textOf(io: CommandIo, path: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let byteCount = 0;
  for await (const chunk of io.readFile(path)) {
    byteCount += chunk.byteLength;
    if (byteCount > fileBytesMax) throw new UsageError(`${printable(path)} is larger than ${fileBytesMax} bytes`);
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/** JSON where the path ends so, else TOML, whose dates without quotation marks become the texts they are. */
function parse(text: string, path: string): unknown {
  const isJson = path.toLowerCase().endsWith(".json");
  try {
    return JSON.parse(isJson ? text : JSON.stringify(Bun.TOML.parse(text)));
  } catch {
    throw new UsageError(`${printable(path)} must be valid ${isJson ? "JSON" : "TOML"}`);
  }
}
