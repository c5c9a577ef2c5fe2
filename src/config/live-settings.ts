// Which settings may change while the server runs. Separate from the table of settings because it is a promise of other parts:
// each of these is read where it is used, every time, or its reader is told; the others are read once. A test changes
// each of them on a running server and looks that it behaves otherwise.

import type { SettingKey } from "./settings";

/** Settings that hold at once when they are changed, by a request or by reading the file anew. */
export const liveSettingKeys = [
  "log_level",
  "slow_request_ms",
  "trace_percent",
  "registration",
  "cors_origins",
  "rate_limits",
  "address_limit",
  "user_limit",
  "bot_limit",
  "endpoint_limits",
  "request_bytes_max",
  "batch_bytes_max",
  "batch_rows_max",
  "table_bytes_max",
  "table_rows_max",
  "large_bodies_bytes_max",
  "large_batches_max",
  "requests_in_flight_max",
  "overload_turn_ms",
  "event_loop_lag_max_ms",
  "access_token_minutes",
  "session_hours",
  "session_idle_hours",
  "cookie_session_hours",
  "cookie_session_idle_minutes",
  "sessions_per_user_max",
  "backup_every_hours",
  "backup_keep",
] as const satisfies readonly SettingKey[];

export type LiveSettingKey = (typeof liveSettingKeys)[number];

const live: ReadonlySet<string> = new Set(liveSettingKeys);

export function isLiveSetting(key: string): key is LiveSettingKey {
  return live.has(key);
}
