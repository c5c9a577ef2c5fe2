// Which options of a chain are asked for, as the part of an address says it: all, one expiry's, the strikes about the money by number or
// percent, or those of a delta. Separate because routes, channels and subscriptions read the same words. Pure.

import { formatCivilDate, parseCivilDate } from "../domain/calendar";

/** Which options. */
export type Selection =
  | { readonly kind: "all" }
  /** Those of one day, as New York counts days. */
  | { readonly kind: "expiry"; readonly date: string }
  /** So many strikes on either side of the forward, and the one at it. */
  | { readonly kind: "atm"; readonly count: number }
  /** Strikes within so many percent of the forward. */
  | { readonly kind: "percent"; readonly percent: number }
  /** Strikes whose call or put has a delta within `tolerance` of ±`delta`. */
  | { readonly kind: "delta"; readonly delta: number; readonly tolerance: number };

export const atmCountMax = 1000;

/** The selection a text means, or a sentence that says what is wrong with it. */
export function parseSelection(text: string): Selection | { readonly fault: string } {
  if (text === "all") return { kind: "all" };
  const [word, ...numbers] = text.split("~");
  const values = numbers.map(decimalOf);
  const [first, second] = values;
  switch (word) {
    case "atm":
      if (values.length === 1 && Number.isInteger(first) && first! >= 0 && first! <= atmCountMax)
        return { kind: "atm", count: first! };
      return { fault: `atm~n takes a whole number of strikes from 0 to ${atmCountMax}` };
    case "percent":
      if (values.length === 1 && first! > 0 && first! <= 100) return { kind: "percent", percent: first! };
      return { fault: "percent~p takes a number above 0 and up to 100" };
    case "delta":
      if (values.length === 2 && first! > 0 && first! <= 1 && second! > 0 && second! <= 1)
        return { kind: "delta", delta: first!, tolerance: second! };
      return { fault: "delta~d~tolerance takes two numbers above 0 and up to 1" };
    default: {
      const date = numbers.length === 0 ? parseCivilDate(text) : null;
      if (date !== null) return { kind: "expiry", date: formatCivilDate(date) };
      return { fault: "is none of all, a date such as 2026-12-18, atm~n, percent~p and delta~d~tolerance" };
    }
  }
}

/** The one text that means the selection. */
export function formatSelection(selection: Selection): string {
  switch (selection.kind) {
    case "all":
      return "all";
    case "expiry":
      return selection.date;
    case "atm":
      return `atm~${selection.count}`;
    case "percent":
      return `percent~${selection.percent}`;
    case "delta":
      return `delta~${selection.delta}~${selection.tolerance}`;
  }
}

/** A plain decimal; NaN for anything else. */
function decimalOf(text: string): number {
  return /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
}
