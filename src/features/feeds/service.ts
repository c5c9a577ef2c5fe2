// Looks after the feeds: starts those that are to run, tells them what is wanted, hands their quotes to the market and their contracts to the
// instruments, notices silence and garbage, and counts all of it. It knows none of them: each is made by a plan. What a live feed sends to a
// market that is full is conflated, never queued without end; a recording waits. It must never let one feed's failure reach another.

import type { Feed, FeedSink, FeedState } from "../../adapters/feeds/feed";
import type { Instrument } from "../../domain/instrument";
import type { Quote } from "../../domain/quote";
import { Agent } from "../../foundation/agent";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import type { Interest } from "../../foundation/interest";
import type { Log } from "../../foundation/log";
import { printable } from "../../foundation/printable";
import { nextTurn } from "../../foundation/turn";
import type { Metrics } from "../../telemetry/metrics";
import type { QuoteSource } from "../market/service";
import { Conflation, FaultGauge, patienceMilliseconds, restMilliseconds } from "./rules";

/** What a kind of feed is called: also a label of metrics. */
export const feedKinds = ["simulated", "replay", "kite", "deribit"] as const;
export type FeedKind = (typeof feedKinds)[number];

/** How to make a feed, and what it is to the others. */
export interface FeedPlan {
  /** Its own, in words: simulated, replay:spx.ndjson. */
  readonly name: string;
  readonly kind: FeedKind;
  /** One that has not been started. */
  readonly create: () => Feed;
  /** Whether it gives all it has, or what it is told. */
  readonly gives: "all" | "wanted";
  /** Waits for a market that is full; else its quotes are conflated. */
  readonly canWait: boolean;
  /** Whether its market trades at this moment: else silence is none. */
  readonly isOpen: (at: EpochMicroseconds) => boolean;
}

/** Where quotes go: the market, as far as feeds know it. */
export interface QuoteTaker {
  ingest(batch: readonly Quote[], source: QuoteSource): { readonly accepted: number } | "full";
}

export interface FeedsOptions {
  readonly plans: readonly FeedPlan[];
  readonly taker: QuoteTaker;
  readonly list: (listed: readonly Instrument[]) => unknown;
  readonly interest: Pick<Interest, "wanted" | "onChange">;
  /** What a contract is on: it is wanted with the contract. */
  readonly underlyingOf: (symbol: string) => string | null;
  /** Whether this process is the one that feeds the market. */
  readonly isLeading?: () => boolean;
  /** Without a quote for so long, in an open market, a feed is connected anew. */
  readonly silenceMillisecondsMax: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** idle: not to run at present. resting: sent too much that could not be read, and is left alone for a minute. */
export type SupervisedState = FeedState | "idle" | "resting";

/** How a feed is. */
export interface FeedStatus {
  readonly name: string;
  readonly kind: FeedKind;
  readonly state: SupervisedState;
  readonly since: EpochMicroseconds;
  readonly lastMessageAt: EpochMicroseconds | null;
  readonly lastQuoteAt: EpochMicroseconds | null;
  /** Null: all there is. */
  readonly wantedCount: number | null;
  readonly confirmedCount: number;
  readonly batchCount: number;
  readonly quoteCount: number;
  readonly gapCount: number;
  /** As far as it is known. */
  readonly missingCount: number;
  readonly faultCount: number;
  readonly reconnectCount: number;
  readonly conflatedCount: number;
  readonly droppedCount: number;
  /** From the venue's moment to ours, of the last quote. NaN: there was none. */
  readonly lagSeconds: number;
  readonly lastTrouble: string | null;
}

export interface Feeds {
  statuses(): readonly FeedStatus[];
  /** Lets the feeds of a kind run or rest: the market's mode turns the simulated one on and off. */
  permit(kind: FeedKind, isPermitted: boolean): void;
  /** What the running feeds have confirmed to send; null: none runs. */
  confirmed(): ReadonlySet<string> | null;
  readonly agents: readonly Agent[];
  /** Ends every feed. */
  close(): Promise<void>;
}

const roundMilliseconds = 1000;
const agentFailuresMax = 5;
/** How soon a market that was full is asked again. */
const fullMilliseconds = 5;
const conflatedBatchMax = 500;
/** A feed that came to be live for the first time after so long counts as late for health. */
export const troubleMilliseconds = 30_000;

export function createFeeds(options: FeedsOptions): Feeds {
  const { plans, interest } = options;
  const supervised = plans.map((plan) => new SupervisedFeed(plan, options));
  const stopListening = interest.onChange((wanted) => {
    for (const feed of supervised) feed.want(wanted);
  });
  return {
    statuses: () => supervised.map((feed) => feed.status()),
    permit(kind, isPermitted) {
      for (const feed of supervised) if (feed.plan.kind === kind) feed.isPermitted = isPermitted;
    },
    confirmed() {
      const running = supervised.flatMap(({ confirmed }) => (confirmed === null ? [] : [confirmed]));
      return running.length === 0 ? null : new Set(running.flatMap((symbols) => [...symbols]));
    },
    agents: supervised.map(({ agent }) => agent),
    async close() {
      stopListening();
      await Promise.all(supervised.map((feed) => feed.close()));
    },
  };
}

/** Brings what feeds tell into the metrics; every kind is there from the start. */
export function observeFeeds(metrics: Metrics, feeds: Pick<Feeds, "statuses">): void {
  const summed = (read: (status: FeedStatus) => number) => () =>
    feedKinds.map((feed) => {
      const ofKind = feeds.statuses().filter(({ kind }) => kind === feed);
      return { labels: { feed }, value: ofKind.reduce((sum, status) => sum + read(status), 0) };
    });
  metrics.feed(
    "bsopt_feed_live",
    summed(({ state }) => (state === "live" ? 1 : 0)),
  );
  metrics.feed(
    "bsopt_feed_batches_total",
    summed(({ batchCount }) => batchCount),
  );
  metrics.feed(
    "bsopt_feed_quotes_total",
    summed(({ quoteCount }) => quoteCount),
  );
  metrics.feed(
    "bsopt_feed_gaps_total",
    summed(({ gapCount }) => gapCount),
  );
  metrics.feed(
    "bsopt_feed_faults_total",
    summed(({ faultCount }) => faultCount),
  );
  metrics.feed(
    "bsopt_feed_reconnects_total",
    summed(({ reconnectCount }) => reconnectCount),
  );
  metrics.feed(
    "bsopt_feed_conflated_total",
    summed(({ conflatedCount }) => conflatedCount),
  );
  metrics.feed(
    "bsopt_feed_dropped_total",
    summed(({ droppedCount }) => droppedCount),
  );
  metrics.feed(
    "bsopt_feed_lag_seconds",
    summed(({ lagSeconds }) => (Number.isFinite(lagSeconds) ? lagSeconds : 0)),
  );
}

/** Whether health should mention a feed: it is to run, and has not been live for a while. */
export function isTroubled({ state, since }: FeedStatus, now: EpochMicroseconds): boolean {
  if (state === "resting") return true;
  return state === "connecting" && now - since >= BigInt(troubleMilliseconds) * 1000n;
}

class SupervisedFeed {
  readonly plan: FeedPlan;
  readonly agent: Agent;
  isPermitted = true;
  readonly #options: FeedsOptions;
  readonly #conflation = new Conflation();
  readonly #closing = new AbortController();
  #faults = new FaultGauge();
  #feed: Feed | null = null;
  #draining: Promise<void> | null = null;
  #state: SupervisedState = "idle";
  #since: EpochMicroseconds;
  #wanted: ReadonlySet<string>;
  #lastQuoteAt: EpochMicroseconds | null = null;
  /** The last quote, or the start of the connection that is to bring one. */
  #lastSignMilliseconds = 0;
  #fruitlessCount = 0;
  #restUntilMilliseconds: number | null = null;
  #hasEnded = false;
  #lagSeconds = Number.NaN;
  #lastTrouble: string | null = null;
  #counts = { batches: 0, quotes: 0, gaps: 0, missing: 0, faults: 0, reconnects: 0 };

  get confirmed(): ReadonlySet<string> | null {
    return this.#feed?.confirmed ?? null;
  }

  constructor(plan: FeedPlan, options: FeedsOptions) {
    this.plan = plan;
    this.#options = options;
    this.#wanted = this.#withUnderlyings(options.interest.wanted);
    this.#since = options.clock.nowMicroseconds();
    const { clock, log } = options;
    this.agent = new Agent({
      name: `feed ${plan.name}`,
      intervalMilliseconds: roundMilliseconds,
      failuresMax: agentFailuresMax,
      clock,
      round: () => this.#round(),
      onFailure: (error) => log.error({ err: error, feed: plan.name }, "a feed could not be looked after"),
    });
  }

  #onQuotes(batch: readonly Quote[]): boolean {
    const { clock, taker } = this.#options;
    const last = batch.at(-1);
    if (last === undefined) return true;
    const now = clock.nowMicroseconds();
    if (this.plan.canWait) {
      if (taker.ingest(batch, this.plan.kind) === "full") return false;
    } else if (this.#conflation.count > 0 || taker.ingest(batch, this.plan.kind) === "full") {
      this.#conflation.add(batch);
      this.#draining ??= this.#drain();
    }
    this.#counts.batches += 1;
    this.#counts.quotes += batch.length;
    this.#lastQuoteAt = now;
    this.#lastSignMilliseconds = clock.monotonicMilliseconds();
    this.#fruitlessCount = 0;
    this.#lagSeconds = Number(now - last.at) / 1e6;
    return true;
  }

  #onState(state: FeedState): void {
    const { log } = this.#options;
    if (state === "connecting" && this.#state === "live") this.#counts.reconnects += 1;
    if (state === "ended") this.#hasEnded = true;
    if (state !== this.#state) log.info({ feed: this.plan.name, state }, "a feed's state changed");
    this.#become(state);
  }

  #onGap(missingCount: number, detail: string): void {
    this.#counts.gaps += 1;
    if (Number.isFinite(missingCount)) this.#counts.missing += missingCount;
    this.#note(detail);
  }

  #onFault(detail: string): void {
    this.#counts.faults += 1;
    this.#note(detail);
    if (!this.#faults.note(this.#options.clock.monotonicMilliseconds()) || this.#restUntilMilliseconds !== null) return;
    this.#restUntilMilliseconds = this.#options.clock.monotonicMilliseconds() + restMilliseconds;
    this.#options.log.warn(
      { feed: this.plan.name, detail: this.#lastTrouble },
      "a feed sends too much that can't be read; it is left alone",
    );
    // From its own call it can't be waited for.
    void this.#end("resting");
  }

  want(symbols: ReadonlySet<string>): void {
    if (this.plan.gives === "all") return;
    // Nothing could have come while nothing was wanted.
    if (this.#wanted.size === 0) this.#lastSignMilliseconds = this.#options.clock.monotonicMilliseconds();
    this.#wanted = this.#withUnderlyings(symbols);
    this.#feed?.want(this.#wanted);
  }

  #withUnderlyings(symbols: ReadonlySet<string>): ReadonlySet<string> {
    if (this.plan.gives === "all") return symbols;
    const all = new Set<string>();
    for (const symbol of symbols) {
      // First, because a venue takes only so many.
      const underlying = this.#options.underlyingOf(symbol);
      if (underlying !== null) all.add(underlying);
    }
    for (const symbol of symbols) all.add(symbol);
    return all;
  }

  status(): FeedStatus {
    const { batches, quotes, gaps, missing, faults, reconnects } = this.#counts;
    return {
      ...{ name: this.plan.name, kind: this.plan.kind, state: this.#state, since: this.#since },
      ...{ lastMessageAt: this.#feed?.lastMessageAt ?? null, lastQuoteAt: this.#lastQuoteAt },
      wantedCount: this.plan.gives === "all" ? null : this.#wanted.size,
      ...{ confirmedCount: this.#feed?.confirmed.size ?? 0, batchCount: batches, quoteCount: quotes, gapCount: gaps },
      ...{ missingCount: missing, faultCount: faults, reconnectCount: reconnects },
      ...{ conflatedCount: this.#conflation.conflatedCount, droppedCount: this.#conflation.droppedCount },
      ...{ lagSeconds: this.#lagSeconds, lastTrouble: this.#lastTrouble },
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#end("stopped");
    await this.#draining;
  }

  async #round(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const { clock, isLeading } = this.#options;
    const now = clock.monotonicMilliseconds();
    const isToRun = this.isPermitted && (isLeading?.() ?? true);
    if (!isToRun) {
      this.#hasEnded = false;
      if (this.#feed) await this.#end("idle");
      return;
    }
    if (this.#restUntilMilliseconds !== null) {
      if (now < this.#restUntilMilliseconds) return;
      this.#restUntilMilliseconds = null;
      this.#faults = new FaultGauge();
    }
    if (this.#feed === null) {
      // A recording that was played is played again only when somebody asks for it anew.
      if (!this.#hasEnded) this.#begin();
    } else if (this.#isSilent(now)) {
      this.#fruitlessCount += 1;
      this.#counts.reconnects += 1;
      this.#note("no quote for too long in an open market");
      await this.#end("connecting");
      this.#begin();
    }
  }

  #isSilent(now: number): boolean {
    if (this.#state !== "live" || this.plan.canWait) return false;
    if (this.plan.gives === "wanted" && this.#wanted.size === 0) return false;
    const patience = patienceMilliseconds(this.#options.silenceMillisecondsMax, this.#fruitlessCount);
    if (now - this.#lastSignMilliseconds < patience) return false;
    if (this.plan.isOpen(this.#options.clock.nowMicroseconds())) return true;
    // The silence of the night does not count in the morning.
    this.#lastSignMilliseconds = now;
    return false;
  }

  #begin(): void {
    if (this.#closing.signal.aborted) return;
    const feed = this.plan.create();
    this.#feed = feed;
    this.#lastSignMilliseconds = this.#options.clock.monotonicMilliseconds();
    this.#become("connecting");
    if (this.plan.gives === "wanted") feed.want(this.#wanted);
    feed.start(this.#sinkOf(feed));
  }

  /** What a feed says after its end is nobody's any more. */
  #sinkOf(feed: Feed): FeedSink {
    const isOurs = () => this.#feed === feed;
    return {
      quotes: (batch) => !isOurs() || this.#onQuotes(batch),
      instruments: (listed) => {
        if (isOurs()) this.#options.list(listed);
      },
      state: (state) => {
        if (isOurs()) this.#onState(state);
      },
      gap: (missingCount, detail) => {
        if (isOurs()) this.#onGap(missingCount, detail);
      },
      fault: (detail) => {
        if (isOurs()) this.#onFault(detail);
      },
    };
  }

  async #end(state: SupervisedState): Promise<void> {
    const feed = this.#feed;
    this.#feed = null;
    this.#become(state);
    await feed?.stop();
  }

  #become(state: SupervisedState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#since = this.#options.clock.nowMicroseconds();
  }

  #note(detail: string): void {
    this.#lastTrouble = printable(detail).slice(0, 200);
    this.#options.log.debug({ feed: this.plan.name, detail: this.#lastTrouble }, "a feed's trouble");
  }

  /** Hands over what was conflated, as the market takes it. */
  async #drain(): Promise<void> {
    const { clock, taker } = this.#options;
    while (this.#conflation.count > 0 && !this.#closing.signal.aborted) {
      const batch = this.#conflation.first(conflatedBatchMax);
      if (taker.ingest(batch, this.plan.kind) === "full") await clock.sleep(fullMilliseconds, this.#closing.signal);
      else {
        this.#conflation.remove(batch);
        await nextTurn();
      }
    }
    this.#draining = null;
  }
}
