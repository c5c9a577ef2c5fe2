// The power fails: what the executable wrote is recorded call by call, and at random moments of it a disk is made as a cut may leave
// it (tests/harness/power-cut/disk.ts says how bad that may be). The program's own parts, and for some of the cuts the executable
// itself, open it: nothing that anybody had been told of is lost, nothing is there in part. The same judge is then shown disks
// that lie about their syncs, which it must not let pass. How many cuts is the environment's to say (build/power-cut.ts).

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Random, seededRandom } from "../../src/foundation/random";
import { Installation, readJson } from "../harness/executable";
import { Disk, type Honesty } from "../harness/power-cut/disk";
import { type Expectations, expectationsAt, judge, writeImage } from "../harness/power-cut/judge";
import { bodyOf, type Course, type Recording, record, type Work } from "../harness/power-cut/recording";

const cutCount = Number(process.env.BSOPT_TEST_CUTS ?? 200);
const seed = BigInt(process.env.BSOPT_TEST_SEED ?? Date.now());
/** Of so many cuts one is opened by the executable too. */
const byExecutableEvery = 60;
const lyingCutCount = 24;
/** Some six cuts a second on a busy machine, and the recordings. */
const timeoutMilliseconds = 60_000 + cutCount * 500;

// Files made anew for each cut are quickest in memory; the recording itself is of a real disk.
const scratch = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "bsopt-cut-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const recordings = new Map<Course, Recording>();
beforeAll(async () => {
  for (const course of ["life", "killed in a sync"] as const) {
    recordings.set(course, await record(course, seededRandom(seed)));
  }
}, 240_000);

interface Plan {
  readonly course: Course;
  readonly count: number;
  readonly honesty?: Honesty;
  /** Opens some of the disks by other means as well; gives what is wrong. */
  readonly alsoJudge?: (folder: string, expected: Expectations, recording: Recording) => Promise<string[]>;
}

/** Cuts the power so many times and gives what was wrong, a line a cut. */
async function cutPower({ course, count, honesty = "all", alsoJudge }: Plan): Promise<string[]> {
  const recording = recordings.get(course)!;
  const { steps, told, lastStartAt } = recording;
  const random = seededRandom(seed + 1n);
  // What a killed process left is at stake from the next start on.
  const first = course === "life" ? 0 : steps.findIndex(({ at }) => at >= lastStartAt);
  const disk = new Disk(honesty);
  let applied = 0;
  const findings: string[] = [];
  for (const [index, place] of placesOf(random, { count, first, end: steps.length }).entries()) {
    for (; applied <= place; applied++) steps[applied]!.apply!(disk);
    const folder = join(scratch, `${index}`);
    writeImage(disk.cut(random), folder);
    const expected = expectationsAt(told, steps[place]!.at);
    const isForExecutable = alsoJudge !== undefined && index % byExecutableEvery === byExecutableEvery >> 1;
    if (isForExecutable) cpSync(folder, `${folder}-too`, { recursive: true });
    const faults = await judge(folder, expected, recording);
    if (isForExecutable) faults.push(...(await alsoJudge(`${folder}-too`, expected, recording)));
    if (faults.length > 0) findings.push(`after ${place} of ${steps.length} steps: ${faults.slice(0, 5).join("; ")}`);
    rmSync(folder, { recursive: true });
    rmSync(`${folder}-too`, { recursive: true, force: true });
  }
  return findings;
}

function placesOf(random: Random, { count, first, end }: { count: number; first: number; end: number }): number[] {
  const places = Array.from({ length: count }, () => first + Math.floor(random.unit() * (end - first)));
  return places.sort((one, other) => one - other);
}

const creationsDone = (expected: Expectations) =>
  [...(expected.data.get("data")?.certain.done ?? [])].filter(
    (work): work is Work & { kind: "create" } => work.kind === "create",
  );

/** The executable on the same files: it gets ready, and a client that asks again gets the first answer. */
async function judgeByExecutable(folder: string, expected: Expectations, { works }: Recording): Promise<string[]> {
  // Whether a restore is to be run again is the other judge's subject.
  if (expected.data.get("data")?.other || !existsSync(join(folder, "data"))) return [];
  const here = new Installation();
  try {
    cpSync(join(folder, "data"), here.path("bsopt-data"), { recursive: true });
    const serving = await here.serve();
    const faults: string[] = [];
    const readiness = (await fetch(`${serving.url}/readiness`)).status;
    if (readiness !== 200) faults.push(`the executable answers ${readiness} to /readiness`);
    const ask = (name: string) =>
      fetch(`${serving.url}/api/v1/api-keys`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-api-key": serving.key(), "idempotency-key": name },
        body: JSON.stringify(bodyOf(name)),
      });
    const done = creationsDone(expected);
    for (const { name, id } of done.slice(-20)) {
      const answer = await ask(name);
      const made = await readJson(answer);
      if (answer.status !== 201 || (id !== null && made.id !== id)) faults.push(`${name} was made twice`);
    }
    // Whoever had heard nothing: made now or made before, but answered.
    const unheard = works.find((work) => work.kind === "create" && !done.includes(work));
    if (unheard?.kind === "create" && (await ask(unheard.name)).status !== 201)
      faults.push(`${unheard.name} is refused`);
    if ((await serving.stop()) !== 0) faults.push("the executable did not stop in order");
    const chain = await here.run(["verify", "audit"]);
    if (chain.code !== 0) faults.push(chain.stdout);
    return faults;
  } catch (error) {
    return [`the executable: ${error}`];
  } finally {
    here.remove();
  }
}

describe("S5.19 S5.01 the power fails at a random moment", () => {
  test(
    `${cutCount} cuts of first starts, writes, checkpoints, backups and restores (seed ${seed}): nothing told of is lost, nothing is there in part`,
    async () => {
      const { steps, told, works } = recordings.get("life")!;
      const begunAt = performance.now();
      expect(await cutPower({ course: "life", count: cutCount, alsoJudge: judgeByExecutable })).toEqual([]);
      const seconds = (performance.now() - begunAt) / 1000;
      process.stdout.write(
        `power cut: ${cutCount} cuts over ${steps.length} changes and syncs, ${works.length} works asked for, ${told.length} answers and reports given, none lost (${seconds.toFixed(0)} s)\n`,
      );
    },
    timeoutMilliseconds,
  );

  test(
    "after a start on what a process left that was killed before its sync: what that start tells of is kept",
    async () => {
      expect(await cutPower({ course: "killed in a sync", count: Math.ceil(cutCount / 3) })).toEqual([]);
    },
    timeoutMilliseconds,
  );

  const lies: { honesty: Honesty; loses: RegExp }[] = [
    { honesty: "none", loses: /acknowledged and is gone|the data folder is gone|does not open/ },
    { honesty: "no logs", loses: /acknowledged and is gone/ },
    { honesty: "no folders", loses: /the data folder is gone|key is gone|acknowledged and is gone/ },
  ];
  for (const { honesty, loses } of lies) {
    test(`a disk on which syncs count so: ${honesty} loses what was told of, and the judge says so`, async () => {
      const findings = await cutPower({ course: "life", count: lyingCutCount, honesty });
      process.stdout.write(
        `power cut: syncs count so: ${honesty}; ${findings.length} of ${lyingCutCount} cuts lose something\n`,
      );
      expect(findings.length).toBeGreaterThan(lyingCutCount / 4);
      expect(findings.join("\n")).toMatch(loses);
    }, 120_000);
  }
});
