// How long sessions last where the settings change meanwhile.

import { expect, test } from "bun:test";
import { endOf, sessionPolicyOf } from "../../../../src/features/sessions/rules";

test("S5.12 session_idle_hours and cookie_session_idle_minutes changed meanwhile, sessions that live end by them", () => {
  const settings = {
    sessionHours: 720,
    sessionIdleHours: 168,
    cookieSessionHours: 12,
    cookieSessionIdleMinutes: 60,
    sessionsPerUserMax: 20,
  };
  const policy = sessionPolicyOf(settings);
  const hour = 3_600_000_000n;
  const life = { createdAt: 0n, lastUsedAt: 0n, expiresAt: 720n * hour, endedAt: null };
  const ends = () => [endOf({ ...life, kind: "token" }, policy), endOf({ ...life, kind: "cookie" }, policy)];
  expect(ends()).toEqual([168n * hour, hour]);
  settings.sessionIdleHours = 2;
  settings.cookieSessionIdleMinutes = 120;
  expect(ends()).toEqual([2n * hour, 2n * hour]);
});
