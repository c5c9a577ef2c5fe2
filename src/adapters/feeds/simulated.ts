// The simulated market at its pace: what is due is handed over every few milliseconds. Separate from the market itself, which has no
// clock. A taker that is full loses the quotes, as it would a market's; a machine that slept finds the market where it was.

import type { Quote } from "../../domain/quote";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import type { Feed, FeedSink, FeedState } from "./feed";
import { SimulatedMarket, type SimulatedMarketOptions } from "./simulated-market";

export interface SimulatedFeedOptions extends Omit<SimulatedMarketOptions, "startAt"> {
  readonly clock: Clock;
}

/** Between two hand-overs. */
const roundMilliseconds = 10;
/** Most ticks in one round; what is due beyond is due again in the next. */
const ticksPerRoundMax = 5_000;
/** Further behind than this, the time is left out: the machine slept, or can't keep the pace. */
const behindMicrosecondsMax = 1_000_000n;
/** Symbols remembered as sent. */
const seenCountMax = 200_000;

/** A market that runs for as long as it is asked to. */
export class SimulatedFeed implements Feed {
  readonly kind = "simulated";
  readonly #options: SimulatedFeedOptions;
  readonly #abort = new AbortController();
  readonly #seen = new Set<string>();
  #state: FeedState = "connecting";
  #lastMessageAt: EpochMicroseconds | null = null;
  #wanted: ReadonlySet<string> | null = null;
  #running: Promise<void> | undefined;

  constructor(options: SimulatedFeedOptions) {
    this.#options = options;
  }

  get state(): FeedState {
    return this.#state;
  }

  get confirmed(): ReadonlySet<string> {
    return this.#seen;
  }

  get lastMessageAt(): EpochMicroseconds | null {
    return this.#lastMessageAt;
  }

  /** Until it is told what is wanted, it gives all there is. */
  want(symbols: ReadonlySet<string>): void {
    this.#wanted = symbols;
  }

  start(sink: FeedSink): void {
    this.#running ??= this.#run(sink);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    this.#state = "stopped";
  }

  async #run(sink: FeedSink): Promise<void> {
    const { clock, ...options } = this.#options;
    const signal = this.#abort.signal;
    const startAt = clock.nowMicroseconds();
    const startedAt = clock.monotonicMilliseconds();
    const market = new SimulatedMarket({ ...options, startAt });
    this.#state = "live";
    sink.state("live");
    // Moments are the market's own, paced by a clock that can't be set: its ticks never run backwards.
    while (!signal.aborted) {
      const now = startAt + BigInt(Math.floor((clock.monotonicMilliseconds() - startedAt) * 1000));
      const behind = now - market.nextAt;
      if (behind > behindMicrosecondsMax) {
        market.skip(behind);
        sink.gap(Number.NaN, `${behind / 1000n} ms left out: the pace could not be kept`);
      }
      this.#round(market, now, sink);
      await clock.sleep(roundMilliseconds, signal);
    }
  }

  #round(market: SimulatedMarket, now: EpochMicroseconds, sink: FeedSink): void {
    let quotes: Quote[] = [];
    for (let count = 0; count < ticksPerRoundMax && market.nextAt <= now; count++) {
      const tick = market.next();
      if (tick.listed.length > 0) {
        // What was listed later must not be known earlier than what came before it.
        this.#hand(quotes, sink);
        quotes = [];
        sink.instruments(tick.listed);
      }
      for (const quote of tick.quotes) if (this.#wanted?.has(quote.symbol) ?? true) quotes.push(quote);
      if (tick.missingCount > 0) sink.gap(tick.missingCount, "a silence that was asked for");
    }
    this.#hand(quotes, sink);
  }

  #hand(quotes: readonly Quote[], sink: FeedSink): void {
    if (quotes.length === 0) return;
    this.#lastMessageAt = this.#options.clock.nowMicroseconds();
    for (const { symbol } of quotes) if (this.#seen.size < seenCountMax) this.#seen.add(symbol);
    if (!sink.quotes(quotes)) sink.gap(quotes.length, "the taker was full");
  }
}
