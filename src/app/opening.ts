// What the process's parts are opened with, and those of them that commands use beside a server: the database, what seals, the audit log, people.
// Separate from app.ts, which composes a whole server of them.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type KeyFile, openKeyFile } from "../adapters/key-file";
import { masterKeyFileName, openMasterKey } from "../adapters/master-key";
import type { Names } from "../adapters/names";
import { createFolderMailer } from "../adapters/smtp/folder-mailer";
import { type Mailer, parseSender } from "../adapters/smtp/mail";
import { parseSmtpUrl } from "../adapters/smtp/server-address";
import { createServerMailer } from "../adapters/smtp/server-mailer";
import { type Config, usableStored } from "../config/config";
import { type Audit, createAudit } from "../features/audit/service";
import { readChanged } from "../features/configuration/repository";
import { createIdentity, type Identity } from "../features/identity/service";
import { createKeys, type Keys } from "../features/keys/service";
import { loginPersonalData } from "../features/login/service";
import { createRegistration, type Registration } from "../features/registration/service";
import { sessionsPersonalData } from "../features/sessions/service";
import { subscriptionsPersonalData } from "../features/subscriptions/service";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import type { Log } from "../foundation/log";
import { argon2id, createPasswordHasher, type SlowHash } from "../foundation/password-hasher";
import type { Random } from "../foundation/random";
import { createSecretBox, type SecretBox } from "../foundation/secret-box";
import { parseDatabaseAddress } from "../storage/location";
import { createOutbox, type Outbox } from "../storage/outbox";
import { openStorage, type Storage, type StorageObserver } from "../storage/storage";
import { errorAlertHandlers } from "./error-tracking";
import { type Events, eventTopic, openEvents } from "./events";
import { everyTable } from "./tables";

export interface OpenedAudit {
  readonly audit: Audit;
  close(): Promise<void>;
}

export interface OpenedIdentity {
  readonly identity: Identity;
  readonly keys: Keys;
  readonly registration: Registration;
  readonly keyFile: KeyFile;
  close(): Promise<void>;
}

export interface Surroundings {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export function openDatabase(
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

export function openAuditOn(
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

export function adminKeyFile(config: Config): KeyFile {
  return openKeyFile(join(config.storage.dataDirectory, "admin-api-key"));
}

export function mailFolder(config: Config): string {
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
export function createPeople(
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
