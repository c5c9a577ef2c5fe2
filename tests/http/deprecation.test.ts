// A route on its way out says so in every answer, in the document and in the log, and a declaration that makes no sense stops the start. No
// route of the server itself is deprecated; these are the test's own.

import { describe, expect, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Type } from "@sinclair/typebox";
import { type DocumentDecoration, Elysia } from "elysia";
import { ManualClock } from "../../src/foundation/clock";
import { BsoptError } from "../../src/foundation/errors";
import { createDeprecationLog, type DeprecationDetail } from "../../src/http/deprecation";
import { answerOf, requestFor, testServer } from "../harness/http";
import { recordingLog } from "../harness/storage";

const Read = Type.Object({ id: Type.String() }, { additionalProperties: false, $id: "Read" });
const params = Type.Object({ id: Type.String({ maxLength: 20 }) }, { additionalProperties: false });
const going = { since: "2026-07-01", sunset: "2027-03-31", successor: "/api/v2/things/:id" };

function feature(deprecation: DeprecationDetail, more: Partial<DocumentDecoration> = {}) {
  const detail = (operationId: string): DocumentDecoration => ({
    permission: "pricing:read",
    operationId,
    summary: "Reads a thing",
    tags: ["Probe"],
  });
  return new Elysia()
    .get("/api/v1/things/:id", ({ params: { id } }) => ({ id }), {
      params,
      response: { 200: Read },
      detail: { ...detail("readThing"), deprecation, ...more },
    })
    .get("/api/v2/things/:id", ({ params: { id } }) => ({ id }), {
      params,
      response: { 200: Read },
      detail: detail("readThingAnew"),
    })
    .get("/api/v2/other/:name", () => ({ id: "" }), {
      params: Type.Object({ name: Type.String({ maxLength: 20 }) }, { additionalProperties: false }),
      response: { 200: Read },
      detail: detail("readOther"),
    });
}

describe("S2.47 a deprecated route", () => {
  test("says since when, until when and what takes its place in every answer, refusals included; others say nothing", async () => {
    const server = testServer({ features: [feature(going)], config: { corsOrigins: ["https://a.example"] } });
    for (const [options, status] of [
      [{ key: "admin" }, 200],
      [{}, 401],
    ] as const) {
      const answer = await server.call("GET", "/api/v1/things/a%2Fb", options);
      expect(answer.status).toBe(status);
      // 2026-07-01T00:00:00Z by GNU date: 1782864000.
      expect(answer.headers.get("deprecation")).toBe("@1782864000");
      expect(answer.headers.get("sunset")).toBe("Wed, 31 Mar 2027 00:00:00 GMT");
      expect(answer.headers.get("link")).toBe('</api/v2/things/a%2Fb>; rel="successor-version"');
    }
    const stays = await server.call("GET", "/api/v2/things/a", { key: "admin" });
    expect([stays.status, ...["deprecation", "sunset", "link"].map((name) => stays.headers.get(name))]).toEqual([
      200,
      null,
      null,
      null,
    ]);
    const request = requestFor("GET", "/api/v1/things/a", { key: "admin", headers: { origin: "https://a.example" } });
    const exposed = (await answerOf(await server.server.handle(request))).headers.get("access-control-expose-headers");
    expect(exposed).toContain("Deprecation, Sunset, Link");
    await server.close();
  });

  test("is marked in the document, which stays valid; no other is", async () => {
    const server = testServer({ features: [feature(going)] });
    const { json } = await server.call("GET", "/openapi.json");
    const operation = json.paths["/api/v1/things/{id}"].get;
    expect(operation.deprecated).toBe(true);
    expect(operation.description).toContain("Use /api/v2/things/:id instead.");
    expect(Object.keys(operation.responses["200"].headers)).toEqual(
      expect.arrayContaining(["Deprecation", "Sunset", "Link"]),
    );
    expect("deprecated" in json.paths["/api/v2/things/{id}"].get).toBe(false);
    const found = await new Validator().validate(structuredClone(json));
    expect([found.valid, found.errors]).toEqual([true, undefined]);
    await server.close();
  });

  test("is told in the log once an hour and user, with the number of uses after the first", async () => {
    const log = recordingLog();
    const clock = new ManualClock();
    const tell = createDeprecationLog({ log, clock });
    const server = testServer({ features: [feature(going)], onAnswered: tell });
    const ask = (path: string, key?: string) => server.call("GET", path, key === undefined ? {} : { key });
    await ask("/api/v2/things/a", "admin");
    expect(log.lines).toEqual([]);
    for (let index = 0; index < 3; index++) await ask(`/api/v1/things/${index}`, "admin");
    await ask("/api/v1/things/a", "viewer");
    const users = log.lines.map(({ fields }) => (fields as { user_id: string }).user_id);
    expect([new Set(users).size, users.length, log.lines[0]!.level]).toEqual([2, 2, "warn"]);
    expect(log.lines[0]!.fields).toMatchObject({
      method: "GET",
      route: "/api/v1/things/:id",
      sunset: "Wed, 31 Mar 2027 00:00:00 GMT",
    });
    clock.advance(3_600_000);
    await ask("/api/v1/things/a", "admin");
    expect(log.lines.slice(2).map(({ message, fields }) => [message, (fields as { count?: number }).count])).toEqual([
      ["a deprecated route was used on", 2],
      ["a deprecated route was used", undefined],
    ]);
    await server.close();
  });

  test.each([
    ["an end before its beginning", { ...going, sunset: "2026-06-30" }, "before it is deprecated"],
    ["a day that does not exist", { ...going, since: "2026-02-30" }, "days that exist"],
    ["a moment for a day", { ...going, sunset: "2027-03-31T00:00:00Z" }, "days that exist"],
    ["a successor that nobody serves", { ...going, successor: "/api/v3/things/:id" }, "no route that stays"],
    ["itself as successor", { ...going, successor: "/api/v1/things/:id" }, "no route that stays"],
    ["a successor with parameters that it lacks", { ...going, successor: "/api/v2/other/:name" }, "needs :name"],
  ])("with %s stops the start, naming it", (_name, deprecation, words) => {
    let refused: unknown;
    try {
      testServer({ features: [feature(deprecation)] });
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(BsoptError);
    const { code, detail } = refused as BsoptError;
    expect([code, detail]).toEqual(["ROUTE_INCOMPLETE", expect.stringContaining(words)]);
    expect(detail).toContain("/api/v1/things/:id");
  });

  test("may end on the very day it is deprecated", () => {
    expect(() => testServer({ features: [feature({ ...going, sunset: going.since })] })).not.toThrow();
  });
});
