// Hands long work on the database to a thread, so that a server answers meanwhile. A thread lives for one job: its memory goes with
// it. Separate from the worker's side because this one must not load the database engine by itself, and from the engine's
// threads because those share the kernel's memory. At most one job runs at a time; few may wait.

import { BoundedQueue } from "../foundation/bounded-queue";
import { BsoptError, type BsoptErrorOptions } from "../foundation/errors";
import type { LongJob, LongResult } from "./database-copy";

/** The name by which main.ts knows that a thread is one of these. */
export const longThreadName = "storage";

const waitingCountMax = 8;

/** What the thread says: once that it listens (what comes before is lost while it loads), then the outcome. */
export type LongAnswer =
  | { readonly isDone: null }
  | { readonly isDone: true; readonly result: unknown }
  | { readonly isDone: false; readonly error: BsoptErrorOptions | null; readonly message: string };

export interface LongWork {
  /** Does the job off this thread. Throws the job's BsoptError, LONG_WORK_QUEUE_FULL, LONG_WORK_STOPPED. */
  run<J extends LongJob>(job: J): Promise<LongResult<J>>;
  /** Ends the thread under way and refuses what waits. */
  stop(): void;
}

/** Work in threads whose module is the given one, which must call serveLongWork where it finds itself in a thread of that name. */
export function createLongWork(entrance: string): LongWork {
  const waiting = new BoundedQueue<() => void>(waitingCountMax);
  let isRunning = false;
  let isStopped = false;
  let abandon: (() => void) | null = null;

  function inThread<J extends LongJob>(job: J): Promise<LongResult<J>> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(entrance, { name: longThreadName });
      const end = (settle: () => void) => {
        abandon = null;
        worker.terminate();
        settle();
      };
      // Not terminated while it works: the driver's native part takes the end of its thread inside a call for a broken promise of the
      // runtime's, and ends the process by abort(). The process does not wait for it; it ends with its job or with the process.
      let isAbandoned = false;
      abandon = () => {
        abandon = null;
        isAbandoned = true;
        worker.unref();
        reject(stopped());
      };
      worker.addEventListener("message", ({ data }: MessageEvent<LongAnswer>) => {
        if (isAbandoned) worker.terminate();
        else if (data.isDone === null) worker.postMessage(job);
        else end(() => (data.isDone ? resolve(data.result as LongResult<J>) : reject(failureOf(data))));
      });
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        end(() => reject(new Error(`the storage thread failed: ${event.message}`)));
      });
      // Ended by something else: nobody may wait for ever.
      worker.addEventListener("close", () => reject(stopped()), { once: true });
    });
  }

  return {
    async run(job) {
      if (isStopped) throw stopped();
      if (isRunning) {
        const { promise: turn, resolve } = Promise.withResolvers<void>();
        if (!waiting.push(resolve)) throw queueFull();
        await turn;
        if (isStopped) throw stopped();
      }
      isRunning = true;
      try {
        return await inThread(job);
      } finally {
        const next = waiting.shift();
        if (next) next();
        else isRunning = false;
      }
    },
    stop() {
      isStopped = true;
      abandon?.();
      // Whoever waits wakes to be refused.
      for (let next = waiting.shift(); next; next = waiting.shift()) next();
    },
  };
}

function failureOf(answer: Extract<LongAnswer, { isDone: false }>): Error {
  return answer.error === null ? new Error(answer.message) : new BsoptError(answer.error);
}

function stopped(): BsoptError {
  return new BsoptError({ reason: "unavailable", code: "LONG_WORK_STOPPED", detail: "The storage is closing." });
}

function queueFull(): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "LONG_WORK_QUEUE_FULL",
    detail: "Too much long work on the database is waiting.",
    retryAfterSeconds: 60,
  });
}
