// Slow hashes in a thread of their own that lets every other go first: on the runtime's own pool a flood of sign-ins takes turns
// with the event loop for the cores (a price's p99 was 42 ms where it is 8 this way and 4 without hashes, server on one core).
// Separate from the hasher, which has the queue and knows no threads. A thread lives while there is something to hash and a
// minute longer: it holds megabytes. It must never keep a password longer than its hash takes.

import type { Clock } from "./clock";
import { BsoptError } from "./errors";
import { argon2idNow, type SlowHash } from "./password-hasher";
import { goAfterOthers } from "./thread-priority";

/** The name by which main.ts knows that a thread is one of these. */
export const passwordThreadName = "passwords";

/** How long a thread waits for the next password before it ends and gives its memory back. */
const idleMilliseconds = 60_000;

/** What is asked of the thread. */
type Question = { readonly id: number } & (
  | { readonly kind: "hash"; readonly password: string }
  | { readonly kind: "verify"; readonly password: string; readonly hash: string }
);

/** What it says: once that it listens (what comes before is lost while it loads), then an answer to each; null: it failed. */
type Answer = { readonly id: null } | { readonly id: number; readonly value: string | boolean | null };

/** What a thread has of its parent. */
export interface ThreadScope {
  onmessage: ((event: { readonly data: Question }) => unknown) | null;
  postMessage(answer: Answer): void;
}

declare const self: ThreadScope;

/** Serves this thread's parent until it is ended. `lower` makes the thread go after others. */
export function servePasswords(scope: ThreadScope = self, lower: () => unknown = goAfterOthers): void {
  lower();
  scope.onmessage = ({ data }) => scope.postMessage({ id: data.id, value: answerTo(data) });
  scope.postMessage({ id: null });
}

function answerTo(question: Question): string | boolean | null {
  try {
    return question.kind === "hash"
      ? argon2idNow.hash(question.password)
      : argon2idNow.verify(question.password, question.hash);
  } catch {
    return null;
  }
}

/** Threads whose hashes those are. */
export interface ThreadedHash extends SlowHash {
  /** Ends the thread; what is under way fails. A later hash begins anew. */
  stop(): void;
}

/** A thread at work: what waits for its answers, and what was asked before it listened. */
interface Running {
  readonly worker: Worker;
  readonly asked: Map<number, { resolve(value: string | boolean): void; reject(error: Error): void }>;
  readonly early: Question[];
  isListening: boolean;
  readonly idle: AbortController[];
}

/**
 * argon2id in one thread whose module is the given one, which must call servePasswords where it finds itself in a thread of that
 * name. Rejects with BsoptError `unavailable` PASSWORDS_STOPPED where the thread ends before it answers.
 */
export function threadedHash(entrance: string, clock: Clock): ThreadedHash {
  let running: Running | null = null;
  let lastId = 0;

  function start(): Running {
    const worker = new Worker(entrance, { name: passwordThreadName, smol: true });
    const thread: Running = { worker, asked: new Map(), early: [], isListening: false, idle: [] };
    const end = () => {
      if (running === thread) running = null;
      for (const { reject } of thread.asked.values()) reject(stopped());
      thread.asked.clear();
    };
    worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
      if (data.id === null) {
        thread.isListening = true;
        for (const question of thread.early.splice(0)) worker.postMessage(question);
        return;
      }
      const waiting = thread.asked.get(data.id);
      thread.asked.delete(data.id);
      if (data.value === null) waiting?.reject(new Error("the password could not be hashed"));
      else waiting?.resolve(data.value);
      if (thread.asked.size === 0) void endWhenIdle(thread);
    });
    // Without a listener the failure would count as this process's own.
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      worker.terminate();
      end();
    });
    worker.addEventListener("close", end, { once: true });
    return thread;
  }

  async function endWhenIdle(thread: Running): Promise<void> {
    const idle = new AbortController();
    thread.idle.push(idle);
    await clock.sleep(idleMilliseconds, idle.signal);
    if (idle.signal.aborted || running !== thread) return;
    stop();
  }

  function stop(): void {
    const thread = running;
    running = null;
    if (thread === null) return;
    for (const idle of thread.idle.splice(0)) idle.abort();
    thread.worker.terminate();
    for (const { reject } of thread.asked.values()) reject(stopped());
    thread.asked.clear();
  }

  function ask(question: { kind: "hash"; password: string } | { kind: "verify"; password: string; hash: string }) {
    running ??= start();
    const thread = running;
    for (const idle of thread.idle.splice(0)) idle.abort();
    lastId += 1;
    const whole: Question = { id: lastId, ...question };
    return new Promise<string | boolean>((resolve, reject) => {
      thread.asked.set(whole.id, { resolve, reject });
      if (thread.isListening) thread.worker.postMessage(whole);
      else thread.early.push(whole);
    });
  }

  return {
    hash: async (password) => (await ask({ kind: "hash", password })) as string,
    verify: async (password, hash) => (await ask({ kind: "verify", password, hash })) as boolean,
    stop,
  };
}

function stopped(): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "PASSWORDS_STOPPED",
    detail: "The password could not be checked; try again.",
    retryAfterSeconds: 1,
  });
}
