// What is decided about settings without asking anybody: how each is told, which a change may not touch, and what the audit keeps.

import type { ConfigSources, SettledSetting } from "../../config/config";
import { isLiveSetting } from "../../config/live-settings";
import { environmentName, flagName, type Setting, type SettingKey, settings } from "../../config/settings";
import type { FieldFault } from "../../foundation/errors";
import type { ConfigSettingOnWire } from "./model";

/** Every setting as it holds, in the order of their table. */
export function settingsOnWire(
  settled: readonly SettledSetting[],
  waiting: readonly SettingKey[],
): ConfigSettingOnWire[] {
  return settled.map(({ key, value, source, origin, isSecret, isSet }) => {
    const setting = settings.find((each) => each.key === key) as Setting;
    return {
      key,
      value: value as ConfigSettingOnWire["value"],
      source,
      origin,
      live: isLiveSetting(key),
      restart_needed: waiting.includes(key),
      secret: isSecret,
      set: isSet,
      default: isSecret ? null : ((setting.default ?? null) as ConfigSettingOnWire["default"]),
      minimum: (setting.schema.minimum as number | undefined) ?? null,
      maximum: (setting.schema.maximum as number | undefined) ?? null,
      values: wordsOf(setting),
      rule: setting.rule,
      description: setting.description,
    };
  });
}

function wordsOf({ schema }: Setting): string[] | null {
  const members = (schema.anyOf ?? []) as { const?: unknown }[];
  return members.length > 0 ? members.map((member) => String(member.const)) : null;
}

/** Faults of settings that a flag or a variable holds, which are stronger than anything written here. */
export function heldFaults(keys: readonly string[], sources: ConfigSources): FieldFault[] {
  return keys.flatMap((key) => {
    const setting = settings.find((each) => each.key === key) as Setting;
    const variable = sources.environment[environmentName(setting)];
    const isFlag = sources.flags[key as SettingKey] !== undefined;
    if (!isFlag && (variable === undefined || variable === "")) return [];
    const holder = isFlag ? flagName(setting) : environmentName(setting);
    return [{ pointer: `/${key}`, code: "SETTING_HELD", detail: `is held by ${holder}, which is stronger` }];
  });
}

/** What was changed at run time once a change is made to it; null takes an entry out. */
export function changedBy(
  before: Readonly<Record<string, unknown>>,
  change: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== null));
}

/** A value as the audit keeps it. Never asked for a secret's. */
export function wordOf(settled: SettledSetting | undefined): string | null {
  const value = settled?.value ?? null;
  return value === null ? null : Array.isArray(value) ? value.join(", ") : String(value);
}
