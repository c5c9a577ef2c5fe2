// The model of a disk that tests/power-cut builds on: what it must keep, what it must be able to lose, and that what is read from a
// trace is understood whole or refused. A model that keeps too much would prove nothing.

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../src/foundation/random";
import { Disk, type Honesty, type Image } from "../harness/power-cut/disk";
import { readTrace } from "../harness/power-cut/trace";
import { temporaryFolder } from "../harness/storage";

const random = seededRandom(20_261_121n);
let now = 0;
/** One thing after the other. */
function span() {
  now += 1;
  return { begin: now, end: now };
}
const text = (word: string, count = 1) => new TextEncoder().encode(word.repeat(count));

/** What 400 cuts leave of a disk, each once, as texts; a folder is null. */
function cuts(disk: Disk, show: (image: Image) => unknown): Set<string> {
  return new Set(Array.from({ length: 400 }, () => JSON.stringify(show(disk.cut(random)))));
}

/** A folder and a file in it, both made durable. */
function settled(
  content: Uint8Array,
  honesty: Honesty = "all",
): { disk: Disk; file: NonNullable<ReturnType<Disk["find"]>> } {
  const disk = new Disk(honesty);
  disk.makeFolder("a", span());
  const file = disk.makeFile("a/f", span());
  disk.write(file, 0, content, span());
  for (const path of ["a/f", "a", ""]) disk.sync(disk.find(path)!, span());
  return { disk, file };
}

const content = (image: Image) => Buffer.from(image.get("a/f") ?? "gone").toString();

describe("S5.19 the model of a disk", () => {
  test("keeps whatever was synced, with its name and its folder's", () => {
    const { disk } = settled(text("kept"));
    expect(cuts(disk, (image) => [[...image.keys()], content(image)])).toEqual(new Set(['[["a","a/f"],"kept"]']));
  });

  test("keeps or loses what was not, in sectors of 512 or 4,096 bytes and in any order", () => {
    const { disk, file } = settled(text(".", 8192));
    disk.write(file, 0, text("x", 8192), span());
    const halves = cuts(disk, (image) => {
      const bytes = content(image);
      return [0, 512, 4096, 7680].map((at) => bytes[at]).join("");
    });
    for (const seen of ["....", "xxxx", "x...", "...x", ".x..", "xx.."]) expect(halves).toContain(JSON.stringify(seen));
    // Never a mixture inside a sector.
    const mixed = cuts(disk, (image) => new Set(content(image).slice(512, 1024)).size);
    expect(mixed).toEqual(new Set(["1"]));
  });

  test("leaves in a sector what stood there at some moment since the sync, never a later change without an earlier one", () => {
    const { disk, file } = settled(text("aaaa"));
    disk.write(file, 0, text("b"), span());
    disk.write(file, 1, text("c"), span());
    expect(cuts(disk, content)).toEqual(new Set(['"aaaa"', '"baaa"', '"bcaa"']));
  });

  test("counts a sync for what was done before it began, not for what ran beside it", () => {
    const { disk, file } = settled(text("a"));
    now += 10;
    disk.write(file, 0, text("b"), { begin: now - 8, end: now - 4 });
    disk.sync(file, { begin: now - 5, end: now });
    expect(cuts(disk, content)).toEqual(new Set(['"a"', '"b"']));
  });

  test("may lose a file's length apart from its data, leaving zeros or garbage", () => {
    const { disk, file } = settled(text("a"));
    disk.write(file, 0, text("b", 2000), span());
    const seen = cuts(disk, (image) => image.get("a/f")?.length);
    expect(seen).toEqual(new Set(["1", "2000"]));
    const ends = cuts(disk, (image) => image.get("a/f")?.[1999]);
    expect(ends.size).toBeGreaterThan(3);
    expect(ends).toContain("0");
  });

  test("may undo a truncation that was not synced", () => {
    const { disk, file } = settled(text("a", 600));
    disk.resize(file, 0, span());
    expect(cuts(disk, (image) => content(image).length)).toEqual(new Set(["0", "600"]));
  });

  test("never mixes what was in a file before it was shortened with what came after", () => {
    const { disk, file } = settled(text("a", 8192));
    disk.resize(file, 0, span());
    disk.write(file, 0, text("b", 8192), span());
    const mixed = cuts(disk, (image) => /a{512}/.test(content(image)) && /b{512}/.test(content(image)));
    expect(mixed).toEqual(new Set(["false"]));
    expect(cuts(disk, (image) => content(image)[0])).toContain('"a"');
    expect(cuts(disk, (image) => content(image)[0])).toContain('"b"');
  });

  test("may lose a synced file's name, and a synced folder's, until the folder above was synced", () => {
    const disk = new Disk();
    disk.makeFolder("a", span());
    disk.write(disk.makeFile("a/f", span()), 0, text("x"), span());
    disk.sync(disk.find("a/f")!, span());
    disk.sync(disk.find("a")!, span());
    expect(cuts(disk, (image) => [...image.keys()])).toEqual(new Set(["[]", '["a","a/f"]']));
    disk.sync(disk.find("")!, span());
    expect(cuts(disk, (image) => [...image.keys()])).toEqual(new Set(['["a","a/f"]']));
  });

  test("renames whole: the old name or the new one, and what it replaced or what replaced it", () => {
    const { disk } = settled(text("old"));
    disk.write(disk.makeFile("a/new", span()), 0, text("new"), span());
    disk.sync(disk.find("a/new")!, span());
    disk.sync(disk.find("a")!, span());
    disk.rename("a/new", "a/f", span());
    expect(cuts(disk, (image) => [[...image.keys()].sort(), content(image)])).toEqual(
      new Set(['[["a","a/f","a/new"],"old"]', '[["a","a/f"],"new"]']),
    );
  });

  test("that lies loses what an honest one keeps", () => {
    for (const honesty of ["none", "no folders"] as const) {
      expect(cuts(settled(text("kept"), honesty).disk, (image) => image.has("a/f"))).toContain("false");
    }
  });
});

describe("S5.19 reading a trace", () => {
  const hex = (word: string) =>
    `"${[...Buffer.from(word)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}"`;
  const at = (path: string) => `<${hex(path).slice(1, -1)}>`;

  async function traced(lines: readonly string[]): Promise<{ disk: Disk; said: string[]; unknownCount: number }> {
    const path = join(temporaryFolder(), "trace");
    writeFileSync(path, `${lines.join("\n")}\n`);
    const { steps, unknownCount } = await readTrace(path, "/top");
    const disk = new Disk();
    for (const { apply } of steps) apply?.(disk);
    return { disk, unknownCount, said: steps.flatMap(({ said }) => said ?? []) };
  }

  const made = [
    `7 mkdir(${hex("/top/d")}, 0700) = 0`,
    `7 openat(AT_FDCWD${at("/top")}, ${hex("d/f")}, O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 5${at("/top/d/f")}`,
    `7 write(5${at("/top/d/f")}, ${hex("abc")}, 3)   = 3`,
  ];

  test("understands files, folders, positions and names, and what was said outside", async () => {
    const { disk, said } = await traced([
      ...made,
      `7 write(5${at("/top/d/f")}, ${hex("def")}, 3 <unfinished ...>`,
      `8 sendto(9${at("socket:[1]")}, ${hex("HTTP/1.1 201")}, 12, 0, NULL, 0) = 12`,
      "7 <... write resumed>) = 3",
      `7 pwrite64(5${at("/top/d/f")}, ${hex("X")}, 1, 1) = 1`,
      `7 openat(AT_FDCWD${at("/top")}, ${hex("missing")}, O_RDONLY) = -1 ENOENT (No such file or directory)`,
      `7 rename(${hex("d/f")}, ${hex("/top/g")}) = 0`,
      `7 ftruncate(5${at("/top/g")}, 5) = 0`,
      "7 +++ exited with 0 +++",
    ]);
    const image = disk.presentImage();
    expect([...image.keys()].sort()).toEqual(["d", "g"]);
    expect(Buffer.from(image.get("g")!).toString()).toBe("aXcde");
    expect(said).toEqual(["HTTP/1.1 201"]);
  });

  test("a call that a killed process was in is told, since nobody knows whether it happened", async () => {
    const { unknownCount } = await traced([
      ...made,
      `7 pwrite64(5${at("/top/d/f")}, ${hex("X")}, 1, 1 <unfinished ...>`,
      "7 +++ killed by SIGKILL +++",
    ]);
    expect(unknownCount).toBe(1);
  });

  const refused: [string, string][] = [
    ["a call that changes the folder and is not modelled", `7 fallocate(5${at("/top/d/f")}, 0, 0, 100) = 0`],
    [
      "a file that is written through memory",
      `7 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 5${at("/top/d/f")}, 0) = 0x7f`,
    ],
    ["writes that a trace does not see", "7 io_uring_setup(8, {flags=0}) = 9"],
    ["a string that was cut short", `7 write(5${at("/top/d/f")}, ${hex("abc")}..., 3) = 3`],
    ["a line of another form", "7 ????"],
  ];
  for (const [name, line] of refused) {
    test(`${name} is an error`, async () => {
      expect(
        await traced([...made, line]).then(
          () => "read",
          () => "refused",
        ),
      ).toBe("refused");
    });
  }
});
