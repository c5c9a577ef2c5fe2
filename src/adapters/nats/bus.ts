// A bus over NATS itself, without JetStream: what is published reaches who listens. Separate from the event stream, which keeps what it is
// given. The keeper connects anew, not the client: one place that knows whether there is a link. The address, which may hold a password,
// must never come into a log.

import type { BusLink } from "../../foundation/bus";
import { type BusConnection, type BusKeeperOptions, keepBusLink } from "../../foundation/bus-keeper";
import { BsoptError } from "../../foundation/errors";
import { parseNatsUrl } from "./event-stream";

export interface NatsBusOptions
  extends Pick<BusKeeperOptions, "clock" | "log" | "callMillisecondsMax" | "lookMilliseconds"> {
  /** nats:// or tls://, with user and password, or a token, before the @; a secret. */
  readonly url: string;
  /** A word of this process alone. */
  readonly self: string;
}

/** Sent and not yet known to have been taken; past it, nothing more is. */
const waitingBytesMax = 64 * 1024 * 1024;
const flushBytes = 256 * 1024;

export function natsBusLink({ url, self, ...options }: NatsBusOptions): BusLink {
  const address = parseNatsUrl(url);
  if (address === null)
    throw new BsoptError({ reason: "invalid", code: "NATS_URL_INVALID", detail: "nats_url is no address." });
  return keepBusLink({
    ...options,
    kind: "nats",
    echoSubject: `bsopt.echo.${self}`,
    connect: (onLost) => connect(address, onLost),
  });
}

async function connect(
  { servers, isTls, credentials }: NonNullable<ReturnType<typeof parseNatsUrl>>,
  onLost: (error: unknown) => void,
): Promise<BusConnection> {
  // Loaded by the first attempt: a server without NATS carries none of it.
  const { connect: open } = await import("@nats-io/transport-node");
  const connection = await open({
    servers,
    ...credentials,
    ...(isTls && { tls: {} }),
    name: "bsopt",
    reconnect: false,
    timeout: 2_000,
    pingInterval: 2_000,
    maxPingOut: 2,
    noAsyncTraces: true,
  });
  void connection.closed().then((error) => onLost(error ?? new Error("the connection was closed")));
  const subscriptions = new Map<string, { unsubscribe(): void }>();
  let waitingBytes = 0;
  let sinceFlush = 0;
  return {
    publish(subject, bytes) {
      if (waitingBytes > waitingBytesMax) return false;
      try {
        connection.publish(subject, bytes);
      } catch (error) {
        onLost(error);
        return false;
      }
      sinceFlush += bytes.length;
      if (sinceFlush < flushBytes) return true;
      const flushed = sinceFlush;
      sinceFlush = 0;
      waitingBytes += flushed;
      connection.flush().then(() => {
        waitingBytes -= flushed;
      }, onLost);
      return true;
    },
    async subscribe(subject, taker) {
      const subscription = connection.subscribe(subject, {
        callback: (error, message) => {
          if (error === null) taker(message.data);
          else onLost(error);
        },
      });
      subscriptions.set(subject, subscription);
      await connection.flush();
    },
    unsubscribe(subject) {
      subscriptions.get(subject)?.unsubscribe();
      subscriptions.delete(subject);
    },
    async ping() {
      await connection.rtt();
    },
    close: () => connection.close().catch(() => undefined),
  };
}
