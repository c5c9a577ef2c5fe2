// How long a body may take, by a clock that the test moves: alone, and over a socket whose client sends a byte now and then.

import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../../src/foundation/clock";
import { readBody } from "../../../src/http/body";
import {
  BodyPatience,
  bodyBytesPerSecondMin,
  bodyGraceMilliseconds,
  bodyLookMilliseconds,
} from "../../../src/http/body-patience";
import { testServer } from "../../harness/http";
import { until } from "../../harness/storage";
import { probeRoutes } from "../../http/probe-routes";

const turn = () => new Promise((resolve) => setImmediate(resolve));
const tooSlow = () => new Error("too slow");

async function pass(clock: ManualClock, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += bodyLookMilliseconds) {
    clock.advance(bodyLookMilliseconds);
    await turn();
  }
}

describe("S5.13 a body's time", () => {
  const rows: { bytes: number; seconds: number }[] = [
    { bytes: 0, seconds: 10 },
    { bytes: bodyBytesPerSecondMin, seconds: 11 },
    { bytes: 100 * bodyBytesPerSecondMin, seconds: 110 },
  ];
  for (const { bytes, seconds } of rows) {
    test(`${bytes} bytes may take ${seconds} seconds, and not one more`, async () => {
      const clock = new ManualClock();
      const patience = new BodyPatience(clock);
      let outcome = "waits";
      patience
        .within(new Promise<string>(() => undefined), () => bytes, tooSlow)
        .then(
          () => undefined,
          (error: Error) => {
            outcome = error.message;
          },
        );
      await pass(clock, seconds * 1000);
      expect([outcome, patience.awaitedCount]).toEqual(["waits", 1]);
      await pass(clock, bodyLookMilliseconds);
      expect([outcome, patience.awaitedCount]).toEqual(["too slow", 0]);
    });
  }

  test("what arrives or fails in time is passed on and forgotten, and later ones are watched anew", async () => {
    const clock = new ManualClock();
    const patience = new BodyPatience(clock);
    expect(await patience.within(Promise.resolve("here"), () => 0, tooSlow)).toBe("here");
    await expect(patience.within(Promise.reject(new Error("reset")), () => 0, tooSlow)).rejects.toThrow("reset");
    expect(patience.awaitedCount).toBe(0);
    await pass(clock, 2 * bodyGraceMilliseconds);
    const late = patience.within(new Promise(() => undefined), () => 0, tooSlow);
    late.catch(() => undefined);
    await pass(clock, bodyGraceMilliseconds + bodyLookMilliseconds);
    await expect(late).rejects.toThrow("too slow");
  });

  test("a body without a length keeps its time by what has come, and is let go of when it comes too slowly", async () => {
    const clock = new ManualClock();
    const patience = new BodyPatience(clock);
    let isCancelled = false;
    let send: (bytes: Uint8Array) => void = () => undefined;
    const body = new ReadableStream({
      start(controller) {
        send = (bytes) => controller.enqueue(bytes);
      },
      cancel() {
        isCancelled = true;
      },
    });
    const request = new Request("http://localhost/", { method: "POST", body });
    const reading = readBody(request, { bodyBytesMax: 10_000_000 }, { kind: "streamed" }, { patience });
    let outcome = "waits";
    reading.catch((error) => {
      outcome = error.code;
    });
    for (let second = 0; second < 30; second++) {
      send(new Uint8Array(bodyBytesPerSecondMin));
      await turn();
      await pass(clock, 1000);
    }
    expect(outcome).toBe("waits");
    await pass(clock, bodyGraceMilliseconds + bodyLookMilliseconds);
    await turn();
    expect([outcome, isCancelled]).toEqual(["BODY_TOO_SLOW", true]);
  });

  test("a body in pieces of one byte is put together without an object a byte", async () => {
    const text = JSON.stringify("x".repeat(5000));
    let at = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (at === text.length) controller.close();
        else controller.enqueue(new TextEncoder().encode(text[at++]));
      },
    });
    const request = new Request("http://localhost/", { method: "POST", body });
    const bytes = await readBody(request, { bodyBytesMax: text.length }, { kind: "streamed" });
    expect(new TextDecoder().decode(bytes)).toBe(text);
  });
});

describe("S5.13 a client that sends a byte now and then", () => {
  for (const [how, head] of [
    ["with a length", "Content-Length: 100"],
    ["in chunks", "Transfer-Encoding: chunked"],
  ] as const) {
    test(`${how}: is answered 400 BODY_TOO_SLOW, and its connection is closed`, async () => {
      const clock = new ManualClock();
      const { server, close } = testServer({ features: [probeRoutes()], clock });
      const { port } = server.listen({ host: "127.0.0.1", port: 0 });
      let received = "";
      let isClosed = false;
      const socket = await Bun.connect({
        hostname: "127.0.0.1",
        port,
        socket: {
          data(_, bytes) {
            received += bytes.toString("latin1");
          },
          close() {
            isClosed = true;
          },
        },
      });
      socket.write(
        `POST /api/v1/things HTTP/1.1\r\nHost: localhost\r\nX-API-Key: bso_test_admin\r\nContent-Type: application/json\r\n${head}\r\n\r\n`,
      );
      socket.write(how === "in chunks" ? "1\r\n{\r\n" : "{");
      await until("it is under way", () => server.underWayCount === 1);
      // The look begins once the body is waited for; its clock stands still until it is moved.
      await until("it is answered", async () => {
        socket.write(how === "in chunks" ? "1\r\n \r\n" : " ");
        clock.advance(bodyLookMilliseconds);
        await turn();
        return received.includes("BODY_TOO_SLOW");
      });
      expect(received).toMatch(/^HTTP\/1\.1 400 /);
      expect(received.toLowerCase()).toContain("\r\nconnection: close\r\n");
      await until("the connection is closed", () => isClosed);
      expect(server.underWayCount).toBe(0);
      const closing = close();
      clock.advance(60_000);
      await closing;
    });
  }
});
