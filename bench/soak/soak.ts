// A realistic mix of load on the executable for as long as asked, at a bounded rate, and what becomes of its memory, files, threads,
// log and latencies meanwhile. Separate from the benches: it asks whether anything grows, not how fast anything is. Every request is
// timed from the moment it was due. Run by build/soak.ts.

import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { createHistogram } from "node:perf_hooks";
import { writeWireArrow } from "../../src/adapters/tabular/wire-arrow-writer";
import { Installation, type Serving } from "../../tests/harness/executable";
import { judge, judgedFrom, type Sampled, type Verdict, type Watched } from "./judge";

/** A clock's hand and the way to wait; the caller's. */
export interface SoakOptions {
  readonly minutes: number;
  readonly say: (line: string) => void;
}

export interface SoakResult {
  readonly isFine: boolean;
  readonly verdicts: readonly Verdict[];
}

/** Between two looks at the schedule. */
const restMilliseconds = 5;
const sampleMilliseconds = 1000;
/** Latencies are gathered in windows of five seconds, in a short run in shorter ones. */
const windowMillisecondsMax = 5000;
const windowsMin = 60;
/** Requests of one kind under way; what is due beyond waits, and its time runs. */
const underWayMax = 64;
/**
 * Of all requests, those that the server may refuse as too many at that moment, or whose kept connection may end just as they are sent: a
 * server closes idle ones, and a client whose machine is busy comes late.
 */
const refusedShareMax = 0.01;
const pricesPerSecond = 100;
const email = "soak@example.org";
const password = "correct-horse-battery-staple";
const mebibyte = 1024 * 1024;

interface Kind {
  readonly name: string;
  readonly perSecond: number;
  /** Does one; gives the statuses it got. Throws where an answer is not what it should be. */
  readonly act: (index: number) => Promise<void>;
}

class Refused extends Error {}

/** Runs the load and judges. */
export async function soak({ minutes, say }: SoakOptions): Promise<SoakResult> {
  const here = new Installation();
  const bare = Bun.spawn([process.execPath, "-e", bareServer], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const created = await here.run(
      ["user", "create", "--email", email, "--role", "trader", "--verified", "--password-stdin"],
      { stdin: `${password}\n` },
    );
    if (created.code !== 0) throw new Error(created.stderr);
    const serving = await here.serve();
    const bareUrl = await urlOf(bare);
    const result = await load(here, serving, bareUrl, { minutes, say });
    const code = await serving.stop();
    if (code !== 0) say(`FAIL the server ended with ${code}`);
    const lines = serving.said().match(/^.*"level":"error".*$/gm) ?? [];
    // Refusals are counted where they arrive.
    const errors = lines.filter((line) => !line.includes('"OVERLOADED"'));
    for (const line of errors.slice(0, 5)) say(`FAIL the server's log: ${line}`);
    return { ...result, isFine: result.isFine && code === 0 && errors.length === 0 };
  } finally {
    bare.kill();
    here.remove();
  }
}

/** What shows how busy the machine is: asked as often as prices, and doing nothing. */
const bareServer = `const { url } = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") }); console.log(url.href);`;

async function urlOf(server: Bun.Subprocess<"ignore", "pipe", "inherit">): Promise<string> {
  const { value } = await server.stdout.getReader().read();
  return new TextDecoder().decode(value).trim();
}

function bareKind(url: string): Kind {
  return { name: "bare server", perSecond: pricesPerSecond, act: async () => void (await (await fetch(url)).text()) };
}

async function load(
  here: Installation,
  serving: Serving,
  bareUrl: string,
  { minutes, say }: SoakOptions,
): Promise<SoakResult> {
  const begunAt = performance.now();
  const endsAt = begunAt + minutes * 60_000;
  const now = () => (performance.now() - begunAt) / 60_000;
  const counts = { asked: 0, refused: 0, failed: 0 };
  const byKind = new Map<string, number>();
  const failures: string[] = [];
  const series = new Map<string, Sampled[]>();
  const note = (name: string, value: number) => {
    const known = series.get(name) ?? [];
    known.push({ minutes: now(), value });
    series.set(name, known);
  };
  const histogram = () => createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });
  /** Of the kinds whose latencies are told. */
  let times = { price: histogram(), "bare server": histogram() };

  const one = async (kind: Kind, index: number, dueAt: number) => {
    counts.asked += 1;
    byKind.set(kind.name, (byKind.get(kind.name) ?? 0) + 1);
    try {
      await kind.act(index);
      if (kind.name === "price" || kind.name === "bare server") {
        times[kind.name].record(Math.max(1, Math.round((performance.now() - dueAt) * 1000)));
      }
    } catch (error) {
      if (error instanceof Refused) counts.refused += 1;
      else {
        counts.failed += 1;
        if (failures.length < 10) failures.push(`${kind.name}: ${error}`);
      }
    }
  };
  const keepAsking = async (kind: Kind) => {
    const underWay = new Set<Promise<void>>();
    let index = 0;
    while (performance.now() < endsAt) {
      for (;;) {
        const dueAt = begunAt + (index / kind.perSecond) * 1000;
        if (dueAt > performance.now() || underWay.size >= underWayMax) break;
        const asked: Promise<void> = one(kind, index++, dueAt).finally(() => underWay.delete(asked));
        underWay.add(asked);
      }
      await Bun.sleep(restMilliseconds);
    }
    await Promise.all(underWay);
  };
  const every = async (milliseconds: number, act: () => void | Promise<void>) => {
    for (let at = begunAt + milliseconds; at < endsAt; at += milliseconds) {
      await Bun.sleep(Math.max(0, at - performance.now()));
      await act();
    }
  };

  let lag = { sum: 0, count: 0 };
  await Promise.all([
    ...[...kindsOf(here, serving), bareKind(bareUrl)].map(keepAsking),
    every(sampleMilliseconds, () => {
      for (const [name, value] of Object.entries(readProcess(here, serving.pid))) note(name, value);
    }),
    every(Math.min(windowMillisecondsMax, (minutes * 60_000) / windowsMin), async () => {
      const { price, "bare server": bare } = times;
      times = { price: histogram(), "bare server": histogram() };
      if (price.count > 0 && bare.count > 0) {
        note("p99 of a price", price.percentile(99) / 1000);
        note("p99 over a bare server's", price.percentile(99) / bare.percentile(99));
      }
      const read = await readLag(serving);
      if (read.count > lag.count) note("event loop's lag", ((read.sum - lag.sum) / (read.count - lag.count)) * 1000);
      lag = read;
    }),
    every(60_000, () => {
      const last = (name: string) => series.get(name)?.at(-1)?.value.toFixed(0) ?? "?";
      say(
        `     after ${now().toFixed(0)} min: ${counts.asked} asked, ${counts.failed} failed, ${last("resident memory")} MiB, ${last("open files")} files, ${last("threads")} threads, log ${last("write-ahead log")} MiB, p99 ${series.get("p99 of a price")?.at(-1)?.value.toFixed(1)} ms`,
      );
    }),
  ]);

  const mix = [...byKind].map(([name, count]) => `${count} ${name}`).join(", ");
  say(`soak: ${minutes} min, ${counts.asked} acts (${mix}), ${counts.refused} refused, ${counts.failed} failed`);
  const grown = series.get("database")!;
  say(
    `soak: the database grew from ${grown[0]!.value.toFixed(1)} to ${grown.at(-1)!.value.toFixed(1)} MiB, as its audit log does`,
  );
  for (const failure of failures) say(`FAIL ${failure}`);
  const verdicts = watchedOf(series).map((watched) => judge(watched, judgedFrom(minutes)));
  for (const { line } of verdicts) say(line);
  const isRefusedTooOften = counts.refused > counts.asked * refusedShareMax;
  if (isRefusedTooOften) say(`FAIL ${counts.refused} of ${counts.asked} were refused`);
  const isFine = verdicts.every((verdict) => verdict.isFine) && counts.failed === 0 && !isRefusedTooOften;
  return { isFine, verdicts };
}

/** What may grow how far, and what is too much at once. */
function watchedOf(series: ReadonlyMap<string, readonly Sampled[]>): Watched[] {
  const samplesOf = (name: string) => series.get(name) ?? [];
  const levelOf = (name: string) =>
    samplesOf(name)
      .map(({ value }) => value)
      .sort((one, other) => one - other)[samplesOf(name).length >> 1] ?? 0;
  return [
    {
      name: "resident memory",
      unit: "MiB",
      samples: samplesOf("resident memory"),
      allowed: { atOnce: 24, perHour: 8 },
      ceiling: 1024,
    },
    {
      name: "open files",
      unit: "files",
      samples: samplesOf("open files"),
      allowed: { atOnce: 6, perHour: 1 },
      ceiling: 1000,
    },
    // The client opens as many connections as it has requests under way, and keeps them for a while.
    {
      name: "sockets",
      unit: "sockets",
      samples: samplesOf("sockets"),
      allowed: { atOnce: underWayMax, perHour: 0 },
      ceiling: 1000,
    },
    {
      name: "threads",
      unit: "threads",
      samples: samplesOf("threads"),
      allowed: { atOnce: 2, perHour: 0 },
      ceiling: 100,
    },
    // It is cut back to 64 MiB after a burst.
    {
      name: "write-ahead log",
      unit: "MiB",
      samples: samplesOf("write-ahead log"),
      allowed: { atOnce: 8, perHour: 0 },
      ceiling: 80,
    },
    {
      name: "files in the data folder",
      unit: "files",
      samples: samplesOf("files in the data folder"),
      allowed: { atOnce: 3, perHour: 0 },
    },
    // Twice as slow at the end as at the beginning, beside a server that does nothing: a machine that gets busy slows both.
    {
      name: "p99 over a bare server's",
      unit: "times",
      samples: samplesOf("p99 over a bare server's"),
      allowed: { atOnce: Math.max(2, levelOf("p99 over a bare server's")), perHour: 0 },
    },
    // What anybody else on the machine does shows here too.
    {
      name: "p99 of a price",
      unit: "ms",
      samples: samplesOf("p99 of a price"),
      allowed: { atOnce: Math.max(50, 2 * levelOf("p99 of a price")), perHour: 0 },
    },
    {
      name: "event loop's lag",
      unit: "ms",
      samples: samplesOf("event loop's lag"),
      allowed: { atOnce: 25, perHour: 0 },
    },
  ];
}

/** What a descriptor stands for; it may be closed since it was listed. */
function targetOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "closed";
  }
}

function readProcess(here: Installation, pid: number): Record<string, number> {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const numberOf = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  const bytesOf = (name: string) => statSync(here.path("bsopt-data", name), { throwIfNoEntry: false })?.size ?? 0;
  const open = readdirSync(`/proc/${pid}/fd`).map((descriptor) => targetOf(`/proc/${pid}/fd/${descriptor}`));
  return {
    "resident memory": numberOf("VmRSS") / 1024,
    threads: numberOf("Threads"),
    "open files": open.filter((target) => !target.startsWith("socket:")).length,
    sockets: open.filter((target) => target.startsWith("socket:")).length,
    database: bytesOf("bsopt.db") / mebibyte,
    "write-ahead log": bytesOf("bsopt.db-wal") / mebibyte,
    "files in the data folder": readdirSync(here.path("bsopt-data")).length,
  };
}

async function readLag({ url }: Serving): Promise<{ sum: number; count: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const read = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? 0);
  return { sum: read("bsopt_event_loop_lag_seconds_sum"), count: read("bsopt_event_loop_lag_seconds_count") };
}

/** What is asked, and how often. */
function kindsOf(here: Installation, serving: Serving): Kind[] {
  const admin = { "x-api-key": serving.key() };
  const asJson = { "content-type": "application/json" };
  const call = async (method: string, path: string, expected: number, options: RequestInit = {}): Promise<Response> => {
    const answer = await fetch(`${serving.url}${path}`, { method, ...options }).catch((error) => {
      throw (error as NodeJS.ErrnoException).code === "ECONNRESET" ? new Refused() : error;
    });
    if (answer.status === 503 || answer.status === 429) {
      await answer.arrayBuffer();
      throw new Refused();
    }
    if (answer.status !== expected) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  const json = async (answer: Promise<Response>) => (await answer).json() as Promise<Record<string, string>>;
  const drained = async (answer: Promise<Response>) => void (await (await answer).arrayBuffer());

  const single = (index: number) =>
    JSON.stringify({
      ...{ model: "black_scholes_merton", option_type: index % 2 ? "call" : "put", spot: 100, rate: 0.03 },
      ...{ strike: 80 + (index % 400) / 10, time_to_expiry: 0.5, volatility: 0.2 },
    });
  const rows = 1000;
  const strikes = Float64Array.from({ length: rows }, (_, row) => 50 + row / 10);
  const columns = JSON.stringify({
    ...{ model: "black_scholes_merton", option_type: "call", spot: 100, time_to_expiry: 0.5, rate: 0.03 },
    ...{ strike: [...strikes], volatility: 0.2 },
  });
  const column = (name: string, values: Float64Array) => ({ name, kind: "number" as const, values });
  const filled = (value: number) => new Float64Array(rows).fill(value);
  const table = [
    { name: "option_type", kind: "text" as const, values: Array.from({ length: rows }, () => "call") },
    ...[column("spot", filled(100)), column("strike", strikes), column("time_to_expiry", filled(0.5))],
    ...[column("rate", filled(0.03)), column("volatility", filled(0.2))],
  ];
  const arrow = Buffer.concat([...writeWireArrow({ count: rows, columns: table }, {})].flat());
  const arrowType = "application/vnd.apache.arrow.stream";

  return [
    {
      name: "price",
      perSecond: pricesPerSecond,
      act: (index) =>
        drained(call("POST", "/api/v1/pricing/price", 200, { headers: { ...admin, ...asJson }, body: single(index) })),
    },
    {
      name: "JSON batch",
      perSecond: 4,
      act: () =>
        drained(call("POST", "/api/v1/pricing/batch", 200, { headers: { ...admin, ...asJson }, body: columns })),
    },
    {
      name: "Arrow batch",
      perSecond: 4,
      act: () =>
        drained(
          call("POST", "/api/v1/pricing/batch?model=black_scholes_merton", 200, {
            headers: { ...admin, "content-type": arrowType, accept: arrowType },
            body: arrow,
          }),
        ),
    },
    {
      name: "sign-in and out",
      perSecond: 0.5,
      act: async () => {
        const body = JSON.stringify({ email, password });
        const first = await json(call("POST", "/api/v1/auth/login", 200, { headers: asJson, body }));
        const bearer = (token: Record<string, string>) => ({ authorization: `Bearer ${token.access_token}` });
        await drained(call("GET", "/api/v1/auth/me", 200, { headers: bearer(first) }));
        const again = JSON.stringify({ refresh_token: first.refresh_token });
        const second = await json(call("POST", "/api/v1/auth/refresh", 200, { headers: asJson, body: again }));
        await drained(call("POST", "/api/v1/auth/logout", 204, { headers: bearer(second) }));
      },
    },
    {
      name: "key made, used and revoked",
      perSecond: 4,
      act: async (index) => {
        const body = JSON.stringify({ name: `soak ${index}`, scopes: ["pricing:read"] });
        const headers = { ...admin, ...asJson, "idempotency-key": `soak-${index}` };
        const made = await json(call("POST", "/api/v1/api-keys", 201, { headers, body }));
        await drained(call("GET", "/api/v1/pricing/models", 200, { headers: { "x-api-key": made.secret! } }));
        await drained(call("DELETE", `/api/v1/api-keys/${made.id}`, 204, { headers: admin }));
      },
    },
    {
      name: "audit page",
      perSecond: 1,
      act: () => drained(call("GET", "/api/v1/audit?limit=50", 200, { headers: admin })),
    },
    { name: "refusal", perSecond: 1, act: () => drained(call("GET", "/api/v1/audit", 401)) },
    { name: "health", perSecond: 1, act: () => drained(call("GET", "/health", 200)) },
    {
      name: "backup",
      perSecond: 0.05,
      act: async (index) => {
        mkdirSync(here.path("backups"), { recursive: true });
        const done = await here.run(["backup", `backups/${index}`]);
        if (done.code !== 0) throw new Error(done.stderr);
        rmSync(here.path("backups", `${index - 1}`), { recursive: true, force: true });
      },
    },
  ];
}
