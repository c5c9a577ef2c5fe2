// The published table of who may call what, read back as a reader finds it. Separate from the page's maker, so that tests hold the
// server to what is published and not to what it says of itself.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { accessColumns } from "../../build/permissions-page";

export type AccessColumn = (typeof accessColumns)[number];

/** "GET /api/v1/…/{id}" → column → "yes", "401", "403" or the scope that a key needs, in backticks. */
export function publishedPermissions(): ReadonlyMap<string, Readonly<Record<AccessColumn, string>>> {
  const rows = readFileSync(join(root, "docs/reference/permissions.md"), "utf8")
    .split("\n")
    .filter((line) => /^\| (GET|POST|PUT|PATCH|DELETE) /.test(line))
    .map((line) => {
      const [route = "", ...cells] = line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim());
      if (cells.length !== accessColumns.length) throw new Error(`a row of ${cells.length} cells: ${line}`);
      const row = Object.fromEntries(accessColumns.map((column, index) => [column, cells[index]!]));
      return [route, row as Record<AccessColumn, string>] as const;
    });
  return new Map(rows);
}
