// The market's log under kill -9: a process appends, and says so only once the archive has; whatever it said must be there at the next start, whole and in
// order, and the past must be what it was.

import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { seededRandom } from "../../src/foundation/random";
import { bookAfter, openTestArchive } from "../harness/archive";
import { temporaryFolder, until } from "../harness/storage";

const seed = BigInt(process.env.BSOPT_TEST_SEED ?? 20_261_121);
const running = new Set<Bun.Subprocess>();
afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
});

function start(path: string) {
  const lines: string[] = [];
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../harness/archive-child.ts"), path], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let rest = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const bytes of child.stdout) {
      const pieces = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = pieces.pop() ?? "";
      lines.push(...pieces);
    }
  })();
  const errors = new Response(child.stderr).text();
  return {
    lines,
    async killed(): Promise<void> {
      child.kill("SIGKILL");
      await Promise.all([child.exited, reading]);
      running.delete(child);
      expect(await errors).toBe("");
    },
  };
}

const countsOf = (line: string) => line.split(" ")[1]!.split(",").map(Number) as [number, number];

test(`S5.19 50 kills at seeded moments (seed ${seed}): every quote that was acknowledged is there, each book whole, its past as it was`, async () => {
  const random = seededRandom(seed);
  const path = join(temporaryFolder(), "market.db");
  let acknowledged: [number, number] = [0, 0];
  for (let round = 0; round < 50; round++) {
    const child = start(path);
    await until("the child is open", () => child.lines.some((line) => line.startsWith("open ")));
    const found = countsOf(child.lines.find((line) => line.startsWith("open "))!);
    for (const [index, count] of found.entries()) expect(count).toBeGreaterThanOrEqual(acknowledged[index]!);
    const acksMin = round % 5 === 4 ? 0 : 1 + Math.floor(random.unit() * 40);
    await until(`${acksMin} acknowledgements`, () => child.lines.length > acksMin);
    await child.killed();
    const last = child.lines.findLast((line) => line.startsWith("ack "));
    if (last !== undefined) acknowledged = countsOf(last);
  }
  expect(acknowledged[0]).toBeGreaterThan(1_000);
  const { archive } = openTestArchive({ path });
  for (const [index, name] of ["SPX", "NDX"].entries()) {
    const book = (await archive.latest(name))!;
    expect(book.count).toBeGreaterThanOrEqual(acknowledged[index]!);
    expect(book).toEqual(bookAfter(name, book.count));
    for (let look = 0; look < 20; look++) {
      const count = 1 + Math.floor(random.unit() * book.count);
      expect(await archive.bookAt(name, BigInt((count - 1) * 10))).toEqual(bookAfter(name, count));
    }
  }
}, 240_000);
