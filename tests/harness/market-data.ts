// Where real market data for tests lies, if anywhere: the folder BSOPT_TEST_DATA names, else ../shared/data. The files are not
// ours to carry, so a test that needs them is left out where they are absent, and says so.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.env.BSOPT_TEST_DATA ?? join(import.meta.dir, "..", "..", "..", "shared", "data");

/** One folder of market data, or null (with the reason printed) where it is absent. */
export function marketDataFolder(name: string): string | null {
  const path = join(folder, name);
  if (existsSync(path)) return path;
  process.stderr.write(`left out: there is no market data in ${path} (BSOPT_TEST_DATA names another folder)\n`);
  return null;
}

/** The CSV files of one folder of market data by name, or null (with the reason printed) where it is absent. */
export function marketData(name: string): Readonly<Record<string, string>> | null {
  const path = marketDataFolder(name);
  if (path === null) return null;
  const names = readdirSync(path).filter((file) => file.endsWith(".csv"));
  return Object.fromEntries(names.sort().map((file) => [file, readFileSync(join(path, file), "utf8")]));
}
