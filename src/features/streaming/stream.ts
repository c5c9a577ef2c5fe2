// The two families of channels that say nothing of the market: `test`, which always runs, and `health`. Separate from the hub, to which
// they are features like any other.

import { type Clock, formatTimestamp } from "../../foundation/clock";
import type { ChannelFamily, Hub } from "./service";

/** What a family without parts says of them. */
const noParts = { fault: "takes no further parts" } as const;
const secondMicroseconds = 1_000_000n;
/** Seconds that are told one by one after a pause; after a longer one the stream begins anew. */
const caughtUpMax = 60;

export interface Started {
  readonly family: ChannelFamily;
  /** Ends what runs behind it. */
  stop(): void;
}

/**
 * `test`: a frame at every whole second, numbered by the seconds since 1970, so that it is the same in every process and a client that
 * comes back elsewhere can go on. `data` is `{ "second": "…Z" }`.
 */
export function testStream({ hub, clock }: { hub: Hub; clock: Clock }): Started {
  const name = "test";
  let running: AbortController | null = null;
  let last = 0;

  const secondNow = () => Number(clock.nowMicroseconds() / secondMicroseconds);
  const dataOf = (second: number) => `{"second":"${formatTimestamp(BigInt(second) * secondMicroseconds)}"}`;

  function tell(second: number, kind: "snapshot" | "event"): void {
    last = second;
    const at = clock.nowMicroseconds();
    hub.publishNumbered(name, { seq: second, prev: second - 1, kind, data: dataOf(second), at });
  }

  async function run({ signal }: AbortController): Promise<void> {
    for (;;) {
      const now = clock.nowMicroseconds();
      await clock.sleep(Number(secondMicroseconds - (now % secondMicroseconds)) / 1000 + 0.5, signal);
      if (signal.aborted) return;
      const second = secondNow();
      // A clock that was set back is waited for: a number is told once.
      if (second - last > caughtUpMax) tell(second, "snapshot");
      else while (last < second) tell(last + 1, "event");
    }
  }

  return {
    family: {
      name,
      permission: "stream:read",
      channelOf: (parts) => (parts.length === 0 ? { channel: name } : noParts),
      snapshot: () => dataOf(last),
      wanted() {
        tell(secondNow(), "snapshot");
        running = new AbortController();
        void run(running);
      },
      unwanted() {
        running?.abort();
        running = null;
      },
    },
    stop: () => running?.abort(),
  };
}

const healthLookMilliseconds = 1_000;

/** What `health` tells of readiness: the worst of the components, and each. */
export interface HealthView {
  readonly status: string;
  readonly components: Readonly<Record<string, string>>;
}

/** `health`: the readiness of the process that the client is connected to, whenever it changes. */
export function healthStream({
  hub,
  clock,
  check,
}: {
  hub: Hub;
  clock: Clock;
  check: () => Promise<HealthView>;
}): Started {
  const name = "health";
  let running: AbortController | null = null;
  let told: string | null = null;

  async function run({ signal }: AbortController): Promise<void> {
    while (!signal.aborted) {
      const seen = JSON.stringify(await check());
      if (signal.aborted) return;
      if (seen !== told) {
        told = seen;
        hub.publish(name, "event", seen, clock.nowMicroseconds());
      }
      await clock.sleep(healthLookMilliseconds, signal);
    }
  }

  return {
    family: {
      name,
      permission: "stream:read",
      channelOf: (parts) => (parts.length === 0 ? { channel: name } : noParts),
      snapshot: () => told,
      wanted() {
        running = new AbortController();
        void run(running);
      },
      unwanted() {
        running?.abort();
        running = null;
        told = null;
      },
    },
    stop: () => running?.abort(),
  };
}
