// A mail, and whatever takes mails: what the two ways of getting rid of one (a server, a folder) have in common. Separate so that
// neither decides what a mail may look like. Nothing here comes from a client unread: an address and a subject with a control
// character in them are refused, so that no mail can be given further headers or recipients.

import { isMailAddress } from "../../domain/mail-address";
import { BsoptError } from "../../foundation/errors";

/** One mail in plain text to one address. */
export interface Mail {
  /** The same at every attempt to send it; letters, digits and dashes. Makes the Message-ID, by which servers tell a repeat. */
  readonly id: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Who mails come from. */
export interface Sender {
  readonly name: string;
  readonly address: string;
}

export interface Mailer {
  /**
   * Hands the mail over; resolves once it is taken. Throws BsoptError `invalid` MAIL_REFUSED where no further attempt can
   * do better, `unavailable` MAIL_UNAVAILABLE otherwise. A mail may arrive twice where an answer got lost; its Message-ID tells.
   */
  send(mail: Mail, signal?: AbortSignal): Promise<void>;
  /** Throws `unavailable` MAIL_UNAVAILABLE where mails would not be taken now. Takes two seconds at most. */
  check(signal?: AbortSignal): Promise<void>;
}

const subjectLengthMax = 200;
const textLengthMax = 20_000;

/** `address` or `Name <address>`; null where it is neither. */
export function parseSender(text: string): Sender | null {
  const match = /^([^<>"\\\p{Cc}\p{Cf}]{1,100}?) *<([^<>]+)>$/u.exec(text);
  const [name, address] = match ? [match[1]!.trim(), match[2]!] : ["bsopt", text];
  return isMailAddress(address) ? { name, address } : null;
}

/** The Message-ID of a mail: its own id at the sender's host. */
export function messageIdOf(mail: Mail, sender: Sender): string {
  return `<${mail.id}@${sender.address.slice(sender.address.indexOf("@") + 1)}>`;
}

/** Throws BsoptError `invalid` MAIL_REFUSED unless every part can stand where it goes. */
export function requireSendable({ id, to, subject, text }: Mail): void {
  if (!/^[0-9A-Za-z-]{1,64}$/.test(id)) throw refused("The mail's id is none.");
  if (!isMailAddress(to)) throw refused("The mail's address is none.");
  if (subject.length > subjectLengthMax || /[\p{Cc}\p{Cf}]/u.test(subject))
    throw refused("The mail's subject is none.");
  if (text.length > textLengthMax) throw refused("The mail is too long.");
}

/** No attempt will do better. The words name no address. */
export function refused(detail: string, cause?: unknown): BsoptError {
  return new BsoptError({ reason: "invalid", code: "MAIL_REFUSED", detail, cause });
}

/** A later attempt may do better. */
export function unavailable(detail: string, cause?: unknown): BsoptError {
  return new BsoptError({ reason: "unavailable", code: "MAIL_UNAVAILABLE", detail, cause });
}
