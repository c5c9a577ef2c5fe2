// A bus over Redis' publish and subscribe. Separate from the buckets because a connection that listens can do nothing else. Redis keeps
// nothing for who does not listen, and cuts off who reads too slowly; both are the keeper's to notice. The runtime's client takes and gives
// text only, so bytes go as base64. The address, which may hold a password, must never come into a log.

import { RedisClient } from "bun";
import type { BusLink } from "../../foundation/bus";
import { type BusConnection, type BusKeeperOptions, keepBusLink } from "../../foundation/bus-keeper";
import type { Names } from "../names";

export interface RedisBusOptions
  extends Pick<BusKeeperOptions, "clock" | "log" | "callMillisecondsMax" | "lookMilliseconds"> {
  /** redis://[user:password@]host:port[/database]; rediss:// with TLS. */
  readonly url: string;
  /** A word of this process alone. */
  readonly self: string;
  readonly names?: Names | undefined;
}

const connectMillisecondsMax = 1_000;
/** Base64 that is sent and not yet taken; past it, nothing more is. */
const waitingBytesMax = 64 * 1024 * 1024;

export function redisBusLink({ url, self, names, ...options }: RedisBusOptions): BusLink {
  return keepBusLink({
    ...options,
    kind: "redis",
    echoSubject: `bsopt.echo.${self}`,
    connect: (onLost) => connect(url, names, onLost),
  });
}

async function connect(
  url: string,
  names: Names | undefined,
  onLost: (error: unknown) => void,
): Promise<BusConnection> {
  await names?.answered(new URL(url).hostname);
  const open = () =>
    new RedisClient(url, {
      autoReconnect: false,
      enableOfflineQueue: false,
      connectionTimeout: connectMillisecondsMax,
      maxRetries: 0,
    });
  const [speaker, listener] = [open(), open()];
  const close = () => {
    speaker.onclose = null as never;
    listener.onclose = null as never;
    speaker.close();
    listener.close();
  };
  try {
    await Promise.all([speaker.connect(), listener.connect()]);
  } catch (error) {
    close();
    throw error;
  }
  speaker.onclose = onLost;
  listener.onclose = onLost;
  let waitingBytes = 0;
  return {
    publish(subject, bytes) {
      if (waitingBytes > waitingBytesMax) return false;
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
      waitingBytes += text.length;
      speaker.publish(subject, text).then(() => {
        waitingBytes -= text.length;
      }, onLost);
      return true;
    },
    async subscribe(subject, taker) {
      await listener.subscribe(subject, (text) => taker(Buffer.from(text, "base64")));
    },
    unsubscribe(subject) {
      listener.unsubscribe(subject).catch(onLost);
    },
    async ping() {
      await speaker.send("PING", []);
    },
    close,
  };
}
