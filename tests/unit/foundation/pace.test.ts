// How often something is done at most, who wants what, and being woken: small parts that loops are made of.

import { describe, expect, test } from "bun:test";
import { Bell } from "../../../src/foundation/bell";
import { ManualClock } from "../../../src/foundation/clock";
import { Interest } from "../../../src/foundation/interest";
import { Pace } from "../../../src/foundation/pace";
import { nextTurn } from "../../../src/foundation/turn";

describe("pace", () => {
  test("the first asking is granted at once, those that follow together when the interval is over", () => {
    const pace = new Pace(10);
    expect([pace.dueAt, pace.grant(0)]).toEqual([null, false]);
    pace.ask();
    expect([pace.isAsked, pace.grant(5), pace.grant(5)]).toEqual([true, true, false]);
    pace.ask();
    pace.ask();
    expect([pace.dueAt, pace.grant(14.9), pace.grant(15), pace.grant(99)]).toEqual([15, false, true, false]);
  });
});

describe("interest", () => {
  test("a thing is wanted until the last lets go, and only changes are told", () => {
    const interest = new Interest();
    const told: string[] = [];
    const end = interest.onChange((wanted) => told.push([...wanted].join()));
    interest.want(["a", "b"]);
    interest.want(["a"]);
    interest.unwant(["a", "b", "never"]);
    expect([interest.has("a"), interest.has("b")]).toEqual([true, false]);
    interest.unwant(["a"]);
    interest.unwant(["a"]);
    end();
    interest.want(["c"]);
    expect(told).toEqual(["a,b", "a", ""]);
  });
});

describe("bell", () => {
  test("wakes at the time, at a ring, and at once where it has rung already", async () => {
    const clock = new ManualClock();
    const bell = new Bell(clock);
    const woken: string[] = [];
    const sleep = (name: string, milliseconds: number) => bell.sleep(milliseconds).then(() => woken.push(name));
    const first = sleep("time", 10);
    clock.advance(9);
    await nextTurn();
    expect(woken).toEqual([]);
    clock.advance(1);
    await first;
    const second = sleep("ring", Number.POSITIVE_INFINITY);
    bell.ring();
    await second;
    bell.ring();
    await sleep("kept", Number.POSITIVE_INFINITY);
    expect(woken).toEqual(["time", "ring", "kept"]);
  });
});
