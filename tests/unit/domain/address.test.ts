// Which texts are addresses and blocks, and which address a block holds.

import { describe, expect, test } from "bun:test";
import { blockHolds, parseAddress, parseAddressBlock, parsePeerAddress } from "../../../src/domain/address";

describe("S2.35 an address", () => {
  const read: readonly (readonly [string, 32 | 128, bigint])[] = [
    ["0.0.0.0", 32, 0n],
    ["192.0.2.1", 32, 0xc0000201n],
    ["255.255.255.255", 32, 0xffffffffn],
    ["::", 128, 0n],
    ["::1", 128, 1n],
    ["1::", 128, 1n << 112n],
    ["2001:db8::1", 128, 0x20010db8000000000000000000000001n],
    ["2001:DB8:0:0:0:0:0:1", 128, 0x20010db8000000000000000000000001n],
    ["1:2:3:4:5:6:7::", 128, 0x00010002000300040005000600070000n],
    ["64:ff9b::192.0.2.33", 128, 0x0064ff9b0000000000000000c0000221n],
    ["::ffff:192.0.2.1", 32, 0xc0000201n],
    ["::FFFF:c000:0201", 32, 0xc0000201n],
    ["0000:0000:0000:0000:0000:ffff:255.255.255.255", 32, 0xffffffffn],
  ];
  for (const [text, bitCount, bits] of read) {
    test(`${text} is read as ${bitCount} bits`, () => expect(parseAddress(text)).toEqual({ bitCount, bits }));
  }

  const refused = [
    "",
    "localhost",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.4 ",
    "1.2.3.-4",
    "0x7f.0.0.1",
    "2130706433",
    "127.1",
    "1.2.3.4/32",
    ":",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1::2",
    "12345::",
    "g::",
    "1.2.3.4::",
    "::1.2.3",
    "::1.2.3.4:5",
    "fe80::1%eth0",
    "[::1]",
    "①②⑦.0.0.1",
    "1:".repeat(40_000),
  ];
  for (const text of refused) {
    test(`${JSON.stringify(text.slice(0, 30))} is refused`, () => expect(parseAddress(text)).toBeNull());
  }

  test("a peer's zone is left out", () => expect(parsePeerAddress("fe80::1%eth0")).toEqual(parseAddress("fe80::1")));
});

describe("S2.35 a block", () => {
  const rows: readonly (readonly [block: string, address: string, holds: boolean])[] = [
    ["10.0.0.0/8", "10.255.255.255", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["10.0.0.0/8", "::ffff:10.1.2.3", true],
    ["10.0.0.0/8", "::10.1.2.3", false],
    ["::ffff:10.0.0.0/104", "10.1.2.3", true],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.8", false],
    ["192.0.2.6/31", "192.0.2.7", true],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "2001:db8::1", true],
    ["::/0", "203.0.113.9", false],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["2001:db8::5/128", "2001:db8::5", true],
    ["2001:db8::5/128", "2001:db8::4", false],
  ];
  for (const [block, address, holds] of rows) {
    test(`${block} ${holds ? "holds" : "does not hold"} ${address}`, () => {
      expect(blockHolds(parseAddressBlock(block)!, parseAddress(address)!)).toBe(holds);
    });
  }

  const refused = [
    "10.0.0.1/8",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/08",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "/8",
    "10.0.0.0/8 ",
    "2001:db8::1/32",
    "::/129",
    "::ffff:10.0.0.0/8",
    "fe80::%eth0/64",
  ];
  for (const text of refused) test(`${text} is refused`, () => expect(parseAddressBlock(text)).toBeNull());
});
