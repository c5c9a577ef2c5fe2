// Where a page ended, there and back, and what is refused as a mark.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatCursor, pageOf, parseCursor } from "../../../src/foundation/page-mark";

describe("S2.35 a page's mark", () => {
  test("comes back as it went out, for any moment and any id of ours", () => {
    const ids = fc.oneof(fc.uuid(), fc.stringMatching(/^[0-9A-Za-z]{12}$/));
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), ids, (createdAt, id) => {
        expect(parseCursor(formatCursor({ createdAt, id }))).toEqual({ createdAt, id });
      }),
    );
  });
  for (const text of ["", "x", " ", "5 ' or 1=1", "5", "5 a b", `5 ${"a".repeat(41)}`, "99999999999999999999 a"]) {
    test(`of ${JSON.stringify(text.slice(0, 20))} is refused`, () => {
      expect(() => parseCursor(Buffer.from(text).toString("base64url"))).toThrow("The cursor is not one");
    });
  }
  test("stands on a page only where there are more rows behind it", () => {
    const as = { shown: (id: number) => id, mark: (id: number) => ({ createdAt: BigInt(id), id: String(id) }) };
    expect(pageOf([], 2, as)).toEqual({ data: [], next_cursor: null, has_more: false });
    expect(pageOf([3, 2], 2, as)).toEqual({ data: [3, 2], next_cursor: null, has_more: false });
    const page = pageOf([3, 2, 1], 2, as);
    expect([page.data, page.has_more]).toEqual([[3, 2], true]);
    expect(parseCursor(page.next_cursor!)).toEqual({ createdAt: 2n, id: "2" });
  });
});
