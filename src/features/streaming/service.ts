// How the rest of the house speaks to subscribers: a feature opens a family of channels and publishes frames to them; who listens, how, and how
// fast is this feature's business. Types of the hub, which stream.ts makes, and tickets, which let a browser's page in. The protocol and its
// sockets are http's.

import { createHash } from "node:crypto";
import type { TSchema } from "@sinclair/typebox";
import type { Permission } from "../../domain/permission";
import type { Authenticator, Principal } from "../../domain/principal";
import { Agent } from "../../foundation/agent";
import { type Clock, type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import type { Log } from "../../foundation/log";
import type { Random } from "../../foundation/random";
import type { Storage } from "../../storage/storage";
import type { StreamTicket } from "./model";
import { deleteOldTickets, hasOldTickets, hasTicket, insertTicket, takeTicket } from "./repository";
import type { later } from "./rules";

export { channelName, channelParts, later } from "./rules";

export type FrameKind = "snapshot" | "delta" | "event";

/** A family of channels: all whose first part is `name`. */
export interface ChannelFamily {
  /** ticks, greeks, chain, surface, marks, health, test. */
  readonly name: string;
  readonly permission: Permission;
  /**
   * The canonical name of the channel that these parts (percent-decoded, the family's name left out) mean, the family's name included
   * (`channelName` writes one), or a sentence that says what is wrong with them. Two spellings of one channel give one name.
   */
  channelOf(parts: readonly string[]): { readonly channel: string } | { readonly fault: string };
  /** The whole state as JSON's text at this moment, in step with the last published frame; null: nothing yet. */
  snapshot(channel: string): string | null | typeof later;
  /** From now on somebody listens (or may resume): publish. Called once until `unwanted`. */
  wanted(channel: string): void;
  /** Nobody listens, and none may resume any more. */
  unwanted(channel: string): void;
}

/** A frame that has its number from elsewhere: from another process, or from what it tells. */
export interface NumberedFrame {
  readonly seq: number;
  readonly prev: number;
  readonly kind: FrameKind;
  /** JSON's text. */
  readonly data: string;
  readonly at: EpochMicroseconds;
}

/** An op beside the stream's own, which a feature answers. */
export interface StreamOperation {
  readonly op: string;
  readonly permission: Permission;
  /** Of the whole message, `id` and `op` included; closed, and everything in it limited. */
  readonly message: TSchema;
  /** What stands in the answer beside `id` and `ok`. Throws BsoptErrors. At most a few a connection run at once. */
  run(message: unknown, by: Principal): Promise<Readonly<Record<string, unknown>>>;
}

/** What a feature is handed. */
export interface Hub {
  open(family: ChannelFamily): void;
  /** Gives the frame the channel's next number and sends it to all who listen; dropped where the channel is not wanted. `data` is JSON's text. */
  publish(channel: string, kind: FrameKind, data: string, at: EpochMicroseconds): void;
  /**
   * Sends a frame under the number it has. False, and nothing is sent, where a delta or an event builds on another frame than the channel's
   * last, or the number is not above it: then the whole state must come first, as a frame of kind snapshot, which builds on anything.
   */
  publishNumbered(channel: string, frame: NumberedFrame): boolean;
  /**
   * The whole state as of the frame of that number, from another process. Who waits for it gets it and joins; where the channel is at another
   * number, all do, behind a notice of what they missed. False, and nothing is sent, where the channel is past it already.
   */
  resync(channel: string, state: Pick<NumberedFrame, "seq" | "data" | "at">): boolean;
  isWanted(channel: string): boolean;
  /** Answers an op on the socket; once each. */
  answer(operation: StreamOperation): void;
}

/** One client as the hub sees it. Nothing here waits or throws. */
export interface Wire {
  send(text: string): void;
  join(topic: string): void;
  leave(topic: string): void;
  /** Bytes that wait for the client to read. */
  readonly bufferedBytes: number;
  /** Has read nothing for too long. */
  tooSlow(): void;
}

export interface Resolved {
  readonly channel: string;
  readonly family: ChannelFamily;
}

export interface Subscription {
  /** Send the whole state first. */
  readonly snapshot: boolean;
  /** The last frame the client has of it: what came after is sent instead, where it is still known. */
  readonly resumeAfter: number | null;
}

/** What one client listens to. */
export interface Listener {
  readonly channelCount: number;
  /** Permissions that its channels ask for. */
  permissions(): ReadonlySet<Permission>;
  has(channel: string): boolean;
  subscribe(wanted: Resolved, how: Subscription): void;
  unsubscribe(channel: string): void;
  /** It has read something: what it missed is told, and it joins again. */
  drained(): void;
  close(): void;
}

export interface StreamStatistics {
  readonly channels: number;
  readonly subscriptions: number;
  readonly framesPublished: number;
  readonly framesSent: number;
  readonly bytesSent: number;
  readonly lags: number;
  readonly replayBytes: number;
}

/** The hub as the sockets use it. */
export interface StreamHub extends Hub {
  readonly families: readonly ChannelFamily[];
  readonly operations: ReadonlyMap<string, StreamOperation>;
  /** The channel that a client's words mean, or a sentence that says why there is none. */
  resolve(name: string): Resolved | { readonly fault: string };
  /** Whether one more channel would be too many. */
  hasRoomFor(channel: string): boolean;
  listen(wire: Wire): Listener;
  /** The number of a channel's last frame, or what its first will build on; null where it is not wanted. */
  seqOf(channel: string): number | null;
  /** Told of every frame of every wanted channel, as it is sent. */
  tap(taker: (channel: string, frame: NumberedFrame) => void): void;
  /** How frames reach all who joined a topic; until then, and without it, nobody is reached so. */
  attach(broadcast: (topic: string, text: string) => void): void;
  /** To be called every second: lets go of channels nobody wants, and of clients that do not read. */
  look(): void;
  statistics(): StreamStatistics;
}

/** What a ticket lets in, as it is kept. */
interface Admits {
  readonly user_id: string;
  readonly role: Principal["role"];
  readonly permissions: readonly Permission[];
  readonly credential: Principal["credential"];
  readonly rate_class: Principal["rateClass"];
  /** Microseconds since 1970 as text, or null. */
  readonly expires_at: string | null;
}

export interface Tickets extends Pick<Authenticator, "authenticate"> {
  /** A ticket that opens one socket, within half a minute, as whoever asked for it. */
  issue(principal: Principal): Promise<StreamTicket>;
  readonly agent: Agent;
}

const ticketBytes = 32;
const ticketMicroseconds = 30_000_000n;
const sweepEveryMilliseconds = 60_000;

/**
 * Tickets, for pages in browsers, which can send no header with a handshake and should show no token in an address. They are kept in the
 * database, so that one that was asked of one process opens a socket at another, and once.
 */
export function createTickets(options: {
  readonly storage: Pick<Storage, "write" | "read">;
  readonly sessions: Required<Pick<Authenticator, "stillHolds">>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}): Tickets {
  const { storage, sessions, clock, random, log } = options;

  async function issue(principal: Principal): Promise<StreamTicket> {
    const ticket = Buffer.from(random.bytes(ticketBytes)).toString("base64url");
    const expiresAt = clock.nowMicroseconds() + ticketMicroseconds;
    const admits: Admits = {
      user_id: principal.userId,
      role: principal.role,
      permissions: [...principal.permissions],
      credential: principal.credential,
      rate_class: principal.rateClass,
      expires_at: principal.expiresAt?.toString() ?? null,
    };
    const row = { ticketHash: hashOf(ticket), admits: JSON.stringify(admits), expiresAt };
    await storage.write((tx) => insertTicket(tx, row));
    return { ticket, expires_at: formatTimestamp(expiresAt) };
  }

  return {
    issue,
    async authenticate({ ticket, peerAddress }) {
      const ticketHash = hashOf(ticket ?? "");
      if (!(await hasTicket(storage.read, ticketHash))) throw ticketInvalid();
      const row = await storage.write((tx) => takeTicket(tx, ticketHash));
      if (row === null || row.expiresAt <= clock.nowMicroseconds()) throw ticketInvalid();
      const admits = JSON.parse(row.admits) as Admits;
      const principal: Principal = {
        userId: admits.user_id,
        role: admits.role,
        permissions: new Set(admits.permissions),
        credential: admits.credential,
        rateClass: admits.rate_class,
        ...(admits.expires_at !== null && { expiresAt: BigInt(admits.expires_at) }),
      };
      const held = await sessions.stillHolds(principal, peerAddress);
      const permissions = new Set(admits.permissions.filter((permission) => held.has(permission)));
      return Object.freeze({ ...principal, permissions });
    },
    agent: new Agent({
      name: "stream-tickets",
      intervalMilliseconds: sweepEveryMilliseconds,
      failuresMax: 5,
      clock,
      round: async () => {
        const now = clock.nowMicroseconds();
        if (await hasOldTickets(storage.read, now)) await storage.write((tx) => deleteOldTickets(tx, now));
      },
      onFailure: (error) => log.warn({ err: error }, "old tickets were not swept; it will be tried again"),
    }),
  };
}

/** SHA-256, because a ticket is 256 random bits. */
function hashOf(ticket: string): string {
  return createHash("sha256").update(ticket, "latin1").digest("hex");
}

function ticketInvalid(): BsoptError {
  return new BsoptError({
    reason: "unauthenticated",
    code: "TICKET_INVALID",
    detail: "The ticket is not ours, was used, or is over.",
  });
}
