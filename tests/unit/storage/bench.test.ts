// The storage benchmark runs, tiny, so that it cannot rot; what it measures is for `npm run bench`.

import { expect, test } from "bun:test";
import { benchGroupCommit } from "../../../bench/storage/group-commit";
import { benchRemote } from "../../../bench/storage/remote";
import { hasSqld } from "../../harness/sqld";

test("the group commit benchmark gives one figure for each count of callers, the first its own yardstick", async () => {
  const figures = await benchGroupCommit(20);
  expect(figures.map(({ callerCount }) => callerCount)).toEqual([1, 16, 64, 256]);
  expect(figures[0]).toMatchObject({ ratio: 1, writesPerGroup: 1 });
  for (const { writesPerSecond } of figures) expect(writesPerSecond).toBeGreaterThan(0);
});

test.skipIf(!hasSqld)(
  "the benchmark of a database server gives both places' figures for each count of callers",
  async () => {
    const figures = (await benchRemote(10))!;
    expect(figures.map(({ callerCount }) => callerCount)).toEqual([1, 16, 256]);
    for (const { fileWritesPerSecond, serverWritesPerSecond, ratio } of figures) {
      expect(fileWritesPerSecond).toBeGreaterThan(0);
      expect(ratio).toBe(serverWritesPerSecond / fileWritesPerSecond);
    }
  },
);
