// Processes as the system has them: how the parent of several servers starts one, and how that one hears of its parent's end.
// Separate from processes.ts, which is tested without any. A server whose parent is gone stops in order: nobody would
// start it again or pass a signal on.

import type { UnforeseenKind } from "../app/unforeseen";
import { type Clock, systemClock } from "../foundation/clock";
import { type Listening, type ProcessControl, signOfLifeMilliseconds } from "./processes";

/** Where the runtime keeps an executable's own modules; elsewhere a script is run, and must be named to be run again. */
const embeddedPrefix = "/$bunfs/";

/** What a server sends after it has told that it listens. */
const signOfLife = "alive";

/**
 * Control over processes running `script` (this process's own entry) with `argv` and more. One that was started so gives signs of life from the
 * moment it announces itself, by a timer of its event loop: a loop that hangs gives none.
 */
export function systemProcesses(
  script: string,
  argv: readonly string[],
  {
    clock = systemClock,
    everyMilliseconds = signOfLifeMilliseconds,
  }: { clock?: Clock; everyMilliseconds?: number } = {},
): ProcessControl {
  const own = script.startsWith(embeddedPrefix) ? [] : [script];
  const send = process.send?.bind(process);
  return {
    announce: send
      ? (listening) => {
          send({ ...listening, givesSignsOfLife: true } satisfies Listening);
          void giveSignsOfLife(send, clock, everyMilliseconds);
        }
      : null,
    start(furtherArguments) {
      const { promise: listening, resolve } = Promise.withResolvers<Listening | null>();
      let signsOfLifeCount = 0;
      const child = Bun.spawn([process.execPath, ...own, ...argv, ...furtherArguments], {
        stdio: ["ignore", "inherit", "inherit"],
        ipc(message) {
          if (message === signOfLife) signsOfLifeCount += 1;
          else resolve(message as Listening);
        },
      });
      void child.exited.then(() => resolve(null));
      return {
        pid: child.pid,
        listening,
        exited: child.exited,
        signal: (name) => child.kill(name),
        get signsOfLifeCount() {
          return signsOfLifeCount;
        },
      };
    },
    onRestartAsked(listener) {
      process.on("SIGUSR2", listener);
      return () => process.off("SIGUSR2", listener);
    },
  };
}

/** Until there is nobody to give them to: the process stops then. */
async function giveSignsOfLife(
  send: (message: string) => unknown,
  clock: Clock,
  everyMilliseconds: number,
): Promise<void> {
  while (process.connected) {
    send(signOfLife);
    await clock.sleep(everyMilliseconds);
  }
}

/** Calls for each error that nobody caught, which then ends nothing by itself. Returns the way to stop. */
export function onUnforeseen(listener: (kind: UnforeseenKind, error: unknown) => void): () => void {
  const onRejection = (error: unknown) => listener("unhandled_rejection", error);
  const onException = (error: unknown) => listener("uncaught_exception", error);
  process.on("unhandledRejection", onRejection);
  process.on("uncaughtException", onException);
  return () => {
    process.off("unhandledRejection", onRejection);
    process.off("uncaughtException", onException);
  };
}

/** Calls at each SIGHUP. Returns the way to stop, after which the signal ends the process as it does by itself. */
export function onReloadAsked(listener: () => void): () => void {
  process.on("SIGHUP", listener);
  return () => process.off("SIGHUP", listener);
}

/**
 * Resolves when the process is asked to stop: by SIGTERM or SIGINT, or, where it is one of several, by SIGTERM or its parent's
 * end (a terminal sends SIGINT to all of them, and the parent passes it on). A second time ends it at once.
 */
export function untilAskedToStop(): Promise<void> {
  return new Promise((resolve) => {
    const isOneOfSeveral = process.send !== undefined;
    const signals = isOneOfSeveral ? (["SIGTERM"] as const) : (["SIGTERM", "SIGINT"] as const);
    // A second signal, whichever it is, finds no listener and ends the process at once.
    const stop = () => {
      for (const signal of signals) process.off(signal, stop);
      process.off("disconnect", stop);
      if (isOneOfSeveral) process.on("disconnect", () => process.exit(1));
      resolve();
    };
    for (const signal of signals) process.on(signal, stop);
    if (!isOneOfSeveral) return;
    process.on("disconnect", stop);
    process.on("SIGINT", () => undefined);
  });
}
