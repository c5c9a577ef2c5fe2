// The pack of market conditions: sessions that the simulated market makes by seed, recorded, read again, judged and played through a book. What
// went wrong on purpose must be told apart, what was right must be valued, and the same recording must give the same bits twice.

import { describe, expect, test } from "bun:test";
import { type RecordedQuote, readRecording, recordingLine } from "../../src/adapters/feeds/recording";
import { type Disturbance, SimulatedMarket } from "../../src/adapters/feeds/simulated-market";
import { UnderlyingBook } from "../../src/book/book";
import { defaultBookSettings, quoteStates } from "../../src/book/entries";
import { defaultQuoteLimits, judgeQuote } from "../../src/book/validate";
import type { Instrument } from "../../src/domain/instrument";
import { bookEngine } from "../harness/book";

interface Conditions {
  readonly agitation?: number;
  readonly disturbances?: readonly Disturbance[];
  readonly startAt?: bigint;
  readonly ticksPerSecond?: number;
}

/** A Friday's morning. */
const morning = 1_795_186_800_000_000n;
/** Two minutes before the Friday's options settle. */
const beforeExpiry = 1_795_208_400_000_000n - 120_000_000n;
const tickCount = 6_000;

interface Session {
  readonly bytes: Uint8Array;
  /** By the symbol's first appearance in the recording. */
  readonly instruments: ReadonlyMap<string, Instrument>;
}

function record({ agitation = 1, disturbances = [], startAt = morning, ticksPerSecond = 50 }: Conditions): Session {
  const market = new SimulatedMarket({
    ...{ seed: 2_026, underlyings: [{ symbol: "SPX", spot: 5_800 }], expiryCount: 3, strikeCount: 24 },
    ...{ ticksPerSecond, agitation, disturbances, startAt },
  });
  const instruments = new Map<string, Instrument>();
  const lines: string[] = [];
  for (let count = 0; count < tickCount; count++) {
    const { at, quotes, listed } = market.next();
    for (const instrument of listed) instruments.set(instrument.symbol, instrument);
    for (const quote of quotes) lines.push(recordingLine({ receivedAt: at + 800n, quote }));
  }
  return { bytes: Bun.zstdCompressSync(lines.join("")), instruments };
}

async function play({ bytes, instruments }: Session) {
  const book = new UnderlyingBook({ underlying: "SPX", engine: bookEngine(), settings: defaultBookSettings });
  const outcomes = new Map<string, number>();
  const reports: { optionCount: number; nullCount: number }[] = [];
  const note = (outcome: string) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  book.list([...instruments.values()]);
  let nextRefit = 0n;
  let last: RecordedQuote | null = null;
  async function* source() {
    yield bytes;
  }
  for await (const item of readRecording(source(), "pack")) {
    if ("detail" in item) throw new Error(`line ${item.line}: ${item.detail}`);
    const { quote, receivedAt } = item;
    last = item;
    const verdict = judgeQuote(quote, instruments.get(quote.symbol) ?? null, null, receivedAt, defaultQuoteLimits);
    note(verdict === "ok" ? book.apply(quote, receivedAt) : verdict);
    if (receivedAt < nextRefit) continue;
    nextRefit = receivedAt + 10_000_000n;
    book.refit(receivedAt);
    reports.push(book.value(receivedAt));
  }
  reports.push(book.value(last!.receivedAt));
  return { book, outcomes: Object.fromEntries(outcomes), reports, hash: book.stateHash() };
}

describe("S5.17 market conditions", () => {
  test("a calm session is taken whole, and twice to the same bits", async () => {
    const session = record({});
    const { outcomes, reports, hash, book } = await play(session);
    expect(outcomes).toEqual({ applied: tickCount });
    expect(reports.at(-1)!.nullCount).toBeLessThan(reports.at(-1)!.optionCount / 4);
    expect(Math.abs(book.spot / 5_800 - 1)).toBeLessThan(0.05);
    expect((await play(session)).hash).toBe(hash);
  });

  test("a session of high volatility, with jumps, is valued throughout, to the same bits twice", async () => {
    const session = record({ agitation: 60, disturbances: ["bursts"] });
    const { outcomes, reports, hash } = await play(session);
    expect(outcomes.applied).toBe(tickCount);
    expect(reports.at(-1)!.nullCount).toBeLessThan(reports.at(-1)!.optionCount / 2);
    expect((await play(session)).hash).toBe(hash);
  });

  test("duplicate data are told as such, each one, and leave the book as it would be without them", async () => {
    const session = record({ disturbances: ["duplicates"] });
    const { outcomes, hash } = await play(session);
    expect(outcomes.applied).toBe(tickCount);
    expect(outcomes.duplicate).toBeGreaterThan(tickCount / 80);
    expect(Object.keys(outcomes).sort()).toEqual(["applied", "duplicate"]);
    const lines = new TextDecoder().decode(Bun.zstdDecompressSync(session.bytes)).split("\n");
    const once = lines.filter((line, index) => line !== lines[index - 1]).map((line) => `${line}\n`);
    const undisturbed = await play({ ...session, bytes: Bun.zstdCompressSync(once.join("").trimEnd()) });
    expect(undisturbed.outcomes).toEqual({ applied: tickCount });
    expect(undisturbed.hash).toBe(hash);
  });

  test("late, crossed and senseless quotes are each told apart and never applied as good", async () => {
    const { outcomes } = await play(record({ disturbances: ["late", "crossed", "nonsense"] }));
    expect(outcomes.late).toBeGreaterThan(20);
    for (const verdict of [
      "negative_price",
      "price_too_large",
      "negative_volume",
      "unknown_symbol",
      "timestamp_in_future",
    ])
      expect([verdict, (outcomes[verdict] ?? 0) > 5]).toEqual([verdict, true]);
    expect(outcomes.applied!).toBeGreaterThan(tickCount * 0.9);
  });

  test("an extended time without data makes what was known stale, and the data after it good again", async () => {
    const session = record({ disturbances: ["gaps"], ticksPerSecond: 100 });
    const { book, outcomes } = await play(session);
    expect(outcomes).toEqual({ applied: tickCount });
    const valuedAt = book.valuedAt!;
    const fresh = book.spotSource;
    book.value(valuedAt + 3_600_000_000n);
    const stale = new Set(
      Array.from({ length: book.rows.count }, (_, row) => quoteStates[book.rows.columns.quoteState[row]!]),
    );
    expect(stale.has("ok")).toBe(false);
    expect(stale.has("stale")).toBe(true);
    expect(["mid", "last"]).toContain(fresh);
  });

  test("over an expiry: its options are valued before it and have no quote after it, and the next week's go on", async () => {
    const session = record({ startAt: beforeExpiry });
    const { outcomes, reports, book } = await play(session);
    const settled = [...session.instruments.values()].filter(
      ({ expiry }) => expiry !== null && expiry <= beforeExpiry + 120_000_000n,
    );
    expect(settled.length).toBeGreaterThan(40);
    // The session's last tick falls before the settlement or just behind it: no quote of a settled option is judged expired.
    expect(outcomes.expired ?? 0).toBe(0);
    expect(reports.at(-1)!.optionCount).toBeGreaterThan(0);
    const after = book.value(beforeExpiry + 180_000_000n);
    expect(after.nullCount).toBeLessThan(after.optionCount);
    book.unlist(settled.map(({ symbol }) => symbol));
    expect(book.value(beforeExpiry + 181_000_000n).optionCount).toBe(after.optionCount - settled.length);
  });
});
