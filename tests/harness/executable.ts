// Starts the built executable as its user would: alone in an empty folder, with an empty environment and no
// node_modules anywhere above it. Every process started here is ended by `stop`, `kill` or the test runner's exit.

import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { executablePath } from "../../build/fingerprint.mjs";

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder of its own with nothing but the executable in it. */
export class Installation {
  readonly folder: string;
  readonly executable: string;
  readonly #running = new Set<Subprocess>();

  constructor() {
    if (!existsSync(executablePath)) throw new Error("dist/bsopt is missing: npm run build");
    this.folder = mkdtempSync(join(tmpdir(), "bsopt-binary-"));
    this.executable = join(this.folder, "bsopt");
    copyFileSync(executablePath, this.executable);
    chmodSync(this.executable, 0o555);
    mkdirSync(this.path("tmp"));
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  environment(extra: Record<string, string> = {}): Record<string, string> {
    // What tests do in a second, nobody does in a minute; those about limits switch them on.
    return { TMPDIR: this.path("tmp"), BSOPT_RATE_LIMITS: "off", ...extra };
  }

  /** Runs a command to its end, giving it standard input, and collects what it printed. */
  async run(
    args: readonly string[],
    options: { stdin?: string | Uint8Array; environment?: Record<string, string>; within?: readonly string[] } = {},
  ): Promise<Finished> {
    const child = Bun.spawn([...(options.within ?? []), this.executable, ...args], {
      cwd: this.folder,
      env: this.environment(options.environment),
      stdin: options.stdin === undefined ? "ignore" : Buffer.from(options.stdin),
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#running.add(child);
    const [stdout, stderr, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    this.#running.delete(child);
    return { code, stdout, stderr };
  }

  /**
   * Starts `serve` on a free port and resolves when it has said where it listens. `within` is a program, with its arguments, that
   * becomes the executable in the end (prlimit, setpriv, unshare): its process id is the server's.
   */
  async serve(options: ServeOptions = {}): Promise<Serving> {
    const { args = [], within = [] } = options;
    const child = Bun.spawn([...within, this.executable, "serve", "--port", "0", ...args], {
      cwd: this.folder,
      env: this.environment(options.environment),
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    this.#running.add(child);
    let said = "";
    const reader = child.stderr.getReader();
    const decoder = new TextDecoder();
    let url: string | undefined;
    while (url === undefined) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`serve ended with ${await child.exited}: ${said}`);
      said += decoder.decode(value, { stream: true });
      url = /listens on (http:\/\/\S+)/.exec(said)?.[1];
    }
    void (async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        said += decoder.decode(value, { stream: true });
      }
    })();
    return {
      url,
      pid: child.pid,
      exited: child.exited,
      key: () => readFileSync(this.path("bsopt-data", "admin-api-key"), "utf8").trim(),
      said: () => said,
      stop: async () => {
        child.kill("SIGTERM");
        const code = await child.exited;
        this.#running.delete(child);
        return code;
      },
      kill: async () => {
        child.kill("SIGKILL");
        await child.exited;
        this.#running.delete(child);
      },
    };
  }

  /** Starts `serve` and ends it by SIGKILL so many milliseconds later, however far it has come. */
  async killWhileStarting(milliseconds: number): Promise<void> {
    const child = Bun.spawn([this.executable, "serve", "--port", "0"], {
      cwd: this.folder,
      env: this.environment(),
      stdio: ["ignore", "ignore", "ignore"],
    });
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    child.kill("SIGKILL");
    await child.exited;
  }

  remove(): void {
    for (const child of this.#running) child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface ServeOptions {
  readonly args?: readonly string[];
  readonly environment?: Record<string, string>;
  readonly within?: readonly string[];
}

export interface Serving {
  readonly url: string;
  readonly pid: number;
  /** The exit code, once it has ended by whatever cause; 128 and the signal's number where one ended it. */
  readonly exited: Promise<number>;
  key(): string;
  said(): string;
  /** SIGTERM, and the exit code once it has stopped. */
  stop(): Promise<number>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** Sends raw bytes and resolves with all that came back once the other side closed or `enough` matched. */
export function rawExchange(url: string, text: string, enough: RegExp = /\r\n\r\n/): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let received = "";
    void Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        open: (socket) => void socket.write(text),
        data: (socket, chunk) => {
          received += Buffer.from(chunk).toString("latin1");
          if (enough.test(received)) {
            socket.end();
            resolve(received);
          }
        },
        close: () => resolve(received),
        error: (_, error) => reject(error),
      },
    }).catch(reject);
  });
}

// biome-ignore lint/suspicious/noExplicitAny: answers are judged by what the tests expect of them, not by a type
export type Loose = any;

/** A response's JSON, or what `JSON.parse` makes of a text. */
export async function readJson(from: Response | Promise<Response>): Promise<Loose> {
  return (await from).json();
}
