// An answer's pieces on their way out: joined where they are few, else as a stream that makes each piece when it is asked
// for. Separate from the formats, which know no streams, so that whatever they write goes out in the same two ways.

import type { GiveWay } from "./wire-table";

export type Piece = string | readonly Uint8Array[];

const encoder = new TextEncoder();

/** Everything in one: text as text, bytes as bytes. */
export function joinedPieces(pieces: Iterable<Piece>): string | Uint8Array<ArrayBuffer> {
  let text = "";
  const parts: Uint8Array[] = [];
  for (const piece of pieces) {
    if (typeof piece === "string") text += piece;
    else parts.push(...piece);
  }
  return parts.length === 0 ? text : (Buffer.concat(parts) as Uint8Array<ArrayBuffer>);
}

/**
 * A stream of the pieces. Each is made only when the one before is taken, after others have had their turn, so that a long
 * answer neither piles up nor stops anyone.
 */
export function streamedPieces(pieces: Iterator<Piece>, giveWay: GiveWay): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      await giveWay();
      const next = pieces.next();
      if (next.done === true) return controller.close();
      const parts = typeof next.value === "string" ? [encoder.encode(next.value)] : next.value;
      for (const part of parts) controller.enqueue(part);
    },
    cancel() {
      pieces.return?.();
    },
  });
}
