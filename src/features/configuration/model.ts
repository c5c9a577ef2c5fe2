// The settings on the wire, made from the table of settings: what may be changed here is exactly what may change while the server
// runs, under the names and bounds that the file has. No secret's value has a place here.

import { Kind, type Static, type TSchema, Type } from "@sinclair/typebox";
import { settingSources } from "../../config/config";
import { liveSettingKeys } from "../../config/live-settings";
import { type Setting, settings } from "../../config/settings";
import { oneOf, timestamp } from "../../foundation/wire";

const closed = { additionalProperties: false } as const;

const textLengthMax = 20_000;

const Value = Type.Union(
  [Type.String(), Type.Number(), Type.Boolean(), Type.Array(Type.String(), { maxItems: 100 }), Type.Null()],
  { description: "As it holds. Null: not set, or a secret, whose value is never told." },
);

export const ConfigSetting = Type.Object(
  {
    key: Type.String({ description: "Name, as in bsopt.toml." }),
    value: Value,
    source: oneOf(settingSources, { description: "Where the value comes from; database: changed while a server ran." }),
    origin: Type.String({ description: "The same in words: the flag, the variable, or the file with the key." }),
    live: Type.Boolean({ description: "Whether it may be changed while the server runs." }),
    restart_needed: Type.Boolean({
      description: "The file says otherwise by now, which holds from the next start on.",
    }),
    secret: Type.Boolean(),
    set: Type.Boolean({ description: "Whether it has a value at all." }),
    default: Value,
    minimum: Type.Union([Type.Number(), Type.Null()]),
    maximum: Type.Union([Type.Number(), Type.Null()]),
    values: Type.Union([Type.Array(Type.String()), Type.Null()], {
      description: "The words it takes, where it is one.",
    }),
    rule: Type.String({ description: "What a value must be, in words." }),
    description: Type.String(),
  },
  { ...closed, $id: "ConfigSetting" },
);

export const ConfigAnswer = Type.Object(
  {
    revision: Type.Integer({ minimum: 0, description: "How many changes at run time there have been." }),
    changed_at: Type.Union([timestamp({ description: "When the last of them was." }), Type.Null()]),
    settings: Type.Array(ConfigSetting),
  },
  {
    ...closed,
    $id: "Config",
    examples: [
      {
        revision: 3,
        changed_at: "2026-01-03T10:00:00.000000Z",
        settings: [
          {
            key: "log_level",
            value: "debug",
            source: "database",
            origin: "database: log_level",
            live: true,
            restart_needed: false,
            secret: false,
            set: true,
            default: "info",
            minimum: null,
            maximum: null,
            values: ["debug", "info", "warn", "error"],
            rule: "must be debug, info, warn or error",
            description: "Least severe level that is logged: debug, info, warn or error.",
          },
        ],
      },
    ],
  },
);

/** Null puts a setting back to what the file or the default says. */
export const ConfigPatch = Type.Object(
  Object.fromEntries(
    liveSettingKeys.map((key) => {
      const setting = settings.find((each) => each.key === key) as Setting;
      return [key, Type.Optional(Type.Union([bounded(setting.schema), Type.Null()], { description: setting.rule }))];
    }),
  ),
  {
    ...closed,
    $id: "ConfigPatch",
    minProperties: 1,
    description: "The settings to change, by name; null puts one back to what the file or the default says.",
    examples: [{ log_level: "debug", user_limit: "300/min burst 30" }, { log_level: null }],
  },
);

export type ConfigOnWire = Static<typeof ConfigAnswer>;
export type ConfigSettingOnWire = Static<typeof ConfigSetting>;
export type ConfigChange = Readonly<Record<string, unknown>>;

/** The setting's own schema; a text that only its pattern bounds is given a length too. */
function bounded(schema: TSchema): TSchema {
  switch (schema[Kind]) {
    case "String":
      return { ...schema, maxLength: schema.maxLength ?? textLengthMax };
    case "Array":
      return { ...schema, items: bounded(schema.items as TSchema) };
    default:
      return schema;
  }
}
