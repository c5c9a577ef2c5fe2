// Quotes judged before they enter: one case a row, the table is the rule (S4.32, S5.15).

import { describe, expect, test } from "bun:test";
import type { Quoted } from "../../../src/book/state";
import {
  defaultQuoteLimits,
  judgeQuote,
  type QuoteLimits,
  type QuoteVerdict,
  quoteVerdictDetail,
  quoteVerdicts,
} from "../../../src/book/validate";
import type { Instrument } from "../../../src/domain/instrument";
import type { Quote } from "../../../src/domain/quote";
import { optionInstrument, quoteOf, sessionStart } from "../../harness/book";

const option: Instrument = {
  ...optionInstrument("SPXW", { year: 2026, month: 6, day: 18 }, "call", 5000),
  tickSize: 0.05,
};
const future: Instrument = { ...option, kind: "future", strike: null, optionType: null, style: null };
const now = sessionStart;
const second = 1_000_000n;
const none = Number.NaN;

const before: Quoted = {
  bid: 10,
  ask: 11,
  bidSize: 10,
  askSize: 12,
  last: 10.5,
  volume: 100,
  openInterest: 50,
  venueAt: Number(now),
  receivedAt: Number(now),
  sidesReceivedAt: Number(now),
  sequence: 7,
};

interface Case {
  readonly what: string;
  readonly quote?: Partial<Quote>;
  readonly instrument?: Instrument | null;
  readonly last?: Partial<Quoted>;
  readonly limits?: Partial<QuoteLimits>;
  readonly verdict: QuoteVerdict;
}

const cases: readonly Case[] = [
  { what: "two sides", verdict: "ok" },
  { what: "an unlisted symbol", instrument: null, verdict: "unknown_symbol" },
  { what: "a venue's moment after expiry", quote: { at: option.expiry! + 1n }, verdict: "expired" },
  { what: "expiry's own moment", quote: { at: option.expiry! }, limits: { aheadMicrosecondsMax: 1e15 }, verdict: "ok" },
  { what: "an infinite bid", quote: { bid: Number.POSITIVE_INFINITY }, verdict: "not_finite" },
  { what: "an infinite size", quote: { askSize: Number.NEGATIVE_INFINITY }, verdict: "not_finite" },
  { what: "an infinite volume", quote: { volume: Number.POSITIVE_INFINITY }, verdict: "not_finite" },
  { what: "nothing", quote: { bid: none, ask: none }, verdict: "nothing_told" },
  { what: "sizes without a price", quote: { bid: none, ask: none, bidSize: 5 }, verdict: "nothing_told" },
  { what: "a last price alone", quote: { bid: none, ask: none, last: 10.5 }, verdict: "ok" },
  { what: "a volume alone", quote: { bid: none, ask: none, volume: 3 }, verdict: "ok" },
  { what: "an open interest alone", quote: { bid: none, ask: none, openInterest: 0 }, verdict: "ok" },
  { what: "a bid of zero: no bid", quote: { bid: 0 }, verdict: "ok" },
  { what: "no bid", quote: { bid: none }, verdict: "ok" },
  { what: "no ask", quote: { ask: none }, verdict: "ok" },
  { what: "a bid below zero", quote: { bid: -0.05 }, verdict: "negative_price" },
  { what: "a last below zero", quote: { last: -1 }, verdict: "negative_price" },
  { what: "a future below zero", instrument: future, quote: { bid: -37.6, ask: -37.5 }, verdict: "ok" },
  { what: "a future far below zero", instrument: future, quote: { bid: -1e10, ask: 1 }, verdict: "price_too_large" },
  { what: "an ask too large", quote: { ask: 1e9 + 1 }, verdict: "price_too_large" },
  { what: "an ask at the bound", quote: { ask: 1e9 }, verdict: "ok" },
  { what: "a size below zero", quote: { bidSize: -1 }, verdict: "negative_size" },
  { what: "a size of zero", quote: { bidSize: 0 }, verdict: "ok" },
  { what: "no size", quote: { bidSize: none, askSize: none }, verdict: "ok" },
  { what: "a size too large", quote: { askSize: 1e12 + 1 }, verdict: "size_too_large" },
  { what: "a volume below zero", quote: { volume: -1 }, verdict: "negative_volume" },
  { what: "a volume too large", quote: { volume: 1.1e15 }, verdict: "volume_too_large" },
  { what: "an open interest below zero", quote: { openInterest: -1 }, verdict: "negative_open_interest" },
  { what: "an open interest too large", quote: { openInterest: 1.1e15 }, verdict: "open_interest_too_large" },
  { what: "a sequence below zero", quote: { sourceSequence: -1 }, verdict: "bad_sequence" },
  { what: "a broken sequence", quote: { sourceSequence: 1.5 }, verdict: "bad_sequence" },
  { what: "a sequence beyond exact numbers", quote: { sourceSequence: 2 ** 53 }, verdict: "bad_sequence" },
  { what: "the largest sequence", quote: { sourceSequence: 2 ** 53 - 1 }, verdict: "ok" },
  { what: "a week ago", quote: { at: now - 7n * 86_400n * second }, verdict: "ok" },
  {
    what: "a microsecond more than a week ago",
    quote: { at: now - 7n * 86_400n * second - 1n },
    verdict: "timestamp_too_old",
  },
  { what: "a year that is not meant", quote: { at: -62_000_000_000_000_000n }, verdict: "timestamp_too_old" },
  {
    what: "a year before any clock, whatever the limits",
    quote: { at: -1n },
    limits: { ageMicrosecondsMax: 1e17 },
    verdict: "timestamp_too_old",
  },
  {
    what: "another century, whatever the limits",
    instrument: { ...option, kind: "underlying", expiry: null },
    quote: { at: 4_102_444_800_000_001n },
    limits: { aheadMicrosecondsMax: 1e17 },
    verdict: "timestamp_in_future",
  },
  { what: "five seconds ahead", quote: { at: now + 5n * second }, verdict: "ok" },
  {
    what: "a microsecond more than five seconds ahead",
    quote: { at: now + 5n * second + 1n },
    verdict: "timestamp_in_future",
  },
  { what: "a price off its tick", quote: { bid: 10.02 }, limits: { refusesOffTick: true }, verdict: "off_tick" },
  {
    what: "decimals on their tick",
    quote: { bid: 10.15, ask: 10.35 },
    limits: { refusesOffTick: true },
    verdict: "ok",
  },
  { what: "a price off its tick that may be", quote: { bid: 10.02 }, verdict: "ok" },
  { what: "a crossed market that is marked later", quote: { bid: 12 }, verdict: "ok" },
  { what: "a crossed market", quote: { bid: 12 }, limits: { refusesCrossed: true }, verdict: "crossed" },
  { what: "a locked market", quote: { bid: 11 }, limits: { refusesCrossed: true }, verdict: "ok" },
  { what: "a jump", quote: { bid: 30, ask: 31 }, last: {}, limits: { jumpMax: 2 }, verdict: "price_jump" },
  { what: "a fall", quote: { bid: 3, ask: 3.5 }, last: {}, limits: { jumpMax: 2 }, verdict: "price_jump" },
  { what: "a step", quote: { bid: 12, ask: 13, at: now + 1n }, last: {}, limits: { jumpMax: 2 }, verdict: "ok" },
  { what: "a jump that may be", quote: { bid: 30, ask: 31, at: now + 1n }, last: {}, verdict: "ok" },
  { what: "the same again", last: {}, verdict: "duplicate" },
  { what: "the same again a microsecond later", quote: { at: now + 1n }, last: {}, verdict: "ok" },
  { what: "another price at the same moment", quote: { ask: 11.05 }, last: {}, verdict: "ok" },
  { what: "a microsecond before the last", quote: { ask: 11.05, at: now - 1n }, last: {}, verdict: "late" },
  {
    what: "the next of a sequence, its clock behind",
    quote: { sourceSequence: 8, at: now - 1n },
    last: {},
    verdict: "ok",
  },
  { what: "the sequence before", quote: { sourceSequence: 6, at: now + 1n }, last: {}, verdict: "late" },
  { what: "the same sequence and content", quote: { sourceSequence: 7 }, last: {}, verdict: "duplicate" },
  { what: "the same sequence, other content", quote: { sourceSequence: 7, ask: 12 }, last: {}, verdict: "late" },
  {
    what: "a sequence begun anew",
    quote: { sourceSequence: 1, at: now + 10_000_001n },
    last: {},
    limits: { aheadMicrosecondsMax: 6e7 },
    verdict: "ok",
  },
  { what: "nothing told before", last: { venueAt: none, sequence: none }, verdict: "ok" },
];

describe("S4.32 S5.15 judgeQuote", () => {
  test.each(cases.map((each) => [each.verdict, each.what, each] as const))("%s: %s", (verdict, _, each) => {
    const quote = quoteOf(option.symbol, now, 10, 11, each.quote);
    const instrument = each.instrument === undefined ? option : each.instrument;
    const last = each.last === undefined ? null : { ...before, ...each.last };
    expect(judgeQuote(quote, instrument, last, now, { ...defaultQuoteLimits, ...each.limits })).toBe(verdict);
  });

  test("every verdict has a case, and every refusal a sentence", () => {
    expect(new Set(cases.map(({ verdict }) => verdict))).toEqual(new Set(quoteVerdicts));
    expect(Object.keys(quoteVerdictDetail)).toEqual(quoteVerdicts.slice(1));
    expect(cases.length).toBeGreaterThanOrEqual(33);
  });
});
