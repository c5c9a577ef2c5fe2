// A real Unix datagram socket that listens, which the runtime has no call for: what systemd has at the other end of NOTIFY_SOCKET.

import { dlopen, ptr } from "bun:ffi";

export interface DatagramListener {
  /** What has come since the last look. */
  received(): string[];
  close(): void;
}

const withoutWaiting = 0x40;

/** `@` first: an abstract name, else a path that does not exist yet. */
export function listenForDatagrams(path: string): DatagramListener {
  const { symbols } = dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  });
  const name = Buffer.from(path.replace(/^@/, "\0"));
  const address = Buffer.alloc(2 + name.length);
  address.writeUInt16LE(1);
  name.copy(address, 2);
  const descriptor = symbols.socket(1, 2, 0);
  if (symbols.bind(descriptor, ptr(address), address.length) !== 0) throw new Error(`cannot listen at ${path}`);
  const buffer = Buffer.alloc(4096);
  return {
    received() {
      const texts: string[] = [];
      for (;;) {
        const length = Number(symbols.recv(descriptor, ptr(buffer), buffer.length, withoutWaiting));
        if (length < 0) return texts;
        texts.push(buffer.toString("utf8", 0, length));
      }
    },
    close: () => void symbols.close(descriptor),
  };
}
