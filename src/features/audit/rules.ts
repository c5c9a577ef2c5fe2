// What the audit log decides without asking anybody: which acts there are, how long their words may be, and how rows are chained.
// Pure, so that the same code writes the chain, walks it and is a table in the tests.
//
// The encoding a hash is taken over (stated again in docs/operating/audit.md): fields in a fixed order, the first a label that
// says what is hashed. Each field is one byte of kind and what it holds: 0 nothing at all; 1 text, as four bytes of length
// (big-endian, in bytes) and its UTF-8; 2 a whole number, the same with its decimal digits. Because every length is told, no two
// different rows have the same bytes. HMAC: RFC 2104 with SHA-256 (FIPS 180-4), written as 64 lower-case hexadecimal digits.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { assert } from "../../foundation/assert";
import { BsoptError } from "../../foundation/errors";
import { printable } from "../../foundation/printable";

/** Every kind of act that is recorded. Names are part of the contract: filters and reports use them. */
export const auditEventTypes = [
  "auth.register",
  "auth.email.verified",
  "auth.login.success",
  "auth.login.failure",
  "auth.logout",
  "auth.reauthenticated",
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
  "limit.exceeded",
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
  "admin.error.resolved",
  "market.instruments.imported",
  "market.subscription.created",
  "market.subscription.deleted",
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

// What is left of one that is cut counts as well: a part of a secret is none of anybody's business either.
const keyText = /(bso_[0-9A-Za-z]{12})_[0-9A-Za-z]+/g;
// Longer than any id of ours (16 characters), one in some hundred thousand of which has these letters; a token's first part alone has 19.
const signedToken = /eyJ[\w-]{14,}(?:\.[\w-]*){0,2}/g;

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

/** What shows that this log itself was asked to erase that user. */
export function signErasure(userId: string, key: Uint8Array): string {
  return hmac(encodeFields("bsopt audit erasure v1", [userId]), key);
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

/** Where a page ended, as the opaque text a client sends back. */
export function formatCursor(mark: { readonly timestamp: bigint; readonly id: number }): string {
  return Buffer.from(`${mark.timestamp} ${mark.id}`, "latin1").toString("base64url");
}

/** The mark in a cursor; throws `invalid` where a client made one up. */
export function parseCursor(cursor: string): { readonly timestamp: bigint; readonly id: number } {
  const match = /^(-?\d{1,18}) (\d{1,15})$/.exec(Buffer.from(cursor, "base64url").toString("latin1"));
  if (match) return { timestamp: BigInt(match[1]!), id: Number(match[2]) };
  throw new BsoptError({
    reason: "invalid",
    code: "CURSOR_INVALID",
    detail: "The cursor is not one that this server gave.",
    faults: [{ pointer: "/cursor", code: "CURSOR_INVALID", detail: "must be the next_cursor of an earlier page" }],
  });
}

/** A row as the database gives it, trusted in nothing: a hand that changes rows can also change what kind of value stands there. */
export type StoredRow = Readonly<Record<StoredColumn, unknown>>;

type StoredColumn =
  | "id"
  | "timestamp"
  | "event_type"
  | "user_id"
  | "resource"
  | "action"
  | "status"
  | "details"
  | "created_at"
  | "personal_hash"
  | "prev_hash"
  | "hash"
  | "text_bytes"
  | "personal_id"
  | "salt"
  | "ip_address"
  | "user_agent"
  | "further"
  | "erased_at";

export const faultKinds = [
  /** The row's own hash is not that of what stands in it. */
  "row_changed",
  /** A column holds what no event can hold. */
  "row_unreadable",
  /** The row does not follow the one before it. */
  "link_broken",
  /** Rows between two are not there. */
  "rows_missing",
  /** What names a person is gone, row and all. */
  "personal_missing",
  "personal_changed",
  /** What names a person was blanked, and no erasure is recorded that did it. */
  "personal_blanked",
  /** The mark of a cut was not made with the key. */
  "checkpoint_forged",
  /** There is more than one mark of a cut. */
  "checkpoint_extra",
  /** Rows stand where everything was cut off. */
  "rows_before_start",
  /** A head was not made with the key. */
  "head_forged",
  /** Another row stands where a head was taken. */
  "head_differs",
  /** The chain ends before a head that was taken of it. */
  "cut_short",
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface ChainFault {
  readonly kind: FaultKind;
  /** The row, or the first of them. */
  readonly eventId: string;
  readonly detail: string;
}

export const faultCountMax = 100;

/**
 * Walks a chain row by row in the order of ids and finds what is wrong with it. Holds one mark, the heads ahead, the users whose
 * erasure is still to be met, and at most 100 faults: never the rows.
 */
export class ChainJudge {
  readonly #key: Uint8Array;
  /** The nearest last; those behind the walk are gone. */
  readonly #heads: ChainMark[];
  #last: { id: bigint; hash: string };
  readonly #blanked = new Map<string, { readonly first: bigint; last: bigint }>();
  readonly faults: ChainFault[] = [];
  faultCount = 0;
  rowCount = 0;
  erasedCount = 0;
  headsMatched = 0;
  /** Heads of rows that are no longer there to be compared. */
  headsUncompared = 0;

  constructor(options: { key: Uint8Array; start: ChainMark; heads: readonly ChainMark[] }) {
    this.#key = options.key;
    this.#heads = [...options.heads].sort((one, other) => other.id - one.id);
    this.#last = { id: BigInt(options.start.id), hash: options.start.hash };
    this.#passHeads();
  }

  /** The place of the last row that was looked at. */
  get place(): bigint {
    return this.#last.id;
  }

  /** Goes on behind a cut that was made meanwhile. */
  resumeAt(start: ChainMark): void {
    this.#last = { id: BigInt(start.id), hash: start.hash };
    this.#passHeads();
  }

  /** Whether this row is the next one; where not, rows are missing, or were cut off a moment ago. */
  isNext(row: StoredRow): boolean {
    return row.id === this.#last.id + 1n;
  }

  take(row: StoredRow): void {
    this.rowCount += 1;
    const id = typeof row.id === "bigint" ? row.id : this.#last.id + 1n;
    const isNext = this.isNext(row);
    if (!isNext) {
      this.find("rows_missing", this.#last.id + 1n, `rows ${this.#last.id + 1n} to ${id - 1n} are not there`);
    }
    const chained = readRow(row);
    if (chained === null) this.find("row_unreadable", id, "a column holds what no event can hold");
    else {
      if (isNext && chained.previousHash !== this.#last.hash) {
        this.find("link_broken", id, "the row does not follow the one before it");
      }
      if (!isSame(hashOfRow(chained, this.#key), chained.hash)) {
        this.find("row_changed", id, "the row is not as it was written");
      } else this.#judgePersonal(row, id, chained);
    }
    this.#last = { id, hash: typeof row.hash === "string" ? row.hash : "" };
    this.#passHeads();
  }

  /** The chain ends here: what was expected further on did not come. */
  finish(): void {
    for (const [userId, { first, last }] of this.#blanked) {
      const where = first === last ? "is blanked" : `and others up to ${last} are blanked`;
      this.find(
        "personal_blanked",
        first,
        `what names a person ${where}, and no erasure of user ${userId} is recorded`,
      );
    }
    const head = this.#heads[0];
    if (head === undefined) return;
    const count = this.#heads.length;
    this.find(
      "cut_short",
      this.#last.id + 1n,
      `the chain ends at ${this.#last.id}, and a head was taken at ${head.id}${count > 1 ? ` (${count} heads lie further on)` : ""}`,
    );
  }

  find(kind: FaultKind, eventId: bigint | number, detail: string): void {
    this.faultCount += 1;
    if (this.faults.length < faultCountMax) this.faults.push({ kind, eventId: String(eventId), detail });
  }

  #judgePersonal(row: StoredRow, id: bigint, { personalHash, userId, eventType }: ChainedRow): void {
    if (eventType === "audit.personal.erased" && userId !== null) this.#blanked.delete(userId);
    if (row.personal_id === null) {
      this.find("personal_missing", id, "what names a person is gone, row and all");
      return;
    }
    const texts = [row.ip_address, row.user_agent, row.further];
    if (row.erased_at !== null) {
      this.erasedCount += 1;
      if (row.salt !== "" || texts.some((text) => text !== null)) {
        this.find("personal_changed", id, "what names a person is marked as erased and is still there");
      } else if (userId === null) {
        this.find(
          "personal_blanked",
          id,
          "what names a person is blanked, and the event is nobody's who could be erased",
        );
      } else {
        const known = this.#blanked.get(userId);
        if (known) known.last = id;
        else this.#blanked.set(userId, { first: id, last: id });
      }
      return;
    }
    const [ipAddress, userAgent, further] = texts;
    if (
      typeof row.salt !== "string" ||
      !isTextOrNull(ipAddress) ||
      !isTextOrNull(userAgent) ||
      !isTextOrNull(further) ||
      !isSame(hashOfPersonal(row.salt, { ipAddress, userAgent, further }), personalHash)
    ) {
      this.find("personal_changed", id, "what names a person is not as it was written");
    }
  }

  /** Compares the heads at the present place, and lets go of those that lie behind it. */
  #passHeads(): void {
    for (
      let head = this.#heads.at(-1);
      head !== undefined && BigInt(head.id) <= this.#last.id;
      head = this.#heads.at(-1)
    ) {
      this.#heads.pop();
      if (BigInt(head.id) < this.#last.id) this.headsUncompared += 1;
      else if (head.hash === this.#last.hash) this.headsMatched += 1;
      else this.find("head_differs", head.id, "another row stands where a head was taken");
    }
  }
}

/** The columns of a stored row as they are hashed, or null where one is of a kind that no event has. */
function readRow(row: StoredRow): (ChainedRow & { readonly hash: string }) | null {
  const { id, timestamp, event_type, user_id, resource, action, status, details, created_at, personal_hash } = row;
  const { prev_hash, hash, text_bytes } = row;
  if (typeof id !== "bigint" || typeof timestamp !== "bigint" || typeof created_at !== "bigint") return null;
  if (!isTextOrNull(user_id) || !isTextOrNull(resource)) return null;
  if (typeof event_type !== "string" || typeof action !== "string" || typeof status !== "string") return null;
  if (typeof details !== "string" || typeof personal_hash !== "string") return null;
  if (typeof prev_hash !== "string" || typeof hash !== "string") return null;
  // The driver ends a text at a NUL: what stands behind one is counted, or it would go unseen.
  const texts = [event_type, user_id ?? "", resource ?? "", action, status, details];
  if (texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) !== Number(text_bytes)) return null;
  return {
    id,
    timestamp,
    eventType: event_type,
    userId: user_id,
    resource,
    action,
    status,
    details,
    createdAt: created_at,
    personalHash: personal_hash,
    previousHash: prev_hash,
    hash,
  };
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}

/** Stored entries. What is not as it was written says so instead of hiding every other event of its page. */
export function entriesOf<Value>(json: string, isValue: (value: unknown) => boolean): Record<string, Value> {
  try {
    const entries: unknown = JSON.parse(json);
    if (typeof entries === "object" && entries !== null && Object.values(entries).every(isValue)) {
      return entries as Record<string, Value>;
    }
  } catch {
    // Told below.
  }
  return { unreadable: "yes" as Value };
}
