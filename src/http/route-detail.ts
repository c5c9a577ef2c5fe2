// What a route declares about itself. Elysia keeps `detail` for documents; this widens its type so that a
// feature can state permission, limits and idempotency there, and the compiler checks the words. It is separate
// because it is only types: it must never hold a value.

import type { TextFormat } from "../adapters/tabular/text-body";
import type { WireLimits, WireSchema } from "../adapters/tabular/wire-table";
import type { Access } from "../domain/permission";
import type { DeprecationDetail } from "./deprecation";

/** What a route takes beside JSON: a table by columns, as CSV, NDJSON or Arrow, and answers in the same formats. */
export interface TableDetail extends WireLimits {
  readonly columns: WireSchema;
  /** Largest body in bytes, decoded. */
  readonly bytesMax: number;
  /** A body in each format of text, for the documents. */
  readonly examples: Readonly<Record<"csv" | "ndjson", string>>;
}

/** What a route takes beside JSON as text that it reads by itself: its handler is given a TextBody. */
export interface TextDetail {
  /** Largest body in bytes, decoded. */
  readonly bytesMax: number;
  /** What each format is to hold, and a body in it, for the documents. */
  readonly formats: Readonly<Record<TextFormat, { readonly description: string; readonly example: string }>>;
}

declare module "elysia/types" {
  interface DocumentDecoration {
    /** Who may call (domain/permission). A route without it stops the start. */
    permission?: Access;
    /** Of somebody signed in (never of a key): only if they signed in, or showed the password or a code again, within the last five minutes. */
    recentSignIn?: true;
    /** Largest body in bytes, or how to ask for it where it may change; absent means the server's default for a body. */
    bodyBytesMax?: number | (() => number);
    /**
     * The body may be a table (its handler is given a WireTable), compressed or not, and the answer may be one: the handler
     * returns a Response in the format that the caller accepts.
     */
    tables?: () => TableDetail;
    /** The body may be text, compressed or not, that the handler reads by itself. */
    texts?: () => TextDetail;
    /** The answer is JSON, whatever the body was. */
    answersJson?: true;
    /** Formats that the answer may have beside JSON, where the handler makes it so. */
    answerFormats?: readonly ("ndjson" | "csv" | "arrow")[];
    /** The body may be a form (application/x-www-form-urlencoded) as well as JSON. */
    form?: true;
    /** The answer's media type, where it is not JSON. */
    answerMedia?: string;
    /** The answer says which state it is of (ETag), and where the route changes it, If-Match is honoured. */
    conditional?: true;
    /** The route is to go: every answer says since when, until when, and what takes its place. */
    deprecation?: DeprecationDetail;
    /** The route is a WebSocket's handshake, which may show its credential in other ways too. */
    upgrade?: true;
    /** The route makes something: it honours the Idempotency-Key header. */
    idempotent?: true;
  }
}
