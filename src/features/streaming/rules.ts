// What a stream is made of, without clients: the frame on the wire, the window a channel can be resumed from, and channels' names.
// Separate because every number a subscriber relies on is decided here. Nothing here knows a connection.

import { type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";

/** Part of the name of a channel: a family has few parts, and each is a symbol, a date or an interval. */
const channelLengthMax = 256;
const partCountMax = 8;

/** The parts of a channel's name, percent-decoded, or null where it is no name. */
export function channelParts(name: string): readonly string[] | null {
  if (name === "" || name.length > channelLengthMax) return null;
  const parts = name.split("/");
  if (parts.length > partCountMax) return null;
  try {
    const decoded = parts.map(decodeURIComponent);
    return decoded.includes("") ? null : decoded;
  } catch {
    return null;
  }
}

/** The name that these parts make: what `channelParts` takes apart again. A colon stands as it is. */
export function channelName(parts: readonly string[]): string {
  return parts.map((part) => encodeURIComponent(part).replaceAll("%3A", ":")).join("/");
}

/** Instead of a snapshot: it is not here yet. Who waits for it joins once `resync` has brought it. */
export const later = Symbol("later");

export interface FrameFields {
  /** The channel's name as JSON's text. */
  readonly channelJson: string;
  readonly seq: number;
  /** The number of the frame this one builds on; null: it builds on nothing. */
  readonly prev: number | null;
  readonly at: EpochMicroseconds;
  readonly type: "snapshot" | "delta" | "event" | "lag";
  /** JSON's text. */
  readonly data: string;
}

/** One frame as it is sent. */
export function frameText({ channelJson, seq, prev, at, type, data }: FrameFields): string {
  return `{"ch":${channelJson},"seq":${seq},"prev":${prev},"ts":"${formatTimestamp(at)}","type":"${type}","data":${data}}`;
}

export interface ReplayLimits {
  readonly countMax: number;
  readonly ageMillisecondsMax: number;
  /** Characters of frames that one channel keeps. */
  readonly bytesMax: number;
}

interface Kept {
  readonly seq: number;
  readonly text: string;
  readonly atMilliseconds: number;
}

/**
 * The last frames of one channel, each building on the one before it. What is asked for must have been numbered by this very run: a number
 * that is not among them is simply not there.
 */
export class Replay {
  readonly #limits: ReplayLimits;
  /** The number that the first kept frame builds on. */
  #from: number;
  #kept: Kept[] = [];
  #headIndex = 0;
  #bytes = 0;

  constructor(limits: ReplayLimits, from: number) {
    this.#limits = limits;
    this.#from = from;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#kept.length - this.#headIndex;
  }

  add(seq: number, text: string, atMilliseconds: number): void {
    this.#kept.push({ seq, text, atMilliseconds });
    this.#bytes += text.length;
    this.trim(atMilliseconds);
  }

  /** Lets go of what is too old, too much or too many. */
  trim(nowMilliseconds: number): void {
    const { countMax, ageMillisecondsMax, bytesMax } = this.#limits;
    while (this.count > 0) {
      const oldest = this.#kept[this.#headIndex]!;
      const isOver = this.count > countMax || this.#bytes > bytesMax;
      if (!isOver && nowMilliseconds - oldest.atMilliseconds <= ageMillisecondsMax) return;
      this.dropOldest();
    }
  }

  dropOldest(): void {
    const oldest = this.#kept[this.#headIndex];
    if (oldest === undefined) return;
    this.#from = oldest.seq;
    this.#bytes -= oldest.text.length;
    this.#headIndex += 1;
    if (this.#headIndex * 2 < this.#kept.length) return;
    this.#kept = this.#kept.slice(this.#headIndex);
    this.#headIndex = 0;
  }

  /** Nothing before `seq` can be resumed any more. */
  restart(seq: number): void {
    this.#kept = [];
    this.#headIndex = 0;
    this.#bytes = 0;
    this.#from = seq;
  }

  /** Every frame after the one of that number, or null where that cannot be told any more. */
  after(seq: number): readonly string[] | null {
    if (seq === this.#from) return this.#kept.slice(this.#headIndex).map(({ text }) => text);
    let low = this.#headIndex;
    let high = this.#kept.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.#kept[middle]!.seq;
      if (found === seq) return this.#kept.slice(middle + 1).map(({ text }) => text);
      if (found < seq) low = middle + 1;
      else high = middle - 1;
    }
    return null;
  }
}
