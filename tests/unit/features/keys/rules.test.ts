// The pure rules of identity: texts of keys, what a key may do, who may grant what, where it may come from.

import { describe, expect, test } from "bun:test";
import type { Permission, Role } from "../../../../src/domain/permission";
import {
  effectivePermissions,
  formatKeyText,
  parseIpAllow,
  parseKeyText,
  parseScopes,
  peerAllowed,
  requireGrantable,
} from "../../../../src/features/keys/rules";
import { BsoptError } from "../../../../src/foundation/errors";
import { formatCursor, parseCursor } from "../../../../src/foundation/page-mark";

const id = "0123456789AB";
const secret = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";

function failureOf(act: () => unknown): BsoptError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(BsoptError);
    return error as BsoptError;
  }
  throw new Error("nothing was thrown");
}

describe("S2.14 a key's text", () => {
  test("is taken apart and put together again", () => {
    expect(parseKeyText(`bso_${id}_${secret}`)).toEqual({ id, secret });
    expect(formatKeyText({ id, secret })).toBe(`bso_${id}_${secret}`);
  });
  const refused = [
    "",
    "bso_",
    `bso_${id}`,
    `bso_${id}_`,
    `BSO_${id}_${secret}`,
    `bso_${id}_${secret}x`,
    `bso_${id}_${secret.slice(1)}`,
    `bso_${id}x_${secret}`,
    `bso_${id}_${secret}\n`,
    ` bso_${id}_${secret}`,
    `bso_${id.slice(1)}'_${secret}`,
    `bso_${id}_${secret.slice(1)}_`,
    `bso_${id}_${secret.slice(1)}é`,
    "x".repeat(1_000_000),
  ];
  for (const text of refused) {
    test(`${JSON.stringify(text.slice(0, 70))} is none`, () => expect(parseKeyText(text)).toBeNull());
  }
});

describe("S2.35 a key's permissions", () => {
  const rows: readonly (readonly [string, Permission[], Role, Permission[] | null, Permission[]])[] = [
    ["its scopes within its owner's role", ["pricing:read", "orders:write"], "viewer", null, ["pricing:read"]],
    ["all its scopes where the owner is admin", ["admin", "orders:write"], "admin", null, ["admin", "orders:write"]],
    ["nothing where the role holds none of them", ["admin", "audit:read"], "trader", null, []],
    ["within the scopes of its maker", ["pricing:read", "market:read"], "admin", ["pricing:read"], ["pricing:read"]],
    ["nothing where its maker held nothing", ["pricing:read"], "admin", [], []],
  ];
  for (const [title, scopes, role, maker, expected] of rows) {
    test(`are ${title}`, () => expect([...effectivePermissions(scopes, role, maker)]).toEqual(expected));
  }

  test("can be granted only by a maker who holds them, and each that cannot is pointed at", () => {
    const failure = failureOf(() =>
      requireGrantable(["pricing:read", "admin", "risk:write"], new Set<Permission>(["pricing:read"])),
    );
    expect(failure.reason).toBe("forbidden");
    expect(failure.faults.map((fault) => fault.pointer)).toEqual(["/scopes/1", "/scopes/2"]);
    expect(() => requireGrantable(["pricing:read"], new Set<Permission>(["pricing:read"]))).not.toThrow();
  });

  test("are words of the closed list and nothing else", () => {
    expect(parseScopes(["pricing:read", "admin"])).toEqual(["pricing:read", "admin"]);
    for (const words of [["pricing:read", "root"], [1], [null], ["Admin"], ["toString"]]) {
      expect(parseScopes(words)).toBeNull();
    }
  });
});

describe("S2.35 a key's addresses", () => {
  test("without a list are anywhere, even where the peer cannot be read", () => {
    expect(peerAllowed(null, "203.0.113.9")).toBe(true);
    expect(peerAllowed(null, "")).toBe(true);
  });
  const blocks = parseIpAllow(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]);
  const rows: readonly (readonly [string, boolean])[] = [
    ["10.9.8.7", true],
    ["::ffff:10.9.8.7", true],
    ["192.0.2.7", true],
    ["192.0.2.8", false],
    ["2001:db8::9", true],
    ["2001:db9::9", false],
    ["", false],
    ["unix", false],
  ];
  for (const [peer, allowed] of rows) {
    test(`${JSON.stringify(peer)} is ${allowed ? "" : "not "}within the list`, () => {
      expect(peerAllowed(blocks, peer)).toBe(allowed);
    });
  }
  test("that are none are all pointed at", () => {
    const failure = failureOf(() => parseIpAllow(["10.0.0.0/8", "10.0.0.1/8", "here"]));
    expect(failure.reason).toBe("invalid");
    expect(failure.faults.map((fault) => fault.pointer)).toEqual(["/ip_allow/1", "/ip_allow/2"]);
  });
});

describe("S2.14 a cursor", () => {
  test("comes back as the mark it was made from", () => {
    const mark = { createdAt: 1_797_627_600_123_456n, id };
    expect(parseCursor(formatCursor(mark))).toEqual(mark);
  });
  for (const text of [
    "",
    "x",
    "' or 1=1 --",
    Buffer.from(`1 ${id} or 1=1`).toString("base64url"),
    "AAAA",
    "é".repeat(50),
  ]) {
    test(`${JSON.stringify(text)} that was made up is refused`, () => {
      expect(failureOf(() => parseCursor(text)).code).toBe("CURSOR_INVALID");
    });
  }
});
