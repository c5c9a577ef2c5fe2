// An answer's pieces on their way out as a stream that makes each piece when it is asked for. Separate from the formats,
// which know no streams, so that whatever they write goes out in the same way.

import type { GiveWay } from "./wire-table";

export type Piece = string | readonly Uint8Array[];

const encoder = new TextEncoder();

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
