// One row a reason: which number and which words a failure gets.

import { describe, expect, test } from "bun:test";
import { BsoptError, type BsoptErrorOptions, type Reason, reasons } from "../../../src/foundation/errors";
import {
  detailOfFaults,
  problemOf,
  problemResponse,
  problemTitles,
  problemType,
  Refusal,
} from "../../../src/http/problem";

const thrown = (reason: Reason, more: Partial<BsoptErrorOptions> = {}) =>
  problemOf(new BsoptError({ reason, code: "SOME_CODE", detail: "Some detail", ...more }));

describe("S2.16 a service's reason", () => {
  const rows: Readonly<Record<Reason, readonly [number, boolean]>> = {
    invalid: [422, false],
    "not-found": [404, false],
    unauthenticated: [401, false],
    forbidden: [403, false],
    conflict: [409, false],
    outdated: [412, false],
    "limit-breached": [422, false],
    "missing-market-data": [422, false],
    unsupported: [422, false],
    "calculation-failed": [422, false],
    unavailable: [503, true],
    internal: [500, false],
  };
  for (const reason of reasons) {
    const [status, retryable] = rows[reason];
    test(`${reason} is ${status}`, () => {
      const told = thrown(reason);
      expect([told.status, told.retryable, told.title]).toEqual([
        status,
        retryable,
        problemTitles[status as keyof typeof problemTitles],
      ]);
      expect(told.code).toBe(status === 500 ? "INTERNAL" : "SOME_CODE");
    });
  }

  test("a limit that time lifts is 429 and says when", () => {
    const told = thrown("limit-breached", { retryAfterSeconds: 0.2 });
    expect([told.status, told.retryable, told.headers["retry-after"]]).toEqual([429, true, "1"]);
  });

  test("unavailable always says when to come back", () => {
    expect(thrown("unavailable").headers["retry-after"]).toBe("1");
  });

  test("unauthenticated always says how to authenticate", () => {
    expect(thrown("unauthenticated").headers["www-authenticate"]).toContain("Bearer");
  });

  test("internal hides its own code, detail and faults", () => {
    const told = thrown("internal", { faults: [{ pointer: "/a", code: "B", detail: "c" }] });
    expect(JSON.stringify(told)).not.toContain("Some detail");
    expect(told.faults).toEqual([]);
  });
});

describe("anything else that is thrown", () => {
  for (const error of [
    new Error("inside"),
    new TypeError("inside"),
    "inside",
    null,
    undefined,
    { message: "inside" },
  ]) {
    test(`${String(error)} is a bare 500`, () => {
      const told = problemOf(error);
      expect([told.status, told.code]).toEqual([500, "INTERNAL"]);
      expect(JSON.stringify({ ...told, detail: "" })).not.toContain("inside");
    });
  }
});

test("429 and 503 refusals are retryable", () => {
  for (const kind of ["too-many-requests", "unavailable"] as const) {
    expect(problemOf(new Refusal({ kind, code: "X", detail: "y" })).retryable).toBe(true);
  }
});

test("a problem's type is a URN made of its code", () => {
  expect(problemType("BODY_TOO_LARGE")).toBe("urn:bsopt:problem:body-too-large");
});

test("a detail names three faults and counts the rest", () => {
  const faults = ["", "/b", "/c", "/d", "/e"].map((pointer) => ({ pointer, code: "X", detail: "is wrong" }));
  expect(detailOfFaults(faults)).toBe("the body is wrong; /b is wrong; /c is wrong; and 2 more");
});

test("names of any length are cut before they are told", async () => {
  const long = `/${"x".repeat(10_000)}`;
  const faults = [{ pointer: long, code: "UNKNOWN_FIELD", detail: "is not a field of this request" }];
  const told = problemOf(new Refusal({ kind: "schema-mismatch", code: "X", detail: detailOfFaults(faults), faults }));
  const answer = await problemResponse(told, { traceId: "0".repeat(32), path: long }).text();
  expect(answer.length).toBeLessThan(2500);
});
