// A storage thread's side: takes one job, does it, answers. It holds no logic of its own, because only threads run it.

import { BsoptError } from "../foundation/errors";
import { type LongJob, runLongJob } from "./database-copy";
import type { LongAnswer } from "./long-work";

declare const self: {
  onmessage: ((event: MessageEvent<LongJob>) => void) | null;
  postMessage(answer: LongAnswer): void;
};

/** Serves this thread's one job. */
export function serveLongWork(): void {
  self.onmessage = async ({ data }) => self.postMessage(await answerTo(data));
  self.postMessage({ isDone: null });
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
