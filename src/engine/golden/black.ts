// The Black family's golden tables: every output of Black–Scholes–Merton, Black 76, Garman–Kohlhagen and displaced Black at 60
// digits. Separate from price-table.ts so that judging stays apart from what is judged.

import type { PriceRequest, PriceResult } from "../engine";
import type { OutputCheck } from "../verify-report";
import black76 from "./black-76.json";
import blackScholesMerton from "./black-scholes-merton.json";
import displacedBlack from "./displaced-black.json";
import garmanKohlhagen from "./garman-kohlhagen.json";
import { checkPriceTable, type PriceTable } from "./price-table";

/** The table of each model of the family. */
export const blackTables = {
  black_scholes_merton: blackScholesMerton,
  black_76: black76,
  garman_kohlhagen: garmanKohlhagen,
  displaced_black: displacedBlack,
} as const satisfies Record<string, PriceTable>;

/** A model of the family. */
export type BlackModel = keyof typeof blackTables;

/** The models, in the catalog's order. */
export const blackModels = Object.keys(blackTables) as BlackModel[];

/** Checks the tables of the given models, of all where none is named. */
export function checkBlack(
  price: (request: PriceRequest) => PriceResult,
  models: readonly BlackModel[] = blackModels,
): OutputCheck[] {
  return models.flatMap((model) => checkPriceTable(model, blackTables[model], price));
}
