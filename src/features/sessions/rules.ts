// What is decided about login sessions without asking anybody: whether one still lives, what a shown refresh token means, and how
// long each lasts. Pure, so that the moments on either side of every limit are a table in the tests.

import type { RequestOrigin } from "../../domain/principal";
import type { EpochMicroseconds } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import type { AuditEvent } from "../audit/service";

export type SessionKind = "token" | "cookie";

/** Why a session ended, as its row keeps it. */
export type EndReason = "logout" | "revoked" | "reuse" | "count";

/** How long sessions last, in microseconds. */
export interface SessionPolicy {
  readonly lifetime: Readonly<Record<SessionKind, bigint>>;
  /** Without a refresh (token), or without a request (cookie). */
  readonly idle: Readonly<Record<SessionKind, bigint>>;
  readonly countPerUserMax: number;
}

/** The policy that the settings say whenever it is looked at: they may change. */
export function sessionPolicyOf(settings: {
  readonly sessionHours: number;
  readonly sessionIdleHours: number;
  readonly cookieSessionHours: number;
  readonly cookieSessionIdleMinutes: number;
  readonly sessionsPerUserMax: number;
}): SessionPolicy {
  const minute = 60_000_000n;
  const hour = 60n * minute;
  return {
    get lifetime() {
      return { token: BigInt(settings.sessionHours) * hour, cookie: BigInt(settings.cookieSessionHours) * hour };
    },
    get idle() {
      return {
        token: BigInt(settings.sessionIdleHours) * hour,
        cookie: BigInt(settings.cookieSessionIdleMinutes) * minute,
      };
    },
    get countPerUserMax() {
      return settings.sessionsPerUserMax;
    },
  };
}

export interface SessionLife {
  readonly kind: SessionKind;
  readonly createdAt: EpochMicroseconds;
  readonly lastUsedAt: EpochMicroseconds;
  readonly expiresAt: EpochMicroseconds;
  readonly endedAt: EpochMicroseconds | null;
}

/** What a session's life hangs on, of its user. */
export interface UserLife {
  readonly disabledAt: EpochMicroseconds | null;
  readonly erasedAt: EpochMicroseconds | null;
  readonly sessionsValidFrom: EpochMicroseconds;
}

/** The first moment at which the session is over by itself. */
export function endOf({ kind, lastUsedAt, expiresAt }: SessionLife, policy: SessionPolicy): EpochMicroseconds {
  const idleEnd = lastUsedAt + policy.idle[kind];
  return idleEnd < expiresAt ? idleEnd : expiresAt;
}

/** Whether the session opens anything at this moment. */
export function isLive(
  session: SessionLife,
  user: UserLife | null,
  { policy, now }: { policy: SessionPolicy; now: EpochMicroseconds },
): boolean {
  return (
    user !== null &&
    user.disabledAt === null &&
    user.erasedAt === null &&
    session.createdAt >= user.sessionsValidFrom &&
    session.endedAt === null &&
    now < endOf(session, policy)
  );
}

/** How long after a sign-in, or after the password or a code was shown again, a session may do what asks for that. */
export const recentMicroseconds = 300_000_000n;

/** Whether the session has lately shown who holds it. */
export function isRecent(
  { createdAt, reauthenticatedAt }: { createdAt: EpochMicroseconds; reauthenticatedAt: EpochMicroseconds | null },
  now: EpochMicroseconds,
): boolean {
  return now - (reauthenticatedAt ?? createdAt) <= recentMicroseconds;
}

/** A refresh token shown again this soon is a race of one client with itself, and harms nothing. */
export const raceMicroseconds = 10_000_000n;

/**
 * What a shown refresh token means. `good`: its session goes on with a successor. `raced`: it was used moments ago. `reused`: it was
 * used before that, so two hold it and neither can be told from a thief. `over`: it opens nothing any more.
 */
export type RefreshVerdict = "good" | "raced" | "reused" | "over";

export function judgeRefresh(
  token: { readonly usedAt: EpochMicroseconds | null; readonly expiresAt: EpochMicroseconds },
  isSessionLive: boolean,
  now: EpochMicroseconds,
): RefreshVerdict {
  if (!isSessionLive || now >= token.expiresAt) return "over";
  if (token.usedAt === null) return "good";
  return now - token.usedAt <= raceMicroseconds ? "raced" : "reused";
}

/** How the audit log names a session. */
export function resourceOf(sessionId: string): string {
  return `login_sessions/${sessionId}`;
}

interface SessionAct {
  readonly userId: string;
  readonly sessionId: string;
  readonly origin: RequestOrigin;
}

/** A session was ended by its user elsewhere, or by the limit of how many there may be. */
export function revoked({ userId, sessionId, reason, origin }: SessionAct & { reason: EndReason }): AuditEvent {
  return {
    eventType: "auth.session.revoked",
    userId,
    resource: resourceOf(sessionId),
    action: "revoke",
    status: "success",
    details: { reason },
    origin,
  };
}

/** A refresh token was used a second time; its session is ended with this line. */
export function reused({ userId, sessionId, origin }: SessionAct): AuditEvent {
  return {
    eventType: "auth.token.reuse",
    userId,
    resource: resourceOf(sessionId),
    action: "refresh",
    status: "failure",
    details: {},
    origin,
  };
}

/** A refresh token was taken, or (nobody's) refused. */
export function refreshed({
  userId,
  sessionId,
  origin,
}: SessionAct | (Omit<SessionAct, "userId" | "sessionId"> & { userId: null; sessionId: null })): AuditEvent {
  return {
    eventType: "auth.token.refreshed",
    userId,
    resource: sessionId === null ? null : resourceOf(sessionId),
    action: "refresh",
    status: userId === null ? "failure" : "success",
    details: userId === null ? { code: "REFRESH_INVALID" } : {},
    origin,
  };
}

/** Whoever holds a session has shown the password or a code again. */
export function reauthenticated(act: {
  userId: string;
  sessionId: string;
  by: "password" | "code";
  origin: RequestOrigin;
}): AuditEvent {
  return {
    eventType: "auth.reauthenticated",
    userId: act.userId,
    resource: resourceOf(act.sessionId),
    action: "reauthenticate",
    status: "success",
    details: { by: act.by },
    origin: act.origin,
  };
}

/** To whoever showed a token or cookie of ours whose session opens nothing any more. */
export function sessionEnded(): BsoptError {
  return new BsoptError({
    reason: "unauthenticated",
    code: "SESSION_ENDED",
    detail: "The session is over; sign in again.",
  });
}

export function refreshInvalid(): BsoptError {
  return new BsoptError({
    reason: "unauthenticated",
    code: "REFRESH_INVALID",
    detail: "The refresh token is not valid here, or is over; sign in again.",
  });
}

export function reauthenticationNeeded(): BsoptError {
  return new BsoptError({
    reason: "forbidden",
    code: "REAUTHENTICATION_NEEDED",
    detail:
      "This needs a sign-in within the last five minutes: sign in again, or send the password or a code to /api/v1/auth/reauthenticate.",
  });
}
