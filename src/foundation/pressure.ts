// How full a queue is, in three words that do not flutter: a level is left only well below where it was entered. Separate from the queue, which
// only holds, and from its owner, who decides what each level means. Pure.

import { assert } from "./assert";

export const pressureLevels = ["ok", "warn", "critical"] as const;
export type PressureLevel = (typeof pressureLevels)[number];

/** Shares of the bound at which a level is entered, and below which it is left. */
const warnFrom = 0.5;
const warnUntil = 0.25;
const criticalFrom = 0.9;
const criticalUntil = 0.6;

export class Pressure {
  readonly #countMax: number;
  #level: PressureLevel = "ok";
  readonly #entered: Record<PressureLevel, number> = { ok: 0, warn: 0, critical: 0 };

  constructor(countMax: number) {
    assert(Number.isSafeInteger(countMax) && countMax > 0, `a bound must be a positive integer, not ${countMax}`);
    this.#countMax = countMax;
  }

  get level(): PressureLevel {
    return this.#level;
  }

  /** How often each level was entered. */
  get entered(): Readonly<Record<PressureLevel, number>> {
    return this.#entered;
  }

  /** The level with so many waiting now. */
  at(count: number): PressureLevel {
    const share = count / this.#countMax;
    let level: PressureLevel = this.#level;
    if (share >= criticalFrom || (level === "critical" && share >= criticalUntil)) level = "critical";
    else if (share >= warnFrom || (level !== "ok" && share >= warnUntil)) level = "warn";
    else level = "ok";
    if (level !== this.#level) {
      this.#level = level;
      this.#entered[level] += 1;
    }
    return level;
  }
}
