// A WebSocket to somebody else's server that is always being opened again: after a close, a silence, a connection that never comes to be.
// Separate from the venues' protocols, which all need it and say nothing about it. Each attempt asks anew for the address, since what it
// carries may have been renewed. Must never hurry: waits double up to a limit, with jitter, and only a connection that lasted starts them over.

import { backoffMilliseconds } from "../../foundation/backoff";
import type { Clock } from "../../foundation/clock";
import type { Random } from "../../foundation/random";

/** What a venue's protocol does with its socket. Called one at a time; what throws ends the connection, not the process. */
export interface VenueProtocol {
  /** Where to connect now. A rejection counts as a failed attempt; its message must hold no secret. */
  address(): Promise<string>;
  /** The connection is there: greet, subscribe. */
  opened(): void;
  message(data: string | Uint8Array): void;
  /** The connection is gone, or did not come to be; in words without an address. */
  closed(reason: string): void;
}

export interface VenueSocketOptions {
  readonly protocol: VenueProtocol;
  readonly clock: Clock;
  readonly random: Random;
  /** A connection on which nothing came for so long is given up. */
  readonly silenceMillisecondsMax: number;
  readonly connectMillisecondsMax?: number;
  readonly backoff?: { readonly baseMilliseconds: number; readonly waitMillisecondsMax: number };
  /** Longest message; a longer one ends the connection. */
  readonly messageBytesMax?: number;
}

const connectMillisecondsDefault = 10_000;
const backoffDefault = { baseMilliseconds: 500, waitMillisecondsMax: 60_000 };
const messageBytesDefault = 16 * 2 ** 20;
/** A connection that lasted this long and said something counts as a good one. */
const goodMilliseconds = 10_000;
/** What may wait to be sent; a server that does not read is given up. */
const unsentBytesMax = 4 * 2 ** 20;

/** A socket that is there as long as it can be. */
export class VenueSocket {
  readonly #options: VenueSocketOptions;
  readonly #abort = new AbortController();
  #socket: WebSocket | null = null;
  #end: ((reason: string) => void) | null = null;
  #running: Promise<void> | undefined;
  #lastMessageMilliseconds = 0;
  #hasMessage = false;
  #failuresInARow = 0;

  constructor(options: VenueSocketOptions) {
    this.#options = options;
  }

  /** Attempts since the last good connection that did not become one. */
  get failuresInARow(): number {
    return this.#failuresInARow;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Says false where there is no connection, or where the server has stopped reading: then it is given up. */
  send(text: string): boolean {
    const socket = this.#socket;
    if (socket === null || socket.readyState !== WebSocket.OPEN) return false;
    if (socket.bufferedAmount > unsentBytesMax) {
      this.reconnect("the server does not read");
      return false;
    }
    socket.send(text);
    return true;
  }

  /** Gives up this connection, for a reason in words, and opens another. */
  reconnect(reason: string): void {
    this.#end?.(reason);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#end?.("stopped");
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, random, protocol, backoff = backoffDefault } = this.#options;
    const signal = this.#abort.signal;
    while (!signal.aborted) {
      const startedAt = clock.monotonicMilliseconds();
      const reason = await this.#connection();
      if (signal.aborted) break;
      const lasted = clock.monotonicMilliseconds() - startedAt;
      this.#failuresInARow = this.#hasMessage && lasted >= goodMilliseconds ? 1 : this.#failuresInARow + 1;
      protocol.closed(reason);
      const wait = backoffMilliseconds({ attemptIndex: this.#failuresInARow - 1, random, ...backoff });
      await clock.sleep(wait, signal);
    }
  }

  /** One connection from its attempt to its end; says why it ended. */
  async #connection(): Promise<string> {
    const { clock, protocol } = this.#options;
    this.#hasMessage = false;
    let address: string;
    try {
      address = await protocol.address();
    } catch (error) {
      return error instanceof Error ? error.message : "no address";
    }
    if (this.#abort.signal.aborted) return "stopped";
    const watch = new AbortController();
    const ended = Promise.withResolvers<string>();
    const end = (reason: string) => ended.resolve(reason);
    this.#end = end;
    this.#lastMessageMilliseconds = clock.monotonicMilliseconds();
    let socket: WebSocket;
    try {
      socket = new WebSocket(address);
    } catch {
      return "the address is none for a WebSocket";
    }
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => {
      this.#lastMessageMilliseconds = clock.monotonicMilliseconds();
      this.#guard(end, () => protocol.opened());
    };
    socket.onmessage = ({ data }) => this.#take(data, end);
    socket.onerror = (event) => end(statusOf(event) ?? "the connection failed");
    socket.onclose = ({ code }) => end(`closed with ${code}`);
    const watching = this.#watch(socket, end, watch.signal);
    const reason = await ended.promise;
    this.#end = null;
    this.#socket = null;
    watch.abort();
    socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
    discard(socket);
    await watching;
    return reason;
  }

  #take(data: unknown, end: (reason: string) => void): void {
    // A message that was on its way when the connection was given up is nobody's any more.
    if (this.#end !== end) return;
    this.#lastMessageMilliseconds = this.#options.clock.monotonicMilliseconds();
    this.#hasMessage = true;
    const message = typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer);
    const bytesMax = this.#options.messageBytesMax ?? messageBytesDefault;
    if (message.length > bytesMax) end("a message was too long");
    else this.#guard(end, () => this.#options.protocol.message(message));
  }

  #guard(end: (reason: string) => void, act: () => void): void {
    try {
      act();
    } catch {
      end("a message could not be handled");
    }
  }

  async #watch(socket: WebSocket, end: (reason: string) => void, signal: AbortSignal): Promise<void> {
    const { clock, silenceMillisecondsMax, connectMillisecondsMax = connectMillisecondsDefault } = this.#options;
    const startedAt = clock.monotonicMilliseconds();
    while (!signal.aborted) {
      const now = clock.monotonicMilliseconds();
      const isOpen = socket.readyState === WebSocket.OPEN;
      const due = isOpen ? this.#lastMessageMilliseconds + silenceMillisecondsMax : startedAt + connectMillisecondsMax;
      if (now >= due) return end(isOpen ? "silent for too long" : "no connection in time");
      // Opening moves the limit, so it is looked at again before the one for connecting has passed.
      await clock.sleep(Math.min(due - now, 1000), signal);
    }
  }
}

/** The status of a server that refused the upgrade, in words. */
function statusOf(event: Event): string | null {
  const status = /status code: (\d{3})/.exec((event as ErrorEvent).message ?? "")?.[1];
  return status === undefined ? null : `refused with status ${status}`;
}

/** Ends a socket at once: a closing handshake with a server that is gone would wait for its answer. */
function discard(socket: WebSocket): void {
  if (socket.readyState === WebSocket.CLOSED) return;
  (socket as WebSocket & { terminate(): void }).terminate();
}
