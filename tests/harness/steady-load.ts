// Clients that keep asking, each one request at a time over a kept-alive connection, and close it when told to, as clients do.
// What counts as failed: any answer but 200, a connection refused, or one that ends before the answer. Nothing is sent twice.

const headEnd = "\r\n\r\n";

export interface SteadyLoad {
  readonly answeredCount: number;
  readonly failures: readonly string[];
  /** Lets requests under way finish. */
  stop(): Promise<void>;
}

/** Starts so many clients of one address sending `request`, whose answers have no body or one with a Content-Length. */
export function steadyLoad(port: number, request: string, clientCount: number): SteadyLoad {
  let isStopping = false;
  let answeredCount = 0;
  const failures: string[] = [];
  const client = async () => {
    let connection: Connection | null = null;
    while (!isStopping && failures.length < 100) {
      try {
        connection ??= await connect(port);
        const head = await connection.ask(request);
        answeredCount += 1;
        if (!head.startsWith("HTTP/1.1 200 ")) failures.push(head.slice(0, 40));
        if (/\r\nconnection: close\r?$/im.test(head)) {
          connection.close();
          connection = null;
        }
      } catch (error) {
        failures.push(String(error));
        connection = null;
      }
    }
    connection?.close();
  };
  const clients = Array.from({ length: clientCount }, client);
  return {
    get answeredCount() {
      return answeredCount;
    },
    failures,
    async stop() {
      isStopping = true;
      await Promise.all(clients);
    },
  };
}

interface Connection {
  /** The answer's head, once all of the answer has come. Rejects where the connection ends before. */
  ask(request: string): Promise<string>;
  close(): void;
}

async function connect(port: number): Promise<Connection> {
  let received = "";
  let waiting: { resolve: (head: string) => void; reject: (error: Error) => void } | null = null;
  const broken = () => {
    waiting?.reject(new Error("the connection ended before the answer"));
    waiting = null;
  };
  let isClosed = false;
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_, bytes) {
        received += bytes.toString("latin1");
        const end = received.indexOf(headEnd);
        if (end < 0) return;
        const length = Number(/\r\ncontent-length: *(\d+)/i.exec(received)?.[1] ?? 0);
        if (received.length < end + headEnd.length + length) return;
        const head = received.slice(0, end);
        received = "";
        waiting?.resolve(head);
        waiting = null;
      },
      close() {
        isClosed = true;
        broken();
      },
      error: broken,
    },
  });
  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        if (isClosed) broken();
        else socket.write(request);
      }),
    close: () => void socket.end(),
  };
}
