// What mode the market is in. Looks each second at the clock, the calendars and the policy; what changes is told at once and written down, so
// that "since when" outlives the process and a past moment's mode can be told. It decides nothing but that: who feeds quotes is told through a listener.

import { type MarketHours, type SessionAt, sessionAt } from "../../domain/market-hours";
import { Agent } from "../../foundation/agent";
import { type Clock, type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import type { Log } from "../../foundation/log";
import type { Storage } from "../../storage/storage";
import type { CalendarState, ModeAnswer } from "./model";
import { insertChange, lastChange } from "./repository";
import { type MarketMode, modeOf, nextModeChange, type SimulationPolicy } from "./rules";

export type { MarketMode, SimulationPolicy } from "./rules";

/** What the simulated market does: it runs, it stands still, or it was to start and could not. */
export type SimulationState = "running" | "stopped" | "failed";

export interface ModeOptions {
  readonly storage: Pick<Storage, "write" | "read">;
  readonly clock: Clock;
  readonly log: Log;
  /** By calendar. */
  readonly hours: ReadonlyMap<string, MarketHours>;
  /** Read at each look: it may change. The calendar is one of `hours`. */
  readonly simulation: { readonly policy: SimulationPolicy; readonly calendar: string };
}

export interface Mode {
  readonly current: MarketMode;
  /**
   * Told of each change, and of the present mode at the first look after it is registered. Where a listener throws or rejects, the simulated
   * market counts as failed and it is told again at the next look. Returns the way to stop.
   */
  onMode(listener: (mode: MarketMode) => void | Promise<void>): () => void;
  /** The mode and every calendar's session; at a past moment as they were then. */
  state(asOf: EpochMicroseconds | null): Promise<ModeAnswer>;
  /** One look, as the loop takes it. */
  look(): Promise<void>;
  readonly agents: readonly Agent[];
}

const lookEveryMilliseconds = 1_000;

export function createMode(options: ModeOptions): Mode {
  const { storage, clock, log, hours, simulation } = options;
  /** Each with the mode that it was told last. */
  const listeners = new Map<(mode: MarketMode) => void | Promise<void>, MarketMode | null>();
  let failedSince: EpochMicroseconds | null = null;
  /** What is written down, as far as this process knows. */
  let written: { mode: MarketMode; at: EpochMicroseconds } | null = null;

  const hoursOf = () => hours.get(simulation.calendar)!;
  const current = (now = clock.nowMicroseconds()): MarketMode =>
    // Where the calendar does not know the day nothing is known to trade.
    modeOf(simulation.policy, sessionAt(hoursOf(), now)?.session ?? "closed");

  async function look(): Promise<void> {
    const now = clock.nowMicroseconds();
    const mode = current(now);
    await tell(mode, now);
    if (written?.mode === mode) return;
    const { policy, calendar } = simulation;
    written = await storage.write(async (tx) => {
      const last = await lastChange(tx, null);
      // Another process was first, or this one was here before it was started anew.
      if (last?.mode === mode) return { mode, at: last.at };
      // A clock that was set back must not put a change before the one it follows.
      const at = last !== null && last.at >= now ? last.at + 1n : now;
      await insertChange(tx, { at, mode, policy, calendar });
      return { mode, at };
    });
    log.info({ mode, policy, calendar }, "market mode");
  }

  async function tell(mode: MarketMode, now: EpochMicroseconds): Promise<void> {
    let hasFailed = false;
    for (const [listener, told] of [...listeners]) {
      if (told === mode) continue;
      try {
        await listener(mode);
        if (listeners.has(listener)) listeners.set(listener, mode);
      } catch (error) {
        hasFailed = true;
        log.warn({ err: error, mode }, "a listener of the market's mode failed");
      }
    }
    failedSince = hasFailed ? (failedSince ?? now) : null;
  }

  async function state(asOf: EpochMicroseconds | null): Promise<ModeAnswer> {
    const now = clock.nowMicroseconds();
    const moment = asOf ?? now;
    const change = await lastChange(storage.read, asOf);
    const calendars = [...hours.values()].map((each) => calendarState(each, sessionAt(each, moment)));
    if (asOf !== null) {
      const mock = simulatedState(change?.mode ?? null, change?.at ?? null, false);
      return {
        as_of: formatTimestamp(moment),
        ...{ mode: change?.mode ?? null, since: shown(change?.at ?? null) },
        ...{ policy: change?.policy ?? null, calendar: change?.calendar ?? null, mock, next_change: null, calendars },
      };
    }
    const { policy, calendar } = simulation;
    const mode = current(now);
    // What is not written yet began now.
    const since = change?.mode === mode ? change.at : now;
    const next = nextModeChange(policy, hoursOf(), now);
    return {
      as_of: formatTimestamp(moment),
      ...{ mode, since: shown(since), policy, calendar },
      mock: simulatedState(mode, failedSince ?? since, failedSince !== null),
      next_change: next && { at: formatTimestamp(next.at), mode: next.mode },
      calendars,
    };
  }

  return {
    get current() {
      return current();
    },
    onMode(listener) {
      listeners.set(listener, null);
      return () => listeners.delete(listener);
    },
    state,
    look,
    agents: [
      new Agent({
        name: "market-mode",
        intervalMilliseconds: lookEveryMilliseconds,
        failuresMax: 10,
        clock,
        round: look,
        onFailure: (error) => log.warn({ agent: "market-mode", err: error }, "the market's mode could not be kept"),
      }),
    ],
  };
}

function shown(moment: EpochMicroseconds | null): string | null {
  return moment === null ? null : formatTimestamp(moment);
}

function simulatedState(
  mode: MarketMode | null,
  since: EpochMicroseconds | null,
  hasFailed: boolean,
): { state: SimulationState; since: string | null } {
  const state = hasFailed ? "failed" : mode === "simulated" ? "running" : "stopped";
  return { state, since: shown(since) };
}

function calendarState({ name, knowsHolidays }: MarketHours, found: SessionAt | null): CalendarState {
  return {
    calendar: name,
    session: found?.session ?? null,
    since: shown(found?.since ?? null),
    next: found?.next ? { at: formatTimestamp(found.next.at), session: found.next.session } : null,
    holidays_known: knowsHolidays,
  };
}
