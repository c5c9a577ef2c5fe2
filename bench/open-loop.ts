// Requests sent on a schedule, whatever becomes of those before: what many clients do that know nothing of each other. Each
// is timed from the moment it was due, so that a slow answer does not hide the ones queued behind it. A connection has one
// request under way, as clients have it; what is due while all are busy waits here, and its time runs. Separate from the benches
// that say what is asked how often. It must do as little as it can between two answers: its own delays count as the server's.

import { createHistogram } from "node:perf_hooks";
import type { Clock } from "../src/foundation/clock";

/** Connections unless told otherwise. */
const socketCountUsual = 64;
const warmUpShare = 0.25;
const headEnd = Buffer.from("\r\n\r\n");
const lengthName = Buffer.from("ontent-");
/** How long answers are waited for, as a multiple of the time they were asked in. */
const patience = 4;

export interface OpenLoopOptions {
  readonly port: number;
  /** A whole request as bytes, or the one that is the index-th of all. */
  readonly request: Buffer | ((index: number) => Buffer);
  readonly requestsPerSecond: number;
  readonly seconds: number;
  readonly clock: Clock;
  readonly socketCount?: number;
  /**
   * Between two looks at what is due, where a processor of its own is not wanted; by default it never rests. A fraction of a millisecond
   * is slept through with the whole thread: timers are too coarse for it.
   */
  readonly restMilliseconds?: number;
}

/** What came of it; the first quarter is not timed. */
export interface OpenLoopFigure {
  readonly askedCount: number;
  readonly answeredCount: number;
  /** Answers other than 200. */
  readonly refusedCount: number;
  /** Answers by their status. */
  readonly statuses: Readonly<Record<number, number>>;
  readonly answersPerSecond: number;
  readonly p50Milliseconds: number;
  readonly p95Milliseconds: number;
  readonly p99Milliseconds: number;
}

/** What is slept on: nobody ever wakes it. */
const bed = new Int32Array(new SharedArrayBuffer(4));

/** Asks for as long as said, then waits for the last answers, within a bound. */
export async function openLoop(options: OpenLoopOptions): Promise<OpenLoopFigure> {
  const {
    port,
    request,
    requestsPerSecond,
    seconds,
    clock,
    restMilliseconds,
    socketCount = socketCountUsual,
  } = options;
  const requestAt = typeof request === "function" ? request : () => request;
  const statuses: Record<number, number> = {};
  const histogram = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });
  const askedCount = Math.max(1, Math.round(requestsPerSecond * seconds));
  const timedFrom = Math.floor(askedCount * warmUpShare);
  let answeredCount = 0;
  let refusedCount = 0;
  let start = 0;
  const dueAt = (index: number) => start + (index / requestsPerSecond) * 1000;
  /** Requests are taken in the order they are due: up to `dueCount` they are, up to `sentCount` they have been sent. */
  let dueCount = 0;
  let sentCount = 0;
  const idle: Lane[] = [];
  const sendDue = () => {
    while (sentCount < dueCount) {
      const lane = idle.pop();
      if (lane === undefined) return;
      lane.send(sentCount++);
    }
  };
  const lanes = await Promise.all(
    Array.from({ length: socketCount }, () =>
      openLane(port, requestAt, (lane, index, status) => {
        idle.push(lane);
        sendDue();
        answeredCount += 1;
        if (status !== 200) refusedCount += 1;
        statuses[status] = (statuses[status] ?? 0) + 1;
        if (index < timedFrom) return;
        histogram.record(Math.max(1, Math.round((clock.monotonicMilliseconds() - dueAt(index)) * 1000)));
      }),
    ),
  );
  idle.push(...lanes);
  start = clock.monotonicMilliseconds();
  const deadline = start + seconds * 1000 * patience;
  for (let now = start; answeredCount < askedCount && now < deadline; now = clock.monotonicMilliseconds()) {
    dueCount = Math.min(askedCount, Math.floor(((now - start) / 1000) * requestsPerSecond) + 1);
    sendDue();
    if (restMilliseconds !== undefined && restMilliseconds >= 1) await clock.sleep(restMilliseconds);
    else {
      await new Promise((resolve) => setImmediate(resolve));
      if (restMilliseconds !== undefined) Atomics.wait(bed, 0, 0, restMilliseconds);
    }
  }
  const took = (clock.monotonicMilliseconds() - start) / 1000;
  for (const lane of lanes) lane.close();
  const at = (percentile: number) => histogram.percentile(percentile) / 1000;
  return {
    askedCount,
    answeredCount,
    refusedCount,
    statuses,
    answersPerSecond: answeredCount / took,
    p50Milliseconds: at(50),
    p95Milliseconds: at(95),
    p99Milliseconds: at(99),
  };
}

interface Lane {
  /** Sends the request that is the index-th of all. */
  readonly send: (index: number) => void;
  readonly close: () => void;
}

/** One kept-alive connection with one request under way. */
async function openLane(
  port: number,
  requestAt: (index: number) => Buffer,
  done: (lane: Lane, index: number, status: number) => void,
): Promise<Lane> {
  let sentIndex = 0;
  /** The beginning of an answer whose head has not come whole yet. */
  let pending: Buffer | null = null;
  /** Bytes of the present answer that have not come yet. */
  let missing = 0;
  let status = 0;
  /** What the system would not take yet. */
  let unsent: Buffer = Buffer.alloc(0);
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      drain(socket) {
        unsent = unsent.subarray(socket.write(unsent));
      },
      data(_, received) {
        let bytes = received.length;
        if (missing === 0) {
          const chunk: Buffer = pending === null ? received : Buffer.concat([pending, received]);
          const end = chunk.indexOf(headEnd);
          // The socket's buffer is its own; what is kept must be a copy.
          pending = end < 0 ? Buffer.from(chunk) : null;
          if (end < 0) return;
          status = Number(chunk.toString("latin1", 9, 12));
          missing = end + headEnd.length + lengthIn(chunk, end);
          bytes = chunk.length;
        }
        missing -= bytes;
        if (missing === 0) done(lane, sentIndex, status);
      },
    },
  });
  const lane: Lane = {
    send(index) {
      sentIndex = index;
      const request = requestAt(index);
      unsent = request.subarray(socket.write(request));
    },
    // Not politely: an answer that is still owed would keep this process alive.
    close: () => socket.terminate(),
  };
  return lane;
}

/** The value of Content-Length in an answer's head. Throws where there is none. */
function lengthIn(head: Buffer, end: number): number {
  for (let at = head.indexOf(lengthName); at >= 0 && at < end; at = head.indexOf(lengthName, at + 1)) {
    const found = /^ontent-length: *(\d+)\r/i.exec(head.toString("latin1", at, at + 40));
    if (found) return Number(found[1]);
  }
  throw new Error("an answer without a length");
}
