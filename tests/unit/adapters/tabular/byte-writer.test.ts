// The array that answers are written into: what it holds, what it keeps and what it lets go.

import { describe, expect, test } from "bun:test";
import { ByteWriter } from "../../../../src/adapters/tabular/byte-writer";

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString();

describe("a byte writer", () => {
  test("holds texts, bytes and what others write, one after the other, however long they grow", () => {
    const writer = new ByteWriter();
    let expected = "";
    for (let index = 0; index < 2000; index++) {
      writer.text(`${index}ü€😀`);
      writer.bytes(Uint8Array.of(0x2c));
      writer.filled(10, (to, at) => {
        expect(to.length - at).toBeGreaterThanOrEqual(10);
        to[at] = 0x3b;
        return at + 1;
      });
      expected += `${index}ü€😀,;`;
    }
    expect(textOf(writer.view())).toBe(expected);
    expect(textOf(writer.take())).toBe(expected);
    expect(writer.view().length).toBe(0);
  });

  test("takes fresh bytes, which later writing leaves alone", () => {
    const writer = new ByteWriter();
    writer.text("first");
    const first = writer.take();
    writer.text("other");
    expect(textOf(first)).toBe("first");
    expect(first.buffer.byteLength).toBe(5);
  });

  test("shows its own memory, which a Response has copied before the writer is used again", async () => {
    const writer = new ByteWriter();
    writer.text("first".repeat(1000));
    const answer = new Response(writer.view());
    writer.clear();
    writer.text("other".repeat(1000));
    expect(await answer.text()).toBe("first".repeat(1000));
  });

  test("lets the memory of a long answer go with the next, and keeps that of a short one", () => {
    const writer = new ByteWriter();
    writer.bytes(new Uint8Array(100_000));
    const kept = writer.view().buffer;
    writer.clear();
    expect(writer.view().buffer).toBe(kept);
    writer.bytes(new Uint8Array(2_000_000));
    writer.clear();
    expect(writer.view().buffer.byteLength).toBeLessThan(100_000);
  });
});
