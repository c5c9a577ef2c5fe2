// Whatever the forward does, a ladder does not go to and fro for a tremble, holds what its rule says, and tells exactly what changed.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type LadderOption,
  type LadderRule,
  type LadderState,
  type LadderView,
  listingOf,
  moveLadder,
} from "../../src/domain/strike-ladder";

const seed = 20_261_122;
const start = 1_767_225_600_000_000n;
const expiry = start + 30n * 86_400_000_000n;

const grid = fc
  .uniqueArray(fc.integer({ min: 20, max: 400 }), { minLength: 1, maxLength: 60 })
  .map((halves) => halves.map((half) => half / 2).sort((one, other) => one - other));
const strikes: fc.Arbitrary<LadderRule["strikes"]> = fc.oneof(
  fc.record({ kind: fc.constant("atm" as const), count: fc.integer({ min: 0, max: 8 }) }),
  fc.record({ kind: fc.constant("percent" as const), percent: fc.integer({ min: 1, max: 40 }) }),
);
const ladder = fc.record({
  strikes,
  expiries: fc.constant({ kind: "nearest", count: 1 } as const),
  side: fc.constantFrom("both", "calls", "puts", "out_of_the_money", "in_the_money"),
  hysteresis: fc.double({ min: 0.02, max: 0.5, noNaN: true }),
  restMicroseconds: fc.constantFrom(0n, 1_000_000n),
}) as fc.Arbitrary<LadderRule>;

const listed = (strikesOf: readonly number[]): LadderOption[] =>
  strikesOf.flatMap((strike) =>
    (["call", "put"] as const).map((optionType) => ({ symbol: `${strike}${optionType}`, expiry, strike, optionType })),
  );
const viewOf = (options: readonly LadderOption[], forward: number | null): LadderView => ({
  listing: listingOf(options),
  forwardOf: () => forward,
  deltaOf: () => null,
});

describe("S4.29 a ladder", () => {
  test("does not move for a forward that trembles by less than the hysteresis around anywhere", () => {
    fc.assert(
      fc.property(
        grid,
        ladder,
        fc.double({ min: 10, max: 200, noNaN: true }),
        fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 2, maxLength: 40 }),
        (strikesOf, rule, middle, trembles) => {
          const options = listed(strikesOf);
          const gaps = strikesOf.slice(1).map((strike, index) => strike - strikesOf[index]!);
          // Half of the hysteresis to each side: from one end to the other is less than it takes.
          const width = 0.49 * rule.hysteresis * (gaps.length > 0 ? Math.min(...gaps) : 1);
          let state: LadderState | null = null;
          let moveCount = 0;
          trembles.forEach((tremble, index) => {
            const at = start + BigInt(index) * 2_000_000n;
            const move = moveLadder(rule, viewOf(options, middle + tremble * width), state, at);
            if (state !== null && (move.added.length > 0 || move.removed.length > 0)) moveCount += 1;
            ({ state } = move);
          });
          // A place may be left once, towards where the forward now is; never for coming back.
          expect(moveCount).toBeLessThanOrEqual(strikesOf.length > 1 ? 1 : 0);
        },
      ),
      { seed, numRuns: 500 },
    );
  });

  test("holds exactly what its rule says of its centre, which is never far from the forward once rested", () => {
    fc.assert(
      fc.property(
        grid,
        ladder,
        fc.array(fc.double({ min: 5, max: 250, noNaN: true }), { minLength: 1, maxLength: 30 }),
        (strikesOf, rule, forwards) => {
          const options = listed(strikesOf);
          let state: LadderState | null = null;
          let held = new Set<string>();
          forwards.forEach((forward, index) => {
            const at = start + BigInt(index) * 2_000_000n;
            const move = moveLadder(rule, viewOf(options, forward), state, at);
            const { centre } = move.state[0]!;
            const inRange = strikesOf.filter((strike) =>
              rule.strikes.kind === "atm"
                ? Math.abs(strikesOf.indexOf(strike) - strikesOf.indexOf(centre!)) <= rule.strikes.count
                : Math.abs(strike / centre! - 1) * 100 <= (rule.strikes as { percent: number }).percent + 1e-9,
            );
            for (const { symbol, strike, optionType } of options) {
              const isCall = optionType === "call";
              const isWanted = {
                both: true,
                calls: isCall,
                puts: !isCall,
                out_of_the_money: isCall ? strike >= centre! : strike <= centre!,
                in_the_money: isCall ? strike <= centre! : strike >= centre!,
              }[rule.side];
              expect(move.symbols.has(symbol)).toBe(isWanted && inRange.includes(strike));
            }
            if (rule.strikes.kind === "atm") {
              // Another strike may be nearer, but not by more than the hysteresis around the midpoint allows.
              const nearest = Math.min(...strikesOf.map((strike) => Math.abs(strike - forward)));
              const place = strikesOf.indexOf(centre!);
              const neighbour = strikesOf[place + (forward > centre! ? 1 : -1)];
              const reach = neighbour === undefined ? 0 : Math.abs(neighbour - centre!) * (0.5 + rule.hysteresis);
              expect(Math.abs(centre! - forward)).toBeLessThanOrEqual(Math.max(nearest, reach) + 1e-9);
            }
            for (const symbol of move.removed) held.delete(symbol);
            for (const symbol of move.added) {
              expect(held.has(symbol)).toBe(false);
              held.add(symbol);
            }
            expect(held).toEqual(new Set(move.symbols));
            held = new Set(move.symbols);
            ({ state } = move);
          });
        },
      ),
      { seed, numRuns: 300 },
    );
  });
});
