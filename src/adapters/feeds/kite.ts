// Zerodha's stream of quotes: a WebSocket on which one subscribes to numbers and gets binary packets. A day's access token is asked for at each
// attempt, so that a new one holds without a restart. A full quote has the moment of the exchange in whole seconds; the others have ours.
//
// Source: Kite Connect 3, "WebSocket streaming".

import type { Quote } from "../../domain/quote";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import { printable } from "../../foundation/printable";
import type { Random } from "../../foundation/random";
import type { Feed, FeedSink, FeedState } from "./feed";
import type { KiteInstruments } from "./kite-instruments";
import { type KiteTick, parseKiteMessage } from "./kite-packets";
import { VenueSocket, type VenueSocketOptions } from "./venue-socket";

export interface KiteFeedOptions extends Pick<VenueSocketOptions, "silenceMillisecondsMax" | "backoff"> {
  /** wss://ws.kite.trade unless a test has its own. */
  readonly url: string;
  readonly apiKey: string;
  /** The access token that holds now. */
  readonly accessToken: () => Promise<string>;
  /** The list of the day: read before a connection, where that was an hour ago or more. */
  readonly instruments: () => Promise<KiteInstruments>;
  readonly clock: Clock;
  readonly random: Random;
}

/** What one connection may subscribe to, by Zerodha's limits. */
export const kiteSymbolsMax = 3000;
/** Numbers in one message: several thousand in one are dropped in silence. */
const subscribeCountMax = 500;
/** A list of instruments this old is read anew. */
const instrumentsMilliseconds = 3_600_000;
/** Numbers remembered for their name, of a source that sends what nobody knows. */
const unknownTokensMax = 1000;

/** A connection to Kite. */
export class KiteFeed implements Feed {
  readonly kind = "kite";
  readonly #options: KiteFeedOptions;
  readonly #socket: VenueSocket;
  readonly #unknown = new Set<number>();
  #instruments: KiteInstruments | null = null;
  #instrumentsMilliseconds = 0;
  #sink: FeedSink | null = null;
  #state: FeedState = "connecting";
  #lastMessageAt: EpochMicroseconds | null = null;
  #wanted: ReadonlySet<string> = new Set();
  /** On this connection, by number. */
  #subscribed = new Set<number>();
  #confirmed = new Set<string>();

  constructor(options: KiteFeedOptions) {
    this.#options = options;
    this.#socket = new VenueSocket({
      ...options,
      protocol: {
        address: () => this.#address(),
        opened: () => this.#opened(),
        message: (data) => this.#message(data),
        closed: (reason) => this.#closed(reason),
      },
    });
  }

  get state(): FeedState {
    return this.#state;
  }

  /** What packets came of on this connection: Kite answers a subscription with nothing else. */
  get confirmed(): ReadonlySet<string> {
    return this.#confirmed;
  }

  get lastMessageAt(): EpochMicroseconds | null {
    return this.#lastMessageAt;
  }

  start(sink: FeedSink): void {
    this.#sink = sink;
    this.#socket.start();
  }

  want(symbols: ReadonlySet<string>): void {
    this.#wanted = symbols;
    if (this.#state === "live") this.#reconcile();
  }

  async stop(): Promise<void> {
    await this.#socket.stop();
    this.#state = "stopped";
  }

  async #address(): Promise<string> {
    const now = this.#options.clock.monotonicMilliseconds();
    if (this.#instruments === null || now - this.#instrumentsMilliseconds >= instrumentsMilliseconds) {
      this.#instruments = await this.#options.instruments();
      this.#instrumentsMilliseconds = now;
      this.#sink!.instruments(this.#instruments.instruments);
    }
    const token = await this.#options.accessToken();
    const url = new URL(this.#options.url);
    url.searchParams.set("api_key", this.#options.apiKey);
    url.searchParams.set("access_token", token);
    return url.href;
  }

  #opened(): void {
    this.#subscribed = new Set();
    this.#confirmed = new Set();
    this.#become("live");
    this.#reconcile();
  }

  #closed(reason: string): void {
    if (this.#state !== "connecting") this.#become("connecting");
    this.#sink?.gap(Number.NaN, reason);
  }

  #become(state: FeedState): void {
    this.#state = state;
    this.#sink?.state(state);
  }

  /** Subscribes to what is wanted and not subscribed to, and the other way round, a batch of numbers at a time. */
  #reconcile(): void {
    const wanted = new Set<number>();
    for (const symbol of this.#wanted) {
      const token = this.#instruments?.tokens.get(symbol);
      if (token !== undefined && wanted.size < kiteSymbolsMax) wanted.add(token);
    }
    const gone = [...this.#subscribed].filter((token) => !wanted.has(token));
    const added = [...wanted].filter((token) => !this.#subscribed.has(token));
    for (const tokens of batches(gone)) this.#send({ a: "unsubscribe", v: tokens });
    for (const tokens of batches(added)) {
      this.#send({ a: "subscribe", v: tokens });
      this.#send({ a: "mode", v: ["full", tokens] });
    }
    this.#subscribed = wanted;
    for (const token of gone) this.#confirmed.delete(this.#instruments!.symbols.get(token)!);
  }

  #send(message: unknown): void {
    this.#socket.send(JSON.stringify(message));
  }

  #message(data: string | Uint8Array): void {
    this.#lastMessageAt = this.#options.clock.nowMicroseconds();
    if (typeof data === "string") this.#text(data);
    else this.#binary(data, this.#lastMessageAt);
  }

  #binary(data: Uint8Array, receivedAt: EpochMicroseconds): void {
    const { ticks, fault } = parseKiteMessage(data);
    if (fault !== null) this.#sink!.fault(`a binary message ${fault}`);
    const quotes: Quote[] = [];
    for (const tick of ticks) {
      const symbol = this.#instruments!.symbols.get(tick.token);
      if (symbol === undefined) this.#tellUnknown(tick.token);
      else if (this.#subscribed.has(tick.token)) {
        this.#confirmed.add(symbol);
        quotes.push(quoteOf(tick, symbol, receivedAt));
      }
    }
    if (quotes.length > 0 && !this.#sink!.quotes(quotes)) this.#sink!.gap(quotes.length, "the taker was full");
  }

  /** Errors, notices and orders come as JSON; only errors concern a feed. */
  #text(text: string): void {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      this.#sink!.fault("a text message is not JSON");
      return;
    }
    const { type, data } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
    if (type === "error") this.#sink!.fault(`Kite says: ${printable(String(data)).slice(0, 100)}`);
  }

  #tellUnknown(token: number): void {
    if (this.#unknown.has(token) || this.#unknown.size >= unknownTokensMax) return;
    this.#unknown.add(token);
    this.#sink!.fault(`instrument ${token} is not in the list of instruments`);
  }
}

function quoteOf(tick: KiteTick, symbol: string, receivedAt: EpochMicroseconds): Quote {
  const { bid, ask, bidSize, askSize, last, volume, openInterest, exchangeSeconds } = tick;
  // Before the day's first trade the exchange's moment is 0. Ours is cut to whole seconds as well: else a packet without a moment would make
  // those with one late for the rest of its second.
  const seconds = exchangeSeconds ? BigInt(exchangeSeconds) : receivedAt / 1_000_000n;
  const at = seconds * 1_000_000n;
  return { symbol, at, bid, ask, bidSize, askSize, last, volume, openInterest, sourceSequence: null };
}

function* batches(tokens: readonly number[]): Generator<readonly number[]> {
  for (let start = 0; start < tokens.length; start += subscribeCountMax) {
    yield tokens.slice(start, start + subscribeCountMax);
  }
}
