// The market as subscriptions see it: names and listings from the instruments, forwards and deltas from the live books, and what they want added to
// what channels want. Separate from live-market.ts because it only fits one thing to another.

import type { UnderlyingBook } from "../book/book";
import { moneyOf } from "../book/view";
import type { Instrument } from "../domain/instrument";
import type { LadderOption } from "../domain/strike-ladder";
import type { Instruments } from "../features/instruments/service";
import type { Market } from "../features/market/service";
import type { SubscribedMarket, Subscriptions, Upstream } from "../features/subscriptions/service";
import type { Interest } from "../foundation/interest";
import type { Metrics } from "../telemetry/metrics";

type Books = Pick<Market<UnderlyingBook>, "bookOf">;

export function subscribedMarket(
  instruments: Pick<Instruments, "canonical" | "look" | "ofUnderlying">,
  market: Books,
): SubscribedMarket {
  /** Listings are replaced when they change, so what was made of one lasts as long as it. */
  const optionsOf = new WeakMap<readonly Instrument[], readonly LadderOption[]>();
  return {
    nameOf(text) {
      const named = instruments.canonical(text);
      return "symbol" in named ? named : { fault: named.detail };
    },
    about(symbol) {
      const found = instruments.look(symbol);
      return found && { underlying: found.underlying, expiry: found.expiry };
    },
    options(underlying) {
      const listed = instruments.ofUnderlying(underlying);
      const known = optionsOf.get(listed);
      if (known) return known;
      const options = listed.flatMap(({ symbol, kind, expiry, strike, optionType }) =>
        kind === "option" && expiry !== null && strike !== null && optionType !== null
          ? [{ symbol, expiry, strike, optionType }]
          : [],
      );
      optionsOf.set(listed, options);
      return options;
    },
    forwardOf(underlying, expiry) {
      const book = market.bookOf(underlying);
      if (book === null) return null;
      const layout = book.layout.find((each) => each.expiry.at === Number(expiry));
      const forward = layout === undefined ? book.spot : moneyOf(book, layout);
      return Number.isNaN(forward) ? null : forward;
    },
    deltaOf(underlying, symbol) {
      const book = market.bookOf(underlying);
      const row = book?.rows.rowOf(symbol) ?? -1;
      const delta = row < 0 ? Number.NaN : book!.rows.columns.delta[row]!;
      return Number.isNaN(delta) ? null : delta;
    },
  };
}

/** What subscriptions want, counted among all that is wanted; confirmed is what the sources say, or, while there are none, what is wanted. */
export function wantsOf(interest: Interest, confirmed: () => ReadonlySet<string> | null): Upstream {
  let held: ReadonlySet<string> = new Set();
  return {
    want(symbols) {
      const [before, after] = [held, new Set(symbols)];
      held = after;
      // What stays is never let go of in between.
      interest.want([...after].filter((symbol) => !before.has(symbol)));
      interest.unwant([...before].filter((symbol) => !after.has(symbol)));
    },
    confirmed() {
      const all = confirmed();
      // What channels want beside is nobody's orphan.
      return all === null ? held : new Set([...all].filter((symbol) => held.has(symbol) || !interest.has(symbol)));
    },
  };
}

export function feedSubscriptionMetrics(metrics: Metrics, subscriptions: Pick<Subscriptions, "statistics">): void {
  const one = (value: number) => [{ labels: {}, value }];
  metrics.feed("bsopt_subscriptions", () => one(subscriptions.statistics().subscriptionCount));
  metrics.feed("bsopt_subscribed_instruments", () => {
    const { wantedCount, missingCount, orphanCount } = subscriptions.statistics();
    return [
      { labels: { state: "wanted" }, value: wantedCount },
      { labels: { state: "missing" }, value: missingCount },
      { labels: { state: "orphan" }, value: orphanCount },
    ];
  });
  metrics.feed("bsopt_ladder_moves_total", () => one(subscriptions.statistics().moveCount));
}
