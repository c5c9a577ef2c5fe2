// One underlying's pace: what a quote changes, when its chain is to be valued and its surface fitted anew, and what of it belongs to the record.
// Separate from the service, which waits, stores and tells. Pure: time comes in, nothing is awaited, so that the same calls give the same
// record. It must record only what its book has taken, in the order it took it.

import type { UnderlyingBook } from "../../book/book";
import type { Applied, BookEntry, BookSettings, ValuationReport } from "../../book/entries";
import { quoteVerdictDetail } from "../../book/validate";
import type { Instrument } from "../../domain/instrument";
import type { Quote } from "../../domain/quote";
import type { EpochMicroseconds } from "../../foundation/clock";
import type { IntakeCounts } from "../../foundation/intake";
import { Pace } from "../../foundation/pace";

/** What a lane needs of a book: the real one, or a test's. */
export type LaneBook = Pick<
  UnderlyingBook,
  "has" | "list" | "unlist" | "apply" | "refitSteps" | "value" | "checkpoint" | "configure" | "settings"
>;

export interface LanePace {
  /** Between two valuations of one underlying. */
  readonly valuationMilliseconds: number;
  /** Between the beginnings of two fits. */
  readonly refitMilliseconds: number;
}

/** Now, on both clocks. */
export interface Moment {
  readonly milliseconds: number;
  readonly at: EpochMicroseconds;
}

export class Lane<Book extends LaneBook> {
  readonly underlying: string;
  readonly book: Book;
  readonly #valuation: Pace;
  readonly #refit: Pace;
  #entries: BookEntry[] = [];
  #steps: Generator<void, void> | null = null;
  #hasRefitted = false;

  constructor(underlying: string, book: Book, pace: LanePace) {
    this.underlying = underlying;
    this.book = book;
    this.#valuation = new Pace(pace.valuationMilliseconds);
    this.#refit = new Pace(pace.refitMilliseconds);
  }

  /** What the book has taken since the last look, in order. */
  takeEntries(): readonly BookEntry[] {
    const entries = this.#entries;
    this.#entries = [];
    return entries;
  }

  /** Everything the book has taken was handed out. */
  get isRecorded(): boolean {
    return this.#entries.length === 0;
  }

  /** The book judges and values by these from here on; what it does already is not said again. */
  configure(settings: BookSettings): void {
    const isSame = Object.entries(settings).every(
      ([name, value]) => this.book.settings[name as keyof BookSettings] === value,
    );
    if (isSame) return;
    this.book.configure(settings);
    this.#entries.push({ kind: "settings", settings });
    this.wake();
  }

  list(instruments: readonly Instrument[]): void {
    this.book.list(instruments);
    this.#entries.push({ kind: "list", instruments });
    this.#refit.ask();
  }

  unlist(symbols: readonly string[]): void {
    this.book.unlist(symbols);
    this.#entries.push({ kind: "unlist", symbols });
    this.wake();
  }

  /** An option's quote moves its volatility, hence the next fit; any other moves spot or forward, hence every option's value. */
  apply(quote: Quote, receivedAt: EpochMicroseconds, isOption: boolean): Applied {
    const outcome = this.book.apply(quote, receivedAt);
    // A late quote changes nothing in the book, but it was known from here on.
    if (outcome === "applied" || outcome === "late") this.#entries.push({ kind: "quote", quote, receivedAt });
    if (outcome === "applied") {
      if (!isOption) this.#valuation.ask();
      this.#refit.ask();
    }
    return outcome;
  }

  /** Asks for everything anew: after a start. */
  wake(): void {
    this.#refit.ask();
    this.#valuation.ask();
  }

  /** When there is something to do on the monotonic clock, or null. */
  get dueAt(): number | null {
    if (this.#steps !== null) return Number.NEGATIVE_INFINITY;
    const [valuation, refit] = [this.#valuation.dueAt, this.#refit.dueAt];
    if (valuation === null || refit === null) return valuation ?? refit;
    return Math.min(valuation, refit);
  }

  /** Values the chain where that is asked for and due. */
  valueIfDue({ milliseconds, at }: Moment): ValuationReport | null {
    if (!this.#valuation.grant(milliseconds)) return null;
    const report = this.book.value(at);
    this.#entries.push({ kind: "value", at });
    return report;
  }

  /** Begins a fit where that is due, or goes on with the one under way, one step. */
  refitStep({ milliseconds, at }: Moment): "none" | "step" | "fitted" {
    if (this.#steps === null) {
      if (!this.#refit.grant(milliseconds)) return "none";
      this.#hasRefitted = false;
      this.#steps = this.book.refitSteps(at, (entry) => {
        if (entry.kind === "refit") this.#hasRefitted = true;
        this.#entries.push(entry);
      });
    }
    if (this.#steps.next().done !== true) return "step";
    this.#steps = null;
    // What is listed or gone meanwhile ends a fit without a result; it is asked for again by that.
    if (!this.#hasRefitted) return "step";
    this.#valuation.ask();
    return "fitted";
  }
}

/** Where quotes come from, a closed list: it is a label of metrics. */
export const quoteSources = ["post", "push", "replay", "simulated", "kite", "deribit"] as const;
export type QuoteSource = (typeof quoteSources)[number];

/** The work of the pipeline, in its order. */
export const stages = ["ingest", "validate", "batch", "greeks", "publish", "persist"] as const;
export type Stage = (typeof stages)[number];

/** A quote that was not taken. */
export interface Rejection {
  /** Its place in the batch. */
  readonly index: number;
  /** UPPER_SNAKE, from a closed list. */
  readonly code: string;
  readonly detail: string;
}

export interface IngestAnswer {
  readonly accepted: number;
  readonly rejected: readonly Rejection[];
}

export interface IngestReport {
  /** Taken and recorded; they survive the end of the process. */
  readonly accepted: number;
  /** Equal to what was known already. */
  readonly duplicates: number;
  /** Older than what was known: recorded, but changed nothing. */
  readonly late: number;
  readonly rejected: readonly Rejection[];
}

/** A code and a sentence for each reason that a quote is refused for. */
export function rejectionOf(reason: string): Pick<Rejection, "code" | "detail"> {
  const detail = verdictDetails[reason] ?? ownDetails[reason] ?? reason.replaceAll("_", " ");
  return { code: reason.toUpperCase(), detail };
}

const verdictDetails: Readonly<Record<string, string>> = quoteVerdictDetail;
const ownDetails: Readonly<Record<string, string>> = {
  busy: "waits for a book that is not back yet; send it again",
  failed: "its book failed at it, and was made anew without it",
};

/** What happens, told as it happens; for metrics and traces. */
export interface MarketWatch {
  staged(stage: Stage, milliseconds: number): void;
  /** From the moment a quote was received until its batch was worked off. */
  ticked(kind: Instrument["kind"], milliseconds: number): void;
  valued(milliseconds: number, optionCount: number): void;
  rejected(reason: string): void;
  failed(stage: Stage): void;
  /** A step of the pipeline begins. */
  began(): void;
  /** It is over; of a batch it tells how many quotes that had, else 0. */
  ended(milliseconds: number, quoteCount: number): void;
}

export interface MarketLimits {
  /** Quotes waiting at most. */
  readonly queueMax: number;
  /** Quotes worked off together at most. */
  readonly batchMax: number;
  /** How long a quote waits for others at most, in milliseconds. */
  readonly flushMilliseconds: number;
  /** Valuations of one underlying a second at most. */
  readonly valuationsPerSecond: number;
  /** Between two fits of one underlying. */
  readonly refitMilliseconds: number;
}

export interface MarketStatistics {
  readonly intake: IntakeCounts;
  /** By outcome, since the start. */
  readonly applied: number;
  readonly duplicates: number;
  readonly late: number;
  readonly rejected: number;
  readonly valuations: number;
  readonly refits: number;
  /** Lanes that were made anew after a failure. */
  readonly restarts: number;
  /** Time spent working, in milliseconds, and that of valuing and fitting within it. */
  readonly busyMilliseconds: number;
  readonly greeksMilliseconds: number;
  readonly lanes: readonly { readonly underlying: string; readonly state: LaneState; readonly waiting: number }[];
}

export type LaneState = "loading" | "live" | "failed";

/** What a market needs of the instrument master. */
export interface MarketInstruments {
  find(symbol: string): Instrument | null;
  ofUnderlying(underlying: string): readonly Instrument[];
  onListed(told: (listed: readonly Instrument[]) => void): unknown;
  onUnlisted(told: (unlisted: readonly Instrument[]) => void): unknown;
}

/** What a market needs of the archive. */
export interface MarketArchive<Book> {
  append(underlying: string, entries: readonly BookEntry[]): void;
  /** Of these underlyings, of any where none are named. */
  kept(underlyings?: readonly string[]): Promise<void>;
  bookAt(underlying: string, asOf: EpochMicroseconds): Promise<Book | null>;
  /** The newest book there is, or null. */
  latest(underlying: string): Promise<Book | null>;
  /** Those that it has books of. */
  underlyings(): Promise<readonly string[]>;
  /** Who is asked for a checkpoint where one is due; null: not now. */
  checkpointsFrom(source: (underlying: string) => Uint8Array | null): void;
}

/** Quotes that a book has taken. */
export interface Ticked {
  readonly underlying: string;
  readonly quotes: readonly Quote[];
  readonly at: EpochMicroseconds;
}

/** A chain that was valued. */
export interface Valued {
  readonly underlying: string;
  readonly at: EpochMicroseconds;
  readonly report: ValuationReport;
  /** A fit was finished since the valuation before. */
  readonly isRefitted: boolean;
}
