// WebSockets: who may open one, what is said on it, and when it ends. Separate from the server, which only hands over requests to upgrade
// that the gate has let through, and from the hub, which knows channels. Invariants:
//   1. Whoever is connected was let in by the gate, and is looked at again every three seconds: what holds no more is closed.
//   2. Nothing a client does, or leaves undone, makes this process keep more than the buffer's limit for it, and one whole state.
//   3. What came in is never in a log or an answer, but for its id.

import type { ServerWebSocket, WebSocketHandler } from "bun";
import type { Permission } from "../domain/permission";
import type { Authenticator, Principal } from "../domain/principal";
import type { Listener, Resolved, StreamHub, Wire } from "../features/streaming/service";
import { Agent } from "../foundation/agent";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import type { Log } from "../foundation/log";
import { parseJson } from "./body";
import { isFromHost, tokenCredential } from "./credentials";
import { denialOf, detailOfFaults, type Problem, problemOf, problemText, Refusal } from "./problem";
import type { RequestContext } from "./request-context";
import { faultsOf } from "./schema-faults";
import {
  type AuthMessage,
  type CloseReason,
  clientMessages,
  closeCodes,
  fits,
  type SubscribeMessage,
  type UnsubscribeMessage,
} from "./socket-protocol";
import { chosenProtocol } from "./socket-upgrade";

/** What may change while the server runs is read each time. */
export interface SocketLimits {
  readonly messageBytesMax: number;
  readonly messagesPerSecond: number;
  readonly channelsPerConnectionMax: number;
  readonly connectionsMax: number;
  readonly connectionsPerUserMax: number;
  readonly connectionsPerAddressMax: number;
}

export interface SocketsOptions {
  readonly hub: StreamHub;
  readonly authenticator: Authenticator;
  readonly limits: SocketLimits;
  /** Origins of other hosts' pages that may connect. */
  readonly corsOrigins: () => readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  /** A fresh trace id for an error that is told on a socket. */
  readonly traceId: () => string;
  /** Told of every refusal on an open socket: of rights, and of too many messages. Must return at once and never throw. */
  readonly onRefused?: (refused: SocketRefused) => void;
}

export interface SocketRefused {
  readonly kind: "unauthenticated" | "forbidden" | "too-many-requests";
  readonly code: string;
  readonly op: string | null;
  readonly principal: Principal;
  readonly address: string;
}

export interface SocketStatistics {
  readonly connections: number;
  readonly opened: number;
  readonly messages: { readonly accepted: number; readonly refused: number };
  readonly closed: Readonly<Record<ClosedBy, number>>;
}

/** Who or what ended a connection: one of our reasons, a frame that no client may send, no answer to our pings, or the client. */
export type ClosedBy = CloseReason | "protocol" | "silent" | "client";

export const closedBy: readonly ClosedBy[] = [
  ...(Object.keys(closeCodes) as CloseReason[]),
  "protocol",
  "silent",
  "client",
];

export interface Sockets {
  /** What the runtime calls; the same for every connection. */
  readonly handler: WebSocketHandler<Connection>;
  /** Frames go out through this server from now on. */
  attach(server: Bun.Server<Connection>): void;
  /** Makes a socket of a request that the gate has let through. Throws Refusals: nothing has been answered then. */
  upgrade(received: Request, request: Request, context: RequestContext): void;
  /** Closes every connection, in waves spread over the time; nobody comes in any more. */
  drain(milliseconds: number): Promise<void>;
  statistics(): SocketStatistics;
  readonly agent: Agent;
}

/** Bytes that may wait for a client before the runtime cuts it: far above what the hub lets come together. */
const backpressureBytesMax = 1_048_576;
/** The runtime's own end of a connection that nothing comes from; ours comes before. */
const idleTimeoutSeconds = 120;
const lookMilliseconds = 1_000;
/** Connections are looked after in turns, so that no second has all the work. */
const pingEverySeconds = 15;
const holdsEverySeconds = 3;
const missedPongsMax = 2;
const lookupsAtOnceMax = 256;
const operationsAtOnceMax = 8;
const drainWaves = 10;
/** Seconds' worth of messages that may come at once. */
const burstSeconds = 2;

const textEncoder = new TextEncoder();

export function createSockets(options: SocketsOptions): Sockets {
  const { hub, authenticator, limits, corsOrigins, clock, log, traceId, onRefused } = options;
  const connections = new Set<Connection>();
  const perUser = new Map<string, number>();
  const perAddress = new Map<string, number>();
  const closed = Object.fromEntries(closedBy.map((name) => [name, 0])) as Record<ClosedBy, number>;
  let server: Bun.Server<Connection> | null = null;
  let isDraining = false;
  let opened = 0;
  let accepted = 0;
  let refused = 0;
  let second = 0;

  function upgrade(received: Request, request: Request, context: RequestContext): void {
    const { principal, clientAddress } = context;
    if (principal === null || server === null) throw new Error("a socket was asked for past the gate");
    const { headers } = request;
    const origin = headers.get("origin");
    if (origin !== null && !isFromHost(origin, context.host) && !corsOrigins().includes(origin)) {
      throw new Refusal({
        kind: "forbidden",
        code: "ORIGIN_NOT_ALLOWED",
        detail: "Pages of that origin may not connect",
      });
    }
    requireRoom(principal, clientAddress);
    const connection = new Connection(principal, clientAddress, opened);
    const protocol = chosenProtocol(headers.get("sec-websocket-protocol"));
    const answerHeaders = {
      "x-request-id": context.requestId,
      ...(protocol !== null && { "sec-websocket-protocol": protocol }),
    };
    count(connection, 1);
    if (server.upgrade(received, { data: connection, headers: answerHeaders })) return;
    count(connection, -1);
    throw new Refusal({ kind: "malformed", code: "HANDSHAKE_MALFORMED", detail: "The handshake is not WebSocket's" });
  }

  function requireRoom({ userId }: Principal, address: string): void {
    if (isDraining) throw unavailable("DRAINING", "This server stops; connect again, elsewhere or later");
    if (connections.size >= limits.connectionsMax) {
      throw unavailable("TOO_MANY_CONNECTIONS", "There are as many connections as this server takes");
    }
    const [of, found, most] =
      (perUser.get(userId) ?? 0) >= limits.connectionsPerUserMax
        ? ["user", perUser.get(userId), limits.connectionsPerUserMax]
        : ["address", perAddress.get(address) ?? 0, limits.connectionsPerAddressMax];
    if (found! < most) return;
    throw new Refusal({
      kind: "too-many-requests",
      code: "TOO_MANY_CONNECTIONS",
      detail: `There are as many connections as one ${of} may have`,
      headers: { "retry-after": "5" },
    });
  }

  function count({ principal: { userId }, address }: Connection, by: 1 | -1): void {
    add(perUser, userId, by);
    add(perAddress, address, by);
  }

  function message(connection: Connection, data: string | Buffer): void {
    connection.missedPongs = 0;
    if (connection.isEnding) return;
    if (!connection.takeMessage(clock.monotonicMilliseconds(), limits.messagesPerSecond)) {
      tell(connection, null, "message", tooMany());
      end(connection, "rate");
      return;
    }
    if (typeof data !== "string") {
      end(connection, "unsupported");
      return;
    }
    let id: string | number | null = null;
    let op: string | null = null;
    try {
      const value = parseJson(textEncoder.encode(data));
      ({ id, op } = headOf(value));
      act(connection, id, op, value);
    } catch (error) {
      failed(connection, id, op, error);
    }
  }

  function act(connection: Connection, id: string | number | null, op: string | null, value: unknown): void {
    const own = clientMessages.find((each) => each.op === op);
    const operation = op === null ? undefined : hub.operations.get(op);
    const schema = own?.schema ?? operation?.message;
    if (schema === undefined) {
      const known = [...clientMessages.map((each) => each.op), ...hub.operations.keys()].join(", ");
      throw mismatch([{ pointer: "/op", code: "ENUM", detail: `must be one of ${known}` }]);
    }
    if (!fits(schema, value)) throw mismatch(faultsOf(schema, value));
    if (operation !== undefined) {
      requirePermission(connection, operation.permission);
      later(connection, id, op, () => operation.run(value, connection.principal));
      return;
    }
    switch (op) {
      case "subscribe":
        subscribe(connection, id, value as SubscribeMessage);
        break;
      case "unsubscribe":
        unsubscribe(connection, id, value as UnsubscribeMessage);
        break;
      case "auth":
        later(connection, id, op, () => authenticate(connection, value as AuthMessage));
        break;
      default:
        done(connection, id, {});
    }
  }

  function subscribe(connection: Connection, id: string | number | null, asked: SubscribeMessage): void {
    const found = asked.channels.map((name) => hub.resolve(name));
    const faults = found.flatMap((each, index) =>
      "fault" in each ? [{ pointer: `/channels/${index}`, code: "CHANNEL_UNKNOWN", detail: each.fault }] : [],
    );
    if (faults.length > 0) throw mismatch(faults, "CHANNEL_UNKNOWN");
    const wanted = found as Resolved[];
    for (const { family } of wanted) requirePermission(connection, family.permission);
    const listener = connection.listener!;
    const added = new Set(wanted.filter(({ channel }) => !listener.has(channel)).map(({ channel }) => channel));
    if (listener.channelCount + added.size > limits.channelsPerConnectionMax) {
      throw new BsoptError({
        reason: "limit-breached",
        code: "TOO_MANY_CHANNELS",
        detail: `A connection may listen to ${limits.channelsPerConnectionMax} channels.`,
      });
    }
    if (![...added].every((channel) => hub.hasRoomFor(channel))) {
      throw unavailable("TOO_MANY_CHANNELS", "There are as many channels as this server keeps");
    }
    done(connection, id, { channels: wanted.map(({ channel }) => channel) });
    const { resume = {}, snapshot = true } = asked;
    wanted.forEach((each, index) => {
      const resumeAfter = resume[asked.channels[index]!] ?? resume[each.channel] ?? null;
      listener.subscribe(each, { snapshot, resumeAfter });
    });
  }

  function unsubscribe(connection: Connection, id: string | number | null, { channels }: UnsubscribeMessage): void {
    const listener = connection.listener!;
    for (const name of channels) {
      // By the name that its frames bear first: what it named may have expired since.
      if (listener.has(name)) {
        listener.unsubscribe(name);
        continue;
      }
      const found = hub.resolve(name);
      if (!("fault" in found)) listener.unsubscribe(found.channel);
    }
    done(connection, id, {});
  }

  async function authenticate(connection: Connection, { token }: AuthMessage): Promise<Record<string, unknown>> {
    const principal = await authenticator.authenticate({ ...tokenCredential(token), peerAddress: connection.address });
    if (principal.userId !== connection.principal.userId) {
      throw new BsoptError({
        reason: "forbidden",
        code: "ANOTHER_USER",
        detail: "The credential is another user's; open a connection of its own for it.",
      });
    }
    requireHeld(principal.permissions, connection);
    connection.principal = principal;
    return {};
  }

  /** Throws 403 where less is held than the stream and its channels ask for. */
  function requireHeld(held: ReadonlySet<Permission>, { listener }: Connection): void {
    for (const permission of ["stream:read" as const, ...listener!.permissions()]) {
      if (!held.has(permission)) throw missing(permission);
    }
  }

  function requirePermission(connection: Connection, permission: Permission): void {
    if (!connection.principal.permissions.has(permission)) throw missing(permission);
  }

  /** What takes time: a few at once, and answered when it is done. */
  function later(
    connection: Connection,
    id: string | number | null,
    op: string | null,
    run: () => Promise<Readonly<Record<string, unknown>>>,
  ): void {
    if (connection.operationsUnderWay >= operationsAtOnceMax) {
      throw unavailable("TOO_MANY_OPERATIONS", "Wait for the answers to what was asked before");
    }
    connection.operationsUnderWay += 1;
    void run()
      .then(
        (answer) => done(connection, id, answer),
        (error) => failed(connection, id, op, error),
      )
      .finally(() => {
        connection.operationsUnderWay -= 1;
      });
  }

  function done(connection: Connection, id: string | number | null, answer: Readonly<Record<string, unknown>>): void {
    accepted += 1;
    connection.send(JSON.stringify({ id, ok: true, ...answer }));
  }

  function failed(connection: Connection, id: string | number | null, op: string | null, error: unknown): void {
    const told = problemOf(error);
    if (told.status === 500) log.error({ error, op }, "a message on a socket failed");
    tell(connection, id, op, told);
    // Who asks for what it may not have is told so, and has to connect with something better. A wrong credential shown in time is not that.
    if (denialOf(told) === "forbidden" && op !== "auth") end(connection, "forbidden");
  }

  function tell(connection: Connection, id: string | number | null, op: string | null, told: Problem): void {
    refused += 1;
    const kind = denialOf(told);
    const { principal, address } = connection;
    if (kind !== null) onRefused?.({ kind, code: told.code, op, principal, address });
    const problem = JSON.parse(problemText(told, { traceId: traceId(), path: "/api/v1/ws" })) as unknown;
    connection.send(JSON.stringify({ id, error: problem }));
  }

  function end(connection: Connection, why: CloseReason): void {
    if (connection.closedBy !== null) return;
    connection.closedBy = why;
    const { code, reason } = closeCodes[why];
    connection.socket?.close(code, reason);
  }

  /** Whether a connection's credential still holds; closes it where it does not. What cannot be told now is asked again. */
  function lookAt(connection: Connection): Promise<void> | undefined {
    const { principal } = connection;
    if (authenticator.stillHolds === undefined) return undefined;
    try {
      const held = authenticator.stillHolds(principal, connection.address);
      if (held instanceof Promise) {
        return held.then(
          (permissions) => requireStill(connection, permissions),
          (error) => lost(connection, error),
        );
      }
      requireStill(connection, held);
    } catch (error) {
      lost(connection, error);
    }
    return undefined;
  }

  function requireStill(connection: Connection, held: ReadonlySet<Permission>): void {
    try {
      requireHeld(held, connection);
    } catch (error) {
      failed(connection, null, null, error);
    }
  }

  function lost(connection: Connection, error: unknown): void {
    if (error instanceof BsoptError && error.reason === "unauthenticated") end(connection, "expired");
    else if (!(error instanceof BsoptError && error.reason === "unavailable")) {
      log.error({ error }, "a connection's credential could not be looked at");
    }
  }

  async function look(): Promise<void> {
    second += 1;
    hub.look();
    const now = clock.nowMicroseconds();
    let pending: Promise<void>[] = [];
    for (const connection of connections) {
      if (connection.closedBy !== null) {
        // It was told a second ago at least; who does not read will not hear it either.
        if (connection.isEnding) connection.socket?.terminate();
        connection.isEnding = true;
        continue;
      }
      const { expiresAt } = connection.principal;
      if (expiresAt !== undefined && expiresAt <= now) {
        end(connection, "expired");
        continue;
      }
      if (connection.number % pingEverySeconds === second % pingEverySeconds) ping(connection);
      if (connection.number % holdsEverySeconds !== second % holdsEverySeconds) continue;
      const asked = lookAt(connection);
      if (asked === undefined) continue;
      pending.push(asked);
      if (pending.length < lookupsAtOnceMax) continue;
      await Promise.all(pending);
      pending = [];
    }
    await Promise.all(pending);
  }

  function ping(connection: Connection): void {
    if (connection.missedPongs >= missedPongsMax) {
      connection.closedBy = "silent";
      connection.socket?.terminate();
      return;
    }
    connection.missedPongs += 1;
    connection.socket?.ping();
  }

  async function drain(milliseconds: number): Promise<void> {
    isDraining = true;
    for (let wave = drainWaves; wave > 0; wave--) {
      let left = Math.ceil(connections.size / wave);
      for (const connection of connections) {
        if (left === 0) break;
        if (connection.closedBy !== null) continue;
        end(connection, "draining");
        left -= 1;
      }
      if (wave > 1 && milliseconds > 0 && connections.size > 0) await clock.sleep(milliseconds / drainWaves);
    }
  }

  const handler: WebSocketHandler<Connection> = {
    perMessageDeflate: false,
    maxPayloadLength: limits.messageBytesMax,
    backpressureLimit: backpressureBytesMax,
    closeOnBackpressureLimit: true,
    idleTimeout: idleTimeoutSeconds,
    sendPings: false,
    open(socket) {
      const connection = socket.data;
      opened += 1;
      connections.add(connection);
      connection.open(socket, () => end(connection, "too_slow"));
      connection.listener = hub.listen(connection);
    },
    message: ({ data }, text) => message(data, text),
    drain: ({ data }) => data.listener?.drained(),
    // A flood of pings is a flood of messages.
    ping({ data }) {
      data.missedPongs = 0;
      if (!data.takeMessage(clock.monotonicMilliseconds(), limits.messagesPerSecond)) end(data, "rate");
    },
    pong({ data }) {
      data.missedPongs = 0;
    },
    close({ data }, code, reason) {
      connections.delete(data);
      count(data, -1);
      data.closedBy ??= enderOf(code, reason);
      closed[data.closedBy] += 1;
      data.listener?.close();
      data.socket = null;
    },
  };

  return {
    handler,
    attach(made) {
      server = made;
      hub.attach((topic, text) => made.publish(topic, text));
    },
    upgrade,
    drain,
    statistics: () => ({
      connections: connections.size,
      opened,
      messages: { accepted, refused },
      closed: { ...closed },
    }),
    agent: new Agent({
      name: "stream-connections",
      intervalMilliseconds: lookMilliseconds,
      failuresMax: 5,
      clock,
      round: look,
      onFailure: (error) => log.warn({ err: error }, "a look at the streams' connections failed"),
    }),
  };
}

/** One client. There may be a hundred thousand: only what each needs. */
export class Connection implements Wire {
  readonly number: number;
  readonly address: string;
  principal: Principal;
  socket: ServerWebSocket<Connection> | null = null;
  listener: Listener | null = null;
  /** Null: it is open. */
  closedBy: ClosedBy | null = null;
  /** It was told to go at the last look. */
  isEnding = false;
  missedPongs = 0;
  operationsUnderWay = 0;
  #messageDebt = 0;
  #messageAtMilliseconds = 0;
  #onTooSlow: (() => void) | null = null;

  constructor(principal: Principal, address: string, number: number) {
    this.principal = principal;
    this.address = address;
    this.number = number;
  }

  open(socket: ServerWebSocket<Connection>, onTooSlow: () => void): void {
    this.socket = socket;
    this.#onTooSlow = onTooSlow;
  }

  /** Counts a message; false: it came too soon. */
  takeMessage(nowMilliseconds: number, perSecond: number): boolean {
    const passed = (nowMilliseconds - this.#messageAtMilliseconds) / 1000;
    this.#messageAtMilliseconds = nowMilliseconds;
    this.#messageDebt = Math.max(0, this.#messageDebt - passed * perSecond) + 1;
    return this.#messageDebt <= perSecond * burstSeconds;
  }

  send(text: string): void {
    if (this.closedBy === null) this.socket?.send(text);
  }

  join(topic: string): void {
    this.socket?.subscribe(topic);
  }

  leave(topic: string): void {
    this.socket?.unsubscribe(topic);
  }

  get bufferedBytes(): number {
    return this.socket?.getBufferedAmount() ?? 0;
  }

  tooSlow(): void {
    this.#onTooSlow?.();
  }
}

/** Who ended a connection that we did not: what the runtime refuses by itself it tells here in words of its own. */
function enderOf(code: number, reason: string): ClosedBy {
  if (code !== 1006 || !reason.startsWith("Received ")) return "client";
  return reason === "Received too big message" ? "too_big" : "protocol";
}

function add(counts: Map<string, number>, name: string, by: 1 | -1): void {
  const sum = (counts.get(name) ?? 0) + by;
  if (sum > 0) counts.set(name, sum);
  else counts.delete(name);
}

/** What of a message is needed to answer it, whatever else is wrong with it. */
function headOf(value: unknown): { id: string | number | null; op: string | null } {
  if (typeof value !== "object" || value === null) return { id: null, op: null };
  const { id, op } = value as { id?: unknown; op?: unknown };
  const isId = Number.isSafeInteger(id) || (typeof id === "string" && id.length <= 64);
  return { id: isId ? (id as string | number) : null, op: typeof op === "string" ? op : null };
}

function mismatch(faults: Refusal["faults"], code = "SCHEMA_INVALID"): Refusal {
  return new Refusal({ kind: "schema-mismatch", code, detail: detailOfFaults(faults), faults });
}

function missing(permission: Permission): Refusal {
  return new Refusal({
    kind: "forbidden",
    code: "PERMISSION_MISSING",
    detail: `This needs the permission ${permission}`,
  });
}

function tooMany(): Problem {
  return problemOf(
    new Refusal({
      kind: "too-many-requests",
      code: "RATE_LIMITED",
      detail: "Too many messages on one connection",
      headers: {},
    }),
  );
}

function unavailable(code: string, detail: string): Refusal {
  return new Refusal({ kind: "unavailable", code, detail, headers: { "retry-after": "5" } });
}
