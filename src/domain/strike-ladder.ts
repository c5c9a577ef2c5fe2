// Which options of an underlying a ladder of strikes stands for at a moment, and when it moves. Separate because it is pure: strikes by rule
// around each expiry's own forward, with a memory that keeps it from going to and fro. Must never look at a clock or a market by itself, and
// never change anything for a forward that only trembles.
//
// Hysteresis: an at-the-money strike is left for another only when the forward has passed the midpoint towards its neighbour by `hysteresis`
// of their spacing; a percentage's centre follows only a forward that has left it by that share of the spacing around it; an option
// wanted by delta leaves only when its delta is outside the tolerance by that share of the tolerance. An expiry moves at most once in `restMicroseconds`.

import { assert } from "../foundation/assert";
import type { EpochMicroseconds } from "../foundation/clock";
import { civilFromDays, formatCivilDate } from "./calendar";
import type { OptionType } from "./symbol";

/** Which strikes of an expiry. `percent` is of the forward, on each side; `target` is a delta without its sign. */
export type StrikeRule =
  | { readonly kind: "fixed"; readonly strikes: readonly number[] }
  | { readonly kind: "atm"; readonly count: number }
  | { readonly kind: "percent"; readonly percent: number }
  | { readonly kind: "delta"; readonly target: number; readonly tolerance: number };

/** Which expiries: by date (YYYY-MM-DD), the nearest dates, or those so many days away, both ends included. */
export type ExpiryRule =
  | { readonly kind: "fixed"; readonly dates: readonly string[] }
  | { readonly kind: "nearest"; readonly count: number }
  | { readonly kind: "days"; readonly from: number; readonly to: number };

/** A strike at the centre itself counts as both in and out of the money. */
export const ladderSides = ["both", "calls", "puts", "out_of_the_money", "in_the_money"] as const;
export type LadderSide = (typeof ladderSides)[number];

export interface LadderRule {
  readonly strikes: StrikeRule;
  readonly expiries: ExpiryRule;
  readonly side: LadderSide;
  /** Share of a spacing, 0 to 0.5. */
  readonly hysteresis: number;
  /** Shortest time between two moves of one expiry for its forward's sake. */
  readonly restMicroseconds: bigint;
}

/** An option that is listed now. */
export interface LadderOption {
  readonly symbol: string;
  readonly expiry: EpochMicroseconds;
  readonly strike: number;
  readonly optionType: OptionType;
}

/** What is listed on an underlying, by expiry: made once for many ladders and many looks. */
export type LadderListing = ReadonlyMap<EpochMicroseconds, ExpiryListing>;

interface ExpiryListing {
  readonly options: readonly LadderOption[];
  /** Every strike once, rising. */
  readonly grid: readonly number[];
}

/** What a ladder looks at. */
export interface LadderView {
  readonly listing: LadderListing;
  /** Null: not known. */
  forwardOf(expiry: EpochMicroseconds): number | null;
  /** Null: not known. Only asked by a rule by delta. */
  deltaOf(symbol: string): number | null;
}

/** Where an expiry's ladder stands. */
export interface Rung {
  readonly expiry: EpochMicroseconds;
  /** The strike or forward around which it was chosen; null while none was needed or known. */
  readonly centre: number | null;
  readonly movedAt: EpochMicroseconds;
  readonly symbols: ReadonlySet<string>;
}

export type LadderState = readonly Rung[];

/** Why an expiry's options are not what the rule wants: no forward, no deltas, strikes that are not listed. */
export type LadderLack = "no_forward" | "no_delta" | "strike_not_listed";

export interface LadderMove {
  readonly state: LadderState;
  /** All of it, in the order of the listing. */
  readonly symbols: ReadonlySet<string>;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** What moved it; empty: nothing did. */
  readonly triggers: ReadonlySet<"expiry" | "forward" | "listing">;
  readonly lacks: ReadonlySet<LadderLack>;
  /** There were more than `symbolsMax`; those nearest to their centre were kept. */
  readonly isCut: boolean;
}

/** Options of one ladder at most. */
export const ladderSymbolsMax = 2_000;
const dayMicroseconds = 86_400_000_000n;

/** The listing of these options. */
export function listingOf(options: readonly LadderOption[]): LadderListing {
  const byExpiry = new Map<EpochMicroseconds, LadderOption[]>();
  for (const option of options) {
    const known = byExpiry.get(option.expiry);
    if (known) known.push(option);
    else byExpiry.set(option.expiry, [option]);
  }
  return new Map([...byExpiry].map(([expiry, listed]) => [expiry, { options: listed, grid: gridOf(listed) }]));
}

/** The day of a settlement, which for every calendar here is its day in UTC too. YYYY-MM-DD. */
export function expiryDateOf(expiry: EpochMicroseconds): string {
  return formatCivilDate(civilFromDays(Number(expiry / dayMicroseconds)));
}

/** Where the ladder stands now, from where it stood (null: nowhere yet). The same arguments give the same answer. */
export function moveLadder(
  rule: LadderRule,
  view: LadderView,
  held: LadderState | null,
  now: EpochMicroseconds,
): LadderMove {
  assert(rule.hysteresis >= 0 && rule.hysteresis <= 0.5, `a hysteresis of ${rule.hysteresis} is no share of a spacing`);
  const before = new Map((held ?? []).map((rung) => [rung.expiry, rung]));
  const { listing } = view;
  const chosen = chosenExpiries(rule.expiries, [...listing.keys()], now);
  const triggers = new Set<"expiry" | "forward" | "listing">();
  const lacks = new Set<LadderLack>();
  const chosenRungs = chosen.map((expiry) => {
    const listed = listing.get(expiry)!;
    const { options } = listed;
    const was = before.get(expiry) ?? null;
    const centre = centreOf(rule, listed, view.forwardOf(expiry), was, now);
    const symbols = symbolsOf(rule, listed, { centre, was, deltaOf: (symbol) => view.deltaOf(symbol), lacks });
    return { expiry, options, was, centre, symbols };
  });
  const isCut = chosenRungs.reduce((sum, { symbols }) => sum + symbols.size, 0) > ladderSymbolsMax;
  const kept = isCut ? nearest(chosenRungs) : null;
  const state = chosenRungs.map(({ expiry, options, was, centre, symbols: all }): Rung => {
    const symbols = kept === null ? all : new Set([...all].filter((symbol) => kept.has(symbol)));
    const hasMoved = was !== null && was.centre !== null && centre !== was.centre;
    if (was === null) triggers.add("expiry");
    else if (hasMoved || (was.centre === null && centre !== null)) triggers.add("forward");
    else if (!isSameSet(symbols, was.symbols))
      triggers.add(rule.strikes.kind === "delta" && hasAll(options, was.symbols) ? "forward" : "listing");
    return { expiry, centre, movedAt: was === null || hasMoved ? now : was.movedAt, symbols };
  });
  for (const expiry of before.keys()) if (!chosen.includes(expiry)) triggers.add("expiry");
  const symbols = new Set(state.flatMap((rung) => [...rung.symbols]));
  const heldSymbols = new Set((held ?? []).flatMap((rung) => [...rung.symbols]));
  return {
    state,
    symbols,
    added: [...symbols].filter((symbol) => !heldSymbols.has(symbol)),
    removed: [...heldSymbols].filter((symbol) => !symbols.has(symbol)),
    triggers,
    lacks,
    isCut,
  };
}

/** The expiries a rule means among those that are listed and not over, soonest first. One date may have two moments. */
export function chosenExpiries(
  rule: ExpiryRule,
  expiries: readonly EpochMicroseconds[],
  now: EpochMicroseconds,
): EpochMicroseconds[] {
  const living = [...new Set(expiries)].filter((expiry) => expiry > now).sort((one, other) => (one < other ? -1 : 1));
  if (rule.kind === "days") {
    const today = now / dayMicroseconds;
    const daysTo = (expiry: EpochMicroseconds) => Number(expiry / dayMicroseconds - today);
    return living.filter((expiry) => daysTo(expiry) >= rule.from && daysTo(expiry) <= rule.to);
  }
  const dates =
    rule.kind === "fixed" ? new Set(rule.dates) : new Set([...new Set(living.map(expiryDateOf))].slice(0, rule.count));
  return living.filter((expiry) => dates.has(expiryDateOf(expiry)));
}

/** Around what an expiry's options are chosen: the strike at the money, or the forward as it was when last followed. */
function centreOf(
  rule: LadderRule,
  { grid }: ExpiryListing,
  forward: number | null,
  was: Rung | null,
  now: EpochMicroseconds,
): number | null {
  const { strikes, side, hysteresis } = rule;
  const isMoneyness = side === "out_of_the_money" || side === "in_the_money";
  if ((strikes.kind === "fixed" || strikes.kind === "delta") && !isMoneyness) return null;
  const usable = forward !== null && forward > 0 && forward < Number.POSITIVE_INFINITY ? forward : null;
  const held = was?.centre ?? null;
  const nearestStrike = usable === null ? null : nearestTo(grid, usable);
  if (strikes.kind === "atm") {
    // A strike that is not listed any more is nobody's centre.
    const isListed = held !== null && grid.includes(held);
    if (usable === null || nearestStrike === null) return isListed ? held : null;
    if (!isListed) return nearestStrike;
    if (nearestStrike === held || isResting(rule, was!, now)) return held;
    const neighbour = grid[grid.indexOf(held) + (usable > held ? 1 : -1)]!;
    const spacing = Math.abs(neighbour - held);
    const isPassed = Math.abs(usable - held) > spacing * (0.5 + hysteresis);
    return isPassed ? nearestStrike : held;
  }
  if (usable === null) return held;
  if (held === null) return usable;
  if (isResting(rule, was!, now)) return held;
  return Math.abs(usable - held) > spacingAt(grid, held) * hysteresis ? usable : held;
}

function isResting(rule: LadderRule, was: Rung, now: EpochMicroseconds): boolean {
  return now - was.movedAt < rule.restMicroseconds;
}

interface ChoiceParts {
  readonly centre: number | null;
  readonly was: Rung | null;
  deltaOf(symbol: string): number | null;
  readonly lacks: Set<LadderLack>;
}

function symbolsOf(
  rule: LadderRule,
  { options, grid }: ExpiryListing,
  { centre, was, deltaOf, lacks }: ChoiceParts,
): ReadonlySet<string> {
  const { strikes, side } = rule;
  const needsCentre =
    strikes.kind === "atm" || strikes.kind === "percent" || side === "out_of_the_money" || side === "in_the_money";
  if (needsCentre && centre === null) {
    lacks.add("no_forward");
    return new Set();
  }
  const wanted = options.filter((option) => isOfSide(option, side, centre));
  switch (strikes.kind) {
    case "fixed": {
      if (strikes.strikes.some((strike) => !grid.includes(strike))) lacks.add("strike_not_listed");
      const asked = new Set(strikes.strikes);
      return symbolSet(wanted.filter(({ strike }) => asked.has(strike)));
    }
    case "atm": {
      const place = grid.indexOf(centre!);
      if (place - strikes.count < 0 || place + strikes.count >= grid.length) lacks.add("strike_not_listed");
      const low = grid[Math.max(0, place - strikes.count)]!;
      const high = grid[Math.min(grid.length - 1, place + strikes.count)]!;
      return symbolSet(wanted.filter(({ strike }) => strike >= low && strike <= high));
    }
    case "percent": {
      const width = (centre! * strikes.percent) / 100;
      // A strike that lies at the end by its decimals is in, whatever the last bit of the product says.
      const slack = centre! * 1e-12;
      return symbolSet(wanted.filter(({ strike }) => Math.abs(strike - centre!) <= width + slack));
    }
    case "delta": {
      const { target, tolerance } = strikes;
      const kept = tolerance * (1 + rule.hysteresis);
      let knownCount = 0;
      const chosen = wanted.filter(({ symbol }) => {
        const isHeld = was?.symbols.has(symbol) ?? false;
        const delta = deltaOf(symbol);
        // What is held stays while nothing is known of it: an outage of deltas must not empty a ladder.
        if (delta === null || Number.isNaN(delta)) return isHeld;
        knownCount += 1;
        return Math.abs(Math.abs(delta) - target) <= (isHeld ? kept : tolerance) + 1e-12;
      });
      if (knownCount === 0 && wanted.length > 0) lacks.add("no_delta");
      return symbolSet(chosen);
    }
  }
}

function isOfSide({ optionType, strike }: LadderOption, side: LadderSide, centre: number | null): boolean {
  switch (side) {
    case "both":
      return true;
    case "calls":
      return optionType === "call";
    case "puts":
      return optionType === "put";
    case "out_of_the_money":
      return optionType === "call" ? strike >= centre! : strike <= centre!;
    case "in_the_money":
      return optionType === "call" ? strike <= centre! : strike >= centre!;
  }
}

function gridOf(options: readonly LadderOption[]): number[] {
  return [...new Set(options.map(({ strike }) => strike))].sort((one, other) => one - other);
}

/** The lower of two that are equally near. */
function nearestTo(grid: readonly number[], value: number): number | null {
  let best: number | null = null;
  for (const strike of grid) if (best === null || Math.abs(strike - value) < Math.abs(best - value)) best = strike;
  return best;
}

/** How far the strikes on both sides of a value lie apart; at the ends, the outermost two; of a single strike, nothing. */
function spacingAt(grid: readonly number[], value: number): number {
  if (grid.length < 2) return 0;
  const above = grid.findIndex((strike) => strike > value);
  const upper = above < 0 ? grid.length - 1 : Math.max(1, above);
  return grid[upper]! - grid[upper - 1]!;
}

function symbolSet(options: readonly LadderOption[]): ReadonlySet<string> {
  return new Set(options.map(({ symbol }) => symbol));
}

function isSameSet(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((symbol) => other.has(symbol));
}

function hasAll(options: readonly LadderOption[], symbols: ReadonlySet<string>): boolean {
  const listed = symbolSet(options);
  return [...symbols].every((symbol) => listed.has(symbol));
}

/** Of too many, those nearest to their centre (their middle strike, where they have none), relatively; the soonest expiry first among equals. */
function nearest(
  rungs: readonly (Pick<Rung, "centre" | "symbols"> & { readonly options: readonly LadderOption[] })[],
): ReadonlySet<string> {
  const distances = rungs.flatMap(({ centre: held, symbols, options }) => {
    const wanted = options.filter(({ symbol }) => symbols.has(symbol));
    const grid = gridOf(wanted);
    const centre = held ?? grid[Math.floor(grid.length / 2)] ?? 1;
    return wanted.map(({ symbol, strike }) => ({ symbol, distance: Math.abs(strike / centre - 1) }));
  });
  distances.sort((one, other) => one.distance - other.distance);
  return new Set(distances.slice(0, ladderSymbolsMax).map(({ symbol }) => symbol));
}
