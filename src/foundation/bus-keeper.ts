// What links to a bus have in common, whoever the server is: they connect, look after the connection once in a while, find it again,
// and put back what was subscribed before they say that they are connected. Separate because two protocols share it. It knows no protocol.

import { Agent } from "./agent";
import type { BusLink, BusState, BusSubscription } from "./bus";
import type { Clock } from "./clock";
import type { Log } from "./log";

/** A connection to the server, of the protocol. */
export interface BusConnection {
  /** False: too much waits. What comes of it is told by `onLost`. */
  publish(subject: string, bytes: Uint8Array): boolean;
  /** Resolves once the server has taken it. */
  subscribe(subject: string, taker: (bytes: Uint8Array) => void): Promise<void>;
  unsubscribe(subject: string): void;
  /** Throws where the server does not answer. */
  ping(): Promise<void>;
  close(): Promise<void> | void;
}

export interface BusKeeperOptions {
  readonly kind: string;
  /** One attempt; `onLost` is called once the connection is of no use any more. */
  readonly connect: (onLost: (error: unknown) => void) => Promise<BusConnection>;
  readonly clock: Clock;
  readonly log: Log;
  /** A subject of this link alone, over which it hears itself: a server that answers but passes nothing on is not there. */
  readonly echoSubject: string;
  readonly callMillisecondsMax?: number;
  readonly lookMilliseconds?: number;
}

/** How often a link that still brings messages is given more time to answer. */
const hearingRoundsMax = 20;

interface Held {
  readonly taker: (bytes: Uint8Array) => void;
  readonly ready: PromiseWithResolvers<void>;
}

/** A link that keeps itself. */
export function keepBusLink(options: BusKeeperOptions): BusLink {
  const { kind, connect, clock, log, echoSubject } = options;
  const callMillisecondsMax = options.callMillisecondsMax ?? 2_000;
  const subscriptions = new Map<string, Held>();
  const listeners = new Set<(state: BusState) => void>();
  let state: BusState = "connecting";
  let connection: BusConnection | null = null;
  let wasTold: "reached" | "lost" | null = null;
  let heard: (() => void) | null = null;
  let receivedCount = 0;

  function become(next: BusState): void {
    if (state === next) return;
    state = next;
    for (const listener of [...listeners]) listener(next);
  }

  async function within<T>(work: Promise<T>): Promise<T> {
    const inTime = new AbortController();
    try {
      return await Promise.race([
        work,
        clock.sleep(callMillisecondsMax, inTime.signal).then((): never => {
          throw new Error("no answer in time");
        }),
      ]);
    } finally {
      inTime.abort();
      work.catch(() => undefined);
    }
  }

  /** As `within`, but whoever still passes messages on has as many times longer: what is waited for stands behind them in line. */
  async function whileHearing<T>(work: Promise<T>): Promise<T> {
    for (let round = 1; ; round++) {
      const before = receivedCount;
      try {
        return await within(work);
      } catch (error) {
        if (receivedCount === before || round >= hearingRoundsMax) throw error;
      }
    }
  }

  /** Counts what comes. */
  const counted = (taker: (bytes: Uint8Array) => void) => (bytes: Uint8Array) => {
    receivedCount += 1;
    taker(bytes);
  };

  async function open(): Promise<void> {
    let made: BusConnection | null = null;
    let lostWith: { error: unknown } | null = null;
    const opening = connect((error) => {
      if (made === null || connection !== made) lostWith = { error };
      else lose(made, error);
    });
    let isWanted = true;
    opening.then((late) => (isWanted ? undefined : void late.close())).catch(() => undefined);
    try {
      made = await within(opening);
    } catch (error) {
      isWanted = false;
      throw error;
    }
    try {
      await within(made.subscribe(echoSubject, () => heard?.()));
      // What is subscribed meanwhile, while the link is tried too, is put in a further round.
      const done = new Set<Held>();
      let isTried = false;
      for (;;) {
        const missing = [...subscriptions].filter(([, held]) => !done.has(held));
        if (missing.length === 0) {
          if (isTried) break;
          await echo(made);
          isTried = true;
          continue;
        }
        for (const [, held] of missing) done.add(held);
        await within(Promise.all(missing.map(([subject, { taker }]) => made!.subscribe(subject, counted(taker)))));
      }
      if (lostWith !== null) throw (lostWith as { error: unknown }).error;
      if (state === "closed") throw new Error("closed meanwhile");
    } catch (error) {
      void made.close();
      throw error;
    }
    connection = made;
    for (const { ready } of subscriptions.values()) ready.resolve();
    if (wasTold !== "reached") log.info({ bus: kind }, "the bus between servers is reached");
    wasTold = "reached";
    become("connected");
  }

  async function echo(over: BusConnection): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    heard = resolve;
    try {
      await whileHearing(over.ping());
      if (over.publish(echoSubject, new Uint8Array([1]))) await whileHearing(promise);
    } finally {
      heard = null;
    }
  }

  function lose(lost: BusConnection, error: unknown): void {
    if (connection !== lost) return;
    connection = null;
    void lost.close();
    if (state === "closed") return;
    tellLost(error);
    for (const [subject, { taker }] of subscriptions)
      subscriptions.set(subject, { taker, ready: Promise.withResolvers<void>() });
    become("lost");
  }

  function tellLost(error: unknown): void {
    if (wasTold === "lost") return;
    wasTold = "lost";
    log.warn({ bus: kind, error: messageOf(error) }, "the bus between servers is out of reach: it is sought again");
  }

  async function look(): Promise<void> {
    if (state === "closed") return;
    const held = connection;
    try {
      if (held === null) await open();
      else await echo(held);
    } catch (error) {
      if (held === null) tellLost(error);
      else lose(held, error);
    }
  }

  return {
    kind,
    get state() {
      return state;
    },
    publish: (subject, bytes) => connection?.publish(subject, bytes) ?? false,
    subscribe(subject, taker): BusSubscription {
      const held: Held = { taker, ready: Promise.withResolvers<void>() };
      subscriptions.set(subject, held);
      const over = connection;
      over?.subscribe(subject, counted(taker)).then(
        () => (connection === over ? subscriptions.get(subject)?.ready.resolve() : undefined),
        (error) => lose(over, error),
      );
      return {
        // Of whichever connection makes it so: a loss in between begins another wait.
        ready: (async () => {
          let waited: Held | undefined;
          while (waited !== subscriptions.get(subject)) {
            waited = subscriptions.get(subject);
            if (waited === undefined) await Promise.withResolvers<void>().promise;
            await waited!.ready.promise;
          }
        })(),
        end() {
          if (subscriptions.get(subject)?.taker !== taker) return;
          subscriptions.delete(subject);
          connection?.unsubscribe(subject);
        },
      };
    },
    onState(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async ping() {
      if (connection === null) throw new Error("the bus is out of reach");
      await within(connection.ping());
    },
    open: look,
    agent: new Agent({
      name: "bus-link",
      intervalMilliseconds: options.lookMilliseconds ?? 500,
      failuresMax: Number.POSITIVE_INFINITY,
      clock,
      round: look,
      onFailure: () => undefined,
    }),
    async close() {
      const held = connection;
      connection = null;
      become("closed");
      await held?.close();
    },
  };
}

/** Clients' own words name servers by host and port at most. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 200) : "unknown";
}
