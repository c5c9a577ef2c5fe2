// What accounts want, what upstream is asked for because of it, and what is said of the difference.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  begin,
  day,
  firstExpiry,
  openSubscriptions,
  type SubscriptionsFixture,
  secondExpiry,
  symbolOf,
} from "../../../harness/subscriptions";

let fixture: SubscriptionsFixture;
let ada: string;
let bob: string;
beforeEach(async () => {
  fixture = await openSubscriptions();
  ada = await fixture.userNamed("ada");
  bob = await fixture.userNamed("bob");
});
afterEach(() => fixture.close());

const symbols = (userId: string, names: string[], account?: string) =>
  fixture.subscriptions.subscribe({
    userId,
    asked: { symbols: names, ...(account !== undefined && { account_id: account }) },
  });
const ladder = (userId: string, rule: object, account?: string) =>
  fixture.subscriptions.subscribe({
    userId,
    asked: {
      underlying: "SPX",
      ladder: { rest_seconds: 0, ...rule },
      ...(account !== undefined && { account_id: account }),
    },
  });
const atThe = (...strikes: number[]) =>
  strikes.flatMap((strike) => [symbolOf("SPX", firstExpiry, strike, "C"), symbolOf("SPX", firstExpiry, strike, "P")]);
const get = (userId: string, id: string) => fixture.subscriptions.get({ userId, id });

describe("S4.28 what upstream is asked for", () => {
  test("is the union of what all accounts want, each symbol once, and nothing twice while nothing changes", async () => {
    await symbols(ada, ["AAA", "BBB"]);
    await symbols(ada, ["BBB"], "second");
    await symbols(bob, ["CCC", "BBB"]);
    await fixture.round();
    await fixture.round();
    expect(fixture.upstream.asked).toEqual([["AAA", "BBB", "CCC"]]);
    expect(fixture.subscriptions.statistics()).toMatchObject({
      activeAccountCount: 3,
      subscriptionCount: 3,
      wantedCount: 3,
      missingCount: 0,
      orphanCount: 0,
    });
  });

  test("S4.40 keeps what somebody else still wants, and lets go of what nobody does", async () => {
    const first = await symbols(ada, ["AAA", "BBB"]);
    await symbols(bob, ["BBB"]);
    await fixture.round();
    await fixture.subscriptions.unsubscribe({ userId: ada, id: first.id });
    await fixture.round();
    expect(fixture.upstream.last).toEqual(["BBB"]);
  });

  test("is asked again with longer and longer pauses where some is not confirmed, and at once where more is wanted", async () => {
    fixture.upstream.refused.add("AAA");
    await symbols(ada, ["AAA", "BBB"]);
    const asked: number[] = [];
    for (let second = 0; second < 120; second++) {
      const before = fixture.upstream.asked.length;
      await fixture.round();
      if (fixture.upstream.asked.length > before) asked.push(second);
      fixture.people.clock.advance(1_000);
    }
    expect(asked.length).toBeGreaterThanOrEqual(5);
    expect(asked.length).toBeLessThanOrEqual(8);
    const pauses = asked.slice(1).map((second, index) => second - asked[index]!);
    expect(pauses.at(-1)!).toBeGreaterThan(pauses[0]! * 4);
    const count = fixture.upstream.asked.length;
    await symbols(ada, ["DDD"]);
    await fixture.round();
    expect(fixture.upstream.asked.length).toBe(count + 1);
    fixture.upstream.refused.clear();
    fixture.people.clock.advance(120_000);
    await fixture.round();
    await fixture.round();
    expect(fixture.subscriptions.statistics().missingCount).toBe(0);
  });

  test("is asked again where upstream still sends what nobody wants", async () => {
    await symbols(ada, ["AAA"]);
    fixture.upstream.stuck.add("ORPHAN");
    await fixture.round();
    fixture.people.clock.advance(3_000);
    await fixture.round();
    expect(fixture.subscriptions.statistics().orphanCount).toBe(1);
    expect(fixture.upstream.asked).toEqual([["AAA"], ["AAA"]]);
    fixture.upstream.stuck.clear();
    fixture.people.clock.advance(60_000);
    await fixture.round();
    expect(fixture.upstream.asked.length).toBe(2);
    expect(fixture.subscriptions.statistics().orphanCount).toBe(0);
  });

  test("is the same after a restart, from the database alone", async () => {
    fixture.market.forwards.set("SPX", 101);
    await symbols(ada, ["AAA"]);
    await ladder(bob, { atm: 0, nearest: 1 });
    await fixture.round();
    const { upstream, round } = fixture.another();
    await round();
    expect(upstream.last).toEqual(fixture.upstream.last);
    expect(upstream.last).toEqual(["AAA", ...atThe(100), "SPX"].sort());
  });

  test("follows what another process wrote once the database's watch says so", async () => {
    const { upstream, round } = fixture.another();
    await symbols(ada, ["AAA"]);
    await fixture.round();
    await round();
    expect(upstream.last).toEqual(["AAA"]);
    const { id } = await symbols(ada, ["BBB"]);
    await round();
    expect(upstream.last).toEqual(["AAA"]);
    fixture.people.tellForeignWrite();
    await round();
    expect(upstream.last).toEqual(["AAA", "BBB"]);
    await fixture.subscriptions.unsubscribe({ userId: ada, id });
    // Also where the watch has missed it.
    fixture.people.clock.advance(60_000);
    await round();
    expect(upstream.last).toEqual(["AAA"]);
  });

  test("is nothing in a process that does not lead, from the moment it leads no more", async () => {
    let isLeading = false;
    const { subscriptions, upstream, round } = fixture.another({ isLeading: () => isLeading });
    const { id } = await symbols(ada, ["AAA"]);
    await round();
    expect(upstream.asked).toEqual([]);
    expect(await subscriptions.get({ userId: ada, id })).toMatchObject({
      status: "waiting",
      reasons: ["not_followed_here"],
    });
    isLeading = true;
    await round();
    expect(upstream.last).toEqual(["AAA"]);
    isLeading = false;
    await round();
    await round();
    expect(upstream.asked).toEqual([["AAA"], []]);
    expect(subscriptions.statistics()).toMatchObject({ activeAccountCount: 0, wantedCount: 0 });
  });

  test("holds with more subscriptions than one read brings", async () => {
    const { storage } = fixture.people;
    const { insertRow } = await import("../../../../src/features/subscriptions/repository");
    await storage.write(async (tx) => {
      for (let index = 0; index < 1_201; index++) {
        const definition = JSON.stringify({ kind: "symbols", symbols: [`S${index}`] });
        const id = `019a9f3c-5d1e-7c55-a3f1-${index.toString(16).padStart(12, "0")}`;
        const row = {
          id,
          userId: ada,
          accountId: `a${index % 7}`,
          kind: "symbols" as const,
          underlying: null,
          definition,
        };
        await insertRow(tx, { ...row, fingerprint: String(index), createdAt: begin });
      }
    });
    await fixture.round();
    expect(fixture.upstream.last.length).toBe(1_201);
    expect(fixture.subscriptions.statistics().activeAccountCount).toBe(7);
  });
});

describe("S4.29 a ladder that is subscribed", () => {
  test("waits for a forward, then stands for its strikes and what it is on, and moves with the forward", async () => {
    const { id } = await ladder(ada, { atm: 1, nearest: 1, side: "out_of_the_money" });
    await fixture.round();
    expect(fixture.upstream.last).toEqual(["SPX"]);
    expect(await get(ada, id)).toMatchObject({ status: "waiting", wanted_count: 0, reasons: ["no_forward"] });
    fixture.market.forwards.set("SPX", 100);
    await fixture.round();
    expect(await get(ada, id)).toMatchObject({ status: "active", wanted_count: 4, confirmed_count: 4, reasons: [] });
    const [put95] = [symbolOf("SPX", firstExpiry, 95, "P")];
    expect(fixture.upstream.last).toContain(put95);
    fixture.market.forwards.set("SPX", 105);
    fixture.people.clock.advance(1_000);
    await fixture.round();
    expect(fixture.upstream.last).not.toContain(put95);
    expect((await get(ada, id)).wanted_symbols).toContain(symbolOf("SPX", firstExpiry, 110, "C"));
    expect(fixture.subscriptions.statistics().moveCount).toBe(2);
  });

  test("S4.28 rolls at expiry: the old contracts are dropped, the next expiry's asked for", async () => {
    fixture.market.forwards.set("SPX", 100);
    await ladder(ada, { atm: 0, nearest: 1 });
    await fixture.round();
    expect(fixture.upstream.last).toEqual([...atThe(100), "SPX"].sort());
    fixture.people.clock.advance(Number((firstExpiry - begin) / 1000n));
    await fixture.round();
    const next = ["C", "P"].map((side) => symbolOf("SPX", secondExpiry, 100, side as "C"));
    expect(fixture.upstream.last).toEqual([...next, "SPX"].sort());
  });

  test("over dates that have passed, and symbols that have expired, are expired and want nothing", async () => {
    fixture.market.forwards.set("SPX", 100);
    const dated = await ladder(ada, { strikes: [100], dates: ["2025-06-20"] });
    const named = await symbols(ada, atThe(95));
    const half = await symbols(ada, [...atThe(95), "AAA"]);
    await fixture.round();
    expect((await get(ada, dated.id)).status).toBe("active");
    fixture.people.clock.advance(Number((firstExpiry + day - begin) / 1000n));
    await fixture.round();
    expect((await get(ada, dated.id)).status).toBe("expired");
    expect((await get(ada, named.id)).status).toBe("expired");
    expect(await get(ada, half.id)).toMatchObject({ status: "active", wanted_count: 1 });
    expect(fixture.upstream.last).toEqual(["AAA"]);
    expect(fixture.subscriptions.statistics().activeAccountCount).toBe(1);
  });

  test("is told apart as partial by what is not confirmed, with some of it named", async () => {
    fixture.market.forwards.set("SPX", 100);
    fixture.upstream.refused.add(symbolOf("SPX", firstExpiry, 100, "C"));
    const { id } = await ladder(ada, { atm: 1, nearest: 1 });
    await fixture.round();
    expect(await get(ada, id)).toMatchObject({
      status: "partial",
      wanted_count: 6,
      confirmed_count: 5,
      reasons: ["not_confirmed"],
      missing: [symbolOf("SPX", firstExpiry, 100, "C")],
    });
  });

  test("on something of which nothing is listed says so", async () => {
    const { id } = await fixture.subscriptions.subscribe({
      userId: ada,
      asked: { underlying: "NONE", ladder: { atm: 1, nearest: 1 } },
    });
    await fixture.round();
    expect(await get(ada, id)).toMatchObject({ status: "waiting", reasons: ["nothing_listed"] });
  });
});

describe("S4.27 a subscription", () => {
  test("asked for again in the same account is the one that is there, in another account another", async () => {
    const first = await symbols(ada, ["BBB", "AAA", "AAA"]);
    expect(first.symbols).toEqual(["AAA", "BBB"]);
    const again = await symbols(ada, ["AAA", "BBB"]);
    expect(again.id).toBe(first.id);
    const other = await symbols(ada, ["AAA", "BBB"], "second");
    expect(other.id).not.toBe(first.id);
    const theirs = await symbols(bob, ["AAA", "BBB"]);
    expect(theirs.id).not.toBe(first.id);
    const one = await ladder(ada, { atm: 2, nearest: 1 });
    const same = await ladder(ada, { nearest: 1, atm: 2, side: "both", hysteresis: 0.1 });
    expect(same.id).toBe(one.id);
    expect(one.ladder).toEqual({ atm: 2, nearest: 1, side: "both", hysteresis: 0.1, rest_seconds: 0 });
  });

  test("of another user is not there: neither to look at, nor to end, nor on a list", async () => {
    const { id } = await symbols(ada, ["AAA"]);
    const notFound = { code: "SUBSCRIPTION_NOT_FOUND", reason: "not-found" };
    await expect(get(bob, id)).rejects.toMatchObject(notFound);
    await expect(fixture.subscriptions.unsubscribe({ userId: bob, id })).rejects.toMatchObject(notFound);
    expect((await fixture.subscriptions.list({ userId: bob, limit: 10 })).data).toEqual([]);
    expect((await get(ada, id)).id).toBe(id);
  });

  test("past a user's number of them is refused, another user's is not counted", async () => {
    await fixture.close();
    fixture = await openSubscriptions({ perUserMax: 2 });
    ada = await fixture.userNamed("ada");
    bob = await fixture.userNamed("bob");
    const first = await symbols(ada, ["AAA"]);
    await symbols(ada, ["BBB"], "second");
    await expect(symbols(ada, ["CCC"])).rejects.toMatchObject({ code: "SUBSCRIPTION_COUNT_LIMIT" });
    expect((await symbols(ada, ["AAA"])).id).toBe(first.id);
    await symbols(bob, ["AAA"]);
    await fixture.subscriptions.unsubscribe({ userId: ada, id: first.id });
    await symbols(ada, ["CCC"]);
  });

  test("is recorded in the audit log when it is made and when it is ended, and not when it is there already", async () => {
    const { id } = await symbols(ada, ["AAA"]);
    await symbols(ada, ["AAA"]);
    await fixture.subscriptions.unsubscribe({ userId: ada, id });
    const { data } = await fixture.people.audit.list({
      filter: { eventTypes: [], userId: null, status: null, from: null, to: null },
      limit: 10,
    });
    const own = data.filter(({ resource }) => resource === `subscriptions/${id}`);
    expect(own.map(({ event_type }) => event_type).sort()).toEqual([
      "market.subscription.created",
      "market.subscription.deleted",
    ]);
  });
});
