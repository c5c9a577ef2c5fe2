// Instruments in memory, found by symbol, by underlying and by expiry. Separate from who lists them, so that a test can hold it against a plain
// list. Each look costs a look into a map; an order is made when it is asked for and kept until its underlying changes. Pure.

import type { EpochMicroseconds } from "../foundation/clock";
import type { Instrument } from "./instrument";

/** An instrument, with whatever else is known of it. */
interface Holding {
  readonly instrument: Instrument;
}

const none: readonly Instrument[] = [];

export class InstrumentIndex<Entry extends Holding> {
  readonly #entries = new Map<string, Entry>();
  /** What is listed of each underlying, itself aside, by symbol. */
  readonly #contracts = new Map<string, Map<string, Instrument>>();
  readonly #ordered = new Map<string, readonly Instrument[]>();
  readonly #expiring = new Map<EpochMicroseconds, Set<string>>();
  #underlyings: readonly string[] | null = null;

  get size(): number {
    return this.#entries.size;
  }

  get(symbol: string): Entry | undefined {
    return this.#entries.get(symbol);
  }

  /** Puts one in, in the place of whatever its symbol named before. */
  set(entry: Entry): void {
    const { symbol, underlying, expiry } = entry.instrument;
    this.delete(symbol);
    this.#entries.set(symbol, entry);
    let contracts = this.#contracts.get(underlying);
    if (!contracts) {
      contracts = new Map();
      this.#contracts.set(underlying, contracts);
      this.#underlyings = null;
    }
    if (symbol !== underlying) contracts.set(symbol, entry.instrument);
    this.#ordered.delete(underlying);
    if (expiry === null) return;
    const symbols = this.#expiring.get(expiry);
    if (symbols) symbols.add(symbol);
    else this.#expiring.set(expiry, new Set([symbol]));
  }

  /** Takes one out; what it was, or undefined. */
  delete(symbol: string): Instrument | undefined {
    const instrument = this.#entries.get(symbol)?.instrument;
    if (!instrument) return undefined;
    const { underlying, expiry } = instrument;
    this.#entries.delete(symbol);
    const contracts = this.#contracts.get(underlying);
    contracts?.delete(symbol);
    this.#ordered.delete(underlying);
    if (contracts?.size === 0 && !this.#entries.has(underlying)) {
      this.#contracts.delete(underlying);
      this.#underlyings = null;
    }
    if (expiry !== null) {
      const symbols = this.#expiring.get(expiry);
      symbols?.delete(symbol);
      if (symbols?.size === 0) this.#expiring.delete(expiry);
    }
    return instrument;
  }

  /** By expiry (what has none first), strike, call before put, symbol. */
  ofUnderlying(underlying: string): readonly Instrument[] {
    const known = this.#ordered.get(underlying);
    if (known) return known;
    const contracts = this.#contracts.get(underlying);
    if (!contracts || contracts.size === 0) return none;
    const ordered = Object.freeze([...contracts.values()].sort(inChainOrder));
    this.#ordered.set(underlying, ordered);
    return ordered;
  }

  /** In alphabetical order. */
  underlyings(): readonly string[] {
    this.#underlyings ??= Object.freeze([...this.#contracts.keys()].sort());
    return this.#underlyings;
  }

  /** The symbols of all that has expired at that moment: the moment of expiry itself is past. */
  expiredBy(now: EpochMicroseconds): string[] {
    const symbols: string[] = [];
    for (const [expiry, expiring] of this.#expiring) if (expiry <= now) symbols.push(...expiring);
    return symbols;
  }
}

function inChainOrder(one: Instrument, other: Instrument): number {
  if (one.expiry !== other.expiry) return (one.expiry ?? -1n) < (other.expiry ?? -1n) ? -1 : 1;
  const strikes = (one.strike ?? 0) - (other.strike ?? 0);
  if (strikes !== 0) return strikes;
  if (one.optionType !== other.optionType) return one.optionType === "call" ? -1 : 1;
  return one.symbol < other.symbol ? -1 : 1;
}
