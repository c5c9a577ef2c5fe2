// More requests than a server can answer: a schedule that waits for nobody, over many connections with one request under way each,
// as clients have it. Separate from open-loop.ts, which measures latencies below capacity: here a client loses patience, answers other
// than 200 are expected, and connections may be closed. It must be cheap: what it costs to ask is what can be asked.

import type { Clock } from "../src/foundation/clock";

const headEnd = Buffer.from("\r\n\r\n");
const lastChunk = "0\r\n\r\n";
/** How long a request that is due waits for a connection. */
const patienceMilliseconds = 1000;
const openedTogether = 16;

/** One kind of request: its bytes (sent in turns), and how many of every thousand are of it. */
export interface FloodKind {
  readonly name: string;
  readonly requests: readonly Buffer[];
  readonly perThousand: number;
  /** An answer later than this is of no use to whoever asked. */
  readonly usefulMilliseconds: number;
  /** Each of them over a connection of its own; others use one again. */
  readonly isAlone?: boolean;
}

export interface FloodOptions {
  readonly port: number;
  readonly kinds: readonly FloodKind[];
  readonly connections: number;
  /** Null: every connection sends its next request as soon as the last is answered. */
  readonly requestsPerSecond: number | null;
  readonly seconds: number;
  readonly clock: Clock;
}

export interface FloodCounts {
  readonly name: string;
  /** Answered with 2xx in time to be of use. */
  readonly goodCount: number;
  /** The same, later. */
  readonly lateCount: number;
  /** Answered with 503 and a time to retry. */
  readonly shedCount: number;
  /** Any other answer, and connections that ended without one. */
  readonly failedCount: number;
}

export interface FloodFigure {
  readonly kinds: readonly FloodCounts[];
  /** Requests that were due. */
  readonly dueCount: number;
  /** Those of them that were sent; the others found no connection free in time. */
  readonly sentCount: number;
  readonly seconds: number;
  readonly p50Milliseconds: number;
  readonly p99Milliseconds: number;
  /** What the first failures were. */
  readonly failures: readonly string[];
}

/** Asks for as long as said; what is under way at the end is left. */
export async function flood(options: FloodOptions): Promise<FloodFigure> {
  const { port, kinds, connections, requestsPerSecond, seconds, clock } = options;
  const order = orderOf(kinds);
  const counts = kinds.map(({ name }) => ({ name, goodCount: 0, lateCount: 0, shedCount: 0, failedCount: 0 }));
  const turns = kinds.map(() => 0);
  const failures: string[] = [];
  const waits: number[] = [];
  let now = clock.monotonicMilliseconds();
  let isOver = false;
  let nextIndex = 0;
  let sentCount = 0;
  const idle: Lane[] = [];

  const send = (lane: Lane) => {
    const kind = order[nextIndex++ % order.length]!;
    const { requests, isAlone } = kinds[kind]!;
    sentCount += 1;
    if (isAlone === true) lane.leave();
    lane.send(kind, requests[turns[kind]!++ % requests.length]!, now);
  };
  const ended = (lane: Lane, kind: number, status: number, hasRetryAfter: boolean, why: string) => {
    const wait = now - lane.sentMilliseconds;
    const count = counts[kind]!;
    if (status >= 200 && status < 300) {
      if (wait <= kinds[kind]!.usefulMilliseconds) count.goodCount += 1;
      else count.lateCount += 1;
      if ((count.goodCount & 15) === 0) waits.push(wait);
    } else if (status === 503 && hasRetryAfter) count.shedCount += 1;
    else {
      count.failedCount += 1;
      if (failures.length < 5) failures.push(`${count.name}: ${why}`);
    }
    if (isOver) return;
    if (kinds[kind]!.isAlone === true) lane.leave();
    if (requestsPerSecond === null) send(lane);
    else idle.push(lane);
  };
  const lanes = Array.from({ length: connections }, () => new Lane(port, ended));
  // A few at a time: the system's own queue of connections is short.
  for (let index = 0; index < lanes.length; index += openedTogether) {
    await Promise.all(lanes.slice(index, index + openedTogether).map((lane) => lane.open()));
    await clock.sleep(2);
  }
  const start = clock.monotonicMilliseconds();
  now = start;
  const end = start + seconds * 1000;
  if (requestsPerSecond === null) for (const lane of lanes) send(lane);
  else idle.push(...lanes);
  while (now < end) {
    if (requestsPerSecond !== null) {
      const dueCount = Math.floor(((now - start) / 1000) * requestsPerSecond);
      const lostCount = Math.floor(((now - start - patienceMilliseconds) / 1000) * requestsPerSecond);
      if (nextIndex < lostCount) nextIndex = lostCount;
      while (nextIndex < dueCount) {
        const lane = idle.pop();
        if (lane === undefined) break;
        send(lane);
      }
    }
    const isAhead = requestsPerSecond !== null && idle.length > 0;
    await (isAhead ? clock.sleep(1) : new Promise((resolve) => setImmediate(resolve)));
    now = clock.monotonicMilliseconds();
  }
  isOver = true;
  for (const lane of lanes) lane.close();
  waits.sort((one, other) => one - other);
  const at = (share: number) => waits[Math.floor(share * (waits.length - 1))] ?? 0;
  return {
    kinds: counts,
    dueCount: requestsPerSecond === null ? sentCount : Math.floor(requestsPerSecond * seconds),
    sentCount,
    seconds: (now - start) / 1000,
    p50Milliseconds: at(0.5),
    p99Milliseconds: at(0.99),
    failures,
  };
}

/** A thousand places, the kinds spread evenly over them. */
function orderOf(kinds: readonly FloodKind[]): readonly number[] {
  const places = kinds.flatMap(({ perThousand }, kind) =>
    Array.from({ length: perThousand }, (_, index) => ({ kind, at: (index + 0.5) / perThousand })),
  );
  return places.sort((one, other) => one.at - other.at).map(({ kind }) => kind);
}

type Ended = (lane: Lane, kind: number, status: number, hasRetryAfter: boolean, why: string) => void;

/** One connection, opened again where the server closed it. */
class Lane {
  sentMilliseconds = 0;
  readonly #port: number;
  readonly #ended: Ended;
  #socket: Bun.Socket | null = null;
  #kind = -1;
  #unsent: Buffer | null = null;
  #pending: Buffer | null = null;
  #missing = 0;
  #isChunked = false;
  /** The last bytes of an answer in chunks. */
  #tail = "";
  #status = 0;
  #hasRetryAfter = false;
  #isClosing = false;
  #isOver = false;

  constructor(port: number, ended: Ended) {
    this.#port = port;
    this.#ended = ended;
  }

  async open(): Promise<void> {
    this.#socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: this.#port,
      socket: {
        drain: () => this.#write(),
        data: (_, bytes) => this.#receive(bytes),
        close: (socket) => this.#closed(socket),
        error: (socket) => this.#closed(socket),
      },
    });
  }

  send(kind: number, request: Buffer, now: number): void {
    this.#kind = kind;
    this.sentMilliseconds = now;
    this.#unsent = request;
    if (this.#socket !== null) this.#write();
    else void this.#sendAnew();
  }

  async #sendAnew(): Promise<void> {
    try {
      await this.open();
      this.#write();
    } catch (error) {
      this.#finish(0, false, String(error));
    }
  }

  /** Ends the connection; the next request opens another. */
  leave(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.terminate();
  }

  close(): void {
    this.#isOver = true;
    this.#socket?.terminate();
  }

  #write(): void {
    if (this.#unsent === null || this.#socket === null) return;
    const written = this.#socket.write(this.#unsent);
    this.#unsent = written >= this.#unsent.length ? null : this.#unsent.subarray(Math.max(0, written));
  }

  #closed(socket: Bun.Socket): void {
    if (socket !== this.#socket) return;
    this.#socket = null;
    if (this.#isOver || this.#kind < 0) return;
    this.#pending = null;
    this.#missing = 0;
    this.#finish(0, false, "the connection ended before the answer");
  }

  #finish(status: number, hasRetryAfter: boolean, why: string): void {
    const kind = this.#kind;
    this.#kind = -1;
    this.#unsent = null;
    this.#ended(this, kind, status, hasRetryAfter, why);
  }

  #receive(received: Buffer): void {
    let bytes = received.length;
    if (this.#missing === 0) {
      const chunk: Buffer = this.#pending === null ? received : Buffer.concat([this.#pending, received]);
      const end = chunk.indexOf(headEnd);
      // The socket's buffer is its own; what is kept must be a copy.
      this.#pending = end < 0 ? Buffer.from(chunk) : null;
      if (end < 0) return;
      const head = chunk.toString("latin1", 0, end).toLowerCase();
      this.#status = Number(head.slice(9, 12));
      this.#hasRetryAfter = this.#status === 503 && head.includes("\r\nretry-after:");
      this.#isClosing = head.includes("\r\nconnection: close");
      const length = /\r\ncontent-length: *(\d+)/.exec(head);
      this.#isChunked = length === null && head.includes("\r\ntransfer-encoding: chunked");
      this.#missing = this.#isChunked ? Number.POSITIVE_INFINITY : end + headEnd.length + Number(length?.[1] ?? 0);
      bytes = chunk.length;
    }
    this.#missing -= bytes;
    if (this.#isChunked)
      this.#tail = (this.#tail + received.toString("latin1", Math.max(0, received.length - lastChunk.length))).slice(
        -lastChunk.length,
      );
    const isDone = this.#isChunked ? this.#tail === lastChunk : this.#missing <= 0;
    if (!isDone) return;
    this.#missing = 0;
    this.#tail = "";
    // Answered before the body was sent whole: the rest of it will not be, so the connection is of no more use.
    if (this.#isClosing || this.#unsent !== null) this.leave();
    this.#finish(this.#status, this.#hasRetryAfter, `status ${this.#status}`);
  }
}
