// How entries lie in a block, and which blocks and checkpoints are merged or go.

import { describe, expect, test } from "bun:test";
import {
  type BlockHead,
  blockBytesMax,
  type CheckpointHead,
  compactionRuns,
  packSegments,
  thinnedCheckpoints,
  unpackSegments,
} from "../../../../src/features/archive/rules";

const segment = (count: number, text: string) => ({
  count,
  firstAt: BigInt(count),
  lastAt: 2n ** 62n,
  bytes: new TextEncoder().encode(text),
});

describe("segments", () => {
  test.each([[[]], [[segment(1, "")]], [[segment(3, "abc"), segment(1, ""), segment(2 ** 31, "z".repeat(999))]]])(
    "come out as they went in: %#",
    (segments) => {
      expect(unpackSegments(packSegments(segments))).toEqual(segments);
    },
  );

  test.each([1, 23, 24, 26])("a block cut off after %d bytes is refused", (length) => {
    const packed = packSegments([segment(3, "abc"), segment(1, "d")]);
    expect(() => unpackSegments(packed.subarray(0, length))).toThrow("a block ends inside");
  });
});

const head = (firstSequence: number, lastSequence: number, plainBytes = 100, form = 0): BlockHead => ({
  ...{ firstSequence, lastSequence, plainBytes, form },
});
const numbersOf = (runs: BlockHead[][]) => runs.map((run) => run.map(({ firstSequence }) => firstSequence));

describe("S4.36 which blocks are made one", () => {
  const rows: { name: string; blocks: BlockHead[]; runs: number[][] }[] = [
    { name: "none", blocks: [], runs: [] },
    { name: "neighbours", blocks: [head(1, 5), head(6, 6), head(7, 9)], runs: [[1, 6, 7]] },
    { name: "not over a hole", blocks: [head(1, 5), head(7, 9)], runs: [[1], [7]] },
    { name: "one alone, to compress it", blocks: [head(1, 5)], runs: [[1]] },
    { name: "not one that is compressed already", blocks: [head(1, 5, 100, 1)], runs: [] },
    { name: "a compressed one takes in what follows", blocks: [head(1, 5, 100, 1), head(6, 7)], runs: [[1, 6]] },
    {
      name: "up to the size, and the next run from there",
      blocks: [head(1, 1, blockBytesMax - 100), head(2, 2, 100), head(3, 3, 1), head(4, 4, 1)],
      runs: [
        [1, 2],
        [3, 4],
      ],
    },
    { name: "a full one stays", blocks: [head(1, 1, blockBytesMax, 1), head(2, 2)], runs: [[2]] },
  ];
  test.each(rows)("$name", ({ blocks, runs }) => {
    expect(numbersOf(compactionRuns(blocks))).toEqual(runs);
  });
});

describe("S4.36 which checkpoints go", () => {
  const minute = 60_000_000n;
  const at = (sequence: number, minutes: bigint, more: Partial<CheckpointHead> = {}): CheckpointHead => ({
    ...{ sequence, at: minutes * minute, gapFrom: null, isStart: false },
    ...more,
  });
  test("the first of each hour stays, and what ends a gap or begins a book", () => {
    const heads = [
      at(1, 0n, { isStart: true }),
      at(2, 10n),
      at(3, 20n, { gapFrom: 1n }),
      at(4, 59n),
      at(5, 60n),
      at(6, 61n),
      at(7, 62n, { isStart: true }),
      at(8, 240n),
    ];
    expect(thinnedCheckpoints(heads)).toEqual([2, 4, 6]);
    expect(thinnedCheckpoints([])).toEqual([]);
  });
});
