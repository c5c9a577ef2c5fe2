// What a request shows to prove who it is, read from its headers alone. Separate from the gate, which only asks, because every rule
// here is about a header a stranger wrote. A cookie is looked at only where no header shows anything, since a browser sends it whether
// or not anybody meant to.

import type { Credentials, RequestIntent } from "../domain/principal";
import { challenge, Refusal } from "./problem";

/** `__Host-`: browsers take it only over https, for this host alone and every path (RFC 6265bis section 4.1.3.2). */
export const sessionCookieName = "__Host-bsopt";

const cookieAttributes = "Path=/; Secure; HttpOnly; SameSite=Strict";

/** The Set-Cookie header for a session that lasts so many seconds. */
export function sessionCookie(value: string, maxAgeSeconds: number): string {
  return `${sessionCookieName}=${value}; ${cookieAttributes}; Max-Age=${maxAgeSeconds}`;
}

/** The Set-Cookie header that ends it in the browser. */
export const clearedSessionCookie = `${sessionCookieName}=; ${cookieAttributes}; Max-Age=0`;

const bearerPattern = /^bearer +([A-Za-z0-9._~+/=-]{1,8192})$/i;
const apiKeyPrefix = "bso_";
const cookieValuePattern = /^[A-Za-z0-9_-]{43}$/;
const cookieHeaderLengthMax = 8192;
const csrfTokenLengthMax = 128;

/** Methods that change nothing, which a page elsewhere may make a browser send. */
const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** What the headers show. Throws 401 where there is nothing, more than one thing, or something unreadable. */
export function credentialsOf(request: Request, context: { host: string | null; clientAddress: string }): Credentials {
  const { headers } = request;
  const apiKey = headers.get("x-api-key");
  const authorization = headers.get("authorization");
  if (apiKey !== null && authorization !== null) {
    throw unauthenticated("CREDENTIALS_AMBIGUOUS", "Send either X-API-Key or Authorization, not both");
  }
  if (apiKey !== null) return new Shown(context, { apiKey });
  if (authorization !== null) {
    const token = bearerPattern.exec(authorization)?.[1];
    if (token === undefined) {
      throw unauthenticated("CREDENTIALS_MALFORMED", "Authorization must be Bearer and a token");
    }
    return new Shown(context, tokenCredential(token));
  }
  const cookie = sessionCookieIn(headers.get("cookie"));
  if (cookie === null) {
    throw unauthenticated(
      "CREDENTIALS_MISSING",
      "Send an access token or an API key as Authorization: Bearer, or an API key in X-API-Key",
    );
  }
  if (safeMethods.has(request.method)) return new Shown(context, { sessionCookie: cookie });
  return new Shown(context, { sessionCookie: cookie, intent: intentOf(headers, context.host) });
}

/** A token as it is shown: an API key by its beginning, else an access token. */
export function tokenCredential(token: string): { apiKey: string } | { bearerToken: string } {
  return token.startsWith(apiKeyPrefix) ? { apiKey: token } : { bearerToken: token };
}

/** A class for its getter: most checks never ask for the address, and an object with a getter of its own takes twice as long to make. */
class Shown implements Credentials {
  declare readonly apiKey?: string;
  declare readonly bearerToken?: string;
  declare readonly sessionCookie?: string;
  declare readonly intent?: RequestIntent;
  readonly #context: { readonly clientAddress: string };

  constructor(context: { readonly clientAddress: string }, shown: Omit<Credentials, "peerAddress">) {
    if (shown.apiKey !== undefined) this.apiKey = shown.apiKey;
    if (shown.bearerToken !== undefined) this.bearerToken = shown.bearerToken;
    if (shown.sessionCookie !== undefined) this.sessionCookie = shown.sessionCookie;
    if (shown.intent !== undefined) this.intent = shown.intent;
    this.#context = context;
  }

  get peerAddress(): string {
    return this.#context.clientAddress;
  }
}

const basicPattern = /^basic +([A-Za-z0-9+/]{1,1024}={0,2})$/i;

/**
 * Client id and secret of HTTP Basic as OAuth has it (RFC 6749 section 2.3.1: each encoded as in a form), or null where the header is
 * not there. Throws 401 where it is there and unreadable.
 */
export function basicCredentialsOf(request: Request): { id: string; secret: string } | null {
  const header = request.headers.get("authorization");
  if (header === null) return null;
  const text = Buffer.from(basicPattern.exec(header)?.[1] ?? "", "base64").toString("utf8");
  const colon = text.indexOf(":");
  try {
    if (colon > 0) return { id: formDecoded(text.slice(0, colon)), secret: formDecoded(text.slice(colon + 1)) };
  } catch {
    // No form's encoding: told like everything else that cannot be read.
  }
  throw new Refusal({
    kind: "unauthenticated",
    code: "INVALID_CLIENT",
    detail: "invalid_client",
    headers: { "www-authenticate": 'Basic realm="bsopt"' },
  });
}

function formDecoded(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}

/** The value of the session cookie in a Cookie header, or null where it is not there, there twice, or no cookie of ours. */
export function sessionCookieIn(header: string | null): string | null {
  if (header === null || header.length > cookieHeaderLengthMax || !header.includes(sessionCookieName)) return null;
  const values = header
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${sessionCookieName}=`))
    .map((pair) => pair.slice(sessionCookieName.length + 1));
  const [value] = values;
  return values.length === 1 && value !== undefined && cookieValuePattern.test(value) ? value : null;
}

/** Whether the browser says that a page of this host asked, and the token that only such a page can know. */
function intentOf(headers: Headers, host: string | null): RequestIntent {
  const csrfToken = headers.get("x-csrf-token");
  return {
    isSameOrigin: isSameOrigin(headers, host),
    csrfToken: csrfToken !== null && csrfToken.length <= csrfTokenLengthMax ? csrfToken : null,
  };
}

/**
 * Every browser sends Origin with such requests, and most Sec-Fetch-Site: whichever is there must say this host, and one must be
 * there. The scheme is not compared: a proxy in front of us may speak https with the browser and http with us.
 */
function isSameOrigin(headers: Headers, host: string | null): boolean {
  const site = headers.get("sec-fetch-site");
  const origin = headers.get("origin");
  if (site === null && origin === null) return false;
  if (site !== null && site !== "same-origin") return false;
  return origin === null || isFromHost(origin, host);
}

/** Whether an Origin header names the very host that was asked. */
export function isFromHost(origin: string, host: string | null): boolean {
  const originHost = /^https?:\/\/([^/?#@\s]+)$/i.exec(origin)?.[1];
  return originHost !== undefined && host !== null && originHost.toLowerCase() === host.toLowerCase();
}

function unauthenticated(code: string, detail: string): Refusal {
  return new Refusal({ kind: "unauthenticated", code, detail, headers: { "www-authenticate": challenge } });
}
