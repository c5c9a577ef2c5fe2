// The market's mode on a real database with a clock moved by hand: opening and closing, live to simulated and back, what outlives a restart, and
// what was so before.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { marketCalendars, simulationPolicies as settingPolicies } from "../../../../src/config/market-settings";
import { parseTimestamp } from "../../../../src/domain/day-count";
import { builtInCalendars } from "../../../../src/domain/exchange-calendars";
import { marketHours, marketNames, marketSessions } from "../../../../src/domain/market-hours";
import { modeOf, nextModeChange, simulationPolicies } from "../../../../src/features/mode/rules";
import { createMode, type MarketMode, type Mode, type SimulationPolicy } from "../../../../src/features/mode/service";
import { formatTimestamp, ManualClock } from "../../../../src/foundation/clock";
import { type IdentityFixture, openIdentity } from "../../../harness/identity";
import { recordingLog, until } from "../../../harness/storage";

const hours = marketHours(builtInCalendars());
const at = (text: string) => parseTimestamp(text) as bigint;

let fixture: IdentityFixture;
let clock: ManualClock;
let simulation: { policy: SimulationPolicy; calendar: string };
let mode: Mode;
let log: ReturnType<typeof recordingLog>;
const open = () => createMode({ storage: fixture.storage, clock, log, hours, simulation });
/** Goes to a moment, a second after which the loop has looked. */
const goTo = async (text: string) => {
  clock.advance(Number(at(text) - clock.nowMicroseconds()) / 1000);
  await mode.look();
};
const now = async () => {
  const { mode: current, since, mock, next_change: next } = await mode.state(null);
  return [current, since?.slice(0, 19), mock.state, next && `${next.mode} ${next.at.slice(0, 16)}`];
};

beforeEach(async () => {
  fixture = await openIdentity();
  // A Friday morning in New York, before anything trades.
  clock = new ManualClock(at("2026-11-20T08:00:00Z"));
  simulation = { policy: "when_closed", calendar: "new_york" };
  log = recordingLog();
  mode = open();
});
afterEach(() => fixture.close());

describe("S4.49 a market that is simulated when closed", () => {
  test("goes live with the early session, stays so into the late one, and is simulated again after it", async () => {
    const told: MarketMode[] = [];
    mode.onMode((each) => void told.push(each));
    await mode.look();
    expect(await now()).toEqual(["simulated", "2026-11-20T08:00:00", "running", "live 2026-11-20T09:00"]);
    await goTo("2026-11-20T08:59:59.999999Z");
    expect(mode.current).toBe("simulated");
    await goTo("2026-11-20T09:00:00Z");
    expect(await now()).toEqual(["live", "2026-11-20T09:00:00", "stopped", "simulated 2026-11-21T01:00"]);
    for (const moment of ["2026-11-20T14:30:00Z", "2026-11-20T21:00:00Z", "2026-11-21T00:59:59Z"]) await goTo(moment);
    expect(told).toEqual(["simulated", "live"]);
    await goTo("2026-11-21T01:00:00Z");
    expect(await now()).toEqual(["simulated", "2026-11-21T01:00:00", "running", "live 2026-11-23T09:00"]);
    expect(told).toEqual(["simulated", "live", "simulated"]);
  });

  test("on a short day is simulated from the evening of that day on", async () => {
    await goTo("2026-11-27T21:59:59Z");
    expect(mode.current).toBe("live");
    await goTo("2026-11-27T22:00:00Z");
    expect(mode.current).toBe("simulated");
  });

  test("on a day that its calendar does not know counts as closed", async () => {
    clock = new ManualClock(at("2200-06-02T15:00:00Z"));
    mode = open();
    await mode.look();
    expect(await now()).toEqual(["simulated", "2200-06-02T15:00:00", "running", null]);
  });
});

describe("S4.73 the mode", () => {
  test("has been so since before the process began, where it was so", async () => {
    await mode.look();
    clock.advance(600_000);
    mode = open();
    await mode.look();
    expect((await now())[1]).toBe("2026-11-20T08:00:00");
    // The process was away while it changed and changed back.
    await goTo("2026-11-20T09:30:00Z");
    clock.advance(86_400_000 * 2);
    mode = open();
    expect((await now()).slice(0, 2)).toEqual(["simulated", "2026-11-22T09:30:00"]);
    await mode.look();
    expect((await now()).slice(0, 2)).toEqual(["simulated", "2026-11-22T09:30:00"]);
  });

  test("was at a past moment what it was then, though the policy is another now", async () => {
    await goTo("2026-11-20T09:00:00Z");
    await goTo("2026-11-21T01:00:00Z");
    simulation.policy = "off";
    await goTo("2026-11-21T02:00:00Z");
    const then = async (text: string) => {
      const { mode: found, since, policy, mock, next_change: next } = await mode.state(at(text));
      return [found, since?.slice(0, 16) ?? null, policy, mock.state, next];
    };
    expect(await then("2026-11-21T01:59:59Z")).toEqual([
      "simulated",
      "2026-11-21T01:00",
      "when_closed",
      "running",
      null,
    ]);
    expect(await then("2026-11-20T15:00:00Z")).toEqual(["live", "2026-11-20T09:00", "when_closed", "stopped", null]);
    expect(await then("2026-11-21T02:00:00Z")).toEqual(["closed", "2026-11-21T02:00", "off", "stopped", null]);
    expect(await then("2026-11-20T08:59:59Z")).toEqual([null, null, null, "stopped", null]);
    const { calendars } = await mode.state(at("2026-11-20T15:00:00Z"));
    expect(calendars.map(({ calendar, session }) => `${calendar} ${session}`)).toEqual([
      "cboe open",
      "deribit open",
      "new_york open",
      "nse closed",
    ]);
    expect(calendars[3]).toEqual({
      calendar: "nse",
      session: "closed",
      since: "2026-11-20T10:30:00.000000Z",
      next: { at: "2026-11-23T03:30:00.000000Z", session: "pre" },
      holidays_known: false,
    });
  });

  test("is one for two processes on a database, whichever looked first", async () => {
    const other = open();
    await mode.look();
    clock.advance(500);
    await other.look();
    expect((await other.state(null)).since).toBe((await mode.state(null)).since);
  });

  test("changes in order though the clock is set back", async () => {
    await goTo("2026-11-20T09:00:00Z");
    clock = new ManualClock(at("2026-11-20T08:30:00Z"));
    mode = open();
    await mode.look();
    expect((await now()).slice(0, 2)).toEqual(["simulated", "2026-11-20T09:00:00"]);
  });

  test("follows its policy at the next look of the loop", async () => {
    const told: MarketMode[] = [];
    mode.onMode((each) => void told.push(each));
    const [agent] = mode.agents;
    agent!.start();
    await until("it was told", () => told.length === 1);
    simulation.policy = "off";
    await until("it is told again", () => {
      clock.advance(1_000);
      return told.length === 2;
    });
    await agent!.stop();
    expect(told).toEqual(["simulated", "closed"]);
  });
});

describe("S4.49 who is told of the mode", () => {
  test("and fails is told again at each look, and the simulated market counts as failed until then", async () => {
    let failures = 2;
    const told: MarketMode[] = [];
    mode.onMode(async (each) => {
      failures -= 1;
      if (failures >= 0) throw new Error("not now");
      told.push(each);
    });
    let others = 0;
    mode.onMode(() => void others++);
    await mode.look();
    const { mock } = await mode.state(null);
    expect(mock).toEqual({ state: "failed", since: "2026-11-20T08:00:00.000000Z" });
    clock.advance(1_000);
    await mode.look();
    expect((await mode.state(null)).mock).toEqual({ state: "failed", since: "2026-11-20T08:00:00.000000Z" });
    clock.advance(1_000);
    await mode.look();
    expect(told).toEqual(["simulated"]);
    expect(others).toBe(1);
    expect((await mode.state(null)).mock.state).toBe("running");
    expect(log.lines.filter(({ level }) => level === "warn")).toHaveLength(2);
  });

  test("and leaves is told nothing more", async () => {
    let count = 0;
    const stop = mode.onMode(() => void count++);
    await mode.look();
    stop();
    await goTo("2026-11-20T09:00:00Z");
    expect(count).toBe(1);
  });
});

describe("S4.49 the mode by policy and session", () => {
  const wanted: Readonly<Record<SimulationPolicy, readonly MarketMode[]>> = {
    off: ["closed", "live", "live", "live"],
    when_closed: ["simulated", "live", "live", "live"],
    always: ["simulated", "simulated", "simulated", "simulated"],
  };
  for (const policy of simulationPolicies)
    test(policy, () => expect(marketSessions.map((session) => modeOf(policy, session))).toEqual([...wanted[policy]]));

  test("never changes where the policy or the market never does", () => {
    const moment = at("2026-11-20T15:00:00Z");
    expect(nextModeChange("always", hours.get("new_york")!, moment)).toBeNull();
    expect(nextModeChange("when_closed", hours.get("deribit")!, moment)).toBeNull();
    const next = nextModeChange("off", hours.get("cboe")!, moment)!;
    expect([formatTimestamp(next.at), next.mode]).toEqual(["2026-11-20T22:00:00.000000Z", "closed"]);
  });

  test("the settings' words are the rules', and their calendars those whose hours are known", () => {
    expect([...settingPolicies]).toEqual([...simulationPolicies]);
    expect([...marketCalendars]).toEqual([...marketNames]);
  });
});
