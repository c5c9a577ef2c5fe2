// The same rows in two forms of text, for the examples of the API's document. Separate from writing answers, which knows columns and
// streams: these are a few rows, made once at the start.

/** Rows of the same fields as CSV and as NDJSON. */
export function tableExamples(rows: readonly Readonly<Record<string, string | number>>[]): {
  readonly csv: string;
  readonly ndjson: string;
} {
  const lines = rows.map((row) => Object.values(row).join(","));
  return {
    csv: `${[Object.keys(rows[0]!).join(","), ...lines].join("\n")}\n`,
    ndjson: `${rows.map((row) => JSON.stringify(row)).join("\n")}\n`,
  };
}
