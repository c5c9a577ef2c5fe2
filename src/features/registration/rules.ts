// What registration decides without asking anybody: which passwords are taken, and how often one address may be written to. Pure, so
// that each rule is a table in the tests. Source: OWASP ASVS 5.0, V6.2: 8 characters at least, 64 or more allowed, no composition
// rules, no rotation, a list of common ones refused, nothing cut or folded.

import { unreachable } from "../../foundation/assert";
import { BsoptError, type FieldFault } from "../../foundation/errors";

/** Characters (code points of the composed form) of a password, at least and at most. */
export const passwordLengthMin = 8;
export const passwordLengthMax = 128;
/** UTF-16 units that the wire takes: room for any 128 characters with their marks, so that the rule below answers, not the schema. */
export const passwordUnitsMax = 1024;

/** How long a token in a mail works, in microseconds. */
export const tokenLifeMicroseconds = {
  /** Confirms an address. */
  verify_email: 24n * 3600n * 1_000_000n,
  /** Sets a password that was forgotten. */
  reset_password: 3600n * 1_000_000n,
  /** Sets the first password of somebody an administrator invited. */
  invitation: 24n * 3600n * 1_000_000n,
} as const;

/** How long an address that was registered may stay unconfirmed after the last mail to it: what that mail's token lives, and six days more. */
export const confirmMicroseconds = tokenLifeMicroseconds.verify_email + 6n * 24n * 3600n * 1_000_000n;

/** Random bytes of a mailed token: 256 bits, so that its hash needs no slowness. */
export const tokenBytes = 32;

/** Mails of one purpose to one address: one a minute, ten a day; further ones are left out without a word. */
export const mailPauseMicroseconds = 60n * 1_000_000n;
export const mailsPerDayMax = 10;
export const dayMicroseconds = 24n * 3600n * 1_000_000n;

const productName = "bsopt";

/**
 * The password as it is counted and hashed: in Unicode's composed form (NFC), because two systems may send the same letters in two
 * ways. Nothing is trimmed, cut or folded.
 */
export function canonicalPassword(password: string): string {
  return password.normalize("NFC");
}

/** Why a password is not taken for that address; empty where it is. `pointer` is the field it came in. */
export function faultsOfPassword(options: {
  readonly password: string;
  readonly email: string | null;
  readonly pointer: string;
  readonly isCommon: (password: string) => boolean;
}): FieldFault[] {
  const { password, email, pointer, isCommon } = options;
  const text = canonicalPassword(password);
  const length = [...text].length;
  const fault = (code: string, detail: string): FieldFault[] => [{ pointer, code, detail }];
  if (!text.isWellFormed()) return fault("PASSWORD_MALFORMED", "holds half of a character");
  if (length < passwordLengthMin)
    return fault("PASSWORD_TOO_SHORT", `must have at least ${passwordLengthMin} characters`);
  if (length > passwordLengthMax)
    return fault("PASSWORD_TOO_LONG", `must have at most ${passwordLengthMax} characters`);
  if (isCommon(text)) return fault("PASSWORD_COMMON", "is among the most common passwords");
  const core = coreOf(text);
  if (core === productName || repeats(core, productName)) {
    return fault("PASSWORD_COMMON", "is this product's name");
  }
  if (email !== null && isLikeAddress(text, core, email)) {
    return fault("PASSWORD_LIKE_ADDRESS", "must not be the address or its first part");
  }
  return [];
}

/** Whether an address may be written to again, given when it was in the last day (any order). */
export function mayMail(sentAt: readonly bigint[], now: bigint): boolean {
  const recent = sentAt.filter((moment) => now - moment < dayMicroseconds);
  return recent.length < mailsPerDayMax && recent.every((moment) => now - moment >= mailPauseMicroseconds);
}

/** What a mail says, before it is put into words. */
export type Letter =
  | { readonly kind: "verify_email" | "reset_password" | "invitation"; readonly token: string }
  | { readonly kind: "already_registered" | "password_changed" };

/** Where the pages stand that links in mails open; the token follows behind the sign #, which no server and no log sees. */
export const verifyPagePath = "/account/verify-email";
export const passwordPagePath = "/account/reset-password";

/** A letter in words. No name and nothing else a stranger chose is in it: nobody can make this server write for them. */
export function letterText(letter: Letter, publicUrl: string): { subject: string; text: string } {
  switch (letter.kind) {
    case "verify_email":
      return {
        subject: "Confirm your address",
        text: lines(
          `Somebody, presumably you, registered at ${publicUrl} with this address.`,
          "",
          "To confirm it, open this link within 24 hours and type your password:",
          "",
          `${publicUrl}${verifyPagePath}#${letter.token}`,
          "",
          "Or send the token and the password to POST /api/v1/auth/verify-email:",
          "",
          letter.token,
          "",
          "If it was not you, do nothing: without this the address cannot be used.",
        ),
      };
    case "reset_password":
      return {
        subject: "Set a new password",
        text: lines(
          `Somebody, presumably you, forgot the password of this address at ${publicUrl}.`,
          "",
          "To set a new one, open this link within an hour:",
          "",
          `${publicUrl}${passwordPagePath}#${letter.token}`,
          "",
          "Or send the token with the new password to the API (POST /api/v1/auth/password/reset):",
          "",
          letter.token,
          "",
          "If it was not you, do nothing: your password stays as it is.",
        ),
      };
    case "invitation":
      return {
        subject: "You are invited",
        text: lines(
          `An administrator of ${publicUrl} made you a user with this address.`,
          "",
          "To set your password, open this link within 24 hours:",
          "",
          `${publicUrl}${passwordPagePath}#${letter.token}`,
          "",
          "Or send the token with a password to the API (POST /api/v1/auth/password/reset):",
          "",
          letter.token,
          "",
          "Later than that, ask for a new mail as if you had forgotten your password.",
        ),
      };
    case "already_registered":
      return {
        subject: "You are registered already",
        text: lines(
          `Somebody, presumably you, registered at ${publicUrl} with this address, which has a user already.`,
          "",
          "Sign in with the password you have. If you do not know it any more, ask for a mail to set a new one",
          "(POST /api/v1/auth/password/forgot with your address).",
          "",
          "If it was not you, do nothing: nothing was changed.",
        ),
      };
    case "password_changed":
      return {
        subject: "Your password was changed",
        text: lines(
          `The password of this address at ${publicUrl} was changed, and everybody signed in with it was signed out.`,
          "",
          "If it was not you, ask for a mail to set a new one (POST /api/v1/auth/password/forgot with your address)",
          "and tell whoever runs that server.",
        ),
      };
    default:
      return unreachable(letter);
  }
}

function lines(...text: readonly string[]): string {
  return `${text.join("\n")}\n`;
}

/** In lower case, without what people hang on a word to make it look like a password: digits and signs at the ends. */
function coreOf(text: string): string {
  return text.toLowerCase().replace(/^[^\p{L}]+|[^\p{L}]+$/gu, "");
}

function repeats(text: string, word: string): boolean {
  return text !== "" && text.length % word.length === 0 && text === word.repeat(text.length / word.length);
}

function isLikeAddress(text: string, core: string, email: string): boolean {
  const address = email.toLowerCase();
  const local = address.slice(0, address.lastIndexOf("@"));
  const whole = text.toLowerCase();
  if (whole === address || whole === local) return true;
  // A first part of one or two letters is no part of anybody's name.
  return core === coreOf(address) || (local.length >= 3 && core !== "" && core === coreOf(local));
}

export function registrationClosed(): BsoptError {
  return new BsoptError({
    reason: "forbidden",
    code: "REGISTRATION_CLOSED",
    detail: "Nobody registers here; ask an administrator.",
    hint: "BSOPT_REGISTRATION: open lets everybody register, invite whom an administrator made a user for; administrators always make users.",
  });
}

/** One answer for a token that never was, was used, was replaced or has expired. */
export function tokenInvalid(): BsoptError {
  const detail = "is not a token that works; it may have been used, replaced or have expired";
  return new BsoptError({
    reason: "invalid",
    code: "TOKEN_INVALID",
    detail: "The token does not work; ask for a new mail.",
    faults: [{ pointer: "/token", code: "TOKEN_INVALID", detail }],
  });
}

export function passwordNeeded(): BsoptError {
  return new BsoptError({
    reason: "invalid",
    code: "PASSWORD_NEEDED",
    detail: "Send the password to sign in with as well; this address was registered more than once.",
    faults: [{ pointer: "/password", code: "PASSWORD_NEEDED", detail: "is needed to confirm this address" }],
  });
}

export function passwordRefused(faults: readonly FieldFault[]): BsoptError {
  const [first] = faults;
  return new BsoptError({
    reason: "invalid",
    code: first!.code,
    detail: `The password ${first!.detail}.`,
    faults,
  });
}
