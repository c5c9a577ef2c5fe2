// Token buckets against an exact model in fractions, their memory's limit, and who goes when it is full.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { InvariantError } from "../../../src/foundation/assert";
import { ManualClock } from "../../../src/foundation/clock";
import { seededRandom } from "../../../src/foundation/random";
import {
  type BucketDecision,
  type BucketPolicy,
  debtAfter,
  MemoryBucketStore,
  wantsMax,
} from "../../../src/foundation/token-bucket";

const user: BucketPolicy = { name: "user", perMinute: 100, burst: 10 };
const address: BucketPolicy = { name: "address", perMinute: 1000, burst: 100 };

/** The same by the book, in fractions of a token with one denominator, of bigints: the slow twin. */
class ExactBucket {
  readonly #policy: BucketPolicy;
  readonly #denominator: bigint;
  #tokens: bigint;
  #at = 0n;

  constructor(policy: BucketPolicy) {
    this.#policy = policy;
    this.#denominator = 60_000_000n * BigInt(policy.windowMinutes ?? 1);
    this.#tokens = BigInt(policy.burst) * this.#denominator;
  }

  /** Whether there is a token at this microsecond; takes it where it is asked to. */
  ask(at: bigint, isTaken: boolean): BucketDecision {
    const { perMinute, burst } = this.#policy;
    const full = BigInt(burst) * this.#denominator;
    const grown = this.#tokens + (at - this.#at) * BigInt(perMinute);
    this.#tokens = grown < full ? grown : full;
    this.#at = at;
    const allowed = this.#tokens >= this.#denominator;
    if (allowed && isTaken) this.#tokens -= this.#denominator;
    const perSecond = BigInt(perMinute) * 1_000_000n;
    const up = (a: bigint) => Number((a + perSecond - 1n) / perSecond);
    const lacking = this.#denominator - this.#tokens;
    return {
      allowed,
      limit: perMinute,
      remaining: Number(this.#tokens / this.#denominator),
      resetSeconds: up(full - this.#tokens),
      retryAfterSeconds: lacking > 0n ? up(lacking) : 0,
    };
  }
}

describe("S2.28 a bucket of 100 a minute and burst 10", () => {
  test("gives ten at once, then says when the next comes, then gives one each 600 ms", () => {
    const clock = new ManualClock();
    const store = new MemoryBucketStore({ clock });
    for (let remaining = 9; remaining >= 0; remaining--) {
      expect(store.take("u", user)).toMatchObject({ allowed: true, limit: 100, remaining });
    }
    const refused = { allowed: false, limit: 100, remaining: 0, resetSeconds: 6, retryAfterSeconds: 1 };
    expect(store.take("u", user)).toEqual(refused);
    clock.advance(599.999);
    expect(store.take("u", user).allowed).toBe(false);
    clock.advance(0.001);
    expect(store.take("u", user)).toMatchObject({ allowed: true, remaining: 0, resetSeconds: 6, retryAfterSeconds: 1 });
    expect(store.take("u", user).allowed).toBe(false);
    clock.advance(6_000);
    const full = { allowed: true, limit: 100, remaining: 10, resetSeconds: 0, retryAfterSeconds: 0 };
    expect(store.peek("u", user)).toEqual(full);
  });

  test("lets through the burst and 100 a minute, however hard it is tried", () => {
    const clock = new ManualClock();
    const store = new MemoryBucketStore({ clock });
    const counts = [0, 0, 0].map(() => {
      let count = 0;
      for (let i = 0; i < 6_000; i++) {
        if (store.take("u", user).allowed) count += 1;
        clock.advance(10);
      }
      return count;
    });
    // The token that is due when the first minute ends is taken as the second begins.
    expect(counts).toEqual([109, 100, 100]);
  });
});

describe("S2.27 a bucket in memory, against exact fractions", () => {
  test("decides the same for any pace, burst, window and timing, to the microsecond", () => {
    const policies = fc.record({
      name: fc.constant("any"),
      perMinute: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 1_000_000 })),
      burst: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 10_000 })),
      windowMinutes: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 1440 })),
    });
    const steps = fc.array(
      fc.record({
        waitMicroseconds: fc.oneof(
          fc.constant(0),
          fc.integer({ min: 1, max: 1_000 }),
          fc.integer({ min: 1, max: 3_600_000_000 }),
        ),
        isTaken: fc.boolean(),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(policies, steps, (policy, list) => {
        const clock = new ManualClock(0n);
        const store = new MemoryBucketStore({ clock });
        const exact = new ExactBucket(policy);
        for (const { waitMicroseconds, isTaken } of list) {
          clock.advance(waitMicroseconds / 1000);
          const decided = isTaken ? store.take("k", policy) : store.peek("k", policy);
          expect(decided).toEqual(exact.ask(clock.nowMicroseconds(), isTaken));
        }
      }),
      { numRuns: 300, seed: 20_260_102 },
    );
  });

  test("does not drift in 300,000 odd intervals at 7 a minute", () => {
    const policy: BucketPolicy = { name: "odd", perMinute: 7, burst: 3 };
    const clock = new ManualClock(0n);
    const store = new MemoryBucketStore({ clock });
    let taken = 0;
    for (let i = 0; i < 300_000; i++) {
      clock.advance(333.337);
      if (store.take("k", policy).allowed) taken += 1;
    }
    const exact = 3n + (clock.nowMicroseconds() * 7n) / 60_000_000n;
    // What the bucket overflowed by before the first act, and what it holds now, are at most one token.
    expect(Number(exact) - taken).toBeGreaterThanOrEqual(0);
    expect(Number(exact) - taken).toBeLessThanOrEqual(1);
  });

  test("a retry at the second that was named finds a token", () => {
    for (const perMinute of [1, 7, 59, 60, 61, 100, 999]) {
      const policy: BucketPolicy = { name: "p", perMinute, burst: 2 };
      const clock = new ManualClock(0n);
      const store = new MemoryBucketStore({ clock });
      while (store.take("k", policy).allowed) clock.advance(0.001);
      clock.advance(store.take("k", policy).retryAfterSeconds * 1000);
      expect([perMinute, store.take("k", policy).allowed]).toEqual([perMinute, true]);
    }
  });

  test("a clock that steps back neither pays nor charges", () => {
    expect(debtAfter(90_000_000, -5, user)).toBe(90_000_000);
    expect(debtAfter(90_000_000, 0, user)).toBe(90_000_000);
    expect(debtAfter(90_000_000, 5, user)).toBe(90_000_000 - 500);
  });

  test.each([
    ["nothing a minute", { name: "x", perMinute: 0, burst: 1 }],
    ["a fraction a minute", { name: "x", perMinute: 1.0000000001, burst: 1 }],
    ["no burst", { name: "x", perMinute: 1, burst: 0 }],
    ["half a burst", { name: "x", perMinute: 1, burst: 1.000000001 }],
    ["a window of nothing", { name: "x", perMinute: 1, burst: 1, windowMinutes: 0 }],
    ["a burst past exact sums", { name: "x", perMinute: 1, burst: 1e9 }],
    ["no number", { name: "x", perMinute: Number.NaN, burst: 1 }],
  ])("a policy of %s is our own mistake", (_, policy) => {
    expect(() => new MemoryBucketStore({ clock: new ManualClock() }).take("k", policy)).toThrow(InvariantError);
  });
});

describe("buckets of several policies", () => {
  test("takes a token of each or of none, and tells which was missing", () => {
    const store = new MemoryBucketStore({ clock: new ManualClock() });
    const wants = [
      { key: "a", policy: address },
      { key: "u", policy: user },
    ];
    for (let i = 0; i < 10; i++) expect(store.takeAll(wants).every(({ allowed }) => allowed)).toBe(true);
    expect(store.takeAll(wants).map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
      [true, 90],
      [false, 0],
    ]);
    expect(store.peek("a", address).remaining).toBe(90);
  });

  test("keys of different policies never meet", () => {
    const store = new MemoryBucketStore({ clock: new ManualClock() });
    store.take("same", user);
    expect(store.peek("same", address).remaining).toBe(100);
  });

  test("a forgotten bucket is full, and forgetting one that is not there is nothing", () => {
    const store = new MemoryBucketStore({ clock: new ManualClock() });
    store.forget("u", user);
    expect(store.count).toBe(0);
    for (let i = 0; i < 10; i++) store.take("u", user);
    store.forget("u", user);
    expect(store.peek("u", user)).toMatchObject({ allowed: true, remaining: 10 });
  });

  test(`more than ${wantsMax} at once is our own mistake`, () => {
    const store = new MemoryBucketStore({ clock: new ManualClock() });
    const wants = Array.from({ length: wantsMax + 1 }, (_, index) => ({ key: `k${index}`, policy: user }));
    expect(() => store.takeAll(wants)).toThrow(InvariantError);
  });
});

describe("S4.54 a flood of fresh keys", () => {
  const countMax = 100;

  test("never makes the store hold more than its limit, and leaves a limited key limited", () => {
    const clock = new ManualClock();
    const store = new MemoryBucketStore({ clock, countMax });
    while (store.take("limited", address).allowed);
    for (let i = 0; i < 10_000; i++) {
      store.take(`fresh-${i}`, address);
      expect(store.count).toBeLessThanOrEqual(countMax);
    }
    expect(store.take("limited", address).allowed).toBe(false);
    // Time, and nothing else, gives it its tokens back.
    clock.advance(60);
    expect(store.take("limited", address).allowed).toBe(true);
    expect(store.take("limited", address).allowed).toBe(false);
  });

  test("leaves it limited while it is used between them, and while the fresh ones take several tokens each", () => {
    const store = new MemoryBucketStore({ clock: new ManualClock(), countMax });
    while (store.take("limited", address).allowed);
    const random = seededRandom(3n);
    for (let i = 0; i < 5_000; i++) {
      const count = 1 + Math.floor(random.unit() * 98);
      for (let j = 0; j < count; j++) store.take(`fresh-${i}`, address);
      if (i % 7 === 0) expect(store.take("limited", address).allowed).toBe(false);
    }
    expect(store.take("limited", address).allowed).toBe(false);
    expect(store.count).toBe(countMax);
  });

  test("forgets whoever is nearest to full, by what it owes now and not by when it came", () => {
    const store = new MemoryBucketStore({ clock: new ManualClock(), countMax: 3 });
    const owe = (key: string, count: number) => {
      for (let i = 0; i < count; i++) store.take(key, address);
    };
    owe("first", 1);
    owe("second", 2);
    owe("third", 3);
    owe("first", 9);
    owe("new", 5);
    const left = ["first", "second", "third", "new"].map((key) => store.peek(key, address).remaining);
    expect(left).toEqual([90, 100, 97, 95]);
  });

  test("does not touch the keys of another policy", () => {
    const store = new MemoryBucketStore({ clock: new ManualClock(), countMax });
    store.take("u", user);
    for (let i = 0; i < 1_000; i++) store.take(`fresh-${i}`, address);
    expect(store.peek("u", user).remaining).toBe(9);
  });

  test("is forgotten as fast as it is paid back", () => {
    const clock = new ManualClock();
    const store = new MemoryBucketStore({ clock });
    for (let i = 0; i < 5_000; i++) store.take(`fresh-${i}`, address);
    expect(store.count).toBe(5_000);
    clock.advance(60);
    for (let i = 0; i < 5_000; i++) store.take(`later-${i}`, address);
    expect(store.count).toBe(5_000);
    clock.advance(60);
    for (let i = 0; i < 2_500; i++) store.take(`last-${i}`, address);
    expect(store.count).toBe(2_500);
  });

  test("agrees with a plain sorted list about who stays, for any sequence", () => {
    const act = fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 4 }));
    const acts = fc.array(act, { minLength: 50, maxLength: 200 });
    let compared = 0;
    fc.assert(
      fc.property(acts, (list) => {
        const clock = new ManualClock(0n);
        const store = new MemoryBucketStore({ clock, countMax: 5 });
        const kept = new Map<number, { bucket: ExactBucket; fullAt: bigint }>();
        for (const [index, [key, tenths]] of list.entries()) {
          clock.advance(tenths * 10 + (2 * index + 1) / 1000);
          const now = clock.nowMicroseconds();
          if (!kept.has(key)) {
            // Two full ones at most are cleared for a newcomer; the nearest to full where there is no room.
            for (let cleared = 0; cleared < 2; cleared++) {
              const nearest = [...kept].sort(([, a], [, b]) => Number(a.fullAt - b.fullAt))[0];
              if (nearest && (nearest[1].fullAt <= now || kept.size >= 5)) kept.delete(nearest[0]);
            }
            kept.set(key, { bucket: new ExactBucket(address), fullAt: now });
          }
          const known = kept.get(key)!;
          const decided = known.bucket.ask(now, true);
          // Within the model the debt is what it was, plus a token: 60 ms of pay.
          if (known.fullAt < now) known.fullAt = now;
          if (decided.allowed) known.fullAt += 60_000n;
          // The odd microseconds keep the moments apart; where two should meet, either may go.
          if (new Set([...kept.values()].map(({ fullAt }) => fullAt)).size !== kept.size) return;
          compared += 1;
          expect(store.take(String(key), address)).toEqual(decided);
        }
      }),
      { numRuns: 300, seed: 20_260_103 },
    );
    expect(compared).toBeGreaterThan(20_000);
  });
});
