// A storage thread's side: takes one job, does it, answers. It holds no logic of its own, because only threads run it.

import { setPriority } from "node:os";
import { BsoptError } from "../foundation/errors";
import { type LongJob, runLongJob } from "./database-copy";
import type { LongAnswer } from "./long-work";

/** What a thread has of its parent. */
export interface ThreadScope {
  onmessage: ((event: MessageEvent<LongJob>) => unknown) | null;
  postMessage(answer: LongAnswer): void;
}

declare const self: ThreadScope;

/** Serves this thread's one job, having said that it listens. */
export function serveLongWork(scope: ThreadScope = self): void {
  if (scope === self) yieldToOthers();
  scope.onmessage = async ({ data }) => scope.postMessage(await answerTo(data));
  scope.postMessage({ isDone: null });
}

/** Whoever answers requests goes first. On Linux this thread alone steps back; elsewhere it would be the whole process. */
function yieldToOthers(): void {
  if (process.platform !== "linux") return;
  try {
    setPriority(0, 19);
  } catch {
    // Not allowed here: the work is done all the same.
  }
}

async function answerTo(job: LongJob): Promise<LongAnswer> {
  try {
    return { isDone: true, result: await runLongJob(job) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!(error instanceof BsoptError)) return { isDone: false, error: null, message };
    const { reason, code, detail, hint } = error;
    return { isDone: false, error: { reason, code, detail, ...(hint === undefined ? {} : { hint }) }, message };
  }
}
