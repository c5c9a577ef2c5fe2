// The composition root: builds every part once, hands each what it needs, and stops them in order. Read from top to
// bottom it tells what the process consists of. No part reaches another but through here.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type KeyFile, openKeyFile } from "./adapters/key-file";
import { masterKeyFileName, masterKeyMark, openMasterKey } from "./adapters/master-key";
import { createNames, type Names } from "./adapters/names";
import { createFolderMailer } from "./adapters/smtp/folder-mailer";
import { type Mailer, parseSender } from "./adapters/smtp/mail";
import { parseSmtpUrl } from "./adapters/smtp/server-address";
import { createServerMailer } from "./adapters/smtp/server-mailer";
import { backupPlaceOf } from "./app/backup-place";
import { openBuckets } from "./app/buckets";
import { databaseProbe } from "./app/database-probe";
import { errorAlertHandlers, openErrorTracking } from "./app/error-tracking";
import { type Events, eventTopic, openEvents } from "./app/events";
import { openLiveMarket } from "./app/live-market";
import { documentInfo, featureRoutes } from "./app/routes";
import { settingChecks } from "./app/setting-checks";
import { healthView, openStreaming } from "./app/streaming";
import { everyTable } from "./app/tables";
import { openTraces, tracedStorage } from "./app/traces";
import { type OnUnforeseen, watchUnforeseen } from "./app/unforeseen";
import { warmUp } from "./app/warm-up";
import type { BuildInfo } from "./config/build-info";
import { type Config, type ConfigSources, usableStored } from "./config/config";
import type { LiveConfig } from "./config/live";
import type { Calendars } from "./domain/business-calendar";
import { serviceLevelOf, serviceLevels } from "./domain/service-level";
import type { Engine } from "./engine/engine";
import { type Audit, createAudit } from "./features/audit/service";
import { readChanged } from "./features/configuration/repository";
import { createConfiguration } from "./features/configuration/service";
import type { ErrorTracking } from "./features/errors/service";
import { agentsProbe, createHealth, type Probe } from "./features/health/service";
import { createIdentity, type Identity } from "./features/identity/service";
import { createKeys, type Keys } from "./features/keys/service";
import { createLogin, loginPersonalData } from "./features/login/service";
import { createMetricsService, observeHealth, observeStorage } from "./features/metrics/service";
import { createOperations } from "./features/operations/service";
import { createPricing } from "./features/pricing/service";
import { createRegistration, type Registration } from "./features/registration/service";
import { createSessions, sessionPolicyOf, sessionsPersonalData } from "./features/sessions/service";
import { subscriptionsPersonalData } from "./features/subscriptions/service";
import { openTokens } from "./features/tokens/service";
import type { Agent } from "./foundation/agent";
import type { Clock } from "./foundation/clock";
import { BsoptError } from "./foundation/errors";
import type { Log } from "./foundation/log";
import { argon2id, createPasswordHasher, type SlowHash } from "./foundation/password-hasher";
import { threadedHash } from "./foundation/password-thread";
import type { Random } from "./foundation/random";
import { createSecretBox, type SecretBox } from "./foundation/secret-box";
import { createDeprecationLog } from "./http/deprecation";
import { createLimits } from "./http/limits";
import { createRequestLog } from "./http/request-log";
import { createRequestMetrics } from "./http/request-metrics";
import type { Route } from "./http/routes";
import { type Answered, createServer } from "./http/server";
import { find } from "./storage/idempotency";
import { parseDatabaseAddress } from "./storage/location";
import { createOutbox, type Outbox } from "./storage/outbox";
import { openSafety } from "./storage/safety";
import { openStorage, type Storage, type StorageObserver } from "./storage/storage";
import { LatencyBook } from "./telemetry/latency";
import { createMetrics } from "./telemetry/metrics";
import { processReader } from "./telemetry/process-readings";

interface Surroundings {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

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

export { everyTable };

export interface OpenedIdentity {
  readonly identity: Identity;
  readonly keys: Keys;
  readonly registration: Registration;
  readonly keyFile: KeyFile;
  close(): Promise<void>;
}

export interface OpenedAudit {
  readonly audit: Audit;
  close(): Promise<void>;
}

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
  const liveMarket = openLiveMarket({ ...surroundings, storage, audit, calendars: options.calendars });
  agents.push(...streaming.agents, ...liveMarket.agents);
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

function openDatabase(
  options: Surroundings,
  watching: { readonly onFatal?: (error: unknown) => void; readonly observer?: StorageObserver } = {},
): Promise<Storage> {
  const { config, clock, random, log } = options;
  return openStorage({
    url: config.storage.databaseUrl,
    server: config.storage.databaseServer,
    clock,
    random,
    log,
    tables: everyTable,
    ...watching,
  });
}

/** What seals and chains, over the data folder's master key; built once a process, handed to whoever keeps secrets. */
export function openSecretBox({ config, random }: Pick<Surroundings, "config" | "random">): SecretBox {
  return createSecretBox(openMasterKey(config.storage.dataDirectory, random), random);
}

function openAuditOn(
  storage: Storage,
  secretBox: SecretBox,
  options: Surroundings,
  // A command's own events wait for a server to publish them.
  events: Pick<Events, "onAppended"> | null = openEvents({ ...options, waitingCount: () => 0 }),
): Audit {
  const { config, clock, random, log } = options;
  const { retentionDays, exportRowsMax } = config.audit;
  const key = secretBox.keyFor("audit");
  const limits = { exportRowsMax };
  return createAudit({
    storage,
    clock,
    random,
    log,
    key,
    retentionDays,
    limits,
    ...(events && { onAppended: events.onAppended }),
  });
}

/** The audit log of the configured database without a server. Makes nothing: throws `not-found` where there is no database or key. */
export async function openAudit(options: Surroundings): Promise<OpenedAudit> {
  const { config, clock, random, log } = options;
  const hint = "Name the folder with --data-dir or BSOPT_DATA_DIR.";
  const address = parseDatabaseAddress(config.storage.databaseUrl);
  if (address.kind === "file" && !existsSync(address.path)) {
    throw new BsoptError({ reason: "not-found", code: "DATABASE_MISSING", detail: "There is no database.", hint });
  }
  if (!existsSync(join(config.storage.dataDirectory, masterKeyFileName))) {
    const detail = `There is no file ${masterKeyFileName} in the data folder.`;
    throw new BsoptError({ reason: "not-found", code: "MASTER_KEY_MISSING", detail, hint });
  }
  const secretBox = openSecretBox(options);
  const { databaseUrl: url, databaseServer: server } = config.storage;
  const storage = await openStorage({ url, server, clock, random, log, tables: everyTable, migrate: false });
  return { audit: openAuditOn(storage, secretBox, options), close: () => storage.close() };
}

/** What was changed while servers ran, without a server; empty where there is no database yet. */
export async function readChangedSettings(options: Surroundings): Promise<Readonly<Record<string, unknown>>> {
  const { config, clock, random, log } = options;
  const { databaseUrl: url, databaseServer: server } = config.storage;
  const address = parseDatabaseAddress(url, server);
  if (address.kind === "file" && !existsSync(address.path)) return {};
  const storage = await openStorage({ url, server, clock, random, log, tables: everyTable, migrate: false });
  try {
    return usableStored((await readChanged(storage.read)).settings).usable;
  } finally {
    await storage.close();
  }
}

function adminKeyFile(config: Config): KeyFile {
  return openKeyFile(join(config.storage.dataDirectory, "admin-api-key"));
}

function mailFolder(config: Config): string {
  return join(config.storage.dataDirectory, "mail");
}

/** What takes mails: the configured server, else a folder. Throws `invalid` where a setting says nothing that can be used. */
export function openMailer(config: Config, names?: Names): Mailer {
  const sender = parseSender(config.mail.from);
  if (sender === null) {
    throw new BsoptError({
      reason: "invalid",
      code: "MAIL_FROM_INVALID",
      detail: "The sender of mails is no address.",
      hint: "BSOPT_MAIL_FROM is an address, or a name and an address in angle brackets.",
    });
  }
  return config.mail.smtpUrl === null
    ? createFolderMailer({ folder: mailFolder(config), sender })
    : createServerMailer({ server: parseSmtpUrl(config.mail.smtpUrl), sender, names });
}

interface PeopleParts {
  readonly storage: Storage;
  readonly audit: Audit;
  readonly mailer: Mailer;
  readonly events?: Events | null;
  readonly publicUrl: () => string;
  /** The runtime's own unless a server brings threads that go after others. */
  readonly slowHash?: SlowHash;
}

/** Users, their keys and their passwords; each part that holds something about people is named here, so that erasing and exporting reach it. */
function createPeople(
  { config, clock, random, log }: Surroundings,
  { storage, audit, mailer, events = null, publicUrl, slowHash = argon2id }: PeopleParts,
): { identity: Identity; keys: Keys; registration: Registration; outbox: Outbox } {
  const personalData = () => [
    keys.personalData,
    registration.personalData,
    sessionsPersonalData(storage),
    loginPersonalData(storage),
    subscriptionsPersonalData(storage),
  ];
  const identity = createIdentity({ storage, clock, random, log, audit, personalData });
  const keys = createKeys({ storage, identity, audit, clock, random, log, isEnabled: config.keys.isEnabled });
  const registration = createRegistration({
    storage,
    people: identity,
    audit,
    // One at a time: that is what its thread does, and a core is what sign-ins may cost.
    hasher: createPasswordHasher({ concurrency: 1, slowHash, clock }),
    sendMail: (mail, signal) => mailer.send(mail, signal),
    pendingMessageCount: () => outbox.statistics().pendingCount,
    get mode() {
      return config.registration;
    },
    publicUrl,
    clock,
    random,
    log,
  });
  const outbox = createOutbox({
    ...{ storage, clock, random, log },
    handlers: {
      ...registration.handlers,
      ...errorAlertHandlers({ config, clock }),
      ...(events && { [eventTopic]: events.handler }),
    },
    gates: { [eventTopic]: () => events?.stream.isReachable ?? false },
  });
  return { identity, keys, registration, outbox };
}

/** Identity on the configured database without a server, for commands beside one. What they have to mail a server sends. */
export async function openIdentity(options: Surroundings): Promise<OpenedIdentity> {
  const storage = await openDatabase(options);
  const audit = openAuditOn(storage, openSecretBox(options), options);
  const mailer = openMailer(options.config);
  const publicUrl = () => options.config.publicUrl ?? "";
  const { identity, keys, registration } = createPeople(options, { storage, audit, mailer, publicUrl });
  return {
    identity,
    keys,
    registration,
    keyFile: adminKeyFile(options.config),
    async close() {
      await keys.close();
      identity.close();
      await audit.close();
      await storage.close();
    },
  };
}
