// What acts of one name that run at the same time learn of each other, and that nothing is kept of them afterwards.

import { expect, test } from "bun:test";
import { seededRandom } from "../../../src/foundation/random";
import { createUnderWay } from "../../../src/foundation/under-way";

test("who runs beside another learns whether that one made a thing with the same secret", async () => {
  const underWay = createUnderWay(seededRandom(1n));
  const winner = Promise.withResolvers<void>();
  const first = underWay.during("ada", "one", async (beside) => {
    beside.made("id-1");
    await winner.promise;
  });
  const seen = await Promise.all([
    underWay.during("ada", "one", async (beside) => [beside.madeWithSame("id-1"), beside.madeWithSame("id-2")]),
    underWay.during("ada", "two", async (beside) => [beside.madeWithSame("id-1")]),
    underWay.during("bob", "one", async (beside) => [beside.madeWithSame("id-1")]),
  ]);
  expect(seen).toEqual([[true, false], [false], [false]]);
  expect(underWay.count).toBe(1);
  winner.resolve();
  await first;
  expect(underWay.count).toBe(0);
  await underWay.during("ada", "one", async (beside) => expect(beside.madeWithSame("id-1")).toBe(false));
});

test("an act that fails is forgotten as well", async () => {
  const underWay = createUnderWay(seededRandom(1n));
  await expect(
    underWay.during("ada", "one", async () => {
      throw new Error("no");
    }),
  ).rejects.toThrow("no");
  expect(underWay.count).toBe(0);
});
