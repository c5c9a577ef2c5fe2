// Threads for the pool's tests: real ones, and ones made of nothing that live in the test's own thread and do what a test says.

import { join } from "node:path";
import { type StartThread, threadsFrom } from "../../src/engine/thread";
import type { WorkerMessage } from "../../src/engine/worker";
import { ManualClock } from "../../src/foundation/clock";

/** The module of a worker where main's own is not the process's entrance. */
export const workerEntrance = join(import.meta.dir, "kernel-worker.ts");

/** Real threads, as many as asked for, under a clock by hand. */
export function realWorkers(count: number, clock = new ManualClock()) {
  return { count, startThread: threadsFrom(workerEntrance), clock };
}

/** What a thread made of nothing does with a message; `end` is its death, `tell` its message to the pool. */
export type Behaviour = (message: WorkerMessage, life: { end(): void; tell(): void }) => void;

/** Such threads. Each start is counted; `terminate` ends one at once. */
export function imaginedWorkers(count: number, behave: Behaviour, clock = new ManualClock()) {
  const started = { count: 0 };
  const startThread: StartThread = ({ onMessage, onEnd }) => {
    started.count += 1;
    let isAlive = true;
    const end = () => {
      if (!isAlive) return;
      isAlive = false;
      queueMicrotask(onEnd);
    };
    return {
      post: (message) =>
        queueMicrotask(() => {
          if (isAlive) behave(message as WorkerMessage, { end, tell: onMessage });
        }),
      terminate: end,
    };
  };
  return { workers: { count, startThread, clock }, started };
}

/** Resolves once the condition holds; the test's own time limit ends the wait. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
