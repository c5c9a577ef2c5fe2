// Events in NATS, from the whole application to a real nats-server with JetStream: what arrives, that it arrives once, and that nothing is
// lost while the server is killed, frozen or not there at all.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { createEventStream, parseNatsUrl, streamName } from "../../src/adapters/nats/event-stream";
import { eventsWaitingMax, openEvents } from "../../src/app/events";
import { loadConfig } from "../../src/config/config";
import { systemClock } from "../../src/foundation/clock";
import { seededRandom } from "../../src/foundation/random";
import { startApp } from "../harness/app";
import { hasNats, NatsServer, natsUser } from "../harness/nats";
import { recordingLog, temporaryFolder, until } from "../harness/storage";

const withNats = test.skipIf(!hasNats);
let folder: string;
let nats: NatsServer;
beforeEach(async () => {
  folder = temporaryFolder();
  if (hasNats) nats = await NatsServer.start(folder);
});
afterEach(() => nats?.kill());

const linkOf = (): Promise<NatsConnection> =>
  connect({ servers: `127.0.0.1:${nats.port}`, user: natsUser.name, pass: natsUser.password });

interface Event {
  readonly subject: string;
  readonly messageId: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read fields of events they then assert on
  readonly body: any;
}

/** Everything in the stream, in its order. */
async function eventsIn(stream = "BSOPT_EVENTS"): Promise<Event[]> {
  const link = await linkOf();
  try {
    const manager = await jetstreamManager(link);
    const { messages } = (await manager.streams.info(stream)).state;
    const events: Event[] = [];
    for (let seq = 1; events.length < messages; seq++) {
      const message = await manager.streams.getMessage(stream, { seq });
      if (message === null) continue;
      const messageId = message.header.get("Nats-Msg-Id");
      events.push({ subject: message.subject, messageId, body: message.json() });
    }
    return events;
  } catch {
    return [];
  } finally {
    await link.close();
  }
}
const settings = (more: Record<string, string> = {}) => ({ BSOPT_NATS_URL: nats.url(), ...more });
type Started = Awaited<ReturnType<typeof startApp>>;
const makeKey = async (app: Started, name: string) => {
  const answer = await fetch(`${app.url}/api/v1/api-keys`, {
    method: "POST",
    headers: { "x-api-key": app.key, "content-type": "application/json" },
    body: JSON.stringify({ name, scopes: ["pricing:read"] }),
  });
  expect(answer.status).toBe(201);
};
const natsCheck = async (app: Started) => {
  const answer = await fetch(`${app.url}/readiness`);
  const { checks } = (await answer.json()) as { checks: { component: string; status: string }[] };
  return [answer.status, checks.find(({ component }) => component === "nats")?.status];
};
const metric = async (app: Started, name: string) =>
  Number(new RegExp(`^${name} (\\S+)$`, "m").exec(await (await fetch(`${app.url}/metrics`)).text())?.[1]);
const isThere = (app: Started) => until("NATS is reached", async () => (await natsCheck(app))[1] === "ok");

describe("S5.01 events", () => {
  withNats(
    "are each act in the audit log, under its subject, without what names a person, once and in the log's numbering",
    async () => {
      const log = recordingLog();
      const app = await startApp(folder, settings(), log);
      try {
        await makeKey(app, "one");
        await until("all arrived", async () => (await eventsIn()).length >= 4);
        const events = await eventsIn();
        expect(events.map(({ subject }) => subject).sort()).toEqual([
          "bsopt.events.admin.user.created",
          "bsopt.events.apikey.created",
          "bsopt.events.apikey.created",
          "bsopt.events.auth.signing_key.rotated",
        ]);
        expect(events.map(({ body }) => body.sequence).sort()).toEqual([1, 2, 3, 4]);
        for (const { messageId, body } of events) {
          expect(body.id).toBe(messageId);
          expect(Object.keys(body).sort()).toEqual(
            ["action", "details", "id", "resource", "sequence", "status", "time", "type", "user_id"].sort(),
          );
        }
        expect(await natsCheck(app)).toEqual([200, "ok"]);
        expect(JSON.stringify(log.lines)).not.toContain("canary");
      } finally {
        await app.stop();
      }
    },
    20_000,
  );

  withNats(
    "wait while the server is killed, and arrive once it is back, what was there still being there",
    async () => {
      const app = await startApp(folder, settings());
      try {
        await isThere(app);
        await nats.kill();
        await makeKey(app, "while it is away");
        await until("it is missed", async () => (await natsCheck(app))[1] !== "ok");
        expect((await natsCheck(app))[0]).toBe(200);
        await makeKey(app, "and another");
        await until("they wait", async () => (await metric(app, "bsopt_events_waiting")) >= 2);
        expect(await metric(app, "bsopt_outbox_messages_pending")).toBe(0);
        await nats.start();
        await until("all arrived", async () => (await eventsIn()).length >= 5);
        expect((await eventsIn()).map(({ body }) => body.sequence).sort()).toEqual([1, 2, 3, 4, 5]);
        await until("none waits", async () => (await metric(app, "bsopt_events_waiting")) === 0);
        await isThere(app);
      } finally {
        await app.stop();
      }
    },
    40_000,
  );

  withNats(
    "are published once though the server was frozen in the middle and heard them after all",
    async () => {
      const app = await startApp(folder, settings());
      try {
        await isThere(app);
        nats.freeze();
        for (const name of ["a", "b", "c"]) await makeKey(app, name);
        await until("it is missed", async () => (await natsCheck(app))[1] !== "ok");
        nats.thaw();
        await until("all arrived", async () => (await eventsIn()).length >= 6, 40_000);
        await until("none waits", async () => (await metric(app, "bsopt_events_waiting")) === 0, 40_000);
        expect((await eventsIn()).map(({ body }) => body.sequence).sort()).toEqual([1, 2, 3, 4, 5, 6]);
      } finally {
        await app.stop();
      }
    },
    90_000,
  );

  withNats(
    "outlive the process: what waited is sent by the next one, also what a start without NATS had kept",
    async () => {
      await nats.kill();
      const first = await startApp(folder, settings());
      await makeKey(first, "kept");
      await first.stop();
      await nats.start();
      const second = await startApp(folder, settings({ BSOPT_NATS_SUBJECT: "desk.audit" }));
      try {
        await until("all arrived", async () => (await eventsIn("DESK_AUDIT")).length === 4);
        expect((await eventsIn("DESK_AUDIT"))[0]!.subject).toStartWith("desk.audit.");
      } finally {
        await second.stop();
      }
    },
    40_000,
  );

  withNats(
    "go to a stream that is there already; to one that does not take them they do not go",
    async () => {
      const link = await linkOf();
      const manager = await jetstreamManager(link);
      await manager.streams.add({ name: "BSOPT_EVENTS", subjects: ["something.else"] });
      await link.close();
      const log = recordingLog();
      const stream = createEventStream({ url: nats.url(), subject: "bsopt.events", clock: systemClock, log });
      stream.agent.start();
      await until("it is told", () => log.lines.some(({ message }) => message.includes("out of reach")));
      expect(JSON.stringify(log.lines)).toContain("does not take bsopt.events.>");
      expect(stream.isReachable).toBe(false);
      expect(await stream.ping().catch((error) => error.code)).toBe("NATS_UNREACHABLE");
      const again = await linkOf();
      await (await jetstreamManager(again)).streams.update("BSOPT_EVENTS", {
        subjects: ["something.else", "bsopt.events.>"],
      });
      await until("it is reached", () => stream.isReachable);
      await stream.publish({ id: "same", name: "x", body: "{}" });
      await stream.publish({ id: "same", name: "x", body: "{}" });
      expect(
        (
          await jetstream(again)
            .streams.get("BSOPT_EVENTS")
            .then((found) => found.info())
        ).state.messages,
      ).toBe(1);
      await again.close();
      await stream.agent.stop();
      await stream.close();
    },
    20_000,
  );

  test("past a number that wait are dropped and counted, and what they tell of is done all the same", async () => {
    const config = loadConfig({ flags: {}, environment: { BSOPT_NATS_URL: "nats://127.0.0.1:1" }, file: null });
    const log = recordingLog();
    const parts = { config, clock: systemClock, random: seededRandom(1n), log };
    const events = openEvents({ ...parts, waitingCount: () => eventsWaitingMax })!;
    const event = { eventType: "user.updated", userId: null, resource: null, action: "a", status: "success" } as const;
    await events.onAppended(null as never, { id: 1, at: 1n, event, details: "{}" });
    expect(events.droppedCount).toBe(1);
    expect(log.lines.some(({ message }) => message.includes("dropped"))).toBe(true);
    expect(
      openEvents({ ...parts, config: loadConfig({ flags: {}, environment: {}, file: null }), waitingCount: () => 0 }),
    ).toBeNull();
  });

  test.each([
    ["nats://host:4222", { servers: "host:4222", isTls: false, credentials: null }],
    ["tls://a%40b:p%3A@[::1]:1/", { servers: "[::1]:1", isTls: true, credentials: { user: "a@b", pass: "p:" } }],
    ["nats://token@host", { servers: "host", isTls: false, credentials: { token: "token" } }],
    ["nats://%zz@host", null],
    ["http://host", null],
    ["nats://", null],
  ] as const)("%p is read as what it says", (text, expected) => expect(parseNatsUrl(text)).toEqual(expected));

  test("a stream is named by its subject", () => expect(streamName("desk-1.audit")).toBe("DESK_1_AUDIT"));
});
