// Every setting there is: one row each, from which the flags, the environment's names, bsopt.toml's keys, the
// help text and the reference page all come. A row here without a reader elsewhere is a defect.

import { Type } from "@sinclair/typebox";
import { marketSettings } from "./market-settings";
import { endpointLimitPattern, ratePattern } from "./rate-limits";
import type { Setting } from "./setting";

export type { Setting };

const bytes = (maximum: number) => Type.Integer({ minimum: 1024, maximum });
const rateRule = "must be a pace such as 100/min burst 10";
const milliseconds = (minimum: number, maximum: number) => Type.Integer({ minimum, maximum });

/** Most options in a batch that a server may be set to take. */
export const rowsCountMax = 10_000_000;

/** Most threads that may be asked for. */
export const workersMax = 64;

/** Most server processes that may be asked for. */
export const processesMax = 64;

export const settings = [
  {
    key: "host",
    schema: Type.String({ minLength: 1, maxLength: 255, pattern: "^[A-Za-z0-9.:_-]+$" }),
    default: "127.0.0.1",
    description: "Address to listen on.",
    rule: "must be an address or a host name",
  },
  {
    key: "port",
    schema: Type.Integer({ minimum: 0, maximum: 65535 }),
    default: 8080,
    description: "Port to listen on; 0 takes a free one.",
    rule: "must be a whole number from 0 to 65535",
  },
  {
    key: "data_dir",
    schema: Type.String({ minLength: 1, maxLength: 4096, pattern: "^(?!.*:memory:)[^?]*$" }),
    default: "./bsopt-data",
    description: "Folder of the database and the first admin key; made if missing.",
    rule: "must be the path of a folder, without a question mark",
  },
  {
    key: "database_url",
    // Not another host, no parameters, not a folder, not memory: storage would refuse them one at a time.
    schema: Type.String({
      pattern:
        "^(file:(?!//(?!/|localhost/))(?!.*:memory:)[^?]*[^?/\\s]|(https?|libsql)://[A-Za-z0-9.\\[\\]:-]+(/[^\\s?#@]*)?)$",
      maxLength: 4096,
    }),
    default: undefined,
    description:
      "Database, as file:PATH, or a libSQL server that several processes share, as https://host, http://host:port or libsql://host (which means https). Default: the file bsopt.db in the data folder.",
    rule: "must be file:PATH, the path of a file on this machine without parameters, or the address of a libSQL server without user and parameters",
  },
  {
    key: "database_auth_token",
    schema: Type.String({ minLength: 1, maxLength: 8192, pattern: "^[\\x21-\\x7e]+$" }),
    default: undefined,
    description: "Token that the libSQL server named by database_url asks for. None by default.",
    rule: "must be a token without spaces",
    isSecret: true,
  },
  {
    key: "database_admin_url",
    schema: Type.String({ pattern: "^https?://[A-Za-z0-9.\\[\\]:-]+/?$", maxLength: 2048 }),
    default: undefined,
    description:
      "Admin interface of the libSQL server, through which it is told to sync each commit where it does not. None by default: it must be told by whoever starts it.",
    rule: "must be http://host:port or https://host",
  },
  {
    key: "database_durability",
    schema: Type.Union([Type.Literal("strong"), Type.Literal("relaxed")]),
    default: "strong",
    description:
      "What a libSQL server must promise: strong, that acknowledged rows survive a loss of power, or relaxed, that they may not. A database file is always strong.",
    rule: "must be strong or relaxed",
  },
  {
    key: "backup_dir",
    schema: Type.String({ minLength: 1, maxLength: 4096 }),
    default: undefined,
    description:
      "Folder, or place in a bucket as s3://bucket/prefix, that backups are made in by the server itself. None by default: none are made.",
    rule: "must be the path of a folder, or s3://bucket/prefix",
  },
  {
    key: "backup_every_hours",
    schema: Type.Integer({ minimum: 1, maximum: 8760 }),
    default: 24,
    description: "Hours between two backups that the server makes.",
    rule: "must be a whole number from 1 to 8760",
  },
  {
    key: "backup_keep",
    schema: Type.Integer({ minimum: 1, maximum: 10_000 }),
    default: 7,
    description: "Backups of the server's own that are kept; older ones go once a newer one stands.",
    rule: "must be a whole number from 1 to 10000",
  },
  {
    key: "backup_s3_endpoint",
    schema: Type.String({ pattern: "^https?://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:\\d{1,5})?/?$", maxLength: 300 }),
    default: undefined,
    description:
      "Service that speaks S3, for backups in a bucket; the bucket is part of the path. Default: Amazon's for the region.",
    rule: "must be https://HOST or http://HOST:PORT",
  },
  {
    key: "backup_s3_region",
    schema: Type.String({ pattern: "^[a-z0-9-]{1,40}$" }),
    default: "us-east-1",
    description: "Region that requests to the bucket are signed for.",
    rule: "must be a region's name, such as eu-central-1",
  },
  {
    key: "backup_s3_access_key",
    schema: Type.String({ pattern: "^[\\x21-\\x7e]{1,200}$" }),
    default: undefined,
    description: "Access key for the bucket; it must be let list, read, write and delete objects.",
    rule: "must be an access key without spaces",
    isSecret: true,
  },
  {
    key: "backup_s3_secret_key",
    schema: Type.String({ pattern: "^[\\x21-\\x7e]{1,500}$" }),
    default: undefined,
    description: "Secret of the access key for the bucket.",
    rule: "must be a secret key without spaces",
    isSecret: true,
  },
  {
    key: "allowed_hosts",
    schema: Type.Array(
      Type.String({ minLength: 1, maxLength: 255, pattern: "^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)$" }),
      {
        maxItems: 100,
      },
    ),
    default: [],
    description:
      "Host names accepted beside localhost, 127.0.0.1, [::1] and the listening address; separated by commas.",
    rule: "must be host names without port, separated by commas",
  },
  {
    key: "cors_origins",
    schema: Type.Array(Type.String({ pattern: "^https?://[^/*\\s]+$", maxLength: 300 }), { maxItems: 100 }),
    default: [],
    description: "Origins whose pages may call the API from a browser; separated by commas. None by default.",
    rule: "must be origins such as https://desk.example, separated by commas, without * or a path",
  },
  {
    key: "public_url",
    schema: Type.String({ maxLength: 300, pattern: "^https?://[^/?#\\s@]+(/[^?#\\s]*)?$" }),
    default: undefined,
    description: "Address at which people reach this server, for links in mails. Default: the listening address.",
    rule: "must be an address such as https://bsopt.example, without a question mark",
  },
  {
    key: "registration",
    schema: Type.Union([Type.Literal("open"), Type.Literal("invite"), Type.Literal("closed")]),
    default: undefined,
    description:
      "Who may register: open (anyone), invite (whom an administrator made a user for), closed (nobody). Administrators make users in any case. Default: open where listening on loopback, else closed.",
    rule: "must be open, invite or closed",
  },
  {
    key: "smtp_url",
    // The parts in full, because the value is never shown: whoever mistyped it must be told at the start.
    schema: Type.String({
      maxLength: 1000,
      pattern:
        "^(smtp://([^\\s/@:?#]+:[^\\s/@?#]+@)?(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:\\d{1,5})?/?(\\?tls=off)?|smtps://([^\\s/@:?#]+:[^\\s/@?#]+@)?(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:\\d{1,5})?/?)$",
    }),
    default: undefined,
    description:
      "Mail server: smtp://USER:PASSWORD@HOST:PORT (STARTTLS required beyond this machine, unless ?tls=off follows) or smtps://… for TLS from the start. Default: mails are written to the folder mail in the data folder.",
    rule: "must be smtp://USER:PASSWORD@HOST:PORT or smtps://…, user and password percent-encoded or left out",
    isSecret: true,
  },
  {
    key: "mail_from",
    schema: Type.String({
      maxLength: 400,
      pattern: '^([^<>"\\\\\\x00-\\x1f\\x7f]{1,100} )?<?[^\\s@<>"]+@[^\\s@<>"]+>?$',
    }),
    default: "bsopt <bsopt@localhost>",
    description: "Sender of mails.",
    rule: "must be an address, or a name and an address in angle brackets",
  },
  {
    key: "environment",
    schema: Type.Union([Type.Literal("production"), Type.Literal("development"), Type.Literal("test")]),
    default: "production",
    description: "What /api/v1/status calls this installation: production, development or test.",
    rule: "must be production, development or test",
  },
  {
    key: "api_keys_enabled",
    schema: Type.Boolean(),
    default: true,
    description:
      "Whether API keys are honoured; false lets in only people who sign in, for trying that out: production refuses it, as every bot would be locked out.",
    rule: "must be true or false",
  },
  {
    key: "log_level",
    schema: Type.Union([Type.Literal("debug"), Type.Literal("info"), Type.Literal("warn"), Type.Literal("error")]),
    default: "info",
    description: "Least severe level that is logged: debug, info, warn or error.",
    rule: "must be debug, info, warn or error",
  },
  {
    key: "error_webhook_url",
    // In full, because the value is never shown.
    schema: Type.String({
      maxLength: 1000,
      pattern:
        "^(https://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)|http://(localhost|127\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}|\\[::1\\]))(:\\d{1,5})?(/[^#\\s]*)?$",
    }),
    default: undefined,
    description:
      "Address to which a signed alert is posted for each new kind of error that nobody foresaw (docs/operating/errors.md). Default: nobody is told.",
    rule: "must be https://HOST/PATH, or http:// on this machine, without a user or a password",
    isSecret: true,
  },
  {
    key: "error_webhook_secret",
    schema: Type.String({ minLength: 32, maxLength: 200, pattern: "^[\\x21-\\x7e]+$" }),
    default: undefined,
    description: "What alerts are signed with (HMAC-SHA-256); needed where error_webhook_url is set.",
    rule: "must be 32 to 200 visible characters",
    isSecret: true,
  },
  {
    key: "otlp_url",
    schema: Type.String({
      maxLength: 1000,
      pattern: "^https?://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:\\d{1,5})?(/[^?#\\s]*)?$",
    }),
    default: undefined,
    description:
      "Collector of traces that takes OTLP over HTTP in JSON, such as http://127.0.0.1:4318. Default: requests are not traced.",
    rule: "must be http://HOST:PORT or https://…, without a user, a password or a question mark",
  },
  {
    key: "otlp_headers",
    schema: Type.Array(Type.String({ maxLength: 4000, pattern: "^[A-Za-z0-9-]{1,100}=[\\x20-\\x7e]+$" }), {
      maxItems: 16,
    }),
    default: [],
    description: "Headers for the collector, such as authorization=Bearer ABC; separated by commas.",
    rule: "must be NAME=VALUE, separated by commas",
    isSecret: true,
  },
  {
    key: "trace_percent",
    schema: Type.Integer({ minimum: 0, maximum: 100 }),
    default: 1,
    description:
      "Share of requests that are traced where they bring no traceparent along; one that does is traced where it says so.",
    rule: "must be a whole number from 0 to 100",
  },
  {
    key: "slow_request_ms",
    schema: milliseconds(1, 600_000),
    default: 1000,
    description: "Requests that take at least this long are logged at level info; at level debug all are.",
    rule: "must be a whole number from 1 to 600000",
  },
  {
    key: "request_bytes_max",
    schema: bytes(16_777_216),
    default: 1_048_576,
    description: "Largest request body of a route that has no limit of its own, in bytes.",
    rule: "must be a whole number from 1024 to 16777216",
  },
  {
    key: "large_bodies_bytes_max",
    schema: bytes(17_179_869_184),
    default: 268_435_456,
    description:
      "Bytes of bodies over 64 KiB that are held at once; further ones are told to come back. One alone is always taken.",
    rule: "must be a whole number from 1024 to 17179869184",
  },
  {
    key: "batch_bytes_max",
    schema: bytes(268_435_456),
    default: 33_554_432,
    description: "Largest body of a batch in JSON, in bytes.",
    rule: "must be a whole number from 1024 to 268435456",
  },
  {
    key: "batch_rows_max",
    schema: Type.Integer({ minimum: 1, maximum: rowsCountMax }),
    default: 100_000,
    description: "Most options in one batch in JSON.",
    rule: "must be a whole number from 1 to 10000000",
  },
  {
    key: "audit_retention_days",
    schema: Type.Integer({ minimum: 0, maximum: 36_500 }),
    default: 0,
    description:
      "Whole days that the audit log is kept; 0 keeps it for ever. Records of trading must be kept five years in the EU (1827).",
    rule: "must be a whole number from 0 to 36500",
  },
  {
    key: "audit_export_rows_max",
    schema: Type.Integer({ minimum: 1, maximum: 100_000_000 }),
    default: 1_000_000,
    description: "Most events in one export of the audit log as CSV or NDJSON.",
    rule: "must be a whole number from 1 to 100000000",
  },
  {
    key: "calendars",
    schema: Type.String({ minLength: 1, maxLength: 4096 }),
    default: undefined,
    description: "File of further calendars for the day count business/252, TOML or JSON. None by default.",
    rule: "must be the path of a file",
  },
  {
    key: "table_bytes_max",
    schema: bytes(1_073_741_824),
    default: 134_217_728,
    description: "Largest body of a batch as CSV, NDJSON or Arrow, in bytes once it is decompressed.",
    rule: "must be a whole number from 1024 to 1073741824",
  },
  {
    key: "table_rows_max",
    schema: Type.Integer({ minimum: 1, maximum: rowsCountMax }),
    default: 1_000_000,
    description: "Most options in one batch as CSV, NDJSON or Arrow.",
    rule: "must be a whole number from 1 to 10000000",
  },
  {
    key: "workers",
    schema: Type.Integer({ minimum: 0, maximum: workersMax }),
    default: undefined,
    description:
      "Threads that compute large batches beside the server's own. Default: one less than the cores, or than a process's share of them, and at least one: what takes long must not stop the event loop.",
    rule: `must be a whole number from 0 to ${workersMax}`,
  },
  {
    key: "large_batches_max",
    schema: Type.Integer({ minimum: 1, maximum: 1000 }),
    default: 16,
    description: "Most batches over 4,096 options computed at once; further ones are told to come back.",
    rule: "must be a whole number from 1 to 1000",
  },
  {
    key: "access_token_minutes",
    schema: Type.Integer({ minimum: 1, maximum: 15 }),
    default: 15,
    description: "How long an access token works, in minutes.",
    rule: "must be a whole number from 1 to 15",
  },
  {
    key: "signing_key_days",
    schema: Type.Integer({ minimum: 1, maximum: 3650 }),
    default: 30,
    description: "Days after which a new key signs access tokens; the one before verifies until its tokens are over.",
    rule: "must be a whole number from 1 to 3650",
  },
  {
    key: "session_hours",
    schema: Type.Integer({ minimum: 1, maximum: 8760 }),
    default: 720,
    description: "How long a login session lasts, however often it is refreshed, in hours.",
    rule: "must be a whole number from 1 to 8760",
  },
  {
    key: "session_idle_hours",
    schema: Type.Integer({ minimum: 1, maximum: 8760 }),
    default: 168,
    description: "How long a login session lasts without being refreshed, in hours.",
    rule: "must be a whole number from 1 to 8760",
  },
  {
    key: "cookie_session_hours",
    schema: Type.Integer({ minimum: 1, maximum: 168 }),
    default: 12,
    description: "How long a browser's cookie session lasts, in hours.",
    rule: "must be a whole number from 1 to 168",
  },
  {
    key: "cookie_session_idle_minutes",
    schema: Type.Integer({ minimum: 5, maximum: 1440 }),
    default: 60,
    description: "How long a browser's cookie session lasts without a request, in minutes.",
    rule: "must be a whole number from 5 to 1440",
  },
  {
    key: "sessions_per_user_max",
    schema: Type.Integer({ minimum: 1, maximum: 100 }),
    default: 20,
    description: "Most login sessions of one user; a further one ends the oldest.",
    rule: "must be a whole number from 1 to 100",
  },
  {
    key: "event_loop_lag_max_ms",
    schema: milliseconds(10, 60_000),
    default: 1000,
    description: "Event-loop lag past which /liveness answers 503, in milliseconds.",
    rule: "must be a whole number from 10 to 60000",
  },
  {
    key: "drain_ms",
    schema: milliseconds(0, 60_000),
    default: 500,
    description: "How long a stopping server still answers, asking clients to close, in milliseconds.",
    rule: "must be a whole number from 0 to 60000",
  },
  {
    key: "stop_deadline_ms",
    schema: milliseconds(100, 600_000),
    default: 10_000,
    description: "How long a stopping server waits for requests under way after that, in milliseconds.",
    rule: "must be a whole number from 100 to 600000",
  },
  {
    key: "requests_in_flight_max",
    schema: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    default: 8192,
    description: "Most requests under way at once in one process; further ones are told to come back.",
    rule: "must be a whole number from 1 to 1000000",
  },
  {
    key: "overload_turn_ms",
    schema: milliseconds(5, 60_000),
    default: 20,
    description:
      "How long one turn of the event loop may serve requests as they come, in milliseconds; further ones wait in line for the next turns, and after a quarter of a second are told to come back.",
    rule: "must be a whole number from 5 to 60000",
  },
  {
    key: "reuse_port",
    schema: Type.Boolean(),
    default: false,
    description:
      "Whether other processes of the same user may listen on the same port, so that a new server can start beside the old one; Linux only.",
    rule: "must be true or false",
  },
  {
    key: "processes",
    schema: Type.Integer({ minimum: 1, maximum: processesMax }),
    default: 1,
    description:
      "Server processes on one port and one data folder; SIGUSR2 replaces them one by one. Linux only past 1.",
    rule: `must be a whole number from 1 to ${processesMax}`,
  },
  {
    key: "rate_limits",
    schema: Type.Union([Type.Literal("on"), Type.Literal("off")]),
    default: "on",
    description: "Whether requests are limited at all: on or off.",
    rule: "must be on or off",
  },
  {
    key: "address_limit",
    schema: Type.String({ pattern: ratePattern }),
    default: "1000/min burst 100",
    description: "Pace of requests by one address (IPv6: by its network of 64 bits).",
    rule: rateRule,
  },
  {
    key: "user_limit",
    schema: Type.String({ pattern: ratePattern }),
    default: "100/min burst 10",
    description: "Pace of requests by one user, with all tokens and keys of class standard together.",
    rule: rateRule,
  },
  {
    key: "bot_limit",
    schema: Type.String({ pattern: ratePattern }),
    default: "6000/min burst 600",
    description: "Pace of requests by one key of class bot, instead of the address's, the user's and the endpoints'.",
    rule: rateRule,
  },
  {
    key: "endpoint_limits",
    schema: Type.Array(Type.String({ pattern: endpointLimitPattern, maxLength: 300 }), { maxItems: 100 }),
    default: [
      // Each costs a slow hash, or a mail to whoever is named.
      "POST /api/v1/auth/register=10/min burst 20",
      "POST /api/v1/auth/resend-verification=10/min burst 20",
      "POST /api/v1/auth/password*=10/min burst 20",
    ],
    description:
      "Paces of single routes for each user, or for each address on public routes, such as POST /api/v1/api-keys=10/min burst 2 or /api/v1/pricing/*=50/min; the first that fits holds, off behind one switches it off. A list of your own replaces the default.",
    rule: "must be routes with a pace, such as POST /api/v1/api-keys=10/min burst 2, separated by commas",
  },
  {
    key: "limits_fallback",
    schema: Type.Union([Type.Literal("local"), Type.Literal("closed")]),
    default: "local",
    description:
      "While Redis is out of reach: local counts in each process by itself, closed answers 503 to what would be counted.",
    rule: "must be local or closed",
  },
  {
    key: "redis_url",
    schema: Type.String({ pattern: "^rediss?://[^\\s/?#]+(/[0-9]{1,2})?$", maxLength: 2048 }),
    default: undefined,
    description:
      "Redis that several processes count in together, as redis://[user:password@]host:port/database. None by default: each process counts by itself.",
    rule: "must be redis://host:port/database or rediss://…, with a database from 0 to 99 or none",
    isSecret: true,
  },
  {
    key: "nats_url",
    // The parts in full, because the value is never shown.
    schema: Type.String({
      pattern: "^(nats|tls)://([^\\s/@:]+(:[^\\s/@]*)?@)?(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:\\d{1,5})?/?$",
      maxLength: 1000,
    }),
    default: undefined,
    description:
      "NATS server with JetStream that is told of each act in the audit log, as nats://[user:password@]host:port, nats://token@host:port or tls://…. None by default: nobody is told.",
    rule: "must be nats://host:port or tls://host:port, user and password or token percent-encoded before an @",
    isSecret: true,
  },
  {
    key: "nats_subject",
    schema: Type.String({ pattern: "^[A-Za-z0-9_-]{1,40}(\\.[A-Za-z0-9_-]{1,40}){0,4}$" }),
    default: "bsopt.events",
    description: "What the subjects of events begin with; two installations on one NATS want two.",
    rule: "must be words of letters, digits, _ and -, with points between",
  },
  {
    key: "trusted_proxies",
    schema: Type.Array(Type.String({ minLength: 2, maxLength: 49, pattern: "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$" }), {
      maxItems: 100,
    }),
    default: [],
    description:
      "Addresses and CIDR blocks of the proxies whose X-Forwarded-For is believed; separated by commas. None by default.",
    rule: "must be addresses or CIDR blocks, separated by commas",
  },
  ...marketSettings,
] as const satisfies readonly Setting[];

export type SettingKey = (typeof settings)[number]["key"];

export const environmentPrefix = "BSOPT_";

export function environmentName(setting: Setting): string {
  return environmentPrefix + setting.key.toUpperCase();
}

export function flagName(setting: Setting): string {
  return `--${setting.key.replaceAll("_", "-")}`;
}
