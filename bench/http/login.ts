// What signing in costs, and whom. Three figures: the time of a refused sign-in for known and unknown addresses (their ratio must tell
// nothing), what looking at a key or a token adds to a request, and what a flood of sign-ins from ever new addresses does to pricing.
// The server runs in a process of its own. Requests come as if through a proxy on this machine, so that each has an address of its own.
// Run it with the number of tries as its argument, few for a smoke test.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { permissionsOfRole } from "../../src/domain/permission";
import { createAudit } from "../../src/features/audit/service";
import { createIdentity } from "../../src/features/identity/service";
import { createKeys } from "../../src/features/keys/service";
import { createSessions, sessionPolicyOf } from "../../src/features/sessions/service";
import { openTokens } from "../../src/features/tokens/service";
import { systemClock } from "../../src/foundation/clock";
import { silentLog } from "../../src/foundation/log";
import { argon2id } from "../../src/foundation/password-hasher";
import { systemRandom } from "../../src/foundation/random";
import { createSecretBox } from "../../src/foundation/secret-box";
import { wakeAtOnce } from "../../src/foundation/thread-priority";
import { openStorage } from "../../src/storage/storage";
import { startApp } from "../../tests/harness/app";
import { openLoop } from "../open-loop";
import { goFirst, goWithOthers, separateCores } from "../processes";
import { requestText } from "./price";

const emailOf = (index: number) => `person${index}@example.org`;

/** A storage with users who can sign in, and what looks at credentials, without a server. */
async function openParts(folder: string, userCount: number) {
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const storage = await openStorage({ url: `file:${join(folder, "data", "bsopt.db")}`, clock, random, log });
  const secretBox = createSecretBox(new Uint8Array(32).fill(1), random);
  const audit = createAudit({ storage, clock, random, log, key: secretBox.keyFor("audit") });
  const identity = createIdentity({ storage, clock, random, log, audit, personalData: () => [] });
  const keys = createKeys({ storage, identity, audit, clock, random, log });
  const { passwords } = await import("../../src/features/registration/table");
  const hash = await argon2id.hash("correct horse battery staple");
  const users = await storage.write(async (tx) => {
    const now = clock.nowMicroseconds();
    const made = [];
    for (let index = 0; index < userCount; index++) {
      const user = { email: emailOf(index), name: "Person", role: "trader", isVerified: true, now } as const;
      made.push(await identity.insertPerson(tx, user));
      await tx.insert(passwords).values({ userId: made[index]!.id, hash, changedAt: now });
    }
    return made;
  });
  return { clock, random, log, storage, secretBox, audit, identity, keys, user: users[0]! };
}

export interface GuardFigure {
  readonly credential: "API key" | "access token" | "cookie";
  readonly microseconds: number;
}

/** What one look at a credential costs that was seen before, best of five rounds. */
export async function benchGuard(lookCount: number): Promise<GuardFigure[]> {
  const folder = mkdtempSync(join(tmpdir(), "bsopt-bench-"));
  try {
    const parts = await openParts(folder, 1);
    const { storage, keys, user } = parts;
    const tokens = await openTokens({ ...parts, lifetimeSeconds: 900, keyDays: 30 });
    const policy = sessionPolicyOf({
      sessionHours: 720,
      sessionIdleHours: 168,
      cookieSessionHours: 12,
      cookieSessionIdleMinutes: 60,
      sessionsPerUserMax: 20,
    });
    const sessions = createSessions({ ...parts, tokens, policy });
    const origin = { ipAddress: null, userAgent: null };
    const [byToken, byCookie] = await storage.write(async (tx) => [
      await sessions.open(tx, { user, kind: "token", origin }),
      await sessions.open(tx, { user, kind: "cookie", origin }),
    ]);
    const scopes = permissionsOfRole.trader;
    const { token } = await tokens.issue({ userId: user.id, sessionId: byToken!.sessionId, isForKey: false, scopes });
    const maker = { kind: "operator" } as const;
    const key = await keys.createKey({ maker, userId: user.id, request: { name: "bot", scopes: ["pricing:read"] } });
    const peerAddress = "127.0.0.1";
    const shown = [
      { credential: "API key", credentials: { apiKey: key.secret!, peerAddress } },
      { credential: "access token", credentials: { bearerToken: token, peerAddress } },
      {
        credential: "cookie",
        credentials: { sessionCookie: byCookie?.kind === "cookie" ? byCookie.cookie : "", peerAddress },
      },
    ] as const;
    const figures: GuardFigure[] = [];
    for (const { credential, credentials } of shown) {
      let best = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 5; round++) {
        const begun = systemClock.monotonicMilliseconds();
        for (let look = 0; look < lookCount; look++) {
          const principal = sessions.authenticate(credentials);
          if (principal instanceof Promise) await principal;
        }
        best = Math.min(best, ((systemClock.monotonicMilliseconds() - begun) * 1000) / lookCount);
      }
      figures.push({ credential, microseconds: best });
    }
    await sessions.close();
    tokens.close();
    await keys.close();
    await storage.close();
    return figures;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface LoginServer {
  readonly url: string;
  readonly port: number;
  readonly key: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** The whole server in a process of its own, with that many users. */
async function startLoginServer(userCount: number): Promise<LoginServer> {
  const child = Bun.spawn([process.execPath, import.meta.path, "--serve", String(userCount)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const line = new TextDecoder().decode((await child.stdout.getReader().read()).value);
  const { url, key } = JSON.parse(line) as { url: string; key: string };
  return {
    url,
    key,
    port: Number(new URL(url).port),
    pid: child.pid,
    async stop() {
      child.stdin.end();
      await child.exited;
    },
  };
}

async function serve(userCount: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bsopt-bench-"));
  // As the executable's server does.
  wakeAtOnce();
  const app = await startApp(folder, { BSOPT_TRUSTED_PROXIES: "127.0.0.1" });
  const { storage, keys } = await openParts(folder, userCount);
  process.stdout.write(`${JSON.stringify({ url: app.url, key: app.key })}\n`);
  for await (const _ of process.stdin);
  await keys.close();
  await storage.close();
  await app.stop();
  rmSync(folder, { recursive: true });
}

let senderCount = 0;
/** A sign-in that is refused, from an address that nobody has come from before. */
async function tryLogin(url: string, email: string): Promise<number> {
  senderCount += 1;
  const sender = senderOf(0x800000 + senderCount);
  const response = await fetch(`${url}/api/v1/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-forwarded-for": sender },
    body: JSON.stringify({ email, password: "wrong horse battery staple" }),
  });
  await response.arrayBuffer();
  return response.status;
}

export interface TimingFigure {
  readonly knownMilliseconds: number;
  readonly unknownMilliseconds: number;
  /** The longer of the two over the shorter. */
  readonly ratio: number;
}

/** Medians of as many refused sign-ins of known addresses and of unknown ones, in turns. */
export async function benchTiming(server: Pick<LoginServer, "url">, tryCount: number): Promise<TimingFigure> {
  const times = { known: [] as number[], unknown: [] as number[] };
  for (let warm = 0; warm < Math.min(20, tryCount); warm++) await tryLogin(server.url, `warm${warm}@example.org`);
  for (let index = 0; index < tryCount; index++) {
    const turns = [
      ["known", emailOf(index)],
      ["unknown", `nobody${index}@example.org`],
    ] as const;
    for (const [which, email] of index % 2 === 0 ? turns : turns.toReversed()) {
      const begun = systemClock.monotonicMilliseconds();
      const status = await tryLogin(server.url, email);
      times[which].push(systemClock.monotonicMilliseconds() - begun);
      if (status !== 401) throw new Error(`a refused sign-in answered ${status}`);
    }
  }
  const [known, unknown] = [medianOf(times.known), medianOf(times.unknown)];
  const ratio = Math.max(known, unknown) / Math.min(known, unknown);
  return { knownMilliseconds: known, unknownMilliseconds: unknown, ratio };
}

export interface FloodFigure {
  readonly aloneP99Milliseconds: number;
  readonly floodedP99Milliseconds: number;
  /** Sign-ins answered, by status. */
  readonly statuses: Readonly<Record<number, number>>;
  readonly memoryBeforeMebibytes: number | null;
  readonly memoryAfterMebibytes: number | null;
}

/**
 * Pricing at `pricesPerSecond` alone, and while `loginsPerSecond` sign-ins come, from one address or from ever new ones. They come out
 * of a process of their own: what sending them costs must not count as pricing's delay.
 */
export async function benchFlood(
  server: LoginServer,
  load: { seconds: number; pricesPerSecond: number; loginsPerSecond: number; isDistributed: boolean },
): Promise<FloodFigure> {
  const { seconds, pricesPerSecond: requestsPerSecond, loginsPerSecond, isDistributed } = load;
  const option = { model: "black_scholes_merton", option_type: "call", spot: 100, strike: 105, time_to_expiry: 0.5 };
  const body = { ...option, rate: 0.03, dividend_yield: 0, volatility: 0.2 };
  const request = requestText("/api/v1/pricing/price", body, server.key);
  // It rests, and goes before the flood when it wakes: the two have one core, and its own delays count as the server's.
  const asked = { port: server.port, request, requestsPerSecond, seconds, clock: systemClock, restMilliseconds: 0.05 };
  goFirst();
  const alone = await openLoop(asked);
  const memoryBeforeMebibytes = memoryOf(server.pid);
  const flood: Flood = {
    port: server.port,
    loginsPerSecond,
    // Pricing's first quarter is not timed; the flood lasts until its end.
    seconds: seconds * 1.1,
    isDistributed,
  };
  const flooder = Bun.spawn([process.execPath, import.meta.path, "--flood", JSON.stringify(flood)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const said = flooder.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const hear = async (isEnough: () => boolean) => {
    while (!isEnough()) {
      const { value, done } = await said.read();
      if (done) return;
      text += value;
    }
  };
  await hear(() => text.includes("\n"));
  const flooded = await openLoop(asked);
  await hear(() => false);
  return {
    aloneP99Milliseconds: alone.p99Milliseconds,
    floodedP99Milliseconds: flooded.p99Milliseconds,
    statuses: JSON.parse(text.slice(text.indexOf("\n"))) as Record<number, number>,
    memoryBeforeMebibytes,
    memoryAfterMebibytes: memoryOf(server.pid),
  };
}

interface Flood {
  readonly port: number;
  readonly loginsPerSecond: number;
  readonly seconds: number;
  readonly isDistributed: boolean;
}

/** What the flooding process does: says that it begins, sends, and says what was answered. */
async function flood({ port, loginsPerSecond, seconds, isDistributed }: Flood): Promise<void> {
  goWithOthers();
  process.stdout.write("begun\n");
  const { statuses } = await openLoop({
    port,
    request: (index) => loginText(`flood${index}@example.org`, isDistributed ? senderOf(index) : senderOf(0)),
    requestsPerSecond: loginsPerSecond,
    seconds,
    clock: systemClock,
    // More than the passwords' queue holds.
    socketCount: 512,
    restMilliseconds: 1,
  });
  process.stdout.write(JSON.stringify(statuses));
}

const senderOf = (index: number) => `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;

/** A sign-in's whole request. */
function loginText(email: string, sender: string): Buffer {
  const body = JSON.stringify({ email, password: "wrong horse battery staple" });
  const head = ["POST /api/v1/auth/login HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"];
  return Buffer.from(
    `${[...head, `X-Forwarded-For: ${sender}`, `Content-Length: ${body.length}`].join("\r\n")}\r\n\r\n${body}`,
  );
}

/** A process's resident memory, or null where nobody tells. */
function memoryOf(pid: number): number | null {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
  } catch {
    return null;
  }
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1]!;
}

/** Starts the server with as many users as tries, for the benches that need one. */
export async function withLoginServer<T>(userCount: number, work: (server: LoginServer) => Promise<T>): Promise<T> {
  const server = await startLoginServer(userCount);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

if (import.meta.main) {
  const [first = "200", second = "1"] = process.argv.slice(2);
  if (first === "--serve") {
    await serve(Number(second));
    // Sign-ins that nobody waits for any more may still be hashed.
    process.exit(0);
  }
  if (first === "--flood") await flood(JSON.parse(second) as Flood);
  else {
    const tryCount = Number(first);
    const print = (line: string) => process.stdout.write(`${line}\n`);
    for (const { credential, microseconds } of await benchGuard(200_000)) {
      print(`a look at a known ${credential}: ${microseconds.toFixed(2)} µs`);
    }
    await withLoginServer(tryCount, async (server) => {
      const { knownMilliseconds, unknownMilliseconds, ratio } = await benchTiming(server, tryCount);
      print(
        `refused sign-in, ${tryCount} tries each: known ${knownMilliseconds.toFixed(2)} ms, unknown ${unknownMilliseconds.toFixed(2)} ms, ratio ${ratio.toFixed(3)}`,
      );
      const where = process.argv[4] === "pinned" ? separateCores(server.pid) : "server and client on all cores";
      for (const isDistributed of [false, true]) {
        const load = { seconds: 6, pricesPerSecond: 1000, loginsPerSecond: 500, isDistributed };
        const figure = await benchFlood(server, load);
        const told = Object.entries(figure.statuses).map(([status, count]) => `${status}: ${count}`);
        print(
          `pricing at 1,000/s (${where}): p99 ${figure.aloneP99Milliseconds.toFixed(2)} ms alone, ${figure.floodedP99Milliseconds.toFixed(2)} ms under 500 sign-ins/s from ${isDistributed ? "ever new addresses" : "one address"} (${told.join(", ")}); memory ${figure.memoryBeforeMebibytes?.toFixed(0)} → ${figure.memoryAfterMebibytes?.toFixed(0)} MiB`,
        );
      }
    });
  }
}
