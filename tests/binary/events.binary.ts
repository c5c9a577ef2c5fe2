// That the executable itself speaks with NATS: its client is loaded only where it is wanted, which a build could leave out.

import { afterAll, describe, expect, test } from "bun:test";
import { connect } from "@nats-io/transport-node";
import { Installation, type Loose, readJson } from "../harness/executable";
import { hasNats, NatsServer, natsUser } from "../harness/nats";
import { until } from "../harness/storage";

const installation = new Installation();
afterAll(() => installation.remove());

describe.if(hasNats)("S5.01 the executable and NATS", () => {
  test("an act is told to whoever listens, and the address stands nowhere in the log", async () => {
    const nats = await NatsServer.start(installation.path("nats"));
    const link = await connect({ servers: `127.0.0.1:${nats.port}`, user: natsUser.name, pass: natsUser.password });
    const heard: string[] = [];
    link.subscribe("bsopt.events.>", { callback: (_, message) => void heard.push(message.subject) });
    await link.flush();
    const serving = await installation.serve({ environment: { BSOPT_NATS_URL: nats.url() } });
    await until("the first key was told of", () => heard.includes("bsopt.events.apikey.created"));
    const { checks } = await readJson(fetch(`${serving.url}/readiness`));
    expect(checks.find(({ component }: Loose) => component === "nats")).toMatchObject({ status: "ok" });
    expect(serving.said()).not.toContain("canary");
    expect(await serving.stop()).toBe(0);
    await link.close();
    await nats.kill();
  }, 30_000);
});
