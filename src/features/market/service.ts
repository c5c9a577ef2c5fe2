// The live market: quotes in, chains valued, everybody told, everything kept. One underlying is one lane; what comes in waits in one bounded
// intake, is handed to its lanes in batches, and a lane that fails is made anew from the archive while the others go on. Separate from the
// books, which know no time, and from the archive and the streams, which know no quotes. It must never apply what it does not record, nor say
// that a quote is kept before the archive has said so.

import type { Applied, BookSettings, ValuationReport } from "../../book/entries";
import type { Instrument } from "../../domain/instrument";
import type { Quote } from "../../domain/quote";
import { backoffMilliseconds } from "../../foundation/backoff";
import { Bell } from "../../foundation/bell";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import type { EventBus, Topic } from "../../foundation/event-bus";
import { Intake } from "../../foundation/intake";
import { Interest } from "../../foundation/interest";
import type { Log } from "../../foundation/log";
import type { Random } from "../../foundation/random";
import { nextTurn } from "../../foundation/turn";
import {
  type IngestAnswer,
  type IngestReport,
  Lane,
  type LaneBook,
  type LaneState,
  type MarketArchive,
  type MarketInstruments,
  type MarketLimits,
  type MarketStatistics,
  type MarketWatch,
  type Moment,
  type QuoteSource,
  type Rejection,
  rejectionOf,
  type Stage,
  type Ticked,
  type Valued,
} from "./rules";

export { quoteSources, stages } from "./rules";
export type {
  IngestAnswer,
  IngestReport,
  LaneBook,
  MarketArchive,
  MarketInstruments,
  MarketLimits,
  MarketStatistics,
  MarketWatch,
  QuoteSource,
  Rejection,
  Stage,
  Ticked,
  Valued,
};

export interface Market<Book extends LaneBook = LaneBook> {
  /** Takes what it can of a batch, at once; whatever is late or double is found later. "full": none of it was taken, come again. */
  ingest(batch: readonly Quote[], source: QuoteSource): IngestAnswer | "full";
  /** The same, answered once all of it is worked off and committed. Rejects with BsoptError `unavailable` MARKET_BUSY. */
  ingestKept(batch: readonly Quote[], source: QuoteSource): Promise<IngestReport>;
  /** The live book, for reading; null: there is none, or it is not back from the archive yet. */
  bookOf(underlying: string): Book | null;
  /** The same, waiting for the archive. */
  book(underlying: string): Promise<Book | null>;
  /** The book as it was known then; null: nothing was. */
  bookAt(underlying: string, asOf: EpochMicroseconds): Promise<Book | null>;
  /** Underlyings with a book, whatever its state. */
  underlyings(): readonly string[];
  /** Symbols whose quotes channels and subscriptions want. */
  readonly interest: Interest;
  /** In order per underlying. */
  readonly ticked: Topic<Ticked>;
  /** The newest of each underlying where somebody falls behind. */
  readonly valued: Topic<Valued>;
  statistics(): MarketStatistics;
  /** Brings back the books that the archive has. */
  restore(): Promise<void>;
  /** Resolves when all that was taken is worked off, told and kept. */
  drain(): Promise<void>;
  /** Works off what was taken, and takes no more. */
  stop(): Promise<void>;
}

export interface MarketOptions<Book extends LaneBook> {
  readonly instruments: MarketInstruments;
  /** Null: nothing is kept. */
  readonly archive: MarketArchive<Book> | null;
  readonly newBook: (underlying: string) => Book;
  /** What every book judges and values by. */
  readonly settings: BookSettings;
  /** What is wrong with a quote by itself, or "ok". */
  readonly judge: (quote: Quote, instrument: Instrument | null, now: EpochMicroseconds, source: QuoteSource) => string;
  readonly bus: EventBus;
  readonly limits: MarketLimits;
  readonly watch: MarketWatch;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Quotes of one underlying that wait for its book to come back. */
const inboxMax = 10_000;
/** How long the end waits for what is under way. */
const stopMillisecondsMax = 5_000;
/** The loop is not held for longer. */
const turnMilliseconds = 2;
const restart = { baseMilliseconds: 100, waitMillisecondsMax: 30_000 };

interface Tick {
  readonly quote: Quote;
  readonly instrument: Instrument;
  readonly receivedAt: EpochMicroseconds;
  readonly receivedMilliseconds: number;
  readonly ticket: Ticket | null;
  readonly index: number;
}

/** A batch whose sender waits for what becomes of it. */
class Ticket {
  readonly done: Promise<void>;
  readonly outcomes: { accepted: number; duplicates: number; late: number } = { accepted: 0, duplicates: 0, late: 0 };
  readonly rejected: Rejection[] = [];
  #left = 0;
  readonly #settle: () => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#settle = resolve;
  }

  /** So many outcomes will be told. */
  expect(count: number): void {
    this.#left = count;
    if (count === 0) this.#settle();
  }

  note(index: number, outcome: Applied | "busy" | "failed"): void {
    if (outcome === "applied") this.outcomes.accepted += 1;
    else if (outcome === "duplicate") this.outcomes.duplicates += 1;
    else if (outcome === "late") this.outcomes.late += 1;
    else this.rejected.push({ index, ...rejectionOf(outcome) });
    this.#left -= 1;
    if (this.#left === 0) this.#settle();
  }
}

/** One underlying. */
interface Place<Book extends LaneBook> {
  readonly underlying: string;
  lane: Lane<Book> | null;
  state: LaneState;
  inbox: Tick[];
  failures: number;
  isRefitted: boolean;
  loading: Promise<void>;
}

export function createMarket<Book extends LaneBook>(options: MarketOptions<Book>): Market<Book> {
  return new LiveMarket(options);
}

class LiveMarket<Book extends LaneBook> implements Market<Book> {
  readonly ticked: Topic<Ticked>;
  readonly valued: Topic<Valued>;
  readonly interest = new Interest();
  readonly #options: MarketOptions<Book>;
  readonly #intake: Intake<Tick>;
  readonly #places = new Map<string, Place<Book>>();
  /** Those whose lane may have something to do at some time. */
  readonly #restless = new Set<Place<Book>>();
  /** Those whose book has come back since the last turn. */
  readonly #back = new Set<Place<Book>>();
  readonly #stop = new AbortController();
  #oldestMilliseconds: number | null = null;
  #loop: Promise<void> | null = null;
  readonly #bell: Bell;
  #whenIdle: (() => void)[] = [];
  #count = { applied: 0, duplicates: 0, late: 0, rejected: 0, valuations: 0, refits: 0, restarts: 0 };
  #busyMilliseconds = 0;
  #greeksMilliseconds = 0;

  constructor(options: MarketOptions<Book>) {
    this.#options = options;
    this.#bell = new Bell(options.clock);
    const { queueMax: countMax, batchMax } = options.limits;
    this.#intake = new Intake<Tick>({
      countMax,
      batchMax,
      keyOf: ({ quote }) => quote.symbol,
      isPromised: ({ ticket }) => ticket !== null,
    });
    const keyOf = ({ underlying }: { underlying: string }) => underlying;
    this.ticked = options.bus.topic<Ticked>({
      name: "market.ticked",
      overflow: "drop_oldest",
      keyOf,
      queueMax: 10_000,
    });
    this.valued = options.bus.topic<Valued>({ name: "market.valued", overflow: "conflate", keyOf });
    options.archive?.checkpointsFrom((underlying) => {
      const lane = this.#places.get(underlying)?.lane ?? null;
      return lane?.isRecorded ? lane.book.checkpoint() : null;
    });
    options.instruments.onListed((listed) => this.#changeListing(listed, (lane, some) => lane.list(some)));
    options.instruments.onUnlisted((gone) =>
      this.#changeListing(gone, (lane, some) => lane.unlist(some.map(({ symbol }) => symbol))),
    );
  }

  ingest(batch: readonly Quote[], source: QuoteSource): IngestAnswer | "full" {
    const rejected: Rejection[] = [];
    const ticks = this.#validated(batch, source, null, rejected);
    return this.#take(ticks) ? { accepted: ticks.length, rejected } : "full";
  }

  async ingestKept(batch: readonly Quote[], source: QuoteSource): Promise<IngestReport> {
    const rejected: Rejection[] = [];
    const ticket = new Ticket();
    const ticks = this.#validated(batch, source, ticket, rejected);
    ticket.expect(ticks.length);
    if (!this.#take(ticks)) throw busy();
    await ticket.done;
    await this.#options.archive?.kept([...new Set(ticks.map(({ instrument }) => instrument.underlying))]);
    const inOrder = [...rejected, ...ticket.rejected].sort((one, other) => one.index - other.index);
    return { ...ticket.outcomes, rejected: inOrder };
  }

  bookOf(underlying: string): Book | null {
    return this.#places.get(underlying)?.lane?.book ?? null;
  }

  async book(underlying: string): Promise<Book | null> {
    const place = this.#places.get(underlying);
    await place?.loading;
    return place?.lane?.book ?? null;
  }

  async bookAt(underlying: string, asOf: EpochMicroseconds): Promise<Book | null> {
    const { archive } = this.#options;
    if (archive === null) return null;
    return archive.bookAt(underlying, asOf);
  }

  underlyings(): readonly string[] {
    return [...this.#places.keys()];
  }

  statistics(): MarketStatistics {
    return {
      intake: this.#intake.counts(),
      ...this.#count,
      busyMilliseconds: this.#busyMilliseconds,
      greeksMilliseconds: this.#greeksMilliseconds,
      lanes: [...this.#places.values()].map(({ underlying, state, inbox }) => ({
        underlying,
        state,
        waiting: inbox.length,
      })),
    };
  }

  async restore(): Promise<void> {
    const underlyings = (await this.#options.archive?.underlyings()) ?? [];
    // One after another: a restart must leave the loop to others.
    for (const underlying of underlyings) await this.#placeOf(underlying).loading;
  }

  async drain(): Promise<void> {
    while (!this.#isIdle) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    await this.#options.bus.drain();
    await this.#options.archive?.kept();
  }

  async stop(): Promise<void> {
    const { clock, log } = this.#options;
    const inTime = new AbortController();
    // What cannot be kept now was never acknowledged; what stops after this must stop all the same, also where a book does not come back.
    const drained = this.drain().catch((error) => log.error({ err: error }, "the market's last entries are not kept"));
    await Promise.race([drained, clock.sleep(stopMillisecondsMax, inTime.signal)]);
    if (!this.#isIdle) log.error({}, "the market stops with quotes still waiting");
    inTime.abort();
    this.#stop.abort();
    this.#wake();
    await this.#loop;
  }

  #validated(batch: readonly Quote[], source: QuoteSource, ticket: Ticket | null, rejected: Rejection[]): Tick[] {
    const { instruments, judge, clock, watch } = this.#options;
    const receivedMilliseconds = clock.monotonicMilliseconds();
    const receivedAt = clock.nowMicroseconds();
    const ticks: Tick[] = [];
    for (let index = 0; index < batch.length; index++) {
      const quote = batch[index]!;
      const instrument = instruments.find(quote.symbol);
      const verdict = judge(quote, instrument, receivedAt, source);
      if (instrument !== null && verdict === "ok") {
        ticks.push({ quote, instrument, receivedAt, receivedMilliseconds, ticket, index });
        continue;
      }
      this.#count.rejected += 1;
      watch.rejected(verdict);
      rejected.push({ index, ...rejectionOf(verdict) });
    }
    watch.staged("validate", clock.monotonicMilliseconds() - receivedMilliseconds);
    return ticks;
  }

  #take(ticks: readonly Tick[]): boolean {
    const { clock, watch } = this.#options;
    const started = clock.monotonicMilliseconds();
    if (this.#stop.signal.aborted || !this.#intake.add(ticks)) return false;
    if (ticks.length > 0) {
      this.#oldestMilliseconds ??= ticks[0]!.receivedMilliseconds;
      this.#wake();
    }
    watch.staged("ingest", clock.monotonicMilliseconds() - started);
    return true;
  }

  #changeListing(instruments: readonly Instrument[], change: (lane: Lane<Book>, some: Instrument[]) => void): void {
    for (const [underlying, some] of Map.groupBy(instruments, ({ underlying }) => underlying)) {
      const place = this.#places.get(underlying);
      // Where there is no lane yet, it begins with all that is listed by then.
      const lane = place?.lane;
      if (!place || !lane || !this.#guarded(place, "batch", () => change(lane, some))) continue;
      this.#record(lane);
      this.#restless.add(place);
      this.#wake();
    }
  }

  #placeOf(underlying: string): Place<Book> {
    const found = this.#places.get(underlying);
    if (found) return found;
    const place: Place<Book> = {
      underlying,
      lane: null,
      state: "loading",
      inbox: [],
      failures: 0,
      isRefitted: false,
      loading: Promise.resolve(),
    };
    this.#places.set(underlying, place);
    place.loading = this.#load(place, 0);
    return place;
  }

  /** Brings a lane's book back; tries again and again, as long as the market runs. */
  async #load(place: Place<Book>, waitMilliseconds: number): Promise<void> {
    const { archive, instruments, newBook, settings, limits, clock, log, random } = this.#options;
    const { underlying } = place;
    const { signal } = this.#stop;
    let wait = waitMilliseconds;
    while (!signal.aborted) {
      if (wait > 0) await clock.sleep(wait, signal);
      try {
        await archive?.kept([underlying]);
        const kept = (await archive?.latest(underlying)) ?? null;
        const lane = new Lane(underlying, kept ?? newBook(underlying), {
          valuationMilliseconds: 1000 / limits.valuationsPerSecond,
          refitMilliseconds: limits.refitMilliseconds,
        });
        const own = instruments.find(underlying);
        const listed = [...(own ? [own] : []), ...instruments.ofUnderlying(underlying)];
        const unknown = listed.filter(({ symbol }) => !lane.book.has(symbol));
        lane.configure(settings);
        if (unknown.length > 0) lane.list(unknown);
        lane.wake();
        place.lane = lane;
        place.state = "live";
        this.#back.add(place);
        this.#wake();
        return;
      } catch (error) {
        place.failures += 1;
        log.error({ err: error, underlying, failures: place.failures }, "a book cannot be brought back");
        wait = backoffMilliseconds({ attemptIndex: place.failures - 1, ...restart, random });
      }
    }
  }

  #wake(): void {
    this.#loop ??= this.#run();
    this.#bell.ring();
  }

  async #run(): Promise<void> {
    const { clock, watch } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const wait = this.#dueAt() - clock.monotonicMilliseconds();
      if (wait > 0) {
        this.#tellIdle();
        await this.#bell.sleep(wait);
        continue;
      }
      const started = clock.monotonicMilliseconds();
      watch.began();
      const quoteCount = this.#turn(started);
      const spent = clock.monotonicMilliseconds() - started;
      watch.ended(spent, quoteCount);
      this.#busyMilliseconds += spent;
      await nextTurn();
    }
    this.#tellIdle();
  }

  #dueAt(): number {
    let due = Number.POSITIVE_INFINITY;
    if (this.#intake.isBatchFull || this.#back.size > 0) return Number.NEGATIVE_INFINITY;
    if (this.#intake.count > 0) due = (this.#oldestMilliseconds ?? 0) + this.#options.limits.flushMilliseconds;
    for (const { lane } of this.#restless) due = Math.min(due, lane?.dueAt ?? Number.POSITIVE_INFINITY);
    return due;
  }

  get #isIdle(): boolean {
    if (this.#intake.count + this.#back.size > 0) return false;
    return this.#places.values().every(({ state, inbox }) => state !== "loading" && inbox.length === 0);
  }

  #tellIdle(): void {
    if (!this.#isIdle && !this.#stop.signal.aborted) return;
    const waiters = this.#whenIdle;
    this.#whenIdle = [];
    for (const wake of waiters) wake();
  }

  /** One batch, then what is due, as far as the turn's time goes; how many quotes the batch had. */
  #turn(started: number): number {
    const { clock, watch } = this.#options;
    const touched = new Set(this.#back);
    this.#back.clear();
    const batch = this.#intake.take();
    if (batch.length > 0) watch.staged("batch", started - (this.#oldestMilliseconds ?? started));
    this.#oldestMilliseconds = this.#intake.count > 0 ? started : null;
    for (const tick of batch) {
      const place = this.#placeOf(tick.instrument.underlying);
      if (place.state !== "live" && place.inbox.length >= inboxMax) tick.ticket?.note(tick.index, "busy");
      else place.inbox.push(tick);
      touched.add(place);
    }
    for (const place of touched) this.#work(place);
    for (const place of this.#restless) {
      const { lane } = place;
      if (lane === null || lane.dueAt === null) {
        this.#restless.delete(place);
        continue;
      }
      const milliseconds = clock.monotonicMilliseconds();
      if (milliseconds - started > turnMilliseconds) break;
      if (lane.dueAt > milliseconds) continue;
      // To the end of the line, so that everybody has a turn.
      this.#restless.delete(place);
      this.#restless.add(place);
      this.#fitStep(place, lane);
      this.#work(place);
    }
    return batch.length;
  }

  #fitStep(place: Place<Book>, lane: Lane<Book>): void {
    const started = this.#options.clock.monotonicMilliseconds();
    this.#guarded(place, "greeks", () => {
      if (lane.refitStep(this.#now()) !== "fitted") return;
      place.isRefitted = true;
      this.#count.refits += 1;
    });
    const spent = this.#options.clock.monotonicMilliseconds() - started;
    this.#greeksMilliseconds += spent;
  }

  /** Applies what waits, values what is due, tells, and records. */
  #work(place: Place<Book>): void {
    const { lane } = place;
    if (lane === null) return;
    const { clock, watch } = this.#options;
    const ticks = place.inbox;
    place.inbox = [];
    const applied: Quote[] = [];
    let done = 0;
    const isWhole = this.#guarded(place, "batch", () => {
      for (; done < ticks.length; done++) {
        const { quote, receivedAt, instrument, ticket, index } = ticks[done]!;
        const outcome = lane.apply(quote, receivedAt, instrument.kind === "option");
        this.#noteOutcome(outcome);
        ticket?.note(index, outcome);
        if (outcome === "applied") applied.push(quote);
      }
    });
    if (!isWhole) {
      // The one it failed at is lost, and its sender told; the others wait for the book to be back.
      const failed = ticks[done];
      failed?.ticket?.note(failed.index, "failed");
      place.inbox = ticks.slice(done + 1);
    }
    const valued = isWhole ? this.#value(place, lane) : null;
    const publishing = clock.monotonicMilliseconds();
    const at = clock.nowMicroseconds();
    if (applied.length > 0) void this.ticked.publish({ underlying: place.underlying, quotes: applied, at });
    if (valued !== null) void this.valued.publish(valued);
    const persisting = clock.monotonicMilliseconds();
    if (applied.length > 0 || valued !== null) watch.staged("publish", persisting - publishing);
    this.#record(lane);
    if (lane.dueAt !== null && place.state === "live") this.#restless.add(place);
    this.#tellTicked(ticks.slice(0, done));
  }

  #value(place: Place<Book>, lane: Lane<Book>): Valued | null {
    const { clock, watch } = this.#options;
    const now = this.#now();
    let report: ValuationReport | null = null;
    this.#guarded(place, "greeks", () => {
      report = lane.valueIfDue(now);
    });
    if (report === null) return null;
    const spent = clock.monotonicMilliseconds() - now.milliseconds;
    this.#greeksMilliseconds += spent;
    this.#count.valuations += 1;
    const { optionCount } = report as ValuationReport;
    watch.valued(spent, optionCount);
    watch.staged("greeks", spent);
    const { isRefitted } = place;
    place.isRefitted = false;
    return { underlying: place.underlying, at: now.at, report, isRefitted };
  }

  #record(lane: Lane<Book>): void {
    const { archive, clock, watch } = this.#options;
    const entries = lane.takeEntries();
    if (archive === null || entries.length === 0) return;
    const started = clock.monotonicMilliseconds();
    archive.append(lane.underlying, entries);
    watch.staged("persist", clock.monotonicMilliseconds() - started);
  }

  #tellTicked(ticks: readonly Tick[]): void {
    const { clock, watch } = this.#options;
    const now = clock.monotonicMilliseconds();
    for (const { instrument, receivedMilliseconds } of ticks) watch.ticked(instrument.kind, now - receivedMilliseconds);
  }

  #noteOutcome(outcome: Applied): void {
    switch (outcome) {
      case "applied":
        this.#count.applied += 1;
        return;
      case "duplicate":
        this.#count.duplicates += 1;
        return;
      case "late":
        this.#count.late += 1;
        return;
      case "unknown":
        this.#count.rejected += 1;
        this.#options.watch.rejected(outcome);
    }
  }

  /** True where the work was done; where it throws, the lane ends, and comes back from what is kept. */
  #guarded(place: Place<Book>, stage: Stage, work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      const { log, watch, random } = this.#options;
      const { underlying, lane } = place;
      if (lane === null) return false;
      place.failures += 1;
      this.#count.restarts += 1;
      watch.failed(stage);
      log.error({ err: error, underlying, stage, failures: place.failures }, "a book failed and is made anew");
      // What it had taken before is true.
      this.#record(lane);
      place.lane = null;
      place.state = "failed";
      this.#restless.delete(place);
      const wait = backoffMilliseconds({ attemptIndex: place.failures - 1, ...restart, random });
      place.loading = this.#load(place, wait);
      return false;
    }
  }

  #now(): Moment {
    const { clock } = this.#options;
    return { milliseconds: clock.monotonicMilliseconds(), at: clock.nowMicroseconds() };
  }
}

function busy(): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "MARKET_BUSY",
    detail: "More quotes are waiting than can be taken; none of these was",
    retryAfterSeconds: 1,
  });
}
