// The first administrator's key file on a real disk: whole or absent, exclusive, private.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openKeyFile } from "../../../src/adapters/key-file";
import { BsoptError } from "../../../src/foundation/errors";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bsopt-key-file-"));
});
afterEach(() => {
  chmodSync(folder, 0o700);
  rmSync(folder, { recursive: true });
});

describe("the key file", () => {
  test("that is not there reads as null", () => expect(openKeyFile(join(folder, "key")).read()).toBeNull());

  test("made once is read back, mode 0600, one line, and leaves no draft", () => {
    const file = openKeyFile(join(folder, "key"));
    expect(file.create("bso_a_b")).toBe(true);
    expect(file.read()).toBe("bso_a_b");
    expect(readFileSync(file.path, "utf8")).toBe("bso_a_b\n");
    expect(statSync(file.path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(["key"]);
  });

  test.each([
    ["a pipe", (path: string) => Bun.spawnSync(["mkfifo", path])],
    ["a folder", (path: string) => mkdirSync(path)],
    ["a link to a device", (path: string) => symlinkSync("/dev/zero", path)],
  ])("that is %s is refused at once, not waited for", (_name, make) => {
    const file = openKeyFile(join(folder, "key"));
    make(file.path);
    expect(() => file.read()).toThrow(expect.objectContaining({ code: "KEY_FILE_UNAVAILABLE" }));
  });

  test("made in a folder that is not there makes it, for its owner alone", () => {
    const file = openKeyFile(join(folder, "deep", "er", "key"));
    expect(file.read()).toBeNull();
    expect(file.create("bso_a_b")).toBe(true);
    expect(file.read()).toBe("bso_a_b");
    expect(statSync(join(folder, "deep", "er")).mode & 0o077).toBe(0);
  });

  test("that exists is left as it is by a second making", () => {
    const file = openKeyFile(join(folder, "key"));
    file.create("first");
    expect(file.create("second")).toBe(false);
    expect(file.read()).toBe("first");
    expect(readdirSync(folder)).toEqual(["key"]);
  });

  test("an empty file counts as existing", () => {
    writeFileSync(join(folder, "key"), "");
    const file = openKeyFile(join(folder, "key"));
    expect(file.create("mine")).toBe(false);
    expect(file.read()).toBe("");
  });

  test("removed twice is gone without complaint", () => {
    const file = openKeyFile(join(folder, "key"));
    file.create("x");
    file.remove();
    file.remove();
    expect(file.read()).toBeNull();
  });

  const linkFailing = (code: string) => () => {
    throw Object.assign(new Error("link"), { code });
  };
  for (const code of ["EPERM", "ENOTSUP", "ENOSYS"]) {
    test(`on a disk that answers links with ${code} is made all the same, exclusively and private`, () => {
      const file = openKeyFile(join(folder, "key"), { link: linkFailing(code) });
      expect(file.create("first")).toBe(true);
      expect(file.create("second")).toBe(false);
      expect(file.read()).toBe("first");
      expect(statSync(file.path).mode & 0o777).toBe(0o600);
      expect(readdirSync(folder)).toEqual(["key"]);
    });
  }

  test("whose link fails for another reason is not made, and leaves no draft", () => {
    const file = openKeyFile(join(folder, "key"), { link: linkFailing("EIO") });
    expect(() => file.create("x")).toThrow("cannot be made");
    expect(readdirSync(folder)).toEqual([]);
  });

  const failures: readonly (readonly [string, (path: string) => void])[] = [
    [
      "made in a folder that cannot be made",
      (path) => {
        writeFileSync(join(path, "none"), "a file");
        openKeyFile(join(path, "none", "key")).create("x");
      },
    ],
    ["read where a folder stands in its place", (path) => openKeyFile(path).read()],
    ["removed where a folder stands in its place", (path) => openKeyFile(path).remove()],
  ];
  for (const [title, act] of failures) {
    test(`${title} fails as unavailable with a hint that names the path and a detail that does not`, () => {
      try {
        act(folder);
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(BsoptError);
        const failure = error as BsoptError;
        expect(failure.reason).toBe("unavailable");
        expect(failure.hint).toContain(folder);
        expect(failure.detail).not.toContain(folder);
      }
    });
  }
});
