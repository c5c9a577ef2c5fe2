// Connections to other people's servers, lost in every way there is: never made, refused, silent, flooded, closed; and what is waited between.

import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type Server } from "node:net";
import { VenueSocket, type VenueSocketOptions } from "../../../../src/adapters/feeds/venue-socket";
import { type Clock, systemClock } from "../../../../src/foundation/clock";
import { seededRandom } from "../../../../src/foundation/random";
import { until } from "../../../harness/feeds";
import { SocketServer } from "../../../harness/venue-servers";

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

function open(address: () => Promise<string>, change: Partial<VenueSocketOptions> = {}) {
  const seen = { opened: 0, messages: [] as (string | Uint8Array)[], closed: [] as string[] };
  const waits: number[] = [];
  // Waits between attempts are long ones; they are noted and cut short.
  const clock: Clock = {
    ...systemClock,
    sleep: (milliseconds, signal) => {
      if (milliseconds <= 1000) return systemClock.sleep(milliseconds, signal);
      waits.push(milliseconds);
      return systemClock.sleep(1, signal);
    },
  };
  const socket = new VenueSocket({
    ...{ clock, random: seededRandom(9n), silenceMillisecondsMax: 60_000 },
    backoff: { baseMilliseconds: 4_000, waitMillisecondsMax: 60_000 },
    protocol: {
      address,
      opened: () => {
        seen.opened += 1;
      },
      message: (data) => {
        if (data === "poison") throw new Error("cannot");
        seen.messages.push(data);
      },
      closed: (reason) => seen.closed.push(reason),
    },
    ...change,
  });
  stops.push(() => socket.stop());
  socket.start();
  return { socket, seen, waits };
}

function serve(): SocketServer {
  const server = new SocketServer();
  stops.push(() => server.stop());
  return server;
}

describe("a venue's socket", () => {
  test("waits longer after each failure, up to its limit, and never the same as another", async () => {
    const { seen, waits, socket } = open(() => Promise.reject(new Error("no token")));
    await until(() => waits.length >= 8, "eight waits");
    expect(seen.closed.slice(0, 2)).toEqual(["no token", "no token"]);
    for (const [index, wait] of waits.slice(0, 8).entries()) {
      const ceiling = Math.min(60_000, 4_000 * 2 ** index);
      expect(wait).toBeGreaterThanOrEqual(ceiling / 2);
      expect(wait).toBeLessThanOrEqual(ceiling);
    }
    expect(socket.failuresInARow).toBeGreaterThanOrEqual(8);
  });

  test("says why: refused, nobody there, no address", async () => {
    const server = serve();
    server.refuseWith = 503;
    const addresses = [server.url, "ws://127.0.0.1:1/", "not an address"];
    let attempt = 0;
    const { seen } = open(async () => addresses[attempt++ % 3]!);
    await until(() => seen.closed.length >= 3, "three failures");
    expect(seen.closed.slice(0, 3)).toEqual([
      ...["refused with status 503", "the connection failed", "the address is none for a WebSocket"],
    ]);
    expect(seen.opened).toBe(0);
  });

  test("gives up a server that takes the connection and never answers", async () => {
    const mute: Server = createServer(() => {});
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    stops.push(async () => mute.close());
    const { port } = mute.address() as { port: number };
    const { seen } = open(async () => `ws://127.0.0.1:${port}/`, { connectMillisecondsMax: 50 });
    await until(() => seen.closed.length >= 2, "two attempts");
    expect(seen.closed[0]).toBe("no connection in time");
  });

  test("gives up a connection on which nothing comes: half open is not open", async () => {
    const server = serve();
    const { seen } = open(async () => server.url, { silenceMillisecondsMax: 60 });
    await until(() => server.connectionCount >= 2 && seen.closed.length >= 1, "a second connection");
    expect(seen.closed[0]).toBe("silent for too long");
  });

  test("hands over text and bytes as they came, and sends only while it is there", async () => {
    const server = serve();
    const { socket, seen } = open(async () => server.url);
    expect(socket.send("too early")).toBe(false);
    await until(() => seen.opened === 1, "the connection");
    expect(socket.send("hello")).toBe(true);
    server.send("text");
    server.send(new Uint8Array([1, 2]));
    await until(() => seen.messages.length === 2, "two messages");
    expect(seen.messages).toEqual(["text", new Uint8Array([1, 2])]);
  });

  test("ends a connection whose message is too long or can't be handled, and takes nothing more of it", async () => {
    const server = serve();
    const { seen } = open(async () => server.url, { messageBytesMax: 10 });
    await until(() => seen.opened === 1, "the connection");
    server.send("x".repeat(11));
    server.send("later");
    await until(() => seen.opened === 2, "another");
    server.send("poison");
    server.send("later");
    await until(() => seen.opened === 3, "a third");
    server.send("good");
    await until(() => seen.messages.length === 1, "a message");
    expect(seen.messages).toEqual(["good"]);
    expect(seen.closed).toEqual(["a message was too long", "a message could not be handled"]);
  });

  test("that lasted and was good starts its waits over", async () => {
    const server = serve();
    let elapsed = 0;
    const { seen, waits, socket } = open(async () => server.url, {
      clock: {
        ...systemClock,
        monotonicMilliseconds: () => systemClock.monotonicMilliseconds() + elapsed,
        sleep: (milliseconds, signal) => {
          if (milliseconds > 1000) waits.push(milliseconds);
          return systemClock.sleep(Math.min(1, milliseconds), signal);
        },
      },
    });
    for (let attempt = 1; attempt <= 4; attempt++) {
      await until(() => seen.opened === attempt && server.sockets.size === 1, "a connection");
      server.hangUp();
      await until(() => seen.closed.length === attempt, "its end");
    }
    expect(socket.failuresInARow).toBe(4);
    await until(() => seen.opened === 5 && server.sockets.size === 1, "a connection");
    server.send("data");
    await until(() => seen.messages.length === 1, "a message");
    elapsed += 20_000;
    server.hangUp();
    await until(() => seen.closed.length === 5, "its end");
    expect(socket.failuresInARow).toBe(1);
    expect(waits.at(-1)).toBeLessThanOrEqual(4_000);
  });

  test("is opened anew when its protocol asks for it", async () => {
    const server = serve();
    const { socket, seen } = open(async () => server.url);
    await until(() => seen.opened === 1, "the connection");
    socket.reconnect("the list changed");
    await until(() => seen.opened === 2, "another");
    expect(seen.closed).toEqual(["the list changed"]);
  });

  test("stopped twice, or before it is open, is stopped", async () => {
    const server = serve();
    const { socket, seen } = open(async () => server.url);
    await socket.stop();
    await socket.stop();
    expect(seen.opened).toBe(0);
    expect(socket.send("x")).toBe(false);
  });
});
