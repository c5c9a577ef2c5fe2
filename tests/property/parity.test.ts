// The parity fit on chains made up by the thousand: exact without noise, near with it, unmoved by a few gross errors.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { seededRandom } from "../../src/foundation/random";
import { fitParity, type ParityStrike } from "../../src/surfaces/parity";

const seed = 20_251_001;
const runs = { seed, numRuns: 300 };

const market = fc.record({
  forward: fc.double({ min: 1, max: 10_000, noNaN: true }),
  rate: fc.double({ min: -0.05, max: 0.15, noNaN: true }),
  time: fc.double({ min: 0.02, max: 5, noNaN: true }),
  count: fc.integer({ min: 8, max: 80 }),
  noiseSeed: fc.bigInt({ min: 0n, max: 2n ** 60n }),
});

type Market = typeof market extends fc.Arbitrary<infer Value> ? Value : never;

/** Strikes from 70 % to 130 % of the forward, quotes of a plausible level and width, mids off the line by `noise` widths. */
function chainOf({ forward, rate, time, count, noiseSeed }: Market, noise: number): ParityStrike[] {
  const random = seededRandom(noiseSeed);
  const discount = Math.exp(-rate * time);
  return Array.from({ length: count }, (_, index) => {
    const strike = forward * (0.7 + (0.6 * index) / (count - 1));
    const otm = forward * 0.05 * Math.exp(-8 * Math.abs(strike / forward - 1));
    const intrinsic = discount * (forward - strike);
    const quote = (mid: number) => {
      const half = mid * (0.005 + 0.02 * random.unit());
      const shifted = mid + 2 * half * noise * (random.unit() - 0.5);
      return { bid: shifted - half, ask: shifted + half };
    };
    return {
      strike,
      call: quote(otm + Math.max(intrinsic, 0)),
      put: quote(otm + Math.max(-intrinsic, 0)),
    };
  });
}

describe(`S4.47 parity on synthetic chains (seed ${seed})`, () => {
  test("without noise the forward and discount come back to 1e-11", () => {
    fc.assert(
      fc.property(market, (given) => {
        const fit = fitParity({ strikes: chainOf(given, 0), timeToExpiry: given.time });
        if (typeof fit === "string") throw new Error(fit);
        expect(Math.abs(fit.forward / given.forward - 1)).toBeLessThan(1e-11);
        expect(Math.abs(fit.discount / Math.exp(-given.rate * given.time) - 1)).toBeLessThan(1e-11);
      }),
      runs,
    );
  });

  test("with mids anywhere inside a fifth of their spread the forward stays within 0.5 %", () => {
    fc.assert(
      fc.property(market, (given) => {
        const fit = fitParity({ strikes: chainOf(given, 0.2), timeToExpiry: given.time });
        if (typeof fit === "string") throw new Error(fit);
        expect(Math.abs(fit.forward / given.forward - 1)).toBeLessThan(5e-3);
      }),
      runs,
    );
  });

  test("one strike in eight wrong by a tenth of the forward moves nothing", () => {
    fc.assert(
      fc.property(market, fc.boolean(), (given, up) => {
        const strikes = chainOf(given, 0).map((at, index) => {
          if (index % 8 !== 3) return at;
          const jump = given.forward / 10;
          const side = up ? "call" : "put";
          return { ...at, [side]: { bid: at[side].bid + jump, ask: at[side].ask + jump } };
        });
        const fit = fitParity({ strikes, timeToExpiry: given.time });
        if (typeof fit === "string") throw new Error(fit);
        expect(Math.abs(fit.forward / given.forward - 1)).toBeLessThan(1e-10);
        const wrongCount = strikes.filter((_, index) => index % 8 === 3).length;
        expect(fit.strikesUsed).toBeLessThanOrEqual(strikes.length - wrongCount);
      }),
      runs,
    );
  });

  test("among noisy quotes too, gross errors weigh nothing: the line is the one without those strikes", () => {
    fc.assert(
      fc.property(market, (given) => {
        const strikes = chainOf(given, 0.1);
        const jump = given.forward / 2;
        const wrong = strikes.map((at, index) =>
          index % 8 === 3 ? { ...at, call: { bid: at.call.bid + jump, ask: at.call.ask + jump } } : at,
        );
        const clean = fitParity({ strikes: strikes.filter((_, index) => index % 8 !== 3), timeToExpiry: given.time });
        const fit = fitParity({ strikes: wrong, timeToExpiry: given.time });
        if (typeof fit === "string" || typeof clean === "string") throw new Error("no fit");
        expect(Math.abs(fit.forward / clean.forward - 1)).toBeLessThan(2e-3);
      }),
      runs,
    );
  });

  test("the order of the strikes changes nothing beyond rounding", () => {
    fc.assert(
      fc.property(market, (given) => {
        const strikes = chainOf(given, 0.1);
        const there = fitParity({ strikes, timeToExpiry: given.time });
        const back = fitParity({ strikes: strikes.toReversed(), timeToExpiry: given.time });
        if (typeof there === "string" || typeof back === "string") throw new Error("no fit");
        expect(Math.abs(there.forward / back.forward - 1)).toBeLessThan(1e-9);
      }),
      runs,
    );
  });
});
