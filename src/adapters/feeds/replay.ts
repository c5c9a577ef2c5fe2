// A recorded session once more, at the pace it was received or at any other. It lives here as a feed like those of exchanges, so that
// whoever takes quotes can't tell a recording from a market. It waits for a taker that is full and loses nothing.

import type { Quote } from "../../domain/quote";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import { nextTurn } from "../../foundation/turn";
import type { Feed, FeedSink, FeedState } from "./feed";
import { readRecordingFile } from "./recording";

export interface ReplayOptions {
  readonly path: string;
  /** Recorded time over real time; 0: as fast as it is taken. */
  readonly speed: number;
  /** `recorded`: quotes keep their venue's moments. `now`: these are moved, and stretched by the speed, as though the session began now. */
  readonly times: "recorded" | "now";
  readonly clock: Clock;
}

/** Most quotes handed over at once. */
const batchCountMax = 500;
/** How soon a taker that was full is asked again. */
const fullMilliseconds = 5;
/** Symbols remembered as sent. */
const seenCountMax = 200_000;
/** Longest single sleep: what a timer can count is bounded, and so is what a stop must wait for. */
const sleepMillisecondsMax = 3_600_000;

/** Plays a recording once. */
export class ReplayFeed implements Feed {
  readonly kind = "replay";
  readonly #options: ReplayOptions;
  readonly #abort = new AbortController();
  readonly #seen = new Set<string>();
  #state: FeedState = "connecting";
  #lastMessageAt: EpochMicroseconds | null = null;
  #wanted: ReadonlySet<string> | null = null;
  #running: Promise<void> | undefined;

  constructor(options: ReplayOptions) {
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

  /** Until it is told what is wanted, a replay gives all there is. */
  want(symbols: ReadonlySet<string>): void {
    this.#wanted = symbols;
  }

  start(sink: FeedSink): void {
    this.#running ??= this.#run(sink).catch((error: unknown) => {
      sink.fault(error instanceof BsoptError ? error.detail : "the recording could not be played");
      this.#become("ended", sink);
    });
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    this.#state = "stopped";
  }

  #become(state: FeedState, sink: FeedSink): void {
    this.#state = state;
    sink.state(state);
  }

  async #run(sink: FeedSink): Promise<void> {
    const { path, speed, times, clock } = this.#options;
    const signal = this.#abort.signal;
    const startedAt = clock.monotonicMilliseconds();
    const startedMicroseconds = clock.nowMicroseconds();
    let first: EpochMicroseconds | null = null;
    let batch: Quote[] = [];
    for await (const item of readRecordingFile(path)) {
      if (signal.aborted) return;
      if (this.#state === "connecting") this.#become("live", sink);
      if ("detail" in item) {
        sink.fault(`line ${item.line}: ${item.detail}`);
        continue;
      }
      const { quote, receivedAt } = item;
      first ??= receivedAt;
      if (speed > 0) {
        const due = startedAt + Number(receivedAt - first) / 1000 / speed;
        if (due > clock.monotonicMilliseconds()) {
          await this.#hand(batch, sink);
          batch = [];
          await this.#sleepUntil(due);
        }
      }
      if (signal.aborted) return;
      if (this.#wanted !== null && !this.#wanted.has(quote.symbol)) continue;
      batch.push(times === "now" ? moved(quote, first, startedMicroseconds, speed) : quote);
      if (batch.length >= batchCountMax) {
        await this.#hand(batch, sink);
        batch = [];
        await nextTurn();
      }
    }
    await this.#hand(batch, sink);
    if (!signal.aborted) this.#become("ended", sink);
  }

  async #hand(batch: readonly Quote[], sink: FeedSink): Promise<void> {
    if (batch.length === 0) return;
    this.#lastMessageAt = this.#options.clock.nowMicroseconds();
    for (const { symbol } of batch) if (this.#seen.size < seenCountMax) this.#seen.add(symbol);
    while (!this.#abort.signal.aborted && !sink.quotes(batch)) {
      await this.#options.clock.sleep(fullMilliseconds, this.#abort.signal);
    }
  }

  async #sleepUntil(due: number): Promise<void> {
    const { clock } = this.#options;
    for (let rest = due - clock.monotonicMilliseconds(); rest > 0; rest = due - clock.monotonicMilliseconds()) {
      if (this.#abort.signal.aborted) return;
      await clock.sleep(Math.min(Math.ceil(rest), sleepMillisecondsMax), this.#abort.signal);
    }
  }
}

/** The same moment of a session that begins now: one mapping for all, so that what is late, double or in order stays so. */
function moved(quote: Quote, first: EpochMicroseconds, startedAt: EpochMicroseconds, speed: number): Quote {
  const sinceFirst = Number(quote.at - first) / (speed > 0 ? speed : 1);
  return { ...quote, at: startedAt + BigInt(Math.round(sinceFirst)) };
}
