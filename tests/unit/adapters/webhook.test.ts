// What is posted to a receiver, over a real socket, and what each of its answers comes to.

import { afterAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { createWebhook } from "../../../src/adapters/webhook";
import { ManualClock } from "../../../src/foundation/clock";

const secret = "a-secret-of-more-than-32-characters";
const taken: { path: string; headers: Headers; text: string }[] = [];
const receiver = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    const { pathname } = new URL(request.url);
    taken.push({ path: pathname, headers: request.headers, text: await request.text() });
    if (pathname === "/silent") await Bun.sleep(60_000);
    const status = Number(pathname.slice(1));
    return new Response(status === 204 ? null : "words", { status, headers: { location: "/204" } });
  },
});
afterAll(() => receiver.stop(true));

const post = (path: string, signal = new AbortController().signal) =>
  createWebhook({ url: `${receiver.url.origin}${path}`, secret, clock: new ManualClock() }).post({
    ...{ id: "an-id", body: '{"a":"ü"}', signal },
  });

describe("S4.63 a webhook", () => {
  test("posts JSON under its id, signed over the moment and the bytes of the body", async () => {
    await post("/204");
    const { headers, text } = taken.at(-1)!;
    expect([text, headers.get("content-type"), headers.get("bsopt-delivery")]).toEqual([
      '{"a":"ü"}',
      "application/json",
      "an-id",
    ]);
    const bytes = Buffer.concat([Buffer.from("1750000000."), Buffer.from('{"a":"ü"}')]);
    const signature = createHmac("sha256", secret).update(bytes).digest("hex");
    expect(headers.get("bsopt-signature")).toBe(`t=1750000000,v1=${signature}`);
  });

  test.each([
    ["200", "/200", null, null],
    ["202", "/202", null, null],
    ["500", "/500", "unavailable", "WEBHOOK_REFUSED"],
    ["404", "/404", "unavailable", "WEBHOOK_REFUSED"],
    ["410, for good", "/410", "invalid", "WEBHOOK_REFUSED"],
    ["a redirect, which is not followed", "/302", "unavailable", "WEBHOOK_REFUSED"],
  ])("answered with %s", async (_name, path, reason, code) => {
    const before = taken.length;
    const outcome = await post(path).then(
      () => null,
      (error) => error,
    );
    expect([outcome?.reason ?? null, outcome?.code ?? null]).toEqual([reason, code]);
    // An address may hold a secret of its own.
    if (outcome) expect(outcome.detail).not.toContain(receiver.url.host);
    expect(taken.length).toBe(before + 1);
  });

  test("ends when it is told to, and where nobody listens: both may be tried again", async () => {
    const stop = new AbortController();
    const posted = post("/silent", stop.signal);
    setTimeout(() => stop.abort(), 20);
    await expect(posted).rejects.toMatchObject({ reason: "unavailable", code: "WEBHOOK_AWAY" });
    const gone = createWebhook({ url: "http://127.0.0.1:1/", secret, clock: new ManualClock() });
    await expect(gone.post({ id: "x", body: "{}", signal: stop.signal })).rejects.toMatchObject({
      code: "WEBHOOK_AWAY",
    });
  });
});
