// The bus over a hub in memory: who hears what, what a stranger can do, long messages, questions and their limits.

import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../../src/foundation/clock";
import { busOn, bytesOf, MemoryHub, textOf } from "../../harness/bus";

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

describe("S4.35 what is published", () => {
  test("reaches every process that listens, its own too, in order, with its publisher's name; other subjects do not", async () => {
    const hub = new MemoryHub();
    const [one, other] = [busOn(hub.link()), busOn(hub.link())];
    const heard: string[] = [];
    const takers = [one, other].map((bus, index) =>
      bus.subscribe("ticks", (bytes, from) => {
        expect(from).toBe(one.self);
        heard.push(`${index} ${textOf(bytes)}`);
      }),
    );
    one.subscribe("tick", () => expect.unreachable());
    for (const text of ["a", "b", ""]) expect(one.publish("ticks", bytesOf(text))).toBe(true);
    await turn();
    expect(heard).toEqual(["0 a", "1 a", "0 b", "1 b", "0 ", "1 "]);
    takers[1]!.end();
    one.publish("ticks", bytesOf("c"));
    await turn();
    expect(heard.slice(6)).toEqual(["0 c"]);
    expect(one.statistics()).toMatchObject({ publishedCount: 4, receivedCount: 4, droppedCount: 0, brokenCount: 0 });
  });

  test("several in one process listen to one subject, and each ends by itself", async () => {
    const bus = busOn(new MemoryHub().link());
    const heard: string[] = [];
    const first = bus.subscribe("s", () => heard.push("first"));
    bus.subscribe("s", () => heard.push("second"));
    bus.publish("s", bytesOf("x"));
    await turn();
    first.end();
    first.end();
    bus.publish("s", bytesOf("x"));
    await turn();
    expect(heard).toEqual(["first", "second", "second"]);
  });

  test("is nothing to who has another key, not even its subject, and nothing of it shows", async () => {
    const hub = new MemoryHub();
    const [one, stranger] = [busOn(hub.link()), busOn(hub.link(), { key: new Uint8Array(32).fill(8) })];
    stranger.subscribe("ticks", () => expect.unreachable());
    one.publish("ticks", bytesOf("a secret word"));
    await turn();
    expect(hub.passed[0]!.subject).toMatch(/^bsopt\.[0-9a-f]{16}\.ticks$/);
    expect(Buffer.from(hub.passed[0]!.bytes).includes("secret")).toBe(false);
    expect(stranger.statistics().receivedCount).toBe(0);
  });

  test("is dropped and counted where a bit of it was changed, it was cut, or it was moved to another subject", async () => {
    const hub = new MemoryHub();
    const bus = busOn(hub.link());
    const heard: string[] = [];
    bus.subscribe("s", (bytes) => heard.push(textOf(bytes)));
    bus.subscribe("t", () => expect.unreachable());
    bus.publish("s", bytesOf("whole"));
    await turn();
    const { subject, bytes } = hub.passed[0]!;
    const injector = hub.link();
    let brokenCount = 0;
    for (let index = 0; index < bytes.length; index++) {
      const changed = Uint8Array.from(bytes);
      changed[index]! ^= 1;
      injector.publish(subject, changed);
      injector.publish(subject, bytes.subarray(0, index));
      brokenCount += 2;
    }
    injector.publish(subject.replace(/s$/, "t"), bytes);
    await turn();
    expect(heard).toEqual(["whole"]);
    expect(bus.statistics().brokenCount).toBe(brokenCount + 1);
  });

  test("comes whole where it is longer than a part, from several publishers at once", async () => {
    const hub = new MemoryHub();
    const limits = { partBytesMax: 10 };
    const [one, other] = [busOn(hub.link(), { limits }), busOn(hub.link(), { limits })];
    const heard: string[] = [];
    one.subscribe("s", (bytes, from) => heard.push(`${from === one.self ? 1 : 2} ${textOf(bytes)}`));
    const long = "0123456789".repeat(7);
    one.publish("s", bytesOf(long));
    other.publish("s", bytesOf(`${long}!`));
    await turn();
    expect(heard).toEqual([`1 ${long}`, `2 ${long}!`]);
    expect(hub.passed.length).toBe(7 + 8);
  });

  test("is dropped whole where one of its parts is lost, and what comes after it is not", async () => {
    const hub = new MemoryHub();
    const bus = busOn(hub.link(), { limits: { partBytesMax: 4 } });
    const heard: string[] = [];
    bus.subscribe("s", (bytes) => heard.push(textOf(bytes)));
    for (const lost of [0, 1, 2]) {
      let part = 0;
      hub.spoil = (bytes) => (part++ === lost ? null : bytes);
      bus.publish("s", bytesOf("one two thre"));
      bus.publish("s", bytesOf(`after ${lost}`));
      await turn();
    }
    expect(heard).toEqual(["after 0", "after 1", "after 2"]);
    expect(bus.statistics().brokenCount).toBeGreaterThanOrEqual(3);
  });

  test("is not taken where it is too long or the bus is away, and counted", () => {
    const hub = new MemoryHub();
    const bus = busOn(hub.link(), { limits: { messageBytesMax: 100 } });
    expect(bus.publish("s", new Uint8Array(101))).toBe(false);
    expect(bus.publish("s", new Uint8Array(100))).toBe(true);
    hub.turn(false);
    expect(bus.publish("s", new Uint8Array(1))).toBe(false);
    expect(bus.statistics()).toMatchObject({ publishedCount: 1, droppedCount: 2 });
  });

  test("S4.35 a loss and a return are told", () => {
    const hub = new MemoryHub();
    const bus = busOn(hub.link());
    const told: string[] = [];
    const stop = bus.onState((state) => told.push(state));
    hub.turn(false);
    hub.turn(true);
    stop();
    hub.turn(false);
    expect(told).toEqual(["lost", "connected"]);
  });
});

describe("S4.35 a question", () => {
  test("gets its own answer, however many are asked at once and however long they are", async () => {
    const hub = new MemoryHub();
    const limits = { partBytesMax: 16 };
    const [asker, answerer] = [busOn(hub.link(), { limits }), busOn(hub.link(), { limits })];
    answerer.answer("echo", async (bytes, from) => {
      expect(from).toBe(asker.self);
      await turn();
      return bytesOf(`${textOf(bytes)} heard`);
    });
    const words = Array.from({ length: 50 }, (_, index) => "word ".repeat(index));
    const answers = await Promise.all(words.map((word) => asker.request("echo", bytesOf(word), 1_000)));
    expect(answers.map(textOf)).toEqual(words.map((word) => `${word} heard`));
  });

  test("is refused without a word of what failed", async () => {
    const bus = busOn(new MemoryHub().link());
    bus.answer("q", () => {
      throw new Error("a secret of the inside");
    });
    const failure = await bus.request("q", bytesOf(""), 1_000).catch((error) => error);
    expect(failure).toMatchObject({ reason: "unavailable", code: "BUS_REFUSED" });
    expect(String(failure)).not.toContain("secret");
  });

  test("that nobody answers ends in its time; an answer that comes later is nobody's", async () => {
    const clock = new ManualClock();
    const hub = new MemoryHub();
    const [asker, answerer] = [busOn(hub.link(), { clock }), busOn(hub.link())];
    const late = Promise.withResolvers<Uint8Array>();
    answerer.answer("q", () => late.promise);
    const asked = asker.request("q", bytesOf("?"), 500).catch((error) => error);
    await turn();
    clock.advance(500);
    expect(await asked).toMatchObject({ code: "BUS_TIMEOUT", retryAfterSeconds: 1 });
    late.resolve(bytesOf("late"));
    await turn();
    answerer.answer("r", async () => bytesOf("right"));
    expect(textOf(await asker.request("r", bytesOf("?"), 500))).toBe("right");
  });

  test("of too many, further ones are refused at once, by who asks and by who is asked", async () => {
    const hub = new MemoryHub();
    const asker = busOn(hub.link(), { limits: { requestsMax: 3 } });
    const answerer = busOn(hub.link(), { limits: { answersMax: 2 } });
    const held = Promise.withResolvers<Uint8Array>();
    answerer.answer("q", () => held.promise);
    const ask = () => asker.request("q", bytesOf(""), 60_000).then(textOf, (error) => error.code);
    const asked = [ask(), ask(), ask(), ask()];
    expect(await asked[3]!).toBe("BUS_BUSY");
    expect(await asked[2]!).toBe("BUS_REFUSED");
    held.resolve(bytesOf("done"));
    expect(await Promise.all(asked.slice(0, 2))).toEqual(["done", "done"]);
    expect(await ask()).toBe("done");
  });

  test("over a bus that is away, or by a process that stops, is refused at once", async () => {
    const hub = new MemoryHub();
    const bus = busOn(hub.link());
    const asked = bus.request("nobody", bytesOf(""), 60_000).catch((error) => error.code);
    await bus.close();
    expect(await asked).toBe("BUS_UNREACHABLE");
    hub.isUp = false;
    expect(
      await busOn(hub.link())
        .request("q", bytesOf(""), 1_000)
        .catch((error) => error.code),
    ).toBe("BUS_UNREACHABLE");
  });
});
