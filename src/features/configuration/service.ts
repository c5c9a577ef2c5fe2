// Settings that change while the server runs: by a request, which is kept in the database and reaches every server on it, or by
// reading the file anew. Separate from config/, which knows no database. Invariants:
//   1. Nothing is adopted, here or elsewhere, unless all of it is right; every fault is told at once.
//   2. A change, its audit lines and its stored answer are one transaction; it is adopted here only once that stands.
//   3. Flags and the environment are stronger than a change: one that could not hold here is refused, not kept silently.
//   4. What an older or newer executable left that this one cannot use is left out and told, and never stops a start.

import type { ConfigSources, SettingCheck } from "../../config/config";
import { usableStored } from "../../config/config";
import type { LiveConfig, PreparedConfig } from "../../config/live";
import type { SettingKey } from "../../config/settings";
import { noOrigin, type RequestOrigin } from "../../domain/principal";
import { Agent } from "../../foundation/agent";
import { type Clock, formatTimestamp } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import type { Log } from "../../foundation/log";
import { finish, type IdempotencyTicket } from "../../storage/idempotency";
import type { Storage, Tx } from "../../storage/storage";
import type { Audit } from "../audit/service";
import type { ConfigChange, ConfigOnWire } from "./model";
import { type ChangedSettings, readChanged, writeChanged } from "./repository";
import { changedBy, heldFaults, settingsOnWire, wordOf } from "./rules";

export interface ConfigurationOptions {
  readonly live: LiveConfig;
  readonly storage: Pick<Storage, "write" | "read" | "onForeignWrite">;
  readonly audit: Pick<Audit, "append">;
  readonly clock: Clock;
  readonly log: Log;
  /** Rules that schemas cannot say; asked for at each change, for some are known only once the server stands. */
  readonly checks: () => readonly SettingCheck[];
  /** Reads the file anew. Null: there is no file to look for, and reading anew changes nothing. */
  readonly readFile: (() => Promise<ConfigSources["file"]>) | null;
}

export interface Told {
  readonly etag: string;
  readonly config: ConfigOnWire;
}

export interface Configuration {
  /** Every setting as it holds in this process. */
  show(): Told;
  /**
   * Changes settings for every server on the database. Throws `invalid` CONFIGURATION_INVALID with every fault, `conflict` SETTING_HELD, `outdated`
   * CONFIGURATION_CHANGED where `ifMatch` names another revision.
   */
  change(request: {
    readonly change: ConfigChange;
    readonly userId: string;
    readonly origin: RequestOrigin;
    /** The header as it came; null: whatever the revision. */
    readonly ifMatch: string | null;
    readonly idempotency: IdempotencyTicket | null;
  }): Promise<Told>;
  /** Reads the file anew and adopts it where all of it is right; else logs every fault and changes nothing. Never throws. */
  reload(): Promise<void>;
  /** Takes over what was changed at run time; once before anything reads the settings, then whenever others wrote. */
  refresh(): Promise<void>;
  readonly agent: Agent;
  close(): void;
}

const watchMilliseconds = 250;
const failuresMax = 5;

export function createConfiguration(options: ConfigurationOptions): Configuration {
  const { live, storage, audit, clock, log, checks } = options;
  let changed: ChangedSettings = { revision: 0, settings: {}, changedAt: null };
  let isStale = false;
  const stopListening = storage.onForeignWrite(() => {
    isStale = true;
  });

  function told(prepared: Pick<PreparedConfig, "settled" | "waiting">, { revision, changedAt }: ChangedSettings): Told {
    return {
      etag: `"${revision}"`,
      config: {
        revision,
        changed_at: changedAt === null ? null : formatTimestamp(changedAt),
        settings: settingsOnWire(prepared.settled, prepared.waiting),
      },
    };
  }

  async function refresh(): Promise<void> {
    const found = await readChanged(storage.read);
    if (found.revision <= changed.revision) return;
    const { usable, unusable } = usableStored(found.settings);
    if (unusable.length > 0) log.warn({ settings: unusable }, "settings changed at run time that are of no use here");
    try {
      adopt(live.prepare({ ...live.sources, stored: usable }, checks()), found);
    } catch (error) {
      // Right where it was written; here a rule differs. The old ones go on, and nobody asks again until the next change.
      changed = { ...changed, revision: found.revision };
      log.error({ faults: faultsOf(error), revision: found.revision }, "settings changed elsewhere do not fit here");
    }
  }

  function adopt(prepared: PreparedConfig, now: ChangedSettings): void {
    // A later change, somebody else's too, was made knowing this one.
    if (now.revision < changed.revision) return;
    changed = now;
    prepared.adopt();
    if (prepared.changed.length > 0)
      log.info({ settings: prepared.changed, revision: now.revision }, "settings changed");
  }

  async function change(request: Parameters<Configuration["change"]>[0]): Promise<Told> {
    const { userId, origin, ifMatch, idempotency } = request;
    const keys = Object.keys(request.change);
    const held = heldFaults(keys, live.sources);
    if (held.length > 0) {
      const detail = "A flag or the environment holds a setting, and is stronger; change it there.";
      throw new BsoptError({ reason: "conflict", code: "SETTING_HELD", detail, faults: held });
    }
    const rules = checks();
    const { prepared, next, answer } = await storage.write(async (tx) => {
      const before = await readChanged(tx);
      requireMatch(ifMatch, before.revision);
      const settings = changedBy(before.settings, request.change);
      const prepared = live.prepare({ ...live.sources, stored: usableStored(settings).usable }, rules);
      const isChange = JSON.stringify(settings) !== JSON.stringify(before.settings);
      const next = isChange ? { revision: before.revision + 1, settings, changedAt: clock.nowMicroseconds() } : before;
      const answer = told(prepared, next);
      if (isChange) {
        await writeChanged(tx, next);
        for (const key of keys) await note(tx, { prepared, key: key as SettingKey, userId, origin, action: "update" });
      }
      await finish(tx, idempotency, { status: 200, body: JSON.stringify(answer.config) });
      return { prepared, next, answer };
    });
    adopt(prepared, next);
    return answer;
  }

  function note(
    tx: Tx,
    line: {
      prepared: PreparedConfig;
      key: SettingKey;
      userId: string | null;
      origin: RequestOrigin;
      action: "update" | "reload";
    },
  ): Promise<void> {
    const { prepared, key, userId, origin, action } = line;
    const of = (settled: PreparedConfig["settled"]) => settled.find((setting) => setting.key === key);
    return audit.append(tx, {
      eventType: "config.update",
      userId,
      resource: `config/${key}`,
      action,
      status: "success",
      details: {
        ...(userId === null && { by: "operator" }),
        before: wordOf(of(live.settled)),
        after: wordOf(of(prepared.settled)),
        source: of(prepared.settled)?.source ?? null,
      },
      origin,
    });
  }

  async function reload(): Promise<void> {
    try {
      const file = options.readFile === null ? live.sources.file : await options.readFile();
      const prepared = live.prepare({ ...live.sources, file }, checks());
      await storage.write(async (tx) => {
        for (const key of prepared.changed) {
          await note(tx, { prepared, key, userId: null, origin: noOrigin, action: "reload" });
        }
      });
      prepared.adopt();
      log.info({ file: file?.name ?? null, settings: prepared.changed }, "settings read anew");
      if (prepared.waiting.length > 0) {
        log.warn({ settings: prepared.waiting }, "settings that were changed in the file hold from the next start on");
      }
    } catch (error) {
      log.error({ faults: faultsOf(error) }, "settings were not read anew: nothing has changed");
      await storage
        .write((tx) =>
          audit.append(tx, {
            eventType: "config.update",
            userId: null,
            resource: "config",
            action: "reload",
            status: "failure",
            details: { by: "operator", faults: faultsOf(error).join("; ") },
            origin: noOrigin,
          }),
        )
        .catch((failure) => log.error({ err: failure }, "the audit could not be told"));
    }
  }

  return {
    show: () => told(live, changed),
    change,
    reload,
    refresh,
    agent: new Agent({
      name: "configuration-watch",
      intervalMilliseconds: watchMilliseconds,
      failuresMax,
      clock,
      async round() {
        if (!isStale) return;
        // Before the look: what is written while it looks is looked at again.
        isStale = false;
        try {
          await refresh();
        } catch (error) {
          isStale = true;
          throw error;
        }
      },
      onFailure: (error) => log.warn({ err: error }, "changed settings could not be read; trying again"),
    }),
    close: stopListening,
  };
}

/** If-Match as RFC 9110 has it (section 13.1.1): a star, or tags of which one is the present one; weak ones never match. */
function requireMatch(ifMatch: string | null, revision: number): void {
  if (ifMatch === null || ifMatch.trim() === "*") return;
  if (ifMatch.split(",").some((tag) => tag.trim() === `"${revision}"`)) return;
  const detail = "The settings were changed since you looked; look again and repeat the change.";
  throw new BsoptError({ reason: "outdated", code: "CONFIGURATION_CHANGED", detail });
}

/** What was wrong, a line each. */
function faultsOf(error: unknown): string[] {
  if (error instanceof BsoptError) {
    return error.faults.length > 0 ? error.faults.map(({ pointer, detail }) => `${pointer} ${detail}`) : [error.detail];
  }
  return [error instanceof Error ? error.message : String(error)];
}
