// Speaks HTTP/1.1 by hand, for what no client library would send: two Host headers, a length without a body, broken
// chunks. It reads whole answers by their own length, so that no test waits by the clock.

import { connect, type Socket } from "node:net";

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export class RawConnection {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #isClosed = false;
  #wake: (() => void) | null = null;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake?.();
    });
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => {
      this.#isClosed = true;
      this.#wake?.();
    });
  }

  /** Sends as it is; text as Latin-1, so that every byte can be written. */
  send(data: string | Uint8Array): void {
    this.#socket.write(typeof data === "string" ? Buffer.from(data, "latin1") : data);
  }

  /** The next whole answer. Throws where the connection closes before one is whole. */
  async answer(): Promise<RawAnswer> {
    for (;;) {
      const whole = takeAnswer(this.#received);
      if (whole) {
        this.#received = this.#received.subarray(whole.length);
        return whole.answer;
      }
      if (this.#isClosed) throw new Error(`closed after ${JSON.stringify(this.#received.toString("latin1"))}`);
      await this.#more();
    }
  }

  /** Resolves when the server has closed the connection. */
  async closed(): Promise<void> {
    while (!this.#isClosed) await this.#more();
  }

  /** What came and was not taken as an answer, as Latin-1. */
  get rest(): string {
    return this.#received.toString("latin1");
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    this.#socket.destroy();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** One request over a connection of its own. */
export async function rawRequest(port: number, text: string | Uint8Array): Promise<RawAnswer> {
  const connection = new RawConnection(port);
  try {
    connection.send(text);
    return await connection.answer();
  } finally {
    connection.close();
  }
}

function takeAnswer(received: Buffer): { answer: RawAnswer; length: number } | null {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const [statusLine = "", ...lines] = received.subarray(0, end).toString("latin1").split("\r\n");
  const status = Number(statusLine.split(" ")[1]);
  const headers = new Headers(
    lines.map((line): [string, string] => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const bodyStart = end + 4;
  const length = bodyStart + Number(headers.get("content-length") ?? 0);
  if (received.length < length) return null;
  return { answer: { status, headers, body: received.subarray(bodyStart, length).toString("utf8") }, length };
}
