// Processes as the system has them: started, heard of, stopped, and gone when their parent is. Real ones, of a script of the tests.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { silentLooksMax, superviseProcesses } from "../../../src/commands/processes";
import { systemProcesses } from "../../../src/commands/system-processes";
import { systemClock } from "../../../src/foundation/clock";
import { seededRandom } from "../../../src/foundation/random";
import { recordingLog, until } from "../../harness/storage";

const script = join(import.meta.dir, "../../harness/process-child.ts");

describe("S3.14 a process that is started", () => {
  test("is heard of once it listens, with what it was further told, and stops in order when asked", async () => {
    const child = systemProcesses(script, ["listens"]).start(["8123"]);
    expect(await child.listening).toMatchObject({ url: "http://127.0.0.1:8123" });
    expect(child.pid).toBeGreaterThan(0);
    child.signal("SIGTERM");
    expect(await child.exited).toBe(0);
  });

  test("and ends before it listens is told as none, with its exit code", async () => {
    const child = systemProcesses(script, ["ends"]).start([]);
    expect(await child.listening).toBeNull();
    expect(await child.exited).toBe(7);
  });

  test("does not end at a terminal's SIGINT: its parent passes on what is meant for it", async () => {
    const child = systemProcesses(script, ["listens"]).start([]);
    await child.listening;
    process.kill(child.pid, "SIGINT");
    child.signal("SIGTERM");
    expect(await child.exited).toBe(0);
  });

  test("stops by itself where its parent is killed", async () => {
    const parent = Bun.spawn([process.execPath, script, "parent"], { stdio: ["ignore", "pipe", "inherit"] });
    const { value } = await parent.stdout.getReader().read();
    const pid = Number(new TextDecoder().decode(value));
    expect(isAlive(pid)).toBe(true);
    parent.kill("SIGKILL");
    await parent.exited;
    await until("the child has ended", () => !isAlive(pid));
  });
});

describe("S3.14 a process whose event loop hangs", () => {
  test("is killed after so many looks and replaced; its neighbour, which gives signs of life, is left alone", async () => {
    const log = recordingLog();
    const stop = Promise.withResolvers<void>();
    const { start, onRestartAsked } = systemProcesses(script, []);
    // The first hangs, every other one lives.
    const lives = ["hangs"];
    const started: { pid: number; life: string }[] = [];
    let isListening = false;
    // It sleeps between two looks.
    let lookCount = 0;
    const ended = superviseProcesses({
      count: 2,
      port: 0,
      start: () => {
        const life = lives.pop() ?? "listens";
        const child = start([life]);
        started.push({ pid: child.pid, life });
        return child;
      },
      stopped: stop.promise,
      onRestartAsked,
      onListening: async () => {
        isListening = true;
      },
      stopMillisecondsMax: 10_000,
      // Looks come ten times as often as in earnest, signs of life forty times (process-child.ts).
      clock: {
        ...systemClock,
        sleep: (milliseconds, signal) => {
          lookCount += 1;
          return systemClock.sleep(milliseconds / 10, signal);
        },
      },
      random: seededRandom(1n),
      log,
    });
    await until("both listen", () => isListening);
    const [hung, neighbour] = started;
    await until("a third was started", () => started.length === 3);
    expect(isAlive(hung!.pid)).toBe(false);
    expect(log.lines.map(({ message }) => message).slice(0, 2)).toEqual([
      "a server process gives no sign of life; killing it",
      "a server process ended; starting another",
    ]);
    expect(log.lines[0]!.fields).toEqual({ pid: hung!.pid, silent_seconds: silentLooksMax });
    // As long again as it took: nobody else is taken for hung.
    const looksBefore = lookCount;
    await until("it has looked as often again", () => lookCount >= looksBefore + 2 * silentLooksMax);
    expect([started.length, isAlive(neighbour!.pid), isAlive(started[2]!.pid)]).toEqual([3, true, true]);
    stop.resolve();
    expect(await ended).toBe(0);
  }, 30_000);
});

describe("S3.14 this process", () => {
  test("has nobody to tell where it was not started as one of several", () => {
    expect(systemProcesses(script, []).announce).toBeNull();
  });

  test("hears that a restart is asked for until it listens no more", async () => {
    let asked = 0;
    const { onRestartAsked } = systemProcesses(script, []);
    // Without any listener the signal would end the test's own process.
    const guard = () => {};
    process.on("SIGUSR2", guard);
    const off = onRestartAsked(() => {
      asked += 1;
    });
    process.kill(process.pid, "SIGUSR2");
    await until("the signal has come", () => asked === 1);
    off();
    let isHeard = false;
    process.once("SIGUSR2", () => {
      isHeard = true;
    });
    process.kill(process.pid, "SIGUSR2");
    await until("the second has come", () => isHeard);
    expect(asked).toBe(1);
    process.off("SIGUSR2", guard);
  });
});

/** Whether it runs: one that has ended and that nobody asked about does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
