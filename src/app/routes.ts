// Every route there is, over whatever stands behind it: the running application's services, or none where only the declarations are
// wanted. Separate from app.ts, which builds the services. It must never build one.

import type { UnderlyingBook } from "../book/book";
import type { BuildInfo } from "../config/build-info";
import type { Config } from "../config/config";
import type { Authenticator } from "../domain/principal";
import { auditRoutes } from "../features/audit";
import type { Audit } from "../features/audit/service";
import { configurationRoutes } from "../features/configuration";
import type { Configuration } from "../features/configuration/service";
import { errorsRoutes } from "../features/errors";
import type { ErrorTracking } from "../features/errors/service";
import { feedsRoutes } from "../features/feeds";
import type { Feeds } from "../features/feeds/service";
import { healthRoutes } from "../features/health";
import type { Health } from "../features/health/service";
import { historyRoutes } from "../features/history";
import type { History } from "../features/history/service";
import { identityRoutes } from "../features/identity";
import type { Identity } from "../features/identity/service";
import { instrumentsRoutes } from "../features/instruments";
import type { Instruments } from "../features/instruments/service";
import { keysRoutes } from "../features/keys";
import type { Keys } from "../features/keys/service";
import { loginRoutes } from "../features/login";
import type { Login } from "../features/login/service";
import { marketRoutes } from "../features/market";
import type { Market } from "../features/market/service";
import { metricsRoutes } from "../features/metrics";
import type { MetricsService } from "../features/metrics/service";
import { modeRoutes } from "../features/mode";
import type { Mode } from "../features/mode/service";
import { operationsRoutes } from "../features/operations";
import type { Operations } from "../features/operations/service";
import { pricingRoutes } from "../features/pricing";
import type { PricingService } from "../features/pricing/service";
import { registrationRoutes } from "../features/registration";
import type { Registration } from "../features/registration/service";
import { sessionsRoutes } from "../features/sessions";
import type { Sessions } from "../features/sessions/service";
import { streamingRoutes } from "../features/streaming";
import type { Tickets } from "../features/streaming/service";
import { subscriptionsRoutes } from "../features/subscriptions";
import type { Subscriptions } from "../features/subscriptions/service";
import { tokensRoutes } from "../features/tokens";
import type { Tokens } from "../features/tokens/service";
import { InvariantError } from "../foundation/assert";
import type { Clock } from "../foundation/clock";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import { basicCredentialsOf, clearedSessionCookie, sessionCookie } from "../http/credentials";
import { type DocumentInfo, openApiDocument } from "../http/openapi";
import {
  acceptedFormatOf,
  idempotencyOf,
  markUnavailable,
  originOf,
  principalOf,
  recordOptions,
  recordTiming,
  sessionCookieOf,
} from "../http/request-context";
import { createServer, type HttpServer } from "../http/server";

/** What stands behind the routes. */
export interface Services {
  readonly health: Health;
  readonly metrics: MetricsService;
  readonly operations: Operations;
  readonly audit: Audit;
  readonly errors: ErrorTracking;
  readonly configuration: Configuration;
  readonly identity: Identity;
  readonly keys: Keys;
  readonly registration: Registration;
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly login: Login;
  readonly pricing: PricingService;
  readonly tickets: Tickets;
  readonly feeds: Pick<Feeds, "statuses">;
  readonly instruments: Instruments;
  readonly history: History;
  readonly mode: Mode;
  readonly market: Market<UnderlyingBook>;
  readonly clock: Clock;
  readonly subscriptions: Subscriptions;
}

/** Every route there is. A new feature is one line here. */
export function featureRoutes(services: Services, config: Config) {
  const {
    health,
    operations,
    audit,
    errors,
    configuration,
    identity,
    keys,
    registration,
    tokens,
    sessions,
    login,
    pricing,
    tickets,
  } = services;
  return [
    healthRoutes({ health, markUnavailable }),
    metricsRoutes({ metrics: services.metrics }),
    operationsRoutes({ operations }),
    auditRoutes({ audit, principalOf, originOf, acceptedFormatOf }),
    errorsRoutes({ errors, principalOf, originOf }),
    configurationRoutes({ configuration, principalOf, originOf, idempotencyOf }),
    identityRoutes({ identity, principalOf, originOf }),
    keysRoutes({ keys, principalOf, originOf, idempotencyOf }),
    registrationRoutes({ registration, principalOf, originOf, idempotencyOf }),
    tokensRoutes({ tokens, principalOf, originOf, idempotencyOf }),
    sessionsRoutes({ sessions, principalOf, originOf, sessionCookieOf, clearedCookie: clearedSessionCookie }),
    streamingRoutes({ tickets, principalOf }),
    modeRoutes({ mode: services.mode }),
    feedsRoutes({ feeds: services.feeds }),
    historyRoutes({ history: services.history, acceptedFormatOf }),
    subscriptionsRoutes({ subscriptions: services.subscriptions, principalOf, originOf, idempotencyOf }),
    instrumentsRoutes({
      instruments: services.instruments,
      ...{ principalOf, originOf, idempotencyOf, acceptedFormatOf },
      limits: {
        get jsonBytesMax() {
          return config.http.batchBytesMax;
        },
        get textBytesMax() {
          return config.http.tableBytesMax;
        },
        get rowsMax() {
          return config.pricing.tableRowsMax;
        },
      },
    }),
    marketRoutes({
      market: services.market,
      instruments: services.instruments,
      ...{ clock: services.clock, acceptedFormatOf },
      limits: {
        get batchBytesMax() {
          return config.http.batchBytesMax;
        },
        get tableBytesMax() {
          return config.http.tableBytesMax;
        },
      },
    }),
    loginRoutes({ login, principalOf, originOf, sessionCookie, basicCredentialsOf }),
    pricingRoutes({
      pricing,
      recordTiming,
      recordOptions,
      acceptedFormatOf,
      limits: {
        get batchBytesMax() {
          return config.http.batchBytesMax;
        },
        get tableBytesMax() {
          return config.http.tableBytesMax;
        },
        get tableRowsMax() {
          return config.pricing.tableRowsMax;
        },
      },
    }),
  ];
}

/** What the API's document says of itself. */
export function documentInfo(build: BuildInfo): DocumentInfo {
  return {
    title: "bsopt",
    version: build.version,
    description: "Option prices, Greeks and implied volatilities.",
  };
}

/** The OpenAPI document of the server this would be, without opening anything. */
export function apiDocument(options: DeclarationOptions): object {
  return openApiDocument(declaredServer(options).routes.routes, documentInfo(options.build));
}

export interface DeclarationOptions {
  readonly config: Config;
  readonly build: BuildInfo;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/**
 * The server with every route's declaration and no service behind: whoever is let in finds nothing there. For the documents made from
 * the declarations, and for asking the gate alone who is let in where.
 */
export function declaredServer(options: DeclarationOptions, authenticator: Authenticator = absent()): HttpServer {
  const { config, build, clock, random, log } = options;
  const services: Services = {
    health: absent(),
    metrics: absent(),
    operations: absent(),
    audit: absent(),
    errors: absent(),
    configuration: absent(),
    identity: absent(),
    keys: absent(),
    registration: absent(),
    tokens: absent(),
    sessions: absent(),
    login: absent(),
    pricing: absent(),
    tickets: absent(),
    feeds: absent(),
    instruments: absent(),
    history: absent(),
    mode: absent(),
    market: absent(),
    clock,
    subscriptions: absent(),
  };
  return createServer({
    features: featureRoutes(services, config),
    authenticator,
    idempotencyStore: absent(),
    config: config.http,
    log,
    clock,
    random,
    documents: documentInfo(build),
  });
}

/** Stands where only the routes' declarations are wanted: using it is a mistake. */
function absent<T extends object>(): T {
  return new Proxy({} as T, {
    get: (_, name) => {
      throw new InvariantError(`${String(name)} was used of a service that is absent`);
    },
  });
}
