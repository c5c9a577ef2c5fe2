// What signing in decides without asking anybody: how often it may be tried, what a second factor's code is, what stands in for one,
// and what a client of OAuth may be given. Pure, so that each is a table in the tests.
//
// Time-based one-time passwords: RFC 6238 over HOTP (RFC 4226), HMAC-SHA-1, steps of 30 s, 6 digits; secrets as base32 (RFC 4648).
// Checked against the vectors of RFC 6238 appendix B.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Permission } from "../../domain/permission";
import type { RequestOrigin } from "../../domain/principal";
import type { EpochMicroseconds } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import type { BucketPolicy, BucketWant } from "../../foundation/token-bucket";
import type { AuditEvent } from "../audit/service";
import { scopesOf } from "../tokens/service";

/** Bytes of a secret: as long as SHA-1's output (RFC 4226 section 4, R6). */
export const totpSecretBytes = 20;
const stepMicroseconds = 30_000_000n;
const stepsAside = 1;

/** The time step of a moment. */
export function totpStepOf(now: EpochMicroseconds): number {
  return Number(now / stepMicroseconds);
}

/** The six digits of one step. */
export function totpCode(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", secret).update(counter).digest();
  const offset = mac[19]! & 0xf;
  return String((mac.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).padStart(6, "0");
}

/** The step whose code this is, of those beside the present one and behind the last that was taken; null: of none. */
export function acceptedStep(
  secret: Uint8Array,
  code: string,
  { now, lastStep }: { now: EpochMicroseconds; lastStep: number | null },
): number | null {
  if (!/^\d{6}$/.test(code)) return null;
  const present = totpStepOf(now);
  let accepted: number | null = null;
  for (let step = present - stepsAside; step <= present + stepsAside; step++) {
    const isRight = timingSafeEqual(Buffer.from(totpCode(secret, step)), Buffer.from(code));
    if (isRight && (lastStep === null || step > lastStep)) accepted ??= step;
  }
  return accepted;
}

const base32Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Base32 without padding. */
export function base32(bytes: Uint8Array): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const groups = bits.match(/.{1,5}/g) ?? [];
  return groups.map((group) => base32Alphabet[Number.parseInt(group.padEnd(5, "0"), 2)]).join("");
}

/** What an authenticator app reads from a QR code. */
export function otpauthUri(secretBase32: string, accountName: string): string {
  const label = encodeURIComponent(`bsopt:${accountName}`);
  return `otpauth://totp/${label}?secret=${secretBase32}&issuer=bsopt&algorithm=SHA1&digits=6&period=30`;
}

export const recoveryCodeCount = 10;
/**
 * Bytes of a recovery code: 120 bits, twenty-four letters of base32. From 112 bits on a plain hash keeps it (ASVS 5.0, 6.5.2): there is
 * no dictionary for a slow one to slow down.
 */
export const recoveryCodeBytes = 15;

/** As people are shown it: six groups of four small letters and digits. */
export function formatRecoveryCode(bytes: Uint8Array): string {
  return base32(bytes).toLowerCase().match(/.{4}/g)!.join("-");
}

/** A recovery code as typed, without what people add; null where it cannot be one. */
export function parseRecoveryCode(text: string): string | null {
  const letters = text.toLowerCase().replace(/[\s-]/g, "");
  return /^[a-z2-7]{24}$/.test(letters) ? letters : null;
}

/** How long a login waits for its second factor, and how many codes may be tried. */
export const challengeMicroseconds = 300_000_000n;
export const challengeAttemptsMax = 5;

/** Signing in by one sender (an IPv4 address, an IPv6 /64), whatever the account. */
export const addressPolicy: BucketPolicy = { name: "login-address", perMinute: 30, burst: 30 };

/** One account from one sender. What owners from where they have signed in before are counted by, and by nothing else. */
export const devicePolicies: readonly BucketPolicy[] = [
  { name: "login-device", perMinute: 5, burst: 10 },
  { name: "login-device-hour", perMinute: 20, burst: 30, windowMinutes: 60 },
];

/** One account from everywhere else: three buckets, each slower than the one before, so that who goes on waits ever longer. */
export const accountPolicies: readonly BucketPolicy[] = [
  { name: "login-account", perMinute: 5, burst: 10 },
  { name: "login-account-hour", perMinute: 10, burst: 20, windowMinutes: 60 },
  { name: "login-account-day", perMinute: 50, burst: 50, windowMinutes: 1440 },
];

/** The tokens that one try takes besides its sender's. `account` and `sender` are opaque names. */
export function wantsOf(account: string, sender: string, isKnownSender: boolean): BucketWant[] {
  const device = devicePolicies.map((policy) => ({ key: `${account} ${sender}`, policy }));
  return isKnownSender ? device : [...device, ...accountPolicies.map((policy) => ({ key: account, policy }))];
}

/** Codes of RFC 6749 section 5.2 that this server answers with. */
export type OauthError = "invalid_request" | "invalid_client" | "invalid_scope" | "unsupported_grant_type";

/** The failure as RFC 6749 names it: `detail`, and with it `error`, is the code that its clients look for. */
export function oauthError(error: OauthError): BsoptError {
  return new BsoptError({
    reason: error === "invalid_client" ? "unauthenticated" : "invalid",
    code: error.toUpperCase(),
    detail: error,
  });
}

/** The scopes to give: those asked for, which the key must hold, or all of the key's. Throws invalid_scope. */
export function grantedScopes(asked: string | undefined, held: ReadonlySet<Permission>): ReadonlySet<Permission> {
  if (asked === undefined) return held;
  const scopes = scopesOf(asked);
  if (scopes === null || scopes.length === 0 || !scopes.every((scope) => held.has(scope)))
    throw oauthError("invalid_scope");
  return new Set(scopes);
}

/** Key id and secret out of what a client sent; its whole key text may stand for the secret. Throws invalid_client, invalid_request. */
export function clientKeyText(sent: {
  basic: { id: string; secret: string } | null;
  clientId: string | undefined;
  clientSecret: string | undefined;
}): string {
  const { basic, clientId, clientSecret } = sent;
  if (basic && clientSecret !== undefined) throw oauthError("invalid_request");
  if (basic && clientId !== undefined && clientId !== basic.id) throw oauthError("invalid_request");
  const id = basic?.id ?? clientId;
  const secret = basic?.secret ?? clientSecret;
  if (id === undefined || secret === undefined) throw oauthError("invalid_client");
  return secret.startsWith(`bso_${id}_`) ? secret : `bso_${id}_${secret}`;
}

/** The bytes of a base32 text of ours. */
export function bytesOfBase32(text: string): Uint8Array {
  const bits = Array.from(text, (letter) => base32Alphabet.indexOf(letter).toString(2).padStart(5, "0")).join("");
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}

/** Whose a try was, as far as the audit log may know: a user's, with the address they typed, or nobody's, with a word for it. */
export interface Whose {
  readonly userId: string | null;
  readonly personal?: Readonly<Record<string, string>>;
  readonly account?: string;
}

/** A try to sign in that did not open a session. */
export function failure(act: { code: string; origin: RequestOrigin } & Whose): AuditEvent {
  return {
    eventType: "auth.login.failure",
    userId: act.userId,
    resource: null,
    action: "login",
    status: "failure",
    details: { code: act.code, ...(act.account !== undefined && { account: act.account }) },
    origin: act.origin,
    ...(act.personal && { personal: act.personal }),
  };
}

/** A second factor was turned on or off. */
export function factorChanged(
  eventType: "auth.totp.enabled" | "auth.totp.disabled",
  userId: string,
  origin: RequestOrigin,
): AuditEvent {
  const action = eventType === "auth.totp.enabled" ? "enable" : "disable";
  return { eventType, userId, resource: `users/${userId}`, action, status: "success", details: {}, origin };
}

/** A recovery code stood in for the second factor. */
export function recoveryUsed(userId: string, origin: RequestOrigin): AuditEvent {
  return {
    eventType: "auth.recovery_code.used",
    userId,
    resource: `users/${userId}`,
    action: "login",
    status: "success",
    details: {},
    origin,
  };
}
