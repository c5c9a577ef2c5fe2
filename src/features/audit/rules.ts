// What the audit log decides without asking anybody: which acts there are, how long their words may be, and how rows are chained.
// Pure, so that the same code writes the chain, walks it and is a table in the tests.
//
// The encoding a hash is taken over (stated again in docs/operating/audit.md): fields in a fixed order, the first a label that
// says what is hashed. Each field is one byte of kind and what it holds: 0 nothing at all; 1 text, as four bytes of length
// (big-endian, in bytes) and its UTF-8; 2 a whole number, the same with its decimal digits. Because every length is told, no two
// different rows have the same bytes. HMAC: RFC 2104 with SHA-256 (FIPS 180-4), written as 64 lower-case hexadecimal digits.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { assert } from "../../foundation/assert";
import { printable } from "../../foundation/printable";

/** Every kind of act that is recorded. Names are part of the contract: filters and reports use them. */
export const auditEventTypes = [
  "auth.register",
  "auth.email.verified",
  "auth.login.success",
  "auth.login.failure",
  "auth.logout",
  "auth.token.refreshed",
  "auth.token.reuse",
  "auth.session.revoked",
  "auth.password.changed",
  "auth.password.forgotten",
  "auth.password.reset",
  "auth.totp.enabled",
  "auth.totp.disabled",
  "auth.recovery_code.used",
  "auth.signing_key.rotated",
  "authz.access.denied",
  "oauth.token.issued",
  "apikey.created",
  "apikey.revoked",
  "user.updated",
  "user.exported",
  "user.erased",
  "admin.user.created",
  "admin.user.updated",
  "admin.user.deleted",
  "config.update",
  "trading.order.placed",
  "trading.order.rejected",
  "audit.exported",
  "audit.personal.erased",
  "audit.retention.cut",
] as const;

export type AuditEventType = (typeof auditEventTypes)[number];

export function isAuditEventType(text: string): text is AuditEventType {
  return (auditEventTypes as readonly string[]).includes(text);
}

export const auditStatuses = ["success", "failure"] as const;
export type AuditStatus = (typeof auditStatuses)[number];

export const eventTypeLengthMax = 50;
export const resourceLengthMax = 255;
export const actionLengthMax = 50;
export const userAgentLengthMax = 512;
export const ipAddressLengthMax = 64;
/** Characters of one text among the details or the personal words. */
export const textLengthMax = 1000;
/** Entries in the details, or among the personal words. */
export const entryCountMax = 32;

export type Details = Readonly<Record<string, string | number | boolean | null>>;

const keyText = /\b(bso_[0-9A-Za-z]{12})_[0-9A-Za-z]{20,}/g;
const signedToken = /\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g;

/**
 * A text as it may be recorded: whole characters, nothing invisible, at most `lengthMax` UTF-16 units, and what has the shape of an API
 * key or a signed token withheld, for a client can put its own secret into any header.
 */
export function recorded(text: string, lengthMax: number): string {
  let shown = text.length > lengthMax * 4 ? text.slice(0, lengthMax * 4) : text;
  if (shown.includes("bso_")) shown = shown.replace(keyText, "$1_[withheld]");
  if (shown.includes("eyJ")) shown = shown.replace(signedToken, "[withheld]");
  shown = printable(shown.toWellFormed());
  if (shown.length <= lengthMax) return shown;
  // A pair that the cut goes through goes whole.
  return `${shown.slice(0, lengthMax - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** Details as the JSON that is stored, in the order given. Throws InvariantError past the count of entries. */
export function detailsText(details: Details): string {
  const entries = Object.entries(details);
  assert(entries.length <= entryCountMax, `${entries.length} details, at most ${entryCountMax}`);
  return JSON.stringify(
    Object.fromEntries(
      entries.map(([name, value]) => [name, typeof value === "string" ? recorded(value, textLengthMax) : value]),
    ),
  );
}

/** The columns of an event that its hash covers, in the order in which it covers them. */
export interface ChainedRow {
  readonly id: number | bigint;
  readonly timestamp: bigint;
  readonly eventType: string;
  readonly userId: string | null;
  readonly resource: string | null;
  readonly action: string;
  readonly status: string;
  readonly details: string;
  readonly createdAt: bigint;
  readonly personalHash: string;
  readonly previousHash: string;
}

export interface PersonalRow {
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  readonly further: string | null;
}

/** A place in the chain: what stands there, or that it was cut off behind it. */
export interface ChainMark {
  /** 0: before the first row. */
  readonly id: number;
  readonly hash: string;
}

/** What the first row follows. */
export const chainStart: ChainMark = { id: 0, hash: "0".repeat(64) };

type Field = string | number | bigint | null;

/** The bytes of fields as the head of this file says. */
export function encodeFields(label: string, fields: readonly Field[]): Buffer {
  const texts = [label, ...fields].map((field) => (field === null ? null : String(field)));
  const lengths = texts.map((text) => (text === null ? 0 : Buffer.byteLength(text)));
  const bytes = Buffer.allocUnsafe(
    texts.reduce((sum, text, index) => sum + (text === null ? 1 : 5 + lengths[index]!), 0),
  );
  let at = 0;
  for (const [index, text] of texts.entries()) {
    if (text === null) {
      at = bytes.writeUInt8(0, at);
      continue;
    }
    const isText = index === 0 || typeof fields[index - 1] === "string";
    at = bytes.writeUInt8(isText ? 1 : 2, at);
    at = bytes.writeUInt32BE(lengths[index]!, at);
    at += bytes.write(text, at, "utf8");
  }
  return bytes;
}

/** The hash of an event's row under the key. */
export function hashOfRow(row: ChainedRow, key: Uint8Array): string {
  const { id, timestamp, eventType, userId, resource, action, status, details, createdAt, personalHash } = row;
  return hmac(
    encodeFields("bsopt audit event v1", [
      id,
      timestamp,
      eventType,
      userId,
      resource,
      action,
      status,
      details,
      createdAt,
      personalHash,
      row.previousHash,
    ]),
    key,
  );
}

/** What the chain holds of a personal row: SHA-256 over its salt and its texts. */
export function hashOfPersonal(salt: string, { ipAddress, userAgent, further }: PersonalRow): string {
  const bytes = encodeFields("bsopt audit personal v1", [salt, ipAddress, userAgent, further]);
  return createHash("sha256").update(bytes).digest("hex");
}

/** The signature of a cut: the rows up to this one are gone, and this was its hash. */
export function signCheckpoint(mark: ChainMark, createdAt: bigint, key: Uint8Array): string {
  return hmac(encodeFields("bsopt audit checkpoint v1", [mark.id, mark.hash, createdAt]), key);
}

/** The chain's end at one moment, to be kept where whoever changes the database cannot reach it. */
export interface ChainHead extends ChainMark {
  readonly time: bigint;
}

const headPattern = /^v1\.([1-9]\d{0,15})\.([0-9a-f]{64})\.([1-9]\d{0,18})\.([0-9a-f]{64})$/;

/** The head as one word that needs nothing beside it: `v1.ID.HASH.MICROSECONDS.SIGNATURE`. */
export function formatHead(head: ChainHead, key: Uint8Array): string {
  return `v1.${head.id}.${head.hash}.${head.time}.${signatureOfHead(head, key)}`;
}

/** The head a word tells, and whether it was signed with this key; null where the word is no head. */
export function parseHead(text: string, key: Uint8Array): (ChainHead & { readonly isSigned: boolean }) | null {
  const match = headPattern.exec(text);
  if (!match) return null;
  const head = { id: Number(match[1]), hash: match[2]!, time: BigInt(match[3]!) };
  if (!Number.isSafeInteger(head.id)) return null;
  return { ...head, isSigned: isSame(signatureOfHead(head, key), match[4]!) };
}

/** Whether two texts are the same, in a time that tells nothing of where they differ. */
export function isSame(left: string, right: string): boolean {
  return left.length === right.length && timingSafeEqual(Buffer.from(left), Buffer.from(right));
}

function signatureOfHead({ id, hash, time }: ChainHead, key: Uint8Array): string {
  return hmac(encodeFields("bsopt audit head v1", [id, hash, time]), key);
}

function hmac(bytes: Uint8Array, key: Uint8Array): string {
  return createHmac("sha256", key).update(bytes).digest("hex");
}
