// Where a page of a list ended, as the opaque text that clients send back. Separate from the features, whose lists are all cut
// the same way: newest first, by moment and then by id. Pure. It must never carry anything that a client may not see.

import { BsoptError } from "./errors";

export interface PageMark {
  /** Microseconds since 1970. */
  readonly createdAt: bigint;
  readonly id: string;
}

/** Where a page ended, as the opaque text a client sends back. */
export function formatCursor(mark: PageMark): string {
  return Buffer.from(`${mark.createdAt} ${mark.id}`, "latin1").toString("base64url");
}

/** The mark in a cursor; throws `invalid` CURSOR_INVALID where a client made one up. */
export function parseCursor(cursor: string): PageMark {
  const match = /^(-?\d{1,19}) ([0-9A-Za-z-]{1,40})$/.exec(Buffer.from(cursor, "base64url").toString("latin1"));
  if (!match) {
    throw new BsoptError({
      reason: "invalid",
      code: "CURSOR_INVALID",
      detail: "The cursor is not one that this server gave.",
      faults: [{ pointer: "/cursor", code: "CURSOR_INVALID", detail: "must be the next_cursor of an earlier page" }],
    });
  }
  return { createdAt: BigInt(match[1]!), id: match[2]! };
}

/** Cuts a page out of rows of which one more was read than is shown, so that whether there are more is known. */
export function pageOf<Row, Shown>(
  rows: readonly Row[],
  limit: number,
  as: { shown: (row: Row) => Shown; mark: (row: Row) => PageMark },
): { data: Shown[]; next_cursor: string | null; has_more: boolean } {
  const kept = rows.slice(0, limit);
  const last = kept.at(-1);
  const hasMore = rows.length > kept.length;
  return {
    data: kept.map(as.shown),
    next_cursor: hasMore && last !== undefined ? formatCursor(as.mark(last)) : null,
    has_more: hasMore,
  };
}
