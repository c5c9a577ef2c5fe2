// The market's channels: ticks, greeks, chain, surface and marks. Each says its whole state to whoever comes, and from then on what changed; a
// frame is made once for all who listen to a channel, and nothing is made for channels that nobody wants. Separate from the service, which
// knows no channel, and from the books' views, which know no time. Invariants:
//   1. A channel's delta tells everything that changed since its frame before, so that whoever has the frames has the state.
//   2. `raw` is told at each valuation; 100ms and 1s at most that often, and only where there was a valuation.
//   3. While a channel is wanted, its symbols are wanted of the feeds, those listed later too.

import type { UnderlyingBook } from "../../book/book";
import { formatSelection, parseSelection, type Selection } from "../../book/selection";
import {
  ChainFollower,
  chainJson,
  greeksJson,
  MarksFollower,
  marksJson,
  quoteJson,
  surfaceJson,
  tickJson,
} from "../../book/view";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import type { Instruments } from "../instruments/service";
import { type ChannelFamily, channelName, type FrameKind, type Hub } from "../streaming/service";
import type { Market, Ticked, Valued } from "./service";

export const intervals = ["raw", "100ms", "1s"] as const;
export type Interval = (typeof intervals)[number];
const millisecondsOf: Readonly<Record<Interval, number>> = { raw: 0, "100ms": 100, "1s": 1000 };

export interface MarketStreamOptions {
  readonly hub: Hub;
  readonly market: Market<UnderlyingBook>;
  readonly instruments: Pick<Instruments, "canonical" | "look" | "ofUnderlying" | "onListed">;
  readonly clock: Clock;
}

interface Frame {
  readonly kind: FrameKind;
  readonly data: string;
}

/** What a channel's name says. */
interface Asked {
  readonly family: "ticks" | "greeks" | "chain" | "surface" | "marks";
  readonly channel: string;
  /** Of ticks and greeks. */
  readonly symbol: string | null;
  readonly underlying: string;
  readonly interval: Interval;
  readonly selection: Selection | null;
}

/** A channel somebody wants. */
interface Wanted extends Asked {
  readonly symbols: string[];
  /** The valuation that its last frame told of. */
  toldAt: EpochMicroseconds | null;
  next(book: UnderlyingBook): Frame | null;
}

/** Opens the families; the function ends what runs behind them. */
export function openMarketStream({ hub, market, instruments, clock }: MarketStreamOptions): () => void {
  const wanted = new Map<string, Wanted>();
  const bySymbol = new Map<string, Wanted>();
  const byUnderlying = new Map<string, Set<Wanted>>();
  const ending = new AbortController();
  const paced = new Map<Interval, { readonly channels: Set<Wanted>; isRunning: boolean }>(
    intervals.map((interval) => [interval, { channels: new Set(), isRunning: false }]),
  );

  function publish(channel: Wanted, book: UnderlyingBook, at: EpochMicroseconds): void {
    if (channel.toldAt === at) return;
    channel.toldAt = at;
    const frame = channel.next(book);
    if (frame !== null) hub.publish(channel.channel, frame.kind, frame.data, at);
  }

  function valued({ underlying, at, isRefitted }: Valued): void {
    const book = market.bookOf(underlying);
    const channels = byUnderlying.get(underlying);
    if (book === null || channels === undefined) return;
    for (const channel of channels) {
      if (channel.interval !== "raw" || channel.family === "ticks") continue;
      if (channel.family === "surface" && !isRefitted) continue;
      publish(channel, book, at);
    }
  }

  function ticked({ quotes, at }: Ticked): void {
    if (bySymbol.size === 0) return;
    for (const quote of quotes) {
      const channel = bySymbol.get(quote.symbol);
      if (channel) hub.publish(channel.channel, "event", tickJson(quote), at);
    }
  }

  /** Runs while channels of its pace are wanted. */
  async function pace(interval: Interval): Promise<void> {
    const { channels } = paced.get(interval)!;
    paced.get(interval)!.isRunning = true;
    while (channels.size > 0 && !ending.signal.aborted) {
      await clock.sleep(millisecondsOf[interval], ending.signal);
      for (const channel of channels) {
        const book = market.bookOf(channel.underlying);
        if (book?.valuedAt) publish(channel, book, book.valuedAt);
      }
    }
    paced.get(interval)!.isRunning = false;
  }

  /** The symbols that a channel lives by. */
  const symbolsOf = ({ symbol, underlying }: Asked) =>
    symbol === null
      ? [underlying, ...instruments.ofUnderlying(underlying).map((instrument) => instrument.symbol)]
      : [...new Set([symbol, underlying])];

  function want(asked: Asked): void {
    const channel: Wanted = { ...asked, symbols: symbolsOf(asked), toldAt: null, next: followerOf(asked) };
    wanted.set(asked.channel, channel);
    market.interest.want(channel.symbols);
    if (asked.family === "ticks") bySymbol.set(asked.symbol!, channel);
    const siblings = byUnderlying.get(asked.underlying) ?? new Set();
    byUnderlying.set(asked.underlying, siblings.add(channel));
    if (asked.interval === "raw") return;
    paced.get(asked.interval)!.channels.add(channel);
    if (!paced.get(asked.interval)!.isRunning) void pace(asked.interval);
  }

  function unwant(name: string): void {
    const channel = wanted.get(name);
    if (!channel) return;
    wanted.delete(name);
    if (channel.family === "ticks") bySymbol.delete(channel.symbol!);
    const siblings = byUnderlying.get(channel.underlying)!;
    siblings.delete(channel);
    if (siblings.size === 0) byUnderlying.delete(channel.underlying);
    paced.get(channel.interval)!.channels.delete(channel);
    market.interest.unwant(channel.symbols);
  }

  function snapshotOf(name: string): string | null {
    const asked = wanted.get(name) ?? askedOf(name);
    const book = asked && market.bookOf(asked.underlying);
    if (!asked || !book) return null;
    switch (asked.family) {
      case "ticks":
        return quoteJson(book, asked.symbol!);
      case "greeks":
        return book.valuedAt === null ? null : greeksJson(book, asked.symbol!);
      case "chain":
        return book.valuedAt === null ? null : chainJson(book, asked.selection!);
      case "surface":
        return book.fittedAt === null ? null : surfaceJson(book);
      case "marks":
        return book.valuedAt === null ? null : marksJson(book);
    }
  }

  /** What a canonical name says; names are made by `channelOf` alone. */
  function askedOf(name: string): Asked | null {
    const [family = "", ...parts] = name.split("/").map(decodeURIComponent);
    const asked = readChannel(family as Asked["family"], parts);
    return "fault" in asked ? null : asked;
  }

  function readChannel(family: Asked["family"], parts: readonly string[]): Asked | { readonly fault: string } {
    const [first = "", second = "", third = ""] = parts;
    const countMax = { ticks: 1, greeks: 2, chain: 3, surface: 1, marks: 1 }[family];
    if (parts.length === 0 || parts.length > countMax || (family === "chain" && parts.length < 2))
      return { fault: forms[family] };
    const read = instruments.canonical(first);
    if ("fault" in read) return { fault: read.detail };
    const { symbol } = read;
    const intervalText = family === "greeks" ? second : third;
    const interval = intervals.find((one) => one === (intervalText || (family === "chain" ? "100ms" : "raw")));
    if (interval === undefined) return { fault: `${forms[family]}; the interval is one of ${intervals.join(", ")}` };
    if (family === "ticks" || family === "greeks") {
      // Nothing is listed by being listened to.
      const instrument = instruments.look(symbol);
      if (instrument === null || (instrument.expiry !== null && instrument.expiry <= clock.nowMicroseconds()))
        return { fault: "names no instrument that is listed" };
      if (family === "greeks" && instrument.kind !== "option") return { fault: "names no option" };
      const names = family === "ticks" ? [family, symbol] : [family, symbol, interval];
      const { underlying } = instrument;
      return { family, channel: channelName(names), symbol, underlying, interval, selection: null };
    }
    const rest = { family, symbol: null, underlying: symbol, interval };
    if (family !== "chain") return { ...rest, channel: channelName([family, symbol]), selection: null };
    const selection = parseSelection(second);
    if ("fault" in selection) return { fault: selection.fault };
    return { ...rest, channel: channelName([family, symbol, formatSelection(selection), interval]), selection };
  }

  const family = (name: Asked["family"]): ChannelFamily => ({
    name,
    permission: "market:read",
    channelOf: (parts) => readChannel(name, parts),
    snapshot: snapshotOf,
    wanted(channel) {
      const asked = askedOf(channel);
      if (asked) want(asked);
    },
    unwanted: unwant,
  });
  for (const name of ["ticks", "greeks", "chain", "surface", "marks"] as const) hub.open(family(name));
  const ends = [
    market.valued.subscribe("channels", valued),
    market.ticked.subscribe("channels", ticked),
    instruments.onListed((listed) => {
      for (const { symbol, underlying } of listed) {
        for (const channel of byUnderlying.get(underlying) ?? []) {
          if (channel.symbol !== null || channel.symbols.includes(symbol)) continue;
          channel.symbols.push(symbol);
          market.interest.want([symbol]);
        }
      }
    }),
  ];
  return () => {
    ending.abort();
    for (const end of ends) end();
  };
}

const forms = {
  ticks: "is not of the form ticks/{symbol}",
  greeks: "is not of the form greeks/{symbol}/{interval}",
  chain: "is not of the form chain/{underlying}/{selection}/{interval}",
  surface: "is not of the form surface/{underlying}",
  marks: "is not of the form marks/{underlying}",
} as const;

/** What a channel tells next, having told what it told. */
function followerOf(asked: Asked): (book: UnderlyingBook) => Frame | null {
  switch (asked.family) {
    case "ticks":
      return () => null;
    case "greeks": {
      let last = "";
      return (book) => {
        const data = greeksJson(book, asked.symbol!);
        if (data === null || data === last) return null;
        last = data;
        return { kind: "delta", data };
      };
    }
    case "chain": {
      const follower = new ChainFollower(asked.selection!);
      return (book) => follower.next(book);
    }
    case "surface":
      return (book) => ({ kind: "delta", data: surfaceJson(book) });
    case "marks": {
      const follower = new MarksFollower();
      return (book) => follower.next(book);
    }
  }
}
