// Instruments on a real database: what is listed by whom, found, written, read again, and retired when it expires.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { builtInCalendars } from "../../../../src/domain/exchange-calendars";
import type { Instrument } from "../../../../src/domain/instrument";
import { instrumentFromSymbol } from "../../../../src/domain/instrument-symbol";
import { createInstruments, type Instruments } from "../../../../src/features/instruments/service";
import { formatTimestamp } from "../../../../src/foundation/clock";
import { seededRandom } from "../../../../src/foundation/random";
import { type IdentityFixture, openIdentity } from "../../../harness/identity";
import { recordingLog, until } from "../../../harness/storage";

const calendars = builtInCalendars();
const calendarNames = new Set(["cboe", "new_york", "deribit", "nse"]);
const said = (symbol: string): Instrument => {
  const instrument = instrumentFromSymbol(symbol, { calendars });
  if (typeof instrument === "string") throw new Error(`${symbol}: ${instrument}`);
  return instrument;
};

let fixture: IdentityFixture;
let instruments: Instruments;
let log: ReturnType<typeof recordingLog>;
let limits: { isAutoListed: boolean; instrumentsMax: number };
let foreign: (() => void) | undefined;
/** Makes reads and writes fail. */
let failing: Error | null;

// The fixture's clock begins on 2025-06-15.
const call = "SPX250620C05000000";
const later = "SPX261218C05800000";

function open(): Instruments {
  const { storage } = fixture;
  return createInstruments({
    storage: {
      get read() {
        if (failing) throw failing;
        return storage.read;
      },
      write: (work) => {
        if (failing) return Promise.reject(failing);
        return storage.write(work);
      },
      onForeignWrite(listener) {
        foreign = listener;
        return () => {
          foreign = undefined;
        };
      },
    },
    ...{ audit: fixture.audit, clock: fixture.clock, random: seededRandom(3n), log, calendars, calendarNames, limits },
  });
}

beforeEach(async () => {
  fixture = await openIdentity();
  log = recordingLog();
  limits = { isAutoListed: true, instrumentsMax: 1000 };
  failing = null;
  instruments = open();
  await instruments.ready;
});
afterEach(async () => {
  failing = null;
  for (const agent of instruments.agents) await agent.stop();
  await instruments.close();
  await fixture.close();
});

const rows = () =>
  fixture.storage.read.all<{ symbol: string; source: string; ended_at: bigint | null; end_reason: string | null }>(
    sql`select symbol, source, ended_at, end_reason from instruments order by symbol, listed_at`,
  );

describe("S4.39 a symbol that nobody listed", () => {
  test("is listed by its rules with its underlying, and listeners know before it is found", () => {
    const heard: string[] = [];
    instruments.onListed((listed) => heard.push(...listed.map(({ symbol }) => symbol)));
    expect(instruments.find(later)).toEqual(said(later));
    expect(heard).toEqual(["SPX", later]);
    expect(instruments.underlyings()).toEqual(["SPX"]);
    expect(instruments.ofUnderlying("SPX")).toEqual([said(later)]);
    expect(instruments.find(later)).toEqual(said(later));
    expect(heard).toHaveLength(2);
    expect(instruments.listedCount).toBe(2);
  });

  test("is not, where symbols don't list themselves, in another spelling, past its expiry, or no symbol at all", () => {
    expect(instruments.find("O:SPX261218C05800000")).toBeNull();
    expect(instruments.find("SPX250613C05000000")).toBeNull();
    expect(instruments.find("no symbol")).toBeNull();
    limits.isAutoListed = false;
    expect(instruments.find(later)).toBeNull();
    expect(instruments.listedCount).toBe(0);
  });

  test("is not past the limit, and nothing of it stays behind", () => {
    limits.instrumentsMax = 2;
    expect(instruments.find(later)).not.toBeNull();
    expect(instruments.find("AAPL261218C00150000")).toBeNull();
    expect(instruments.find("SPX261218P05800000")).toBeNull();
    expect(instruments.listedCount).toBe(2);
  });

  test("spellings are told apart from what is none", () => {
    expect(instruments.canonical(".SPX261218C5800")).toEqual({ symbol: later });
    expect(instruments.canonical("SPX261318C05800000")).toEqual({
      fault: "no_such_day",
      detail: "names an expiry day that is in no calendar",
    });
  });
});

describe("S4.39 what a source lists", () => {
  test("stands before a symbol's rules and behind an import", async () => {
    const rule = said(later);
    const feed = { ...rule, multiplier: 10, tickSize: 0.1 };
    instruments.find(later);
    expect(instruments.list([feed])).toBe(1);
    expect(instruments.find(later)).toEqual(feed);
    expect(instruments.list([rule], "rule")).toBe(1);
    expect(instruments.find(later)).toEqual(feed);
    const brought = { ...rule, multiplier: 5 };
    expect(instruments.list([brought], "import")).toBe(1);
    expect(instruments.list([feed])).toBe(1);
    expect(instruments.find(later)).toEqual(brought);
  });

  test("is told again only where its terms change", () => {
    const heard: Instrument[] = [];
    const stop = instruments.onListed((listed) => heard.push(...listed));
    instruments.list([said(later)]);
    instruments.list([said(later)]);
    expect(heard.map(({ symbol }) => symbol)).toEqual(["SPX", later]);
    instruments.list([{ ...said(later), tickSize: 0.1 }]);
    expect(heard).toHaveLength(3);
    stop();
    instruments.list([said("SPX261218P05800000")]);
    expect(heard).toHaveLength(3);
  });

  test("reaches every listener though one fails", () => {
    let count = 0;
    instruments.onListed(() => {
      throw new Error("mine");
    });
    instruments.onListed(() => count++);
    instruments.list([said(later)]);
    expect(count).toBe(1);
    expect(log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });
});

describe("what is listed", () => {
  test("is in the database once kept, and in memory again after a restart", async () => {
    instruments.find(later);
    instruments.list([{ ...said("BTC-27DEC26-50000-C"), multiplier: 0.00000001, tickSize: 0.0005 }]);
    await instruments.kept();
    expect((await rows()).map(({ symbol, source }) => [symbol, source])).toEqual([
      ["SPX", "rule"],
      [later, "rule"],
      ["deribit:BTC", "rule"],
      ["deribit:BTC-27DEC26-50000-C", "feed"],
    ]);
    const again = open();
    limits.isAutoListed = false;
    await again.ready;
    for (const symbol of ["SPX", later, "deribit:BTC-27DEC26-50000-C"])
      expect(again.find(symbol)).toEqual(instruments.find(symbol));
    expect(again.listedCount).toBe(4);
    await again.close();
  });

  test("with other terms ends one row and begins the next, even within a microsecond", async () => {
    instruments.find(later);
    await instruments.kept();
    instruments.list([{ ...said(later), multiplier: 10 }]);
    await instruments.kept();
    instruments.list([{ ...said(later), multiplier: 20 }]);
    await instruments.kept();
    await instruments.kept();
    expect((await rows()).filter(({ symbol }) => symbol === later).map((row) => row.end_reason)).toEqual([
      "replaced",
      "replaced",
      null,
    ]);
  });

  test("is written by the agent, and once more where that failed", async () => {
    failing = new Error("away");
    instruments.find(later);
    await expect(instruments.kept()).rejects.toThrow("away");
    failing = null;
    instruments.agents[0]!.start();
    await until("both rows are written", async () => (await rows()).length === 2);
  });

  test("by many is written in slices without a row lost", async () => {
    limits.instrumentsMax = 10_000;
    const many = Array.from({ length: 1201 }, (_, at) => said(`SPX261218C0${5_000_000 + at * 500}`));
    expect(instruments.list(many)).toBe(1201);
    await instruments.close();
    expect(await rows()).toHaveLength(1202);
  });

  test("by another process is in memory once that is noticed, and so is what it changed", async () => {
    limits.isAutoListed = false;
    const noticed = foreign!;
    const heard: (number | null)[] = [];
    instruments.onListed((listed) =>
      heard.push(...listed.filter(({ symbol }) => symbol === later).map((one) => one.multiplier)),
    );
    const other = open();
    await other.ready;
    other.list([{ ...said(later), multiplier: 7 }], "import");
    await other.kept();
    expect(instruments.find(later)).toBeNull();
    noticed();
    await until("it is listed", () => instruments.find(later)?.multiplier === 7);
    other.list([{ ...said(later), multiplier: 8 }], "import");
    await other.close();
    noticed();
    await until("it is changed", () => instruments.find(later)?.multiplier === 8);
    noticed();
    failing = new Error("away");
    noticed();
    await until("it is told that it could not be read", () => log.lines.some(({ level }) => level === "warn"));
    expect(heard).toEqual([7, 8]);
  });

  test("is read at last though the database was away at the start", async () => {
    instruments.find(later);
    await instruments.kept();
    failing = new Error("away");
    const again = open();
    await until("it failed once", () => log.lines.some(({ level }) => level === "warn"));
    expect(again.find("SPX261218P05800000")).toBeNull();
    failing = null;
    fixture.clock.advance(1_000);
    await again.ready;
    expect(again.listedCount).toBe(2);
    await again.close();
  });
});

describe("S4.48 an expired contract", () => {
  const expiry = said(call).expiry!;
  const toExpiry = () => Number((expiry - fixture.clock.nowMicroseconds()) / 1000n);

  test("is there until the moment of its expiry, on the day itself too, and not from it on", () => {
    instruments.find(call);
    fixture.clock.advance(toExpiry() - 1);
    expect(instruments.find(call)).toEqual(said(call));
    fixture.clock.advance(1);
    expect(instruments.find(call)).toBeNull();
    expect(instruments.list([said(call)])).toBe(0);
  });

  test("is retired: listeners are told, memory is free of it, its row ended when it expired", async () => {
    const heard: [string, string][] = [];
    instruments.onUnlisted((unlisted, reason) =>
      heard.push(...unlisted.map(({ symbol }) => [symbol, reason] as [string, string])),
    );
    instruments.find(call);
    instruments.find(later);
    await instruments.kept();
    const [, retirement] = instruments.agents;
    retirement!.start();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(heard).toEqual([]);
    fixture.clock.advance(toExpiry() + 3_600_000);
    await until("it is told", () => heard.length > 0);
    expect(heard).toEqual([[call, "expired"]]);
    expect(instruments.ofUnderlying("SPX")).toEqual([said(later)]);
    const ended = async () => (await rows()).find(({ symbol }) => symbol === call)!;
    await until("its row is ended", async () => (await ended()).ended_at !== null);
    expect(await ended()).toMatchObject({ end_reason: "expired" });
    expect(formatTimestamp(BigInt((await ended()).ended_at!))).toBe(formatTimestamp(expiry));
  });

  test("while the server was down is not loaded, and its row is ended all the same", async () => {
    instruments.find(call);
    instruments.find(later);
    await instruments.kept();
    fixture.clock.advance(toExpiry() + 1);
    const again = open();
    await again.ready;
    expect(again.listedCount).toBe(2);
    again.agents[1]!.start();
    await until("its row is ended", async () => (await rows()).some((row) => row.end_reason === "expired"));
    await again.agents[1]!.stop();
    await again.close();
  });

  test("is retired though others of its day go on", async () => {
    // AM and PM settlement of one day, and a share's options.
    for (const symbol of [call, "SPXW250620C05000000", "SPY250620C00500000"]) instruments.find(symbol);
    fixture.clock.advance(toExpiry());
    const heard: string[] = [];
    instruments.onUnlisted((unlisted) => heard.push(...unlisted.map(({ symbol }) => symbol)));
    instruments.agents[1]!.start();
    await until("it is told", () => heard.length > 0);
    expect(heard).toEqual([call]);
    expect(instruments.find("SPXW250620C05000000")).not.toBeNull();
  });
});
