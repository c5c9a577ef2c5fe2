// A real nats-server with JetStream of a test's own: on a free port, its files in a temporary folder, ended with the test. Where the
// program is not installed the tests that need it say so and are left out.

import { createServer } from "node:net";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { until } from "./storage";

const path = Bun.which("nats-server");

/** Whether tests can have one; prints why not. */
export const hasNats = path !== null;
if (!hasNats) process.stderr.write("left out: tests with NATS need nats-server on the PATH\n");

/** Those that run: a test that fails half-way must not leave one behind. */
const running = new Set<Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** User and password that the server asks for. */
export const natsUser = { name: "desk", password: "canary%pass" };

export class NatsServer {
  readonly port: number;
  readonly folder: string;
  #process: Subprocess | null = null;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.folder = folder;
  }

  /** Starts one over a folder of its own and resolves when it takes connections. */
  static async start(folder: string): Promise<NatsServer> {
    const server = new NatsServer(await freePort(), folder);
    await server.start();
    return server;
  }

  url(): string {
    return `nats://${natsUser.name}:${encodeURIComponent(natsUser.password)}@127.0.0.1:${this.port}`;
  }

  /** Again on the same port and folder, after `kill`. */
  async start(): Promise<void> {
    const child = Bun.spawn(
      [
        path!,
        ...["-a", "127.0.0.1", "-p", String(this.port), "-js", "-sd", join(this.folder, "jetstream")],
        ...["--user", natsUser.name, "--pass", natsUser.password],
      ],
      { stdio: ["ignore", "ignore", "ignore"] },
    );
    this.#process = child;
    running.add(child);
    await until("nats-server takes connections", async () => {
      try {
        const socket = await Bun.connect({ hostname: "127.0.0.1", port: this.port, socket: { data() {} } });
        socket.end();
        return true;
      } catch {
        await Bun.sleep(10);
        return false;
      }
    });
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
