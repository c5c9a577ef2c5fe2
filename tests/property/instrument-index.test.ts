// The index of instruments against a plain list: whatever is put in and taken out, it finds what the list has.

import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Instrument } from "../../src/domain/instrument";
import { InstrumentIndex } from "../../src/domain/instrument-index";

const base = {
  ...{ style: null, settlement: null, multiplier: 1, tickSize: null, currency: "USD", calendar: "cboe", root: "R" },
} as const;

const instrument: fc.Arbitrary<Instrument> = fc
  .record({
    name: fc.integer({ min: 0, max: 12 }),
    underlying: fc.constantFrom("A", "B", "C"),
    expiry: fc.constantFrom(null, 10n, 20n, 30n),
    strike: fc.constantFrom(null, 1, 2, 3),
    optionType: fc.constantFrom("call" as const, "put" as const),
    isUnderlying: fc.boolean(),
  })
  .map(({ name, underlying, expiry, strike, optionType, isUnderlying }) =>
    isUnderlying
      ? { ...base, symbol: underlying, kind: "underlying", underlying, expiry: null, strike: null, optionType: null }
      : { ...base, symbol: `O${name}`, kind: "option", underlying, expiry, strike, optionType },
  );

const steps = fc.array(
  fc.oneof(
    instrument.map((put) => ({ put })),
    fc.constantFrom("A", "B", "O0", "O1", "O2", "O3", "O4", "O5").map((drop) => ({ drop })),
  ),
  { maxLength: 60 },
);

test("S4.39 an index finds what a plain list finds, after any puts and deletes", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const index = new InstrumentIndex<{ instrument: Instrument }>();
      const list = new Map<string, Instrument>();
      for (const step of all) {
        if ("put" in step) {
          index.set({ instrument: step.put });
          list.set(step.put.symbol, step.put);
        } else {
          expect(index.delete(step.drop)).toEqual(list.get(step.drop) as Instrument);
          list.delete(step.drop);
        }
        // Asked at each step, so that an order that is kept too long shows.
        const held = [...list.values()];
        expect(index.size).toBe(held.length);
        expect(index.underlyings()).toEqual([...new Set(held.map(({ underlying }) => underlying))].sort());
        for (const name of ["A", "B", "C"]) {
          const found = index.ofUnderlying(name);
          const wanted = held.filter(({ underlying, symbol }) => underlying === name && symbol !== name);
          expect(new Set(found)).toEqual(new Set(wanted));
          const keys = found.map(({ expiry, strike, optionType, symbol }) =>
            [String(expiry ?? 0n).padStart(2, "0"), strike ?? 0, optionType, symbol].join(" "),
          );
          expect(keys).toEqual([...keys].sort());
        }
        const expired = index.expiredBy(20n).sort();
        expect(expired).toEqual(
          held
            .filter(({ expiry }) => expiry !== null && expiry <= 20n)
            .map((one) => one.symbol)
            .sort(),
        );
      }
    }),
    { seed: 48, numRuns: 300 },
  );
});
