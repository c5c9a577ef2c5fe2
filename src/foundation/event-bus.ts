// How parts of one process tell each other what happened: topics with a bounded queue a handler, first in first out per key however long a
// handler takes, and handlers that cannot hurt each other. Separate from storage/outbox.ts, which is for what must outlive the process: what
// waits here is gone with it, so a topic's owner writes a fact that must not be lost into the outbox and tells of it here afterwards. It must
// never drop anything without counting it, nor hold more than its bounds.

import { assert } from "./assert";
import type { Clock } from "./clock";
import { nextTurn } from "./turn";

/**
 * What becomes of an event whose handler's queue is full. block: the publisher waits; refuse: nobody gets the event and the publisher is
 * told; drop_oldest: the handler's oldest waiting event goes; conflate: an event takes the place of the waiting one of its key, and only
 * where there is none does the oldest go.
 */
export type OverflowPolicy = "block" | "refuse" | "drop_oldest" | "conflate";

export const queueCountDefault = 1000;
const concurrencyDefault = 16;
const handlerMillisecondsDefault = 30_000;
/** Failures in a row that open a handler's breaker, and how long it stays open. */
const breakerFailuresMax = 5;
const breakerMilliseconds = 5_000;
/** Dead letters that are kept, oldest first to go. */
export const deadLettersMax = 1000;
/** Handlers run one after another for so long at most before others have their turn. */
const turnMillisecondsMax = 2;

export interface TopicOptions<Event> {
  readonly name: string;
  readonly overflow: OverflowPolicy;
  /** Events of one key reach a handler one after another, in order. Default: one key for all. */
  readonly keyOf?: (event: Event) => string;
  /** Waiting events of one handler. */
  readonly queueMax?: number;
  /** Keys that one handler works on at once. */
  readonly concurrencyMax?: number;
  /** What a handler may take for one event; then its signal aborts, and as long again later it is given up. */
  readonly handlerMillisecondsMax?: number;
  /** What could not be handled is kept as a dead letter. */
  readonly isCritical?: boolean;
}

export type EventHandler<Event> = (event: Event, signal: AbortSignal) => void | Promise<void>;

/** Why an event was not handled. */
export type DeadReason = "failed" | "timed_out" | "dropped" | "breaker_open";

export interface DeadLetter {
  readonly topic: string;
  readonly handler: string;
  readonly event: unknown;
  readonly reason: DeadReason;
}

/** Since the start. Every event that was published to a handler is in exactly one of handled, failed, dropped, conflated, skipped, waiting and in hand. */
export interface HandlerCounts {
  readonly topic: string;
  readonly handler: string;
  readonly published: number;
  readonly handled: number;
  /** Timed out ones too. */
  readonly failed: number;
  readonly timedOut: number;
  /** Timed out ones that did not even end when their signal said so. */
  readonly abandoned: number;
  readonly dropped: number;
  readonly conflated: number;
  /** Not tried because the breaker was open. */
  readonly skipped: number;
  readonly waiting: number;
  readonly inHand: number;
  readonly isOpen: boolean;
}

export interface Topic<Event> {
  readonly name: string;
  /** True: every handler has it. False: refused, and no handler has it. A promise: somebody's queue is full, and it waits for room. */
  publish(event: Event): boolean | Promise<boolean>;
  /** Adds a handler; the function takes it away again, with what waits for it. */
  subscribe(handlerName: string, handler: EventHandler<Event>): () => void;
  /** Events refused. */
  readonly refusedCount: number;
}

export interface EventBus {
  topic<Event>(options: TopicOptions<Event>): Topic<Event>;
  /** Resolves once nothing waits and every handler under way has settled, those that these called forth too. */
  drain(): Promise<void>;
  counts(): readonly HandlerCounts[];
  /** Oldest first. */
  readonly deadLetters: readonly DeadLetter[];
  /** All there ever were, forgotten ones too. */
  readonly deadLetterCount: number;
  /** Takes no more: publishing is refused from now on. Events that wait are still handled. */
  close(): void;
}

export interface EventBusOptions {
  readonly clock: Clock;
  /** Told of each failure; must not throw. */
  readonly onFailure?: (failure: { readonly topic: string; readonly handler: string; readonly error: unknown }) => void;
}

export function createEventBus(options: EventBusOptions): EventBus {
  const letters: DeadLetter[] = [];
  const topics: Settling[] = [];
  const bus = { deadLetterCount: 0, isClosed: false };
  const surroundings: Surroundings = {
    ...options,
    isClosed: () => bus.isClosed,
    bury(letter) {
      bus.deadLetterCount += 1;
      if (letters.length >= deadLettersMax) letters.shift();
      letters.push(letter);
    },
  };
  return {
    topic<Event>(topicOptions: TopicOptions<Event>) {
      assert(!topics.some(({ name }) => name === topicOptions.name), `topic ${topicOptions.name} is there already`);
      const topic = new BusTopic(topicOptions, surroundings);
      topics.push(topic);
      return topic;
    },
    async drain() {
      // A handler may publish to a topic that was empty already.
      for (;;) {
        const busy = topics.flatMap((topic) => topic.unsettled());
        if (busy.length === 0) return;
        await Promise.all(busy.map((line) => line.idle()));
      }
    },
    counts: () => topics.flatMap((topic) => topic.lines.map((line) => line.counts())),
    deadLetters: letters,
    get deadLetterCount() {
      return bus.deadLetterCount;
    },
    close() {
      bus.isClosed = true;
    },
  };
}

/** What the bus knows of its topics, whatever their events are. */
interface Settling {
  readonly name: string;
  readonly lines: readonly { counts(): HandlerCounts }[];
  unsettled(): readonly { idle(): Promise<void> }[];
}

interface Surroundings extends EventBusOptions {
  isClosed(): boolean;
  bury(letter: DeadLetter): void;
}

class BusTopic<Event> implements Topic<Event> {
  readonly name: string;
  readonly lines: Line<Event>[] = [];
  /** Of handlers that were taken away, while something is in hand. */
  readonly #leaving = new Set<Line<Event>>();
  refusedCount = 0;
  readonly #options: TopicOptions<Event>;
  readonly #surroundings: Surroundings;
  /** The end of the line of publishers that wait for room. */
  #blocked: Promise<unknown> | null = null;

  constructor(options: TopicOptions<Event>, surroundings: Surroundings) {
    this.name = options.name;
    this.#options = options;
    this.#surroundings = surroundings;
  }

  publish(event: Event): boolean | Promise<boolean> {
    if (this.#surroundings.isClosed()) return this.#refuse();
    const { overflow } = this.#options;
    // Nobody overtakes a publisher that waits.
    if (overflow === "block" && (this.#blocked !== null || this.#isFull)) return this.#publishLater(event);
    if (overflow === "refuse" && this.#isFull) return this.#refuse();
    for (const line of this.lines) line.add(event);
    return true;
  }

  subscribe(handlerName: string, handler: EventHandler<Event>): () => void {
    assert(!this.lines.some(({ name }) => name === handlerName), `${this.name} has a handler ${handlerName} already`);
    const line = new Line(handlerName, handler, this.#options, this.#surroundings);
    this.lines.push(line);
    return () => {
      const index = this.lines.indexOf(line);
      if (index >= 0) this.lines.splice(index, 1);
      line.forget();
      if (line.isIdle) return;
      this.#leaving.add(line);
      void line.idle().then(() => this.#leaving.delete(line));
    };
  }

  unsettled(): Line<Event>[] {
    return [...this.lines, ...this.#leaving].filter((line) => !line.isIdle);
  }

  get #isFull(): boolean {
    return this.lines.some((line) => line.isFull);
  }

  #refuse(): false {
    this.refusedCount += 1;
    return false;
  }

  #publishLater(event: Event): Promise<boolean> {
    const turn = (this.#blocked ?? Promise.resolve()).then(async () => {
      for (;;) {
        if (this.#surroundings.isClosed()) return this.#refuse();
        const full = this.lines.find((line) => line.isFull);
        if (full === undefined) break;
        await full.room();
      }
      for (const line of this.lines) line.add(event);
      return true;
    });
    this.#blocked = turn;
    void turn.then(() => {
      if (this.#blocked === turn) this.#blocked = null;
    });
    return turn;
  }
}

interface Waiting<Event> {
  readonly order: number;
  readonly key: string;
  event: Event;
}

/** One handler with its queue. */
class Line<Event> {
  readonly name: string;
  readonly #topic: string;
  readonly #handler: EventHandler<Event>;
  readonly #options: TopicOptions<Event>;
  readonly #surroundings: Surroundings;
  readonly #queueMax: number;
  readonly #concurrencyMax: number;
  readonly #millisecondsMax: number;
  /** In the order they came; what is taken leaves at once, so that the bound is one. */
  readonly #waiting = new Map<number, Waiting<Event>>();
  readonly #byKey = new Map<string, Waiting<Event>[]>();
  readonly #keysInHand = new Set<string>();
  /** Keys with something waiting and nothing in hand. */
  readonly #ready = new Set<string>();
  #nextOrder = 0;
  #isPumping = false;
  #failuresInARow = 0;
  #openUntilMilliseconds = Number.NEGATIVE_INFINITY;
  #whenRoom: (() => void)[] = [];
  #whenIdle: (() => void)[] = [];
  #published = 0;
  #handled = 0;
  #failed = 0;
  #timedOut = 0;
  #abandoned = 0;
  #dropped = 0;
  #conflated = 0;
  #skipped = 0;

  constructor(name: string, handler: EventHandler<Event>, options: TopicOptions<Event>, surroundings: Surroundings) {
    this.name = name;
    this.#topic = options.name;
    this.#handler = handler;
    this.#options = options;
    this.#surroundings = surroundings;
    this.#queueMax = options.queueMax ?? queueCountDefault;
    this.#concurrencyMax = options.concurrencyMax ?? concurrencyDefault;
    this.#millisecondsMax = options.handlerMillisecondsMax ?? handlerMillisecondsDefault;
    assert(this.#queueMax > 0 && this.#concurrencyMax > 0, `${this.#topic} has no room at all`);
  }

  get isFull(): boolean {
    return this.#waiting.size >= this.#queueMax;
  }

  get isIdle(): boolean {
    return this.#waiting.size === 0 && this.#keysInHand.size === 0;
  }

  counts(): HandlerCounts {
    return {
      topic: this.#topic,
      handler: this.name,
      published: this.#published,
      handled: this.#handled,
      failed: this.#failed,
      timedOut: this.#timedOut,
      abandoned: this.#abandoned,
      dropped: this.#dropped,
      conflated: this.#conflated,
      skipped: this.#skipped,
      waiting: this.#waiting.size,
      inHand: this.#keysInHand.size,
      isOpen: this.#isOpen,
    };
  }

  add(event: Event): void {
    this.#published += 1;
    const key = this.#options.keyOf?.(event) ?? "";
    if (this.#options.overflow === "conflate") {
      const waiting = this.#byKey.get(key)?.at(-1);
      if (waiting !== undefined) {
        waiting.event = event;
        this.#conflated += 1;
        return;
      }
    }
    if (this.isFull) this.#dropOldest();
    const waiting = { order: this.#nextOrder++, key, event };
    this.#waiting.set(waiting.order, waiting);
    const ofKey = this.#byKey.get(key);
    if (ofKey) ofKey.push(waiting);
    else this.#byKey.set(key, [waiting]);
    if (!this.#keysInHand.has(key)) this.#ready.add(key);
    this.#pumpSoon();
  }

  /** Resolves when there may be room again. */
  room(): Promise<void> {
    return new Promise((resolve) => this.#whenRoom.push(resolve));
  }

  idle(): Promise<void> {
    return this.isIdle ? Promise.resolve() : new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Nobody listens any more: what waits is dropped, and counted in what is told of it last. */
  forget(): void {
    this.#dropped += this.#waiting.size;
    this.#waiting.clear();
    this.#byKey.clear();
    this.#ready.clear();
    this.#wake();
  }

  get #isOpen(): boolean {
    return this.#surroundings.clock.monotonicMilliseconds() < this.#openUntilMilliseconds;
  }

  #dropOldest(): void {
    const [oldest] = this.#waiting.values();
    assert(oldest !== undefined, "a full queue has an oldest event");
    // The oldest of all is the oldest of its key.
    this.#remove(oldest.key);
    this.#dropped += 1;
    this.#bury(oldest.event, "dropped");
  }

  /** Takes the first that waits of a key. */
  #remove(key: string): Waiting<Event> {
    const ofKey = this.#byKey.get(key)!;
    const first = ofKey.shift()!;
    if (ofKey.length === 0) {
      this.#byKey.delete(key);
      this.#ready.delete(key);
    }
    this.#waiting.delete(first.order);
    return first;
  }

  #bury(event: Event, reason: DeadReason): void {
    if (this.#options.isCritical !== true) return;
    this.#surroundings.bury({ topic: this.#topic, handler: this.name, event, reason });
  }

  /** Not at once: whoever publishes must not be held up by, or find itself inside, a handler. */
  #pumpSoon(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    queueMicrotask(() => void this.#pump());
  }

  async #pump(): Promise<void> {
    const { clock } = this.#surroundings;
    let turnEndsAt = clock.monotonicMilliseconds() + turnMillisecondsMax;
    for (;;) {
      // One that follows a failure goes alone: the breaker must see its outcome first.
      const concurrencyMax = this.#failuresInARow >= breakerFailuresMax ? 1 : this.#concurrencyMax;
      const [key] = this.#ready;
      if (key === undefined || this.#keysInHand.size >= concurrencyMax) break;
      const { event } = this.#remove(key);
      this.#ready.delete(key);
      if (this.#whenRoom.length > 0) this.#wakeRoom();
      if (this.#isOpen) {
        this.#skipped += 1;
        this.#bury(event, "breaker_open");
        if (this.#byKey.has(key)) this.#ready.add(key);
      } else {
        this.#keysInHand.add(key);
        const settling = this.#handle(event);
        if (settling === null) this.#release(key);
        else void settling.then(() => this.#release(key));
      }
      if (clock.monotonicMilliseconds() < turnEndsAt) continue;
      await nextTurn();
      turnEndsAt = clock.monotonicMilliseconds() + turnMillisecondsMax;
    }
    this.#isPumping = false;
    this.#wake();
  }

  #release(key: string): void {
    this.#keysInHand.delete(key);
    if (this.#byKey.has(key)) {
      this.#ready.add(key);
      this.#pumpSoon();
    } else if (this.#ready.size > 0) this.#pumpSoon();
    else this.#wake();
  }

  /** Null: handled at once. Else settles, never rejects, when the handler has, or when it is given up. */
  #handle(event: Event): Promise<void> | null {
    const abort = new AbortController();
    let outcome: void | Promise<void>;
    try {
      outcome = this.#handler(event, abort.signal);
    } catch (error) {
      this.#fail(event, error, "failed");
      return null;
    }
    if (!(outcome instanceof Promise)) {
      this.#succeed();
      return null;
    }
    return this.#settle(event, outcome, abort);
  }

  async #settle(event: Event, outcome: Promise<void>, abort: AbortController): Promise<void> {
    const { clock } = this.#surroundings;
    const watch = new AbortController();
    const late = Symbol("late");
    let hasTimedOut = false;
    const settled = outcome.then(
      () => ({ error: null }),
      (error: unknown) => ({ error: error ?? new Error("rejected without a reason") }),
    );
    const time = async () => {
      await clock.sleep(this.#millisecondsMax, watch.signal);
      if (watch.signal.aborted) return late;
      hasTimedOut = true;
      abort.abort();
      await clock.sleep(this.#millisecondsMax, watch.signal);
      return late;
    };
    const ended = await Promise.race([settled, time()]);
    watch.abort();
    if (hasTimedOut) {
      this.#timedOut += 1;
      if (typeof ended === "symbol") this.#abandoned += 1;
      const error = new Error(`took longer than ${this.#millisecondsMax} ms`);
      this.#fail(event, error, "timed_out");
    } else if (typeof ended === "symbol" || ended.error === null) this.#succeed();
    else this.#fail(event, ended.error, "failed");
  }

  #succeed(): void {
    this.#handled += 1;
    this.#failuresInARow = 0;
  }

  #fail(event: Event, error: unknown, reason: "failed" | "timed_out"): void {
    const { clock, onFailure } = this.#surroundings;
    this.#failed += 1;
    this.#failuresInARow += 1;
    if (this.#failuresInARow >= breakerFailuresMax) {
      this.#openUntilMilliseconds = clock.monotonicMilliseconds() + breakerMilliseconds;
    }
    this.#bury(event, reason);
    onFailure?.({ topic: this.#topic, handler: this.name, error });
  }

  #wake(): void {
    this.#wakeRoom();
    if (!this.isIdle) return;
    const waiters = this.#whenIdle;
    this.#whenIdle = [];
    for (const wake of waiters) wake();
  }

  #wakeRoom(): void {
    if (this.isFull) return;
    const waiters = this.#whenRoom;
    this.#whenRoom = [];
    for (const wake of waiters) wake();
  }
}
