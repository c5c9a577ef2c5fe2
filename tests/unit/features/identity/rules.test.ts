// Which mail addresses are taken, and in which one spelling: a table of cases, and what holds for any text at all.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { emailLengthMax, normalizeEmail } from "../../../../src/features/identity/rules";
import { BsoptError } from "../../../../src/foundation/errors";

const label = (length: number) => "d".repeat(length);
/** 189 characters of domain, so that a local part of 64 makes 254. */
const longDomain = `${label(63)}.${label(63)}.${label(61)}`;

const taken: readonly (readonly [string, string, string])[] = [
  ["a plain address", "ada@example.org", "ada@example.org"],
  ["capitals", "Ada.Lovelace@Example.ORG", "ada.lovelace@example.org"],
  ["space around it", "  ada@example.org\t\n", "ada@example.org"],
  ["wide letters", "ａｄａ＠ｅｘａｍｐｌｅ．ｏｒｇ", "ada@example.org"],
  ["a ligature", "eﬃ@example.org", "effi@example.org"],
  ["a tag behind a plus", "ada+bot@example.org", "ada+bot@example.org"],
  ["every sign of an atom", "!#$%&'*+/=?^_`{|}~-@example.org", "!#$%&'*+/=?^_`{|}~-@example.org"],
  ["one letter each", "a@b.c", "a@b.c"],
  ["a host without a dot", "root@localhost", "root@localhost"],
  ["digits in the domain's labels", "a@1.2.3.x4", "a@1.2.3.x4"],
  ["a domain of another script", "ada@bücher.example", "ada@xn--bcher-kva.example"],
  ["the same in capitals", "ada@BÜCHER.example", "ada@xn--bcher-kva.example"],
  ["the same taken apart", "ada@bu\u0308cher.example", "ada@xn--bcher-kva.example"],
  ["the same in ASCII", "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"],
  ["an ideographic full stop", "ada@例え。jp", "ada@xn--r8jz45g.jp"],
  ["a local part of 64", `${"l".repeat(64)}@example.org`, `${"l".repeat(64)}@example.org`],
  ["254 characters", `${"l".repeat(64)}@${longDomain}`, `${"l".repeat(64)}@${longDomain}`],
  ["a label of 63", `a@${label(63)}.org`, `a@${label(63)}.org`],
];

const refused: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["only space", "   "],
  ["no @", "ada.example.org"],
  ["two @", "ada@home@example.org"],
  ["two @, one of them wide", "ada＠home@example.org"],
  ["no local part", "@example.org"],
  ["no domain", "ada@"],
  ["a quoted local part", '"ada lovelace"@example.org'],
  ["a quoted local part with an @", '"a@b"@example.org'],
  ["a dot in front", ".ada@example.org"],
  ["a dot behind", "ada.@example.org"],
  ["two dots", "ada..l@example.org"],
  ["a space inside", "ada l@example.org"],
  ["a name around it", "Ada <ada@example.org>"],
  ["a list", "ada@example.org,bob@example.org"],
  ["a comment", "ada(home)@example.org"],
  ["a backslash", "ada\\l@example.org"],
  ["a local part of another script", "adá@example.org"],
  ["a null character", "ada\u0000@example.org"],
  ["a header behind a line's end", "ada@example.org\r\nBcc: all@example.org"],
  ["a line's end in the local part", "ada\n@example.org"],
  ["a delete character", "ada\u007f@example.org"],
  ["a soft hyphen for a letter", "\u00ad@example.org"],
  ["an address of the network", "ada@[192.0.2.7]"],
  ["one of version six", "ada@[IPv6:2001:db8::1]"],
  ["one without brackets", "ada@192.0.2.7"],
  ["one in hexadecimal", "ada@0x7f.1"],
  ["a number for a domain", "ada@2130706433"],
  ["a dot behind the domain", "ada@example.org."],
  ["two dots in the domain", "ada@example..org"],
  ["a dot in front of the domain", "ada@.example.org"],
  ["a hyphen in front of a label", "ada@-example.org"],
  ["a hyphen behind a label", "ada@example-.org"],
  ["an underscore in the domain", "ada@ex_ample.org"],
  ["a slash in the domain", "ada@example.org/x"],
  ["a port", "ada@example.org:25"],
  ["a per cent sign in the domain", "ada@ex%61mple.org"],
  ["a query", "ada@example.org?x"],
  ["a ligature that becomes a slash in the domain", "ada@ex℀mple.org"],
  ["a wide space in the domain", "ada@exa\u3000mple.org"],
  ["a local part of 65", `${"l".repeat(65)}@example.org`],
  ["255 characters", `${"l".repeat(64)}@${longDomain}d`],
  ["a label of 64", `a@${label(64)}.org`],
  ["a domain that is too long in ASCII", `a@${"ü".repeat(200)}.org`],
  ["a million characters", `${"a".repeat(1_000_000)}@example.org`],
];

describe("S1.01 a mail address", () => {
  for (const [title, text, email] of taken) {
    test(`with ${title} is stored as ${email.slice(0, 40)}`, () => {
      expect(normalizeEmail(text)).toBe(email);
      expect(normalizeEmail(email)).toBe(email);
    });
  }
  for (const [title, text] of refused) {
    test(`with ${title} is refused without being repeated`, () => {
      let failure: unknown;
      try {
        normalizeEmail(text, "/somewhere");
      } catch (error) {
        failure = error;
      }
      expect(failure).toBeInstanceOf(BsoptError);
      const { reason, code, detail, faults } = failure as BsoptError;
      expect([reason, code, faults[0]?.pointer]).toEqual(["invalid", "EMAIL_INVALID", "/somewhere"]);
      expect([detail, faults[0]?.detail]).toEqual([
        "The mail address cannot be used.",
        "must be a mail address such as name@example.org",
      ]);
    });
  }

  test("of any text at all is refused, or has one spelling, in ASCII, with one @ and no sign that a mail's head knows", () => {
    const part = fc.string({ unit: "binary", maxLength: 40 });
    const texts = fc.oneof(
      part,
      fc.tuple(part, part).map((both) => both.join("@")),
      fc.emailAddress(),
    );
    fc.assert(
      fc.property(texts, (text) => {
        let email: string;
        try {
          email = normalizeEmail(text);
        } catch (error) {
          return error instanceof BsoptError;
        }
        expect(email).toMatch(/^[!-;=?A-~]+@[a-z0-9.-]+$/);
        expect(email.split("@").length).toBe(2);
        expect(email.length).toBeLessThanOrEqual(emailLengthMax);
        expect(normalizeEmail(email)).toBe(email);
        expect(normalizeEmail(text.toUpperCase().toLowerCase())).toBe(normalizeEmail(text.toLowerCase()));
        return true;
      }),
    );
  });
});
