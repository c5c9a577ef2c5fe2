// What accounts want to be kept up to date, kept in the database, and the loop that makes it so: it works out what each subscription stands for now,
// asks upstream for the union of them, and compares that with what upstream has confirmed. Invariants:
//   1. What is wanted follows from the rows and the market alone: nothing of it is lost with the process, and a row that is gone is wanted by nobody.
//   2. Accounts share what they want by count only: none sees, ends or delays another's.
//   3. Only the process that leads asks upstream; the others want nothing.
// Upstream and the market are ports: who feeds and who values is not known here.

import { civilFromDays, formatCivilDate } from "../../domain/calendar";
import { noOrigin, type RequestOrigin } from "../../domain/principal";
import {
  type LadderListing,
  type LadderOption,
  type LadderState,
  type LadderView,
  listingOf,
  moveLadder,
} from "../../domain/strike-ladder";
import { Agent } from "../../foundation/agent";
import { backoffMilliseconds } from "../../foundation/backoff";
import { type Clock, type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import { uuid7 } from "../../foundation/identifier";
import type { Log } from "../../foundation/log";
import { pageOf, parseCursor } from "../../foundation/page-mark";
import type { Random } from "../../foundation/random";
import { nextTurn } from "../../foundation/turn";
import { finish, type IdempotencyTicket } from "../../storage/idempotency";
import type { Storage, Tx } from "../../storage/storage";
import type { Audit } from "../audit/service";
import type { PersonalData } from "../identity/service";
import type { Subscription, SubscriptionDetail, SubscriptionPage } from "./model";
import {
  countOf,
  deleteAllOf,
  deleteRow,
  everyRow,
  findRow,
  findSame,
  insertRow,
  pageOfRows,
  type SubscriptionRow,
} from "./repository";
import {
  type AskedSubscription,
  accountIdDefault,
  type Definition,
  definitionOf,
  fingerprintOf,
  isLadderOver,
  type NameReader,
  ruleOf,
  type Standing,
  statusOf,
} from "./rules";

/** What the market tells a ladder. */
export interface SubscribedMarket {
  readonly nameOf: NameReader;
  /** What a canonical symbol is on, and when it expires (null: never); null where nothing is known of it. */
  about(symbol: string): { readonly underlying: string; readonly expiry: EpochMicroseconds | null } | null;
  /** Options listed on an underlying; the same array as long as they are the same. */
  options(underlying: string): readonly LadderOption[];
  forwardOf(underlying: string, expiry: EpochMicroseconds): number | null;
  deltaOf(underlying: string, symbol: string): number | null;
}

/** Who brings quotes. */
export interface Upstream {
  /** All that is wanted from now on. */
  want(symbols: ReadonlySet<string>): void;
  confirmed(): ReadonlySet<string>;
}

export interface SubscriptionsOptions {
  readonly storage: Pick<Storage, "read" | "write" | "onForeignWrite">;
  readonly audit: Pick<Audit, "append">;
  readonly market: SubscribedMarket;
  readonly upstream: Upstream;
  /** Whether this process is the one that asks upstream. */
  readonly isLeading: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly perUserMax: number;
}

export interface SubscriptionStatistics {
  /** Accounts with something that is not over. */
  readonly activeAccountCount: number;
  readonly subscriptionCount: number;
  readonly wantedCount: number;
  readonly missingCount: number;
  /** Confirmed, and wanted by no subscription. */
  readonly orphanCount: number;
  /** Moves of ladders since the start. */
  readonly moveCount: number;
}

export interface Subscriptions {
  /** Throws `invalid` SUBSCRIPTION_INVALID, `conflict` SUBSCRIPTION_COUNT_LIMIT. */
  subscribe(act: {
    userId: string;
    asked: AskedSubscription;
    idempotency?: IdempotencyTicket | null;
    origin?: RequestOrigin;
  }): Promise<SubscriptionDetail>;
  /** Throws `not-found` SUBSCRIPTION_NOT_FOUND. */
  unsubscribe(act: { userId: string; id: string; origin?: RequestOrigin }): Promise<void>;
  get(of: { userId: string; id: string }): Promise<SubscriptionDetail>;
  list(page: {
    userId: string;
    accountId?: string;
    underlying?: string;
    limit: number;
    cursor?: string;
  }): Promise<SubscriptionPage>;
  statistics(): SubscriptionStatistics;
  /** One comparison now. */
  round(): Promise<void>;
  /** Compares what is wanted with what is confirmed, and asks; now and then, and soon after each change. */
  readonly agent: Agent;
  close(): void;
}

const roundMilliseconds = 1_000;
/** Read anew at least so often, whatever the database's watch says. */
const reloadMilliseconds = 60_000;
const rowsPerRead = 500;
const missingShownMax = 20;
const askAgain = { baseMilliseconds: 2_000, waitMillisecondsMax: 60_000 };
/** Rows in an export, at most: more than anybody can have. */
const exportedCountMax = 20_000;
/** Subscriptions between two turns of the event loop. */
const perTurnMax = 20;

interface Entry {
  readonly row: SubscriptionRow;
  readonly definition: Definition;
  state: LadderState | null;
  standing: Standing;
}

const notLookedAt: Standing = { wanted: null, isOver: false, lacks: new Set(), isCut: false };

export function createSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const { storage, audit, market, upstream, clock, random, log } = options;
  let entries = new Map<string, Entry>();
  const listings = new Map<string, { readonly options: readonly LadderOption[]; readonly listing: LadderListing }>();
  /** Raised by whatever may have changed a row. */
  let changeNumber = 1;
  let loadedNumber = 0;
  let loadedAt = Number.NEGATIVE_INFINITY;
  let wanted: ReadonlySet<string> = new Set();
  let askCount = 0;
  let askAgainAt = Number.POSITIVE_INFINITY;
  let orphanCount = 0;
  let missingCount = 0;
  let moveCount = 0;
  const stopWatching = storage.onForeignWrite(() => {
    changeNumber += 1;
  });

  async function load(): Promise<void> {
    const now = clock.monotonicMilliseconds();
    if (loadedNumber === changeNumber && now - loadedAt < reloadMilliseconds) return;
    const number = changeNumber;
    const next = new Map<string, Entry>();
    let after: { createdAt: bigint; id: string } | null = null;
    for (;;) {
      const rows: SubscriptionRow[] = await everyRow(storage.read, { after, limit: rowsPerRead });
      for (const row of rows) {
        const known = entries.get(row.id);
        next.set(row.id, known ?? { row, definition: JSON.parse(row.definition), state: null, standing: notLookedAt });
      }
      const last = rows.at(-1);
      if (rows.length < rowsPerRead || last === undefined) break;
      after = { createdAt: last.createdAt, id: last.id };
    }
    entries = next;
    loadedNumber = number;
    loadedAt = now;
  }

  function listingOn(underlying: string): LadderListing {
    const listed = market.options(underlying);
    const known = listings.get(underlying);
    if (known?.options === listed) return known.listing;
    const listing = listingOf(listed);
    listings.set(underlying, { options: listed, listing });
    return listing;
  }

  /** What a subscription stands for now. */
  function settle(entry: Entry, now: EpochMicroseconds): void {
    const { definition } = entry;
    if (definition.kind === "symbols") {
      const living = definition.symbols.filter((symbol) => {
        const expiry = market.about(symbol)?.expiry ?? null;
        return expiry === null || expiry > now;
      });
      entry.standing = { wanted: new Set(living), isOver: living.length === 0, lacks: new Set(), isCut: false };
      return;
    }
    const { underlying, ladder } = definition;
    const view: LadderView = {
      listing: listingOn(underlying),
      forwardOf: (expiry) => market.forwardOf(underlying, expiry),
      deltaOf: (symbol) => market.deltaOf(underlying, symbol),
    };
    const move = moveLadder(ruleOf(ladder), view, entry.state, now);
    if (entry.state !== null && (move.added.length > 0 || move.removed.length > 0)) {
      moveCount += 1;
      log.debug(
        {
          ...{ subscription_id: entry.row.id, underlying, triggers: [...move.triggers] },
          ...{ added: move.added.length, removed: move.removed.length },
        },
        "a ladder has moved",
      );
    }
    entry.state = move.state;
    entry.standing = {
      wanted: move.symbols,
      isOver: move.symbols.size === 0 && isLadderOver(ladder, dateOf(now)),
      lacks: move.lacks,
      isCut: move.isCut,
    };
  }

  async function round(): Promise<void> {
    if (!options.isLeading()) {
      if (entries.size > 0 || wanted.size > 0) standBack();
      return;
    }
    await load();
    const now = clock.nowMicroseconds();
    const union = new Set<string>();
    let sinceTurn = 0;
    for (const entry of entries.values()) {
      settle(entry, now);
      for (const symbol of entry.standing.wanted ?? []) union.add(symbol);
      // What the ladder is on: without its price there is no forward.
      if (entry.definition.kind === "ladder" && !entry.standing.isOver) union.add(entry.definition.underlying);
      sinceTurn += 1;
      if (sinceTurn % perTurnMax === 0) await nextTurn();
    }
    const confirmed = upstream.confirmed();
    missingCount = [...union].filter((symbol) => !confirmed.has(symbol)).length;
    orphanCount = [...confirmed].filter((symbol) => !union.has(symbol)).length;
    const hasChanged = union.size !== wanted.size || [...union].some((symbol) => !wanted.has(symbol));
    const monotonic = clock.monotonicMilliseconds();
    if (hasChanged) askCount = 0;
    const isWell = missingCount === 0 && orphanCount === 0;
    if (!hasChanged && (isWell || monotonic < askAgainAt)) {
      if (isWell) askCount = 0;
      return;
    }
    wanted = union;
    askAgainAt = monotonic + backoffMilliseconds({ attemptIndex: askCount, ...askAgain, random });
    askCount += 1;
    upstream.want(union);
  }

  function standBack(): void {
    entries = new Map();
    listings.clear();
    loadedNumber = 0;
    wanted = new Set();
    [missingCount, orphanCount, askCount] = [0, 0, 0];
    upstream.want(wanted);
  }

  function shown(row: SubscriptionRow): { subscription: Subscription; wantedSymbols: string[] } {
    const definition: Definition = JSON.parse(row.definition);
    const standing = entries.get(row.id)?.standing ?? notLookedAt;
    const { status, confirmedCount, missing, reasons } = statusOf(standing, upstream.confirmed());
    const subscription: Subscription = {
      id: row.id,
      account_id: row.accountId,
      underlying: row.underlying,
      symbols: definition.kind === "symbols" ? [...definition.symbols] : null,
      ladder: definition.kind === "ladder" ? (definition.ladder as Subscription["ladder"]) : null,
      status,
      wanted_count: standing.wanted?.size ?? 0,
      confirmed_count: confirmedCount,
      reasons: options.isLeading() ? [...reasons] : ["not_followed_here"],
      missing: missing.slice(0, missingShownMax),
      created_at: formatTimestamp(row.createdAt),
    };
    return { subscription, wantedSymbols: [...(standing.wanted ?? [])] };
  }

  function detailOf(row: SubscriptionRow): SubscriptionDetail {
    const { subscription, wantedSymbols } = shown(row);
    return { ...subscription, wanted_symbols: wantedSymbols };
  }

  async function subscribe(act: Parameters<Subscriptions["subscribe"]>[0]): Promise<SubscriptionDetail> {
    const { userId, asked, idempotency = null, origin = noOrigin } = act;
    const definition = definitionOf(asked, market.nameOf);
    const now = clock.nowMicroseconds();
    const row: SubscriptionRow = {
      id: uuid7(now, random),
      userId,
      accountId: asked.account_id ?? accountIdDefault,
      kind: definition.kind,
      underlying: underlyingOf(definition),
      definition: JSON.stringify(definition),
      fingerprint: fingerprintOf(definition),
      createdAt: now,
    };
    const kept = await storage.write(async (tx) => {
      const same = await findSame(tx, row);
      if (same === null) {
        if ((await countOf(tx, userId)) >= options.perUserMax) {
          throw new BsoptError({
            reason: "conflict",
            code: "SUBSCRIPTION_COUNT_LIMIT",
            detail: `A user can have ${options.perUserMax} subscriptions; end one first.`,
          });
        }
        await insertRow(tx, row);
        await note(tx, "created", row, origin);
      }
      await finish(tx, idempotency, { status: 201, body: JSON.stringify(detailOf(same ?? row)) });
      return same ?? row;
    });
    if (kept === row) {
      changeNumber += 1;
      if (options.isLeading() && loadedNumber > 0) {
        const entry: Entry = { row, definition, state: null, standing: notLookedAt };
        settle(entry, now);
        entries.set(row.id, entry);
      }
    }
    return detailOf(kept);
  }

  /** What all of it is on, where that is one. */
  function underlyingOf(definition: Definition): string | null {
    if (definition.kind === "ladder") return definition.underlying;
    const on = new Set(definition.symbols.map((symbol) => market.about(symbol)?.underlying ?? null));
    return on.size === 1 ? [...on][0]! : null;
  }

  async function unsubscribe({ userId, id, origin = noOrigin }: Parameters<Subscriptions["unsubscribe"]>[0]) {
    await storage.write(async (tx) => {
      const row = await findRow(tx, { userId, id });
      if (row === null) throw notFound();
      await deleteRow(tx, id);
      await note(tx, "deleted", row, origin);
    });
    changeNumber += 1;
    entries.delete(id);
  }

  function note(tx: Tx, act: "created" | "deleted", row: SubscriptionRow, origin: RequestOrigin): Promise<void> {
    return audit.append(tx, {
      eventType: `market.subscription.${act}`,
      userId: row.userId,
      resource: `subscriptions/${row.id}`,
      action: act === "created" ? "create" : "delete",
      status: "success",
      details: { account_id: row.accountId, kind: row.kind, underlying: row.underlying },
      origin,
    });
  }

  return {
    subscribe,
    unsubscribe,
    round,
    async get(of) {
      const row = await findRow(storage.read, of);
      if (row === null) throw notFound();
      return detailOf(row);
    },
    async list({ limit, cursor, ...of }) {
      const after = cursor === undefined ? null : parseCursor(cursor);
      const rows = await pageOfRows(storage.read, { ...of, after, limit: limit + 1 });
      return pageOf(rows, limit, {
        shown: (row) => shown(row).subscription,
        mark: ({ createdAt, id }) => ({ createdAt, id }),
      });
    },
    statistics() {
      const accounts = new Set<string>();
      for (const { row, standing } of entries.values())
        if (!standing.isOver) accounts.add(`${row.userId} ${row.accountId}`);
      return {
        activeAccountCount: accounts.size,
        subscriptionCount: entries.size,
        wantedCount: wanted.size,
        ...{ missingCount, orphanCount, moveCount },
      };
    },
    agent: new Agent({
      name: "subscriptions",
      intervalMilliseconds: roundMilliseconds,
      failuresMax: 5,
      clock,
      round,
      onFailure: (error) =>
        log.warn({ err: error }, "subscriptions could not be compared with what comes; it is tried again"),
    }),
    close: stopWatching,
  };
}

/** The day in UTC. */
function dateOf(now: EpochMicroseconds): string {
  return formatCivilDate(civilFromDays(Number(now / 86_400_000_000n)));
}

function notFound(): BsoptError {
  const detail = "There is no such subscription.";
  return new BsoptError({ reason: "not-found", code: "SUBSCRIPTION_NOT_FOUND", detail });
}

/** All of a user's subscriptions as part of what is held about somebody, deleted with the user. */
export function subscriptionsPersonalData(storage: Pick<Storage, "read">): PersonalData {
  return {
    name: "subscriptions",
    async collect(userId) {
      const rows = await pageOfRows(storage.read, { userId, after: null, limit: exportedCountMax });
      return rows.map(({ id, accountId, definition, createdAt }) => ({
        ...{ id, account_id: accountId, created_at: formatTimestamp(createdAt) },
        ...JSON.parse(definition),
      }));
    },
    async erase(tx, { id }) {
      await deleteAllOf(tx, id);
    },
  };
}
