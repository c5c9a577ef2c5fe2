// What is told to systemd, or to whatever else speaks its protocol (sd_notify(3)): that the start goes on, that the server listens, that
// it lives, that it reads its settings anew, that it stops. Separate from the socket, so that it is tested by what is said and
// when. It must never keep a server from anything: what cannot be told is not told.

import type { Clock } from "../foundation/clock";
import type { DatagramSender } from "./unix-datagram";

export interface ServiceManager {
  /** The server listens. From now on it is said to live, as often as was asked for, by a timer of the event loop itself. */
  ready(status: string): void;
  /** Runs while settings are read anew. */
  reloading(work: () => Promise<void>): Promise<void>;
  stopping(): void;
  /** Says nothing more. */
  close(): void;
}

export interface ServiceManagerOptions {
  readonly sender: DatagramSender;
  readonly clock: Clock;
  /** Microseconds in which a sign of life is wanted; null: none is. */
  readonly watchdogMicroseconds: number | null;
}

/** A long migration or check may take longer than a unit allows for its start: asked for again and again while the loop turns. */
const startExtensionSeconds = 60;
const startEveryMilliseconds = 20_000;

/** Tells from now on that the start goes on. */
export function createServiceManager({ sender, clock, watchdogMicroseconds }: ServiceManagerOptions): ServiceManager {
  const started = new AbortController();
  const ended = new AbortController();

  async function repeat(everyMilliseconds: number, signal: AbortSignal, text: string): Promise<void> {
    while (!signal.aborted) {
      sender.send(text);
      await clock.sleep(everyMilliseconds, signal);
    }
  }
  void repeat(startEveryMilliseconds, started.signal, `EXTEND_TIMEOUT_USEC=${startExtensionSeconds * 1e6}`);

  return {
    ready(status) {
      started.abort();
      sender.send(`READY=1\nSTATUS=${status}`);
      if (watchdogMicroseconds === null) return;
      // A third of the time, so that one that comes late still comes in time.
      void repeat(Math.max(1, watchdogMicroseconds / 3000), ended.signal, "WATCHDOG=1");
    },
    async reloading(work) {
      sender.send("RELOADING=1");
      await work();
      sender.send("READY=1");
    },
    stopping() {
      started.abort();
      sender.send("STOPPING=1");
    },
    close() {
      started.abort();
      ended.abort();
      sender.close();
    },
  };
}

/** The time in which signs of life are wanted of this process (sd_watchdog_enabled(3)); null: of none, or of another process. */
export function watchdogOf(environment: Readonly<Record<string, string | undefined>>, pid: number): number | null {
  const { WATCHDOG_USEC: microseconds, WATCHDOG_PID: watched } = environment;
  if (microseconds === undefined || !/^[1-9][0-9]{0,14}$/.test(microseconds)) return null;
  if (watched !== undefined && watched !== "" && watched !== String(pid)) return null;
  return Number(microseconds);
}
