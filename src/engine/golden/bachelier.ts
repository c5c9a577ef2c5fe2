// The golden table of the normal model that the executable carries, held against an engine. Separate from the numbers, which
// tests/golden/generate/bachelier.py makes; tolerances and measures are price-table's.

import type { PriceRequest, PriceResult } from "../engine";
import type { OutputCheck } from "../verify-report";
import table from "./bachelier.json";
import { checkPriceTable, type PriceTable } from "./price-table";

/** 600 options in ten regions, every output, at 100 digits. */
export const bachelierTable: PriceTable = table;

/** Prices the table with the given pricer and tells the worst error of every output. A row that is not ok fails. */
export function checkBachelier(price: (request: PriceRequest) => PriceResult): OutputCheck[] {
  return checkPriceTable("bachelier", bachelierTable, price);
}
