// A chain of quotes valued: per expiry the forward and discount, per option the volatilities of bid, mid and ask, then price
// and Greeks at the chosen one. Separate from the command that prints it, since the market room asks the same. No I/O. A row
// that can't be valued says why from a closed list; no row ever spoils another.
//
// Model: Black–Scholes–Merton on the spot, with the dividend yield that carries it to the parity forward, so that delta
// is per unit of spot. Without a spot the prepaid forward D·F stands in for it and the yield is 0: prices and volatilities
// are the same, and delta is per unit of prepaid forward.

import type { ChainRow } from "../domain/chain";
import { yearFraction } from "../domain/day-count";
import type { OptionContract } from "../domain/instrument";
import { isPrice, midOf, quoteFault } from "../domain/quote";
import { type OutputName, type StatusName, statusCodes, statusName, type Units } from "../engine/catalog";
import type { Engine } from "../engine/engine";
import { assert } from "../foundation/assert";
import type { EpochMicroseconds } from "../foundation/clock";
import { fitParity, type ParityFailure, type ParityFit, type ParityStrike } from "./parity";

/** Which volatility an option is priced at: solved from one of its quotes, or the file's own. */
export const volatilityChoices = ["mid", "bid", "ask", "vendor"] as const;

export type VolatilityChoice = (typeof volatilityChoices)[number];

/** Why an option has no price. */
export const chainReasons = [
  "unreadable_row",
  "no_forward",
  "no_bid",
  "no_ask",
  "crossed",
  "no_vendor_volatility",
  "below_intrinsic",
  "above_maximum",
  "not_converged",
  "non_finite",
  "out_of_domain",
] as const;

export type ChainReason = (typeof chainReasons)[number];

export interface ChainRequest {
  readonly rows: readonly ChainRow[];
  readonly volatility: VolatilityChoice;
  readonly units: Units;
  /** Continuous; inferred where absent. */
  readonly rate?: number | undefined;
  readonly dividendYield?: number | undefined;
  /** Instead of the rows' own. */
  readonly spot?: number | undefined;
}

/** What was found for the options that settle at one moment, share a root and were quoted at one moment. */
export interface ChainExpiry {
  readonly root: string;
  readonly underlying: string;
  /** One of its options, for everything the contract says. */
  readonly contract: OptionContract;
  readonly asOf: EpochMicroseconds;
  /** NaN where unknown. */
  readonly spot: number;
  /** Years, act/365f. */
  readonly timeToExpiry: number;
  readonly parity: ParityFit | null;
  /** Why `parity` is null. */
  readonly failure: ParityFailure | null;
  /** Where its options stand among the rows. */
  readonly rowIndexes: readonly number[];
}

export const chainOutputs = [
  "price",
  "delta",
  "gamma",
  "vega",
  "theta",
  "rho",
] as const satisfies readonly OutputName[];

type NumberColumn =
  | (typeof chainOutputs)[number]
  | "mid"
  | "ivBid"
  | "ivMid"
  | "ivAsk"
  | "forward"
  | "discount"
  | "timeToExpiry";

/** Columns as long as the rows; NaN is a missing number. */
export interface ChainValuation {
  readonly expiries: readonly ChainExpiry[];
  readonly columns: Readonly<Record<NumberColumn, Float64Array>>;
  /** The kernel's codes (engine/catalog); ≥ 10 where there is no price. */
  readonly status: Int32Array;
  /** Set exactly where status ≥ 10. */
  readonly reasons: readonly (ChainReason | null)[];
  readonly pricedCount: number;
}

/** Values the chain expiry by expiry; yields the number of rows done after each, and returns the whole. */
export function* valueChain(engine: Engine, request: ChainRequest): Generator<number, ChainValuation> {
  const count = request.rows.length;
  const column = () => new Float64Array(count).fill(Number.NaN);
  const columns: Record<NumberColumn, Float64Array> = {
    mid: column(),
    ivBid: column(),
    ivMid: column(),
    ivAsk: column(),
    forward: column(),
    discount: column(),
    timeToExpiry: column(),
    price: column(),
    delta: column(),
    gamma: column(),
    vega: column(),
    theta: column(),
    rho: column(),
  };
  const status = new Int32Array(count).fill(statusCodes.non_finite);
  const reasons = new Array<ChainReason | null>(count).fill("unreadable_row");
  request.rows.forEach((row, index) => {
    columns.mid[index] = midOf(row);
  });

  const expiries = expiriesOf(request);
  let done = 0;
  for (const expiry of expiries) {
    valueExpiry(engine, request, expiry, { columns, status, reasons });
    done += expiry.rowIndexes.length;
    yield done;
  }
  const pricedCount = reasons.filter((reason) => reason === null).length;
  return { expiries, columns, status, reasons, pricedCount };
}

/** Rows gathered by root, settlement, moment of quote and spot, in the order of their first row, each with its parity fit. */
function expiriesOf(request: ChainRequest): ChainExpiry[] {
  const groups = new Map<string, number[]>();
  request.rows.forEach((row, index) => {
    if (row.contract === null) return;
    const key = [row.contract.root, row.contract.expiry, row.asOf, request.spot ?? row.spot].join(" ");
    const group = groups.get(key);
    if (group) group.push(index);
    else groups.set(key, [index]);
  });
  return [...groups.values()].map((rowIndexes) => expiryOf(request, rowIndexes));
}

function expiryOf(request: ChainRequest, rowIndexes: readonly number[]): ChainExpiry {
  const first = request.rows[rowIndexes[0]!]!;
  const contract = first.contract!;
  const spot = request.spot ?? first.spot;
  const timeToExpiry = yearFraction(first.asOf, contract.expiry, "act/365f");
  const fit = fitParity({
    strikes: strikesOf(rowIndexes.map((index) => request.rows[index]!)),
    timeToExpiry,
    spot: isPrice(spot) ? spot : undefined,
    rate: request.rate,
    dividendYield: request.dividendYield,
  });
  const isFailure = typeof fit === "string";
  return {
    root: contract.root,
    underlying: contract.underlying,
    contract,
    asOf: first.asOf,
    spot,
    timeToExpiry,
    parity: isFailure ? null : fit,
    failure: isFailure ? fit : null,
    rowIndexes,
  };
}

/** Strikes that have both a call and a put row; the first of each where a strike comes twice. */
function strikesOf(rows: readonly ChainRow[]): ParityStrike[] {
  const strikes = new Map<number, { call?: ChainRow; put?: ChainRow }>();
  for (const row of rows) {
    const { strikeThousandths, optionType } = row.contract!;
    const at = strikes.get(strikeThousandths) ?? {};
    at[optionType] ??= row;
    strikes.set(strikeThousandths, at);
  }
  const pairs: ParityStrike[] = [];
  for (const [strikeThousandths, { call, put }] of strikes)
    if (call && put) pairs.push({ strike: strikeThousandths / 1000, call, put });
  return pairs.sort((left, right) => left.strike - right.strike);
}

interface Results {
  readonly columns: Readonly<Record<NumberColumn, Float64Array>>;
  readonly status: Int32Array;
  readonly reasons: (ChainReason | null)[];
}

/** Solves and prices one expiry's rows and writes them to their places. */
function valueExpiry(engine: Engine, request: ChainRequest, expiry: ChainExpiry, results: Results): void {
  const { rowIndexes, parity, spot, timeToExpiry } = expiry;
  const rows = rowIndexes.map((index) => request.rows[index]!);
  const count = rows.length;
  const hasExpired = expiry.failure === "expired";
  const hasSpot = isPrice(spot);
  const market = {
    model: "black_scholes_merton" as const,
    count,
    isCall: Uint8Array.from(rows, (row) => (row.contract!.optionType === "call" ? 1 : 0)),
  };
  // Where no forward was found the kernel is handed NaN and answers with its status, row by row; an expired option needs none.
  const missing = hasExpired ? 0 : Number.NaN;
  const inputs = {
    spot: hasSpot || parity === null ? spot : parity.forward * parity.discount,
    strike: Float64Array.from(rows, (row) => row.contract!.strike),
    time_to_expiry: timeToExpiry,
    rate: parity?.rate ?? missing,
    dividend_yield: parity === null ? missing : hasSpot ? parity.dividendYield : 0,
  };
  const solve = (price: (row: ChainRow) => number) =>
    engine.impliedVolatility({ ...market, inputs, price: Float64Array.from(rows, price), onUnattainable: "null" });
  const solved = {
    bid: solve((row) => (isPrice(row.bid) ? row.bid : Number.NaN)),
    mid: solve(midOf),
    ask: solve((row) => (isPrice(row.ask) ? row.ask : Number.NaN)),
  };
  const volatility = Float64Array.from(rows, (row, index) => {
    if (hasExpired) return 0;
    if (request.volatility === "vendor") return row.vendorVolatility;
    return isTrusted(row) ? solved[request.volatility].impliedVolatility[index]! : Number.NaN;
  });
  const priced = engine.price({
    ...market,
    inputs: { ...inputs, volatility },
    outputs: chainOutputs,
    units: request.units,
  });

  rowIndexes.forEach((rowIndex, index) => {
    const { columns } = results;
    columns.ivBid[rowIndex] = solved.bid.impliedVolatility[index]!;
    columns.ivMid[rowIndex] = solved.mid.impliedVolatility[index]!;
    columns.ivAsk[rowIndex] = solved.ask.impliedVolatility[index]!;
    columns.timeToExpiry[rowIndex] = timeToExpiry;
    columns.forward[rowIndex] = parity?.forward ?? Number.NaN;
    columns.discount[rowIndex] = parity?.discount ?? Number.NaN;
    for (const output of chainOutputs) columns[output][rowIndex] = priced.columns[output]![index]!;
    // Where the volatility couldn't be solved, why it couldn't says more than that the price then had no volatility.
    const solving = request.volatility === "vendor" || hasExpired ? 0 : solved[request.volatility].status[index]!;
    const pricing = priced.status[index]!;
    const status = pricing >= 10 && solving >= 10 ? solving : pricing;
    results.status[rowIndex] = status;
    results.reasons[rowIndex] = status < 10 ? null : reasonOf(request, expiry, rows[index]!, statusName(status));
  });
}

/** A crossed market's sides are solved and shown, and never priced at. */
function isTrusted(row: ChainRow): boolean {
  return quoteFault(row) !== "crossed";
}

function reasonOf(request: ChainRequest, expiry: ChainExpiry, row: ChainRow, status: StatusName): ChainReason {
  if (expiry.parity === null && expiry.failure !== "expired") return "no_forward";
  const fault = quoteFault(row);
  switch (request.volatility) {
    case "mid":
      if (fault !== null) return fault;
      break;
    case "bid":
      if (fault === "no_bid" || fault === "crossed") return fault;
      break;
    case "ask":
      if (!isPrice(row.ask)) return "no_ask";
      if (fault === "crossed") return fault;
      break;
    case "vendor":
      if (Number.isNaN(row.vendorVolatility)) return "no_vendor_volatility";
      break;
  }
  const reason = chainReasons.find((candidate) => candidate === status);
  assert(reason !== undefined, `status ${status} leaves a row without a price but is no reason`);
  return reason;
}
