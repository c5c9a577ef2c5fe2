// Whose request it is: what a header may say, from whom, and which bucket an address has.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatAddress, parseAddress } from "../../../src/domain/address";
import { BsoptError } from "../../../src/foundation/errors";
import { clientAddressRule } from "../../../src/http/client-address";
import { addressKey } from "../../../src/http/limits";

describe("S2.27 the client's address", () => {
  const behind = clientAddressRule(["10.0.0.0/8", "2001:db8:ff::/48", "127.0.0.1"]);
  const rows: readonly { name: string; peer: string; header: string | null; client: string }[] = [
    { name: "no header: the peer", peer: "10.0.0.1", header: null, client: "10.0.0.1" },
    { name: "one hop", peer: "10.0.0.1", header: "192.0.2.7", client: "192.0.2.7" },
    { name: "two trusted hops", peer: "10.0.0.1", header: "192.0.2.7, 10.0.0.2", client: "192.0.2.7" },
    {
      name: "a client's own entry stands left of the truth",
      peer: "10.0.0.1",
      header: "1.1.1.1, 192.0.2.7",
      client: "192.0.2.7",
    },
    {
      name: "trust in a client's own entry does not help him",
      peer: "10.0.0.1",
      header: "10.9.9.9, 192.0.2.7",
      client: "192.0.2.7",
    },
    {
      name: "garbage left of the truth is never read",
      peer: "10.0.0.1",
      header: "<script>, 192.0.2.7",
      client: "192.0.2.7",
    },
    { name: "an untrusted peer's header", peer: "192.0.2.7", header: "10.0.0.1", client: "192.0.2.7" },
    {
      name: "only trusted hops: the first of them",
      peer: "10.0.0.1",
      header: "10.0.0.3, 10.0.0.2",
      client: "10.0.0.3",
    },
    { name: "an IPv6 client", peer: "10.0.0.1", header: "2001:DB8:0:0::1", client: "2001:db8::1" },
    { name: "an IPv6 proxy", peer: "2001:db8:ff::1", header: "192.0.2.7", client: "192.0.2.7" },
    { name: "a mapped peer is the IPv4 proxy", peer: "::ffff:10.0.0.1", header: "192.0.2.7", client: "192.0.2.7" },
    { name: "a mapped client is the IPv4 client", peer: "10.0.0.1", header: "::ffff:192.0.2.7", client: "192.0.2.7" },
    { name: "a mapped client in hexadecimal", peer: "10.0.0.1", header: "::ffff:c000:207", client: "192.0.2.7" },
    { name: "a port behind an IPv4 address", peer: "10.0.0.1", header: "192.0.2.7:51234", client: "192.0.2.7" },
    { name: "brackets and a port", peer: "10.0.0.1", header: "[2001:db8::1]:443", client: "2001:db8::1" },
    { name: "tabs and spaces", peer: "10.0.0.1", header: " \t192.0.2.7\t ", client: "192.0.2.7" },
    { name: "an empty header", peer: "10.0.0.1", header: "", client: "10.0.0.1" },
    { name: "an empty last entry", peer: "10.0.0.1", header: "192.0.2.7,", client: "10.0.0.1" },
    { name: "unknown", peer: "10.0.0.1", header: "unknown", client: "10.0.0.1" },
    { name: "a name", peer: "10.0.0.1", header: "localhost", client: "10.0.0.1" },
    { name: "an octal spelling", peer: "10.0.0.1", header: "0300.0.2.7", client: "10.0.0.1" },
    { name: "a number", peer: "10.0.0.1", header: "3221225991", client: "10.0.0.1" },
    { name: "a hexadecimal spelling", peer: "10.0.0.1", header: "0xc0.0.2.7", client: "10.0.0.1" },
    { name: "a short spelling", peer: "10.0.0.1", header: "192.2.7", client: "10.0.0.1" },
    { name: "a block", peer: "10.0.0.1", header: "192.0.2.0/24", client: "10.0.0.1" },
    { name: "garbage behind trusted hops", peer: "10.0.0.1", header: "zzz, 10.0.0.2", client: "10.0.0.1" },
    { name: "a zone", peer: "10.0.0.1", header: "fe80::1%eth0", client: "10.0.0.1" },
    {
      name: "a front filled by the client does not make him the proxy",
      peer: "10.0.0.1",
      header: `${"1.1.1.1, ".repeat(300)}192.0.2.7`,
      client: "192.0.2.7",
    },
    {
      name: "one endless entry before the truth",
      peer: "10.0.0.1",
      header: `${"1".repeat(10_000)}, 192.0.2.7`,
      client: "192.0.2.7",
    },
    { name: "one endless entry", peer: "10.0.0.1", header: "1".repeat(10_000), client: "10.0.0.1" },
    {
      name: "more hops than are followed",
      peer: "10.0.0.1",
      header: `192.0.2.7${", 10.0.0.2".repeat(40)}`,
      client: "10.0.0.2",
    },
    { name: "no socket", peer: "", header: "192.0.2.7", client: "" },
  ];
  test.each(rows)("$name", ({ peer, header, client }) => {
    expect(behind(peer, header)).toBe(client);
  });

  test.each([
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8::1", "2001:db8::1"],
    ["fe80::1%eth0", "fe80::1%eth0"],
    ["", ""],
  ])("without trusted proxies the peer %s is %s whatever is sent", (peer, client) => {
    const rule = clientAddressRule([]);
    for (const header of [null, "1.2.3.4", "127.0.0.1", "::1"]) expect(rule(peer, header)).toBe(client);
  });

  test.each(["10.0.0.1/8", "10.0.0.0/33", "::/129", "1.2.3", "...", ":::"])("%s is no proxy to trust", (text) => {
    let thrown: unknown;
    try {
      clientAddressRule([text]);
    } catch (error) {
      thrown = error;
    }
    expect(thrown instanceof BsoptError && thrown.code).toBe("TRUSTED_PROXY_INVALID");
  });

  test("whatever is sent, nothing is thrown, and the client is an address or the peer", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:.,[\]% ]*$/)), (header) => {
        const client = behind("10.0.0.1", header);
        expect(client === "10.0.0.1" || parseAddress(client) !== null).toBe(true);
      }),
      { numRuns: 2000, seed: 20_260_104 },
    );
  });
});

describe("S2.27 the bucket of an address", () => {
  test.each([
    ["192.0.2.7", "192.0.2.7", "an IPv4 address"],
    ["::ffff:192.0.2.7", "192.0.2.7", "mapped, dotted"],
    ["::ffff:c000:207", "192.0.2.7", "mapped, in hexadecimal"],
    ["0:0:0:0:0:FFFF:192.0.2.7", "192.0.2.7", "mapped, written out"],
    ["2001:db8:1:2::1", "20010db800010002/64".replace(/^0+/, ""), "an IPv6 address"],
    ["2001:db8:1:2:ffff:ffff:ffff:ffff", "20010db800010002/64", "another of its network"],
    ["2001:DB8:0001:0002:0:0:0:9", "20010db800010002/64", "another spelling"],
    ["2001:db8:1:3::1", "20010db800010003/64", "the next network"],
    ["fe80::1%eth0", "fe80000000000000/64", "a zone"],
    ["fe80::2%eth1", "fe80000000000000/64", "another zone"],
    ["::1", "0/64", "loopback"],
    ["::192.0.2.7", "0/64", "the old compatible form is IPv6"],
    ["64:ff9b::192.0.2.7", "64ff9b00000000/64", "a translated one is IPv6"],
    ["", "unknown", "no socket"],
    ["garbage", "unknown", "garbage"],
    [":::", "unknown", "garbage with colons"],
    ["1".repeat(500), "unknown", "a long text"],
  ])("%s counts as %s: %s", (text, key) => {
    expect(addressKey(text)).toBe(key);
  });

  test("an address's text is its one text, and reads back", () => {
    const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
      minLength: 8,
      maxLength: 8,
    });
    fc.assert(
      fc.property(groups, (list) => {
        const written = list.map((group) => group.toString(16)).join(":");
        const address = parseAddress(written)!;
        const text = formatAddress(address);
        expect(parseAddress(text)).toEqual(address);
        if (address.bitCount === 128) expect(text).toBe(new URL(`http://[${written}]/`).hostname.slice(1, -1));
      }),
      { numRuns: 2000, seed: 20_260_105 },
    );
    expect(formatAddress(parseAddress("10.0.0.1")!)).toBe("10.0.0.1");
  });
});
