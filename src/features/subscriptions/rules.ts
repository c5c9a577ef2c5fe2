// Pure decisions about subscriptions: what a request asks for, whether that can be meant, how it is kept, and what state it is in. It must never
// look at a market: what a ladder comes to is domain/strike-ladder's.

import { createHash } from "node:crypto";
import { parseCivilDate } from "../../domain/calendar";
import type { ExpiryRule, LadderLack, LadderRule, LadderSide, StrikeRule } from "../../domain/strike-ladder";
import { BsoptError, type FieldFault } from "../../foundation/errors";

export const accountIdDefault = "main";
export const accountIdLengthMax = 64;
export const pageLimitDefault = 50;
export const pageLimitMax = 200;
/** Symbols or strikes that one subscription names, at most. */
export const namedCountMax = 500;
export const datesCountMax = 50;
export const stepsMax = 200;
export const nearestMax = 50;
export const daysMax = 3_660;
export const restSecondsMax = 3_600;
export const hysteresisDefault = 0.1;
export const restSecondsDefault = 5;

export const subscriptionStatuses = ["active", "partial", "waiting", "expired"] as const;
export type SubscriptionStatus = (typeof subscriptionStatuses)[number];

export const subscriptionReasons = [
  "no_forward",
  "no_delta",
  "strike_not_listed",
  "nothing_listed",
  "cut_to_limit",
  "not_confirmed",
  "not_looked_at_yet",
  "not_followed_here",
] as const;
/** Why a subscription is not all that it could be, from a closed list. */
export type SubscriptionReason = (typeof subscriptionReasons)[number];

/** A ladder as it is asked for: one way to choose strikes, one to choose expiries. */
export interface AskedLadder {
  readonly strikes?: readonly number[];
  readonly atm?: number;
  readonly percent?: number;
  readonly delta?: { readonly target: number; readonly tolerance: number };
  readonly dates?: readonly string[];
  readonly nearest?: number;
  readonly days?: { readonly from: number; readonly to: number };
  readonly side?: LadderSide;
  readonly hysteresis?: number;
  readonly rest_seconds?: number;
}

export interface AskedSubscription {
  readonly account_id?: string;
  readonly symbols?: readonly string[];
  readonly underlying?: string;
  readonly ladder?: AskedLadder;
}

/** What is wanted, as it is kept: canonical, complete. */
export type Definition =
  | { readonly kind: "symbols"; readonly symbols: readonly string[] }
  | { readonly kind: "ladder"; readonly underlying: string; readonly ladder: KeptLadder };

export interface KeptLadder extends AskedLadder {
  readonly side: LadderSide;
  readonly hysteresis: number;
  readonly rest_seconds: number;
}

/** Reads an instrument's name; a fault is a sentence without the name. */
export type NameReader = (text: string) => { readonly symbol: string } | { readonly fault: string };

/** What a request means. Throws `invalid` SUBSCRIPTION_INVALID, each fault with its place. */
export function definitionOf(asked: AskedSubscription, nameOf: NameReader): Definition {
  const faults: FieldFault[] = [];
  const fault = (pointer: string, code: string, detail: string) => void faults.push({ pointer, code, detail });
  if ((asked.symbols === undefined) === (asked.ladder === undefined))
    fault("", "ONE_OF_REQUIRED", "must have either symbols or a ladder");
  if (asked.ladder !== undefined && asked.underlying === undefined)
    fault("/underlying", "REQUIRED", "must name what the ladder is on");
  if (asked.symbols !== undefined && asked.underlying !== undefined)
    fault("/underlying", "NOT_ALLOWED", "is for a ladder only: symbols say themselves what they are on");
  const symbols = (asked.symbols ?? []).map((text, index) => {
    const name = nameOf(text);
    if ("symbol" in name) return name.symbol;
    fault(`/symbols/${index}`, "SYMBOL_INVALID", name.fault);
    return "";
  });
  let underlying = "";
  if (asked.underlying !== undefined) {
    const name = nameOf(asked.underlying);
    if ("symbol" in name) underlying = name.symbol;
    else fault("/underlying", "SYMBOL_INVALID", name.fault);
  }
  if (asked.ladder !== undefined) judgeLadder(asked.ladder, fault);
  if (faults.length > 0) {
    throw new BsoptError({
      reason: "invalid",
      code: "SUBSCRIPTION_INVALID",
      detail: "The subscription cannot be meant as it is.",
      faults: faults.slice(0, 20),
    });
  }
  if (asked.ladder === undefined) return { kind: "symbols", symbols: [...new Set(symbols)].sort() };
  return { kind: "ladder", underlying, ladder: keptLadder(asked.ladder) };
}

function judgeLadder(ladder: AskedLadder, fault: (pointer: string, code: string, detail: string) => void): void {
  const count = (values: readonly unknown[]) => values.filter((value) => value !== undefined).length;
  if (count([ladder.strikes, ladder.atm, ladder.percent, ladder.delta]) !== 1)
    fault("/ladder", "ONE_OF_REQUIRED", "must choose strikes in one way: strikes, atm, percent or delta");
  if (count([ladder.dates, ladder.nearest, ladder.days]) !== 1)
    fault("/ladder", "ONE_OF_REQUIRED", "must choose expiries in one way: dates, nearest or days");
  ladder.strikes?.forEach((strike, index) => {
    if (!(strike > 0 && strike < 1e12)) fault(`/ladder/strikes/${index}`, "OUT_OF_RANGE", "must be a positive number");
  });
  ladder.dates?.forEach((date, index) => {
    if (parseCivilDate(date) === null)
      fault(`/ladder/dates/${index}`, "DATE_INVALID", "must be a day such as 2026-12-18");
  });
  if (ladder.days !== undefined && ladder.days.from > ladder.days.to)
    fault("/ladder/days/to", "OUT_OF_RANGE", "must not come before from");
}

/** Equal ladders are kept as equal texts: keys in one order, numbers sorted, defaults said. */
function keptLadder(asked: AskedLadder): KeptLadder {
  const { strikes, atm, percent, delta, dates, nearest, days } = asked;
  return {
    ...(strikes && { strikes: [...new Set(strikes)].sort((one, other) => one - other) }),
    ...(atm !== undefined && { atm }),
    ...(percent !== undefined && { percent }),
    ...(delta && { delta: { target: delta.target, tolerance: delta.tolerance } }),
    ...(dates && { dates: [...new Set(dates)].sort() }),
    ...(nearest !== undefined && { nearest }),
    ...(days && { days: { from: days.from, to: days.to } }),
    side: asked.side ?? "both",
    hysteresis: asked.hysteresis ?? hysteresisDefault,
    rest_seconds: asked.rest_seconds ?? restSecondsDefault,
  };
}

/** A kept ladder as the rule that it is. */
export function ruleOf(ladder: KeptLadder): LadderRule {
  return {
    strikes: strikeRuleOf(ladder),
    expiries: expiryRuleOf(ladder),
    side: ladder.side,
    hysteresis: ladder.hysteresis,
    restMicroseconds: BigInt(Math.round(ladder.rest_seconds * 1e6)),
  };
}

function strikeRuleOf({ strikes, atm, percent, delta }: KeptLadder): StrikeRule {
  if (strikes) return { kind: "fixed", strikes };
  if (atm !== undefined) return { kind: "atm", count: atm };
  if (percent !== undefined) return { kind: "percent", percent };
  return { kind: "delta", ...delta! };
}

function expiryRuleOf({ dates, nearest, days }: KeptLadder): ExpiryRule {
  if (dates) return { kind: "fixed", dates };
  if (nearest !== undefined) return { kind: "nearest", count: nearest };
  return { kind: "days", ...days! };
}

/** The same for equal definitions, and for those only. */
export function fingerprintOf(definition: Definition): string {
  return createHash("sha256").update(JSON.stringify(definition)).digest("hex");
}

/** What is known of a subscription at a moment. */
export interface Standing {
  /** What it stands for now; null: nobody has looked yet. */
  readonly wanted: ReadonlySet<string> | null;
  /** Everything it could ever stand for is over. */
  readonly isOver: boolean;
  readonly lacks: ReadonlySet<LadderLack>;
  readonly isCut: boolean;
}

export interface StatusReport {
  readonly status: SubscriptionStatus;
  readonly confirmedCount: number;
  readonly missing: readonly string[];
  readonly reasons: readonly SubscriptionReason[];
}

/** Its state, from what it stands for and what upstream has confirmed. */
export function statusOf({ wanted, isOver, lacks, isCut }: Standing, confirmed: ReadonlySet<string>): StatusReport {
  if (isOver) return { status: "expired", confirmedCount: 0, missing: [], reasons: [] };
  if (wanted === null) return { status: "waiting", confirmedCount: 0, missing: [], reasons: ["not_looked_at_yet"] };
  const missing = [...wanted].filter((symbol) => !confirmed.has(symbol));
  const confirmedCount = wanted.size - missing.length;
  const reasons: SubscriptionReason[] = [...lacks];
  if (isCut) reasons.push("cut_to_limit");
  if (wanted.size === 0 && reasons.length === 0) reasons.push("nothing_listed");
  if (missing.length > 0) reasons.push("not_confirmed");
  const status = confirmedCount === 0 ? "waiting" : reasons.length === 0 ? "active" : "partial";
  return { status, confirmedCount, missing, reasons };
}

/** A ladder over fixed dates that have all passed stands for nothing any more. `today` is YYYY-MM-DD. */
export function isLadderOver({ dates }: KeptLadder, today: string): boolean {
  return dates?.every((date) => date < today) ?? false;
}
