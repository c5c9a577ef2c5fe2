// Internet addresses as numbers, and blocks of them (CIDR, RFC 4632 and RFC 4291), for lists of who may come
// in. Pure. An IPv4 address written inside IPv6 (::ffff:192.0.2.1) is the IPv4 address: sockets that take
// both kinds report it so, and a list must not miss it. Nothing is guessed: leading zeros, zones in a list,
// a bare number and a block with bits set behind its prefix are refused rather than read in one of two ways.

export interface Address {
  readonly bitCount: 32 | 128;
  readonly bits: bigint;
}

export interface AddressBlock extends Address {
  /** How many leading bits an address must share with `bits`. */
  readonly prefixBits: number;
}

/** The address a text names, or null. A zone behind `%` is ignored only where the caller says so. */
export function parseAddress(text: string): Address | null {
  if (text.length > addressLengthMax) return null;
  return text.includes(":") ? parseVersion6(text) : parseVersion4(text);
}

/** The address of a socket's peer: as parseAddress, with a link-local zone (fe80::1%eth0) left out. */
export function parsePeerAddress(text: string): Address | null {
  const zone = text.indexOf("%");
  return parseAddress(zone < 0 ? text : text.slice(0, zone));
}

/** The one text of an address: dotted, or as RFC 5952 section 4 writes it. */
export function formatAddress({ bitCount, bits }: Address): string {
  if (bitCount === 32) return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 0xffn)).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => Number((bits >> BigInt(112 - 16 * index)) & 0xffffn));
  let zeros = { start: 0, count: 0 };
  for (let start = 0; start < 8; start++) {
    let count = 0;
    while (start + count < 8 && groups[start + count] === 0) count += 1;
    if (count > zeros.count) zeros = { start, count };
  }
  const texts = groups.map((group) => group.toString(16));
  if (zeros.count < 2) return texts.join(":");
  return `${texts.slice(0, zeros.start).join(":")}::${texts.slice(zeros.start + zeros.count).join(":")}`;
}

/** "10.0.0.0/8", "2001:db8::/32" or one address, or null where the text is none of them. */
export function parseAddressBlock(text: string): AddressBlock | null {
  const slash = text.indexOf("/");
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (!address) return null;
  if (slash < 0) return { ...address, prefixBits: address.bitCount };
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(digits)) return null;
  // A prefix is counted in the notation it was written in: ::ffff:10.0.0.0/104 is 10.0.0.0/8.
  const prefixBits = Number(digits) - (address.bitCount === 32 && text.includes(":") ? 96 : 0);
  if (prefixBits < 0 || prefixBits > address.bitCount) return null;
  const hostBits = BigInt(address.bitCount - prefixBits);
  if ((address.bits >> hostBits) << hostBits !== address.bits) return null;
  return { ...address, prefixBits };
}

/**
 * What counts as one sender: an IPv4 address, of IPv6 the /64 that one subscriber is given whole. A text that is no address is its
 * own; null is "".
 */
export function networkOf(text: string | null): string {
  if (text === null) return "";
  const address = parsePeerAddress(text);
  if (!address) return text;
  return address.bitCount === 32 ? `4:${address.bits}` : `6:${address.bits >> 64n}`;
}

/** Whether the block holds the address. The two kinds never match each other. */
export function blockHolds(block: AddressBlock, address: Address): boolean {
  if (block.bitCount !== address.bitCount) return false;
  const hostBits = BigInt(block.bitCount - block.prefixBits);
  return block.bits >> hostBits === address.bits >> hostBits;
}

/** "0000:0000:0000:0000:0000:ffff:255.255.255.255" is the longest. */
const addressLengthMax = 45;
const mappedVersion4Prefix = 0xffffn;

function parseVersion4(text: string): Address | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return null;
  let bits = 0n;
  for (const part of match.slice(1)) {
    if ((part.length > 1 && part.startsWith("0")) || Number(part) > 255) return null;
    bits = (bits << 8n) | BigInt(part);
  }
  return { bitCount: 32, bits };
}

function parseVersion6(text: string): Address | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = groupsOf(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1]!, true) : [];
  if (!head || !tail) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  let bits = 0n;
  for (const group of [...head, ...new Array<number>(missing).fill(0), ...tail]) bits = (bits << 16n) | BigInt(group);
  if (bits >> 32n === mappedVersion4Prefix) return { bitCount: 32, bits: bits & 0xffff_ffffn };
  return { bitCount: 128, bits };
}

/** The 16-bit groups of one side of "::"; the last may be a dotted quad, which makes two. */
function groupsOf(text: string, mayEndInQuad: boolean): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (mayEndInQuad && index === parts.length - 1 && part.includes(".")) {
      const quad = parseVersion4(part);
      if (!quad) return null;
      groups.push(Number(quad.bits >> 16n), Number(quad.bits & 0xffffn));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return null;
  }
  return groups.length <= 8 ? groups : null;
}
