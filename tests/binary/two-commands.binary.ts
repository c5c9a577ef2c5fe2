// The README as a newcomer would follow it: the tracked files in a new folder, no Bun on the PATH, the two commands,
// and the first screen's request with the answer printed there.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Subprocess } from "bun";
import { root } from "../../build/fingerprint.mjs";
import { type Loose, readJson } from "../harness/executable";

const readme = readFileSync(join(root, "README.md"), "utf8");
const blocks = [...readme.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, text]) => ({
  language,
  text: text!,
}));

/** A folder with programs a machine that has only Node would have: no bun anywhere on this PATH. */
function pathWithoutBun(folder: string): string {
  mkdirSync(folder);
  for (const name of ["node", "npm", "sh", "git", "env", "uname", "ldd"]) {
    const found = Bun.which(name);
    if (found) symlinkSync(found, join(folder, name));
  }
  return folder;
}

describe.skipIf(!Bun.which("npm") || !existsSync(join(root, ".git")))("README in a fresh clone", () => {
  const top = mkdtempSync(join(tmpdir(), "bsopt-clone-"));
  const clone = join(top, "bsopt");
  const environment: Record<string, string> = { HOME: process.env.HOME ?? top, BSOPT_PORT: "0" };
  let server: Subprocess<"ignore", "ignore", "pipe"> | undefined;
  let url = "";

  beforeAll(() => {
    const listed = Bun.spawnSync(["git", "ls-files", "-z"], { cwd: root }).stdout.toString().split("\0");
    for (const path of listed.filter((name) => name !== "" && existsSync(join(root, name)))) {
      mkdirSync(dirname(join(clone, path)), { recursive: true });
      copyFileSync(join(root, path), join(clone, path));
    }
    environment.PATH = pathWithoutBun(join(top, "bin"));
  });
  afterAll(() => {
    server?.kill("SIGKILL");
    rmSync(top, { recursive: true, force: true });
  });

  /** Runs `npm start` until it says where it listens; tells how long that took, in milliseconds. */
  async function start(): Promise<number> {
    const begun = performance.now();
    const child = Bun.spawn(["npm", "start"], {
      cwd: clone,
      env: environment,
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    server = child;
    let said = "";
    for await (const chunk of child.stderr) {
      said += Buffer.from(chunk).toString();
      const match = /listens on (http:\/\/\S+)/.exec(said);
      if (match) {
        url = match[1]!;
        return performance.now() - begun;
      }
    }
    throw new Error(`npm start ended: ${said}`);
  }

  test("npm start fetches, installs, builds and serves; the README's request has the README's answer", async () => {
    await start();
    const request = blocks.find(({ text }) => text.includes("/api/v1/pricing/price"))!.text;
    const body = /-d '([^']+)'/.exec(request)![1]!;
    const key = readFileSync(join(clone, "bsopt-data", "admin-api-key"), "utf8").trim();
    const answer = await readJson(
      fetch(`${url}/api/v1/pricing/price`, {
        method: "POST",
        body,
        headers: { "x-api-key": key, "content-type": "application/json" },
      }),
    );
    const promised: Loose = JSON.parse(blocks.find(({ language }) => language === "json")!.text);
    // The kernel's hash changes with every change of the kernel; the numbers must not.
    expect({ ...answer, engine: null }).toEqual({ ...promised, engine: null });
  }, 300_000);

  test("a signal to npm start reaches the server, which stops in order", async () => {
    server!.kill("SIGTERM");
    await server!.exited;
    // npm itself leaves at once; the server answers while it drains.
    const deadline = performance.now() + 10_000;
    const answers = () =>
      fetch(`${url}/health`).then(
        () => true,
        () => false,
      );
    while ((await answers()) && performance.now() < deadline);
    expect(await answers()).toBe(false);
  });

  test("a second npm start with nothing changed builds nothing", async () => {
    const milliseconds = await start();
    process.stderr.write(`second npm start: serving after ${milliseconds.toFixed(0)} ms\n`);
    server!.kill("SIGTERM");
    await server!.exited;
  });
});
