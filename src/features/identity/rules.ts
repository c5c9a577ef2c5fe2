// What identity decides without asking anybody: which mail addresses are taken and in which one spelling, and which names. Pure, so that
// each rule is a table in the tests. It must never put an address into an error: errors are logged.

import { domainToASCII } from "node:url";
import { BsoptError } from "../../foundation/errors";

/** RFC 5321 §4.5.3.1.3: a path of 256 octets holds two brackets and the address. */
export const emailLengthMax = 254;
/** RFC 5321 §4.5.3.1.1. */
const localLengthMax = 64;
/** RFC 1035 §2.3.4: 255 octets of labels with their lengths are 253 characters. */
const domainLengthMax = 253;

export const userNameLengthMax = 100;
/** No control characters, no space in front; the same on the wire and on the command line. */
export const userNamePattern = "^[^\\s\\x00-\\x1f\\x7f][^\\x00-\\x1f\\x7f]*$";
/** What an erased user is called. */
export const erasedName = "erased";

/** RFC 5322 §3.2.3, dot-atom: words of these signs with single dots between. Quoted local parts are not taken. */
const localPattern = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
/** Letters, digits and hyphens, none at an edge. */
const labelPattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The one spelling by which an address is stored and looked for: composed for compatibility (NFKC), without space around it, in lower case,
 * its domain in ASCII (IDNA). Throws `invalid` EMAIL_INVALID where that is no address as RFC 5321 has it: one @, a dot-atom of at most
 * 64 characters, a domain of at most 253 in labels of at most 63, 254 in all. `pointer` is where the caller had it from.
 */
export function normalizeEmail(text: string, pointer = "/email"): string {
  // Bounded before anything walks it: composing can only make an address of this length longer by a known factor.
  const parts = text.length > 4 * emailLengthMax ? [] : text.normalize("NFKC").trim().toLowerCase().split("@");
  const [local = "", domain = ""] = parts;
  const ascii = parts.length === 2 ? asciiDomain(domain) : null;
  if (ascii === null || local.length > localLengthMax || !localPattern.test(local)) throw emailInvalid(pointer);
  const email = `${local}@${ascii}`;
  if (email.length > emailLengthMax) throw emailInvalid(pointer);
  return email;
}

/** The domain in ASCII, or null where it is none that mail is sent to by name. */
function asciiDomain(domain: string): string | null {
  // What stands outside names in ASCII must not reach the conversion: it decodes per cent and stops at a slash.
  if (domain.length > domainLengthMax || /[\0-,/:-`{-\x7f]/.test(domain)) return null;
  const ascii = domainToASCII(domain);
  if (ascii === "" || ascii.length > domainLengthMax) return null;
  const labels = ascii.split(".");
  // A last label of digits is an address of the network, however it was written.
  return labels.every((label) => labelPattern.test(label)) && !/^\d+$/.test(labels.at(-1)!) ? ascii : null;
}

function emailInvalid(pointer: string): BsoptError {
  const detail = "must be a mail address such as name@example.org";
  return new BsoptError({
    reason: "invalid",
    code: "EMAIL_INVALID",
    detail: "The mail address cannot be used.",
    faults: [{ pointer, code: "EMAIL_INVALID", detail }],
  });
}
