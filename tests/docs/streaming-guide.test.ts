// Runs the guide to streams against a whole server: its commands, its bot, and its words about codes.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import type { App } from "../../src/app";
import { closeCodes } from "../../src/http/socket-protocol";
import { startApp } from "../harness/app";
import { temporaryFolder } from "../harness/storage";

const text = readFileSync(join(root, "docs/guides/streaming.md"), "utf8");
const blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map((match) => ({
  language: match[1]!,
  text: match[2]!,
}));
const block = (language: string, index = 0) => blocks.filter((each) => each.language === language)[index]!.text;

let app: App & { readonly key: string };
// Before the folder goes.
afterAll(() => app.stop());
const folder = temporaryFolder();
beforeAll(async () => {
  app = await startApp(folder);
});

async function linesOf(stream: ReadableStream<Uint8Array>, count: number): Promise<string[]> {
  let seen = "";
  for await (const chunk of stream) {
    seen += new TextDecoder().decode(chunk);
    if (seen.split("\n").length > count) break;
  }
  return seen.split("\n").slice(0, count);
}

test("S1.08 the command prints frames of the shape that stands below it", async () => {
  const argv = block("sh").trim().split(" ").slice(1);
  const port = new URL(app.url).port;
  const more = ["--port", port, "--data-dir", join(folder, "data")];
  const child = Bun.spawn([process.execPath, join(root, "src/main.ts"), ...argv, ...more], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const out = await new Response(child.stdout).text();
  expect([await child.exited, await new Response(child.stderr).text()]).toEqual([0, ""]);
  const shapeOf = (lines: string) =>
    lines
      .trim()
      .replace(/\d{10}/g, "N")
      .replace(/\d{4}-[^"]*Z/g, "T")
      .split("\n");
  expect(shapeOf(out)).toEqual(shapeOf(block("json")));
});

test("S1.08 a plain request is told what the guide says", async () => {
  const command = block("sh", 1).replaceAll("http://127.0.0.1:8080", app.url).replaceAll("$KEY", app.key);
  const child = Bun.spawn(["sh", "-c", command], { stdout: "pipe" });
  expect(await new Response(child.stdout).text()).toBe(block("text"));
});

test("S1.08 the bot follows the stream, frame by frame", async () => {
  const path = join(folder, "bot.ts");
  writeFileSync(path, block("ts"));
  const child = Bun.spawn([process.execPath, path], {
    env: { ...process.env, BSOPT_URL: `${app.url.replace("http", "ws")}/api/v1/ws`, BSOPT_KEY: app.key },
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = (await linesOf(child.stdout, 3)).map((line) => line.split(" "));
  child.kill();
  expect(lines.map(([channel, , type]) => [channel, type])).toEqual([
    ["test", "snapshot"],
    ["test", "event"],
    ["test", "event"],
  ]);
  const [first, second, third] = lines.map(([, seq]) => Number(seq));
  expect([second, third]).toEqual([first! + 1, first! + 2]);
});

test("every code that the server closes with stands in the guide", () => {
  for (const { code } of Object.values(closeCodes)) expect(text).toMatch(new RegExp(`^\\| ${code} +\\|`, "m"));
});

test("a channel that is not there, and a server that is not, end the command in words", async () => {
  const run = async (...argv: string[]) => {
    const child = Bun.spawn(
      [process.execPath, join(root, "src/main.ts"), "watch", ...argv, "--data-dir", join(folder, "data")],
      {
        stdout: "ignore",
        stderr: "pipe",
      },
    );
    return [await child.exited, await new Response(child.stderr).text()] as const;
  };
  const [port] = [new URL(app.url).port];
  const [refused, why] = await run("nothing", "--port", port);
  expect(refused).toBe(1);
  expect(why).toContain("is of no family there is");
  const [ended, what] = await run("test", "--url", "http://127.0.0.1:1");
  expect(ended).toBe(1);
  expect(what).toContain("the connection to ws://127.0.0.1:1/api/v1/ws ended");
  expect((await run("test", "--count", "0"))[0]).toBe(2);
});
