// What the live market tells, brought into the metrics and, where requests are followed, into traces. Separate from the market, which knows
// neither, and from live-market.ts, which only puts parts together. Labels are closed lists, but for the underlyings' names, of which it tells
// a hundred at most.

import type { UnderlyingBook } from "../book/book";
import type { InstrumentKind } from "../domain/instrument";
import { type Market, type MarketWatch, type Stage, stages } from "../features/market/service";
import type { EventBus } from "../foundation/event-bus";
import { pressureLevels } from "../foundation/pressure";
import { type Metrics, Tally } from "../telemetry/metrics";
import type { Trace, Tracing } from "../telemetry/tracing";

const underlyingsToldMax = 100;
const kinds: readonly InstrumentKind[] = ["underlying", "option", "future"];

export interface MarketObserverOptions {
  readonly metrics: Metrics;
  readonly tracing?: Tracing | undefined;
  /** Every reason that a quote may be refused for. */
  readonly rejectionReasons: readonly string[];
}

/** What the market is given to tell things to as they happen. */
export function marketWatch({ metrics, tracing, rejectionReasons }: MarketObserverOptions): MarketWatch {
  const stageSeconds = each(stages, (stage) => metrics.recorder("bsopt_market_stage_seconds", { stage }));
  const tickSeconds = each(kinds, (kind) => metrics.recorder("tick_processing_seconds", { kind }));
  const greeksSeconds = metrics.recorder("greeks_calculation_seconds", {});
  const flushSeconds = metrics.recorder("batch_flush_seconds", {});
  const published = new Tally(kinds);
  const errors = new Tally(stages);
  const refused = new Tally([...rejectionReasons, "other"]);
  metrics.feed("ticks_published_total", () => published.samples((kind) => ({ kind })));
  metrics.feed("tick_processing_errors_total", () => errors.samples((stage) => ({ stage })));
  metrics.feed("tick_validation_errors_total", () => refused.samples((reason) => ({ reason })));
  const spans = tracing ? stepSpans(tracing) : null;
  return {
    staged(stage, milliseconds) {
      stageSeconds[stage](milliseconds / 1000);
      spans?.staged(stage, milliseconds);
    },
    ticked(kind, milliseconds) {
      published.add(kind);
      tickSeconds[kind](milliseconds / 1000);
    },
    valued: (milliseconds) => greeksSeconds(milliseconds / 1000),
    rejected: (reason) => refused.add(refused.has(reason) ? reason : "other"),
    failed: (stage) => errors.add(stage),
    began: () => spans?.began(),
    ended(milliseconds, quoteCount) {
      if (quoteCount > 0) flushSeconds(milliseconds / 1000);
      spans?.ended(milliseconds, quoteCount);
    },
  };
}

/** A step of the pipeline as a trace of its own; what led to it, which happened in a request or a feed's turn, is its first part. */
function stepSpans(tracing: Tracing) {
  let step: Trace | null = null;
  let isStep = false;
  const before = new Map<Stage, number>();
  return {
    staged(stage: Stage, milliseconds: number) {
      if (isStep) step?.part(stage, "internal", milliseconds);
      else {
        before.set(stage, milliseconds);
        tracing.part(stage, "internal", milliseconds);
      }
    },
    began() {
      isStep = true;
      step = tracing.begin(null);
      if (step) for (const [stage, milliseconds] of before) step.part(stage, "internal", milliseconds);
      before.clear();
    },
    ended(milliseconds: number, quoteCount: number) {
      const attributes = { "market.quotes": quoteCount };
      step?.end({ name: "market step", attributes, isFault: false, milliseconds });
      step = null;
      isStep = false;
    },
  };
}

export interface MarketFeedOptions {
  readonly metrics: Metrics;
  readonly market: Market<UnderlyingBook>;
  readonly bus: EventBus;
  readonly activeAccounts: () => number;
}

/** What is read when somebody asks. */
export function feedMarketMetrics({ metrics, market, bus, activeAccounts }: MarketFeedOptions): void {
  const one = (value: number) => [{ labels: {}, value }];
  const statistics = () => market.statistics();
  metrics.feed("batch_fill_rate", () => one(statistics().intake.lastFill));
  metrics.feed("pending_batch_size", () => one(statistics().intake.waiting));
  metrics.feed("active_accounts", () => one(activeAccounts()));
  metrics.feed("underlying_price", () => {
    const prices = market
      .underlyings()
      .slice(0, underlyingsToldMax)
      .map((underlying) => ({ labels: { underlying }, value: market.bookOf(underlying)?.spot ?? Number.NaN }))
      .filter(({ value }) => !Number.isNaN(value));
    return prices.length > 0 ? prices : [{ labels: { underlying: "none" }, value: 0 }];
  });
  metrics.feed("bsopt_market_quotes_total", () => {
    const { applied, duplicates, late, rejected, intake } = statistics();
    const { conflated, dropped, refused } = intake;
    return Object.entries({ applied, duplicate: duplicates, late, rejected, conflated, dropped, refused }).map(
      ([outcome, value]) => ({ labels: { outcome }, value }),
    );
  });
  metrics.feed("bsopt_market_pressure", () => one(pressureLevels.indexOf(statistics().intake.level)));
  metrics.feed("bsopt_market_pressure_entered_total", () => {
    const { entered } = statistics().intake;
    return pressureLevels.map((level) => ({ labels: { level }, value: entered[level] }));
  });
  metrics.feed("bsopt_market_books", () => {
    const { lanes } = statistics();
    return (["loading", "live", "failed"] as const).map((state) => ({
      labels: { state },
      value: lanes.filter((lane) => lane.state === state).length,
    }));
  });
  metrics.feed("bsopt_market_valuations_total", () => one(statistics().valuations));
  metrics.feed("bsopt_market_refits_total", () => one(statistics().refits));
  metrics.feed("bsopt_market_busy_seconds_total", () => {
    const { busyMilliseconds, greeksMilliseconds } = statistics();
    return [
      { labels: { work: "greeks" }, value: greeksMilliseconds / 1000 },
      { labels: { work: "other" }, value: (busyMilliseconds - greeksMilliseconds) / 1000 },
    ];
  });
  metrics.feed("bsopt_event_bus_events_total", () =>
    bus.counts().flatMap(({ topic, handler, handled, failed, dropped, conflated, skipped }) =>
      Object.entries({ handled, failed, dropped, conflated, skipped }).map(([outcome, value]) => ({
        labels: { topic, handler, outcome },
        value,
      })),
    ),
  );
  metrics.feed("bsopt_event_bus_waiting", () =>
    bus.counts().map(({ topic, handler, waiting }) => ({ labels: { topic, handler }, value: waiting })),
  );
}

function each<Name extends string, Value>(names: readonly Name[], make: (name: Name) => Value): Record<Name, Value> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<Name, Value>;
}
