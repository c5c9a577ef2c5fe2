// Buses for tests: over a hub in memory, where a test hears, spoils and cuts what goes by, and the keys that make them one installation.

import { Agent } from "../../src/foundation/agent";
import { type Bus, type BusLimits, type BusLink, type BusState, createBus } from "../../src/foundation/bus";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { systemRandom } from "../../src/foundation/random";

export const busKey = new Uint8Array(32).fill(7);

/** What stands in for a server: it passes on at the next turn, in order. */
export class MemoryHub {
  readonly #links = new Map<
    object,
    { takers: Map<string, (bytes: Uint8Array) => void>; tell(state: BusState): void }
  >();
  /** All that went by, and a way to change or swallow it. */
  readonly passed: { subject: string; bytes: Uint8Array }[] = [];
  spoil: (bytes: Uint8Array, subject: string) => Uint8Array | null = (bytes) => bytes;
  isUp = true;

  link(): BusLink {
    const self = {};
    const takers = new Map<string, (bytes: Uint8Array) => void>();
    const listeners = new Set<(state: BusState) => void>();
    let isClosed = false;
    this.#links.set(self, { takers, tell: (state) => void [...listeners].map((listener) => listener(state)) });
    const hub = this;
    return {
      kind: "memory",
      get state() {
        return isClosed ? "closed" : hub.isUp ? "connected" : "lost";
      },
      publish(subject, bytes) {
        if (!hub.isUp) return false;
        hub.passed.push({ subject, bytes });
        const passed = hub.spoil(bytes, subject);
        if (passed !== null)
          queueMicrotask(() => {
            for (const link of hub.#links.values()) link.takers.get(subject)?.(passed);
          });
        return true;
      },
      subscribe(subject, taker) {
        takers.set(subject, taker);
        return { ready: Promise.resolve(), end: () => void takers.delete(subject) };
      },
      onState(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      async ping() {
        if (!hub.isUp) throw new Error("away");
      },
      open: async () => undefined,
      agent: new Agent({
        name: "memory-link",
        intervalMilliseconds: 1_000_000,
        failuresMax: 1,
        clock: systemClock,
        round: () => undefined,
        onFailure: () => undefined,
      }),
      async close() {
        isClosed = true;
        hub.#links.delete(self);
      },
    };
  }

  /** Tells all links of a loss or a return. */
  turn(isUp: boolean): void {
    this.isUp = isUp;
    for (const { tell } of this.#links.values()) tell(isUp ? "connected" : "lost");
  }
}

export function busOn(
  link: BusLink,
  changes: { key?: Uint8Array; clock?: Clock; limits?: Partial<BusLimits> } = {},
): Bus {
  return createBus({ link, key: busKey, clock: systemClock, random: systemRandom, ...changes });
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
