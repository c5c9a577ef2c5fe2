// The way of quotes through the market: what is taken, in which order, what is told and what is kept, and what one underlying's failure does to the
// others (nothing). Books here only write down what they are told.

import { afterEach, describe, expect, test } from "bun:test";
import { defaultBookSettings } from "../../../../src/book/entries";
import { ManualClock } from "../../../../src/foundation/clock";
import { nextTurn } from "../../../../src/foundation/turn";
import {
  type MarketFixture,
  MemoryArchive,
  NotedBook,
  openMarket,
  optionOf,
  quoteOf,
  spotOf,
} from "../../../harness/market";

const open: MarketFixture[] = [];
const opened = (...asked: Parameters<typeof openMarket>) => {
  const fixture = openMarket(...asked);
  open.push(fixture);
  return fixture;
};
afterEach(async () => {
  for (const { market } of open.splice(0)) await market.stop();
});
const turns = async (count = 20) => {
  for (let turn = 0; turn < count; turn++) await nextTurn();
};
const names = [spotOf("AAA"), optionOf("AAA", 100), optionOf("AAA", 110), spotOf("BBB"), optionOf("BBB", 50)];

describe("market flow", () => {
  test("S4.30 underlying and option ticks, mixed, reach their own underlying's book in order, and are told and recorded", async () => {
    const { market, archive } = opened(names);
    const told: string[] = [];
    market.ticked.subscribe("test", ({ underlying, quotes }) => void told.push(`${underlying}:${quotes.length}`));
    const valued: string[] = [];
    market.valued.subscribe(
      "test",
      ({ underlying, report }) => void valued.push(`${underlying} ${report.optionCount}`),
    );
    const answer = market.ingest(
      [
        quoteOf("AAA", 99, 1),
        quoteOf("BBB", 49, 1),
        quoteOf("AAAC100", 5, 2),
        quoteOf("AAAC110", 3, 3),
        quoteOf("AAA", 98, 4),
      ],
      "push",
    );
    expect(answer).toEqual({ accepted: 5, rejected: [] });
    await market.drain();
    const { notes } = market.bookOf("AAA")!;
    expect(notes.filter((note) => note.includes("="))).toEqual(["AAA=99", "AAAC100=5", "AAAC110=3", "AAA=98"]);
    expect(notes[0]).toBe("list AAA,AAAC100,AAAC110");
    expect(told.sort()).toEqual(["AAA:4", "BBB:1"]);
    expect(valued).toContain("AAA 3");
    const record = archive.records.get("AAA")!.map(({ kind }) => kind);
    expect(record.slice(0, 6)).toEqual(["list", "quote", "quote", "quote", "quote", "value"]);
  });

  test("S4.32 what is wrong is refused one by one, with its place and a code; the rest is taken", async () => {
    const { market, watched } = opened(names);
    const answer = market.ingest([quoteOf("NONE", 1, 1), quoteOf("AAA", 99, 1), quoteOf("AAA", -1, 2)], "push");
    expect(answer).toEqual({
      accepted: 1,
      rejected: [
        { index: 0, code: "UNKNOWN_SYMBOL", detail: "no instrument of that symbol is listed" },
        { index: 2, code: "NEGATIVE_PRICE", detail: "a price is below zero" },
      ],
    });
    expect(watched).toContain("rejected negative_price");
    expect(market.statistics().rejected).toBe(2);
  });

  test("S4.32 duplicates and late ones are told apart; late ones are recorded, duplicates are not", async () => {
    const { market, archive } = opened(names);
    const report = await market.ingestKept(
      [
        quoteOf("AAA", 99, 10),
        quoteOf("AAA", 99, 10),
        quoteOf("AAA", 97, 5),
        quoteOf("X", 1, 1),
        quoteOf("AAAC100", 5, 1),
      ],
      "post",
    );
    expect(report).toEqual({
      ...{ accepted: 2, duplicates: 1, late: 1 },
      rejected: [{ index: 3, code: "UNKNOWN_SYMBOL", detail: "no instrument of that symbol is listed" }],
    });
    expect(archive.records.get("AAA")!.filter(({ kind }) => kind === "quote")).toHaveLength(3);
  });

  test("what is to be kept is answered when the archive has it, not before; where it fails, so does the answer", async () => {
    const archive = new MemoryArchive();
    const { market } = opened(names, { archive });
    await market.ingestKept([quoteOf("AAA", 99, 1)], "post");
    const held = Promise.withResolvers<void>();
    archive.gate = held.promise;
    let isAnswered = false;
    const answer = market.ingestKept([quoteOf("AAA", 98, 2)], "post").then(() => {
      isAnswered = true;
    });
    await turns();
    expect([market.bookOf("AAA")!.notes.includes("AAA=98"), isAnswered]).toEqual([true, false]);
    held.resolve();
    await answer;
    archive.fault = new Error("disk full");
    await expect(market.ingestKept([quoteOf("AAA", 97, 3)], "post")).rejects.toThrow("disk full");
    archive.fault = null;
  });

  test("an empty batch, and one of nothing but rejects, are answered", async () => {
    const { market } = opened(names);
    expect(await market.ingestKept([], "post")).toEqual({ accepted: 0, duplicates: 0, late: 0, rejected: [] });
    expect((await market.ingestKept([quoteOf("X", 1, 1)], "post")).rejected).toHaveLength(1);
  });

  test("S4.34 a full intake takes nothing of a batch: a feed is told, a sender gets MARKET_BUSY", async () => {
    const { market } = opened(names, { limits: { queueMax: 100, batchMax: 50 } });
    const flood = (count: number, from = 0) =>
      Array.from({ length: count }, (_, at) => quoteOf("AAA", 99, from + at + 1));
    expect(market.ingest(flood(101), "push")).toBe("full");
    await expect(market.ingestKept(flood(101), "post")).rejects.toMatchObject({
      code: "MARKET_BUSY",
      retryAfterSeconds: 1,
    });
    expect(market.statistics().intake).toMatchObject({ refused: 202, waiting: 0 });
    expect((await market.ingestKept(flood(100), "post")).accepted).toBe(100);
  });

  test("S4.31 quotes wait for each other up to the flush time, or until a batch is full", async () => {
    const clock = new ManualClock();
    const { market } = opened(names, { clock, limits: { flushMilliseconds: 5, batchMax: 3 } });
    market.ingest([quoteOf("AAA", 99, 1)], "push");
    await turns();
    expect(market.statistics().intake).toMatchObject({ waiting: 1, batches: 0 });
    clock.advance(5);
    await turns();
    expect(market.statistics().intake).toMatchObject({ waiting: 0, batches: 1 });
    market.ingest(
      [2, 3, 4].map((at) => quoteOf("AAA", 99, at)),
      "push",
    );
    await turns();
    expect(market.statistics().intake).toMatchObject({ waiting: 0, batches: 2, lastFill: 1 });
  });

  test("valuations of an underlying are as many a second as allowed, the newest state last", async () => {
    const clock = new ManualClock();
    const { market } = opened(names, { clock, limits: { valuationsPerSecond: 100 } });
    await turns();
    for (let at = 1; at <= 100; at++) {
      market.ingest([quoteOf("AAA", at, at)], "push");
      await turns(4);
      clock.advance(1);
      await turns(4);
    }
    clock.advance(10);
    await turns();
    const { notes } = market.bookOf("AAA")!;
    const count = notes.filter((note) => note === "value").length;
    expect(count).toBeGreaterThanOrEqual(10);
    expect(count).toBeLessThanOrEqual(13);
    expect(notes.at(-1)).toBe("value");
  });

  test("a fit goes step by step between others' work, and its end is followed by a valuation that says so", async () => {
    const clock = new ManualClock();
    const { market, archive } = opened(names, { clock, limits: { refitMilliseconds: 1000 } });
    const refitted: boolean[] = [];
    market.valued.subscribe("test", ({ isRefitted }) => void refitted.push(isRefitted));
    market.ingest([quoteOf("AAAC100", 5, 1)], "push");
    await turns();
    clock.advance(10);
    await turns();
    expect(refitted).toEqual([false, true]);
    expect(archive.records.get("AAA")!.map(({ kind }) => kind)).toEqual([
      "list",
      "quote",
      "value",
      "refit_begin",
      "refit",
      "value",
    ]);
    market.ingest([quoteOf("AAAC100", 6, 2)], "push");
    await turns();
    clock.advance(900);
    await turns();
    expect(market.statistics().refits).toBe(1);
    clock.advance(100);
    await turns();
    clock.advance(10);
    await turns();
    expect(market.statistics().refits).toBe(2);
  });

  test("a failing book is made anew from what is kept, the others go on, and the quote it failed at is told as failed", async () => {
    const clock = new ManualClock();
    const { market, watched } = opened(names, { clock });
    await market.ingestKept([quoteOf("AAA", 99, 1), quoteOf("BBB", 49, 1)], "post");
    const [before, other] = [market.bookOf("AAA"), market.bookOf("BBB")];
    const broken = market.ingestKept(
      [quoteOf("AAA", 98, 2), quoteOf("AAA", 1, 3, { last: 666 }), quoteOf("AAA", 97, 4)],
      "post",
    );
    await turns();
    expect(market.bookOf("AAA")).toBeNull();
    expect((await market.ingestKept([quoteOf("BBB", 48, 2)], "post")).accepted).toBe(1);
    expect(market.bookOf("BBB")).toBe(other);
    clock.advance(100);
    expect(await broken).toMatchObject({ accepted: 2, rejected: [{ index: 1, code: "FAILED" }] });
    const after = market.bookOf("AAA")!;
    expect(after).not.toBe(before);
    expect(after.notes.filter((note) => note.includes("="))).toEqual(["AAA=99", "AAA=98", "AAA=97"]);
    expect(market.statistics().restarts).toBe(1);
    expect(watched).toContain("failed batch");
  });

  test("S4.38 books come back from the archive at a start, go on from there, and list only what is new", async () => {
    const archive = new MemoryArchive();
    const first = openMarket(names, { archive });
    await first.market.ingestKept([quoteOf("AAA", 99, 5)], "post");
    await first.market.stop();
    const { market } = opened([...names, optionOf("AAA", 120)], { archive });
    await market.restore();
    expect(market.underlyings()).toEqual(["AAA"]);
    const { notes } = market.bookOf("AAA")!;
    expect(notes[0]).toBe("list AAA,AAAC100,AAAC110");
    expect(notes).toContain("list AAAC120");
    expect(await market.ingestKept([quoteOf("AAA", 98, 4), quoteOf("AAA", 99, 5)], "post")).toMatchObject({
      ...{ accepted: 0, duplicates: 1, late: 1 },
    });
  });

  test("S4.38 an archive that cannot be read is asked again, and quotes that came meanwhile are applied then", async () => {
    const clock = new ManualClock();
    const archive = new MemoryArchive();
    archive.fault = new Error("unreadable");
    const { market } = opened(names, { clock, archive });
    market.ingest([quoteOf("AAA", 99, 1)], "push");
    await turns();
    expect(market.bookOf("AAA")).toBeNull();
    archive.fault = null;
    clock.advance(100);
    await turns();
    expect(market.bookOf("AAA")!.notes).toContain("AAA=99");
  });

  test("settings that changed between two starts enter the record; the same ones do not", async () => {
    const archive = new MemoryArchive();
    const first = openMarket(names, { archive });
    await first.market.ingestKept([quoteOf("AAA", 99, 5)], "post");
    await first.market.stop();
    expect(archive.records.get("AAA")!.map(({ kind }) => kind)).not.toContain("settings");
    const settings = { ...defaultBookSettings, volatility: "quote" as const };
    const { market } = opened(names, { archive, settings });
    await market.restore();
    await market.drain();
    expect(market.bookOf("AAA")!.settings).toEqual(settings);
    expect(archive.records.get("AAA")!.map(({ kind }) => kind)).toContain("settings");
  });

  test("a checkpoint is given between two steps, of a book whose every entry was handed on", async () => {
    const { market, archive } = opened(names);
    expect(archive.checkpointOf("AAA")).toBeNull();
    await market.ingestKept([quoteOf("AAA", 99, 5)], "post");
    expect(new TextDecoder().decode(archive.checkpointOf("AAA")!)).toBe(market.bookOf("AAA")!.notes.join());
  });

  test("what is listed or gone while it runs reaches the book, in the record's order", async () => {
    const { market, instruments, archive } = opened(names);
    await market.ingestKept([quoteOf("AAA", 99, 1)], "post");
    instruments.list(optionOf("AAA", 130));
    await market.ingestKept([quoteOf("AAAC130", 1, 1)], "post");
    instruments.unlist("AAAC130");
    expect((await market.ingestKept([quoteOf("AAAC130", 2, 2)], "post")).rejected).toHaveLength(1);
    expect(market.bookOf("AAA")!.has("AAAC130")).toBe(false);
    await market.drain();
    instruments.list(optionOf("CCC", 1));
    expect(market.bookOf("CCC")).toBeNull();
    expect(archive.records.get("AAA")!.map(({ kind }) => kind)).toContain("list");
  });

  test("as of a moment it answers what was known by then", async () => {
    const clock = new ManualClock();
    const { market } = opened(names, { clock });
    await market.ingestKept([quoteOf("AAA", 99, 1)], "post");
    const then = clock.nowMicroseconds();
    clock.advance(1000);
    await market.ingestKept([quoteOf("AAA", 98, 2)], "post");
    const book = await market.bookAt("AAA", then);
    expect(book!.notes.filter((note) => note.includes("="))).toEqual(["AAA=99"]);
    expect(await market.bookAt("BBB", then)).toBeNull();
  });

  test("S1.11 every stage is told of once quotes have gone through", async () => {
    const { market, watched } = opened(names);
    await market.ingestKept([quoteOf("AAA", 99, 1), quoteOf("AAAC100", 5, 1)], "post");
    for (const stage of ["ingest", "validate", "batch", "greeks", "publish", "persist"])
      expect(watched).toContain(stage);
    expect(watched).toContain("ticked option");
    expect(watched).toContain("ticked underlying");
    expect(watched).toContain("valued 3");
    const { busyMilliseconds, greeksMilliseconds } = market.statistics();
    expect(busyMilliseconds).toBeGreaterThan(0);
    expect(greeksMilliseconds).toBeLessThanOrEqual(busyMilliseconds);
  });

  test("after stopping, nothing is taken; what was taken before is worked off", async () => {
    const { market } = openMarket(names, { limits: { flushMilliseconds: 1 } });
    market.ingest([quoteOf("AAA", 99, 1)], "push");
    await market.stop();
    expect(market.bookOf("AAA")!.notes).toContain("AAA=99");
    expect(market.ingest([quoteOf("AAA", 98, 2)], "push")).toBe("full");
  });

  test("it stops where nothing can be kept, and where a book does not come back: then after five seconds", async () => {
    const archive = new MemoryArchive();
    const { market } = openMarket(names, { archive });
    await market.ingestKept([quoteOf("AAA", 99, 1)], "post");
    archive.fault = new Error("the disk is full");
    await market.stop();
    const clock = new ManualClock();
    const other = openMarket(names, { archive, clock });
    other.market.ingest([quoteOf("AAA", 98, 2)], "push");
    await turns();
    let hasStopped = false;
    const stopping = other.market.stop().then(() => {
      hasStopped = true;
    });
    clock.advance(4_900);
    await turns();
    expect(hasStopped).toBe(false);
    clock.advance(200);
    await stopping;
    expect(other.market.bookOf("AAA")).toBeNull();
  });

  test("a market without an archive keeps nothing and answers all the same", async () => {
    const book = new NotedBook();
    const { market } = opened(names, { newBook: () => book, isKept: false });
    expect(await market.book("AAA")).toBeNull();
    await market.ingestKept([quoteOf("AAA", 99, 1)], "post");
    expect(await market.book("AAA")).toBe(book);
    expect(await market.bookAt("AAA", 2_000_000_000_000_000n)).toBeNull();
  });
});
