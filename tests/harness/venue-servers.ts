// Servers that speak Kite's and Deribit's protocols as far as their feeds use them, on real sockets: they check what they are asked, send what
// a test tells them to, and go silent, away or mad on request.

import type { Server, ServerWebSocket } from "bun";

interface Seen {
  readonly search: URLSearchParams;
}

/** Takes WebSockets on a free port; what is said on them is the test's affair. */
export class SocketServer {
  readonly sockets = new Set<ServerWebSocket<Seen>>();
  readonly searches: URLSearchParams[] = [];
  /** Refuse upgrades with this status. */
  refuseWith: number | null = null;
  /** Take connections and never answer the upgrade. */
  isMute = false;
  protected onOpen: (socket: ServerWebSocket<Seen>) => void = () => {};
  protected onText: (text: string, socket: ServerWebSocket<Seen>) => void = () => {};
  #server: Server<Seen>;

  constructor(port = 0) {
    this.#server = this.#listen(port);
  }

  #listen(port: number): Server<Seen> {
    return Bun.serve<Seen>({
      port,
      hostname: "127.0.0.1",
      fetch: async (request, server) => {
        const search = new URL(request.url).searchParams;
        this.searches.push(search);
        if (this.isMute) await new Promise(() => {});
        if (this.refuseWith !== null) return new Response("no", { status: this.refuseWith });
        if (server.upgrade(request, { data: { search } })) return undefined;
        return new Response("no", { status: 426 });
      },
      websocket: {
        sendPings: false,
        open: (socket) => {
          this.sockets.add(socket);
          this.onOpen(socket);
        },
        message: (socket, data) => this.onText(String(data), socket),
        close: (socket) => {
          this.sockets.delete(socket);
        },
      },
    });
  }

  get port(): number {
    return this.#server.port!;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/`;
  }

  get connectionCount(): number {
    return this.searches.length;
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    for (const socket of this.sockets) socket.send(data);
  }

  /** Closes every connection; whoever wants may come back. */
  hangUp(): void {
    for (const socket of this.sockets) socket.close(1001);
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
}

/** Kite's side: subscriptions and modes by number. */
export class KiteServer extends SocketServer {
  readonly modes = new Map<number, string>();
  readonly messages: { a: string; v: unknown }[] = [];

  constructor() {
    super();
    this.onOpen = (socket) => {
      this.modes.clear();
      socket.send(new Uint8Array([0]));
    };
    this.onText = (text) => {
      const message = JSON.parse(text) as { a: string; v: unknown };
      this.messages.push(message);
      if (message.a === "subscribe") for (const token of message.v as number[]) this.modes.set(token, "quote");
      if (message.a === "unsubscribe") for (const token of message.v as number[]) this.modes.delete(token);
      if (message.a === "mode") {
        const [mode, tokens] = message.v as [string, number[]];
        for (const token of tokens) if (this.modes.has(token)) this.modes.set(token, mode);
      }
    };
  }
}

/** A packet of Kite's, from 32-bit words by their place; what is left out is 0. */
export function kitePacket(size: number, words: Readonly<Record<number, number>>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (const [at, word] of Object.entries(words)) view.setInt32(Number(at), word);
  return bytes;
}

/** A message of Kite's. */
export function kiteMessage(packets: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const size = packets.reduce((sum, packet) => sum + 2 + packet.length, 2);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, packets.length);
  let at = 2;
  for (const packet of packets) {
    view.setUint16(at, packet.length);
    bytes.set(packet, at + 2);
    at += 2 + packet.length;
  }
  return bytes;
}

interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: Record<string, unknown>;
}

/** Deribit's side: instruments, subscriptions, heartbeats. */
export class DeribitServer extends SocketServer {
  readonly requests: Request[] = [];
  readonly channels = new Set<string>();
  /** By name, as get_instruments tells them. */
  readonly listed = new Map<string, Record<string, unknown>>();
  /** Channels that are not confirmed. */
  readonly refused = new Set<string>();
  /** Answers nothing. */
  isDeaf = false;

  constructor() {
    super();
    this.onOpen = () => this.channels.clear();
    this.onText = (text, socket) => {
      const request = JSON.parse(text) as Request;
      this.requests.push(request);
      if (this.isDeaf) return;
      const answer = this.#answer(request);
      socket.send(
        JSON.stringify({ jsonrpc: "2.0", id: request.id, ...answer, usIn: 1, usOut: 2, usDiff: 1, testnet: false }),
      );
    };
  }

  #answer({ method, params }: Request): Record<string, unknown> {
    switch (method) {
      case "public/set_heartbeat":
        return { result: "ok" };
      case "public/test":
        return { result: { version: "1.2.26" } };
      case "public/get_instruments":
        return { result: [...this.listed.values()].filter(({ base_currency: coin }) => coin === params.currency) };
      case "public/get_instrument":
        return { result: this.listed.get(String(params.instrument_name)) };
      case "public/subscribe": {
        const taken = (params.channels as string[]).filter((channel) => !this.refused.has(channel));
        for (const channel of taken) this.channels.add(channel);
        return { result: taken };
      }
      case "public/unsubscribe":
        for (const channel of params.channels as string[]) this.channels.delete(channel);
        return { result: params.channels };
      default:
        return { error: { code: -32601, message: "Method not found" } };
    }
  }

  list(name: string, change: Record<string, unknown> = {}): void {
    this.listed.set(name, {
      ...{ instrument_name: name, kind: "option", base_currency: "BTC", quote_currency: "BTC", tick_size: 0.0001 },
      ...{ contract_size: 1, expiration_timestamp: 1_798_358_400_000, is_active: true, state: "open", ...change },
    });
  }

  notify(channel: string, data: unknown): void {
    this.send(JSON.stringify({ jsonrpc: "2.0", method: "subscription", params: { channel, data } }));
  }

  ticker(name: string, change: Record<string, unknown> = {}): void {
    this.notify(`ticker.${name}.100ms`, tickerOf(name, change));
  }

  heartbeat(type: "heartbeat" | "test_request"): void {
    this.send(JSON.stringify({ jsonrpc: "2.0", method: "heartbeat", params: { type } }));
  }
}

/** A ticker as Deribit sends one. */
export function tickerOf(name: string, change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    ...{ instrument_name: name, timestamp: 1_795_186_800_123, state: "open", index_price: 90_000 },
    ...{ best_bid_price: 0.05, best_bid_amount: 12.5, best_ask_price: 0.0525, best_ask_amount: 3 },
    ...{
      last_price: 0.051,
      mark_price: 0.0512,
      mark_iv: 47.3,
      underlying_price: 90_400,
      underlying_index: "BTC-25DEC26",
    },
    ...{ open_interest: 812.4, stats: { volume: 33.1, high: 0.06, low: 0.04 }, ...change },
  };
}
