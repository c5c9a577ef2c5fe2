// Events to a JetStream of NATS: a link that is kept and looked after, and the stream that takes them. Separate because it is somebody
// else's protocol; what an event is, and that it waits until it is taken, is not known here. Each publication carries its id, by which the
// stream drops what comes again. It must never wait without an end, and never put the address, which may hold a password, into a log.

import type { JetStreamClient } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { Agent } from "../../foundation/agent";
import type { Clock } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import type { Log } from "../../foundation/log";

export interface EventStreamOptions {
  /** nats:// or tls://, with user and password, or a token, before the @; a secret. */
  readonly url: string;
  /** What the subjects begin with, such as `bsopt.events`. */
  readonly subject: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface EventStream {
  /** One attempt at a link where there is none; what comes of it `ping` tells. For whoever does not run the agent. */
  open(): Promise<void>;
  /** False while nothing can be published: whoever has something keeps it. */
  readonly isReachable: boolean;
  /** Resolves once the stream has it on its disk. Throws BsoptError `unavailable` NATS_UNREACHABLE. */
  publish(event: { readonly id: string; readonly name: string; readonly body: string }): Promise<void>;
  /** Throws where the link or the stream is not there. */
  ping(): Promise<void>;
  /** Keeps the link. */
  readonly agent: Agent;
  close(): Promise<void>;
}

/** Longer than a message of the outbox is leased: what is sent again after a crash is known as the same. */
const duplicateWindowNanoseconds = 10 * 60 * 1e9;
const keptNanoseconds = 7 * 24 * 3600 * 1e9;
const keptBytesMax = 1024 * 1024 * 1024;
const lookMilliseconds = 1_000;
const callMillisecondsMax = 3_000;

interface Link {
  readonly connection: NatsConnection;
  readonly jetstream: JetStreamClient;
}

/** The stream's name: the subject in capitals, without what names may not hold. */
export function streamName(subject: string): string {
  return subject.replace(/[^A-Za-z0-9]+/g, "_").toUpperCase();
}

/** Where to connect and by what, out of an address; null where it is none. */
export function parseNatsUrl(text: string): {
  readonly servers: string;
  readonly isTls: boolean;
  readonly credentials: { readonly user: string; readonly pass: string } | { readonly token: string } | null;
} | null {
  const match =
    /^(nats|tls):\/\/(?:([^\s/@:]+)(?::([^\s/@]*))?@)?((?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?)\/?$/.exec(
      text,
    );
  if (match === null) return null;
  const [, scheme, user, password, servers] = match;
  const plain = (part: string) => decodeURIComponent(part);
  try {
    const credentials =
      user === undefined
        ? null
        : password === undefined
          ? { token: plain(user) }
          : { user: plain(user), pass: plain(password) };
    return { servers: servers!, isTls: scheme === "tls", credentials };
  } catch {
    return null;
  }
}

/** A link that is not there yet; the agent makes it. */
export function createEventStream({ url, subject, clock, log }: EventStreamOptions): EventStream {
  const address = parseNatsUrl(url);
  if (address === null)
    throw new BsoptError({ reason: "invalid", code: "NATS_URL_INVALID", detail: "nats_url is no address." });
  const stream = streamName(subject);
  let link: Link | null = null;
  /** Null before the first attempt. */
  let wasReached: boolean | null = null;
  let isClosed = false;

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

  async function connect(): Promise<void> {
    // Loaded by the first attempt: a server without NATS carries none of it.
    const [{ connect: open }, { jetstream, jetstreamManager }] = await Promise.all([
      import("@nats-io/transport-node"),
      import("@nats-io/jetstream"),
    ]);
    const { servers, isTls, credentials } = address!;
    const opening = open({
      servers,
      ...credentials,
      ...(isTls && { tls: {} }),
      name: "bsopt",
      // The agent connects anew: one place that knows whether there is a link.
      reconnect: false,
      timeout: callMillisecondsMax,
      pingInterval: 2_000,
      maxPingOut: 2,
      noAsyncTraces: true,
    });
    // What comes after its time is not wanted any more.
    let isWanted = true;
    opening.then((late) => (isWanted ? undefined : void late.close())).catch(() => undefined);
    let connection: NatsConnection;
    try {
      connection = await within(opening);
    } catch (error) {
      isWanted = false;
      throw error;
    }
    try {
      const manager = await within(jetstreamManager(connection, { timeout: callMillisecondsMax }));
      await within(requireStream(manager));
      if (isClosed) throw new Error("closed meanwhile");
    } catch (error) {
      void connection.close().catch(() => undefined);
      throw error;
    }
    const made: Link = { connection, jetstream: jetstream(connection, { timeout: callMillisecondsMax }) };
    void connection.closed().then((error) => lose(made, error ?? new Error("the connection was closed")));
    link = made;
    if (wasReached !== true) log.info({ stream, subject }, "events go to NATS");
    wasReached = true;
  }

  /** Makes the stream where it is missing; one that is there is its owner's, and only has to take these subjects. */
  async function requireStream(
    manager: Awaited<ReturnType<typeof import("@nats-io/jetstream").jetstreamManager>>,
  ): Promise<void> {
    const wanted = `${subject}.>`;
    try {
      const { config } = await manager.streams.info(stream);
      if (!config.subjects.includes(wanted)) throw new Error(`the stream ${stream} does not take ${wanted}`);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 10059 && !/stream not found/.test(String(error))) throw error;
      await manager.streams.add({
        name: stream,
        subjects: [wanted],
        duplicate_window: duplicateWindowNanoseconds,
        max_age: keptNanoseconds,
        max_bytes: keptBytesMax,
      });
      log.info({ stream, subject: wanted }, "a stream was made in NATS");
    }
  }

  function lose(lost: Link, error: unknown): void {
    if (link !== lost) return;
    link = null;
    void lost.connection.close().catch(() => undefined);
    if (!isClosed) tellLost(error);
  }

  function tellLost(error: unknown): void {
    if (wasReached === false) return;
    wasReached = false;
    log.warn({ error: messageOf(error) }, "NATS is out of reach: until it is back, events wait in the database");
  }

  /** One look: the link is made where there is none, else asked for a sign of life. */
  async function look(): Promise<void> {
    const held = link;
    try {
      if (held === null) await connect();
      else await within(held.connection.rtt());
    } catch (error) {
      if (held === null) tellLost(error);
      else lose(held, error);
    }
  }

  return {
    open: look,
    get isReachable() {
      return link !== null;
    },
    async publish({ id, name, body }) {
      const held = link;
      if (held === null) throw unreachable(undefined);
      try {
        await within(held.jetstream.publish(`${subject}.${name}`, body, { msgID: id, expect: { streamName: stream } }));
      } catch (error) {
        lose(held, error);
        throw unreachable(error);
      }
    },
    async ping() {
      const held = link;
      if (held === null) throw unreachable(undefined);
      await within(held.connection.rtt());
    },
    agent: new Agent({
      name: "nats-link",
      intervalMilliseconds: lookMilliseconds,
      failuresMax: Number.POSITIVE_INFINITY,
      clock,
      round: look,
      onFailure: () => undefined,
    }),
    async close() {
      isClosed = true;
      const held = link;
      link = null;
      await held?.connection.close().catch(() => undefined);
    },
  };
}

function unreachable(cause: unknown): BsoptError {
  const detail = "NATS does not take events now.";
  return new BsoptError({ reason: "unavailable", code: "NATS_UNREACHABLE", detail, cause });
}

/** The client's own words name servers by host and port at most. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 200) : "unknown";
}
