// One process of a crowd of WebSocket clients, as many as it is told: it speaks the protocol over bare sockets, because a library's client costs
// more than the server that is measured. It answers pings, looks that no number is missing, and counts how late frames come. Told
// what to do, line by line as JSON on standard input, by bench/streaming/sockets.ts, it answers each with a line.

import type { Socket } from "bun";

export interface Plan {
  readonly port: number;
  readonly key: string;
  readonly channel: string;
  readonly count: number;
  /** Handshakes under way at once. */
  readonly atOnce: number;
  /** Where to connect to: an address has only so many ports to one other. */
  readonly hosts: readonly string[];
  /** Connect and subscribe, and never read. */
  readonly isDeaf?: boolean;
}

export interface Report {
  readonly open: number;
  readonly frames: number;
  readonly gaps: number;
  readonly closed: number;
  readonly failed: number;
  /** Milliseconds between a frame's `ts` and its arrival: a count for each millisecond up to five seconds, the last for all above. */
  readonly lateness: readonly number[];
}

export type Order =
  | { readonly connect: Plan }
  | { readonly report: true }
  | { readonly drop: number }
  | { readonly end: true };

interface Client {
  seq: number;
  /** Handshake, then frames. */
  isOpen: boolean;
  rest: Uint8Array | null;
  isDropped: boolean;
}

export const latenessMax = 5_000;
const mask = [0x37, 0xfa, 0x21, 0x3d] as const;
const quote = 34;
const encoder = new TextEncoder();

/** A client's frame, masked as it must be. */
export function clientFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const head = payload.length < 126 ? 6 : 8;
  const bytes = new Uint8Array(head + payload.length);
  bytes[0] = 0x80 | opcode;
  bytes[1] = 0x80 | (head === 6 ? payload.length : 126);
  if (head === 8) new DataView(bytes.buffer).setUint16(2, payload.length);
  bytes.set(mask, head - 4);
  for (let index = 0; index < payload.length; index++) bytes[head + index] = payload[index]! ^ mask[index & 3]!;
  return bytes;
}

export class Crowd {
  readonly #sockets = new Set<Socket<Client>>();
  #lateness = new Array<number>(latenessMax + 1).fill(0);
  #frames = 0;
  #gaps = 0;
  #closed = 0;
  #failed = 0;
  #joined = 0;

  /** Resolves when each has its snapshot, or was refused. */
  async connect(plan: Plan): Promise<void> {
    const { port, key, channel, count, atOnce, hosts, isDeaf = false } = plan;
    const request = encoder.encode(
      `GET /api/v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-API-Key: ${key}\r\n\r\n`,
    );
    const subscribe = clientFrame(1, encoder.encode(JSON.stringify({ id: 1, op: "subscribe", channels: [channel] })));
    const target = this.#joined + this.#failed + count;
    let next = 0;
    const one = async (): Promise<void> => {
      while (next < count) {
        const index = next++;
        const { promise, resolve } = Promise.withResolvers<void>();
        const data: Client = { seq: 0, isOpen: false, rest: null, isDropped: false };
        try {
          await Bun.connect<Client>({
            hostname: hosts[index % hosts.length]!,
            port,
            data,
            socket: {
              open: (socket) => void socket.write(request),
              data: (socket, chunk) => {
                if (socket.data.isOpen) return this.#take(socket, chunk);
                const end = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).indexOf("\r\n\r\n");
                if (end < 0 || chunk[9] !== 0x31 || chunk[10] !== 0x30 || chunk[11] !== 0x31) {
                  this.#failed += 1;
                  socket.terminate();
                  return resolve();
                }
                socket.data.isOpen = true;
                this.#sockets.add(socket);
                socket.write(subscribe);
                if (isDeaf) {
                  socket.pause();
                  this.#joined += 1;
                } else if (end + 4 < chunk.length) this.#take(socket, chunk.subarray(end + 4));
                resolve();
              },
              close: (socket) => {
                this.#sockets.delete(socket);
                if (socket.data.isOpen && !socket.data.isDropped) this.#closed += 1;
                resolve();
              },
              error: () => undefined,
            },
          });
          await promise;
        } catch {
          this.#failed += 1;
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, one));
    while (this.#joined + this.#failed + this.#closed < target) await Bun.sleep(5);
  }

  /** Lets so many go without a word. */
  async drop(count: number): Promise<void> {
    let left = count;
    for (const socket of this.#sockets) {
      if (left-- === 0) break;
      socket.data.isDropped = true;
      this.#joined -= 1;
      socket.terminate();
    }
    await Bun.sleep(0);
  }

  /** What came since the last report. */
  report(): Report {
    const report = {
      open: this.#sockets.size,
      frames: this.#frames,
      gaps: this.#gaps,
      closed: this.#closed,
      failed: this.#failed,
      lateness: this.#lateness,
    };
    this.#lateness = new Array<number>(latenessMax + 1).fill(0);
    this.#frames = 0;
    return report;
  }

  #take(socket: Socket<Client>, chunk: Uint8Array): void {
    const client = socket.data;
    let bytes = chunk;
    if (client.rest !== null) {
      bytes = new Uint8Array(client.rest.length + chunk.length);
      bytes.set(client.rest);
      bytes.set(chunk, client.rest.length);
      client.rest = null;
    }
    let at = 0;
    while (bytes.length - at >= 2) {
      let length = bytes[at + 1]! & 0x7f;
      let head = 2;
      if (length === 126) {
        head = 4;
        if (bytes.length - at < head) break;
        length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
      } else if (length === 127) {
        head = 10;
        if (bytes.length - at < head) break;
        length = Number(new DataView(bytes.buffer, bytes.byteOffset + at + 2).getBigUint64(0));
      }
      if (bytes.length - at < head + length) break;
      const opcode = bytes[at]! & 15;
      const payload = bytes.subarray(at + head, at + head + length);
      if (opcode === 1) this.#frame(client, payload);
      else if (opcode === 9) socket.write(clientFrame(10, payload));
      at += head + length;
    }
    if (at < bytes.length) client.rest = bytes.slice(at);
  }

  /** The moments of the last frame by its number: most clients get the same, and reading one out of text costs more than all else here. */
  #lastSeq = 0;
  #lastMilliseconds = 0;

  #frame(client: Client, payload: Uint8Array): void {
    // {"ch":"…","seq":12,"prev":11,…: numbers are read where they must stand, and everything else only where that is not what follows.
    let at = payload.indexOf(quote, 7) + 8;
    let seq = 0;
    for (let digit = payload[at]! - 48; digit >= 0 && digit <= 9; digit = payload[++at]! - 48) seq = seq * 10 + digit;
    at += 8;
    let prev = 0;
    for (let digit = payload[at]! - 48; digit >= 0 && digit <= 9; digit = payload[++at]! - 48) prev = prev * 10 + digit;
    if (seq === this.#lastSeq && prev === client.seq && prev !== 0) {
      client.seq = seq;
      this.#late();
      return;
    }
    this.#any(client, payload);
  }

  #late(): void {
    this.#frames += 1;
    const late = Math.round(performance.timeOrigin + performance.now() - this.#lastMilliseconds);
    this.#lateness[Math.max(0, Math.min(latenessMax, late))]! += 1;
  }

  #any(client: Client, payload: Uint8Array): void {
    const text = Buffer.from(payload.buffer, payload.byteOffset, Math.min(payload.length, 200)).toString("latin1");
    const found = /^\{"ch":"[^"]*","seq":(\d+),"prev":(\d+|null),"ts":"([^"]*)","type":"([a-z]+)"/.exec(text);
    if (found === null) return;
    const [, seqText, prevText, ts, type] = found;
    const seq = Number(seqText);
    if (type === "snapshot" && client.seq === 0) {
      client.seq = seq;
      this.#joined += 1;
      return;
    }
    if (type === "lag" || type === "snapshot" || Number(prevText) !== client.seq) this.#gaps += 1;
    client.seq = seq;
    this.#lastSeq = seq;
    this.#lastMilliseconds = Date.parse(`${ts!.slice(0, 23)}Z`);
    this.#late();
  }
}

if (import.meta.main) {
  const crowd = new Crowd();
  for await (const line of console) {
    const order = JSON.parse(line) as Order;
    if ("connect" in order) await crowd.connect(order.connect);
    if ("drop" in order) await crowd.drop(order.drop);
    if ("end" in order) process.exit(0);
    process.stdout.write(`${JSON.stringify("report" in order ? crowd.report() : { done: true })}\n`);
  }
}
