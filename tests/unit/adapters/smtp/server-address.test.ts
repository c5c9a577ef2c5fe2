// The table of what a mail server's address means: host, port, and how the connection is kept private.

import { describe, expect, test } from "bun:test";
import { parseSender } from "../../../../src/adapters/smtp/mail";
import { parseSmtpUrl } from "../../../../src/adapters/smtp/server-address";
import { BsoptError } from "../../../../src/foundation/errors";

describe("a mail server's address", () => {
  test.each([
    ["smtp://mail.example", "mail.example", 587, "required", null],
    ["smtp://mail.example:25", "mail.example", 25, "required", null],
    ["smtp://MAIL.example/", "mail.example", 587, "required", null],
    ["smtp://10.0.0.5:2525", "10.0.0.5", 2525, "required", null],
    ["smtp://mail.example?tls=off", "mail.example", 587, "off", null],
    ["smtp://localhost:1025", "localhost", 1025, "local", null],
    ["smtp://127.0.0.1:1025", "127.0.0.1", 1025, "local", null],
    ["smtp://[::1]:1025", "::1", 1025, "local", null],
    ["smtp://localhost.example", "localhost.example", 587, "required", null],
    ["smtps://mail.example", "mail.example", 465, "implicit", null],
    ["smtps://localhost:4650", "localhost", 4650, "implicit", null],
    ["smtp://u%40x:p%3Aw%2F@mail.example", "mail.example", 587, "required", { user: "u@x", password: "p:w/" }],
  ] as const)("S1.02 %s is host %s, port %i, TLS %s", (text, host, port, encryption, credentials) => {
    expect(parseSmtpUrl(text)).toEqual({ host, port, encryption, credentials });
  });

  test.each([
    "",
    "mail.example",
    "http://mail.example",
    "smtp://",
    "smtp://user@mail.example",
    "smtp://:secret@mail.example",
    "smtp://u:secret%zz@mail.example",
    "smtp://u:secret%0d%0aQUIT@mail.example",
    "smtp://mail.example/path",
    "smtp://mail.example#x",
    "smtp://mail.example?tls=no",
    "smtp://mail.example?tls=off&tls=off",
    "smtp://mail.example?x=1",
    "smtps://mail.example?tls=off",
    "smtp://mail.example:0",
    "smtp://mail.example:99999",
  ])("%p is refused, and the fault does not repeat it", (text) => {
    let thrown: unknown;
    try {
      parseSmtpUrl(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(BsoptError);
    expect(thrown).toMatchObject({ reason: "invalid", code: "SMTP_URL_INVALID" });
    expect((thrown as BsoptError).detail).not.toContain("secret");
  });
});

describe("a sender", () => {
  test.each([
    ["a@b.example", { name: "bsopt", address: "a@b.example" }],
    ["Desk <a@b.example>", { name: "Desk", address: "a@b.example" }],
    ["Risk Desk, London <a@b.example>", { name: "Risk Desk, London", address: "a@b.example" }],
    ["", null],
    ["Desk", null],
    ["Desk <a>", null],
    ["Desk <a@b>\r\nBcc: c@d", null],
    ["Desk\n <a@b>", null],
    ['"Desk" <a@b>', null],
    ["<a@b>", null],
    ["a@b, c@d", null],
  ])("%p is %p", (text, sender) => {
    expect(parseSender(text)).toEqual(sender);
  });
});
