// A market that is not there: spots that wander and jump, a smile over each, quotes with spreads, expiries that pass and are followed by
// new ones. Separate from the feed that paces it, because it has no clock: its n-th tick follows from the seed, the moment it
// began at and n alone. What it holds is bounded by its expiries and strikes. Whatever a market does wrong, it does on request.

import { civilFromDays, daysFromCivil, nthWeekday, weekdayOfDay } from "../../domain/calendar";
import { builtInCalendars } from "../../domain/exchange-calendars";
import { type Instrument, rootConvention } from "../../domain/instrument";
import { type InstrumentConventions, instrumentFromSymbol } from "../../domain/instrument-symbol";
import type { Quote } from "../../domain/quote";
import { formatOsiSymbol, type OptionType } from "../../domain/symbol";
import { assert } from "../../foundation/assert";
import type { EpochMicroseconds } from "../../foundation/clock";
import { seededUnit } from "../../foundation/random";
import { type Smile, simulatedPrice, smileVolatility } from "./simulated-prices";

/** What it does wrong, each of its own accord: quotes sent twice, after a later one, crossed or without sense; times of many quotes and of none. */
export const disturbances = ["bursts", "gaps", "duplicates", "late", "crossed", "nonsense"] as const;

export type Disturbance = (typeof disturbances)[number];

export interface SimulatedMarketOptions {
  readonly seed: number;
  readonly underlyings: readonly { readonly symbol: string; readonly spot: number }[];
  /** Expiries listed at a time, per underlying. */
  readonly expiryCount: number;
  /** Strikes an expiry has when it is listed; it may come to have twice as many as the spot moves. */
  readonly strikeCount: number;
  readonly ticksPerSecond: number;
  /** Times the usual volatility that spots have. */
  readonly agitation?: number;
  readonly disturbances?: readonly Disturbance[];
  readonly startAt: EpochMicroseconds;
}

/** One event. */
export interface SimulatedTick {
  /** When it is sent. */
  readonly at: EpochMicroseconds;
  readonly quotes: readonly Quote[];
  /** Contracts that came to be listed just before. */
  readonly listed: readonly Instrument[];
  /** Messages that were lost just before. */
  readonly missingCount: number;
}

interface Contract {
  readonly instrument: Instrument;
  readonly strike: number;
  volume: number;
  readonly openInterest: number;
  sequence: number;
  last: Quote | null;
}

interface Expiry {
  readonly at: EpochMicroseconds;
  readonly day: number;
  /** By strike, rising: call and put. */
  readonly strikes: { readonly strike: number; readonly call: Contract; readonly put: Contract }[];
}

interface Underlying {
  readonly symbol: string;
  readonly smile: Smile;
  readonly strikeStep: number;
  readonly tick: number;
  spot: number;
  level: number;
  movedAt: EpochMicroseconds;
  volume: number;
  sequence: number;
  last: Quote | null;
  expiries: Expiry[];
}

const secondMicroseconds = 1_000_000n;
const dayMicroseconds = 86_400n * secondMicroseconds;
const yearMicroseconds = 365 * 86_400 * 1e6;
const rate = 0.035;
const dividendYield = 0.013;
/** Of all ticks, those of underlyings. */
const underlyingShare = 0.02;
const jumpsPerYear = 400;
/** One tick in this many goes wrong, for each disturbance asked for. */
const disturbedEvery = 40;
const burst = { everySeconds: 30n, lastsSeconds: 2n, factor: 10 };
const gap = { everySeconds: 45n, lastsSeconds: 5n };

/** The roots under which an index lists what settles at the close. */
const closeRoots: Readonly<Record<string, string>> = { SPX: "SPXW", NDX: "NDXP", RUT: "RUTW" };

/** A market that follows from its options alone. */
export class SimulatedMarket {
  readonly #options: SimulatedMarketOptions;
  readonly #unit: () => number;
  readonly #underlyings: readonly Underlying[];
  readonly #disturbances: ReadonlySet<Disturbance>;
  #at: EpochMicroseconds;
  readonly #conventions: InstrumentConventions = { calendars: builtInCalendars() };
  #unlisted: Instrument[] = [];
  #count = 0;

  constructor(options: SimulatedMarketOptions) {
    this.#options = options;
    this.#unit = seededUnit(options.seed);
    this.#disturbances = new Set(options.disturbances ?? []);
    this.#at = options.startAt;
    this.#underlyings = options.underlyings.map(({ symbol, spot }) => this.#underlyingOf(symbol, spot));
    for (const underlying of this.#underlyings) {
      this.#unlisted.push(instrumentOf(underlying.symbol, this.#conventions));
      this.#roll(underlying);
    }
  }

  /** Contracts listed at present, underlyings included. */
  get instrumentCount(): number {
    let count = this.#underlyings.length;
    for (const { expiries } of this.#underlyings) for (const { strikes } of expiries) count += 2 * strikes.length;
    return count;
  }

  /** When the next tick is due. */
  get nextAt(): EpochMicroseconds {
    return this.#at;
  }

  /** Moves all that is to come by so much: whoever paces it was away. */
  skip(microseconds: bigint): void {
    this.#at += microseconds;
  }

  /** The next event. The first ones quote every underlying. */
  next(): SimulatedTick {
    const at = this.#at;
    const isFirst = this.#count < this.#underlyings.length;
    const underlying = isFirst
      ? this.#underlyings[this.#count]!
      : this.#underlyings[Math.floor(this.#unit() * this.#underlyings.length)]!;
    this.#count += 1;
    this.#move(underlying, at);
    this.#roll(underlying);
    for (const expiry of underlying.expiries) this.#widen(underlying, expiry);
    const listed = this.#unlisted;
    this.#unlisted = [];
    const isSpot = isFirst || this.#unit() < underlyingShare || underlying.expiries.length === 0;
    const quotes = isSpot ? [this.#quoteSpot(underlying, at)] : this.#optionTick(underlying, at);
    const missingCount = this.#advance();
    return { at, quotes, listed, missingCount };
  }

  /** Sets the next tick's moment; says how many were lost on the way. */
  #advance(): number {
    const { startAt, ticksPerSecond } = this.#options;
    const seconds = (this.#at - startAt) / secondMicroseconds;
    const isBurst =
      this.#disturbances.has("bursts") && seconds % burst.everySeconds >= burst.everySeconds - burst.lastsSeconds;
    const pace = ticksPerSecond * (isBurst ? burst.factor : 1);
    this.#at += BigInt(Math.max(1, Math.round(1e6 / pace)));
    const isSilent =
      this.#disturbances.has("gaps") &&
      ((this.#at - startAt) / secondMicroseconds) % gap.everySeconds >= gap.everySeconds - gap.lastsSeconds;
    if (!isSilent) return 0;
    this.#at += gap.lastsSeconds * secondMicroseconds;
    const missingCount = Number(gap.lastsSeconds) * ticksPerSecond;
    for (const underlying of this.#underlyings) underlying.sequence += 1 + Math.floor(missingCount * underlyingShare);
    return missingCount;
  }

  #underlyingOf(symbol: string, spot: number): Underlying {
    const style = rootConvention(symbol).style;
    const unit = this.#unit;
    return {
      symbol,
      smile: {
        longVolatility: 0.16 + 0.16 * unit(),
        shortVolatility: 0.12 + 0.2 * unit(),
        correlation: -0.75 + 0.35 * unit(),
        wings: 0.5 + 0.5 * unit(),
      },
      strikeStep: niceStep(spot * 0.005),
      tick: style === "european" ? 0.05 : 0.01,
      spot,
      level: 1,
      movedAt: this.#options.startAt,
      volume: 0,
      sequence: 0,
      last: null,
      expiries: [],
    };
  }

  /** Geometric Brownian motion with jumps; volatility rises as the spot falls, and returns to its level. */
  #move(underlying: Underlying, at: EpochMicroseconds): void {
    const years = Number(at - underlying.movedAt) / yearMicroseconds;
    if (years <= 0) return;
    const agitation = this.#options.agitation ?? 1;
    const volatility = underlying.smile.longVolatility * underlying.level * agitation;
    let change = volatility * Math.sqrt(years) * this.#gaussian() - (volatility * volatility * years) / 2;
    if (this.#unit() < Math.min(0.5, jumpsPerYear * agitation * years)) change += 0.01 * this.#gaussian();
    // However long nobody looked, a day's move is no more than a third.
    change = Math.max(-0.3, Math.min(0.3, change));
    underlying.spot = Math.max(0.01, Math.round(underlying.spot * Math.exp(change) * 10_000) / 10_000);
    const pulled = underlying.level + (1 - underlying.level) * Math.min(1, 20 * years);
    underlying.level = Math.max(0.4, Math.min(4, pulled - 2.5 * change));
    underlying.movedAt = at;
  }

  /** Where an expiry has passed: drops its contracts and lists what is to follow. */
  #roll(underlying: Underlying): void {
    const at = this.#at;
    const { expiryCount, strikeCount } = this.#options;
    if (underlying.expiries[0] && underlying.expiries[0].at > at) return;
    underlying.expiries = underlying.expiries.filter((expiry) => expiry.at > at);
    const settlesAt = (day: number) => this.#instrumentOf(underlying, day, "call", 1).expiry!;
    const today = Number(at / dayMicroseconds);
    const [friday] = expiryDays(today, 1);
    // On a Friday's afternoon, or before a Friday that is a holiday.
    const from = friday !== undefined && settlesAt(friday) <= at ? friday + 1 : today;
    for (const day of expiryDays(from, expiryCount)) {
      if (underlying.expiries.some((expiry) => expiry.day === day)) continue;
      const expiry: Expiry = { at: settlesAt(day), day, strikes: [] };
      const lowest = Math.max(1, Math.round(underlying.spot / underlying.strikeStep) - Math.floor(strikeCount / 2));
      for (let index = 0; index < strikeCount; index++) this.#list(underlying, expiry, lowest + index, "above");
      underlying.expiries.push(expiry);
    }
    underlying.expiries.sort((one, other) => one.day - other.day);
  }

  /** Lists strikes where the spot has come near the edge of those there are. */
  #widen(underlying: Underlying, expiry: Expiry): void {
    const { strikeCount } = this.#options;
    const step = underlying.strikeStep;
    const margin = Math.max(1, Math.floor(strikeCount / 8));
    const place = Math.round(underlying.spot / step);
    while (expiry.strikes.length < 2 * strikeCount) {
      const lowest = Math.round(expiry.strikes[0]!.strike / step);
      const highest = Math.round(expiry.strikes.at(-1)!.strike / step);
      if (place > highest - margin) this.#list(underlying, expiry, highest + 1, "above");
      else if (place < lowest + margin && lowest > 1) this.#list(underlying, expiry, lowest - 1, "below");
      else return;
    }
  }

  #list(underlying: Underlying, expiry: Expiry, place: number, where: "above" | "below"): void {
    const strikeThousandths = Math.round(place * underlying.strikeStep * 1000);
    const contract = (optionType: "call" | "put"): Contract => {
      const instrument = this.#instrumentOf(underlying, expiry.day, optionType, strikeThousandths);
      this.#unlisted.push(instrument);
      const openInterest = Math.floor(5000 * this.#unit());
      return { instrument, strike: strikeThousandths / 1000, volume: 0, openInterest, sequence: 0, last: null };
    };
    const strike = { strike: strikeThousandths / 1000, call: contract("call"), put: contract("put") };
    if (where === "above") expiry.strikes.push(strike);
    else expiry.strikes.unshift(strike);
  }

  #instrumentOf(underlying: Underlying, day: number, optionType: OptionType, strikeThousandths: number): Instrument {
    const root = closeRoots[underlying.symbol] ?? underlying.symbol;
    const symbol = formatOsiSymbol({ root, expiryDate: civilFromDays(day), optionType, strikeThousandths });
    return { ...instrumentOf(symbol, this.#conventions), tickSize: underlying.tick };
  }

  #quoteSpot(underlying: Underlying, at: EpochMicroseconds): Quote {
    const tick = 0.01;
    const half = Math.max(tick, underlying.spot * 0.00005);
    underlying.sequence += 1;
    underlying.volume += 1 + Math.floor(200 * this.#unit());
    const quote: Quote = {
      ...{
        symbol: underlying.symbol,
        at,
        bid: down(underlying.spot - half, tick),
        ask: up(underlying.spot + half, tick),
      },
      ...{
        bidSize: this.#size(),
        askSize: this.#size(),
        last: nearest(underlying.spot, tick),
        volume: underlying.volume,
      },
      ...{ openInterest: Number.NaN, sourceSequence: underlying.sequence },
    };
    underlying.last = quote;
    return quote;
  }

  #optionTick(underlying: Underlying, at: EpochMicroseconds): readonly Quote[] {
    const contract = this.#pick(underlying);
    const before = contract.last;
    const quote = this.#quoteOption(underlying, contract, at);
    if (this.#isDisturbed("duplicates")) return [quote, quote];
    if (this.#isDisturbed("late") && before !== null) {
      // A quote that was made between the last one and this one, and overtaken by it: it has a number of its own.
      const overtaken = { ...before, at: (before.at + at) / 2n, sourceSequence: contract.sequence };
      contract.sequence += 1;
      const later = { ...quote, sourceSequence: contract.sequence };
      contract.last = later;
      return [later, overtaken];
    }
    if (this.#isDisturbed("crossed") && quote.bid > 0) return [{ ...quote, bid: quote.ask, ask: quote.bid }];
    if (this.#isDisturbed("nonsense")) return [this.#nonsense(quote)];
    return [quote];
  }

  #nonsense(quote: Quote): Quote {
    const kinds: readonly Partial<Quote>[] = [
      { bid: -1 },
      { ask: 1e15 },
      { symbol: "QQQQQQ991231C00000001" },
      { volume: -5 },
      { at: quote.at + 3_600n * secondMicroseconds },
    ];
    return { ...quote, ...kinds[Math.floor(this.#unit() * kinds.length)]! };
  }

  #isDisturbed(kind: Disturbance): boolean {
    return this.#disturbances.has(kind) && this.#unit() * disturbedEvery < 1;
  }

  /** Near expiries and strikes near the money are quoted oftener. */
  #pick(underlying: Underlying): Contract {
    const { expiries, strikeStep, spot } = underlying;
    const expiry = expiries[Math.floor(this.#unit() ** 1.5 * expiries.length)]!;
    const { strikes } = expiry;
    const center = spot / strikeStep - strikes[0]!.strike / strikeStep;
    const place = Math.round(center + (strikes.length / 4) * this.#gaussian());
    const isInside = place >= 0 && place < strikes.length;
    const strike = strikes[isInside ? place : Math.floor(this.#unit() * strikes.length)]!;
    return this.#unit() < 0.5 ? strike.call : strike.put;
  }

  #quoteOption(underlying: Underlying, contract: Contract, at: EpochMicroseconds): Quote {
    const { instrument, strike } = contract;
    const { tick, spot, smile, level } = underlying;
    const years = Math.max(0, Number(instrument.expiry! - at) / yearMicroseconds);
    const forward = spot * Math.exp((rate - dividendYield) * years);
    const volatility = years > 0 ? smileVolatility(smile, Math.log(strike / forward), years, level) : 0;
    const optionType = instrument.optionType!;
    const terms = { forward, strike, years, volatility, discount: Math.exp(-rate * years) };
    const european = simulatedPrice(optionType, terms);
    const intrinsic = Math.max(0, optionType === "call" ? spot - strike : strike - spot);
    const middle = instrument.style === "american" ? Math.max(european, intrinsic) : european;
    // A spread of some ticks, wider where the option is dear and where it lies far from the money.
    const width =
      tick * (1 + Math.floor(2 * this.#unit())) + 0.01 * middle + 0.05 * Math.abs(Math.log(strike / spot)) * tick;
    const bid = down(middle - width / 2, tick);
    const traded = this.#unit() < 0.3;
    if (traded) contract.volume += 1 + Math.floor(20 * this.#unit());
    contract.sequence += 1;
    const quote: Quote = {
      ...{
        symbol: instrument.symbol,
        at,
        bid: bid > 0 ? bid : Number.NaN,
        ask: Math.max(tick, up(middle + width / 2, tick)),
      },
      ...{ bidSize: bid > 0 ? this.#size() : 0, askSize: this.#size() },
      last: contract.volume > 0 ? Math.max(tick, nearest(middle, tick)) : Number.NaN,
      ...{ volume: contract.volume, openInterest: contract.openInterest, sourceSequence: contract.sequence },
    };
    contract.last = quote;
    return quote;
  }

  #size(): number {
    return 1 + Math.floor(60 * this.#unit() ** 2);
  }

  /** Box and Muller's first. */
  #gaussian(): number {
    return Math.sqrt(-2 * Math.log(1 - this.#unit())) * Math.cos(2 * Math.PI * this.#unit());
  }
}

function instrumentOf(symbol: string, conventions: InstrumentConventions): Instrument {
  const instrument = instrumentFromSymbol(symbol, conventions);
  assert(typeof instrument !== "string", `${symbol} ${instrument}`);
  return instrument;
}

/** The next four Fridays, then third Fridays of months, so many days in all, from a day on. */
function expiryDays(from: number, count: number): number[] {
  const days: number[] = [];
  for (let day = from; days.length < Math.min(4, count); day++) if (weekdayOfDay(day) === 5) days.push(day);
  let { year, month } = civilFromDays(days.at(-1) ?? from);
  while (days.length < count) {
    const day = daysFromCivil(year, month, nthWeekday(year, month, 5, 3));
    if (day > days.at(-1)!) days.push(day);
    [year, month] = month === 12 ? [year + 1, 1] : [year, month + 1];
  }
  return days;
}

/** 1, 2.5 or 5 times a power of ten, the nearest above; not finer than a thousandth. */
function niceStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 0.001)));
  for (const factor of [1, 2.5, 5]) if (power * factor >= value) return Math.max(0.001, power * factor);
  return power * 10;
}

const decimals = (value: number) => Math.round(value * 1e6) / 1e6;
const down = (value: number, tick: number) => decimals(Math.floor(value / tick + 1e-9) * tick);
const up = (value: number, tick: number) => decimals(Math.ceil(value / tick - 1e-9) * tick);
const nearest = (value: number, tick: number) => decimals(Math.round(value / tick) * tick);
