// What is decided about tokens without asking anybody: which key signs and which verify at a moment, when the next one is due, and
// whether a signed set of claims is one of ours. Pure, so that each is a table in the tests. A token's own head is never read here:
// it is looked up whole among the heads of living keys, or refused.

import { type Permission, permissions } from "../../domain/permission";
import type { EpochMicroseconds } from "../../foundation/clock";

export const tokenIssuer = "bsopt";
export const tokenAudience = "bsopt-api";
/** Every token has these, and the plugin refuses one that lacks any. */
export const requiredClaims = ["iss", "aud", "sub", "jti", "sid", "scope", "iat", "exp"] as const;

/** Longer texts are no tokens of ours. */
export const tokenLengthMax = 2048;

/** How long clients may keep the list of public keys, and how long a new key is on it before it signs. */
export const publishedSeconds = 300;
const publishedMicroseconds = BigInt(publishedSeconds) * 1_000_000n;
/** How much longer than its last token a key verifies: clocks differ. */
const graceMicroseconds = 60_000_000n;

export interface KeyLife {
  readonly createdAt: EpochMicroseconds;
  readonly supersededAt: EpochMicroseconds | null;
  readonly retiredAt: EpochMicroseconds | null;
}

/** Whether tokens of this key are taken. */
export function verifies({ retiredAt }: KeyLife, now: EpochMicroseconds): boolean {
  return retiredAt === null || now < retiredAt;
}

/** The key that signs: of those that still may, the oldest, for a newer one waits until everybody has heard of it. */
export function signerAmong<Key extends KeyLife>(keys: Iterable<Key>, now: EpochMicroseconds): Key | null {
  let signer: Key | null = null;
  for (const key of keys) {
    if (!verifies(key, now) || (key.supersededAt !== null && now >= key.supersededAt)) continue;
    if (signer === null || key.createdAt < signer.createdAt) signer = key;
  }
  return signer;
}

/** When the keys before a new one stop signing and verifying: in time, or (the old ones are not to be trusted) now. */
export function endOfPredecessors(options: { now: EpochMicroseconds; lifetimeMicroseconds: bigint; atOnce: boolean }): {
  supersededAt: EpochMicroseconds;
  retiredAt: EpochMicroseconds;
} {
  const { now, lifetimeMicroseconds, atOnce } = options;
  if (atOnce) return { supersededAt: now, retiredAt: now };
  const supersededAt = now + publishedMicroseconds;
  return { supersededAt, retiredAt: supersededAt + lifetimeMicroseconds + graceMicroseconds };
}

/** Whether the newest key is old enough for another; without any, it is. */
export function isRotationDue(keys: Iterable<KeyLife>, now: EpochMicroseconds, everyMicroseconds: bigint): boolean {
  let newest: EpochMicroseconds | null = null;
  for (const key of keys) {
    if (key.supersededAt === null && verifies(key, now) && (newest === null || key.createdAt > newest)) {
      newest = key.createdAt;
    }
  }
  return newest === null || now - newest >= everyMicroseconds;
}

/** What a token says, once its signature and age are known to be good. */
export interface TokenMeaning {
  readonly userId: string;
  /** The login session, or the API key that the token was given for. */
  readonly sessionId: string;
  /** The API key, or null for a person's token. */
  readonly keyId: string | null;
  readonly tokenId: string;
  readonly scopes: readonly Permission[];
  readonly expiresAt: EpochMicroseconds;
}

/** The meaning of a signed set of claims, or null where it is not of the shape that this program signs. */
export function meaningOf(claims: Readonly<Record<string, unknown>>, lifetimeSecondsMax: number): TokenMeaning | null {
  const { sub, sid, jti, scope, iat, exp, aud, client_id: clientId } = claims;
  if (!isIdentifier(sub) || !isIdentifier(sid) || !isIdentifier(jti)) return null;
  if (clientId !== undefined && clientId !== sid) return null;
  if (aud !== tokenAudience || typeof scope !== "string" || "nbf" in claims) return null;
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp)) return null;
  const [issuedSeconds, expirySeconds] = [iat as number, exp as number];
  // The two come from two clocks (adapters/jwt), hence the slack.
  if (expirySeconds - issuedSeconds > lifetimeSecondsMax + 5) return null;
  const scopes = scopesOf(scope);
  if (scopes === null) return null;
  return {
    userId: sub,
    sessionId: sid,
    keyId: clientId === undefined ? null : sid,
    tokenId: jti,
    scopes,
    expiresAt: BigInt(expirySeconds) * 1_000_000n,
  };
}

/** The permissions in a scope text (RFC 6749 section 3.3: words with one space between), or null where one is none. */
export function scopesOf(text: string): Permission[] | null {
  if (text === "") return [];
  const words = text.split(" ");
  const scopes = permissions.filter((permission) => words.includes(permission));
  return scopes.length === words.length ? scopes : null;
}

/** The scope text of a set of permissions, in their listed order. */
export function scopeText(held: ReadonlySet<Permission>): string {
  return permissions.filter((permission) => held.has(permission)).join(" ");
}

function isIdentifier(value: unknown): value is string {
  return typeof value === "string" && /^[0-9A-Za-z-]{1,64}$/.test(value);
}
