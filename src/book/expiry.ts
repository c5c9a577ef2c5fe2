// One expiry of a book: what was last fitted to it, and what that says at another moment and spot. Separate from fitting, which costs
// milliseconds, because every valuation asks this. Between fits rate and yield are held, so that the forward moves with the spot, and
// the smile is held at each moneyness K/F ("sticky moneyness"). Pure.
//
// Legend: S spot · F forward · D discount · T years (act/365f) · r = −ln D/T · q = −ln(F·D/S)/T, continuous.

import type { Instrument } from "../domain/instrument";
import type { ParityQuality } from "../surfaces/parity";
import type { SviSlice } from "../surfaces/svi";
import type { ForwardSource } from "./entries";
import type { Rows } from "./rows";

/** What a refit found for one expiry. Never changed: the next refit makes another. */
export interface ExpiryFit {
  readonly source: ForwardSource;
  readonly quality: ParityQuality | null;
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly timeToExpiry: number;
  readonly spot: number;
  readonly forward: number;
  readonly rate: number;
  readonly dividendYield: number;
  /** Pairs that the forward rests on. */
  readonly strikesUsed: number;
  /** Whether early exercise was taken out of the prices first. */
  readonly isDeAmericanised: boolean;
  /** Null: too few quotes, now and before. */
  readonly slice: FittedSlice | null;
}

export interface FittedSlice {
  readonly svi: SviSlice;
  /** Of the fit that made it; older than the expiry's where it was kept. */
  readonly at: number;
  readonly timeToExpiry: number;
  readonly quoteCount: number;
  /** Loss per quote of the last fit that began from nothing. */
  readonly coldLoss: number;
}

/** An expiry of a book. Rows know it by its place in the book's list, which it keeps as long as it has rows. */
export interface Expiry {
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly root: string;
  readonly style: "european" | "american";
  /** Rows it has; a place without rows is free. */
  rowCount: number;
  fit: ExpiryFit | null;
  /** The spot its options are settled at here: the first known after its moment; NaN before. */
  settlementSpot: number;
}

const microsecondsPerYear = 365 * 86_400_000_000;

/** Years between two moments, act/365f. */
export function yearsBetween(from: number, to: number): number {
  return (to - from) / microsecondsPerYear;
}

/** The expiry an option belongs to, as a key. */
export function expiryKey(at: number, root: string, style: string): string {
  return `${at} ${style} ${root}`;
}

/** The expiry of an instrument that has one. */
export function expiryOf({ expiry, root, style }: Instrument): Expiry {
  return {
    at: Number(expiry),
    root,
    style: style === "american" ? "american" : "european",
    rowCount: 0,
    fit: null,
    settlementSpot: Number.NaN,
  };
}

/** The options of one expiry in order. */
export interface ExpiryLayout {
  readonly index: number;
  readonly expiry: Expiry;
  /** By strike, the call before the put. */
  readonly rows: Int32Array;
  readonly strikes: readonly StrikeRows[];
}

/** The rows at one strike; −1 is none. */
export interface StrikeRows {
  readonly strike: number;
  readonly call: number;
  readonly put: number;
}

/** The options of a book by expiry, the soonest first, then by root. */
export function layoutOf(rows: Rows, expiries: readonly Expiry[]): ExpiryLayout[] {
  const { columns } = rows;
  const byExpiry: number[][] = expiries.map(() => []);
  for (let row = 0; row < rows.optionCount; row++) byExpiry[columns.expiryIndex[row]!]!.push(row);
  const layouts: ExpiryLayout[] = [];
  for (const [index, members] of byExpiry.entries()) {
    if (members.length === 0) continue;
    members.sort(
      (left, right) =>
        columns.strike[left]! - columns.strike[right]! ||
        columns.isCall[right]! - columns.isCall[left]! ||
        (rows.symbolAt(left) < rows.symbolAt(right) ? -1 : 1),
    );
    layouts.push({
      index,
      expiry: expiries[index]!,
      rows: Int32Array.from(members),
      strikes: strikesOf(rows, members),
    });
  }
  return layouts.sort(
    ({ expiry: left }, { expiry: right }) =>
      left.at - right.at ||
      (left.root < right.root ? -1 : left.root > right.root ? 1 : left.style < right.style ? -1 : 1),
  );
}

/** The first call and put of each strike. */
function strikesOf({ columns }: Rows, ordered: readonly number[]): StrikeRows[] {
  const strikes: { strike: number; call: number; put: number }[] = [];
  for (const row of ordered) {
    const strike = columns.strike[row]!;
    let last = strikes.at(-1);
    if (last?.strike !== strike) {
      last = { strike, call: -1, put: -1 };
      strikes.push(last);
    }
    const side = columns.isCall[row] === 1 ? "call" : "put";
    if (last[side] < 0) last[side] = row;
  }
  return strikes;
}
