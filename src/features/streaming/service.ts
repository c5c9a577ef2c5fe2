// How the rest of the house speaks to subscribers: a feature opens a family of channels and publishes frames to them; who listens, how, and how
// fast is the streaming feature's business. Types only: the door between those that know the numbers and the one that knows the clients.

import type { Permission } from "../../domain/permission";
import type { EpochMicroseconds } from "../../foundation/clock";

export type FrameKind = "snapshot" | "delta" | "event";

/** A family of channels: all whose first part is `name`. */
export interface ChannelFamily {
  /** ticks, greeks, chain, surface, marks, health, test. */
  readonly name: string;
  readonly permission: Permission;
  /**
   * The canonical name of the channel that these parts (percent-decoded, the family's name left out) mean, or a sentence that says what is
   * wrong with them. Two spellings of one channel give one name.
   */
  channelOf(parts: readonly string[]): { readonly channel: string } | { readonly fault: string };
  /** The whole state as JSON's text at this moment, in step with the last published frame; null: nothing yet. */
  snapshot(channel: string): string | null;
  /** From now on somebody listens (or may resume): publish. Called once until `unwanted`. */
  wanted(channel: string): void;
  /** Nobody listens, and none may resume any more. */
  unwanted(channel: string): void;
}

/** What a feature is handed. */
export interface Hub {
  open(family: ChannelFamily): void;
  /** Gives the frame the channel's next number and sends it to all who listen; dropped where the channel is not wanted. `data` is JSON's text. */
  publish(channel: string, kind: FrameKind, data: string, at: EpochMicroseconds): void;
  isWanted(channel: string): boolean;
}
