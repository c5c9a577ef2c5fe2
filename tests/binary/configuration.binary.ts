// Settings read anew by the executable on SIGHUP, alone and as one of several, and changed by request: what the log takes, what it says.

import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { listenForDatagrams } from "../harness/datagrams";
import { Installation, type Loose, readJson, type Serving } from "../harness/executable";
import { until } from "../harness/storage";

const installations: Installation[] = [];
function installation(): Installation {
  const made = new Installation();
  installations.push(made);
  return made;
}
afterAll(() => {
  for (const made of installations) made.remove();
});

const linesOf = (serving: Serving): Loose[] =>
  serving
    .said()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
const messagesOf = (serving: Serving) => linesOf(serving).map(({ message }) => message);
const requestLines = (serving: Serving) => linesOf(serving).filter(({ message }) => message === "request").length;
const admin = (serving: Serving, init: RequestInit = {}) =>
  fetch(`${serving.url}/api/v1/admin/config`, {
    ...init,
    headers: { "content-type": "application/json", "x-api-key": serving.key() },
  });
const settingOf = async (serving: Serving, key: string) =>
  (await readJson(admin(serving))).settings.find((setting: Loose) => setting.key === key);

describe("S3.09 under a service manager", () => {
  const startedBy = async (more: Record<string, string>, args: readonly string[] = []) => {
    const here = installation();
    writeFileSync(here.path("bsopt.toml"), "");
    const listener = listenForDatagrams(here.path("notify"));
    const told: string[] = [];
    const hears = (text: string) =>
      until(`it was told ${text}`, () => {
        told.push(...listener.received());
        return told.some((each) => each.startsWith(text));
      });
    const serving = await here.serve({ args, environment: { NOTIFY_SOCKET: here.path("notify"), ...more } });
    return { serving, told, hears, listener };
  };

  test("tells that it is ready, lives, reads its settings anew and stops, and no life while it hangs", async () => {
    const { serving, told, hears, listener } = await startedBy({ WATCHDOG_USEC: "300000" });
    await hears(`READY=1\nSTATUS=listens on ${serving.url}`);
    expect(told[0]).toBe("EXTEND_TIMEOUT_USEC=60000000");
    await hears("WATCHDOG=1");
    process.kill(serving.pid, "SIGSTOP");
    await Bun.sleep(200);
    listener.received();
    await Bun.sleep(500);
    expect(listener.received()).toEqual([]);
    process.kill(serving.pid, "SIGCONT");
    told.length = 0;
    process.kill(serving.pid, "SIGHUP");
    await hears("READY=1");
    expect(told.filter((text) => text !== "WATCHDOG=1")).toEqual(["RELOADING=1", "READY=1"]);
    const stopping = serving.stop();
    await hears("STOPPING=1");
    expect(await stopping).toBe(0);
    listener.close();
  }, 30_000);

  test("of several the parent tells for all, once all listen", async () => {
    const { serving, told, hears, listener } = await startedBy({}, ["--processes", "2"]);
    await hears("READY=1\nSTATUS=2 processes listen on");
    expect(await serving.stop()).toBe(0);
    told.push(...listener.received());
    expect(told.filter((text) => !text.startsWith("EXTEND"))).toEqual([
      `READY=1\nSTATUS=2 processes listen on ${serving.url}`,
      "STOPPING=1",
    ]);
    listener.close();
  }, 60_000);
});

describe("S5.12 SIGHUP", () => {
  test("makes a server read its file anew: the log takes other levels, a wrong file changes nothing and ends nothing", async () => {
    const here = installation();
    writeFileSync(here.path("bsopt.toml"), 'log_level = "info"\n');
    const serving = await here.serve();
    const reload = async (text: string, said: string) => {
      const before = messagesOf(serving).filter((message) => message.startsWith(said)).length;
      writeFileSync(here.path("bsopt.toml"), text);
      process.kill(serving.pid, "SIGHUP");
      await until(said, () => messagesOf(serving).filter((message) => message.startsWith(said)).length > before);
    };
    await admin(serving);
    expect(requestLines(serving)).toBe(0);
    await reload('log_level = "debug"\n', "settings read anew");
    await admin(serving);
    await until("a request was logged", () => requestLines(serving) > 0);
    await reload('log_level = "loud"\nprot = 1\ntrusted_proxies = ["10.0.0.1/8"]\n', "settings were not read anew");
    expect(linesOf(serving).findLast(({ level }) => level === "error").faults).toHaveLength(3);
    expect((await settingOf(serving, "log_level")).value).toBe("debug");
    await reload('log_level = "warn"\ndrain_ms = 1\n', "settings that were changed in the file");
    const count = requestLines(serving);
    await admin(serving);
    await Bun.sleep(50);
    expect(requestLines(serving)).toBe(count);
    expect(await serving.stop()).toBe(0);
  }, 30_000);

  test("to the parent of several reaches each, and a change by request reaches all and outlives them", async () => {
    const here = installation();
    writeFileSync(here.path("bsopt.toml"), "");
    const serving = await here.serve({ args: ["--processes", "2"] });
    writeFileSync(here.path("bsopt.toml"), "slow_request_ms = 222\n");
    process.kill(serving.pid, "SIGHUP");
    await until(
      "both have read it",
      () => messagesOf(serving).filter((said) => said === "settings read anew").length === 2,
    );
    const changed = await admin(serving, { method: "PATCH", body: JSON.stringify({ batch_rows_max: 5 }) });
    expect(changed.status).toBe(200);
    await until(
      "both have heard",
      () => messagesOf(serving).filter((said) => said === "settings changed").length === 2,
    );
    expect((await settingOf(serving, "batch_rows_max")).value).toBe(5);
    expect(await serving.stop()).toBe(0);
    const again = await here.serve();
    expect(await settingOf(again, "batch_rows_max")).toMatchObject({ value: 5, source: "database" });
    expect(await settingOf(again, "slow_request_ms")).toMatchObject({ value: 222, source: "file" });
    const shown = await here.run(["config", "show"]);
    expect(shown.stdout).toMatch(/^batch_rows_max +5 +database: batch_rows_max$/m);
    expect(await again.stop()).toBe(0);
  }, 60_000);
});
