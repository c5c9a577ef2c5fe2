// The WebSocket's document: served to everybody, the same as is committed, valid for a judge from outside, and true of the protocol.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Ajv from "ajv";
import addFormats from "ajv-formats";
import { asyncApiPath, streamText } from "../../build/openapi";
import { clientMessages, closeCodes, fits, serverMessages } from "../../src/http/socket-protocol";
import { testServer } from "../harness/http";

const folder = mkdtempSync(join(tmpdir(), "bsopt-asyncapi-"));
const server = testServer({ features: [] });
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const text = streamText();
const document = JSON.parse(text);

async function lint(document: string): Promise<number> {
  writeFileSync(join(folder, "redocly.yaml"), "extends:\n  - spec\n");
  writeFileSync(join(folder, "asyncapi.json"), document);
  const cli = join(import.meta.dir, "../../node_modules/@redocly/cli/bin/cli.js");
  const child = Bun.spawn([process.execPath, cli, "lint", "--config", "redocly.yaml", "asyncapi.json"], {
    cwd: folder,
    env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
    stdout: "pipe",
    stderr: "pipe",
  });
  return child.exited;
}

describe("asyncapi.json", () => {
  test("is what is committed", () => {
    expect(readFileSync(asyncApiPath, "utf8")).toBe(text);
  });

  test("is served to everybody", async () => {
    const answer = await server.call("GET", "/asyncapi.json");
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(answer.json.channels.stream.address).toBe("/api/v1/ws");
  });

  test("is valid for @redocly/cli, which refuses a broken one", async () => {
    expect(await lint(text)).toBe(0);
    const broken = structuredClone(document);
    broken.operations.subscribe.action = "listen";
    expect(await lint(JSON.stringify(broken))).not.toBe(0);
  }, 60_000);

  test("names every op, every answer and every close code", () => {
    expect(Object.keys(document.components.messages).sort()).toEqual(
      [...clientMessages.map(({ op }) => op), ...serverMessages.map(({ name }) => name)].sort(),
    );
    for (const { code } of Object.values(closeCodes)) expect(document.info.description).toContain(`- ${code}: `);
  });

  test("has examples that fit their schemas, by the document itself and by what checks messages", () => {
    const ajv = new Ajv({ strict: false });
    addFormats(ajv);
    for (const { payload, examples } of Object.values(document.components.messages) as {
      payload: object;
      examples: { payload: unknown }[];
    }[]) {
      expect(ajv.validate(payload, examples[0]!.payload)).toBe(true);
    }
    for (const { schema, example } of clientMessages) expect(fits(schema, example)).toBe(true);
  });

  test("names no other host", () => {
    expect(text.match(/https?:\/\/[^"\\ ]+/g) ?? []).toEqual([]);
  });
});
