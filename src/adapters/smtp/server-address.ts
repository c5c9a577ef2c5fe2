// Reads the address of a mail server, smtp://user:password@host:port or smtps://…, into what a connection needs. Separate so that
// what is safe is decided in one place: whoever is not on this machine gets passwords and mails over TLS with a certificate that
// holds, unless the operator wrote otherwise. It must never put the text into an error: it holds a password.

import { isIP } from "node:net";
import { BsoptError } from "../../foundation/errors";
import { isLoopbackHost } from "../../foundation/loopback";

/**
 * `implicit`: TLS from the first byte. `required`: STARTTLS, and no mail without it. `local`: STARTTLS where the server offers it,
 * whatever its certificate: nobody listens in between. `off`: never.
 */
export type SmtpEncryption = "implicit" | "required" | "local" | "off";

export interface SmtpServer {
  readonly host: string;
  readonly port: number;
  readonly encryption: SmtpEncryption;
  readonly credentials: { readonly user: string; readonly password: string } | null;
}

const portOfScheme: Readonly<Record<string, number>> = { "smtp:": 587, "smtps:": 465 };

/** The server an address names. Throws BsoptError `invalid` SMTP_URL_INVALID saying which part is wrong. */
export function parseSmtpUrl(text: string): SmtpServer {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalid("is no address");
  }
  const defaultPort = portOfScheme[url.protocol];
  if (defaultPort === undefined) throw invalid("begins with neither smtp:// nor smtps://");
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  if (host === "") throw invalid("names no host");
  if (isIP(host) === 0 && !/^[a-z0-9._-]{1,253}$/.test(host)) throw invalid("names no host");
  if (url.pathname !== "" && url.pathname !== "/") throw invalid("has a path");
  if (url.hash !== "") throw invalid("has a fragment");
  const parameters = [...url.searchParams];
  if (parameters.some(([name, value]) => name !== "tls" || value !== "off") || parameters.length > 1) {
    throw invalid("has a parameter other than tls=off");
  }
  const isPlain = parameters.length === 1;
  if (isPlain && url.protocol === "smtps:") throw invalid("asks for TLS and for none");
  if ((url.username === "") !== (url.password === "")) throw invalid("has a user without a password, or the other way");
  const encryption =
    url.protocol === "smtps:" ? "implicit" : isPlain ? "off" : isLoopbackHost(host) ? "local" : "required";
  const port = url.port === "" ? defaultPort : Number(url.port);
  if (port === 0) throw invalid("has the port 0");
  return {
    host,
    port,
    encryption,
    credentials: url.username === "" ? null : { user: decoded(url.username), password: decoded(url.password) },
  };
}

function decoded(text: string): string {
  let plain: string;
  try {
    plain = decodeURIComponent(text);
  } catch {
    throw invalid("has a user or a password that is not percent-encoded");
  }
  if (/\p{Cc}/u.test(plain)) throw invalid("has a control character in its user or password");
  return plain;
}

function invalid(what: string): BsoptError {
  return new BsoptError({
    reason: "invalid",
    code: "SMTP_URL_INVALID",
    detail: `The mail server's address ${what}.`,
    hint: "BSOPT_SMTP_URL is smtp://user:password@host:port or smtps://user:password@host:port; reserved characters are percent-encoded.",
  });
}
