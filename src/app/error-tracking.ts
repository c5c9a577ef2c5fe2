// Errors that nobody foresaw, and who is told of them: joins the feature, the outbox and the webhook. Separate from app.ts because most
// installations tell nobody.

import { createWebhook } from "../adapters/webhook";
import type { BuildInfo } from "../config/build-info";
import type { Config } from "../config/config";
import type { Audit } from "../features/audit/service";
import { createErrorTracking, type ErrorTracking } from "../features/errors/service";
import type { Clock } from "../foundation/clock";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import { addMessage, type OutboxHandler } from "../storage/outbox";
import type { Storage } from "../storage/storage";

/** The outbox's word for alerts. */
export const errorAlertTopic = "error-alert";

export interface ErrorTrackingParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly build: BuildInfo;
  readonly storage: Storage;
  readonly audit: Audit;
}

export function openErrorTracking(parts: ErrorTrackingParts): ErrorTracking {
  const { config, clock, random, log, build, storage, audit } = parts;
  const base = { storage, audit, clock, log, version: build.version };
  if (config.errorWebhook === null) return createErrorTracking(base);
  return createErrorTracking({
    ...base,
    async addAlert(tx, alert, now) {
      const payload = { ...alert, environment: config.environment };
      await addMessage(tx, { topic: errorAlertTopic, payload, now, random });
    },
  });
}

/** Who posts alerts, by topic; nobody where no webhook is configured. */
export function errorAlertHandlers({
  config,
  clock,
}: Pick<ErrorTrackingParts, "config" | "clock">): Readonly<Record<string, OutboxHandler>> {
  if (config.errorWebhook === null) return {};
  const webhook = createWebhook({ ...config.errorWebhook, clock });
  return {
    [errorAlertTopic]: (payload, { messageId, signal }) =>
      webhook.post({ id: messageId, body: JSON.stringify({ id: messageId, ...(payload as object) }), signal }),
  };
}
