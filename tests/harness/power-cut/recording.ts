// Runs the executable through a life worth recording, with strace around all of it: first starts, writes by several clients at once, a
// kill, backups beside a server, restores over a database and over another installation's. What comes out is the steps for the
// model of a disk, and between them, in the order they were seen, what clients and operators had been told by then.

import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { executablePath } from "../../../build/fingerprint.mjs";
import type { Random } from "../../../src/foundation/random";
import { until } from "../storage";
import { Disk } from "./disk";
import { readTrace, type Step, tracedCalls } from "./trace";

/** What a client asked for. Creations carry their name as Idempotency-Key. */
export type Work =
  | { readonly kind: "create"; readonly dataFolder: string; readonly name: string; id: string | null }
  | { readonly kind: "revoke"; readonly dataFolder: string; readonly of: Work & { kind: "create" } };

/** What somebody was told, in the order of the steps. */
export type Told =
  | { readonly at: number; readonly kind: "done"; readonly work: Work }
  | { readonly at: number; readonly kind: "head"; readonly head: string; readonly dataFolder: string }
  | { readonly at: number; readonly kind: "mark"; readonly mark: Mark };

/** An operator's command begins or has ended. */
export interface Mark {
  readonly kind: "backup" | "restore";
  readonly when: "begins" | "ended";
  /** The backup's name. */
  readonly folder: string;
  readonly dataFolder: string;
  /** How many works had been asked for. */
  readonly askedCount: number;
}

export interface Recording {
  readonly steps: readonly Step[];
  readonly told: readonly Told[];
  /** All that was ever asked for. */
  readonly works: readonly Work[];
  /** When the last server was started. */
  readonly lastStartAt: number;
}

const headPattern = /\bv1\.\d{1,16}\.[0-9a-f]{64}\.\d{1,19}\.[0-9a-f]{64}\b/g;
const requestIdPattern = /HTTP\/1\.1 (\d+)[\s\S]*?x-request-id: cut-(\d+)\r\n/gi;

/**
 * `life`: first starts, a kill, backups, restores. `killed in a sync`: a process that has written a commit and dies before it is
 * durable; the next one reads it from the system's memory, and a client is told that it was made.
 */
export type Course = "life" | "killed in a sync";

/** At which of its own syncs each thread of a process is killed in that course; a start has some twenty. */
const killedAtSync = 60;

/** Records one course. Throws where strace is missing or may not trace. */
export async function record(course: Course, random: Random): Promise<Recording> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const recorder = new Recorder(course);
    try {
      await recorder.live(random);
      const recording = await recorder.finish();
      // A kill in the middle of a call leaves open whether it happened: nothing to build on.
      if (recording !== null) return recording;
    } finally {
      recorder.remove();
    }
  }
  throw new Error("five kills in a row hit a process inside a write");
}

interface Server {
  readonly url: string;
  readonly pid: number;
  readonly dataFolder: string;
  readonly key: string;
}

const injection = `inject=fsync,fdatasync:signal=SIGKILL:when=${killedAtSync}`;

class Recorder {
  readonly #folder = mkdtempSync(join(tmpdir(), "bsopt-power-cut-"));
  /** What the model is of. Everything else of the recording lies outside. */
  readonly #top = join(this.#folder, "disk");
  readonly #works: Work[] = [];
  readonly #attempts: { readonly work: Work }[] = [];
  readonly #marks: Mark[] = [];
  readonly #shell: Bun.Subprocess<"pipe", "ignore", "pipe">;
  readonly #course: Course;
  #commandCount = 0;

  constructor(course: Course) {
    this.#course = course;
    if (!existsSync(executablePath)) throw new Error("dist/bsopt is missing: npm run build");
    mkdirSync(this.#top);
    mkdirSync(join(this.#folder, "tmp"));
    copyFileSync(executablePath, join(this.#folder, "bsopt"));
    // The quick way of stopping at these calls alone is not open to signals.
    const manner = course === "life" ? ["--seccomp-bpf"] : ["-e", injection];
    const options = ["-f", ...manner, "-q", "-y", "-xx", "-s", "16777216"];
    this.#shell = Bun.spawn(
      [
        ...[
          "strace",
          ...options,
          ...(course === "life" ? [] : ["-e", injection]),
          "-e",
          `trace=${tracedCalls.join(",")}`,
          "-o",
          join(this.#folder, "trace"),
        ],
        ...["sh", "-c", 'while read -r line; do eval "$line"; done; wait'],
      ],
      {
        cwd: this.#top,
        env: { PATH: process.env.PATH, TMPDIR: join(this.#folder, "tmp"), BSOPT_RATE_LIMITS: "off" },
        stdio: ["pipe", "ignore", "pipe"],
      },
    );
  }

  live(random: Random): Promise<void> {
    return this.#course === "life" ? this.#life(random) : this.#killedInSync(random);
  }

  async #killedInSync(random: Random): Promise<void> {
    const first = await this.#serve("data");
    await this.#write(first, random, { count: 1000, ends: true });
    const second = await this.#serve("data");
    await this.#askAgain(second);
    await this.#stop(second);
  }

  async #life(random: Random): Promise<void> {
    // A first start on nothing, and a kill under load.
    let server = await this.#serve("data");
    await this.#write(server, random, { count: 60, killAfter: 20 + Math.floor(random.unit() * 30) });
    // Whoever heard nothing asks again; then enough to move the log into the file more than once.
    server = await this.#serve("data");
    await this.#askAgain(server);
    await this.#write(server, random, { count: 160 });
    await Promise.all([this.#backup("data", "one"), this.#write(server, random, { count: 40 })]);
    await this.#write(server, random, { count: 40 });
    await this.#stop(server);
    // Back to the copy, over a database that has gone on.
    await this.#restore("one", "data");
    server = await this.#serve("data");
    await this.#write(server, random, { count: 30 });
    await this.#stop(server);
    // Another installation with keys of its own takes all of it over.
    server = await this.#serve("other");
    await this.#write(server, random, { count: 10 });
    await this.#stop(server);
    await this.#backup("data", "two", ["--with-keys"]);
    await this.#restore("two", "other");
    server = await this.#serve("other");
    await this.#write(server, random, { count: 10 });
    await this.#stop(server);
  }

  /** Ends the trace and reads it; null where it cannot be told what a killed process did last. */
  async finish(): Promise<Recording | null> {
    this.#shell.stdin.end();
    const [errors, code] = [await new Response(this.#shell.stderr).text(), await this.#shell.exited];
    if (code !== 0) throw new Error(`strace ended with ${code}: ${errors}`);
    const { steps, unknownCount } = await readTrace(join(this.#folder, "trace"), this.#top);
    if (unknownCount > 0) return null;
    this.#requireSame(steps);
    const lastStartAt = steps.findLast(({ said }) => /^serving /m.test(said ?? ""))?.at ?? 0;
    return { steps: steps.filter(({ apply }) => apply), told: this.#toldIn(steps), works: this.#works, lastStartAt };
  }

  remove(): void {
    this.#shell.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** What the model made of the trace is what stands on the real disk, byte for byte. */
  #requireSame(steps: readonly Step[]): void {
    const disk = new Disk();
    for (const { apply } of steps) apply?.(disk);
    const real = new Map<string, Uint8Array | null>();
    for (const name of readdirSync(this.#top, { recursive: true }) as string[]) {
      const path = join(this.#top, name);
      real.set(name, statSync(path).isDirectory() ? null : readFileSync(path));
    }
    const modelled = disk.presentImage();
    const names = [...new Set([...real.keys(), ...modelled.keys()])].filter((name) => !name.endsWith("-shm"));
    const differing = names.filter((name) => {
      const [one, other] = [real.get(name), modelled.get(name)];
      if (one === undefined || other === undefined) return true;
      return one === null || other === null ? one !== other : Buffer.compare(one, other) !== 0;
    });
    if (differing.length > 0) throw new Error(`the trace missed something: ${differing.join(", ")} differ`);
  }

  #toldIn(steps: readonly Step[]): Told[] {
    const told: Told[] = [];
    let dataFolder = "";
    for (const { at, said } of steps) {
      if (said === undefined) continue;
      for (const [, status, number] of said.matchAll(requestIdPattern)) {
        const work = this.#attempts[Number(number)]?.work;
        if (work && Number(status) === (work.kind === "create" ? 201 : 204)) told.push({ at, kind: "done", work });
      }
      for (const [, index] of said.matchAll(/^mark (\d+)$/gm)) {
        told.push({ at, kind: "mark", mark: this.#marks[Number(index)]! });
      }
      dataFolder = /^serving (\w+)$/m.exec(said)?.[1] ?? dataFolder;
      for (const [head] of said.matchAll(headPattern)) told.push({ at, kind: "head", head, dataFolder });
    }
    return told;
  }

  /** Gives the shell a line and waits until it has done it. */
  async #tell(line: string): Promise<void> {
    const done = join(this.#folder, `done-${this.#commandCount++}`);
    this.#shell.stdin.write(`${line}; : >${done}\n`);
    this.#shell.stdin.flush();
    await until(`the shell did ${line}`, () => {
      if (this.#shell.exitCode !== null) throw new Error("strace ended: it is missing, or may not trace here");
      return existsSync(done);
    });
  }

  async #mark(mark: Omit<Mark, "askedCount">): Promise<void> {
    this.#marks.push({ ...mark, askedCount: this.#works.length });
    await this.#tell(`echo mark ${this.#marks.length - 1} >>../marks`);
  }

  async #serve(dataFolder: string): Promise<Server> {
    const name = join(this.#folder, `serve-${this.#commandCount}`);
    await this.#tell(`echo serving ${dataFolder} >>../marks`);
    await this.#tell(`../bsopt serve --port 0 --data-dir ${dataFolder} 2>${name}.log & echo $! >${name}.pid`);
    const log = () =>
      existsSync(`${name}.pid`) && existsSync(`${name}.log`) ? readFileSync(`${name}.log`, "utf8") : "";
    await until("the server listens", () => {
      if (/"level":"error"/.test(log())) throw new Error(log());
      return / listens on http/.test(log());
    });
    return {
      url: / listens on (http:\S+)/.exec(log())![1]!,
      pid: Number(readFileSync(`${name}.pid`, "utf8")),
      dataFolder,
      key: readFileSync(join(this.#top, dataFolder, "admin-api-key"), "utf8").trim(),
    };
  }

  async #stop({ pid }: Server, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    process.kill(pid, signal);
    await this.#tell(`wait ${pid}`);
  }

  /** Six clients make keys, and revoke some of them. */
  async #write(
    server: Server,
    random: Random,
    options: { count: number; killAfter?: number; ends?: true },
  ): Promise<void> {
    let [begunCount, doneCount, isOver] = [0, 0, false];
    const client = async () => {
      while (!isOver && begunCount < options.count) {
        begunCount += 1;
        const work: Work & { kind: "create" } = {
          kind: "create",
          dataFolder: server.dataFolder,
          name: `work-${this.#works.length}`,
          id: null,
        };
        this.#works.push(work);
        await this.#ask(server, work);
        // It was killed.
        if (options.ends && work.id === null) return;
        doneCount += 1;
        if (work.id !== null && random.unit() < 0.25) {
          const revocation: Work = { kind: "revoke", dataFolder: server.dataFolder, of: work };
          this.#works.push(revocation);
          await this.#ask(server, revocation);
        }
        if (options.killAfter === undefined || doneCount < options.killAfter || isOver) continue;
        isOver = true;
        await this.#stop(server, "SIGKILL");
      }
    };
    await Promise.all(Array.from({ length: 6 }, client));
  }

  async #askAgain(server: Server): Promise<void> {
    const unheard = this.#works.filter((work) => work.kind === "create" && work.id === null);
    for (const work of unheard) await this.#ask(server, work);
  }

  async #ask(server: Server, work: Work): Promise<void> {
    this.#attempts.push({ work });
    const isCreation = work.kind === "create";
    const answer = await fetch(`${server.url}/api/v1/api-keys${isCreation ? "" : `/${work.of.id}`}`, {
      method: isCreation ? "POST" : "DELETE",
      headers: {
        "content-type": "application/json",
        "x-api-key": server.key,
        "x-request-id": `cut-${this.#attempts.length - 1}`,
        ...(isCreation && { "idempotency-key": work.name }),
      },
      ...(isCreation && { body: JSON.stringify(bodyOf(work.name)) }),
    })
      .then(async (found) => (found.ok ? { text: await found.text() } : { refused: `${found.status}` }))
      .catch(() => null);
    if (answer && "refused" in answer) throw new Error(`a work was refused with ${answer.refused}`);
    if (answer && work.kind === "create") work.id = JSON.parse(answer.text).id;
  }

  async #backup(dataFolder: string, folder: string, options: readonly string[] = []): Promise<void> {
    await this.#command("backup", dataFolder, folder, `backup backups/${folder} ${options.join(" ")}`);
  }

  async #restore(folder: string, dataFolder: string): Promise<void> {
    await this.#command("restore", dataFolder, folder, `restore backups/${folder}`);
  }

  async #command(kind: "backup" | "restore", dataFolder: string, folder: string, words: string): Promise<void> {
    await this.#mark({ kind, when: "begins", folder, dataFolder });
    const log = join(this.#folder, `command-${this.#commandCount}`);
    await this.#tell(`../bsopt ${words} --data-dir ${dataFolder} >${log} 2>&1; echo $? >${log}.code`);
    if (readFileSync(`${log}.code`, "utf8").trim() !== "0") throw new Error(`${words}: ${readFileSync(log, "utf8")}`);
    await this.#mark({ kind, when: "ended", folder, dataFolder });
  }
}

/** What a creation asks for. */
export const bodyOf = (name: string) => ({ name, scopes: ["pricing:read"] });
