// Bodies out of and answers into gzip and zstd. Separate because a few thousand bytes may unfold into gigabytes: what comes
// out is counted as it comes, and whatever passes the limit ends there, unheld. Decoding runs beside the event loop but for
// small bodies, where going there and back would cost more than the work.
// Sources: RFC 1952 (gzip), RFC 8878 (zstd) section 3.1.1 (frames and blocks).

import { Readable } from "node:stream";
import {
  constants,
  createGunzip,
  createGzip,
  createZstdCompress,
  createZstdDecompress,
  gunzipSync,
  zstdDecompressSync,
} from "node:zlib";
import { nextTurn } from "../foundation/turn";
import type { ContentCoding } from "./media";

/** Compressed bodies up to this size, unfolding into no more than `inlineBytesMax`, are decoded at once. */
const inlineCompressedMax = 65_536;
const inlineBytesMax = 1_048_576;
/** What goes into a decoder, and comes out of one, at a time. */
const pieceBytes = 262_144;
const bytesPerTurn = 4_194_304;

/** Blocks hold up to 128 KiB; a frame of a million is made to be walked, not to be read. */
const blocksMax = 1_000_000;

/** Why a body could not be decoded. */
export type DecodingFault = "malformed" | "too-large";

/** The bytes behind a coding, or why there are none. At most `bytesMax` and one piece more are ever held. */
export async function decoded(
  compressed: Uint8Array,
  coding: ContentCoding,
  bytesMax: number,
): Promise<Uint8Array | DecodingFault> {
  // The zstd decoder takes a stream that breaks off for one that ended.
  if (coding === "zstd" && !isWholeZstd(compressed)) return "malformed";
  if (compressed.length <= inlineCompressedMax) {
    try {
      const decode = coding === "gzip" ? gunzipSync : zstdDecompressSync;
      const bytes = decode(compressed, { maxOutputLength: Math.min(bytesMax, inlineBytesMax) });
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ERR_BUFFER_TOO_LARGE") return "malformed";
      if (bytesMax <= inlineBytesMax) return "too-large";
    }
  }
  const decoder =
    coding === "gzip" ? createGunzip({ chunkSize: pieceBytes }) : createZstdDecompress({ chunkSize: pieceBytes });
  const source = Readable.from(piecesOf(compressed));
  const pieces: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const piece of source.pipe(decoder) as AsyncIterable<Uint8Array>) {
      total += piece.length;
      if (total > bytesMax) return "too-large";
      pieces.push(piece);
    }
  } catch {
    return "malformed";
  } finally {
    source.destroy();
    decoder.destroy();
  }
  return joined(pieces, total);
}

/** Put together in steps of some megabytes, because copying all at once would stop everyone for as long as it takes. */
async function joined(pieces: readonly Uint8Array[], total: number): Promise<Uint8Array> {
  const whole = Buffer.allocUnsafeSlow(total);
  let at = 0;
  let turnAt = bytesPerTurn;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
    if (at < turnAt) continue;
    turnAt = at + bytesPerTurn;
    await nextTurn();
  }
  return whole;
}

function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** Whether the bytes are zstd frames from the first to the last, none of them cut off. */
export function isWholeZstd(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  try {
    while (at < bytes.length) at = endOfFrame(view, at);
  } catch {
    // A header that is read past the end.
    return false;
  }
  return bytes.length > 0 && at === bytes.length;
}

/** Where a frame ends by its own word. Throws RangeError for what is no frame, or where a header lies past the end. */
function endOfFrame(view: DataView, start: number): number {
  const magic = view.getUint32(start, true);
  if (magic >= 0x184d2a50 && magic <= 0x184d2a5f) return start + 8 + view.getUint32(start + 4, true);
  if (magic !== 0xfd2fb528) throw new RangeError("no zstd frame");
  const descriptor = view.getUint8(start + 4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const hasChecksum = (descriptor & 0x04) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  let at = start + 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes;
  for (let blocks = 0; blocks < blocksMax; blocks++) {
    const header = view.getUint8(at) | (view.getUint8(at + 1) << 8) | (view.getUint8(at + 2) << 16);
    const size = header >> 3;
    // A block of one repeated byte holds just that byte.
    at += 3 + (((header >> 1) & 3) === 1 ? 1 : size);
    if ((header & 1) === 1) return at + (hasChecksum ? 4 : 0);
  }
  throw new RangeError("more blocks than any encoder makes");
}

/** An answer's bytes under a coding, as a stream that goes on as it is read. */
export function encoded(body: ReadableStream<Uint8Array>, coding: ContentCoding): ReadableStream<Uint8Array> {
  // The quickest level: doubles hardly shrink, and names and small numbers do at any.
  const encoder =
    coding === "gzip"
      ? createGzip({ level: 1, chunkSize: pieceBytes })
      : createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 }, chunkSize: pieceBytes });
  const source = Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
  source.on("error", (error) => encoder.destroy(error));
  const iterator = (source.pipe(encoder) as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      source.destroy();
      encoder.destroy();
    },
  });
}
