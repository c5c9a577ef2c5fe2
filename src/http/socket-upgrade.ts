// The handshake of a WebSocket: whether a request is one (RFC 6455 section 4.2.1), and what it shows to prove who asks. Separate from
// the sockets because the gate decides about both before there is one. Cookies are never looked at: a browser sends them from
// whatever page asks.

import type { Credentials } from "../domain/principal";
import { credentialsOf, tokenCredential } from "./credentials";
import { Refusal } from "./problem";

/** The one subprotocol there is; a client that names none gets none. */
const subprotocol = "bsopt.v1";
const bearerPrefix = "bearer.";
const tokenPattern = /^[A-Za-z0-9._~-]{1,8192}$/;
const ticketPattern = /^[A-Za-z0-9_-]{43}$/;

/** Throws 426 where a request is no handshake of version 13, 400 where it is a broken one. */
export function requireUpgrade({ method, headers }: Request): void {
  const isAsked =
    method === "GET" &&
    headers.get("upgrade")?.trim().toLowerCase() === "websocket" &&
    hasToken(headers.get("connection"), "upgrade");
  if (!isAsked || headers.get("sec-websocket-version") !== "13") {
    throw new Refusal({
      kind: "upgrade-needed",
      code: "UPGRADE_NEEDED",
      detail: "This address speaks WebSocket, version 13",
      headers: { upgrade: "websocket", connection: "Upgrade", "sec-websocket-version": "13" },
    });
  }
  const key = headers.get("sec-websocket-key") ?? "";
  if (!/^[A-Za-z0-9+/]{22}==$/.test(key)) {
    throw new Refusal({ kind: "malformed", code: "HANDSHAKE_MALFORMED", detail: "Sec-WebSocket-Key is not 16 bytes" });
  }
}

/** What a handshake shows, the first of: a header, a ticket, a subprotocol, the query. Throws 401 where that is nothing, or unreadable. */
export function socketCredentialsOf(
  request: Request,
  context: { host: string | null; clientAddress: string },
): Credentials {
  const { headers, url } = request;
  if (headers.has("authorization") || headers.has("x-api-key")) return credentialsOf(request, context);
  const start = url.indexOf("?");
  const query = new URLSearchParams(start === -1 ? "" : url.slice(start));
  const ticket = query.get("ticket");
  if (ticket !== null) {
    if (!ticketPattern.test(ticket)) throw malformed("ticket");
    return { ticket, peerAddress: context.clientAddress };
  }
  const protocol = offered(headers.get("sec-websocket-protocol")).find((each) => each.startsWith(bearerPrefix));
  const token = protocol?.slice(bearerPrefix.length) ?? query.get("token");
  if (token === null) {
    throw new Refusal({
      kind: "unauthenticated",
      code: "CREDENTIALS_MISSING",
      detail:
        "Send an access token or an API key as Authorization: Bearer or as the subprotocol bearer.TOKEN, or a ticket as ?ticket=",
      headers: { "www-authenticate": 'Bearer realm="bsopt"' },
    });
  }
  if (!tokenPattern.test(token)) throw malformed("token");
  return { ...tokenCredential(token), peerAddress: context.clientAddress };
}

/** What of the subprotocols offered is answered: a browser gives up where it offers some and none comes back. */
export function chosenProtocol(header: string | null): string | null {
  const all = offered(header);
  return all.find((each) => each === subprotocol) ?? all.find((each) => each.startsWith(bearerPrefix)) ?? null;
}

const offeredMax = 16;

function offered(header: string | null): string[] {
  return header === null ? [] : header.split(",", offeredMax).map((each) => each.trim());
}

function hasToken(header: string | null, token: string): boolean {
  return (header ?? "").split(",", offeredMax).some((each) => each.trim().toLowerCase() === token);
}

function malformed(what: string): Refusal {
  return new Refusal({
    kind: "unauthenticated",
    code: "CREDENTIALS_MALFORMED",
    detail: `The ${what} is not one of ours`,
    headers: { "www-authenticate": 'Bearer realm="bsopt"' },
  });
}
