// Whose request it is. Behind a proxy the socket's peer is the proxy, and the client stands in X-Forwarded-For, which
// anybody can send; so it is believed only as far as proxies named in the settings have written it, from the right. Separate because
// limits, keys tied to addresses and the audit must all mean the same address. Nothing else reads the header;
// Forwarded, X-Real-IP and the like are never read.

import {
  type Address,
  type AddressBlock,
  blockHolds,
  formatAddress,
  parseAddress,
  parseAddressBlock,
  parsePeerAddress,
} from "../domain/address";
import { BsoptError } from "../foundation/errors";
import { isLoopbackHost } from "../foundation/loopback";

/** Characters from the right that are read: more than as many hops as are followed can take. */
const readLengthMax = 2048;
const hopCountMax = 32;

/** The client's address for a socket's peer ("" where there is none) and the X-Forwarded-For it sent, or null. */
export type ClientAddressRule = (peer: string, forwardedFor: string | null) => string;

/**
 * The rule for addresses and CIDR blocks of trusted proxies. Where none is trusted, and where the header cannot be read as
 * far as it matters, the client is the peer. Throws BsoptError `invalid` TRUSTED_PROXY_INVALID.
 */
export function clientAddressRule(trusted: readonly string[]): ClientAddressRule {
  const trustedProxies = trusted.map(blockOf);
  return (peer, forwardedFor) => {
    // A socket for both kinds says ::ffff:192.0.2.1 for an IPv4 peer; the dotted form needs no mending.
    if (trustedProxies.length === 0 && !peer.includes(":")) return peer;
    const address = parsePeerAddress(peer);
    if (address === null) return peer;
    const peerText = peer.includes("%") ? peer : formatAddress(address);
    if (forwardedFor === null || !isTrusted(address)) return peerText;
    // Only its end, which the proxies wrote, is read: a client that filled the front must not pass for the proxy.
    const hops = forwardedFor.slice(-readLengthMax).split(",");
    let client: Address | null = null;
    for (let index = hops.length - 1; index >= Math.max(0, hops.length - hopCountMax); index--) {
      const hop = parseHop(hops[index]!);
      if (hop === null) return peerText;
      client = hop;
      if (!isTrusted(hop)) break;
    }
    return client === null ? peerText : formatAddress(client);
  };

  function isTrusted(address: Address): boolean {
    return trustedProxies.some((block) => blockHolds(block, address));
  }
}

const loopbackBlocks = [blockOf("127.0.0.0/8"), blockOf("::1/128")];

/** Headers by which a proxy, or a browser that somebody else's page sent, gives itself away. */
const forwardingHeaders = /^(forwarded|x-forwarded-.*|x-real-ip|via|origin)$/;

/** Whether a request comes from this machine itself, by its socket's peer, its Host header and all its headers. */
export type LocalRule = (peer: string, host: string | null, headers: Headers) => boolean;

/**
 * The rule for what only this machine may see: its peer and the host it asks for are loopback ones, and no header says that somebody else
 * stands behind. Headers can only take this away, never give it, so whoever invents one gains nothing. A proxy on this machine that adds no
 * such header makes everybody look local: where the settings show that there is one (`isFronted`), nobody is.
 */
export function localRule({ isFronted }: { isFronted: boolean }): LocalRule {
  return (peer, host, headers) => {
    if (isFronted || host === null || !isLoopbackHost(host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1")))
      return false;
    const address = parsePeerAddress(peer);
    if (address === null || !loopbackBlocks.some((block) => blockHolds(block, address))) return false;
    for (const name of headers.keys()) if (forwardingHeaders.test(name)) return false;
    return true;
  };
}

function blockOf(text: string): AddressBlock {
  const block = parseAddressBlock(text);
  if (block !== null) return block;
  throw new BsoptError({
    reason: "invalid",
    code: "TRUSTED_PROXY_INVALID",
    detail: `trusted_proxies: ${text} is neither an address nor a CIDR block without bits behind its prefix`,
  });
}

/** An address as proxies write it: bare, in brackets, with a port behind an IPv4 address or the brackets. */
function parseHop(text: string): Address | null {
  const trimmed = text.trim();
  const match = /^\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?$/.exec(trimmed) ?? /^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/.exec(trimmed);
  return parseAddress(match?.[1] ?? trimmed);
}
