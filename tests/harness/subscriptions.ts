// Subscriptions over a real database with people, beside a market and an upstream that a test holds in its hands.

import type { LadderOption } from "../../src/domain/strike-ladder";
import { expiryDateOf } from "../../src/domain/strike-ladder";
import {
  createSubscriptions,
  type Subscriptions,
  type SubscriptionsOptions,
} from "../../src/features/subscriptions/service";
import { seededRandom } from "../../src/foundation/random";
import { type IdentityFixture, openIdentity } from "./identity";
import { recordingLog } from "./storage";

/** 2025-06-15T15:06:40Z, as the fixtures' clock begins. */
export const begin = 1_750_000_000_000_000n;
export const day = 86_400_000_000n;
export const firstExpiry = begin + 5n * day;
export const secondExpiry = begin + 12n * day;

/** Such as X-2025-06-20-100-C. */
export const symbolOf = (underlying: string, expiry: bigint, strike: number, side: "C" | "P") =>
  `${underlying}-${expiryDateOf(expiry)}-${strike}-${side}`;

export class TestMarket {
  readonly forwards = new Map<string, number>();
  readonly deltas = new Map<string, number>();
  #options = new Map<string, readonly LadderOption[]>();

  list(
    underlying: string,
    strikes: readonly number[],
    expiries: readonly bigint[] = [firstExpiry, secondExpiry],
  ): void {
    this.#options.set(
      underlying,
      expiries.flatMap((expiry) =>
        strikes.flatMap((strike) => [
          { symbol: symbolOf(underlying, expiry, strike, "C"), expiry, strike, optionType: "call" as const },
          { symbol: symbolOf(underlying, expiry, strike, "P"), expiry, strike, optionType: "put" as const },
        ]),
      ),
    );
  }

  nameOf(text: string): { symbol: string } | { fault: string } {
    return /^[A-Z][A-Z0-9-]{0,40}$/.test(text) ? { symbol: text } : { fault: "is no name here" };
  }

  about(symbol: string): { underlying: string; expiry: bigint | null } {
    const underlying = symbol.split("-")[0]!;
    const option = this.#options.get(underlying)?.find((each) => each.symbol === symbol);
    return { underlying, expiry: option?.expiry ?? null };
  }

  options(underlying: string): readonly LadderOption[] {
    return this.#options.get(underlying) ?? none;
  }

  forwardOf(underlying: string): number | null {
    return this.forwards.get(underlying) ?? null;
  }

  deltaOf(_underlying: string, symbol: string): number | null {
    return this.deltas.get(symbol) ?? null;
  }
}
const none: readonly LadderOption[] = [];

/** Confirms all that it is asked for, but what it refuses; keeps what it has got stuck with. */
export class TestUpstream {
  readonly asked: (readonly string[])[] = [];
  readonly refused = new Set<string>();
  readonly stuck = new Set<string>();
  #confirmed: ReadonlySet<string> = new Set();

  want(symbols: ReadonlySet<string>): void {
    this.asked.push([...symbols].sort());
    this.#confirmed = new Set([...symbols].filter((symbol) => !this.refused.has(symbol)));
  }

  confirmed(): ReadonlySet<string> {
    return new Set([...this.#confirmed, ...this.stuck]);
  }

  get last(): readonly string[] {
    return this.asked.at(-1) ?? [];
  }
}

export interface SubscriptionsFixture {
  readonly people: IdentityFixture;
  readonly market: TestMarket;
  readonly upstream: TestUpstream;
  readonly log: ReturnType<typeof recordingLog>;
  readonly subscriptions: Subscriptions;
  /** One round of the loop, as it goes by itself. */
  round(): Promise<void>;
  /** The same over the same database, as another process or a later start would have it. */
  another(changes?: Partial<SubscriptionsOptions>): {
    subscriptions: Subscriptions;
    upstream: TestUpstream;
    round(): Promise<void>;
  };
  userNamed(name: string): Promise<string>;
  close(): Promise<void>;
}

export async function openSubscriptions(changes: Partial<SubscriptionsOptions> = {}): Promise<SubscriptionsFixture> {
  const people = await openIdentity();
  const { storage, watched, audit, clock, identity } = people;
  const market = new TestMarket();
  market.list("SPX", [90, 95, 100, 105, 110]);
  const log = recordingLog();
  const made: Subscriptions[] = [];
  const make = (upstream: TestUpstream, more: Partial<SubscriptionsOptions>) => {
    const subscriptions = createSubscriptions({
      ...{ storage: watched, audit, market, upstream, clock, log, random: seededRandom(11n), perUserMax: 100 },
      isLeading: () => true,
      ...more,
    });
    made.push(subscriptions);
    return subscriptions;
  };
  const upstream = new TestUpstream();
  const subscriptions = make(upstream, changes);
  return {
    ...{ people, market, upstream, log, subscriptions },
    round: () => subscriptions.round(),
    another(more = {}) {
      const theirs = new TestUpstream();
      const other = make(theirs, { ...changes, ...more });
      return { subscriptions: other, upstream: theirs, round: () => other.round() };
    },
    userNamed: async (name) => {
      const person = { email: `${name}@example.org`, name, role: "trader", isVerified: true, now: 1n } as const;
      return (await storage.write((tx) => identity.insertPerson(tx, person))).id;
    },
    async close() {
      for (const each of made) each.close();
      await people.close();
    },
  };
}
