// Errors that nobody caught: what the application makes of each kind, and that a real process hears of both and goes on.

import { expect, test } from "bun:test";
import { join } from "node:path";
import type { UnforeseenKind } from "../../src/app/unforeseen";
import { startApp } from "../harness/app";
import { recordingLog, temporaryFolder } from "../harness/storage";

test("S4.60 a rejection nobody waited for is logged and counted, an exception also stops the process in order", async () => {
  let listener: ((kind: UnforeseenKind, error: unknown) => void) | null = null;
  const log = recordingLog();
  const app = await startApp(temporaryFolder(), {}, log, undefined, (listen) => {
    listener = listen;
    return () => {
      listener = null;
    };
  });
  const tell = (kind: UnforeseenKind, error: Error) => listener!(kind, error);
  const counts = async () => {
    const text = await (await fetch(`${app.url}/metrics`)).text();
    return [...text.matchAll(/^bsopt_unforeseen_errors_total\{.*\} (\d+)$/gm)].map(([, count]) => Number(count));
  };
  expect(await counts()).toEqual([0, 0]);
  tell("unhandled_rejection", new Error("one"));
  expect(await counts()).toEqual([1, 0]);
  let hasFailed = false;
  app.failed.catch(() => {
    hasFailed = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(hasFailed).toBe(false);
  tell("uncaught_exception", new Error("other"));
  await expect(app.failed).rejects.toThrow("other");
  expect(await counts()).toEqual([1, 1]);
  expect(log.lines.filter(({ message }) => message === "an error that nobody caught")).toHaveLength(2);
  await app.stop();
  expect(listener).toBeNull();
});

test("S4.60 a process hears of both kinds, and neither ends it", async () => {
  const system = join(import.meta.dir, "..", "..", "src", "commands", "system-processes.ts");
  const script = `
    import { onUnforeseen } from ${JSON.stringify(system)};
    const kinds = [];
    const forget = onUnforeseen((kind, error) => kinds.push(kind + " " + error.message));
    Promise.reject(new Error("one"));
    setTimeout(() => { throw new Error("other"); }, 1);
    const look = setInterval(() => {
      if (kinds.length < 2) return;
      clearInterval(look);
      forget();
      console.log(kinds.join(", "), process.listenerCount("uncaughtException"));
    }, 5);`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
  expect(await new Response(child.stdout).text()).toBe("unhandled_rejection one, uncaught_exception other 0\n");
  expect(await child.exited).toBe(0);
});
