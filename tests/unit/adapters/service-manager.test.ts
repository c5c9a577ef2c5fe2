// What systemd is told: what is said and when, by a clock moved by hand; and that it arrives at a real datagram socket.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createServiceManager, watchdogOf } from "../../../src/adapters/service-manager";
import { openDatagramSender } from "../../../src/adapters/unix-datagram";
import { ManualClock } from "../../../src/foundation/clock";
import { listenForDatagrams } from "../../harness/datagrams";
import { temporaryFolder } from "../../harness/storage";

const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

function told(watchdogMicroseconds: number | null) {
  const clock = new ManualClock();
  const said: string[] = [];
  const sender = { send: (text: string) => said.push(text) > 0, close: () => void said.push("closed") };
  const manager = createServiceManager({ sender, clock, watchdogMicroseconds });
  const after = async (milliseconds: number) => {
    said.length = 0;
    for (let passed = 0; passed < milliseconds; passed += 1000) {
      clock.advance(1000);
      await settle();
    }
    return [...said];
  };
  return { manager, said, after };
}

describe("S3.09 the service manager", () => {
  test("is asked for more time while the start goes on, told of its end, then of life as often as three times in its time", async () => {
    const { manager, said, after } = told(30_000_000);
    expect(said).toEqual(["EXTEND_TIMEOUT_USEC=60000000"]);
    expect(await after(40_000)).toEqual(["EXTEND_TIMEOUT_USEC=60000000", "EXTEND_TIMEOUT_USEC=60000000"]);
    said.length = 0;
    manager.ready("listens");
    expect(said).toEqual(["READY=1\nSTATUS=listens", "WATCHDOG=1"]);
    expect(await after(30_000)).toEqual(["WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
    said.length = 0;
    manager.stopping();
    manager.close();
    expect(said).toEqual(["STOPPING=1", "closed"]);
    expect(await after(60_000)).toEqual([]);
  });

  test("is told no life where none is asked for", async () => {
    const { manager, said, after } = told(null);
    manager.ready("x");
    expect(said.at(-1)).toBe("READY=1\nSTATUS=x");
    expect(await after(60_000)).toEqual([]);
  });

  test("is told when settings are read anew, and when they were", async () => {
    const { manager, said } = told(null);
    manager.ready("x");
    said.length = 0;
    await manager.reloading(async () => void said.push("work"));
    expect(said).toEqual(["RELOADING=1", "work", "READY=1"]);
  });

  test.each([
    [{}, null],
    [{ WATCHDOG_USEC: "30000000" }, 30_000_000],
    [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "7" }, 30_000_000],
    [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "8" }, null],
    [{ WATCHDOG_USEC: "0" }, null],
    [{ WATCHDOG_USEC: "1e9" }, null],
  ] as const)("%p wants signs of life in %p", (environment, expected) =>
    expect(watchdogOf(environment, 7)).toBe(expected),
  );
});

describe("S3.09 a datagram", () => {
  for (const [kind, pathIn] of [
    ["a path", (folder: string) => join(folder, "notify")],
    ["an abstract name", () => `@bsopt-test-${process.pid}-${Bun.nanoseconds()}`],
  ] as const) {
    test(`arrives at ${kind}, whole and in order`, () => {
      const path = pathIn(temporaryFolder());
      const listener = listenForDatagrams(path);
      const sender = openDatagramSender(path)!;
      expect([sender.send("READY=1\nSTATUS=ü"), sender.send("WATCHDOG=1")]).toEqual([true, true]);
      expect(listener.received()).toEqual(["READY=1\nSTATUS=ü", "WATCHDOG=1"]);
      listener.close();
      expect(sender.send("nobody hears")).toBe(false);
      sender.close();
    });
  }

  test("that nobody takes is dropped and holds nobody up", () => {
    const path = join(temporaryFolder(), "notify");
    const listener = listenForDatagrams(path);
    const sender = openDatagramSender(path)!;
    const sent = Array.from({ length: 5000 }, () => sender.send("WATCHDOG=1"));
    expect(sent.at(-1)).toBe(false);
    expect(listener.received().length).toBe(sent.filter((was) => was).length);
    listener.close();
    sender.close();
  });

  test("goes nowhere where the path is none", () => {
    expect(openDatagramSender("")).toBeNull();
    expect(openDatagramSender(`/${"x".repeat(200)}`)).toBeNull();
  });
});
