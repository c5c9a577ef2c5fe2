// Deribit's public stream: JSON-RPC over a WebSocket, without an account. It lists what there is, subscribes to what is wanted, answers the
// server's heartbeats, and after each loss of the connection does it all again. What the server confirms is what counts as subscribed.
//
// Source: Deribit API v2: public/set_heartbeat, public/test, public/get_instruments, public/subscribe, public/unsubscribe,
// instrument.state.{kind}.{currency}.

import type { Instrument } from "../../domain/instrument";
import type { Quote } from "../../domain/quote";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import { printable } from "../../foundation/printable";
import type { Random } from "../../foundation/random";
import { deribitInstrument, indexChannel, objectOf, quoteFromIndex, quoteFromTicker } from "./deribit-messages";
import type { Feed, FeedSink, FeedState } from "./feed";
import { VenueSocket, type VenueSocketOptions } from "./venue-socket";

export interface DeribitFeedOptions extends Pick<VenueSocketOptions, "silenceMillisecondsMax" | "backoff"> {
  /** wss://www.deribit.com/ws/api/v2 unless a test has its own. */
  readonly url: string;
  /** Coins whose options and futures are listed. */
  readonly currencies: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
}

/** The server is asked to send a heartbeat, and to ask for an answer, this often. */
const heartbeatSeconds = 10;
/** Channels in one request. */
const subscribeCountMax = 200;
/** Requests that wait for an answer. */
const pendingMax = 1000;
/** Channels of one connection, by what Deribit allows. */
export const deribitChannelsMax = 5_000;

type Pending = (result: unknown) => void;

/** A connection to Deribit. */
export class DeribitFeed implements Feed {
  readonly kind = "deribit";
  readonly #options: DeribitFeedOptions;
  readonly #socket: VenueSocket;
  #sink: FeedSink | null = null;
  #state: FeedState = "connecting";
  #lastMessageAt: EpochMicroseconds | null = null;
  #wanted: ReadonlySet<string> = new Set();
  /** Of this connection. */
  #pending = new Map<number, Pending>();
  #nextId = 1;
  #asked = new Set<string>();
  #confirmedChannels = new Set<string>();
  #confirmed = new Set<string>();

  constructor(options: DeribitFeedOptions) {
    this.#options = options;
    this.#socket = new VenueSocket({
      ...options,
      protocol: {
        address: async () => options.url,
        opened: () => this.#opened(),
        message: (data) => this.#message(data),
        closed: (reason) => this.#closed(reason),
      },
    });
  }

  get state(): FeedState {
    return this.#state;
  }

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

  #opened(): void {
    this.#pending = new Map();
    this.#asked = new Set();
    this.#confirmedChannels = new Set();
    this.#confirmed = new Set();
    this.#request("public/set_heartbeat", { interval: heartbeatSeconds });
    for (const currency of this.#options.currencies) {
      this.#list(currency);
      this.#subscribe(["option", "future"].map((kind) => `instrument.state.${kind}.${currency}`));
    }
    this.#state = "live";
    this.#sink!.state("live");
    this.#reconcile();
  }

  #closed(reason: string): void {
    if (this.#state !== "connecting") {
      this.#state = "connecting";
      this.#sink!.state("connecting");
    }
    this.#sink!.gap(Number.NaN, reason);
  }

  #list(currency: string): void {
    this.#request("public/get_instruments", { currency, expired: false }, (result) => {
      if (!Array.isArray(result)) {
        this.#fault("a list of instruments is none");
        return;
      }
      const listed = result
        .map(deribitInstrument)
        .filter((instrument): instrument is Instrument => instrument !== null);
      this.#sink!.instruments(listed);
    });
  }

  /** Subscribes to what is wanted and not asked for, and the other way round. */
  #reconcile(): void {
    const wanted = new Set<string>();
    for (const symbol of this.#wanted) {
      if (symbol.startsWith("deribit:") && wanted.size < deribitChannelsMax) wanted.add(channelOf(symbol));
    }
    const gone = [...this.#asked].filter((channel) => !wanted.has(channel));
    const added = [...wanted].filter((channel) => !this.#asked.has(channel));
    this.#asked = wanted;
    for (const channels of batches(gone)) {
      this.#request("public/unsubscribe", { channels }, (result) => this.#confirm(result, false));
    }
    this.#subscribe(added);
  }

  #subscribe(channels: readonly string[]): void {
    for (const batch of batches(channels)) {
      this.#request("public/subscribe", { channels: batch }, (result) => {
        this.#confirm(result, true);
        const refused = batch.filter((channel) => !this.#confirmedChannels.has(channel)).length;
        if (refused > 0) this.#fault(`${refused} of ${batch.length} channels were not subscribed to`);
      });
    }
  }

  #confirm(channels: unknown, isOn: boolean): void {
    if (!Array.isArray(channels)) {
      this.#fault("a list of channels is none");
      return;
    }
    for (const channel of channels) {
      if (typeof channel !== "string") continue;
      const symbol = symbolOf(channel);
      if (isOn) {
        this.#confirmedChannels.add(channel);
        if (symbol !== null) this.#confirmed.add(symbol);
      } else {
        this.#confirmedChannels.delete(channel);
        if (symbol !== null) this.#confirmed.delete(symbol);
      }
    }
  }

  #request(method: string, parameters: Record<string, unknown>, done: Pending = () => {}): void {
    if (this.#pending.size >= pendingMax) {
      this.#socket.reconnect("requests are not answered");
      return;
    }
    const id = this.#nextId++;
    this.#pending.set(id, done);
    this.#socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params: parameters }));
  }

  #message(data: string | Uint8Array): void {
    this.#lastMessageAt = this.#options.clock.nowMicroseconds();
    let value: unknown;
    try {
      value = typeof data === "string" ? JSON.parse(data) : undefined;
    } catch {
      value = undefined;
    }
    const message = objectOf(value);
    if (typeof message.id === "number") this.#answer(message.id, message);
    else if (message.method === "heartbeat") this.#heartbeat(objectOf(message.params));
    else if (message.method === "subscription") this.#notification(objectOf(message.params));
    else this.#fault("a message is neither an answer nor a notification");
  }

  #answer(id: number, message: Readonly<Record<string, unknown>>): void {
    const done = this.#pending.get(id);
    this.#pending.delete(id);
    const error = objectOf(message.error);
    if (message.error !== undefined) {
      this.#fault(`Deribit says: ${printable(`${error.code} ${error.message}`).slice(0, 100)}`);
    } else if (done) done(message.result);
    else this.#fault("an answer to nothing that was asked");
  }

  #heartbeat({ type }: Readonly<Record<string, unknown>>): void {
    // Unanswered, the server closes the connection.
    if (type === "test_request") this.#request("public/test", {});
  }

  #notification({ channel, data }: Readonly<Record<string, unknown>>): void {
    if (typeof channel !== "string") {
      this.#fault("a notification names no channel");
      return;
    }
    if (channel.startsWith("instrument.state.")) {
      this.#stateChanged(data);
      return;
    }
    if (!this.#asked.has(channel)) return;
    const quote = channel.startsWith("ticker.") ? quoteFromTicker(data) : quoteFromIndex(data);
    if (typeof quote === "string") {
      this.#fault(quote);
      return;
    }
    if (quote.symbol !== symbolOf(channel)) {
      this.#fault("a notification is not of its channel");
      return;
    }
    if (!this.#sink!.quotes([quote as Quote])) this.#sink!.gap(1, "the taker was full");
  }

  /** A contract that is new has to be listed before it is quoted: its terms come with the whole list. */
  #stateChanged(data: unknown): void {
    const { state, instrument_name: name } = objectOf(data);
    if ((state !== "created" && state !== "started") || typeof name !== "string") return;
    this.#request("public/get_instrument", { instrument_name: name }, (result) => {
      const instrument = deribitInstrument(result);
      if (instrument) this.#sink!.instruments([instrument]);
    });
  }

  #fault(detail: string): void {
    this.#sink!.fault(detail);
  }
}

/** Contracts have tickers, underlyings an index. */
function channelOf(symbol: string): string {
  return /^deribit:[A-Z0-9]+(_[A-Z0-9]+)?$/.test(symbol)
    ? indexChannel(symbol)
    : `ticker.${symbol.slice("deribit:".length)}.100ms`;
}

function symbolOf(channel: string): string | null {
  const ticker = /^ticker\.(.+)\.100ms$/.exec(channel)?.[1];
  if (ticker !== undefined) return `deribit:${ticker}`;
  const index = /^deribit_price_index\.([a-z0-9]+)_([a-z0-9]+)$/.exec(channel);
  if (!index) return null;
  const [, coin, currency] = index as unknown as [string, string, string];
  return `deribit:${(currency === "usd" ? coin : `${coin}_${currency}`).toUpperCase()}`;
}

function* batches(channels: readonly string[]): Generator<readonly string[]> {
  for (let start = 0; start < channels.length; start += subscribeCountMax) {
    yield channels.slice(start, start + subscribeCountMax);
  }
}
