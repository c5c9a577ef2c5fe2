// The market's channels over a real hub and real books: what a name means, that frames build on each other, and that nothing is made for whom nobody is.

import { afterEach, expect, test } from "bun:test";
import { UnderlyingBook } from "../../../../src/book/book";
import { defaultBookSettings } from "../../../../src/book/entries";
import { contractFromSymbol, type Instrument } from "../../../../src/domain/instrument";
import { createMarket } from "../../../../src/features/market/service";
import { openMarketStream } from "../../../../src/features/market/stream";
import type { ChannelFamily, Hub } from "../../../../src/features/streaming/service";
import { ManualClock } from "../../../../src/foundation/clock";
import { createEventBus } from "../../../../src/foundation/event-bus";
import { silentLog } from "../../../../src/foundation/log";
import { seededRandom } from "../../../../src/foundation/random";
import { nextTurn } from "../../../../src/foundation/turn";
import { bookEngine } from "../../../harness/book";
import { MemoryInstruments, quoteOf, spotOf } from "../../../harness/market";

const option = (symbol: string): Instrument => {
  const contract = contractFromSymbol(symbol);
  if (typeof contract === "string") throw new Error(contract);
  const { underlying, root, expiry, strike, optionType, style, settlement } = contract;
  return { ...spotOf(underlying), symbol, kind: "option", root, expiry, strike, optionType, style, settlement };
};
const call = "SPXW261218C05800000";
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});
const turns = async () => {
  for (let turn = 0; turn < 30; turn++) await nextTurn();
};

function open() {
  const clock = new ManualClock();
  const instruments = new MemoryInstruments([spotOf("SPX"), option(call)]);
  const engine = bookEngine();
  const bus = createEventBus({ clock });
  const market = createMarket<UnderlyingBook>({
    ...{ instruments, archive: null, bus, clock, random: seededRandom(1n), log: silentLog },
    settings: defaultBookSettings,
    newBook: (underlying) => new UnderlyingBook({ underlying, engine, settings: defaultBookSettings }),
    judge: (_quote, instrument) => (instrument === null ? "unknown_symbol" : "ok"),
    watch: { staged() {}, ticked() {}, valued() {}, rejected() {}, failed() {}, began() {}, ended() {} },
    limits: { queueMax: 1000, batchMax: 100, flushMilliseconds: 0, valuationsPerSecond: 100, refitMilliseconds: 1000 },
  });
  const families = new Map<string, ChannelFamily>();
  const frames: { channel: string; kind: string; data: Record<string, unknown> }[] = [];
  const hub = {
    open: (family: ChannelFamily) => void families.set(family.name, family),
    publish: (channel: string, kind: string, data: string) =>
      void frames.push({ channel, kind, data: JSON.parse(data) }),
  } as unknown as Hub;
  const master = Object.assign(instruments, {
    look: (symbol: string) => instruments.find(symbol),
    canonical: (text: string) =>
      /^[A-Z0-9]+$/.test(text) ? { symbol: text } : { fault: "bad", detail: "is no symbol" },
  });
  const end = openMarketStream({ hub, market, instruments: master as never, clock });
  ends.push(async () => {
    end();
    await market.stop();
  });
  return { clock, market, families, frames, master };
}

test("a channel's spellings come to one name, and what means none says why", () => {
  const { families } = open();
  const named = (family: string, ...parts: string[]) => families.get(family)!.channelOf(parts);
  expect(named("chain", "SPX", "atm~05")).toMatchObject({ channel: "chain/SPX/atm~5/100ms" });
  expect(named("greeks", call)).toMatchObject({ channel: `greeks/${call}/raw` });
  expect(named("marks", "SPX")).toMatchObject({ channel: "marks/SPX" });
  for (const [family, ...parts] of [
    ["ticks"],
    ["ticks", "NOPE"],
    ["ticks", "SPX", "raw"],
    ["greeks", "SPX", "raw"],
    ["greeks", call, "2s"],
    ["chain", "SPX"],
    ["chain", "SPX", "atm~x", "raw"],
    ["surface", "not a symbol"],
  ] as [string, ...string[]][])
    expect([family, parts, "fault" in named(family, ...parts)]).toEqual([family, parts, true]);
});

test("ticks are told as they come, Greeks at each valuation, those of a second once in it, and nothing once nobody wants it", async () => {
  const { clock, market, families, frames } = open();
  const channels = [`ticks/${call}`, `greeks/${call}/raw`, `greeks/${call}/1s`, "marks/SPX", "chain/SPX/all/raw"];
  for (const channel of channels) families.get(channel.split("/")[0]!)!.wanted(channel);
  expect([...market.interest.wanted].sort()).toEqual(["SPX", call].sort());
  for (let at = 1; at <= 5; at++) {
    market.ingest([quoteOf("SPX", 5800 + at, at), quoteOf(call, 90 + at, at)], "push");
    await turns();
    clock.advance(20);
    await turns();
  }
  const of = (channel: string) => frames.filter((frame) => frame.channel === channel);
  expect(of(`ticks/${call}`).map(({ data }) => data.bid)).toEqual([91, 92, 93, 94, 95]);
  expect(of(`greeks/${call}/raw`).length).toBeGreaterThanOrEqual(5);
  expect(of(`greeks/${call}/1s`)).toHaveLength(0);
  expect(of("marks/SPX")[0]!.kind).toBe("snapshot");
  expect(of("marks/SPX").at(-1)!.kind).toBe("delta");
  expect(of("chain/SPX/all/raw").at(-1)!.data.spot).toBe(5805.5);
  clock.advance(1000);
  await turns();
  expect(of(`greeks/${call}/1s`)).toHaveLength(1);
  expect(JSON.parse(String(families.get("ticks")!.snapshot(`ticks/${call}`)))).toMatchObject({ bid: 95 });
  expect(JSON.parse(String(families.get("chain")!.snapshot("chain/SPX/all/raw")))).toMatchObject({ spot: 5805.5 });
  for (const channel of channels) families.get(channel.split("/")[0]!)!.unwanted(channel);
  expect(market.interest.wanted.size).toBe(0);
  const before = frames.length;
  market.ingest([quoteOf("SPX", 5900, 99)], "push");
  await turns();
  expect(frames.length).toBe(before);
});

test("what is listed while a chain is wanted is wanted too, and let go with it", () => {
  const { market, families, master } = open();
  families.get("chain")!.wanted("chain/SPX/all/100ms");
  master.list(option("SPXW261218P05800000"));
  expect(market.interest.has("SPXW261218P05800000")).toBe(true);
  families.get("chain")!.unwanted("chain/SPX/all/100ms");
  expect(market.interest.wanted.size).toBe(0);
});
