// The configuration of a server that runs: what was read at the start, and of that what may change since. Separate from config.ts,
// which knows one moment only. Whoever is given `config` here sees what holds whenever it looks; what may not change stays as it
// was at the start, whatever the sources say by now. Nothing is adopted unless all of it is right.

import {
  type Config,
  type ConfigSources,
  configOf,
  type SettingCheck,
  type SettledSetting,
  settle,
  settledOf,
} from "./config";
import { isLiveSetting, type LiveSettingKey, liveSettingKeys } from "./live-settings";
import { type SettingKey, settings } from "./settings";

/** What other sources would make of the settings, all of it right. */
export interface PreparedConfig {
  /** Settings whose values change once it is adopted. */
  readonly changed: readonly LiveSettingKey[];
  /** Settings that the sources say otherwise than they hold, and that hold from the next start on. */
  readonly waiting: readonly SettingKey[];
  readonly settled: readonly SettledSetting[];
  adopt(): void;
}

export interface LiveConfig {
  /** Reads through to what holds at the moment; a part that keeps a value instead of looking again must be told of changes. */
  readonly config: Config;
  readonly sources: ConfigSources;
  /** Every setting as it holds, with where it comes from. */
  readonly settled: readonly SettledSetting[];
  /** Settings that hold otherwise from the next start on. */
  readonly waiting: readonly SettingKey[];
  /** Judges other sources and changes nothing. Throws BsoptError `invalid` CONFIGURATION_INVALID with every fault. */
  prepare(sources: ConfigSources, checks?: readonly SettingCheck[]): PreparedConfig;
  /** Calls `listener` after each change with the settings' names. */
  onChange(listener: (changed: readonly LiveSettingKey[]) => void): void;
}

/** Throws as loadConfig does. */
export function createLiveConfig(start: ConfigSources, startChecks: readonly SettingCheck[] = []): LiveConfig {
  const startValues = settle(start, startChecks);
  const startSettled = settledOf(start, startValues);
  const listeners: ((changed: readonly LiveSettingKey[]) => void)[] = [];
  let values = startValues;
  let current = configOf(values);
  let sources = start;
  let settled: readonly SettledSetting[] = startSettled;
  let waiting: readonly SettingKey[] = [];

  return {
    config: viewOf(() => current),
    get sources() {
      return sources;
    },
    get settled() {
      return settled;
    },
    get waiting() {
      return waiting;
    },
    prepare(nextSources, checks = []) {
      const read = settle(nextSources, checks);
      const next = new Map(startValues);
      for (const key of liveSettingKeys) next.set(key, read.get(key));
      const told = settledOf(nextSources, read);
      const prepared: PreparedConfig = {
        changed: liveSettingKeys.filter((key) => !isSame(values.get(key), next.get(key))),
        waiting: settings.flatMap(({ key }) =>
          isLiveSetting(key) || isSame(read.get(key), startValues.get(key)) ? [] : [key],
        ),
        settled: startSettled.map((setting, index) => (isLiveSetting(setting.key) ? told[index]! : setting)),
        adopt() {
          values = next;
          current = configOf(next);
          sources = nextSources;
          settled = prepared.settled;
          waiting = prepared.waiting;
          if (prepared.changed.length > 0) for (const listener of listeners) listener(prepared.changed);
        },
      };
      return prepared;
    },
    onChange(listener) {
      listeners.push(listener);
    },
  };
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** An object with the same fields, each read anew at every look; so are those of the sections in it. */
function viewOf<T extends object>(read: () => T): T {
  const view = {} as T;
  for (const key of Object.keys(read()) as (keyof T)[]) {
    const value = read()[key];
    const isSection = typeof value === "object" && value !== null && !Array.isArray(value);
    Object.defineProperty(
      view,
      key,
      isSection
        ? { enumerable: true, value: viewOf(() => read()[key] as object) }
        : { enumerable: true, get: () => read()[key] },
    );
  }
  return Object.freeze(view);
}
