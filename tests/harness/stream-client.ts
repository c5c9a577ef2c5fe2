// A WebSocket client for tests: it keeps what comes in order, and a test waits for the next thing rather than for time. Credentials go as
// headers, as a program would send them.

export interface Frame {
  readonly ch: string;
  readonly seq: number;
  readonly prev: number | null;
  readonly ts: string;
  readonly type: "snapshot" | "delta" | "event" | "lag";
  // biome-ignore lint/suspicious/noExplicitAny: tests read fields of frames they then assert on
  readonly data: any;
}

/** An answer or a frame. */
// biome-ignore lint/suspicious/noExplicitAny: tests read fields of messages they then assert on
export type Message = any;

export class StreamClient {
  readonly socket: WebSocket;
  readonly #messages: Message[] = [];
  #wake: (() => void)[] = [];
  /** Code and reason, once it is closed. */
  closedWith: { code: number; reason: string } | null = null;
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.onmessage = ({ data }) => {
      this.#messages.push(JSON.parse(String(data)));
      this.#stir();
    };
    socket.onclose = ({ code, reason }) => {
      this.closedWith = { code, reason };
      this.#stir();
    };
    socket.onerror = () => undefined;
  }

  /** Connects; throws where the handshake is refused. */
  static async open(
    url: string,
    options: { headers?: Record<string, string>; path?: string; protocols?: string[] } = {},
  ): Promise<StreamClient> {
    const { headers = {}, path = "/api/v1/ws", protocols } = options;
    const address = `${url.replace(/^http/, "ws")}${path}`;
    const client = new StreamClient(
      // Bun's client takes headers, which a browser's does not.
      new WebSocket(address, { headers, ...(protocols && { protocols }) } as unknown as string[]),
    );
    await new Promise<void>((resolve, reject) => {
      client.socket.onopen = () => resolve();
      client.socket.addEventListener("close", ({ code }) => reject(new Error(`refused, ${code}`)));
    });
    return client;
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** The next message of whatever kind, or the one that fits; what comes before it is passed over. Fails when the connection is closed. */
  async next(fitting: (message: Message) => boolean = () => true): Promise<Message> {
    for (;;) {
      for (let message = this.#messages.shift(); message !== undefined; message = this.#messages.shift()) {
        if (fitting(message)) return message;
      }
      if (this.closedWith) throw new Error(`closed with ${this.closedWith.code} ${this.closedWith.reason}`);
      await this.#stirred();
    }
  }

  /** Sends an op and waits for its answer; frames that come in between stay. */
  async ask(op: string, fields: Record<string, unknown> = {}): Promise<Message> {
    const id = this.#nextId++;
    this.send({ id, op, ...fields });
    for (;;) {
      const index = this.#messages.findIndex((message) => message.id === id);
      if (index >= 0) return this.#messages.splice(index, 1)[0];
      if (this.closedWith) throw new Error(`closed with ${this.closedWith.code} ${this.closedWith.reason}`);
      await this.#stirred();
    }
  }

  /** The next frame of a channel. */
  frame(channel?: string): Promise<Frame> {
    return this.next(({ ch }) => ch !== undefined && (channel === undefined || ch === channel));
  }

  async closed(): Promise<{ code: number; reason: string }> {
    while (!this.closedWith) await this.#stirred();
    return this.closedWith;
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed();
  }

  #stir(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }

  #stirred(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake.push(resolve);
    });
  }
}
