// The table of which passwords are taken, how often an address is written to, and what mails say. Source of the password rules:
// OWASP ASVS 5.0, V6.2.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commonPasswordsText } from "../../../../build/common-passwords";
import { root } from "../../../../build/fingerprint.mjs";
import { commonPasswordTest } from "../../../../src/domain/common-passwords";
import { isMailAddress } from "../../../../src/domain/mail-address";
import {
  canonicalPassword,
  faultsOfPassword,
  type Letter,
  letterText,
  mayMail,
} from "../../../../src/features/registration/rules";

const isCommon = commonPasswordTest();
const codesOf = (password: string, email: string | null = "ada.lovelace@example.org") =>
  faultsOfPassword({ password, email, pointer: "/password", isCommon }).map(({ code }) => code);

describe("a password", () => {
  test.each([
    ["eight characters", "qz7 pwxv"],
    ["128 characters", `${"xq7w".repeat(32)}`],
    ["letters alone: no rule asks for digits or signs", "greenboatsonrivers"],
    ["spaces alone at its ends, which are kept", "  qz7pwx  "],
    ["eight letters outside ASCII", "žluťoučk"],
    ["eight characters of two units each", "🚲🚲🛶🛶🚲🚲🛶🛶"],
    ["a control character", "seven\u0000green"],
    ["a common word inside a longer one", "mypassword-is-a-river"],
    ["part of the address inside a longer one", "lovelace-green-boats"],
  ])("S1.01 S2.12 of %s is taken", (_name, password) => {
    expect(codesOf(password)).toEqual([]);
  });

  test.each([
    ["nothing", "", "PASSWORD_TOO_SHORT"],
    ["seven characters", "qz7 pwx", "PASSWORD_TOO_SHORT"],
    ["four characters of two units each", "🚲🛶🚲🛶", "PASSWORD_TOO_SHORT"],
    ["seven characters, one of them in two parts", "qz7pwxa\u0301".slice(1), "PASSWORD_TOO_SHORT"],
    ["129 characters", `${"xq7w".repeat(32)}x`, "PASSWORD_TOO_LONG"],
    ["half a character", "seven-green-\ud800", "PASSWORD_MALFORMED"],
    ["the most common", "password", "PASSWORD_COMMON"],
    ["a common one with capitals", "PassWord1", "PASSWORD_COMMON"],
    ["a row of keys", "qwertyuiop", "PASSWORD_COMMON"],
    ["digits in a row", "123456789", "PASSWORD_COMMON"],
    ["one character again and again", "11111111", "PASSWORD_COMMON"],
    ["the product's name with digits", "bsopt2026", "PASSWORD_COMMON"],
    ["the product's name with signs", "!!BSOPT!!", "PASSWORD_COMMON"],
    ["the product's name twice", "bsoptbsopt", "PASSWORD_COMMON"],
    ["the address", "ada.lovelace@example.org", "PASSWORD_LIKE_ADDRESS"],
    ["the address in capitals", "ADA.LOVELACE@EXAMPLE.ORG", "PASSWORD_LIKE_ADDRESS"],
    ["the address's first part", "ada.lovelace", "PASSWORD_LIKE_ADDRESS"],
    ["that with digits", "Ada.Lovelace1815", "PASSWORD_LIKE_ADDRESS"],
    ["that with signs", "!ada.lovelace!", "PASSWORD_LIKE_ADDRESS"],
  ])("S1.01 S2.12 of %s is refused", (_name, password, code) => {
    expect(codesOf(password)).toEqual([code]);
  });

  test("is judged without an address where there is none", () => {
    expect(codesOf("ada.lovelace", null)).toEqual([]);
    expect(codesOf("password", null)).toEqual(["PASSWORD_COMMON"]);
  });

  test("an address of two letters forbids no word that begins with them", () => {
    expect(codesOf("al-8237-9911", "al@example.org")).toEqual([]);
  });

  test("a fault names the field and repeats nothing of the password", () => {
    const [fault] = faultsOfPassword({ password: "bsopt2026", email: null, pointer: "/new_password", isCommon });
    expect(fault).toEqual({ pointer: "/new_password", code: "PASSWORD_COMMON", detail: "is this product's name" });
  });

  test("typed on two systems is one password, and nothing else of it is changed", () => {
    expect(canonicalPassword("cafe\u0301 racer")).toBe(canonicalPassword("caf\u00e9 racer"));
    expect(canonicalPassword("  ﬁve Å  ")).toBe("  ﬁve Å  ".normalize("NFC"));
    expect(canonicalPassword(" Aa ")).toBe(" Aa ");
  });
});

describe("the list of common passwords", () => {
  test("S2.12 is what its source says today (else: bun build/common-passwords.ts)", () => {
    expect(readFileSync(join(root, "src/domain/common-passwords.json"), "utf8")).toBe(commonPasswordsText());
  });

  test("S2.12 holds 10,000 words, none of which the length alone would refuse", () => {
    const { words } = JSON.parse(commonPasswordsText()) as { words: string };
    const list = words.split("\n");
    expect(new Set(list).size).toBe(10_000);
    expect(list.filter((word) => [...word].length < 8)).toEqual([]);
  });
});

describe("how often an address is written to", () => {
  const now = 1_800_000_000_000_000n;
  const secondsAgo = (seconds: number) => now - BigInt(seconds) * 1_000_000n;
  const spread = (count: number) => Array.from({ length: count }, (_, index) => secondsAgo(61 + 600 * index));

  test.each([
    ["never before", [], true],
    ["a minute ago to the microsecond", [secondsAgo(60)], true],
    ["a microsecond less than a minute ago", [secondsAgo(60) + 1n], false],
    ["this moment", [now], false],
    ["nine times today", spread(9), true],
    ["ten times today", spread(10), false],
    ["ten times, one of them a day ago to the microsecond", [...spread(9), secondsAgo(86_400)], true],
    ["ten times, one of them just within the day", [...spread(9), secondsAgo(86_400) + 1n], false],
  ])("%s", (_name, sentAt, may) => {
    expect(mayMail(sentAt, now)).toBe(may);
  });
});

describe("what a mail says", () => {
  const token = "1Zs2b7m9cQe0dRkT4uVw6xYzA8BfCgDhEiFjGkHlImJ";
  const letters: Letter[] = [
    { kind: "verify_email", token },
    { kind: "reset_password", token },
    { kind: "invitation", token },
    { kind: "already_registered" },
    { kind: "password_changed" },
  ];

  test.each(letters.map((letter) => [letter.kind, letter] as const))("S1.02 %s", (_kind, letter) => {
    const { subject, text } = letterText(letter, "https://desk.example/bsopt");
    expect(subject).toMatch(/^[A-Z][a-z ]{5,40}$/);
    expect(text).toContain("https://desk.example/bsopt");
    expect(text.split("\n").filter((line) => line.length > 120)).toEqual([]);
    // The token stands behind the sign #, which is sent to no server and so stands in nobody's log.
    expect(text.includes(`#${token}`)).toBe("token" in letter);
    expect(text).not.toContain(`?token=`);
    expect(text.endsWith("\n")).toBe(true);
  });
});

describe("a mail address", () => {
  test.each([
    ["ada@example.org", true],
    ["a+b.c_d@x", true],
    ["ada@münchen.example", true],
    ["", false],
    ["ada", false],
    ["@x", false],
    ["ada@", false],
    ["a b@x", false],
    ["a@b@c", false],
    ["a@b\n", false],
    ["a@b,c@d", false],
    ["<a@b>", false],
    ['"a"@b', false],
    ["a@b\u202e", false],
    [`${"a".repeat(65)}@b`, false],
    [`a@${"b".repeat(253)}`, false],
    ["a@\ud800", false],
  ])("%p: %p", (text, is) => {
    expect(isMailAddress(text)).toBe(is);
  });
});
