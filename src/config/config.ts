// Reads flags, environment and bsopt.toml once, strongest first, into one frozen object. This is the only room
// that knows the environment. A wrong setting never half-applies: every fault is collected and all are thrown.

import { availableParallelism } from "node:os";
import { Kind } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { assert } from "../foundation/assert";
import { BsoptError, type FieldFault } from "../foundation/errors";
import { isLoopbackHost } from "../foundation/loopback";
import { isLiveSetting } from "./live-settings";
import { type MarketConfig, marketConfigOf } from "./market-settings";
import { type EndpointLimit, parseEndpointLimit, parseRate, type Rate } from "./rate-limits";
import {
  environmentName,
  environmentPrefix,
  flagName,
  type Setting,
  type SettingKey,
  settings,
  workersMax,
} from "./settings";

export interface HttpConfig {
  readonly host: string;
  readonly port: number;
  /** Host names accepted beside localhost, 127.0.0.1, [::1] and `host`; lower case, no port. */
  readonly allowedHosts: readonly string[];
  readonly corsOrigins: readonly string[];
  /** Addresses and CIDR blocks of the proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** It listens for this machine alone and has another name for others: there is a proxy before it, and none is named in trustedProxies. */
  readonly isFronted: boolean;
  readonly requestBytesMax: number;
  readonly batchBytesMax: number;
  readonly tableBytesMax: number;
  readonly largeBodiesBytesMax: number;
  readonly eventLoopLagMillisecondsMax: number;
  readonly drainMilliseconds: number;
  readonly stopDeadlineMilliseconds: number;
  readonly requestsInFlightMax: number;
  readonly overloadTurnMilliseconds: number;
  /** Other processes of the same user may listen on the port too. */
  readonly reusePort: boolean;
}

export interface LoginConfig {
  readonly accessTokenSeconds: number;
  readonly signingKeyDays: number;
  readonly sessionHours: number;
  readonly sessionIdleHours: number;
  readonly cookieSessionHours: number;
  readonly cookieSessionIdleMinutes: number;
  readonly sessionsPerUserMax: number;
}

export interface Config {
  readonly environment: "production" | "development" | "test";
  readonly http: HttpConfig;
  /** Server processes on the one port. */
  readonly processes: number;
  readonly keys: { readonly isEnabled: boolean };
  readonly pricing: {
    readonly batchRowsMax: number;
    readonly tableRowsMax: number;
    /** Path of the user's calendars, or null. */
    readonly calendarsFile: string | null;
  };
  readonly engine: {
    /** Threads beside the process's own. */
    readonly workers: number;
    /** Large batches under way at once. */
    readonly batchesMax: number;
  };
  readonly login: LoginConfig;
  readonly market: MarketConfig;
  readonly storage: {
    readonly dataDirectory: string;
    readonly databaseUrl: string;
    /** Where the server makes backups, how often, and how many stay; null: it makes none. */
    readonly backups: { readonly folder: string; readonly everyHours: number; readonly keepCount: number } | null;
    /** For backups in a bucket. */
    readonly objectStore: {
      /** Null: Amazon's own for the region. */
      readonly endpoint: string | null;
      readonly region: string;
      /** Secrets. */
      readonly accessKeyId: string | null;
      readonly secretAccessKey: string | null;
    };
    /** For a database server; nothing reads it where the database is a file. */
    readonly databaseServer: {
      /** A secret. */
      readonly authToken: string | null;
      readonly durability: { readonly adminUrl: string | null; readonly allowsRelaxed: boolean };
    };
  };
  readonly limits: {
    /** False: nothing is limited. */
    readonly isEnabled: boolean;
    readonly address: Rate;
    readonly user: Rate;
    readonly bot: Rate;
    readonly endpoints: readonly EndpointLimit[];
    /** What holds while Redis is out of reach. */
    readonly fallback: "local" | "closed";
    /** May hold a password. Null: each process counts by itself. */
    readonly redisUrl: string | null;
  };
  readonly events: {
    /** A secret. Null: nobody is told of events. */
    readonly natsUrl: string | null;
    readonly subject: string;
  };
  /** Where alerts of unforeseen errors are posted, and what signs them; secrets. Null: nobody is told. */
  readonly errorWebhook: { readonly url: string; readonly secret: string } | null;
  /** Who makes users over HTTP. */
  readonly registration: "open" | "invite" | "closed";
  /** Where people reach the server, without a slash at the end; null: where it listens. */
  readonly publicUrl: string | null;
  readonly mail: {
    /** smtp:// or smtps://, with user and password; a secret. Null: mails become files. */
    readonly smtpUrl: string | null;
    /** An address, or a name and an address in angle brackets. */
    readonly from: string;
  };
  readonly audit: {
    /** Whole days that events are kept; 0: for ever. */
    readonly retentionDays: number;
    /** Rows of one export. */
    readonly exportRowsMax: number;
  };
  readonly log: {
    readonly level: "debug" | "info" | "warn" | "error";
    /** From how long on a request is logged at level info. */
    readonly slowRequestMilliseconds: number;
  };
  readonly traces: {
    /** Where spans are sent; null: nothing is traced. */
    readonly otlpUrl: string | null;
    /** A secret. */
    readonly otlpHeaders: Readonly<Record<string, string>>;
    /** Of requests without a traceparent, 0 to 1. */
    readonly share: number;
  };
}

export interface ConfigSources {
  /** By setting key, as typed on the command line. */
  readonly flags: Readonly<Partial<Record<SettingKey, string>>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** bsopt.toml's text and name, or null where there is none. */
  readonly file: { readonly name: string; readonly text: string } | null;
  /** What was changed while the server ran, by key; only settings that may. */
  readonly stored?: Readonly<Record<string, unknown>>;
}

/** Where a value may come from, the strongest first. */
export const settingSources = ["flag", "environment", "database", "file", "default"] as const;
export type SettingSource = (typeof settingSources)[number];

/** A rule about a setting that its schema cannot say, for whoever knows what it refers to. */
export interface SettingCheck {
  readonly key: SettingKey;
  /** What is wrong with a value that the schema lets through, each fault a sentence that begins like "must be". */
  faultsOf(value: unknown): readonly string[];
}

/** Tests of this project read variables of this prefix; the server must not take them for misspelt settings. */
const testPrefix = "BSOPT_TEST_";

/**
 * One frozen configuration from all sources, strongest first: flags, environment, what was changed at run time, file, defaults.
 * Throws BsoptError `invalid` CONFIGURATION_INVALID with every fault.
 */
export function loadConfig(sources: ConfigSources, checks: readonly SettingCheck[] = []): Config {
  return configOf(settle(sources, checks));
}

/** A setting as it stands: its value, and where it comes from. A secret's value is withheld. */
export interface SettledSetting {
  readonly key: SettingKey;
  /** Null where it depends on other settings or on the machine, as its description says, or is a secret. */
  readonly value: unknown;
  readonly source: SettingSource;
  /** The flag's or the environment's name, the file's or the database's with the key, or `default`. */
  readonly origin: string;
  readonly isSecret: boolean;
  readonly isSet: boolean;
}

/** Every setting in order, with where it comes from. Throws as loadConfig does. */
export function settledSettings(sources: ConfigSources, checks: readonly SettingCheck[] = []): SettledSetting[] {
  return settledOf(sources, settle(sources, checks));
}

/** Every setting in order over values that settle() gave for these sources. */
export function settledOf(sources: ConfigSources, values: ReadonlyMap<string, unknown>): SettledSetting[] {
  const file = readFile(sources.file, []);
  return settings.map((setting: Setting) => {
    const isSecret = setting.isSecret === true;
    const value = values.get(setting.key);
    const { source, origin } = rawValue(setting, sources, file);
    return {
      key: setting.key as SettingKey,
      value: value === undefined || isSecret ? null : value,
      source,
      origin,
      isSecret,
      isSet: value !== undefined,
    };
  });
}

/** What of values kept from an earlier run this executable can use, and the keys of the rest. */
export function usableStored(stored: Readonly<Record<string, unknown>>): {
  readonly usable: Readonly<Record<string, unknown>>;
  readonly unusable: readonly string[];
} {
  const fits = ([key, value]: [string, unknown]) => {
    const setting = settings.find((each) => each.key === key);
    return setting !== undefined && isLiveSetting(key) && Value.Check(setting.schema, value);
  };
  const entries = Object.entries(stored);
  return {
    usable: Object.fromEntries(entries.filter(fits)),
    unusable: entries.filter((entry) => !fits(entry)).map(([key]) => key),
  };
}

/** Every setting's value by key; throws with every fault. */
export function settle(sources: ConfigSources, checks: readonly SettingCheck[] = []): ReadonlyMap<string, unknown> {
  const faults: FieldFault[] = [];
  const file = readFile(sources.file, faults);
  for (const name of Object.keys(sources.environment)) {
    if (!name.startsWith(environmentPrefix) || name.startsWith(testPrefix)) continue;
    if (!settings.some((setting) => environmentName(setting) === name))
      faults.push(unknownName(name, settings.map(environmentName)));
  }
  for (const key of Object.keys(file)) {
    if (!settings.some((setting) => setting.key === key)) {
      faults.push(
        unknownName(
          `${sources.file?.name}: ${key}`,
          settings.map((setting) => setting.key),
        ),
      );
    }
  }
  const values = new Map<string, unknown>();
  for (const setting of settings) values.set(setting.key, settingValue(setting, sources, { file, faults, checks }));
  if (values.get("environment") === "production" && values.get("api_keys_enabled") === false) {
    const detail = "must be true where environment is production: without keys no bot comes in";
    faults.push({ pointer: "api_keys_enabled", code: "SETTING_INVALID", detail });
  }
  const backupPlace = values.get("backup_dir");
  if (typeof backupPlace === "string" && backupPlace.startsWith("s3://")) {
    for (const pointer of ["backup_s3_access_key", "backup_s3_secret_key"]) {
      if (values.get(pointer) !== undefined) continue;
      faults.push({ pointer, code: "SETTING_INVALID", detail: "must be set where backup_dir is in a bucket" });
    }
  }
  if (values.get("error_webhook_url") !== undefined && values.get("error_webhook_secret") === undefined) {
    const detail = "must be set where error_webhook_url is: alerts are signed";
    faults.push({ pointer: "error_webhook_secret", code: "SETTING_INVALID", detail });
  }
  if (faults.length > 0) {
    throw new BsoptError({
      reason: "invalid",
      code: "CONFIGURATION_INVALID",
      detail: `${faults.length} wrong ${faults.length === 1 ? "setting" : "settings"}`,
      hint: "bsopt serve --help lists every setting with its default",
      faults,
    });
  }
  return values;
}

/** Threads that this machine has room for beside the process's own, where so many processes share it. */
export function machineWorkers(processCount = 1): number {
  return Math.min(workersMax, Math.max(1, Math.floor(availableParallelism() / processCount) - 1));
}

/** What a fault of a value changed at run time is found under: its place in the request. */
const storedPrefix = "/";

interface RawValue {
  readonly source: SettingSource;
  readonly origin: string;
  readonly raw: unknown;
}

/** Where a setting's value comes from, the strongest source first, and the value as it stands there. */
function rawValue(setting: Setting, sources: ConfigSources, file: Record<string, unknown>): RawValue {
  const { key } = setting;
  const { stored = {} } = sources;
  const flag = sources.flags[key as SettingKey];
  if (flag !== undefined) return { source: "flag", origin: flagName(setting), raw: fromText(setting, flag) };
  const variable = sources.environment[environmentName(setting)];
  if (variable !== undefined && variable !== "") {
    return { source: "environment", origin: environmentName(setting), raw: fromText(setting, variable) };
  }
  if (key in stored && isLiveSetting(key)) return { source: "database", origin: `database: ${key}`, raw: stored[key] };
  if (key in file) return { source: "file", origin: `${sources.file?.name}: ${key}`, raw: file[key] };
  return { source: "default", origin: "default", raw: setting.default };
}

function settingValue(
  setting: Setting,
  sources: ConfigSources,
  read: { file: Record<string, unknown>; faults: FieldFault[]; checks: readonly SettingCheck[] },
): unknown {
  const { source, origin, raw } = rawValue(setting, sources, read.file);
  if (raw === undefined) return undefined;
  const pointer = source === "database" ? `${storedPrefix}${setting.key}` : origin;
  const tell = (detail: string) => read.faults.push({ pointer, code: "SETTING_INVALID", detail });
  // The value itself is left out: some hold secrets, and the name says which one to look at.
  if (!Value.Check(setting.schema, raw)) tell(setting.rule);
  else for (const check of read.checks) if (check.key === setting.key) check.faultsOf(raw).forEach(tell);
  return raw;
}

/** Text to the value its schema wants; text that does not fit is left as it is, for the check to refuse. */
function fromText(setting: Setting, text: string): unknown {
  switch (setting.schema[Kind]) {
    case "Integer":
      return /^-?\d{1,15}$/.test(text.trim()) ? Number(text) : text;
    case "Number":
      return /^-?\d{1,15}(\.\d{1,15})?$/.test(text.trim()) ? Number(text) : text;
    case "Boolean":
      return text.trim() === "true" ? true : text.trim() === "false" ? false : text;
    case "Array":
      return text
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== "");
    default:
      return text;
  }
}

function readFile(file: ConfigSources["file"], faults: FieldFault[]): Record<string, unknown> {
  if (file === null) return {};
  try {
    return Bun.TOML.parse(file.text) as Record<string, unknown>;
  } catch {
    faults.push({ pointer: file.name, code: "FILE_MALFORMED", detail: "must be valid TOML" });
    return {};
  }
}

function unknownName(name: string, known: readonly string[]): FieldFault {
  const bare = name.split(": ").at(-1) ?? name;
  const nearest = known
    .map((other) => ({ other, distance: editDistance(bare, other) }))
    .sort((a, b) => a.distance - b.distance)[0];
  const suggestion = nearest && nearest.distance <= 3 ? `; did you mean ${nearest.other}?` : "";
  return { pointer: name, code: "SETTING_UNKNOWN", detail: `is not a setting${suggestion}` };
}

/** Levenshtein distance (1965), by one row; for suggesting names. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[to.length]!;
}

/** What a setting's schema has found well written. */
function parsed<T>(value: T | null): T {
  assert(value !== null, "a setting's schema lets through what its reader does not understand");
  return value;
}

/** The configuration that values from settle() say. */
export function configOf(values: ReadonlyMap<string, unknown>): Config {
  const get = <T>(key: SettingKey): T => {
    assert(values.has(key), `no setting ${key}`);
    return values.get(key) as T;
  };
  const dataDirectory = get<string>("data_dir");
  return Object.freeze({
    environment: get<Config["environment"]>("environment"),
    processes: get<number>("processes"),
    keys: Object.freeze({ isEnabled: get<boolean>("api_keys_enabled") }),
    http: Object.freeze({
      host: get<string>("host"),
      port: get<number>("port"),
      allowedHosts: Object.freeze(get<string[]>("allowed_hosts").map((host) => host.toLowerCase())),
      corsOrigins: Object.freeze([...get<string[]>("cors_origins")]),
      trustedProxies: Object.freeze([...get<string[]>("trusted_proxies")]),
      isFronted:
        isLoopbackHost(get<string>("host")) &&
        get<string[]>("trusted_proxies").length === 0 &&
        [...get<string[]>("allowed_hosts"), hostOf(get<string | undefined>("public_url"))].some(
          (host) => host !== null && !isLoopbackHost(host.toLowerCase().replace(/^\[(.*)\]$/, "$1")),
        ),
      requestBytesMax: get<number>("request_bytes_max"),
      batchBytesMax: get<number>("batch_bytes_max"),
      tableBytesMax: get<number>("table_bytes_max"),
      largeBodiesBytesMax: get<number>("large_bodies_bytes_max"),
      eventLoopLagMillisecondsMax: get<number>("event_loop_lag_max_ms"),
      drainMilliseconds: get<number>("drain_ms"),
      stopDeadlineMilliseconds: get<number>("stop_deadline_ms"),
      requestsInFlightMax: get<number>("requests_in_flight_max"),
      overloadTurnMilliseconds: get<number>("overload_turn_ms"),
      reusePort: get<boolean>("reuse_port"),
    }),
    pricing: Object.freeze({
      batchRowsMax: get<number>("batch_rows_max"),
      tableRowsMax: get<number>("table_rows_max"),
      calendarsFile: get<string | undefined>("calendars") ?? null,
    }),
    engine: Object.freeze({
      workers: get<number | undefined>("workers") ?? machineWorkers(get<number>("processes")),
      batchesMax: get<number>("large_batches_max"),
    }),
    login: Object.freeze({
      accessTokenSeconds: get<number>("access_token_minutes") * 60,
      signingKeyDays: get<number>("signing_key_days"),
      sessionHours: get<number>("session_hours"),
      sessionIdleHours: get<number>("session_idle_hours"),
      cookieSessionHours: get<number>("cookie_session_hours"),
      cookieSessionIdleMinutes: get<number>("cookie_session_idle_minutes"),
      sessionsPerUserMax: get<number>("sessions_per_user_max"),
    }),
    market: marketConfigOf(get),
    storage: Object.freeze({
      dataDirectory,
      databaseUrl: get<string | undefined>("database_url") ?? `file:${dataDirectory.replace(/\/+$/, "")}/bsopt.db`,
      backups: values.get("backup_dir")
        ? Object.freeze({
            folder: get<string>("backup_dir"),
            everyHours: get<number>("backup_every_hours"),
            keepCount: get<number>("backup_keep"),
          })
        : null,
      objectStore: Object.freeze({
        endpoint: get<string | undefined>("backup_s3_endpoint") ?? null,
        region: get<string>("backup_s3_region"),
        accessKeyId: get<string | undefined>("backup_s3_access_key") ?? null,
        secretAccessKey: get<string | undefined>("backup_s3_secret_key") ?? null,
      }),
      databaseServer: Object.freeze({
        authToken: get<string | undefined>("database_auth_token") ?? null,
        durability: Object.freeze({
          adminUrl: get<string | undefined>("database_admin_url") ?? null,
          allowsRelaxed: get<"strong" | "relaxed">("database_durability") === "relaxed",
        }),
      }),
    }),
    limits: Object.freeze({
      isEnabled: get<"on" | "off">("rate_limits") === "on",
      address: parsed(parseRate(get<string>("address_limit"))),
      user: parsed(parseRate(get<string>("user_limit"))),
      bot: parsed(parseRate(get<string>("bot_limit"))),
      endpoints: Object.freeze(get<string[]>("endpoint_limits").map((text) => parsed(parseEndpointLimit(text)))),
      fallback: get<"local" | "closed">("limits_fallback"),
      redisUrl: get<string | undefined>("redis_url") ?? null,
    }),
    events: Object.freeze({
      natsUrl: get<string | undefined>("nats_url") ?? null,
      subject: get<string>("nats_subject"),
    }),
    errorWebhook: webhookOf(
      get<string | undefined>("error_webhook_url"),
      get<string | undefined>("error_webhook_secret"),
    ),
    registration:
      get<Config["registration"] | undefined>("registration") ??
      (isLoopbackHost(get<string>("host").toLowerCase()) ? "open" : "closed"),
    publicUrl: get<string | undefined>("public_url")?.replace(/\/+$/, "") ?? null,
    mail: Object.freeze({
      smtpUrl: get<string | undefined>("smtp_url") ?? null,
      from: get<string>("mail_from"),
    }),
    audit: Object.freeze({
      retentionDays: get<number>("audit_retention_days"),
      exportRowsMax: get<number>("audit_export_rows_max"),
    }),
    traces: Object.freeze({
      otlpUrl: get<string | undefined>("otlp_url") ?? null,
      otlpHeaders: Object.freeze(
        Object.fromEntries(get<string[]>("otlp_headers").map((text) => text.split(/=(.*)/s).slice(0, 2))),
      ),
      share: get<number>("trace_percent") / 100,
    }),
    log: Object.freeze({
      level: get<Config["log"]["level"]>("log_level"),
      slowRequestMilliseconds: get<number>("slow_request_ms"),
    }),
  });
}

/** The host that an address names, or null where there is none. */
function hostOf(address: string | undefined): string | null {
  return address === undefined ? null : new URL(address).hostname;
}

function webhookOf(url: string | undefined, secret: string | undefined): Config["errorWebhook"] {
  return url === undefined || secret === undefined ? null : Object.freeze({ url, secret });
}
