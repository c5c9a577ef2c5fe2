// Reads one request body: decides about its size before reading, counts it while it streams where no length was
// given, and parses strict JSON. Separate because every line here faces bytes a stranger chose. It must never
// allocate for more than the route's limit, and never recurse by the input's depth.

import type { BodyLease } from "./body-budget";
import type { BodyPatience } from "./body-patience";
import { decoded } from "./content-coding";
import { type BodyFormat, bodyFormats, type ContentCoding, codingOfHeader, formatOfContentType } from "./media";
import { Refusal } from "./problem";
import type { Route } from "./routes";

/** The part of a route that bounds its body. */
type Bound = Pick<Route, "bodyBytesMax">;

/** Deeper JSON is refused before parsing. */
export const jsonDepthMax = 32;

/** A refused body up to this size is left to drain, so that the client gets to read its answer; a larger one is cut. */
const drainedBytesMax = 268_435_456;

export interface ReadOptions {
  readonly coding?: ContentCoding | null;
  readonly lease?: BodyLease;
  readonly patience?: BodyPatience;
}

/** How the body's end is known: by its declared bytes, or by streaming until it ends. */
export type BodyExtent = { readonly kind: "declared"; readonly bytes: number } | { readonly kind: "streamed" };

/** Decides by the headers alone: 400 LENGTH_MALFORMED, 413 BODY_TOO_LARGE, 411 LENGTH_REQUIRED. Reads nothing. */
export function extentOf(request: Request, route: Bound): BodyExtent {
  const declared = request.headers.get("content-length");
  if (declared !== null) {
    // The HTTP parser lets one fault through, the header sent twice with the same value, and joins the two with a comma.
    if (!/^\d+$/.test(declared)) throw malformed("LENGTH_MALFORMED", "Content-Length must be one whole number");
    // A length past 2^53 is still only "too large".
    const bytes = Number(declared);
    if (!(bytes <= route.bodyBytesMax)) throw tooLarge(route, bytes > drainedBytesMax);
    return { kind: "declared", bytes };
  }
  if (request.headers.has("transfer-encoding") || request.body !== null) return { kind: "streamed" };
  throw new Refusal({
    kind: "length-missing",
    code: "LENGTH_REQUIRED",
    detail: "A body is needed: send Content-Length or chunked transfer coding",
  });
}

/** 415 unless the body is plain application/json in UTF-8, not compressed. */
export function requireJsonMediaType(request: Request): void {
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding.trim().toLowerCase() !== "identity") {
    throw new Refusal({
      kind: "media-unsupported",
      code: "CONTENT_ENCODING_UNSUPPORTED",
      detail: "The body must not be compressed",
      headers: { "accept-encoding": "identity" },
    });
  }
  const type = request.headers.get("content-type");
  if (type !== "application/json" && !/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type ?? "")) {
    throw new Refusal({
      kind: "media-unsupported",
      code: "CONTENT_TYPE_UNSUPPORTED",
      detail: "The body must be application/json",
      headers: { accept: "application/json" },
    });
  }
}

/** What the body of a route is that takes more than JSON: 415 unless it is one of its formats, plain or under a known coding. */
export function requireFormat<Format extends BodyFormat>(
  request: Request,
  formats: readonly Format[],
): { format: Format; coding: ContentCoding | null } {
  const coding = codingOfHeader(request.headers.get("content-encoding"));
  if (coding === undefined) {
    throw new Refusal({
      kind: "media-unsupported",
      code: "CONTENT_ENCODING_UNSUPPORTED",
      detail: "The body may be compressed with gzip or zstd, once",
      headers: { "accept-encoding": "gzip, zstd" },
    });
  }
  const claimed = formatOfContentType(request.headers.get("content-type"));
  const format = formats.find((each) => each === claimed);
  if (format === undefined) {
    const types = formats.map((each) => bodyFormats[each]).join(", ");
    throw new Refusal({
      kind: "media-unsupported",
      code: "CONTENT_TYPE_UNSUPPORTED",
      detail: `The body must be one of ${types}`,
      headers: { accept: types },
    });
  }
  return { format, coding };
}

/**
 * The body's bytes, never more than the route allows: 413 as soon as a streamed body passes the limit, before or after it is
 * decoded; 400 BODY_TOO_SLOW where it takes longer than the patience has. What is held is counted on the lease.
 */
export function readBody(
  request: Request,
  route: Bound,
  extent: BodyExtent,
  { coding = null, lease, patience }: ReadOptions = {},
): Promise<Uint8Array> {
  const reading =
    extent.kind === "declared"
      ? declared(request, route, extent.bytes, lease, patience)
      : streamed(request, route, lease, patience);
  return coding === null ? reading : plainOf(reading, coding, route, lease);
}

async function plainOf(
  reading: Promise<Uint8Array>,
  coding: ContentCoding,
  route: Bound,
  lease?: BodyLease,
): Promise<Uint8Array> {
  const bytes = await reading;
  const plain = await decoded(bytes, coding, route.bodyBytesMax);
  if (plain === "too-large") throw tooLarge(route, false);
  if (plain === "malformed") throw malformed("BODY_MALFORMED", `The body is not whole, or not ${coding}`);
  lease?.add(plain.byteLength);
  return plain;
}

async function declared(
  request: Request,
  route: Bound,
  bytesDeclared: number,
  lease?: BodyLease,
  patience?: BodyPatience,
): Promise<Uint8Array> {
  lease?.add(bytesDeclared);
  let bytes: Uint8Array;
  try {
    const arriving = request.bytes();
    bytes = await (patience?.within(arriving, bytesDeclared, tooSlow) ?? arriving);
  } catch (error) {
    throw error instanceof Refusal ? error : incomplete();
  }
  if (bytes.byteLength > route.bodyBytesMax) throw tooLarge(route, true);
  return bytes;
}

async function streamed(
  request: Request,
  route: Bound,
  lease?: BodyLease,
  patience?: BodyPatience,
): Promise<Uint8Array> {
  const reader = (request.body ?? new Blob().stream()).getReader();
  const read = new Gathered();
  const gathering = async () => {
    for (;;) {
      const next = await reader.read();
      if (next.done || next.value === undefined) return read.bytes;
      if (read.count + next.value.byteLength > route.bodyBytesMax) throw tooLarge(route, true);
      lease?.add(next.value.byteLength);
      read.add(next.value);
    }
  };
  try {
    const arriving = gathering();
    return await (patience?.within(arriving, () => read.count, tooSlow) ?? arriving);
  } catch (error) {
    if (!(error instanceof Refusal)) throw incomplete();
    // Told without waiting: what is given up may be waiting for a client that sends nothing.
    void reader.cancel().catch(() => undefined);
    throw error;
  }
}

/** Bytes that came in pieces, in one piece: a body in pieces of one byte each must not cost a hundred times its size. */
class Gathered {
  #bytes: Uint8Array = new Uint8Array(0);
  count = 0;

  add(piece: Uint8Array): void {
    const { count } = this;
    this.count += piece.byteLength;
    if (count === 0) {
      this.#bytes = piece;
      return;
    }
    if (this.count > this.#bytes.byteLength) {
      const grown = new Uint8Array(Math.max(this.count, 2 * count));
      grown.set(this.#bytes.subarray(0, count));
      this.#bytes = grown;
    }
    this.#bytes.set(piece, count);
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.count);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The JSON value in the bytes; 400 BODY_MALFORMED, BODY_TOO_DEEP or BODY_KEY_REFUSED. A repeated key: the last wins. */
export function parseJson(bytes: Uint8Array): unknown {
  if (depthOf(bytes) > jsonDepthMax) {
    throw malformed("BODY_TOO_DEEP", `The body nests deeper than ${jsonDepthMax} levels`);
  }
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw malformed("BODY_MALFORMED", "The body is not valid UTF-8");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed("BODY_MALFORMED", "The body is not valid JSON");
  }
  // Most bodies cannot hold the key at all; only those that might are walked.
  if ((text.includes("__proto__") || text.includes("\\u")) && namesPrototype(value)) {
    throw malformed("BODY_KEY_REFUSED", "The body has a field no request has");
  }
  return value;
}

/** Bodies up to this size are walked at once: that takes less than looking for brackets does. */
const walkedBytesMax = 512;

/** Deepest nesting of brackets outside strings, counted over the raw bytes so that nothing deep is ever built. */
function depthOf(bytes: Uint8Array): number {
  // Columns have few brackets in many bytes: those few, found by the byte, cannot nest deeper than they are many.
  if (bytes.length > walkedBytesMax && openingsAtMost(bytes, jsonDepthMax)) return 0;
  let depth = 0;
  let deepest = 0;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index]!;
    if (byte === 0x22) {
      index += 1;
      while (index < bytes.length && bytes[index] !== 0x22) index += bytes[index] === 0x5c ? 2 : 1;
    } else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      if (depth > deepest) deepest = depth;
      if (deepest > jsonDepthMax) return deepest;
    } else if (byte === 0x5d || byte === 0x7d) depth -= 1;
  }
  return deepest;
}

function openingsAtMost(bytes: Uint8Array, countMax: number): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let count = 0;
  for (const opening of [0x5b, 0x7b]) {
    for (let at = buffer.indexOf(opening); at >= 0; at = buffer.indexOf(opening, at + 1)) {
      count += 1;
      if (count > countMax) return false;
    }
  }
  return true;
}

/** Whether an own key __proto__ sits anywhere; depth is bounded by jsonDepthMax already. */
function namesPrototype(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(namesPrototype);
  return Object.hasOwn(value, "__proto__") || Object.values(value).some(namesPrototype);
}

/** A client that goes away while its body is read is its own fault, not ours. */
function incomplete(): Refusal {
  return malformed("BODY_INCOMPLETE", "The body ended early");
}

/** Told with the connection's end: what else of the body would come is not wanted. */
function tooSlow(): Refusal {
  return new Refusal({
    kind: "malformed",
    code: "BODY_TOO_SLOW",
    detail: "The body took too long to arrive",
    headers: { connection: "close" },
  });
}

function malformed(code: string, detail: string): Refusal {
  return new Refusal({ kind: "malformed", code, detail });
}

function tooLarge(route: Bound, cut: boolean): Refusal {
  return new Refusal({
    kind: "too-large",
    code: "BODY_TOO_LARGE",
    detail: `The body is larger than the ${route.bodyBytesMax} bytes this route takes`,
    headers: cut ? { connection: "close" } : {},
  });
}
