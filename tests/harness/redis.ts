// A real redis-server of a test's own: on a free port, without files, ended with the test. Where the program is not
// installed the tests that need it say so and are left out.

import { createServer } from "node:net";
import type { Subprocess } from "bun";

const path = Bun.which("redis-server");

/** Whether tests can have one; prints why not. */
export const hasRedis = path !== null;
if (!hasRedis) process.stderr.write("left out: tests with Redis need redis-server on the PATH\n");

/** Those that run: a test that fails half-way must not leave one behind. */
const running = new Set<Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class RedisServer {
  readonly port: number;
  #process: Subprocess | null = null;

  private constructor(port: number) {
    this.port = port;
  }

  /** Starts one and resolves when it answers. */
  static async start(): Promise<RedisServer> {
    const server = new RedisServer(await freePort());
    await server.start();
    return server;
  }

  url(database = 0): string {
    return `redis://127.0.0.1:${this.port}/${database}`;
  }

  /** Again on the same port, empty, after `kill`. */
  async start(): Promise<void> {
    const child = Bun.spawn(
      [path!, "--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
      { stdin: "ignore", stdout: "pipe", stderr: "ignore" },
    );
    this.#process = child;
    running.add(child);
    const decoder = new TextDecoder();
    let said = "";
    const reader = child.stdout.getReader();
    while (!said.includes("Ready to accept connections")) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`redis-server ended: ${said}`);
      said += decoder.decode(value, { stream: true });
    }
    void (async () => {
      while (!(await reader.read()).done);
    })();
  }

  /** It goes on holding its connections and says nothing. */
  freeze(): void {
    process.kill(this.#process!.pid, "SIGSTOP");
  }

  thaw(): void {
    process.kill(this.#process!.pid, "SIGCONT");
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    child?.kill("SIGKILL");
    await child?.exited;
    if (child) running.delete(child);
  }
}

function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const probe = createServer();
  probe.once("error", reject);
  probe.listen(0, "127.0.0.1", () => {
    const address = probe.address();
    probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
  });
  return promise;
}
