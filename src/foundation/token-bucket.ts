// Token buckets: how often somebody may do something. A bucket holds `burst` tokens and is filled at an even pace; an act
// takes one, and where none is left the answer says when there will be. Separate from http, because signing in counts by
// the same means. All sums are whole numbers below 2⁵³, so nothing drifts: a token is 60,000,000 units (times the window),
// a microsecond pays back `perMinute` of them, and what is kept is the debt, the units missing from a full bucket.
// Nothing here knows what a key means, and no number of keys can make a store grow past its limit.

import { assert } from "./assert";
import type { Clock } from "./clock";

/** How fast one kind of act may come. */
export interface BucketPolicy {
  /** Lower-case letters, digits and dashes. Keys of different policies never meet. */
  readonly name: string;
  /** Tokens that come back in a minute (or in `windowMinutes` of them); a whole number. */
  readonly perMinute: number;
  /** Most tokens a bucket holds: how many acts may come at once; a whole number. */
  readonly burst: number;
  /** Minutes that `perMinute` is spread over, for slower paces than one a minute; 1 where it is left out. */
  readonly windowMinutes?: number;
}

export interface BucketDecision {
  readonly allowed: boolean;
  /** The policy's `perMinute`. */
  readonly limit: number;
  /** Whole tokens left after this. */
  readonly remaining: number;
  /** Seconds until the bucket is full again, rounded up. */
  readonly resetSeconds: number;
  /** Seconds until there is a token again, rounded up; 0 where one is left. */
  readonly retryAfterSeconds: number;
}

/** One token of one bucket. */
export interface BucketWant {
  readonly key: string;
  readonly policy: BucketPolicy;
}

/** Where buckets are kept. Synchronous where it is memory; what does not answer in time is the store's to solve, not its caller's. */
export interface BucketStore {
  /** Takes a token where there is one. What is refused costs nothing. */
  take(key: string, policy: BucketPolicy): BucketDecision | Promise<BucketDecision>;
  /** Takes a token of each, or of none where one is missing. Decisions in the wants' order; at most 8 wants. */
  takeAll(wants: readonly BucketWant[]): readonly BucketDecision[] | Promise<readonly BucketDecision[]>;
  /** Whether a token is left, without taking it. */
  peek(key: string, policy: BucketPolicy): BucketDecision | Promise<BucketDecision>;
  /** Fills the bucket again. */
  forget(key: string, policy: BucketPolicy): void | Promise<void>;
}

export const wantsMax = 8;
/** Units of a token in a window of one minute: microseconds of it. */
const unitsPerMinute = 60_000_000;

/** Throws InvariantError where the policy is not of whole numbers, or too large for exact sums. */
export function requireExact(policy: BucketPolicy): void {
  const { name, perMinute, burst } = policy;
  const units = tokenUnitsOf(policy);
  assert(
    perMinute >= 1 && burst >= 1 && units >= unitsPerMinute && Number.isSafeInteger(perMinute * 1e6),
    `policy ${name}: ${perMinute} a minute, burst ${burst}`,
  );
  assert(Number.isSafeInteger(units) && Number.isSafeInteger(units * burst), `policy ${name} is too large to be exact`);
}

/** Units of one token. */
export function tokenUnitsOf({ windowMinutes }: BucketPolicy): number {
  return windowMinutes === undefined ? unitsPerMinute : unitsPerMinute * windowMinutes;
}

/** Units still missing after `elapsedMicroseconds`. */
export function debtAfter(debt: number, elapsedMicroseconds: number, { perMinute }: BucketPolicy): number {
  // The product may pass 2⁵³ where it is far above any debt; then it is only compared.
  const paid = elapsedMicroseconds * perMinute;
  return paid >= debt ? 0 : elapsedMicroseconds > 0 ? debt - paid : debt;
}

/** Whether a token is left. */
function fits(debt: number, policy: BucketPolicy): boolean {
  const units = tokenUnitsOf(policy);
  return debt + units <= units * policy.burst;
}

/** What a bucket with this debt says, `allowed` having been decided. */
export function decisionOf(allowed: boolean, debt: number, policy: BucketPolicy): BucketDecision {
  const units = tokenUnitsOf(policy);
  const left = units * policy.burst - debt;
  const unitsPerSecond = policy.perMinute * 1e6;
  return {
    allowed,
    limit: policy.perMinute,
    remaining: Math.max(0, (left - (left % units)) / units),
    resetSeconds: dividedUp(debt, unitsPerSecond),
    retryAfterSeconds: left >= units ? 0 : dividedUp(units - left, unitsPerSecond),
  };
}

/** a/b rounded up, exact for whole numbers below 2⁵³ where the quotient of doubles is not. */
function dividedUp(a: number, b: number): number {
  const rest = a % b;
  return (a - rest) / b + (rest > 0 ? 1 : 0);
}

interface Bucket {
  readonly key: string;
  /** Units missing at `atMicroseconds`. */
  debt: number;
  atMicroseconds: number;
  /** When the debt will be paid. Only ever rises while the bucket is kept. */
  fullAtMicroseconds: number;
  /** `fullAtMicroseconds` as the heap last saw it: at most what it is now. */
  heapMicroseconds: number;
}

/** How many full buckets one newcomer clears away: more than come, so that what is full does not stay. */
const clearedPerArrival = 2;

/**
 * The buckets of one policy. A bucket that is full again is forgotten, for a new one is no different. Only where `countMax`
 * are in debt at once must one go before its time, and it is the one nearest to full: a flood of fresh keys drives out
 * fresh keys, each of which gains the little it owed, and a bucket that is empty stays until `countMax` others are emptier.
 */
class BucketTable {
  readonly #buckets = new Map<string, Bucket>();
  /** A binary heap by heapMicroseconds, which may lag behind: a root that lags is put back where it belongs. */
  readonly #heap: Bucket[] = [];
  readonly #countMax: number;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** The policy it was last asked about: checked once. */
  policy: BucketPolicy | null = null;

  get count(): number {
    return this.#heap.length;
  }

  debtOf(key: string, nowMicroseconds: number, policy: BucketPolicy): number {
    const bucket = this.#buckets.get(key);
    return bucket === undefined ? 0 : debtAfter(bucket.debt, nowMicroseconds - bucket.atMicroseconds, policy);
  }

  set(key: string, debt: number, nowMicroseconds: number, policy: BucketPolicy): void {
    const fullAtMicroseconds = nowMicroseconds + debt / policy.perMinute;
    const known = this.#buckets.get(key);
    if (known) {
      known.debt = debt;
      known.atMicroseconds = nowMicroseconds;
      known.fullAtMicroseconds = fullAtMicroseconds;
      // Only forgetting lowers it; the heap then finds it later than it could, and never wrongly.
      return;
    }
    this.#clear(nowMicroseconds);
    const bucket = {
      key,
      debt,
      atMicroseconds: nowMicroseconds,
      fullAtMicroseconds,
      heapMicroseconds: fullAtMicroseconds,
    };
    this.#buckets.set(key, bucket);
    this.#heap.push(bucket);
    this.#rise(this.#heap.length - 1);
  }

  /** Makes room for one more. */
  #clear(nowMicroseconds: number): void {
    for (let cleared = 0; cleared < clearedPerArrival; cleared++) {
      const nearest = this.#nearestToFull();
      if (nearest === undefined) return;
      if (nearest.fullAtMicroseconds > nowMicroseconds && this.#heap.length < this.#countMax) return;
      this.#removeRoot();
    }
  }

  #nearestToFull(): Bucket | undefined {
    for (;;) {
      const root = this.#heap[0];
      // Each turn brings one bucket up to date that was used since it was last seen here: at most one turn for each use.
      if (root === undefined || root.heapMicroseconds >= root.fullAtMicroseconds) return root;
      root.heapMicroseconds = root.fullAtMicroseconds;
      this.#sink(0);
    }
  }

  #removeRoot(): void {
    const root = this.#heap[0]!;
    const last = this.#heap.pop()!;
    if (last !== root) {
      this.#heap[0] = last;
      this.#sink(0);
    }
    this.#buckets.delete(root.key);
  }

  #rise(from: number): void {
    const heap = this.#heap;
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent]!.heapMicroseconds <= heap[index]!.heapMicroseconds) return;
      this.#swap(parent, index);
      index = parent;
    }
  }

  #sink(from: number): void {
    const heap = this.#heap;
    let index = from;
    for (;;) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < heap.length && heap[child]!.heapMicroseconds < heap[least]!.heapMicroseconds) least = child;
      }
      if (least === index) return;
      this.#swap(least, index);
      index = least;
    }
  }

  #swap(one: number, other: number): void {
    const heap = this.#heap;
    [heap[one], heap[other]] = [heap[other]!, heap[one]!];
  }
}

/** Buckets in debt that are kept for each policy; about 200 bytes each. */
const bucketCountMaxDefault = 100_000;
const policyCountMax = 1_000;

/** Buckets in this process's memory. */
export class MemoryBucketStore implements BucketStore {
  readonly #clock: Clock;
  readonly #countMax: number;
  readonly #tables = new Map<string, BucketTable>();

  constructor(options: { readonly clock: Clock; readonly countMax?: number }) {
    this.#clock = options.clock;
    this.#countMax = options.countMax ?? bucketCountMaxDefault;
    assert(Number.isSafeInteger(this.#countMax) && this.#countMax > 0, `at most ${this.#countMax} buckets`);
  }

  take(key: string, policy: BucketPolicy): BucketDecision {
    const now = this.#nowMicroseconds();
    const table = this.#tableOf(policy);
    const debt = table.debtOf(key, now, policy);
    if (!fits(debt, policy)) return decisionOf(false, debt, policy);
    const owed = debt + tokenUnitsOf(policy);
    table.set(key, owed, now, policy);
    return decisionOf(true, owed, policy);
  }

  takeAll(wants: readonly BucketWant[]): readonly BucketDecision[] {
    if (wants.length === 1) return [this.take(wants[0]!.key, wants[0]!.policy)];
    assert(wants.length <= wantsMax, `${wants.length} tokens were wanted at once`);
    const now = this.#nowMicroseconds();
    let isEveryOneThere = true;
    const debts: number[] = [];
    for (const { key, policy } of wants) {
      const debt = this.#tableOf(policy).debtOf(key, now, policy);
      debts.push(debt);
      if (!fits(debt, policy)) isEveryOneThere = false;
    }
    const decisions: BucketDecision[] = [];
    for (let index = 0; index < wants.length; index++) {
      const { key, policy } = wants[index]!;
      const debt = debts[index]!;
      if (isEveryOneThere) {
        const owed = debt + tokenUnitsOf(policy);
        this.#tableOf(policy).set(key, owed, now, policy);
        decisions.push(decisionOf(true, owed, policy));
      } else decisions.push(decisionOf(fits(debt, policy), debt, policy));
    }
    return decisions;
  }

  peek(key: string, policy: BucketPolicy): BucketDecision {
    const debt = this.#tableOf(policy).debtOf(key, this.#nowMicroseconds(), policy);
    return decisionOf(fits(debt, policy), debt, policy);
  }

  forget(key: string, policy: BucketPolicy): void {
    const table = this.#tableOf(policy);
    const now = this.#nowMicroseconds();
    if (table.debtOf(key, now, policy) > 0) table.set(key, 0, now, policy);
  }

  /** Buckets kept now, of all policies. */
  get count(): number {
    return [...this.#tables.values()].reduce((sum, table) => sum + table.count, 0);
  }

  #tableOf(policy: BucketPolicy): BucketTable {
    let table = this.#tables.get(policy.name);
    if (table === undefined) {
      assert(this.#tables.size < policyCountMax, `more than ${policyCountMax} policies`);
      table = new BucketTable(this.#countMax);
      this.#tables.set(policy.name, table);
    }
    if (table.policy !== policy) {
      requireExact(policy);
      table.policy = policy;
    }
    return table;
  }

  #nowMicroseconds(): number {
    return Math.floor(this.#clock.monotonicMilliseconds() * 1000);
  }
}
