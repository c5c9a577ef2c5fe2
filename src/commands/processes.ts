// Several servers on one port: a parent that serves nothing itself, starts them, starts again what died, replaces them one by
// one when asked, and passes a stop on. Separate from serve.ts, which is what each of them runs. It must never touch the database
// or the port: nothing that can fail there may end it.

import { backoffMilliseconds } from "../foundation/backoff";
import type { Clock } from "../foundation/clock";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";

/** What a server tells the process that started it, once it listens. */
export interface Listening {
  readonly url: string;
  readonly firstAdminKey: { readonly text: string; readonly path: string } | null;
  /** It will give signs of life from now on. A server of another version, as a rolling restart may bring, need not. */
  readonly givesSignsOfLife?: boolean;
}

/** A server in a process of its own. */
export interface ServerProcess {
  readonly pid: number;
  /** Null: it ended without ever listening. */
  readonly listening: Promise<Listening | null>;
  /** The exit code, or 128 and the signal's number. */
  readonly exited: Promise<number>;
  /** How many signs of life have come: its event loop turned each time. */
  readonly signsOfLifeCount: number;
  signal(name: "SIGTERM" | "SIGKILL" | "SIGHUP"): void;
}

/** What the process's own surroundings give for it; absent in tests that start no processes. */
export interface ProcessControl {
  /** Tells the parent that this server listens; null where nobody started it as one of several. */
  readonly announce: ((listening: Listening) => void) | null;
  /** Runs this executable's `serve` with further arguments behind those of this process. */
  start(furtherArguments: readonly string[]): ServerProcess;
  /** Calls at each SIGUSR2. Returns the way to stop. */
  onRestartAsked(listener: () => void): () => void;
}

export interface SuperviseOptions {
  readonly count: number;
  readonly start: (port: number) => ServerProcess;
  /** As configured; where it is 0 the first server chooses and the others follow. */
  readonly port: number;
  readonly stopped: Promise<void>;
  readonly onRestartAsked: ProcessControl["onRestartAsked"];
  /** Calls when the settings are to be read anew, which each server does by itself. Returns the way to stop. */
  readonly onReloadAsked?: (listener: () => void) => () => void;
  /** Told once, when all of them listen. */
  readonly onListening: (listening: Listening) => Promise<void>;
  /** How long a server may take to stop before it is killed. */
  readonly stopMillisecondsMax: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** How long a server may take until it listens: migrations and a check of the database come before. */
export const startMillisecondsMax = 120_000;
/** How often a server gives a sign of life, and its parent looks whether one has come. */
export const signOfLifeMilliseconds = 1_000;
/** Looks in a row that find none, after which a server counts as hung. No step of a server's own takes a second. */
export const silentLooksMax = 15;
/** A server that lived this long is started again at once. */
const healthyMilliseconds = 60_000;
const restartBaseMilliseconds = 100;
const restartWaitMillisecondsMax = 10_000;

interface Place {
  process: ServerProcess;
  startedMilliseconds: number;
  /** Deaths in a row, none of them after a healthy life. */
  deathCount: number;
}

/**
 * Runs until stopped, then stops all of them. Resolves with 0, or with the exit code of one that failed: of the first, where it
 * never listened, since the others would fail alike; else of one that did not stop in order.
 */
export async function superviseProcesses(options: SuperviseOptions): Promise<number> {
  const { clock, random, log } = options;
  const alive = new Set<ServerProcess>();
  const serving = new Set<ServerProcess>();
  const places: Place[] = [];
  const ending = new AbortController();
  let rolling: Promise<void> | null = null;
  let port = options.port;

  const start = (): ServerProcess => {
    const started = options.start(port);
    alive.add(started);
    void started.exited.then(() => {
      alive.delete(started);
      serving.delete(started);
    });
    return started;
  };
  /** Null where it has not come to listen in time; it is gone then. */
  const listeningOf = async (started: ServerProcess): Promise<Listening | null> => {
    const inTime = new AbortController();
    const patience = AbortSignal.any([inTime.signal, ending.signal]);
    const found = await Promise.race([started.listening, clock.sleep(startMillisecondsMax, patience).then(() => null)]);
    inTime.abort();
    if (found !== null) serving.add(started);
    if (found?.givesSignsOfLife) void endWhenHung(started);
    if (found === null) started.signal(ending.signal.aborted ? "SIGTERM" : "SIGKILL");
    return found;
  };

  /**
   * Kills it once it gives no sign of life; whoever keeps its place starts another. Looks are counted, not time: where this process
   * itself was stopped for a while, it must not take the others' for silence.
   */
  async function endWhenHung(process: ServerProcess): Promise<void> {
    let known = process.signsOfLifeCount;
    let silentLooks = 0;
    while (alive.has(process) && !ending.signal.aborted) {
      await clock.sleep(signOfLifeMilliseconds, ending.signal);
      silentLooks = process.signsOfLifeCount === known ? silentLooks + 1 : 0;
      known = process.signsOfLifeCount;
      if (silentLooks < silentLooksMax || ending.signal.aborted || !alive.has(process)) continue;
      log.error(
        { pid: process.pid, silent_seconds: (silentLooks * signOfLifeMilliseconds) / 1000 },
        "a server process gives no sign of life; killing it",
      );
      process.signal("SIGKILL");
      return;
    }
  }

  const isOwn = (place: Place, process: ServerProcess) => place.process === process && !ending.signal.aborted;

  /** Keeps a place filled for as long as nobody else fills it. */
  async function keep(place: Place): Promise<void> {
    let { process } = place;
    for (;;) {
      const code = await process.exited;
      if (!isOwn(place, process)) return;
      const lived = clock.monotonicMilliseconds() - place.startedMilliseconds;
      place.deathCount = lived >= healthyMilliseconds ? 0 : place.deathCount + 1;
      log.error(
        { pid: process.pid, exit_code: code, deaths: place.deathCount },
        "a server process ended; starting another",
      );
      if (place.deathCount > 0) {
        const wait = backoffMilliseconds({
          attemptIndex: place.deathCount - 1,
          baseMilliseconds: restartBaseMilliseconds,
          waitMillisecondsMax: restartWaitMillisecondsMax,
          random,
        });
        await clock.sleep(wait, ending.signal);
        if (!isOwn(place, process)) return;
      }
      process = start();
      place.process = process;
      place.startedMilliseconds = clock.monotonicMilliseconds();
      void listeningOf(process);
    }
  }

  /** A new one listens before the old one is asked to stop; where a new one fails, the rest stay as they are. */
  async function roll(): Promise<void> {
    log.info({ processes: places.length }, "replacing the server processes");
    for (const place of places) {
      if (ending.signal.aborted) return;
      const next = start();
      if ((await listeningOf(next)) === null) {
        log.error({ pid: next.pid }, "a new server process did not come to listen; the others stay as they are");
        return;
      }
      if (ending.signal.aborted) return;
      const old = place.process;
      place.process = next;
      place.startedMilliseconds = clock.monotonicMilliseconds();
      place.deathCount = 0;
      void keep(place);
      await stop(old);
      log.info({ pid: next.pid, replaced_pid: old.pid }, "a server process was replaced");
    }
    log.info({ processes: places.length }, "replaced the server processes");
  }

  /** Asks it to stop, and kills it where it does not in time. */
  async function stop(process: ServerProcess): Promise<number> {
    const inTime = new AbortController();
    process.signal("SIGTERM");
    void clock.sleep(options.stopMillisecondsMax, inTime.signal).then(() => {
      if (!inTime.signal.aborted) process.signal("SIGKILL");
    });
    const code = await process.exited;
    inTime.abort();
    return code;
  }

  const stopped = options.stopped.finally(() => ending.abort());
  // One that does not listen yet is passed over: it may have no ear for it yet, and has only just read the file.
  const forgetReload = options.onReloadAsked?.(() => {
    log.info({ processes: serving.size }, "telling the server processes to read their settings anew");
    for (const process of serving) process.signal("SIGHUP");
  });
  const first = start();
  const listening = await listeningOf(first);
  if (listening === null) {
    const code = await first.exited;
    await Promise.all([...alive].map(stop));
    return ending.signal.aborted ? 0 : code || 1;
  }
  port = Number(new URL(listening.url).port || 80);
  const others = Array.from({ length: options.count - 1 }, start);
  const startedMilliseconds = clock.monotonicMilliseconds();
  for (const process of [first, ...others]) {
    const place = { process, startedMilliseconds, deathCount: 0 };
    places.push(place);
    void keep(place);
  }
  await Promise.all(others.map(listeningOf));
  await options.onListening(listening);
  const forget = options.onRestartAsked(() => {
    // Asked again meanwhile, the one under way is enough: it ends with all of them new.
    rolling ??= roll().finally(() => {
      rolling = null;
    });
  });
  await stopped;
  forget();
  forgetReload?.();
  log.info({ processes: alive.size }, "stopping the server processes");
  // What had not come to listen yet had nothing to finish: it may end by the signal itself.
  const codes = await Promise.all(
    [...alive].map(async (process) => {
      const counts = serving.has(process);
      const code = await stop(process);
      return counts ? code : 0;
    }),
  );
  await rolling;
  return codes.find((code) => code !== 0) ?? 0;
}
