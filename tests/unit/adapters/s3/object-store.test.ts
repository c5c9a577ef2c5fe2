// Backups in a bucket, over a real socket to a service that computes every signature again: what stands there, what passes for a backup
// after each kind of failure, what stays, and how it comes back.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createS3Store, parseS3Address } from "../../../../src/adapters/s3/object-store";
import { ManualClock, systemClock } from "../../../../src/foundation/clock";
import { BsoptError } from "../../../../src/foundation/errors";
import { seededRandom } from "../../../../src/foundation/random";
import { readManifest } from "../../../../src/storage/backup";
import {
  bucketPlace,
  fetchFromBucket,
  makeInBucket,
  momentOf,
  removeOutgoing,
} from "../../../../src/storage/backup-place";
import { createBackupSchedule } from "../../../../src/storage/backup-schedule";
import { restoreBackup } from "../../../../src/storage/restore";
import { addItems, backupOptions, itemIds, restoreOptions, testLongWork } from "../../../harness/backup";
import { type S3Double, s3Keys, s3Region, startS3 } from "../../../harness/s3";
import { openTestStorage, recordingLog, temporaryFolder, until } from "../../../harness/storage";

const longWork = testLongWork();
let s3: S3Double;
beforeEach(() => {
  s3 = startS3();
});
afterEach(() => s3.stop());

const storeOf = (more: Partial<typeof s3Keys> = {}, clock = systemClock, endpoint = s3.url) =>
  createS3Store({ access: { endpoint, region: s3Region, ...s3Keys, ...more }, bucket: s3.bucket, clock });
async function failure(work: Promise<unknown>): Promise<BsoptError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof BsoptError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}
async function database(ids: readonly string[] = ["one", "two"]) {
  const storage = await openTestStorage();
  await addItems(storage, ids);
  const { to: _, ...options } = backupOptions(storage.url, "", longWork);
  return { storage, options };
}
const placeOf = (store = storeOf()) => bucketPlace({ store, prefix: "desk/", shown: "s3://backups/desk/" });
const nameOf = (day: number) => `scheduled-202601${String(day).padStart(2, "0")}T000000.000000Z`;
const keysBelow = (name: string) => [...s3.objects.keys()].filter((key) => key.startsWith(`desk/${name}`)).sort();

describe("S2.50 a bucket's address", () => {
  const rows: readonly (readonly [string, ReturnType<typeof parseS3Address>])[] = [
    ["s3://desk", { bucket: "desk", prefix: "" }],
    ["s3://desk/", { bucket: "desk", prefix: "" }],
    ["s3://desk/a/b", { bucket: "desk", prefix: "a/b/" }],
    ["s3://desk/a/b/", { bucket: "desk", prefix: "a/b/" }],
    ["s3://", null],
    ["s3://De", null],
    ["s3://desk//a", null],
    ["s3://desk/../a", null],
    ["s3://desk/a?b", null],
    ["/desk", null],
  ];
  test.each(rows)("%p", (text, place) => expect(parseS3Address(text)).toEqual(place));
});

describe("S2.50 a store", () => {
  test("takes what is signed by the right key only, and names no key where it is refused", async () => {
    await storeOf().putText("a b/ü.txt", "hello");
    expect(await storeOf().getText("a b/ü.txt")).toBe("hello");
    expect(await storeOf().getText("none")).toBeNull();
    const refused = await failure(storeOf({ secretAccessKey: "another canary" }).putText("x", "y"));
    expect([refused.code, refused.detail]).toEqual([
      "OBJECT_STORE_FAILED",
      "The object store did not do what it was asked: SignatureDoesNotMatch.",
    ]);
    expect(JSON.stringify([refused.detail, refused.hint])).not.toContain("canary");
    expect(s3.objects.has("x")).toBe(false);
  });

  test("sends a large file in parts, tries a part again, and gives it back byte for byte", async () => {
    const folder = temporaryFolder();
    const bytes = seededRandom(5n).bytes(20 * 1024 * 1024 + 7);
    writeFileSync(join(folder, "large"), bytes);
    let failures = 1;
    s3.disturb = (_method, _key, query) => (query.get("partNumber") === "2" && failures-- > 0 ? "fail" : null);
    await storeOf().putFile("large", join(folder, "large"));
    expect(s3.taken.filter((line) => line === "PUT large").length).toBe(3);
    let seen = 0;
    await storeOf().getFile("large", join(folder, "back"), (count) => {
      seen += count;
    });
    expect(seen).toBe(bytes.length);
    expect(Buffer.compare(readFileSync(join(folder, "back")), bytes)).toBe(0);
  }, 20_000);

  test("lists page by page", async () => {
    for (let index = 0; index < 8; index++) await storeOf().putText(`p/${index}`, "x");
    expect((await storeOf().list("p/")).map(({ key }) => key)).toEqual(Array.from({ length: 8 }, (_, i) => `p/${i}`));
  });

  test("that is silent is given up after its time, one that is away at once", async () => {
    const clock = new ManualClock();
    s3.disturb = () => "silent";
    const asked = failure(storeOf({}, clock).list(""));
    await Bun.sleep(50);
    clock.advance(31_000);
    expect((await asked).detail).toContain("no answer in time");
    await s3.stop();
    expect((await failure(storeOf().list(""))).code).toBe("OBJECT_STORE_FAILED");
  });
});

describe("S2.50 a backup in a bucket", () => {
  test("is its files with the manifest put last, and comes back as what was backed up", async () => {
    const { options } = await database();
    const made = await placeOf().make(nameOf(1), options);
    expect(made.path).toBe(`s3://backups/desk/${nameOf(1)}`);
    expect(keysBelow("")).toEqual([`desk/${nameOf(1)}/bsopt.db`, `desk/${nameOf(1)}/manifest.json`]);
    expect(s3.taken.filter((line) => line.startsWith("PUT")).at(-1)).toBe(`PUT desk/${nameOf(1)}/manifest.json`);
    expect(readdirSync(join(options.location.path, "..")).filter((name) => name.includes("outgoing"))).toEqual([]);

    const folder = temporaryFolder();
    await fetchFromBucket({ store: storeOf(), prefix: `desk/${nameOf(1)}/` }, join(folder, "incoming"));
    expect(readManifest(join(folder, "incoming"))).toEqual(made.manifest);
    const url = `file:${join(folder, "data", "test.db")}`;
    await restoreBackup(restoreOptions(url, join(folder, "incoming"), longWork));
    expect(await itemIds(await openTestStorage({ url }))).toEqual(["one", "two"]);
    expect(
      (await failure(makeInBucket({ store: storeOf(), prefix: `desk/${nameOf(1)}/`, shown: "" }, options))).code,
    ).toBe("BACKUP_EXISTS");
  });

  test("that was changed there is refused at a restore, and one that is not there names the last that is", async () => {
    const { options } = await database();
    await placeOf().make(nameOf(1), options);
    await placeOf().make(nameOf(2), options);
    const bytes = s3.objects.get(`desk/${nameOf(1)}/bsopt.db`)!;
    bytes[5000] = bytes[5000]! ^ 1;
    const folder = temporaryFolder();
    await fetchFromBucket({ store: storeOf(), prefix: `desk/${nameOf(1)}/` }, join(folder, "incoming"));
    const url = `file:${join(folder, "data", "test.db")}`;
    const refused = await failure(restoreBackup(restoreOptions(url, join(folder, "incoming"), longWork)));
    expect(refused.code).toBe("BACKUP_INVALID");
    const absent = await failure(fetchFromBucket({ store: storeOf(), prefix: "desk/" }, join(folder, "x")));
    expect([absent.code, absent.hint]).toEqual(["BACKUP_MISSING", `The last one below it is ${nameOf(2)}.`]);
  });

  const halves = [
    [
      "the database's upload fails",
      (method: string, key: string) => (method === "PUT" && key.endsWith(".db") ? "refuse" : null),
    ],
    [
      "the database arrives cut short",
      (method: string, key: string) => (method === "PUT" && key.endsWith(".db") ? "cut" : null),
    ],
    [
      "the manifest's upload fails",
      (method: string, key: string) => (method === "PUT" && key.endsWith(".json") ? "refuse" : null),
    ],
  ] as const;
  test.each(halves)(
    "is none where %s: nothing passes for one, nothing stays here, and the next succeeds",
    async (_, disturb) => {
      const { options } = await database();
      const place = placeOf();
      s3.disturb = disturb;
      expect((await failure(place.make(nameOf(1), options))).code).toBe("OBJECT_STORE_FAILED");
      expect(readdirSync(join(options.location.path, "..")).filter((name) => name.includes("outgoing"))).toEqual([]);
      s3.disturb = null;
      expect(await place.newest(true)).toBeNull();
      expect(
        (await failure(fetchFromBucket({ store: storeOf(), prefix: `desk/${nameOf(1)}/` }, temporaryFolder()))).code,
      ).toBe("BACKUP_MISSING");
      await place.make(nameOf(2), options);
      expect(await placeOf().newest(true)).toBe(momentOf(nameOf(2)));
      await place.prune(5);
      expect(keysBelow(nameOf(1))).toEqual([]);
    },
  );

  test("goes when it is too old, its manifest first, and nothing of anybody else goes", async () => {
    const { options } = await database();
    const place = placeOf();
    for (const day of [1, 2, 3, 4]) await place.make(nameOf(day), options);
    for (const key of ["desk/notes.txt", "desk/manual-20200101T000000.000000Z/bsopt.db", "scheduled-x"]) {
      await storeOf().putText(key, "mine");
    }
    s3.taken.length = 0;
    await place.prune(2);
    expect(s3.taken.filter((line) => line.startsWith("DELETE"))).toEqual([
      `DELETE desk/${nameOf(2)}/manifest.json`,
      `DELETE desk/${nameOf(2)}/bsopt.db`,
      `DELETE desk/${nameOf(1)}/manifest.json`,
      `DELETE desk/${nameOf(1)}/bsopt.db`,
    ]);
    expect(s3.objects.size).toBe(2 * 2 + 3);
  });

  test("is made by the schedule, tried again after a failure, told by readiness, and asked about once while none is due", async () => {
    const { options } = await database();
    const clock = new ManualClock();
    const log = recordingLog();
    const schedule = createBackupSchedule({
      ...{ ...options, clock, random: seededRandom(3n), log, longWork, place: placeOf() },
      ...{ everyHours: 24, keepCount: 2 },
    });
    s3.disturb = (method) => (method === "PUT" ? "refuse" : null);
    schedule.agent.start();
    await until("the first try failed", () => log.lines.some(({ level }) => level === "error"));
    expect(schedule.isWell()).toBe(false);
    s3.disturb = null;
    await until("it was tried again", () => {
      if (!schedule.isWell()) clock.advance(61_000);
      return schedule.isWell();
    });
    expect([...s3.objects.keys()].filter((key) => key.endsWith("manifest.json")).length).toBe(1);
    const asked = s3.taken.length;
    for (let look = 0; look < 5; look++) {
      clock.advance(61_000);
      await Bun.sleep(10);
    }
    expect(s3.taken.length).toBe(asked);
    await schedule.agent.stop();
  }, 20_000);

  test("what a killed process left on its way there goes after a day", async () => {
    const folder = temporaryFolder();
    const clock = new ManualClock();
    const left = join(folder, "outgoing-backup-aabb");
    writeFileSync(left, "");
    const seconds = Number(clock.nowMicroseconds() / 1_000_000n);
    utimesSync(left, seconds, seconds);
    removeOutgoing(join(folder, "bsopt.db"), clock);
    expect(existsSync(join(folder, "outgoing-backup-aabb"))).toBe(true);
    clock.advance(86_400_000 + 60_000);
    removeOutgoing(join(folder, "bsopt.db"), clock);
    expect(existsSync(join(folder, "outgoing-backup-aabb"))).toBe(false);
  });
});
