// A storage thread's side: takes one job, does it, answers. It holds no logic of its own, because only threads run it.

import { BsoptError } from "../foundation/errors";
import { goAfterOthers } from "../foundation/thread-priority";
import { type LongJob, runLongJob } from "./database-copy";
import type { LongAnswer } from "./long-work";

/** What a thread has of its parent. */
export interface ThreadScope {
  onmessage: ((event: MessageEvent<LongJob>) => unknown) | null;
  postMessage(answer: LongAnswer): void;
}

declare const self: ThreadScope;

/** Serves this thread's one job, having said that it listens; whoever answers requests goes first. */
export function serveLongWork(scope: ThreadScope = self): void {
  goAfterOthers();
  scope.onmessage = async ({ data }) => scope.postMessage(await answerTo(data));
  scope.postMessage({ isDone: null });
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
