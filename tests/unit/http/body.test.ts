// What bytes a stranger chose may do: nothing but become JSON of bounded size and depth, or be refused.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { extentOf, jsonDepthMax, parseJson, readBody, requireJsonMediaType } from "../../../src/http/body";
import { Refusal } from "../../../src/http/problem";
import type { Route } from "../../../src/http/routes";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const route = { bodyBytesMax: 100 } as Route;

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
  return "accepted";
}

describe("the declared length", () => {
  test.each(["5, 5", "5,6", "+5", "0x5", "", " 5"])("of %j is malformed, not too large", (declared) => {
    const request = { headers: new Map([["content-length", declared]]), body: null } as unknown as Request;
    expect(codeOf(() => extentOf(request, route))).toBe("LENGTH_MALFORMED");
  });
});

describe("S2.35 JSON", () => {
  const rows: readonly (readonly [string, string | Uint8Array, string])[] = [
    ["an object", '{"a":1}', "accepted"],
    ["a number alone", "1", "accepted"],
    ["nothing", "", "BODY_MALFORMED"],
    ["an open object", "{", "BODY_MALFORMED"],
    ["an open string", '{"a', "BODY_MALFORMED"],
    ["a string ending in a backslash", '"\\', "BODY_MALFORMED"],
    ["a trailing comma", '{"a":1,}', "BODY_MALFORMED"],
    ["a comment", '{"a":1}//', "BODY_MALFORMED"],
    ["NaN", '{"a":NaN}', "BODY_MALFORMED"],
    ["single quotes", "{'a':1}", "BODY_MALFORMED"],
    ["two values", "1 2", "BODY_MALFORMED"],
    ["a byte order mark", "\uFEFF{}", "BODY_MALFORMED"],
    ["a byte that is not UTF-8", new Uint8Array([0x22, 0xff, 0x22]), "BODY_MALFORMED"],
    ["an overlong encoding", new Uint8Array([0x22, 0xc0, 0xaf, 0x22]), "BODY_MALFORMED"],
    ["UTF-16", new Uint8Array([0x7b, 0x00, 0x7d, 0x00]), "BODY_MALFORMED"],
    ["as deep as allowed", "[".repeat(jsonDepthMax) + "]".repeat(jsonDepthMax), "accepted"],
    ["one deeper", "[".repeat(jsonDepthMax + 1) + "]".repeat(jsonDepthMax + 1), "BODY_TOO_DEEP"],
    ["100,000 nested arrays", "[".repeat(100_000) + "]".repeat(100_000), "BODY_TOO_DEEP"],
    ["100,000 nested objects", '{"a":'.repeat(100_000), "BODY_TOO_DEEP"],
    ["brackets inside a string", `{"a":"${"[".repeat(100)}"}`, "accepted"],
    ["brackets after an escaped quote", `{"a":"\\"${"[".repeat(100)}"}`, "accepted"],
    ["brackets after an escaped backslash", `{"a":"\\\\","b":${"[".repeat(40)}`, "BODY_TOO_DEEP"],
    ["many shallow arrays", `[${"[],".repeat(100)}[]]`, "accepted"],
    ["__proto__ as a key", '{"__proto__":{"admin":true}}', "BODY_KEY_REFUSED"],
    ["__proto__ as an escaped key", '{"\\u005f_proto__":1}', "BODY_KEY_REFUSED"],
    ["__proto__ deep inside", '{"a":[{"b":{"__proto__":1}}]}', "BODY_KEY_REFUSED"],
    ["__proto__ as a value", '{"a":"__proto__"}', "accepted"],
    ["an escape that is harmless", '{"a":"\\u0041"}', "accepted"],
  ];
  for (const [name, body, code] of rows) {
    test(`${name}: ${code}`, () => {
      expect(codeOf(() => parseJson(typeof body === "string" ? bytesOf(body) : body))).toBe(code);
    });
  }

  test("1e999 parses to Infinity, for schemas that let a row's status tell", () => {
    expect(parseJson(bytesOf('{"a":1e999}'))).toEqual({ a: Number.POSITIVE_INFINITY });
  });

  test("any JSON value within the depth comes back as it went in", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 10, noUnicodeString: false }), (text) => {
        const expected = JSON.parse(text);
        if (text.includes("__proto__")) return;
        expect(parseJson(bytesOf(text))).toEqual(expected);
      }),
      { verbose: 1 },
    );
  });

  test("any bytes are parsed or refused, never anything else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(["accepted", "BODY_MALFORMED", "BODY_TOO_DEEP", "BODY_KEY_REFUSED"]).toContain(
          codeOf(() => parseJson(bytes)),
        );
      }),
      { verbose: 1 },
    );
  });
});

describe("S2.35 media type", () => {
  const rows: readonly (readonly [string, Record<string, string>, string])[] = [
    ["plain", { "content-type": "application/json" }, "accepted"],
    ["with charset", { "content-type": "application/json; charset=utf-8" }, "accepted"],
    ["with charset in capitals and quotes", { "content-type": 'Application/JSON;charset="UTF-8"' }, "accepted"],
    ["another charset", { "content-type": "application/json; charset=utf-16" }, "CONTENT_TYPE_UNSUPPORTED"],
    ["text", { "content-type": "text/plain" }, "CONTENT_TYPE_UNSUPPORTED"],
    ["a form", { "content-type": "application/x-www-form-urlencoded" }, "CONTENT_TYPE_UNSUPPORTED"],
    ["a longer type", { "content-type": "application/json5" }, "CONTENT_TYPE_UNSUPPORTED"],
    ["none", {}, "CONTENT_TYPE_UNSUPPORTED"],
    ["gzip", { "content-type": "application/json", "content-encoding": "gzip" }, "CONTENT_ENCODING_UNSUPPORTED"],
    ["identity", { "content-type": "application/json", "content-encoding": "identity" }, "accepted"],
  ];
  for (const [name, headers, code] of rows) {
    test(`${name}: ${code}`, () => {
      const request = new Request("http://localhost/", { method: "POST", headers });
      expect(codeOf(() => requireJsonMediaType(request))).toBe(code);
    });
  }
});

describe("size", () => {
  const rows: readonly (readonly [string, Record<string, string>, string])[] = [
    ["exactly the limit", { "content-length": "100" }, "accepted"],
    ["one more", { "content-length": "101" }, "BODY_TOO_LARGE"],
    ["past every number", { "content-length": "9".repeat(400) }, "BODY_TOO_LARGE"],
    ["no number", { "content-length": "ten" }, "LENGTH_MALFORMED"],
    ["none", {}, "LENGTH_REQUIRED"],
    ["chunked", { "transfer-encoding": "chunked" }, "accepted"],
  ];
  for (const [name, headers, code] of rows) {
    test(`${name}: ${code}`, () => {
      expect(codeOf(() => extentOf(new Request("http://localhost/", { method: "POST", headers }), route))).toBe(code);
    });
  }

  test("a streamed body is put together from its parts", async () => {
    const parts = ["[1,", "2", "]"].map(bytesOf);
    const body = new ReadableStream({
      pull(controller) {
        const next = parts.shift();
        if (next) controller.enqueue(next);
        else controller.close();
      },
    });
    const read = await readBody(new Request("http://localhost/", { method: "POST", body }), route, {
      kind: "streamed",
    });
    expect(new TextDecoder().decode(read)).toBe("[1,2]");
  });

  test("a streamed body without an end is dropped as soon as it passes the limit", async () => {
    let pulled = 0;
    let isCancelled = false;
    const body = new ReadableStream({
      pull(controller) {
        pulled += 1;
        controller.enqueue(new Uint8Array(40));
      },
      cancel() {
        isCancelled = true;
      },
    });
    const reading = readBody(new Request("http://localhost/", { method: "POST", body }), route, { kind: "streamed" });
    await expect(reading).rejects.toMatchObject({ code: "BODY_TOO_LARGE", headers: { connection: "close" } });
    expect(isCancelled).toBe(true);
    expect(pulled).toBeLessThan(10);
  });

  test("a body that breaks off is the client's fault", async () => {
    const body = new ReadableStream({
      pull(controller) {
        controller.error(new Error("reset"));
      },
    });
    const reading = readBody(new Request("http://localhost/", { method: "POST", body }), route, { kind: "streamed" });
    await expect(reading).rejects.toMatchObject({ code: "BODY_INCOMPLETE" });
  });

  test("a body longer than it declared is refused", async () => {
    const request = new Request("http://localhost/", { method: "POST", body: "x".repeat(101) });
    await expect(readBody(request, route, { kind: "declared", bytes: 1 })).rejects.toMatchObject({
      code: "BODY_TOO_LARGE",
    });
  });
});
