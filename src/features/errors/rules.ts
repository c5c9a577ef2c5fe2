// What tells one error from another: its name, its code and where in this program's own code it arose. Separate because it is pure. The message
// plays no part: it may hold what somebody sent, and differs from one to the next.

import { createHash } from "node:crypto";

export const errorKinds = ["request", "unhandled_rejection", "uncaught_exception"] as const;
export type ErrorKind = (typeof errorKinds)[number];

/** An error by what it is, without what it says. */
export interface ErrorShape {
  readonly name: string;
  readonly code: string | null;
  /** Such as src/http/server.ts:312, the innermost first. Function names are left out: the executable's are shortened. */
  readonly frames: readonly string[];
}

export const framesMax = 5;
/** Frames that a fingerprint goes by: what lies behind them differs with who called. */
const fingerprintFramesMax = 3;
const stackLengthMax = 10_000;
const causesMax = 4;

/** The shape of whatever was thrown: of the innermost cause where it has any, for that is where it arose. */
export function shapeOf(thrown: unknown): ErrorShape {
  let error = thrown;
  for (let depth = 0; depth < causesMax && error instanceof Error && error.cause instanceof Error; depth++)
    error = error.cause;
  if (!(error instanceof Error))
    return { name: `thrown ${error === null ? "null" : typeof error}`, code: null, frames: [] };
  // A cause that arose in foreign code has no frames of ours, or the fewer.
  const own = ownFrames(error);
  const frames = own.length > 0 ? own : ownFrames(thrown);
  return { name: wordOf(error.name) ?? "Error", code: wordOf((error as { code?: unknown }).code), frames };
}

/** The same error gives the same; another version of this program may give another, for its lines have moved. */
export function fingerprintOf({ name, code, frames }: ErrorShape): string {
  const text = JSON.stringify([name, code, frames.slice(0, fingerprintFramesMax)]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/** Names and codes are words of programs; anything else could be a value. */
function wordOf(value: unknown): string | null {
  return typeof value === "string" && /^[A-Za-z][A-Za-z0-9_.$]{0,79}$/.test(value) ? value : null;
}

function ownFrames(thrown: unknown): string[] {
  if (!(thrown instanceof Error) || typeof thrown.stack !== "string") return [];
  const { stack, message } = thrown;
  // It begins with the message, which may hold lines that look like a stack's.
  const place = stack.indexOf(message);
  const begin = place < 0 ? 0 : place + message.length;
  const frames: string[] = [];
  for (const line of stack.slice(begin, begin + stackLengthMax).split("\n")) {
    const found = /^\s*at(?: .*?)?([/\\( ]src[/\\][\w/\\.-]+\.ts):(\d+)(?::\d+)?\)?\s*$/.exec(line);
    if (found === null || line.includes("node_modules")) continue;
    frames.push(`${found[1]!.replace(/^[/\\( ]/, "").replaceAll("\\", "/")}:${found[2]}`);
    if (frames.length === framesMax) break;
  }
  return frames;
}
