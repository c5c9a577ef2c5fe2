// A supervised background loop. Everything that runs by itself (watching the database for foreign
// writes, sweeping stored answers, later feeds and senders) is an Agent, so that readiness can tell
// whether each is alive and stopping the process stops them all. A failing round is logged and tried
// again with backoff; after `failuresMax` failures in a row the agent is dead and readiness says so.
// What fails because something it needs is away is not dead: that thing has a check of its own, and the agent
// must be at work again soon after it is back.

import type { Clock } from "./clock";
import { BsoptError } from "./errors";

export type AgentState = "idle" | "running" | "dead" | "stopped";

export interface AgentOptions {
  readonly name: string;
  readonly intervalMilliseconds: number;
  /** Failures in a row before the agent counts as dead, those by something being away aside; it keeps trying all the same. */
  readonly failuresMax: number;
  readonly clock: Clock;
  /** One round of work. Must end soon after the signal aborts. */
  readonly round: (signal: AbortSignal) => void | Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

const backoffMillisecondsMax = 30_000;
/** The same for a loop that looks more often than that, while something that its round needs is away. */
const awayMillisecondsMax = 5_000;

export class Agent {
  readonly name: string;
  readonly #options: AgentOptions;
  readonly #abort = new AbortController();
  #failuresInARow = 0;
  #failureCount = 0;
  #state: AgentState = "idle";
  #loop: Promise<void> | undefined;

  constructor(options: AgentOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get state(): AgentState {
    return this.#state;
  }

  /** Rounds that failed, since the start. */
  get failureCount(): number {
    return this.#failureCount;
  }

  start(): void {
    if (this.#loop) return;
    this.#state = "running";
    this.#loop = this.#run();
  }

  /** Asks the loop to end and waits for the round under way. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#loop;
    this.#state = "stopped";
  }

  async #run(): Promise<void> {
    const { clock, intervalMilliseconds, failuresMax, round, onFailure } = this.#options;
    const signal = this.#abort.signal;
    while (!signal.aborted) {
      let pause = intervalMilliseconds;
      try {
        await round(signal);
        this.#failuresInARow = 0;
        this.#state = "running";
      } catch (error) {
        const isAway = error instanceof BsoptError && error.reason === "unavailable";
        this.#failuresInARow += 1;
        this.#failureCount += 1;
        if (this.#failuresInARow >= failuresMax && !isAway) this.#state = "dead";
        onFailure(error);
        const isQuick = intervalMilliseconds <= awayMillisecondsMax;
        const pauseMax = isAway && isQuick ? awayMillisecondsMax : backoffMillisecondsMax;
        pause = Math.min(intervalMilliseconds * 2 ** Math.min(this.#failuresInARow, 10), pauseMax);
      }
      await clock.sleep(pause, signal);
    }
  }
}
