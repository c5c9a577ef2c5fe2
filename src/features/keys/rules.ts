// What keys decides without asking anybody: the text of a key, what a key may do, who may grant what,
// and where a key may come from. Pure: no clock, no randomness, no database, so each rule is a table in the
// tests. It never says why to a client that has not proven its secret; that is the service's care.

import type { Address } from "../../domain/address";
import { type AddressBlock, blockHolds, parseAddressBlock, parsePeerAddress } from "../../domain/address";
import { parseTimestamp, timestampFaultDetail } from "../../domain/day-count";
import { isPermission, type Permission, permissionsOfRole, type Role } from "../../domain/permission";
import type { RateClass } from "../../domain/principal";
import { BsoptError, type FieldFault } from "../../foundation/errors";

/** Letters and digits of a key's public id: 71 bits, so that ids never meet. */
export const keyIdLength = 12;
/** Letters and digits of a key's secret: 43 of base 62 are 256 bits. */
export const keySecretLength = 43;
export const scopeCountMax = 10;
export const ipAllowCountMax = 64;
export const keyNameLengthMax = 100;
export const pageLimitDefault = 50;
export const pageLimitMax = 200;
/** Living keys of one user; a loop that makes keys stops here. */
export const liveKeyCountPerUserMax = 1000;

const keyTextPattern = new RegExp(`^bso_([0-9A-Za-z]{${keyIdLength}})_([0-9A-Za-z]{${keySecretLength}})$`);

export interface KeyText {
  readonly id: string;
  readonly secret: string;
}

/** `bso_<id>_<secret>` taken apart, or null where the text is no key. */
export function parseKeyText(text: string): KeyText | null {
  const match = keyTextPattern.exec(text);
  return match ? { id: match[1]!, secret: match[2]! } : null;
}

/** What a client sends. */
export function formatKeyText(key: KeyText): string {
  return `bso_${key.id}_${key.secret}`;
}

/**
 * What a key may do now: its own scopes, within its owner's role, within the scopes of the key that made it.
 * A maker that was revoked still bounds what it made, but does not end it: replacing the administrator's key
 * must not silence every bot.
 */
export function effectivePermissions(
  scopes: readonly Permission[],
  ownerRole: Role,
  makerScopes: readonly Permission[] | null,
): ReadonlySet<Permission> {
  const ofRole = permissionsOfRole[ownerRole];
  return new Set(scopes.filter((scope) => ofRole.has(scope) && (makerScopes === null || makerScopes.includes(scope))));
}

/** Throws `forbidden` unless whoever makes a key (or whose it is to be) holds every scope it is to have. */
export function requireGrantable(
  scopes: readonly Permission[],
  held: ReadonlySet<Permission>,
  holder: "maker" | "owner" = "maker",
): void {
  const faults: FieldFault[] = scopes.flatMap((scope, index) =>
    held.has(scope)
      ? []
      : [{ pointer: `/scopes/${index}`, code: "SCOPE_NOT_HELD", detail: `the ${holder} does not hold ${scope}` }],
  );
  if (faults.length === 0) return;
  throw new BsoptError({
    reason: "forbidden",
    code: "SCOPE_NOT_HELD",
    detail: `A key can be given only scopes that its ${holder} holds.`,
    faults,
  });
}

/** Throws `forbidden` where somebody who is no administrator asks for another class than the standard one. */
export function requireRateClass(rateClass: RateClass, makerPermissions: ReadonlySet<Permission>): void {
  if (rateClass === "standard" || makerPermissions.has("admin")) return;
  const detail = "Only an administrator gives out another rate class than standard.";
  throw new BsoptError({
    reason: "forbidden",
    code: "RATE_CLASS_NOT_ALLOWED",
    detail,
    faults: [{ pointer: "/rate_class", code: "RATE_CLASS_NOT_ALLOWED", detail: "must be standard" }],
  });
}

/** The permissions in a stored or typed list, or null where a word is none. */
export function parseScopes(words: readonly unknown[]): Permission[] | null {
  const scopes = words.filter((word): word is Permission => typeof word === "string" && isPermission(word));
  return scopes.length === words.length ? scopes : null;
}

/** The blocks a list of texts names; throws `invalid` with one fault for each that names none. */
export function parseIpAllow(texts: readonly string[]): AddressBlock[] {
  const faults: FieldFault[] = [];
  const blocks: AddressBlock[] = [];
  for (const [index, text] of texts.entries()) {
    const block = parseAddressBlock(text);
    if (block) blocks.push(block);
    else {
      faults.push({
        pointer: `/ip_allow/${index}`,
        code: "ADDRESS_INVALID",
        detail: "must be an IPv4 or IPv6 address or a CIDR block with no bit set behind its prefix",
      });
    }
  }
  if (faults.length > 0) {
    throw new BsoptError({
      reason: "invalid",
      code: "ADDRESS_INVALID",
      detail: "ip_allow names something that is no address.",
      faults,
    });
  }
  return blocks;
}

/** Whether a socket's peer is within the list; no list means anywhere, an unreadable peer is nowhere. */
export function peerAllowed(blocks: readonly AddressBlock[] | null, peerAddress: string): boolean {
  if (blocks === null) return true;
  const address: Address | null = parsePeerAddress(peerAddress);
  return address !== null && blocks.some((block) => blockHolds(block, address));
}

/** The moment that a key stops working at; throws `invalid` EXPIRY_INVALID where it is none or not in the future. */
export function expiryOf(text: string, now: bigint): bigint {
  const moment = parseTimestamp(text);
  if (typeof moment === "bigint" && moment > now) return moment;
  const detail = typeof moment === "bigint" ? "must lie in the future" : timestampFaultDetail[moment];
  throw new BsoptError({
    reason: "invalid",
    code: "EXPIRY_INVALID",
    detail: `expires_at ${detail}.`,
    faults: [{ pointer: "/expires_at", code: "EXPIRY_INVALID", detail }],
  });
}

/** The one answer about a key that is not there, or not the asker's to see. */
export function keyNotFound(): BsoptError {
  return new BsoptError({ reason: "not-found", code: "KEY_NOT_FOUND", detail: "There is no such API key." });
}

/** The same about a user. */
export function userNotFound(): BsoptError {
  return new BsoptError({ reason: "not-found", code: "USER_NOT_FOUND", detail: "There is no such user." });
}
