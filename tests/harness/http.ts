// A server around given features for tests: fake keys for every role, nothing stored, nothing logged, seeded names.
// It goes through the same createServer as the executable, so nothing the gate does is skipped.

import type { AnyElysia } from "elysia";
import type { HttpConfig } from "../../src/config/config";
import { type Permission, permissionsOfRole, type Role, roles } from "../../src/domain/permission";
import type { Authenticator, Principal } from "../../src/domain/principal";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { BsoptError } from "../../src/foundation/errors";
import { type Log, silentLog } from "../../src/foundation/log";
import { seededRandom } from "../../src/foundation/random";
import type { IdempotencyStore } from "../../src/http/idempotency";
import type { Limits } from "../../src/http/limits";
import { type Answered, createServer, type Failed, type HttpServer, type Refused } from "../../src/http/server";
import type { Sockets } from "../../src/http/socket";

export const testConfig: HttpConfig = {
  host: "127.0.0.1",
  port: 0,
  allowedHosts: [],
  corsOrigins: [],
  trustedProxies: [],
  isFronted: false,
  requestBytesMax: 1_048_576,
  batchBytesMax: 33_554_432,
  tableBytesMax: 134_217_728,
  largeBodiesBytesMax: 268_435_456,
  eventLoopLagMillisecondsMax: 1000,
  drainMilliseconds: 0,
  stopDeadlineMilliseconds: 2000,
  requestsInFlightMax: 8192,
  overloadTurnMilliseconds: 40,
  reusePort: false,
};

/** The principal behind the key `bso_test_<role>`, or behind `bso_test_scoped` with just these permissions. */
export function testPrincipal(role: Role, permissions?: readonly Permission[]): Principal {
  return {
    userId: `user-of-${role}`,
    role,
    permissions: permissions ? new Set(permissions) : permissionsOfRole[role],
    credential: { kind: "api_key", id: `test-${role}` },
    rateClass: "unlimited",
  };
}

/** Knows `bso_test_viewer`, `…_trader`, `…_risk`, `…_admin` and refuses everything else. */
export const testAuthenticator: Authenticator = {
  authenticate({ apiKey }) {
    const role = roles.find((name) => apiKey === `bso_test_${name}`);
    if (role) return testPrincipal(role);
    throw new BsoptError({ reason: "unauthenticated", code: "CREDENTIALS_WRONG", detail: "The API key is not valid" });
  },
};

export interface TestServerOptions {
  readonly features: readonly AnyElysia[];
  readonly authenticator?: Authenticator;
  readonly idempotencyStore?: IdempotencyStore;
  readonly config?: Partial<HttpConfig>;
  readonly limits?: Limits;
  readonly onFailed?: (failed: Failed) => void;
  readonly onRefused?: (refused: Refused) => void;
  readonly onAnswered?: (answered: Answered) => void;
  readonly sockets?: Sockets;
  readonly log?: Log;
  readonly clock?: Clock;
}

export interface CallOptions {
  /** A role's name for its test key, or any key; absent: anonymous. */
  readonly key?: Role | string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a string or bytes are sent as they are. */
  readonly body?: unknown;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body, or undefined where it is no JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read fields of answers they then assert on
  readonly json: any;
}

export interface TestServer {
  readonly server: HttpServer;
  /** One request through the whole server without a socket. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Opens a real socket on a free port. */
  listen(): { url: string; port: number };
  close(): Promise<void>;
}

export function testServer(options: TestServerOptions): TestServer {
  const server = createServer({
    features: options.features,
    authenticator: options.authenticator ?? testAuthenticator,
    idempotencyStore: options.idempotencyStore ?? { find: async () => null },
    config: { ...testConfig, ...options.config },
    log: options.log ?? silentLog,
    clock: options.clock ?? systemClock,
    random: seededRandom(1n),
    documents: { title: "bsopt", version: "0.0.0-test", description: "The server under test." },
    ...(options.limits && { limits: options.limits }),
    ...(options.sockets && { sockets: options.sockets }),
    ...(options.onFailed && { onFailed: options.onFailed }),
    ...(options.onRefused && { onRefused: options.onRefused }),
    ...(options.onAnswered && { onAnswered: options.onAnswered }),
  });
  return {
    server,
    call: async (method, path, call = {}) => answerOf(await server.handle(requestFor(method, path, call))),
    listen: () => server.listen({ host: "127.0.0.1", port: 0 }),
    close: () => server.drain(),
  };
}

/** The request as a client over a socket would send it, length and host included. */
export function requestFor(method: string, path: string, call: CallOptions = {}): Request {
  const headers = new Headers({ host: "localhost", ...keyHeaders(call.key) });
  let body: Uint8Array<ArrayBuffer> | undefined;
  if (call.body !== undefined) {
    body =
      call.body instanceof Uint8Array
        ? new Uint8Array(call.body)
        : new TextEncoder().encode(typeof call.body === "string" ? call.body : JSON.stringify(call.body));
    headers.set("content-type", "application/json");
    headers.set("content-length", String(body.byteLength));
  }
  for (const [name, value] of Object.entries(call.headers ?? {})) headers.set(name, value);
  return new Request(`http://localhost${path}`, { method, headers, ...(body && { body }) });
}

export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, text, json };
}

function keyHeaders(key: string | undefined): Record<string, string> {
  if (key === undefined) return {};
  return { "x-api-key": (roles as readonly string[]).includes(key) ? `bso_test_${key}` : key };
}
