// Slow hashes in a thread: the same as the runtime's own, in the order of asking, and nothing waits for ever where the thread ends.
// Real threads, started from main's module as the executable does.

import { dlopen, FFIType } from "bun:ffi";
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../build/fingerprint.mjs";
import { ManualClock } from "../../../src/foundation/clock";
import { createPasswordHasher } from "../../../src/foundation/password-hasher";
import { servePasswords, type ThreadScope, threadedHash } from "../../../src/foundation/password-thread";
import { goAfterOthers, wakeAtOnce } from "../../../src/foundation/thread-priority";
import { until } from "../../harness/storage";

const entrance = join(root, "src", "main.ts");
const clock = new ManualClock();
const hashes = threadedHash(entrance, clock);
afterAll(() => hashes.stop());

/** Nice values and slices of this process's threads, or null where the system does not tell. */
function urgencies(): { thread: number; nice: number; sliceNanoseconds: number | null }[] | null {
  if (process.platform !== "linux") return null;
  return readdirSync("/proc/self/task").flatMap((thread) => {
    try {
      // Fields behind the name, which may hold anything; the nice value is the nineteenth in all.
      const text = readFileSync(`/proc/self/task/${thread}/stat`, "utf8");
      const nice = Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[16]);
      return [{ thread: Number(thread), nice, sliceNanoseconds: sliceOf(Number(thread)) }];
    } catch {
      // It has ended since it was listed.
      return [];
    }
  });
}

/** What sched_getattr(2) says, which is zero before Linux 6.12, or null where it cannot be asked. */
function sliceOf(thread: number): number | null {
  const number = { x64: 315, arm64: 275 }[process.arch as string];
  if (number === undefined || !existsSync("/lib/x86_64-linux-gnu/libc.so.6")) return null;
  const attributes = Buffer.alloc(48);
  const { symbols } = dlopen("libc.so.6", {
    syscall: { args: [FFIType.i64, FFIType.i32, FFIType.ptr, FFIType.u32, FFIType.u32], returns: FFIType.i64 },
  });
  return Number(symbols.syscall(number, thread, attributes, 48, 0)) === 0
    ? Number(attributes.readBigUInt64LE(24))
    : null;
}

describe("S2.12 a slow hash in a thread", () => {
  test("is the runtime's argon2id, and each of many asked at once gets its own answer", async () => {
    const [one, other] = await Promise.all([hashes.hash("one"), hashes.hash("other")]);
    expect(one).toStartWith("$argon2id$v=19$m=19456,t=2,p=1$");
    expect(await Bun.password.verify("one", one)).toBe(true);
    expect(
      await Promise.all([
        hashes.verify("one", one),
        hashes.verify("one", other),
        hashes.verify("other", other),
        hashes.verify("", one),
      ]),
    ).toEqual([true, false, true, false]);
  });

  test("runs where every other thread goes first, on Linux", () => {
    const threads = urgencies();
    if (threads === null) return;
    expect(threads.some(({ nice }) => nice === 19)).toBe(true);
    // Whoever answers requests is not slowed.
    expect(goAfterOthers()).toBe(false);
  });

  test("gives its core up as soon as whoever answers requests wakes up, on Linux since 6.12", async () => {
    const before = urgencies();
    expect(wakeAtOnce()).toBe(process.platform === "linux");
    // A thread that is made later.
    hashes.stop();
    await hashes.hash("one");
    const threads = urgencies();
    if (before === null || threads === null) return;
    const first = threads.find(({ thread }) => thread === process.pid)!;
    expect(first.nice).toBe(before.find(({ thread }) => thread === process.pid)!.nice);
    // Zero or unknown on an older system.
    if (!threads.some(({ sliceNanoseconds }) => (sliceNanoseconds ?? 0) > 0)) return;
    expect(first.sliceNanoseconds).toBe(100_000);
    for (const { thread, sliceNanoseconds } of threads)
      if (thread !== process.pid) expect(sliceNanoseconds ?? 0).toBeGreaterThan(100_000);
  });

  test("that cannot be made fails alone: a text that is no hash opens for nothing", async () => {
    await expect(hashes.verify("one", "no hash")).rejects.toThrow("could not be hashed");
    const hasher = createPasswordHasher({ concurrency: 1, slowHash: hashes });
    expect(await hasher.verify("one", "no hash")).toBe(false);
    expect(await hasher.verify("one", await hasher.hash("one"))).toBe(true);
  });

  test("under way when its thread ends is refused with a time to try again, and the next begins anew", async () => {
    const hasher = createPasswordHasher({ concurrency: 1, slowHash: hashes });
    const lost = hasher.verify("one", "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA");
    hashes.stop();
    await expect(lost).rejects.toMatchObject({ code: "PASSWORDS_STOPPED", retryAfterSeconds: 1 });
    expect(await hashes.hash("again")).toStartWith("$argon2id$");
  });

  test("ends its thread after a minute without work, and not while there is some", async () => {
    const threadCount = () => urgencies()?.filter(({ nice }) => nice === 19).length ?? null;
    await hashes.hash("kept");
    clock.advance(59_000);
    await hashes.hash("kept longer");
    clock.advance(59_000);
    expect(threadCount()).not.toBe(0);
    clock.advance(2_000);
    await until("the thread has ended", () => threadCount() === 0 || threadCount() === null);
    expect(await hashes.hash("once more")).toStartWith("$argon2id$");
  });

  test("whose module cannot be loaded is refused rather than waited for", async () => {
    await expect(threadedHash("/nowhere.ts", clock).hash("one")).rejects.toMatchObject({ code: "PASSWORDS_STOPPED" });
  });
});

test("a thread's side lowers itself, says that it listens, and answers what it is asked, a failure too", () => {
  const said: unknown[] = [];
  const scope: ThreadScope = { onmessage: null, postMessage: (answer) => said.push(answer) };
  let lowered = 0;
  servePasswords(scope, () => {
    lowered += 1;
  });
  expect([lowered, said.splice(0)]).toEqual([1, [{ id: null }]]);
  const ask = (data: object) => scope.onmessage!({ data: data as never });
  ask({ id: 7, kind: "hash", password: "one" });
  const [{ value: hash }] = said.splice(0) as [{ value: string }];
  ask({ id: 8, kind: "verify", password: "one", hash });
  ask({ id: 9, kind: "verify", password: "one", hash: "no hash" });
  expect(said).toEqual([
    { id: 8, value: true },
    { id: 9, value: null },
  ]);
});
