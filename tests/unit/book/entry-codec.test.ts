// Entries as bytes: what comes back, how few bytes it takes, and what is refused.

import { describe, expect, test } from "bun:test";
import { decodeEntries, encodeEntries } from "../../../src/book/entry-codec";
import { optionInstrument, quoteOf, randomSession, sessionStart } from "../../harness/book";

describe("encodeEntries", () => {
  test("every entry of a session comes back as it was", () => {
    const entries = randomSession(11, 600);
    expect(decodeEntries(encodeEntries(entries))).toEqual(entries);
  });

  test("numbers come back to the bit, whatever they are", () => {
    const numbers = [
      0,
      -0,
      0.1,
      -3.25,
      1e-9,
      1 / 3,
      1e300,
      -1e-300,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 53,
      123456789.123,
    ];
    const entries = numbers.map((value, index) => ({
      kind: "quote" as const,
      quote: quoteOf("A", sessionStart, value, -value, {
        sourceSequence: index % 2 === 0 ? 2 ** 53 - 1 - index : null,
      }),
      receivedAt: sessionStart - 5n,
    }));
    const back = decodeEntries(encodeEntries(entries));
    expect(back).toEqual(entries);
    back.forEach((entry, index) => {
      if (entry.kind === "quote") expect(Object.is(entry.quote.bid, numbers[index])).toBe(true);
    });
  });

  test("a quote takes at most 40 bytes", () => {
    const symbols = Array.from(
      { length: 50 },
      (_, index) => optionInstrument("SPXW", { year: 2026, month: 6, day: 18 }, "call", 5000 + 5 * index).symbol,
    );
    const entries = Array.from({ length: 5000 }, (_, index) => ({
      kind: "quote" as const,
      quote: quoteOf(
        symbols[index % 50]!,
        sessionStart + BigInt(index * 713),
        123.4 + index / 100,
        124.1 + index / 100,
        {
          last: 123.9,
          volume: 10_000 + index,
          openInterest: 123_456,
          sourceSequence: 1e9 + index * 17,
        },
      ),
      receivedAt: sessionStart + BigInt(index * 713 + 1500),
    }));
    expect(encodeEntries(entries).length / entries.length).toBeLessThanOrEqual(40);
  });

  test("cut, prolonged or foreign bytes are refused", () => {
    const bytes = encodeEntries(randomSession(3, 40));
    expect(() => decodeEntries(bytes.slice(0, -1))).toThrow();
    expect(() => decodeEntries(Uint8Array.from([...bytes, 0]))).toThrow("follow");
    expect(() => decodeEntries(Uint8Array.from([9, 0]))).toThrow("version 9");
    expect(decodeEntries(encodeEntries([]))).toEqual([]);
    // A byte changed anywhere gives other entries or none, and never a crash of another kind or an endless loop.
    for (let place = 0; place < bytes.length; place += 7) {
      const broken = bytes.with(place, bytes[place]! ^ 0x81);
      try {
        decodeEntries(broken);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }
  });
});
