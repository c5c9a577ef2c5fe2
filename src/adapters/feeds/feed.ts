// What every source of live quotes looks like from inside: it is started with a sink, told which symbols are wanted, and stopped. Separate
// because whoever supervises feeds must not know any of them. A feed decides nothing: what is valid, late or double is judged behind the sink.

import type { Instrument } from "../../domain/instrument";
import type { Quote } from "../../domain/quote";
import type { EpochMicroseconds } from "../../foundation/clock";

/** connecting: no data yet, or again; live: data may come; ended: a recording is over; stopped: by us. */
export type FeedState = "connecting" | "live" | "ended" | "stopped";

/** Where a feed's news go. Nothing here throws or waits; who calls too fast is told by `quotes`. */
export interface FeedSink {
  /** In the order the source sent them. False: the taker is full and took none of it; a source that can wait should. */
  quotes(batch: readonly Quote[]): boolean;
  /** Contracts that the source lists. */
  instruments(listed: readonly Instrument[]): void;
  state(state: FeedState): void;
  /** The source skipped something: how many messages (NaN: unknown), and of what. */
  gap(missingCount: number, detail: string): void;
  /** A message that could not be read; a sentence without the message's own content beyond 100 characters. */
  fault(detail: string): void;
}

export interface Feed {
  /** push, replay, simulated, kite, deribit. */
  readonly kind: string;
  readonly state: FeedState;
  /** Connects by itself, again and again, until stopped. */
  start(sink: FeedSink): void;
  /** All that is wanted from now on; what a source sends beyond it is dropped. Canonical symbols. */
  want(symbols: ReadonlySet<string>): void;
  /** What the source has confirmed to send, where it confirms; else what was asked for. */
  readonly confirmed: ReadonlySet<string>;
  /** When the last message came, or null. */
  readonly lastMessageAt: EpochMicroseconds | null;
  stop(): Promise<void>;
}
