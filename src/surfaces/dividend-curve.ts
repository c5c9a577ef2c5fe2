// What an underlying pays its holder, and the forwards that follow: a continuous yield (with borrowing), proportional and cash dividends
// on their days. Separate from discounting because a forward needs both. Pure.
//
// Source: no-arbitrage accrual: between two dividends the forward grows at r − q; on a day it falls by the share, then by the cash
//   (Hull, "Options, Futures, and Other Derivatives", chapter 5, for one kind at a time).
// Legend: S spot · F forward · D discount · q continuous yield less what borrowing the underlying earns.
// Valid: times ≥ 0; dividends at a time count for forwards from that time on (ex at the opening of the day).
// Checked: tests/unit/surfaces/dividend-curve (closed forms of each kind, the cash sum, implied yields that return).

import type { DiscountCurve } from "./discount-curve";

export interface CashDividend {
  /** Years to the ex-day. */
  readonly time: number;
  readonly amount: number;
}

export interface ProportionalDividend {
  /** Years to the ex-day. */
  readonly time: number;
  /** Of the price just before, below 1. */
  readonly share: number;
}

export interface DividendCurve {
  /** Continuous. */
  readonly dividendYield: number;
  readonly cash: readonly CashDividend[];
  readonly proportional: readonly ProportionalDividend[];
}

/** A yield and nothing else. */
export function continuousDividends(dividendYield: number): DividendCurve {
  return { dividendYield, cash: [], proportional: [] };
}

export interface ForwardRequest {
  readonly spot: number;
  readonly rates: DiscountCurve;
  readonly dividends: DividendCurve;
  readonly time: number;
}

/** The forward for a time; NaN where cash dividends exceed what the price has grown to. */
export function forwardPrice({ spot, rates, dividends, time }: ForwardRequest): number {
  const { dividendYield } = dividends;
  let price = spot;
  let now = 0;
  for (const event of eventsUntil(dividends, time)) {
    price *= growth(rates, dividendYield, now, event.time);
    price = price * (1 - event.share) - event.amount;
    now = event.time;
    if (!(price > 0)) return Number.NaN;
  }
  return price * growth(rates, dividendYield, now, time);
}

function growth(rates: DiscountCurve, dividendYield: number, from: number, to: number): number {
  return (rates.discount(from) / rates.discount(to)) * Math.exp(-dividendYield * (to - from));
}

/** Dividends up to a time in their order, at one time the shares before the cash. */
function eventsUntil({ cash, proportional }: DividendCurve, time: number) {
  return [
    ...proportional.map(({ time: at, share }) => ({ time: at, share, amount: 0 })),
    ...cash.map(({ time: at, amount }) => ({ time: at, share: 0, amount })),
  ]
    .filter((event) => event.time <= time && event.time >= 0)
    .sort((left, right) => left.time - right.time);
}

/** The continuous yield that alone makes the same forward: −ln(F·D/S)/T; T > 0. */
export function equivalentYield(request: ForwardRequest): number {
  const { spot, rates, time } = request;
  return -Math.log((forwardPrice(request) * rates.discount(time)) / spot) / time;
}

/** What the cash dividends up to a time are worth now, by the rates alone. */
export function presentValueOfCash({ cash }: DividendCurve, rates: DiscountCurve, time: number): number {
  return cash.reduce(
    (sum, { time: at, amount }) => (at >= 0 && at <= time ? sum + amount * rates.discount(at) : sum),
    0,
  );
}

/**
 * The continuous yield that, beside the dividends known, makes the forward what a market shows: what lending the underlying earns, and
 * every dividend that was not foreseen. NaN where none from −200 to 200 % does.
 */
export function impliedYield(request: ForwardRequest & { readonly forward: number }): number {
  const { dividends, forward } = request;
  // Falls with the yield; where the cash exceeds the price the yield is too high.
  const excess = (dividendYield: number) => {
    const price = forwardPrice({ ...request, dividends: { ...dividends, dividendYield } });
    return Number.isNaN(price) ? -1 : price - forward;
  };
  let [low, high] = [-yieldReach, yieldReach];
  if (!(excess(low) > 0 && excess(high) < 0)) return Number.NaN;
  for (let count = 0; count < 80; count++) {
    const middle = (low + high) / 2;
    if (excess(middle) > 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

const yieldReach = 2;
