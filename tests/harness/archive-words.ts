// A book so small that what it must say is told by its entries alone, and how an archive speaks of it. Apart from archive.ts because processes of
// their own need it, where no test runs.

import { createHash } from "node:crypto";
import { everyMarketTable } from "../../src/app/tables";
import type { BookWords } from "../../src/features/archive/rules";

/** An entry that says its time, or, as a listing, none. */
export type Note = { readonly text: string; readonly at: number | null };

/** Remembers how many entries there were and a hash over them in order. */
export interface NoteBook {
  readonly underlying: string;
  count: number;
  hash: string;
}

export const noteWords: BookWords<NoteBook, Note> = {
  encode: (entries) => new TextEncoder().encode(JSON.stringify(entries)),
  decode: (bytes) => JSON.parse(new TextDecoder().decode(bytes)) as Note[],
  timeOf: ({ at }) => (at === null ? null : BigInt(at)),
  weightOf: ({ text }) => (text.startsWith("dear") ? 100 : 1),
  begin: (underlying) => bytesOf(newBook(underlying)),
  restore: (_underlying, bytes) => JSON.parse(new TextDecoder().decode(bytes)) as NoteBook,
  enter(book, { text, at }) {
    book.count += 1;
    book.hash = createHash("sha256").update(`${book.hash} ${text} ${at}`).digest("hex").slice(0, 16);
  },
};

export const newBook = (underlying: string): NoteBook => ({ underlying, count: 0, hash: "" });

export const bytesOf = (book: NoteBook) => new TextEncoder().encode(JSON.stringify(book));

export const archiveTables = everyMarketTable;

/** The entry of that number in a record that everybody can write. */
export const entryOf = (index: number): Note => ({ text: `entry ${index} ${"x".repeat(index % 300)}`, at: index * 10 });

/** The book after so many of them. */
export function bookAfter(underlying: string, count: number): NoteBook {
  const book = newBook(underlying);
  for (let index = 0; index < count; index++) noteWords.enter(book, entryOf(index));
  return book;
}
