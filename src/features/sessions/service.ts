// Login sessions: who is signed in where, and whether that still holds. Separate from login, which decides who may open one, and from
// tokens, which only tells what a token says. It is the server's authenticator: tokens and cookies itself, API keys through identity.
// Invariants:
//   1. What opens a session is kept as SHA-256 only, and is never logged or put in an error.
//   2. A session ended here is refused here at once, and within five seconds in every other process; so is a user's who was disabled,
//      whose role changed or whose password did.
//   3. Of a refresh token shown many times at once, one showing gets the successor; shown again later, the session ends.
//   4. A request by cookie that may change something is let in only where a page of this host meant it.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { type Permission, permissionsOfRole } from "../../domain/permission";
import type { Authenticator, Credentials, Principal, RequestIntent, RequestOrigin } from "../../domain/principal";
import { Agent } from "../../foundation/agent";
import { assert } from "../../foundation/assert";
import { type Clock, type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import { uuid7 } from "../../foundation/identifier";
import type { Log } from "../../foundation/log";
import type { Random } from "../../foundation/random";
import type { SecretBox } from "../../foundation/secret-box";
import type { Storage, Tx } from "../../storage/storage";
import type { Audit } from "../audit/service";
import type { Identity, PersonalData, UserRecord } from "../identity/service";
import type { Keys } from "../keys/service";
import type { TokenMeaning, Tokens } from "../tokens/service";
import type { LoginSession, LoginSessionPage, TokenPair } from "./model";
import {
  deleteSessionsOf,
  endOtherSessions,
  endSession,
  findRefreshToken,
  findSession,
  findSessionByCookie,
  hasSessionFrom,
  insertRefreshToken,
  insertSession,
  noteUses,
  openSessions,
  putReauthenticated,
  type SessionRow,
  sessionsOf,
  sweep,
  sweepCountMax,
  useRefreshToken,
} from "./repository";
import {
  endOf,
  isLive,
  isRecent,
  judgeRefresh,
  reauthenticated,
  reauthenticationNeeded,
  refreshed,
  refreshInvalid,
  resourceOf,
  reused,
  revoked,
  type SessionKind,
  type SessionPolicy,
  sessionEnded,
} from "./rules";

export type { TokenPair } from "./model";
export { exampleAccessToken, exampleOpaqueToken, opaqueToken, tokenPairProperties } from "./model";
export { type SessionKind, type SessionPolicy, sessionPolicyOf } from "./rules";

export interface SessionsOptions {
  readonly storage: Pick<Storage, "write" | "read">;
  readonly identity: Pick<Identity, "findUser" | "onForget">;
  readonly keys: Pick<Keys, "authenticate" | "admitKey">;
  readonly tokens: Pick<Tokens, "issue" | "verify">;
  readonly audit: Pick<Audit, "append" | "note">;
  readonly secretBox: Pick<SecretBox, "keyFor">;
  readonly policy: SessionPolicy;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Narrower bounds of what is kept in memory, for tests. */
  readonly limits?: { readonly admissionCountMax?: number; readonly lookupCountMax?: number };
}

/** What a new session is opened with: the texts are here and nowhere else. */
export type Opening =
  | { readonly kind: "token"; readonly sessionId: string; readonly refreshToken: string }
  | {
      readonly kind: "cookie";
      readonly sessionId: string;
      readonly cookie: string;
      readonly csrfToken: string;
      readonly expiresAt: EpochMicroseconds;
    };

export interface Sessions extends Required<Authenticator> {
  /** Opens a session in the caller's transaction, ending the user's oldest past the limit. */
  open(tx: Tx, session: { user: UserRecord; kind: SessionKind; origin: RequestOrigin }): Promise<Opening>;
  /** The answer to a client with a fresh refresh token. */
  pairOf(user: UserRecord, opening: { sessionId: string; refreshToken: string }): Promise<TokenPair>;
  /** Throws `unauthenticated` REFRESH_INVALID, or `conflict` REFRESH_RACED where the token was used within ten seconds. */
  refresh(request: { refreshToken: string; origin: RequestOrigin }): Promise<TokenPair>;
  /** Ends the session that the principal shows. */
  logout(request: { principal: Principal; origin: RequestOrigin }): Promise<void>;
  list(principal: Principal): Promise<LoginSessionPage>;
  /** Ends one of the principal's own sessions. Throws `not-found` SESSION_NOT_FOUND. */
  end(request: { principal: Principal; id: string; origin: RequestOrigin }): Promise<void>;
  /** Ends all of them but the one shown. */
  endOthers(request: { principal: Principal; origin: RequestOrigin }): Promise<void>;
  /** Notes, with an audit line, that whoever holds the principal's session has just shown the password or a code. */
  noteReauthenticated(
    tx: Tx,
    act: { principal: Principal; by: "password" | "code"; origin: RequestOrigin; now: EpochMicroseconds },
  ): Promise<void>;
  /** The CSRF token that belongs to a cookie. */
  csrfTokenOf(cookie: string): string;
  /** Whether the user has signed in from that address before. */
  isKnownAddress(userId: string, ipAddress: string): Promise<boolean>;
  /** Writes the noted uses now. */
  flushUses(): Promise<void>;
  readonly agents: readonly Agent[];
  /** Stops listening to storage and writes what was noted. Agents are stopped by whoever started them. */
  close(): Promise<void>;
}

/** A session as it was when it was last looked at. */
interface Admission {
  readonly session: SessionRow;
  readonly user: UserRecord;
  readonly freshUntilMilliseconds: number;
  /** By the cookie: everything the role holds. */
  readonly cookiePrincipal: Principal;
}

/** A token's principal, and what it was made from: either is made anew when that is. */
interface Narrowed {
  readonly from: Admission | Principal;
  readonly principal: Principal;
}

const tokenBytes = 32;
/** How long a looked-up session is believed without hearing from the database. */
const freshMilliseconds = 5_000;
const noteUseEveryMicroseconds = 60_000_000n;
const flushEveryMilliseconds = 10_000;
const usesPendingCountMax = 10_000;
const usesPerFlushMax = 500;
const sweepEveryMilliseconds = 600_000;
/** Sessions that are over are kept so long: they say where somebody has signed in from before. */
const keptMicroseconds = 30n * 86_400_000_000n;

export function createSessions(options: SessionsOptions): Sessions {
  const { storage, identity, keys, tokens, audit, secretBox, policy, clock, random, log } = options;
  const { admissionCountMax = 10_000, lookupCountMax = 1_000 } = options.limits ?? {};
  /** By session id, and cookies' by the hash of the cookie. */
  const admissions = new Map<string, Admission>();
  const lookups = new Map<string, Promise<Admission | null>>();
  const narrowed = new WeakMap<TokenMeaning, Narrowed>();
  const uses = new Map<string, EpochMicroseconds>();
  /** Counts forgettings: a lookup that began before one must not be remembered after it. */
  let generation = 0;

  function forget(): void {
    generation += 1;
    admissions.clear();
    lookups.clear();
  }
  const stopListening = identity.onForget(forget);

  function authenticate(credentials: Credentials): Principal | Promise<Principal> {
    const { apiKey, bearerToken, sessionCookie } = credentials;
    if (bearerToken !== undefined) {
      const meaning = tokens.verify(bearerToken);
      return meaning instanceof Promise
        ? meaning.then((each) => byToken(each, credentials))
        : byToken(meaning, credentials);
    }
    if (apiKey === undefined && sessionCookie !== undefined) return byCookie(sessionCookie, credentials.intent);
    return keys.authenticate(credentials);
  }

  function byToken(meaning: TokenMeaning, credentials: Credentials): Principal | Promise<Principal> {
    if (meaning.keyId !== null) {
      const principal = keys.admitKey(meaning.keyId, credentials.peerAddress);
      return principal instanceof Promise
        ? principal.then((each) => narrowedTo(meaning, each))
        : narrowedTo(meaning, principal);
    }
    const known = knownAdmission(meaning.sessionId);
    return known
      ? narrowedTo(meaning, live(known))
      : lookUp(meaning.sessionId, () => findSession(storage.read, meaning.sessionId)).then((found) =>
          narrowedTo(meaning, live(found)),
        );
  }

  /** What the token says, within what its session's user or its key may do now. */
  function narrowedTo(meaning: TokenMeaning, from: Admission | Principal): Principal {
    const known = narrowed.get(meaning);
    if (known?.from === from) return known.principal;
    const [userId, role, held, rateClass] =
      "session" in from
        ? [from.user.id, from.user.role, permissionsOfRole[from.user.role], "standard" as const]
        : [from.userId, from.role, from.permissions, from.rateClass];
    // A session or key of somebody else: no token of ours says so.
    if (userId !== meaning.userId) throw sessionEnded();
    const principal: Principal = Object.freeze({
      userId,
      role,
      permissions: new Set<Permission>(meaning.scopes.filter((scope) => held.has(scope))),
      credential:
        meaning.keyId === null
          ? ({ kind: "login_session", id: meaning.sessionId, via: "token" } as const)
          : ({ kind: "api_key", id: meaning.keyId, tokenId: meaning.tokenId } as const),
      rateClass,
      expiresAt: meaning.expiresAt,
    });
    narrowed.set(meaning, { from, principal });
    return principal;
  }

  /** The session or the key as it is now; a token's own end is its principal's to tell. */
  function stillHolds(principal: Principal, peerAddress: string): ReturnType<Required<Authenticator>["stillHolds"]> {
    const { credential, expiresAt } = principal;
    if (expiresAt !== undefined && clock.nowMicroseconds() >= expiresAt) throw sessionEnded();
    if (credential.kind === "api_key") {
      const held = keys.admitKey(credential.id, peerAddress);
      return held instanceof Promise ? held.then(({ permissions }) => permissions) : held.permissions;
    }
    const now = (found: Admission | null) => permissionsOfRole[live(found).user.role];
    const known = knownAdmission(credential.id);
    return known ? now(known) : lookUp(credential.id, () => findSession(storage.read, credential.id)).then(now);
  }

  function byCookie(cookie: string, intent: RequestIntent | undefined): Principal | Promise<Principal> {
    const hash = hashOf(cookie);
    const known = knownAdmission(hash);
    const admit = (found: Admission | null): Principal => {
      const admission = live(found);
      if (intent) requireIntent(admission.session, intent);
      noteUse(admission);
      return admission.cookiePrincipal;
    };
    return known ? admit(known) : lookUp(hash, () => findSessionByCookie(storage.read, hash)).then(admit);
  }

  function requireIntent({ csrfHash }: SessionRow, { isSameOrigin, csrfToken }: RequestIntent): void {
    if (isSameOrigin && csrfToken !== null && csrfHash !== null) {
      if (timingSafeEqual(Buffer.from(hashOf(csrfToken)), Buffer.from(csrfHash))) return;
    }
    throw new BsoptError({
      reason: "forbidden",
      code: "CSRF_INVALID",
      detail: "A request by cookie that changes something needs X-CSRF-Token, from a page of this very host.",
    });
  }

  function knownAdmission(name: string): Admission | null {
    const known = admissions.get(name);
    return known && clock.monotonicMilliseconds() < known.freshUntilMilliseconds ? known : null;
  }

  /** The admission where its session opens something now; throws 401 where it does not. */
  function live(admission: Admission | null): Admission {
    if (admission === null) throw sessionEnded();
    const { session, user } = admission;
    const lastUsedAt = uses.get(session.id) ?? session.lastUsedAt;
    if (!isLive({ ...session, lastUsedAt }, user, { policy, now: clock.nowMicroseconds() })) throw sessionEnded();
    return admission;
  }

  /** One lookup a session at a time, however many requests wait for it. */
  function lookUp(name: string, find: () => Promise<SessionRow | null>): Promise<Admission | null> {
    const running = lookups.get(name);
    if (running) return running;
    if (lookups.size >= lookupCountMax) {
      throw new BsoptError({
        reason: "unavailable",
        code: "TOO_MANY_LOOKUPS",
        detail: "Too many sessions are being looked up at once.",
        retryAfterSeconds: 1,
      });
    }
    const begun = generation;
    const lookup = admissionOf(find)
      .then((admission) => {
        if (admission && begun === generation) {
          admissions.delete(name);
          admissions.set(name, admission);
          if (admissions.size > admissionCountMax) admissions.delete(admissions.keys().next().value!);
        }
        return admission;
      })
      .finally(() => {
        if (lookups.get(name) === lookup) lookups.delete(name);
      });
    lookups.set(name, lookup);
    return lookup;
  }

  async function admissionOf(find: () => Promise<SessionRow | null>): Promise<Admission | null> {
    const freshUntilMilliseconds = clock.monotonicMilliseconds() + freshMilliseconds;
    const session = await find();
    const user = session && (await identity.findUser(session.userId));
    if (!session || !user) return null;
    const cookiePrincipal: Principal = Object.freeze({
      userId: user.id,
      role: user.role,
      permissions: permissionsOfRole[user.role],
      credential: { kind: "login_session", id: session.id, via: "cookie" } as const,
      rateClass: "standard",
    });
    return { session, user, freshUntilMilliseconds, cookiePrincipal };
  }

  function noteUse({ session }: Admission): void {
    const now = clock.nowMicroseconds();
    const noted = uses.get(session.id) ?? session.lastUsedAt;
    if (now - noted < noteUseEveryMicroseconds) return;
    if (uses.size >= usesPendingCountMax && !uses.has(session.id)) return;
    uses.set(session.id, now);
  }

  async function flushUses(): Promise<void> {
    while (uses.size > 0) {
      const batch = new Map([...uses].slice(0, usesPerFlushMax));
      await storage.write((tx) => noteUses(tx, batch));
      for (const [id, usedAt] of batch) if (uses.get(id) === usedAt) uses.delete(id);
    }
  }

  async function open(tx: Tx, { user, kind, origin }: Parameters<Sessions["open"]>[1]): Promise<Opening> {
    const now = clock.nowMicroseconds();
    const others = await openSessions(tx, { userId: user.id, now, limit: 1000 });
    for (const { id } of others.slice(policy.countPerUserMax - 1)) {
      await endSession(tx, { id, userId: user.id, reason: "count", now });
      await audit.append(tx, revoked({ userId: user.id, sessionId: id, reason: "count", origin }));
      drop(id);
    }
    const secret = newToken();
    const csrfToken = csrfTokenOf(secret);
    const sessionId = uuid7(now, random);
    const expiresAt = now + policy.lifetime[kind];
    await insertSession(tx, {
      id: sessionId,
      userId: user.id,
      kind,
      cookieHash: kind === "cookie" ? hashOf(secret) : null,
      csrfHash: kind === "cookie" ? hashOf(csrfToken) : null,
      createdAt: now,
      lastUsedAt: now,
      expiresAt,
      ipAddress: origin.ipAddress,
      userAgent: origin.userAgent,
    });
    if (kind === "cookie") return { kind, sessionId, cookie: secret, csrfToken, expiresAt };
    await insertSuccessor(tx, { sessionId, refreshToken: secret, now, sessionExpiresAt: expiresAt });
    return { kind, sessionId, refreshToken: secret };
  }

  async function insertSuccessor(
    tx: Tx,
    token: { sessionId: string; refreshToken: string; now: EpochMicroseconds; sessionExpiresAt: EpochMicroseconds },
  ): Promise<void> {
    const { sessionId, refreshToken, now, sessionExpiresAt } = token;
    const expiresAt = endOf(
      { kind: "token", createdAt: now, lastUsedAt: now, expiresAt: sessionExpiresAt, endedAt: null },
      policy,
    );
    await insertRefreshToken(tx, { tokenHash: hashOf(refreshToken), sessionId, createdAt: now, expiresAt });
  }

  async function pairOf(user: UserRecord, opening: { sessionId: string; refreshToken: string }): Promise<TokenPair> {
    const { sessionId, refreshToken } = opening;
    const scopes = permissionsOfRole[user.role];
    const { token, expiresInSeconds } = await tokens.issue({ userId: user.id, sessionId, isForKey: false, scopes });
    return {
      access_token: token,
      token_type: "Bearer",
      expires_in: expiresInSeconds,
      refresh_token: refreshToken,
    };
  }

  async function refresh({ refreshToken, origin }: Parameters<Sessions["refresh"]>[0]): Promise<TokenPair> {
    const tokenHash = hashOf(refreshToken);
    // Looked at before it is written: a stranger's guess takes no turn of the writer.
    const seen = await findRefreshToken(storage.read, tokenHash);
    const user = seen && (await identity.findUser(seen.session.userId));
    if (!seen || !user) {
      audit.note(refreshed({ userId: null, sessionId: null, origin }));
      throw refreshInvalid();
    }
    const successor = newToken();
    const verdict = await storage.write(async (tx) => {
      const found = await findRefreshToken(tx, tokenHash);
      if (!found) return "over";
      const { token, session } = found;
      const now = clock.nowMicroseconds();
      const judged = judgeRefresh(token, isLive(session, user, { policy, now }), now);
      if (judged === "reused") {
        await endSession(tx, { id: session.id, userId: user.id, reason: "reuse", now });
        await audit.append(tx, reused({ userId: user.id, sessionId: session.id, origin }));
      }
      if (judged === "good") {
        await useRefreshToken(tx, { tokenHash, sessionId: session.id, now });
        const { id: sessionId, expiresAt: sessionExpiresAt } = session;
        await insertSuccessor(tx, { sessionId, refreshToken: successor, now, sessionExpiresAt });
        await audit.append(tx, refreshed({ userId: user.id, sessionId, origin }));
      }
      return judged;
    });
    switch (verdict) {
      case "good":
        drop(seen.session.id);
        return pairOf(user, { sessionId: seen.session.id, refreshToken: successor });
      case "raced":
        throw new BsoptError({
          reason: "conflict",
          code: "REFRESH_RACED",
          detail: "The refresh token was used a moment ago; the answer to that use has the next one.",
        });
      case "reused":
        drop(seen.session.id);
        log.warn(
          { session_id: seen.session.id, user_id: user.id },
          "a refresh token was used again; its session was ended",
        );
        throw refreshInvalid();
      case "over":
        throw refreshInvalid();
    }
  }

  async function logout({ principal, origin }: Parameters<Sessions["logout"]>[0]): Promise<void> {
    const { userId } = principal;
    const id = sessionIdOf(principal);
    const now = clock.nowMicroseconds();
    await storage.write(async (tx) => {
      if (!(await endSession(tx, { id, userId, reason: "logout", now }))) return;
      await audit.append(tx, {
        eventType: "auth.logout",
        userId,
        resource: resourceOf(id),
        action: "logout",
        status: "success",
        details: {},
        origin,
      });
    });
    drop(id);
  }

  async function end({ principal, id, origin }: Parameters<Sessions["end"]>[0]): Promise<void> {
    const { userId } = principal;
    await storage.write(async (tx) => {
      const now = clock.nowMicroseconds();
      if (!(await endSession(tx, { id, userId, reason: "revoked", now }))) {
        throw new BsoptError({ reason: "not-found", code: "SESSION_NOT_FOUND", detail: "There is no such session." });
      }
      await audit.append(tx, revoked({ userId, sessionId: id, reason: "revoked", origin }));
    });
    drop(id);
  }

  async function endOthers({ principal, origin }: Parameters<Sessions["endOthers"]>[0]): Promise<void> {
    const { userId } = principal;
    const keptId = sessionIdOf(principal);
    const ended = await storage.write(async (tx) => {
      const rows = await endOtherSessions(tx, { userId, keptId, now: clock.nowMicroseconds() });
      for (const { id } of rows) {
        await audit.append(tx, revoked({ userId, sessionId: id, reason: "revoked", origin }));
      }
      return rows;
    });
    for (const { id } of ended) drop(id);
  }

  async function list(principal: Principal): Promise<LoginSessionPage> {
    const now = clock.nowMicroseconds();
    const currentId = sessionIdOf(principal);
    const user = await identity.findUser(principal.userId);
    const limit = policy.countPerUserMax;
    const rows = await openSessions(storage.read, { userId: principal.userId, now, limit });
    return {
      data: rows
        .map((row) => ({ ...row, lastUsedAt: uses.get(row.id) ?? row.lastUsedAt }))
        .filter((row) => isLive(row, user, { policy, now }))
        .map((row) => onWire(row, currentId)),
      next_cursor: null,
      has_more: false,
    };
  }

  /** Forgets one session; a lookup of it under way must not be remembered either. */
  function drop(id: string): void {
    generation += 1;
    lookups.clear();
    const known = admissions.get(id);
    admissions.delete(id);
    if (known) return;
    for (const [name, { session }] of admissions) if (session.id === id) admissions.delete(name);
  }

  async function noteReauthenticated(tx: Tx, act: Parameters<Sessions["noteReauthenticated"]>[1]): Promise<void> {
    const id = sessionIdOf(act.principal);
    await putReauthenticated(tx, id, act.now);
    await audit.append(
      tx,
      reauthenticated({ userId: act.principal.userId, sessionId: id, by: act.by, origin: act.origin }),
    );
  }

  /** Read anew each time: it is asked for rarely, and what another process noted holds at once. */
  async function requireRecentSignIn(principal: Principal): Promise<void> {
    const session = await findSession(storage.read, sessionIdOf(principal));
    if (session !== null && isRecent(session, clock.nowMicroseconds())) return;
    throw reauthenticationNeeded();
  }

  function csrfTokenOf(cookie: string): string {
    return createHmac("sha256", secretBox.keyFor("csrf")).update(cookie, "latin1").digest("base64url");
  }

  function newToken(): string {
    return Buffer.from(random.bytes(tokenBytes)).toString("base64url");
  }

  async function sweepOver(signal: AbortSignal): Promise<void> {
    const now = clock.nowMicroseconds();
    const moments = { tokensBefore: now, sessionsBefore: now - keptMicroseconds };
    while (!signal.aborted && (await storage.write((tx) => sweep(tx, moments))) >= sweepCountMax);
  }

  const agentOf = (name: string, intervalMilliseconds: number, round: (signal: AbortSignal) => Promise<void>) =>
    new Agent({
      name,
      intervalMilliseconds,
      failuresMax: 5,
      clock,
      round,
      onFailure: (error) =>
        log.warn({ agent: name, err: error }, "a round over login sessions failed; it will be tried again"),
    });

  return {
    authenticate,
    requireRecentSignIn,
    stillHolds,
    noteReauthenticated,
    open,
    pairOf,
    refresh,
    logout,
    list,
    end,
    endOthers,
    csrfTokenOf,
    isKnownAddress: (userId, ipAddress) => hasSessionFrom(storage.read, userId, ipAddress),
    flushUses,
    agents: [
      agentOf("login-session-uses", flushEveryMilliseconds, flushUses),
      agentOf("login-session-sweep", sweepEveryMilliseconds, sweepOver),
    ],
    close: async () => {
      stopListening();
      await flushUses();
    },
  };
}

/** What is held about people here, for exporting and erasing it. */
export function sessionsPersonalData(storage: Pick<Storage, "read">): PersonalData {
  return {
    name: "login_sessions",
    collect: async (userId) => (await sessionsOf(storage.read, userId)).map((row) => onWire(row)),
    erase: (tx, { id }) => deleteSessionsOf(tx, id),
  };
}

function onWire(row: SessionRow, currentId?: string): LoginSession {
  return {
    id: row.id,
    kind: row.kind,
    is_current: row.id === currentId,
    created_at: formatTimestamp(row.createdAt),
    last_used_at: formatTimestamp(row.lastUsedAt),
    expires_at: formatTimestamp(row.expiresAt),
    ip_address: row.ipAddress,
    user_agent: row.userAgent,
  };
}

/** SHA-256, because the texts are 256 random bits: there is no dictionary for a slow hash to slow down. */
function hashOf(text: string): string {
  return createHash("sha256").update(text, "latin1").digest("hex");
}

function sessionIdOf({ credential }: Principal): string {
  assert(credential.kind === "login_session", `a session was asked for of a credential of kind ${credential.kind}`);
  return credential.id;
}
