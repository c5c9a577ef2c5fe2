// The composition root: builds every part once, hands each what it needs, and stops them in order. Read from top to
// bottom it tells what the process consists of. No part reaches another but through here.

import { masterKeyMark } from "./adapters/master-key";
import { createNames } from "./adapters/names";
import { parseSmtpUrl } from "./adapters/smtp/server-address";
import { backupPlaceOf } from "./app/backup-place";
import { openBuckets } from "./app/buckets";
import { databaseProbe } from "./app/database-probe";
import { openErrorTracking } from "./app/error-tracking";
import { type Events, openEvents } from "./app/events";
import { openLiveMarket } from "./app/live-market";
import { openMarketSharing } from "./app/market-sharing";
import {
  adminKeyFile,
  createPeople,
  mailFolder,
  openAuditOn,
  openDatabase,
  openMailer,
  openSecretBox,
} from "./app/opening";
import { documentInfo, featureRoutes } from "./app/routes";
import { settingChecks } from "./app/setting-checks";
import { healthView, openStreaming } from "./app/streaming";
import { openTraces, tracedStorage } from "./app/traces";
import { type OnUnforeseen, watchUnforeseen } from "./app/unforeseen";
import { warmUp } from "./app/warm-up";
import type { BuildInfo } from "./config/build-info";
import type { ConfigSources } from "./config/config";
import type { LiveConfig } from "./config/live";
import type { Calendars } from "./domain/business-calendar";
import { serviceLevelOf, serviceLevels } from "./domain/service-level";
import type { Engine } from "./engine/engine";
import { createConfiguration } from "./features/configuration/service";
import type { ErrorTracking } from "./features/errors/service";
import { agentsProbe, createHealth, type Probe } from "./features/health/service";
import { createLogin } from "./features/login/service";
import { createMetricsService, observeHealth, observeStorage } from "./features/metrics/service";
import { createOperations } from "./features/operations/service";
import { createPricing } from "./features/pricing/service";
import { createSessions, sessionPolicyOf } from "./features/sessions/service";
import { openTokens } from "./features/tokens/service";
import type { Agent } from "./foundation/agent";
import type { Clock } from "./foundation/clock";
import type { Log } from "./foundation/log";
import { threadedHash } from "./foundation/password-thread";
import type { Random } from "./foundation/random";
import { createDeprecationLog } from "./http/deprecation";
import { createLimits } from "./http/limits";
import { createRequestLog } from "./http/request-log";
import { createRequestMetrics } from "./http/request-metrics";
import type { Route } from "./http/routes";
import { type Answered, createServer } from "./http/server";
import { find } from "./storage/idempotency";
import { openSafety } from "./storage/safety";
import { LatencyBook } from "./telemetry/latency";
import { createMetrics } from "./telemetry/metrics";
import { processReader } from "./telemetry/process-readings";

export interface AppOptions {
  readonly live: LiveConfig;
  /** Reads the settings file anew; left out, there is none. */
  readonly readFile?: () => Promise<ConfigSources["file"]>;
  readonly build: BuildInfo;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Calls for each error that nobody caught, until told to stop. */
  readonly onUnforeseen?: OnUnforeseen;
  /** What business/252 can count by; those built in unless the user has more. */
  readonly calendars?: Calendars;
  /** The module that threads for storage and for passwords start from; the process's own unless a test brings another. */
  readonly entrance?: string;
}

export {
  type OpenedAudit,
  type OpenedIdentity,
  openAudit,
  openIdentity,
  openMailer,
  openSecretBox,
  readChangedSettings,
} from "./app/opening";
export { everyTable } from "./app/tables";

export interface App {
  /** Where the server listens, without a slash at the end. */
  readonly url: string;
  /** The first administrator's key on the start that made it, and the file that keeps it. */
  readonly firstAdminKey: { readonly text: string; readonly path: string } | null;
  /** Rejects where the process must end: storage cannot promise anything any more. */
  readonly failed: Promise<never>;
  /** Reads the settings file anew, where all of it is right; what was wrong is in the log. Never rejects. */
  reload(): Promise<void>;
  /** Drains the server, then stops what stands behind it. */
  stop(): Promise<void>;
}

/** Opens storage, makes the first key where there is none, starts the loops and listens. Throws BsoptErrors in words. */
export async function createApp(options: AppOptions): Promise<App> {
  const { live, build, engine, clock, random, log } = options;
  // Reads through to what holds at the moment: what may change is never taken out of it here, or only by a getter.
  const { config } = live;
  const surroundings = { config, clock, random, log };

  const { promise: failed, reject: fail } = Promise.withResolvers<never>();
  // Whoever waits sees the failure; where nobody does yet, it must not count as unhandled.
  failed.catch(() => undefined);
  const metrics = createMetrics();
  let tracking: ErrorTracking | null = null;
  const unforeseen = watchUnforeseen(options.onUnforeseen, {
    ...{ log, fail },
    record: (occurrence) => tracking?.record(occurrence),
  });
  const names = createNames({ clock });
  const traces = openTraces({ ...surroundings, build, names });
  const storage = await openDatabase(surroundings, {
    onFatal: fail,
    observer: tracedStorage(observeStorage(metrics), traces?.tracing),
  });
  const secretBox = openSecretBox({ config, random });
  const events: Events | null = openEvents({ ...surroundings, waitingCount: () => outbox.statistics().gatedCount });
  const audit = openAuditOn(storage, secretBox, surroundings, events);
  const errors = openErrorTracking({ ...surroundings, build, storage, audit });
  tracking = errors;
  let routes: readonly Route[] | undefined;
  const configuration = createConfiguration({
    ...{ live, storage, audit, clock, log, readFile: options.readFile ?? null },
    checks: () => settingChecks(routes && (() => routes as readonly Route[])),
  });
  // Before anything reads what may have been changed.
  await configuration.refresh();
  let url = "";
  const mailer = openMailer(config, names);
  const entrance = options.entrance ?? Bun.main;
  const slowHash = threadedHash(entrance, clock);
  const people = createPeople(surroundings, {
    storage,
    audit,
    mailer,
    events,
    slowHash,
    publicUrl: () => config.publicUrl ?? url,
  });
  const { identity, keys, registration, outbox } = people;
  if (config.mail.smtpUrl === null) {
    log.info({ folder: mailFolder(config) }, "no mail server is configured: mails are written to this folder");
  } else if (parseSmtpUrl(config.mail.smtpUrl).encryption === "off") {
    log.warn({}, "mails, and the mail server's password, go over the network in clear (tls=off)");
  }
  const keyFile = adminKeyFile(config);
  const firstKeyText = await keys.ensureFirstAdminKey(keyFile);
  const { login: loginConfig } = config;
  const tokens = await openTokens({
    storage,
    secretBox,
    audit,
    clock,
    random,
    log,
    get lifetimeSeconds() {
      return loginConfig.accessTokenSeconds;
    },
    keyDays: loginConfig.signingKeyDays,
  });
  const policy = sessionPolicyOf(loginConfig);
  const sessions = createSessions({ storage, identity, keys, tokens, audit, secretBox, policy, clock, random, log });

  const buckets = await openBuckets({ ...surroundings, names });
  const login = createLogin({
    storage,
    identity,
    keys,
    registration,
    tokens,
    sessions,
    audit,
    buckets: buckets.store,
    secretBox,
    clock,
    random,
    log,
  });
  const pricing = createPricing({
    engine,
    clock,
    get batchRowsMax() {
      return config.pricing.batchRowsMax;
    },
    get tableRowsMax() {
      return config.pricing.tableRowsMax;
    },
    ...(options.calendars && { calendars: options.calendars }),
  });
  const safety = openSafety({
    ...{ storage, ...config.storage, build, clock, random, log, entrance },
    masterKeyMark: masterKeyMark(config.storage.dataDirectory, random),
    backupPlace: () => backupPlaceOf(config.storage.backups?.folder ?? "", config, clock),
  });
  const sharing = openMarketSharing({
    ...{ ...surroundings, storage, secretBox, names, metrics },
    answerFor: (request) => server.answerFor(request),
  });
  const liveMarket = openLiveMarket({
    ...{ ...surroundings, storage, audit, engine, metrics, entrance, isLeading: () => sharing.isLeading },
    ...{ tracing: traces?.tracing, calendars: options.calendars },
  });
  const agents: Agent[] = [
    ...safety.agents,
    ...buckets.agents,
    ...storage.agents,
    ...audit.agents,
    ...errors.agents,
    configuration.agent,
    ...keys.agents,
    ...tokens.agents,
    ...sessions.agents,
    ...login.agents,
    ...outbox.agents,
    ...(events ? [events.stream.agent] : []),
    ...registration.agents,
    ...(traces ? [traces.exporter.agent] : []),
    ...liveMarket.agents,
    ...sharing.agents,
  ];
  const probes: Probe[] = [
    databaseProbe(storage),
    ...(config.mail.smtpUrl === null
      ? []
      : [
          {
            component: "smtp",
            isRequired: false,
            check: () => mailer.check().then(() => ({ status: "ok" as const })),
          },
        ]),
    ...(events ? [events.probe] : []),
    agentsProbe(() => agents),
    ...buckets.probes,
    ...safety.probes,
    ...liveMarket.probes,
    ...sharing.probes,
  ];
  const health = createHealth({
    probes,
    ...observeHealth(
      metrics,
      probes.map(({ component }) => component),
    ),
    clock,
    isDraining: () => server.isDraining,
    get eventLoopLagMillisecondsMax() {
      return config.http.eventLoopLagMillisecondsMax;
    },
  });
  agents.push(health.heartbeat);
  const streaming = openStreaming({
    ...{ ...surroundings, storage, sessions, audit, metrics },
    readiness: () => health.readiness().then(healthView),
  });
  agents.push(...streaming.agents);
  liveMarket.stream(sharing.attach(streaming.hub));
  const latencies = new LatencyBook(serviceLevels.map(({ name }) => name));
  const operations = createOperations({
    build,
    environment: config.environment,
    engine: engine.info,
    agents: () => agents,
    counters: [],
    lastHeartbeat: health.lastHeartbeat,
    latencies,
    clock,
  });

  const metricsService = createMetricsService({
    metrics,
    build,
    engine,
    database: () => storage.statistics(),
    outbox: () => outbox.statistics(),
    eventsDropped: () => events?.droppedCount ?? 0,
    backups: safety.backups,
    unforeseen: () => unforeseen.counts,
    agents: () => agents,
    spans: () => traces?.exporter.statistics() ?? { sentCount: 0, droppedCount: 0 },
    readProcess: processReader(),
    check: () => health.readiness(),
    clock,
  });

  const limits = createLimits({ ...config.limits, store: buckets.store, clock });
  const server = createServer({
    features: featureRoutes(
      {
        health,
        metrics: metricsService,
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
        tickets: streaming.tickets,
        ...liveMarket.services,
      },
      config,
    ),
    authenticator: streaming.authenticator,
    sockets: streaming.sockets,
    elsewhere: sharing.elsewhere,
    idempotencyStore: { find: (scope) => find(storage.read, scope) },
    limits,
    config: config.http,
    log,
    clock,
    random,
    documents: documentInfo(build),
    ...(traces && { tracing: traces.tracing }),
    onFailed: ({ error, route, traceId }) => errors.record({ error, kind: "request", route, traceId }),
    onRefused: ({ kind, code, method, route, userId, origin }) =>
      audit.note({
        // Whoever comes too often may be allowed all the same: a limit is no decision about rights.
        eventType: kind === "too-many-requests" ? "limit.exceeded" : "authz.access.denied",
        userId,
        resource: route,
        action: method,
        status: "failure",
        details: { kind, code },
        origin,
      }),
    onAnswered: (answered) => {
      countRequest(answered);
      logRequest(answered);
      logDeprecated(answered);
      recordLatency(latencies, answered);
    },
  });
  ({ routes } = server.routes);
  live.onChange(() => limits.change({ ...config.limits }));
  const logRequest = createRequestLog({
    log,
    get isEveryLogged() {
      return config.log.level === "debug";
    },
    get slowRequestMilliseconds() {
      return config.log.slowRequestMilliseconds;
    },
  });
  const logDeprecated = createDeprecationLog({ log, clock });
  const countRequest = createRequestMetrics({
    metrics,
    routes: server.routes.routes,
    requestsInFlight: () => server.underWayCount,
    requestsShed: () => server.shedCount,
    requestsWaiting: () => server.waitingCount,
    endpointLimitCount: config.limits.endpoints.length,
  });
  const stopBehindServer = async () => {
    safety.close();
    streaming.close();
    await liveMarket.close();
    await sharing.close();
    for (const agent of agents) await agent.stop();
    await traces?.close();
    await engine.stop();
    slowHash.stop();
    await sessions.close();
    tokens.close();
    await keys.close();
    identity.close();
    configuration.close();
    await errors.close();
    await audit.close();
    await events?.stream.close();
    await storage.close();
    buckets.close();
    unforeseen.forget();
  };
  for (const agent of agents) agent.start();
  await sharing.begin(liveMarket.led);
  try {
    ({ url } = server.listen({ host: config.http.host, port: config.http.port }));
  } catch (error) {
    await stopBehindServer();
    throw error;
  }
  log.info({ url, commit: build.commit }, "listening");
  const warm = warmUp([engine.warmUp(), server.warmUp()], { clock, isDone: () => server.isDraining });

  return {
    url,
    firstAdminKey: firstKeyText === null ? null : { text: firstKeyText, path: keyFile.path },
    failed,
    reload: () => configuration.reload(),
    async stop() {
      log.info({}, "stopping");
      await server.drain();
      await warm;
      await stopBehindServer();
      log.info({}, "stopped");
    },
  };
}

/** Only what was answered as asked counts for the published latencies. */
function recordLatency(latencies: LatencyBook, { route, problem, optionCount, milliseconds }: Answered): void {
  if (route === null || problem !== null) return;
  const level = serviceLevelOf(route.detail.operationId ?? "", optionCount);
  if (level) latencies.record(level.name, milliseconds);
}
