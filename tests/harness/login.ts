// Signing in over a database in a temporary folder, with every feature it stands on: the real ones, but that a password is looked up in
// a list instead of hashed, so that a test costs no core. The test moves one clock for all of it.

import type { Role } from "../../src/domain/permission";
import { identityRoutes } from "../../src/features/identity";
import type { UserRecord } from "../../src/features/identity/service";
import { keysRoutes } from "../../src/features/keys";
import { loginRoutes } from "../../src/features/login";
import { createLogin, type Login } from "../../src/features/login/service";
import { sessionsRoutes } from "../../src/features/sessions";
import {
  createSessions,
  type Sessions,
  type SessionsOptions,
  sessionPolicyOf,
} from "../../src/features/sessions/service";
import { tokensRoutes } from "../../src/features/tokens";
import { silentLog } from "../../src/foundation/log";
import { seededRandom } from "../../src/foundation/random";
import { MemoryBucketStore } from "../../src/foundation/token-bucket";
import { basicCredentialsOf, clearedSessionCookie, sessionCookie } from "../../src/http/credentials";
import { idempotencyOf, originOf, principalOf, sessionCookieOf } from "../../src/http/request-context";
import { find } from "../../src/storage/idempotency";
import { type Answer, type CallOptions, type TestServer, testServer } from "./http";
import { openTokensFixture, type TokensFixture } from "./tokens";

export interface LoginFixture extends TokensFixture {
  readonly sessions: Sessions;
  readonly login: Login;
  readonly server: TestServer;
  /** Texts that were asked of the slow hash. */
  readonly asked: string[];
  /** What is called where the slow hash must have room; a test makes it throw. */
  readonly busy: { requireRoom: () => void };
  /** Sessions as another process on the same database would have them. */
  anotherSessions(changes?: Partial<SessionsOptions>): Sessions;
  /** Makes a user with that password. */
  person(options?: { email?: string; password?: string; role?: Role; isVerified?: boolean }): Promise<UserRecord>;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Signs in over HTTP; its answer. */
  signIn(email?: string, more?: Record<string, unknown>): Promise<Answer>;
}

export const ada = "ada@example.org";
export const adasPassword = "correct horse battery staple";

export const testSessionSettings = {
  sessionHours: 720,
  sessionIdleHours: 168,
  cookieSessionHours: 12,
  cookieSessionIdleMinutes: 60,
  sessionsPerUserMax: 3,
};

export async function openLogin(options: { seed?: bigint } = {}): Promise<LoginFixture> {
  const { seed = 7n } = options;
  const base = await openTokensFixture({ seed });
  const { storage, identity, keys, audit, tokens, secretBox, clock } = base;
  let made = 0n;
  const anotherSessions = (changes: Partial<SessionsOptions> = {}) => {
    made += 1n;
    return createSessions({
      storage: base.watched,
      identity,
      keys,
      tokens,
      audit,
      secretBox,
      policy: sessionPolicyOf(testSessionSettings),
      clock,
      random: seededRandom(seed + 5000n + made),
      log: silentLog,
      ...changes,
    });
  };
  const sessions = anotherSessions();
  const passwords = new Map<string, string>();
  const asked: string[] = [];
  const busy = { requireRoom: () => {} };
  const login = createLogin({
    storage,
    identity,
    keys,
    registration: {
      requirePasswordRoom: () => busy.requireRoom(),
      async checkPassword(email, password) {
        asked.push(email);
        const user = await identity.findUserByEmail(email);
        return user && passwords.get(user.id) === password ? user : null;
      },
    },
    tokens,
    sessions,
    audit,
    buckets: new MemoryBucketStore({ clock }),
    secretBox,
    clock,
    random: seededRandom(seed + 6000n),
    log: silentLog,
  });
  const server = testServer({
    features: [
      identityRoutes({ identity, principalOf, originOf }),
      keysRoutes({ keys, principalOf, originOf, idempotencyOf }),
      tokensRoutes({ tokens, principalOf, originOf, idempotencyOf }),
      sessionsRoutes({ sessions, principalOf, originOf, sessionCookieOf, clearedCookie: clearedSessionCookie }),
      loginRoutes({ login, principalOf, originOf, sessionCookie, basicCredentialsOf }),
    ],
    authenticator: sessions,
    idempotencyStore: { find: (scope) => find(storage.read, scope) },
    clock,
  });
  const call = server.call;
  return {
    ...base,
    sessions,
    login,
    server,
    asked,
    busy,
    anotherSessions,
    call,
    async person({ email = ada, password = adasPassword, role = "trader", isVerified = true } = {}) {
      const now = clock.nowMicroseconds();
      const user = await storage.write((tx) =>
        identity.insertPerson(tx, { email, name: "Ada Lovelace", role, isVerified, now }),
      );
      passwords.set(user.id, password);
      return user;
    },
    signIn: (email = ada, more = {}) =>
      call("POST", "/api/v1/auth/login", { body: { email, password: adasPassword, ...more } }),
    async close() {
      await sessions.close();
      await base.close();
    },
  };
}

/** The headers of an access token. */
export function bearer(token: string): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${token}` } };
}
