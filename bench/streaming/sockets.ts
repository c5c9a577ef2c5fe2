// WebSockets in numbers. By itself: frames to a thousand clients beside the runtime's own publishing of the same bytes (a ratio that is judged),
// and what a thousand clients that do not read cost in memory and in others' time (judged as well: 200 MB). With --whole: a hundred
// thousand connections to six processes of the executable, each with a message a second, and twenty thousand that come back at once.
// Clients are processes of their own (crowd.ts).
//
//   bun bench/streaming/sockets.ts [--whole] [--connections N] [--processes N] [--seconds N] [--storm N]

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { streamingRoutes } from "../../src/features/streaming";
import { createHub } from "../../src/features/streaming/stream";
import { systemClock } from "../../src/foundation/clock";
import { silentLog } from "../../src/foundation/log";
import { createSockets } from "../../src/http/socket";
import { testAuthenticator, testServer } from "../../tests/harness/http";
import { latenessMax, type Order, type Plan, type Report } from "./crowd";

/** A process of clients that does what it is told. */
export class Clients {
  readonly #child = Bun.spawn([process.execPath, join(import.meta.dir, "crowd.ts")], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  readonly #answers = lines(this.#child.stdout);

  async order<Answer>(order: Order): Promise<Answer> {
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
    this.#child.stdin.flush();
    const { value } = await this.#answers.next();
    return JSON.parse(value as string) as Answer;
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      yield rest.slice(0, end);
      rest = rest.slice(end + 1);
    }
  }
}

/** Milliseconds that so large a part of all frames came within. */
export function within(part: number, reports: readonly Report[]): number {
  const sums = new Array<number>(latenessMax + 1).fill(0);
  for (const { lateness } of reports) for (const [index, count] of lateness.entries()) sums[index]! += count;
  const total = sums.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [milliseconds, count] of sums.entries()) {
    seen += count;
    if (seen >= part * total) return milliseconds;
  }
  return latenessMax;
}

const sum = (reports: readonly Report[], field: "open" | "frames" | "gaps" | "closed" | "failed") =>
  reports.reduce((total, report) => total + report[field], 0);

/** Resident bytes of a process. */
function residentBytes(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  return pages * 4096;
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
}

const hosts = Array.from({ length: 8 }, (_, index) => `127.0.0.${index + 1}`);

export interface WholeFigure {
  readonly connections: number;
  readonly connectSeconds: number;
  readonly frames: number;
  readonly gaps: number;
  readonly lost: number;
  readonly milliseconds: { readonly half: number; readonly p99: number; readonly p999: number };
  readonly residentBytes: number;
  readonly stormCount: number;
  readonly stormSeconds: number;
}

/** As many connections as are asked for to the executable, for so long; then some of them come back at once. */
export async function benchWhole(options: {
  connections: number;
  processes: number;
  seconds: number;
  /** How many of them come back at once. */
  storm: number;
  log: (line: string) => void;
}): Promise<WholeFigure> {
  const { connections, processes, seconds, storm: stormAsked, log } = options;
  const folder = mkdtempSync(join(tmpdir(), "bsopt-sockets-"));
  const server = Bun.spawn([join(root, "dist", "bsopt"), "serve", "--processes", String(processes)], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...process.env,
      BSOPT_DATA_DIR: join(folder, "data"),
      BSOPT_HOST: "0.0.0.0",
      BSOPT_PORT: "18095",
      BSOPT_STREAM_CONNECTIONS_MAX: "1000000",
      BSOPT_STREAM_CONNECTIONS_PER_ADDRESS_MAX: "1000000",
      BSOPT_STREAM_CONNECTIONS_PER_USER_MAX: "1000000",
      BSOPT_RATE_LIMITS: "off",
      // A crowd that knocks at once is what is measured here, and not shedding it.
      BSOPT_REQUESTS_IN_FLIGHT_MAX: "1000000",
      BSOPT_OVERLOAD_TURN_MS: "60000",
    },
  });
  void new Response(server.stderr).text().then((text) => {
    for (const line of text.split("\n"))
      if (/"level":"(error|fatal)"|"level":[56]0/.test(line)) log(line.slice(0, 300));
  });
  const crowds: Clients[] = [];
  try {
    while (
      !(await fetch("http://127.0.0.1:18095/readiness").then(
        ({ ok }) => ok,
        () => false,
      ))
    )
      await Bun.sleep(50);
    const key = readFileSync(join(folder, "data", "admin-api-key"), "utf8").trim();
    const crowdCount = Math.max(1, Math.min(6, Math.ceil(connections / 5_000)));
    for (let index = 0; index < crowdCount; index++) crowds.push(new Clients());
    const each = Math.ceil(connections / crowdCount);
    const plan: Plan = { port: 18095, key, channel: "test", count: each, atOnce: 64, hosts };
    const start = performance.now();
    await Promise.all(crowds.map((crowd) => crowd.order({ connect: plan })));
    const connectSeconds = (performance.now() - start) / 1000;
    const before = await reports(crowds);
    log(`${sum(before, "open")} connections in ${connectSeconds.toFixed(1)} s (${sum(before, "failed")} refused)`);
    await Bun.sleep(2_000);
    await reports(crowds);
    await Bun.sleep(seconds * 1000);
    const found = await reports(crowds);
    const pids = childrenOf(server.pid);
    const bytes = (pids.length > 0 ? pids : [server.pid]).map(residentBytes).reduce((total, value) => total + value, 0);
    const stormEach = Math.min(each, Math.ceil(stormAsked / crowdCount));
    await Promise.all(crowds.map((crowd) => crowd.order({ drop: stormEach })));
    const storm = performance.now();
    const back = { ...plan, count: stormEach, atOnce: 128 };
    await Promise.all(crowds.map((crowd) => crowd.order({ connect: back })));
    const stormSeconds = (performance.now() - storm) / 1000;
    const after = await reports(crowds);
    log(
      `after the storm ${sum(after, "open")} are open, ${sum(after, "failed")} were refused, ${sum(after, "gaps")} gaps`,
    );
    return {
      connections: sum(found, "open"),
      connectSeconds,
      frames: sum(found, "frames"),
      gaps: sum(after, "gaps"),
      lost: sum(found, "closed") + sum(found, "failed"),
      milliseconds: { half: within(0.5, found), p99: within(0.99, found), p999: within(0.999, found) },
      residentBytes: bytes,
      stormCount: stormEach * crowdCount,
      stormSeconds,
    };
  } finally {
    for (const crowd of crowds) crowd.end();
    server.kill("SIGTERM");
    await Promise.race([server.exited, Bun.sleep(20_000)]);
    for (const pid of childrenOfOrNone(server.pid)) process.kill(pid, "SIGKILL");
    server.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

function childrenOfOrNone(pid: number): number[] {
  try {
    return childrenOf(pid);
  } catch {
    return [];
  }
}

const reports = (crowds: readonly Clients[]) =>
  Promise.all(crowds.map((crowd) => crowd.order<Report>({ report: true })));

export interface DeafFigure {
  readonly addedBytes: number;
  /** How late frames reach those who read, without and with the others. */
  readonly p99: { readonly alone: number; readonly beside: number };
  readonly gaps: number;
  /** How many of those who do not read were cut. */
  readonly cut: number;
}

const deafLooksMax = 400;

/** So many clients that read, alone and then beside so many that never do until those are cut, on a channel of 6 KB fifty times a second. */
export async function benchDeaf(options: {
  readers: number;
  deaf: number;
  seconds: number;
  looksMax?: number;
}): Promise<DeafFigure> {
  const child = Bun.spawn([process.execPath, import.meta.path, "--serve"], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const answers = lines(child.stdout);
  const crowds = [new Clients(), new Clients()] as const;
  try {
    const { port } = JSON.parse((await answers.next()).value as string) as { port: number };
    const plan = { port, key: "bso_test_viewer", channel: "load", atOnce: 32, hosts: ["127.0.0.1"] };
    await crowds[0].order({ connect: { ...plan, count: options.readers } });
    await Bun.sleep(1_000);
    await reports([crowds[0]]);
    await Bun.sleep(options.seconds * 1000);
    const alone = await reports([crowds[0]]);
    const bytes = residentBytes(child.pid);
    await crowds[1].order({ connect: { ...plan, count: options.deaf, isDeaf: true } });
    await Bun.sleep(1_000);
    let peak = 0;
    await reports([crowds[0]]);
    let cut = 0;
    // What the system's own buffers take comes first.
    for (let look = 0; look < (options.looksMax ?? deafLooksMax) && cut < options.deaf; look++) {
      await Bun.sleep(100);
      peak = Math.max(peak, residentBytes(child.pid));
      child.stdin.write("cut\n");
      child.stdin.flush();
      ({ cut } = JSON.parse((await answers.next()).value as string) as { cut: number });
    }
    const beside = await reports([crowds[0]]);
    return {
      addedBytes: peak - bytes,
      p99: { alone: within(0.99, alone), beside: within(0.99, beside) },
      gaps: sum(beside, "gaps"),
      cut,
    };
  } finally {
    for (const crowd of crowds) crowd.end();
    child.kill("SIGKILL");
  }
}

/** The hub and the sockets over a channel that is always full. */
function serveLoad(): void {
  const hub = createHub({
    clock: systemClock,
    log: silentLog,
    limits: { bufferBytesMax: 65_536, slowMillisecondsMax: 2_000 },
  });
  hub.open({
    name: "load",
    permission: "stream:read",
    channelOf: () => ({ channel: "load" }),
    snapshot: () => "{}",
    wanted: () => undefined,
    unwanted: () => undefined,
  });
  const most = 1_000_000;
  const sockets = createSockets({
    hub,
    authenticator: testAuthenticator,
    limits: {
      messageBytesMax: 65_536,
      messagesPerSecond: 50,
      channelsPerConnectionMax: 10,
      connectionsMax: most,
      connectionsPerUserMax: most,
      connectionsPerAddressMax: most,
    },
    corsOrigins: () => [],
    clock: systemClock,
    log: silentLog,
    traceId: () => "0".repeat(32),
  });
  const tickets = { issue: () => Promise.reject(new Error("no tickets here")) };
  const principalOf = () => {
    throw new Error("no tickets here");
  };
  const server = testServer({ features: [streamingRoutes({ tickets, principalOf })], sockets });
  const { port } = server.listen();
  sockets.agent.start();
  const data = JSON.stringify("x".repeat(6_000));
  setInterval(() => hub.publish("load", "delta", data, systemClock.nowMicroseconds()), 20);
  process.stdout.write(`${JSON.stringify({ port })}\n`);
  void (async () => {
    for await (const _ of console) {
      process.stdout.write(`${JSON.stringify({ cut: sockets.statistics().closed.too_slow })}\n`);
    }
  })();
}

/** How long `publish` of the hub takes beside the runtime's own of the same bytes, to so many clients in one process. */
export async function benchPublish(options: {
  clients: number;
  frames: number;
  rounds: number;
}): Promise<{ ours: number; bare: number }> {
  const { clients, frames, rounds } = options;
  const hub = createHub({
    clock: systemClock,
    log: silentLog,
    limits: { bufferBytesMax: 65_536, slowMillisecondsMax: 10_000 },
  });
  hub.open({
    name: "load",
    permission: "stream:read",
    channelOf: () => ({ channel: "load" }),
    snapshot: () => "{}",
    wanted: () => undefined,
    unwanted: () => undefined,
  });
  let received = 0;
  let joined = 0;
  const server = Bun.serve<{ listener: ReturnType<typeof hub.listen> | null }>({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, self) =>
      self.upgrade(request, { data: { listener: null } }) ? undefined : new Response(null, { status: 400 }),
    websocket: {
      open(socket) {
        socket.subscribe("bare");
        socket.data.listener = hub.listen({
          send: (text) => void socket.send(text),
          join: (topic) => void socket.subscribe(topic),
          leave: (topic) => void socket.unsubscribe(topic),
          get bufferedBytes() {
            return socket.getBufferedAmount();
          },
          tooSlow: () => undefined,
        });
        const found = hub.resolve("load");
        if (!("fault" in found)) socket.data.listener.subscribe(found, { snapshot: false, resumeAfter: null });
        joined += 1;
      },
      message: () => undefined,
    },
  });
  hub.attach((topic, text) => void server.publish(topic, text));
  const sockets = Array.from({ length: clients }, () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}`);
    socket.onmessage = () => {
      received += 1;
    };
    return socket;
  });
  while (joined < clients) await Bun.sleep(5);
  const data = JSON.stringify("x".repeat(300));
  const ways = {
    bare: () => {
      const at = systemClock.nowMicroseconds();
      server.publish("bare", `{"ch":"load","seq":${at},"prev":${at},"ts":"${at}","type":"delta","data":${data}}`);
    },
    ours: () => hub.publish("load", "delta", data, systemClock.nowMicroseconds()),
  };
  const best = { ours: Number.POSITIVE_INFINITY, bare: Number.POSITIVE_INFINITY };
  for (let round = 0; round < rounds; round++) {
    for (const name of ["bare", "ours"] as const) {
      received = 0;
      const start = performance.now();
      for (let frame = 0; frame < frames; frame++) {
        ways[name]();
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      while (received < clients * frames) await new Promise<void>((resolve) => setImmediate(resolve));
      best[name] = Math.min(best[name], ((performance.now() - start) * 1e6) / (clients * frames));
    }
  }
  for (const socket of sockets) socket.close();
  await server.stop(true);
  return best;
}

if (import.meta.main) {
  const numberOf = (flag: string, otherwise: number) => {
    const index = process.argv.indexOf(flag);
    return index < 0 ? otherwise : Number(process.argv[index + 1]);
  };
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const told = (name: string, ratio: number, floor: number) => say(`RATIO ${JSON.stringify({ name, ratio, floor })}`);
  if (process.argv.includes("--serve")) serveLoad();
  else if (process.argv.includes("--whole")) {
    const figure = await benchWhole({
      connections: numberOf("--connections", 100_000),
      processes: numberOf("--processes", 6),
      seconds: numberOf("--seconds", 20),
      storm: numberOf("--storm", 20_000),
      log: say,
    });
    say(JSON.stringify(figure));
  } else {
    const { ours, bare } = await benchPublish({ clients: 200, frames: 100, rounds: 5 });
    say(`a frame to a client: ${ours.toFixed(0)} ns by the hub, ${bare.toFixed(0)} ns by the runtime alone`);
    told("streams: a frame through the hub beside the runtime's own", bare / ours, 0.8);
    const deaf = await benchDeaf({ readers: 50, deaf: 1_000, seconds: 4 });
    say(
      `1,000 clients that do not read: ${(deaf.addedBytes / 1e6).toFixed(0)} MB more, p99 to 50 others ${deaf.p99.alone} ms alone, ${deaf.p99.beside} ms beside them, ${deaf.gaps} gaps; ${deaf.cut} of them were cut`,
    );
    told(
      "streams: memory for 1,000 clients that do not read, 200 MB beside it",
      200e6 / Math.max(1e6, deaf.addedBytes),
      1,
    );
    process.exit(0);
  }
}
