// Media types and content codings: what a body is, and what a client would rather have back. Separate because both are
// read from headers that anyone may fill with anything. A client that accepts nothing there is gets JSON: the contract's
// statuses have none for it, and a stranger to the formats can read that one best.
// Source: RFC 9110, sections 8.3 (Content-Type), 12.4.2 (quality values), 12.5.1 (Accept) and 12.5.3 (Accept-Encoding).

import { type WireFormat, wireFormats } from "../adapters/tabular/wire-table";

/** The formats a batch comes and goes in, each with its media type. JSON first: where a client has no wish it is JSON. */
export const bodyFormats = { json: "application/json", ...wireFormats } as const;

export type BodyFormat = "json" | WireFormat;

const formatNames = Object.keys(bodyFormats) as BodyFormat[];

/** Names that others give to the same types. */
const synonyms: Readonly<Record<string, BodyFormat>> = {
  "application/ndjson": "ndjson",
  "application/jsonl": "ndjson",
};

const jsonType = /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i;

/** What a Content-Type says the body is, or null where it is nothing known, or in another character set than UTF-8. */
export function formatOfContentType(contentType: string | null): BodyFormat | null {
  if (contentType === null) return null;
  if (contentType === bodyFormats.json || jsonType.test(contentType)) return "json";
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  for (const parameter of parameters) {
    const [name, value] = parameter.split("=").map((word) => word.trim());
    if (name === "charset" && value !== "utf-8" && value !== '"utf-8"') return null;
  }
  const format = formatOfType(type.trim());
  return format === "json" ? null : format;
}

function formatOfType(type: string): BodyFormat | null {
  return formatNames.find((name) => bodyFormats[name] === type) ?? synonyms[type] ?? null;
}

/** The content codings understood beside none at all. */
export type ContentCoding = "gzip" | "zstd";

/** What a Content-Encoding says: null is not compressed, undefined is a coding that is not understood. */
export function codingOfHeader(header: string | null): ContentCoding | null | undefined {
  switch (header?.trim().toLowerCase() ?? "identity") {
    case "identity":
      return null;
    case "gzip":
    case "x-gzip":
      return "gzip";
    case "zstd":
      return "zstd";
    default:
      return undefined;
  }
}

/** More than any client sends; what follows is not read. */
const wishesMax = 32;

interface Wish {
  readonly word: string;
  readonly quality: number;
}

/** The members of an Accept or Accept-Encoding header with their qualities; one that is malformed counts as not wanted. */
function wishesOf(header: string): Wish[] {
  return header
    .toLowerCase()
    .split(",", wishesMax)
    .map((member) => {
      const [word = "", ...parameters] = member.split(";").map((part) => part.trim());
      const quality = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
      if (quality === undefined) return { word, quality: 1 };
      return { word, quality: /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(quality) ? Number(quality) : 0 };
    });
}

/** The best of what the client would have, by its qualities; of equals JSON, then the one it names first. */
export function acceptedFormat(accept: string | null): BodyFormat {
  if (accept === null || accept === "*/*" || accept === bodyFormats.json) return "json";
  const wishes = wishesOf(accept);
  let best: { readonly format: BodyFormat; readonly quality: number; readonly place: number } | null = null;
  for (const format of formatNames) {
    const type = bodyFormats[format];
    const named = wishes.findIndex(({ word }) => formatOfType(word) === format);
    const family = wishes.findIndex(({ word }) => word === `${type.slice(0, type.indexOf("/"))}/*`);
    const any = wishes.findIndex(({ word }) => word === "*/*");
    // The most specific member counts, even where another would give more.
    const place = [named, family, any].find((index) => index >= 0);
    if (place === undefined) continue;
    const { quality } = wishes[place]!;
    if (quality === 0) continue;
    // Among equals a type by its name goes before one that only a wildcard lets in.
    const rank = named >= 0 ? place : wishesMax;
    if (best === null || quality > best.quality || (quality === best.quality && rank < best.place)) {
      best = { format, quality, place: rank };
    }
  }
  return best?.format ?? "json";
}

/** The coding for an answer, or null for none: only what the client names, and only where it wants that no less than none. */
export function acceptedCoding(acceptEncoding: string | null): ContentCoding | null {
  if (acceptEncoding === null || acceptEncoding === "") return null;
  const wishes = wishesOf(acceptEncoding);
  const qualityOf = (word: string) => wishes.find((wish) => wish.word === word)?.quality;
  const zstd = qualityOf("zstd") ?? 0;
  const gzip = qualityOf("gzip") ?? qualityOf("x-gzip") ?? qualityOf("*") ?? 0;
  const none = qualityOf("identity") ?? 0;
  if (Math.max(zstd, gzip) === 0 || none > Math.max(zstd, gzip)) return null;
  return zstd >= gzip ? "zstd" : "gzip";
}
