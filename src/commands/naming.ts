// What a book calls its columns: `--map` gives the file's own names for ours, so that nobody has to rewrite a file to
// price it. The reader is told the file's names, so that its messages speak of the file as it stands; afterwards the
// columns are called ours. A column mapped to - is read over.

import { headerNames } from "../adapters/tabular/csv";
import type { ReadTable, TableFormat, TableSchema } from "../adapters/tabular/table";
import { quoted } from "../foundation/printable";
import { UsageError } from "./io";

/** The file's name, and ours or "-". */
export type NamePair = readonly [theirs: string, ours: string];

const pairsMax = 200;

/** `K=strike,IV=volatility,note=-` for commander: each use of the flag adds to what was given before. */
export function mapArgument(text: string, before: readonly NamePair[] = []): readonly NamePair[] {
  const pairs = text.split(",").map((part): NamePair => {
    const at = part.lastIndexOf("=");
    const [theirs, ours] = [part.slice(0, at).trim(), part.slice(at + 1).trim()];
    if (at < 1 || theirs === "" || ours === "") {
      throw new UsageError(`--map takes FILE_NAME=NAME pairs separated by commas, not ${quoted(part)}`);
    }
    return [theirs, ours];
  });
  if (before.length + pairs.length > pairsMax) throw new UsageError(`--map takes at most ${pairsMax} names`);
  return [...before, ...pairs];
}

export interface Naming {
  /** The schema under the file's own names. */
  readonly schema: TableSchema;
  /** The table under our names, without what is read over. */
  rename(table: ReadTable): ReadTable;
}

/** Throws UsageError where a pair names no column of ours, or two name the same. */
export function namingOf(pairs: readonly NamePair[], format: TableFormat, schema: TableSchema): Naming {
  if (pairs.length === 0) return { schema, rename: (table) => table };
  const known = Object.keys(schema);
  const oursOf = new Map<string, string>();
  for (const [given, ours] of pairs) {
    // A header of CSV is read in any case, with spaces for underscores: its names are compared in that form.
    const theirs = format === "csv" ? (headerNames([given])[0] ?? given) : given;
    if (ours !== "-" && !known.includes(ours)) {
      throw new UsageError(
        `--map: ${quoted(ours)} is no column; known columns: ${known.join(", ")}, and - to read over one`,
      );
    }
    if (oursOf.has(theirs)) throw new UsageError(`--map names the column ${quoted(given)} twice`);
    if (ours !== "-" && [...oursOf.values()].includes(ours)) throw new UsageError(`--map gives ${ours} two columns`);
    oursOf.set(theirs, ours);
  }
  const taken = new Set(oursOf.values());
  const kept = known
    .filter((name) => !taken.has(name) && !oursOf.has(name))
    .map((name) => [name, schema[name]!] as const);
  const mapped = [...oursOf].map(([theirs, ours]) => [theirs, ours === "-" ? "text" : schema[ours]!] as const);
  return {
    schema: Object.fromEntries([...kept, ...mapped]),
    rename: (table) => ({
      ...table,
      columns: table.columns.flatMap((column) => {
        const ours = oursOf.get(column.name) ?? column.name;
        return ours === "-" ? [] : [{ ...column, name: ours }];
      }),
    }),
  };
}
