// What is written a little later: when, how many at a time, and what becomes of it when it cannot be written.

import { describe, expect, test } from "bun:test";
import { Backlog } from "../../../src/foundation/backlog";
import { ManualClock } from "../../../src/foundation/clock";

const settled = () => new Promise((resolve) => setImmediate(resolve));

function opened({ countMax = 100, perWriteMax = 3 } = {}) {
  const clock = new ManualClock();
  const written: (readonly number[])[] = [];
  const lost: number[] = [];
  let isDown = false;
  const backlog = new Backlog<number>({
    clock,
    countMax,
    perWriteMax,
    restMilliseconds: 250,
    async write(items) {
      await settled();
      if (isDown) throw new Error("down");
      written.push(items);
    },
    onFailure: (_, lostCount) => lost.push(lostCount),
  });
  const setDown = (value: boolean) => {
    isDown = value;
  };
  const push = (...items: number[]) => items.map((item) => backlog.push(item));
  const turns = async () => {
    for (let turn = 0; turn < 20; turn++) await settled();
  };
  return { clock, written, lost, backlog, push, setDown, turns };
}

describe("S2.32 a backlog", () => {
  test("writes the first at once, and those of the next quarter of a second together, in order", async () => {
    const { clock, written, push, turns } = opened();
    push(1);
    await turns();
    expect(written).toEqual([[1]]);
    push(2);
    clock.advance(200);
    push(3);
    await turns();
    expect(written).toEqual([[1]]);
    clock.advance(50);
    await turns();
    expect(written).toEqual([[1], [2, 3]]);
    clock.advance(251);
    push(4);
    await turns();
    expect(written).toEqual([[1], [2, 3], [4]]);
  });

  test("writes no more at once than it may, without a rest between", async () => {
    const { clock, written, push, turns } = opened();
    push(1);
    await turns();
    push(2, 3, 4, 5, 6, 7, 8);
    clock.advance(250);
    await turns();
    expect(written).toEqual([[1], [2, 3, 4], [5, 6, 7], [8]]);
  });

  test("writes everything without resting when it is flushed, and rests again after", async () => {
    const { backlog, clock, written, push, turns } = opened();
    push(1);
    await turns();
    push(2, 3);
    await backlog.flush();
    expect(written).toEqual([[1], [2, 3]]);
    expect(backlog.count).toBe(0);
    push(4);
    await turns();
    expect(written.length).toBe(2);
    clock.advance(250);
    await turns();
    expect(written.at(-1)).toEqual([4]);
    await backlog.flush();
    expect(written.length).toBe(3);
  });

  test("keeps what could not be written for the next try, and says how many found no place", async () => {
    const { backlog, written, lost, push, setDown } = opened({ countMax: 4, perWriteMax: 2 });
    setDown(true);
    // The first is on its way when the others come.
    expect(push(1, 2)).toEqual([true, true]);
    const flushing = backlog.flush();
    expect(push(3, 4, 5, 6)).toEqual([true, true, true, false]);
    await flushing;
    expect(lost).toEqual([1]);
    expect(backlog.count).toBe(4);
    setDown(false);
    await backlog.flush();
    expect(written.flat().length).toBe(4);
    expect(backlog.count).toBe(0);
  });
});
