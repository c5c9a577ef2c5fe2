// Reads and judges the Host header, so that a page on a stranger's name that resolves to this machine, or a request
// two servers would read differently, gets nowhere. It must never normalise: what is odd is refused.

import { Refusal } from "./problem";

export type HostRule = (hostHeader: string | null, isExempt: boolean) => void;

const alwaysAllowed = ["localhost", "127.0.0.1", "[::1]"];

/**
 * The rule for the names given beside the loopback ones and the listening address. It throws 400: HOST_REPEATED for
 * two headers, HOST_MALFORMED, HOST_NOT_ALLOWED. Exempt routes take any well-formed name, or none (HTTP/1.0 probes).
 */
export function hostRule(options: { host: string; allowedHosts: readonly string[] }): HostRule {
  const listening = options.host.includes(":") && !options.host.startsWith("[") ? `[${options.host}]` : options.host;
  const allowed = new Set([...alwaysAllowed, listening.toLowerCase(), ...options.allowedHosts]);
  // The same few names come all the time: the last good header is answered without being parsed.
  let lastAllowed: string | null = null;
  return (header, isExempt) => {
    if (header !== null && header === lastAllowed) return;
    if (header === null) {
      if (isExempt) return;
      throw refuse("HOST_MISSING", "A Host header is needed");
    }
    // Bun joins repeated headers with a comma, which no single host contains.
    if (header.includes(",")) throw refuse("HOST_REPEATED", "More than one Host header was sent");
    const name = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(header)?.[1]?.toLowerCase();
    if (name === undefined) throw refuse("HOST_MALFORMED", "The Host header is not a host name");
    if (isExempt) return;
    if (!allowed.has(name)) throw refuse("HOST_NOT_ALLOWED", "This server does not answer for that host");
    lastAllowed = header;
  };
}

function refuse(code: string, detail: string): Refusal {
  return new Refusal({ kind: "malformed", code, detail });
}
