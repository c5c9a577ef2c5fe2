// What tells one error from another: where it arose, never what it says.

import { describe, expect, test } from "bun:test";
import { fingerprintOf, framesMax, shapeOf } from "../../../../src/features/errors/rules";
import { assert } from "../../../../src/foundation/assert";
import { BsoptError } from "../../../../src/foundation/errors";

/** An error whose stack is as given, beneath its first line. */
function errorWith(lines: readonly string[], more: object = {}): Error {
  const error = Object.assign(new Error("ada@example.org asked for 17"), more);
  error.stack = ["Error: ada@example.org asked for 17", ...lines].join("\n");
  return error;
}
const idOf = (thrown: unknown) => fingerprintOf(shapeOf(thrown));
const here = ["    at CA (src/a.ts:30:17)", "    at async #o (src/b/c.ts:70:15)", "    at x (src/d.ts:1:1)"];

describe("S4.63 the shape of an error", () => {
  test("names its class, its code and where in this program's own code it arose, and nothing that it says", () => {
    let caught: unknown;
    try {
      assert(false, "the secret is 4711");
    } catch (error) {
      caught = error;
    }
    const shape = shapeOf(caught);
    expect([shape.name, shape.code]).toEqual(["InvariantError", null]);
    expect(shape.frames[0]).toMatch(/^src\/foundation\/assert\.ts:\d+$/);
    expect(JSON.stringify(shape)).not.toContain("4711");
  });

  test.each([
    ["the executable's, mapped", "    at CA (src/foundation/durable.ts:30:17)", "src/foundation/durable.ts:30"],
    ["without a function", "    at src/main.ts:9:1", "src/main.ts:9"],
    [
      "async, anonymous",
      "    at async <anonymous> (src/storage/backup-schedule.ts:100:15)",
      "src/storage/backup-schedule.ts:100",
    ],
    ["with a whole path", "    at f (/home/somebody/bsopt/src/http/server.ts:12:3)", "src/http/server.ts:12"],
    ["of another system's", "    at f (C:\\bsopt\\src\\http\\server.ts:12:3)", "src/http/server.ts:12"],
    ["a package's", "    at f (/x/node_modules/elysia/src/index.ts:12:3)", null],
    ["the runtime's", "    at mkdirSync (unknown)", null],
    ["the runtime's own module", "    at x (node:fs:12:3)", null],
    ["a path that somebody sent", "    at ada (/tmp/ada@example.org/x.js:1:1)", null],
  ])("takes from a line of the stack, %s, the place alone", (_name, line, frame) => {
    expect(shapeOf(errorWith([line])).frames).toEqual(frame === null ? [] : [frame]);
  });

  test("keeps so many places and no more, and reads no more of a stack than it must", () => {
    const many = Array.from({ length: 100_000 }, (_, index) => `    at f (src/a.ts:${index + 1}:1)`);
    expect(shapeOf(errorWith(many)).frames).toHaveLength(framesMax);
  });

  test("takes nothing for a place that stands in the message", () => {
    const error = new Error("x\n    at ada (src/ada.ts:17:1)\n    at x (src/ada.ts:18:1)");
    error.stack = [`Error: ${error.message}`, ...here].join("\n");
    expect(shapeOf(error).frames[0]).toBe("src/a.ts:30");
  });

  test("is of the innermost cause, whose own places count where it has any", () => {
    const cause = errorWith(["    at f (/x/node_modules/libsql/index.js:1:1)"], {
      name: "LibsqlError",
      code: "SQLITE_CORRUPT",
    });
    const error = new BsoptError({ reason: "internal", code: "DATABASE_CORRUPT", detail: "x", cause });
    error.stack = ["BsoptError: x", ...here].join("\n");
    expect(shapeOf(error)).toEqual({
      name: "LibsqlError",
      code: "SQLITE_CORRUPT",
      frames: ["src/a.ts:30", "src/b/c.ts:70", "src/d.ts:1"],
    });
    cause.stack = "x\n    at f (src/inner.ts:5:1)";
    expect(shapeOf(error).frames).toEqual(["src/inner.ts:5"]);
  });

  test("of causes in a circle is found all the same", () => {
    const error = errorWith(here);
    error.cause = error;
    expect(shapeOf(error).frames).toHaveLength(3);
  });

  test.each([
    ["a text", "x", "thrown string"],
    ["null", null, "thrown null"],
    ["nothing", undefined, "thrown undefined"],
    ["an object", { name: "ada@example.org" }, "thrown object"],
    ["an error whose name is no word", errorWith([], { name: "ada@example.org" }), "Error"],
    ["an error whose code is no word", errorWith([], { code: "4711 Ada" }), "Error"],
  ])("of %s is told without what it holds", (_name, thrown, name) => {
    expect(shapeOf(thrown)).toEqual({ name, code: null, frames: [] });
  });
});

describe("S4.63 a fingerprint", () => {
  test("is the same for another message and another caller behind the third place", () => {
    const other = errorWith([...here, "    at y (src/e.ts:1:1)"]);
    other.message = "somebody else asked for 18";
    expect(idOf(other)).toBe(idOf(errorWith(here)));
    expect(idOf(other)).toMatch(/^[0-9a-f]{32}$/);
  });

  test.each([
    ["name", errorWith(here, { name: "TypeError" })],
    ["code", errorWith(here, { code: "ENOENT" })],
    ["first place", errorWith(["    at CA (src/a.ts:31:17)", ...here.slice(1)])],
    ["third place", errorWith([...here.slice(0, 2), "    at x (src/d.ts:2:1)"])],
  ])("is another for another %s", (_name, other) => {
    expect(idOf(other)).not.toBe(idOf(errorWith(here)));
  });
});
