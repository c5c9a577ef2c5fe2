// Foreign text in messages: no escape sequence, no direction override, no endless line gets through.

import { describe, expect, test } from "bun:test";
import { printable, quoted } from "../../../src/foundation/printable";

describe("S2.14 foreign text on its way to a screen", () => {
  test.each([
    ["plain", "plain"],
    ["\u001b[2Jgone", "\ufffd[2Jgone"],
    ["a\nb\tc\r", "a\ufffdb\ufffdc\ufffd"],
    ["\u009b31m", "\ufffd31m"],
    ["left\u202eright", "left\ufffdright"],
    ["ünïcödé – fine", "ünïcödé – fine"],
  ])("%p", (text, expected) => expect(printable(text)).toBe(expected));

  test("a long text is cut inside its quotation marks", () =>
    expect(quoted("x".repeat(100_000), 10)).toBe(`"${"x".repeat(10)}…"`));
});
