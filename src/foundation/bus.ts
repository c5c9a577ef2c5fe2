// A bus between the processes of one installation: what is published reaches those who listen at this moment, at most once, in the order of
// its publisher, and a question gets one answer or none in time. Separate from whoever carries it (a BusLink: Redis, NATS), of whom it expects
// only that order. Invariants:
//   1. Nobody without the installation's key reads or writes anything: each part is sealed under a key of its publisher's own (HKDF of the
//      installation's key; AES-256-GCM, its nonce a counter), bound to its subject. What does not open is counted and dropped. Who can write to
//      the bus could still repeat what was said, so whoever takes from it must not mind hearing a thing twice.
//   2. What is longer than a part goes in several, which are joined again or dropped whole.
//   3. Everything that waits has a limit and a time.

import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import type { Agent } from "./agent";
import { assert } from "./assert";
import type { Clock } from "./clock";
import { BsoptError } from "./errors";
import type { Random } from "./random";

/** connecting: not reached yet; lost: it was, and is sought again. */
export type BusState = "connecting" | "connected" | "lost" | "closed";

export interface BusSubscription {
  /** Resolves once what is published reaches it; of a bus that is away, once that is back. Never rejects; stays open where it is ended before. */
  readonly ready: Promise<void>;
  end(): void;
}

/** Who carries bytes: at most once, in order from one publisher on one subject. It finds its server again by itself. */
export interface BusLink {
  readonly kind: string;
  readonly state: BusState;
  /** Takes it or says false at once: it is away, or too much waits. Subjects are letters, digits, `_`, `-` and dots between. */
  publish(subject: string, bytes: Uint8Array): boolean;
  /** Lasts over losses. One for a subject at a time. */
  subscribe(subject: string, taker: (bytes: Uint8Array) => void): BusSubscription;
  /** Every change of state, once what is subscribed holds again. Returns the way to stop. */
  onState(listener: (state: BusState) => void): () => void;
  /** Throws where it does not answer. */
  ping(): Promise<void>;
  /** One attempt to reach it, or a look whether it is there; never throws. */
  open(): Promise<void>;
  /** Keeps the link. */
  readonly agent: Agent;
  close(): Promise<void>;
}

export interface BusStatistics {
  readonly publishedCount: number;
  readonly receivedCount: number;
  /** Not taken: the bus was away or full. */
  readonly droppedCount: number;
  /** Came in and were of no use: under another key, incomplete, too long. */
  readonly brokenCount: number;
}

export interface Bus {
  readonly kind: string;
  readonly state: BusState;
  /** Who this process is on the bus. */
  readonly self: string;
  publish(subject: string, bytes: Uint8Array): boolean;
  /** `from` is the publisher's `self`. Several may listen to one subject. */
  subscribe(subject: string, taker: (bytes: Uint8Array, from: string) => void): BusSubscription;
  /** Throws BsoptError `unavailable` BUS_UNREACHABLE, BUS_TIMEOUT, BUS_BUSY, BUS_REFUSED. */
  request(subject: string, bytes: Uint8Array, milliseconds: number): Promise<Uint8Array>;
  /** Answers what is asked on the subject until ended. What it throws reaches the asker as BUS_REFUSED, without a word of it. */
  answer(subject: string, answerer: (bytes: Uint8Array, from: string) => Promise<Uint8Array>): BusSubscription;
  onState(listener: (state: BusState) => void): () => void;
  statistics(): BusStatistics;
  ping(): Promise<void>;
  readonly agents: readonly Agent[];
  close(): Promise<void>;
}

export interface BusOptions {
  readonly link: BusLink;
  /** 32 bytes that all processes of the installation share, and nobody else. */
  readonly key: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  /** Narrower, for tests. */
  readonly limits?: Partial<BusLimits>;
}

export interface BusLimits {
  readonly partBytesMax: number;
  readonly messageBytesMax: number;
  readonly requestsMax: number;
  readonly answersMax: number;
}

const defaultLimits: BusLimits = {
  // Under what a NATS server takes by default (1 MiB).
  partBytesMax: 512 * 1024,
  messageBytesMax: 64 * 1024 * 1024,
  requestsMax: 1_000,
  answersMax: 1_000,
};

const sessionBytes = 16;
const counterBytes = 8;
const tagBytes = 16;
const sealedHeadBytes = sessionBytes + counterBytes + tagBytes;
/** Kind, message's number, part, parts. */
const partHeadBytes = 1 + 4 + 2 + 2;
/** Publishers whose keys are remembered. */
const publishersMax = 1_000;
const saidKind = { published: 0, asked: 1, answered: 2, refused: 3 } as const;
const inbox = (self: string) => `to.${self}`;

interface Assembly {
  readonly message: number;
  readonly parts: Uint8Array[];
  bytes: number;
}

/** A bus over a link. Whoever serves starts its agents. */
export function createBus({ link, key, clock, random, limits }: BusOptions): Bus {
  assert(key.length === 32, `a bus' key is ${key.length} bytes`);
  const { partBytesMax, messageBytesMax, requestsMax, answersMax } = { ...defaultLimits, ...limits };
  // Installations that share a server do not hear each other.
  const prefix = `bsopt.${hex(derived(key, "subjects", 8))}.`;
  const session = random.bytes(sessionBytes);
  const self = hex(session);
  const sealKey = derived(key, `publisher ${self}`, 32);
  const openKeys = new Map<string, Uint8Array>();
  const takers = new Map<string, { subscription: BusSubscription; takers: Set<Taker> }>();
  const waiting = new Map<number, { resolve(bytes: Uint8Array): void; reject(error: unknown): void }>();
  let counter = 0n;
  let messageNumber = 0;
  let answeringCount = 0;
  const counts = { publishedCount: 0, receivedCount: 0, droppedCount: 0, brokenCount: 0 };

  type Taker = (said: Said) => void;
  interface Said {
    readonly kind: number;
    readonly message: number;
    readonly from: string;
    readonly bytes: Uint8Array;
  }

  function seal(subject: string, plain: Uint8Array): Uint8Array {
    counter += 1n;
    const sealed = Buffer.alloc(sealedHeadBytes + plain.length);
    sealed.set(session, 0);
    sealed.writeBigUInt64BE(counter, sessionBytes);
    const cipher = createCipheriv("aes-256-gcm", sealKey, nonceOf(counter));
    cipher.setAAD(Buffer.from(subject));
    sealed.set(cipher.update(plain), sealedHeadBytes);
    cipher.final();
    sealed.set(cipher.getAuthTag(), sessionBytes + counterBytes);
    return sealed;
  }

  function unseal(subject: string, sealed: Uint8Array): { from: string; plain: Buffer } | null {
    if (sealed.length < sealedHeadBytes + partHeadBytes) return null;
    const head = Buffer.from(sealed.buffer, sealed.byteOffset, sealedHeadBytes);
    const from = head.toString("hex", 0, sessionBytes);
    const known = openKeys.get(from);
    const openKey = known ?? derived(key, `publisher ${from}`, 32);
    try {
      const decipher = createDecipheriv("aes-256-gcm", openKey, nonceOf(head.readBigUInt64BE(sessionBytes)));
      decipher.setAAD(Buffer.from(subject));
      decipher.setAuthTag(head.subarray(sessionBytes + counterBytes));
      const plain = decipher.update(sealed.subarray(sealedHeadBytes));
      decipher.final();
      // Only who has proven the key is remembered.
      if (known === undefined) {
        openKeys.set(from, openKey);
        if (openKeys.size > publishersMax) openKeys.delete(openKeys.keys().next().value!);
      }
      return { from, plain };
    } catch {
      return null;
    }
  }

  /** Publishes it in as many parts as it takes; false where not all of them were taken. */
  function send(subject: string, kind: number, message: number, bytes: Uint8Array): boolean {
    const partCount = Math.max(1, Math.ceil(bytes.length / partBytesMax));
    if (bytes.length > messageBytesMax || link.state !== "connected") {
      counts.droppedCount += 1;
      return false;
    }
    for (let part = 0; part < partCount; part++) {
      const body = bytes.subarray(part * partBytesMax, (part + 1) * partBytesMax);
      const plain = Buffer.alloc(partHeadBytes + body.length);
      plain.writeUInt8(kind, 0);
      plain.writeUInt32BE(message, 1);
      plain.writeUInt16BE(part, 5);
      plain.writeUInt16BE(partCount, 7);
      plain.set(body, partHeadBytes);
      if (!link.publish(prefix + subject, seal(subject, plain))) {
        counts.droppedCount += 1;
        return false;
      }
    }
    counts.publishedCount += 1;
    return true;
  }

  /** What comes in on a subject, joined. Parts of one publisher come one after another; whatever does not follow drops what had begun. */
  function taken(subject: string, deliver: (said: Said) => void): (sealed: Uint8Array) => void {
    const begun = new Map<string, Assembly>();
    return (sealed) => {
      const opened = unseal(subject, sealed);
      if (opened === null) {
        counts.brokenCount += 1;
        return;
      }
      const { from, plain } = opened;
      const [kind, message] = [plain.readUInt8(0), plain.readUInt32BE(1)];
      const [part, partCount] = [plain.readUInt16BE(5), plain.readUInt16BE(7)];
      const body = plain.subarray(partHeadBytes);
      const open = begun.get(from);
      if (open && (open.message !== message || open.parts.length !== part)) {
        begun.delete(from);
        counts.brokenCount += 1;
      }
      const assembly: Assembly | undefined = part === 0 ? { message, parts: [], bytes: 0 } : begun.get(from);
      if (assembly === undefined) {
        if (open === undefined) counts.brokenCount += 1;
        return;
      }
      assembly.parts.push(body);
      assembly.bytes += body.length;
      if (assembly.bytes > messageBytesMax) {
        begun.delete(from);
        counts.brokenCount += 1;
        return;
      }
      if (assembly.parts.length < partCount) {
        begun.set(from, assembly);
        // Publishers that ended half-way.
        if (begun.size > publishersMax) begun.delete(begun.keys().next().value!);
        return;
      }
      begun.delete(from);
      counts.receivedCount += 1;
      deliver({ kind, message, from, bytes: partCount === 1 ? body : Buffer.concat(assembly.parts) });
    };
  }

  function listen(subject: string, taker: Taker): BusSubscription {
    let held = takers.get(subject);
    if (held === undefined) {
      const all = new Set<Taker>();
      const subscription = link.subscribe(
        prefix + subject,
        taken(subject, (said) => {
          for (const each of all) each(said);
        }),
      );
      held = { subscription, takers: all };
      takers.set(subject, held);
    }
    const { subscription, takers: all } = held;
    all.add(taker);
    return {
      ready: subscription.ready,
      end() {
        if (!all.delete(taker) || all.size > 0) return;
        takers.delete(subject);
        subscription.end();
      },
    };
  }

  const mailbox = listen(inbox(self), ({ kind, message, bytes }) => {
    const asker = waiting.get(message);
    if (asker === undefined) return;
    if (kind === saidKind.answered) asker.resolve(bytes);
    else if (kind === saidKind.refused) asker.reject(away("BUS_REFUSED", "Another server could not answer."));
  });

  async function request(subject: string, bytes: Uint8Array, milliseconds: number): Promise<Uint8Array> {
    if (waiting.size >= requestsMax) throw away("BUS_BUSY", "Too much is being asked of another server.");
    messageNumber = (messageNumber + 1) >>> 0;
    const message = messageNumber;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    waiting.set(message, { resolve, reject });
    const inTime = new AbortController();
    try {
      if (!send(subject, saidKind.asked, message, bytes))
        throw away("BUS_UNREACHABLE", "Another server cannot be reached now.");
      return await Promise.race([
        promise,
        clock.sleep(milliseconds, inTime.signal).then((): never => {
          throw away("BUS_TIMEOUT", "Another server did not answer in time.");
        }),
      ]);
    } finally {
      waiting.delete(message);
      inTime.abort();
      promise.catch(() => undefined);
    }
  }

  return {
    kind: link.kind,
    get state() {
      return link.state;
    },
    self,
    publish(subject, bytes) {
      messageNumber = (messageNumber + 1) >>> 0;
      return send(subject, saidKind.published, messageNumber, bytes);
    },
    subscribe(subject, taker) {
      return listen(subject, ({ kind, bytes, from }) => {
        if (kind === saidKind.published) taker(bytes, from);
      });
    },
    request,
    answer(subject, answerer) {
      return listen(subject, ({ kind, message, bytes, from }) => {
        if (kind !== saidKind.asked) return;
        const refuse = () => send(inbox(from), saidKind.refused, message, new Uint8Array(0));
        if (answeringCount >= answersMax) return void refuse();
        answeringCount += 1;
        // A rejection of any kind is the asker's to hear of, and nobody else's.
        Promise.resolve()
          .then(() => answerer(bytes, from))
          .then((answer) => send(inbox(from), saidKind.answered, message, answer) || refuse(), refuse)
          .finally(() => {
            answeringCount -= 1;
          });
      });
    },
    onState: (listener) => link.onState(listener),
    statistics: () => ({ ...counts }),
    ping: () => link.ping(),
    agents: [link.agent],
    async close() {
      mailbox.end();
      for (const { reject } of waiting.values()) reject(away("BUS_UNREACHABLE", "This server is stopping."));
      await link.close();
    },
  };
}

function away(code: string, detail: string): BsoptError {
  return new BsoptError({ reason: "unavailable", code, detail, retryAfterSeconds: 1 });
}

function derived(key: Uint8Array, purpose: string, bytes: number): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", key, new Uint8Array(0), `bsopt bus ${purpose}`, bytes));
}

function nonceOf(counter: bigint): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(counter, 4);
  return nonce;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
