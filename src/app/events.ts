// What is told of to others as events: each act in the audit log, written beside it into the outbox, in the act's own transaction, and
// published from there. Separate from app.ts because most installations tell nobody.

import { createEventStream, type EventStream } from "../adapters/nats/event-stream";
import type { Config } from "../config/config";
import type { AuditListener } from "../features/audit/stream";
import type { Probe } from "../features/health/service";
import { type Clock, formatTimestamp } from "../foundation/clock";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import { addMessage, type OutboxHandler } from "../storage/outbox";

/** The outbox's word for them. */
export const eventTopic = "event";
/** Past so many that wait, further ones are dropped and counted: the database must not grow without an end because nobody listens. */
export const eventsWaitingMax = 100_000;

export interface Events {
  readonly stream: EventStream;
  /** Not required: events wait while it is away. */
  readonly probe: Probe;
  readonly handler: OutboxHandler;
  readonly onAppended: AuditListener;
  /** Events that were not even kept, since the start of this process. */
  readonly droppedCount: number;
}

export interface EventsOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How many wait, when the sender last looked. */
  readonly waitingCount: () => number;
}

/** Null where no NATS is configured. */
export function openEvents({ config, clock, random, log, waitingCount }: EventsOptions): Events | null {
  const { natsUrl: url, subject } = config.events;
  if (url === null) return null;
  const stream = createEventStream({ url, subject, clock, log });
  let droppedCount = 0;
  return {
    stream,
    probe: {
      component: "nats",
      isRequired: false,
      check: () => stream.ping().then(() => ({ status: "ok" as const })),
    },
    get droppedCount() {
      return droppedCount;
    },
    handler: (payload, { messageId }) => {
      const { type } = payload as { type: string };
      return stream.publish({
        id: messageId,
        name: type,
        body: JSON.stringify({ id: messageId, ...(payload as object) }),
      });
    },
    async onAppended(tx, { id, event, at, details }) {
      if (waitingCount() >= eventsWaitingMax) {
        if (droppedCount++ % 1000 === 0) {
          log.error(
            { dropped: droppedCount, waiting: eventsWaitingMax },
            "too many events wait for NATS; further ones are dropped",
          );
        }
        return;
      }
      const payload = {
        sequence: id,
        type: event.eventType,
        time: formatTimestamp(at),
        user_id: event.userId,
        resource: event.resource,
        action: event.action,
        status: event.status,
        details: JSON.parse(details) as unknown,
      };
      await addMessage(tx, { topic: eventTopic, payload, now: at, random });
    },
  };
}
