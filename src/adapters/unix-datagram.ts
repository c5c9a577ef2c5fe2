// Datagrams to a Unix socket, which the runtime has no call for: three functions of the system's C library, called as they are. Separate
// because it is the one place that calls foreign code. It sends short texts and waits for nobody; what cannot be sent is dropped.

import { dlopen, ptr } from "bun:ffi";
import { existsSync } from "node:fs";

export interface DatagramSender {
  /** True where the system took it. */
  send(text: string): boolean;
  close(): void;
}

const unixFamily = 1;
const datagramType = 2;
/** SOCK_CLOEXEC: no process started later holds it. */
const closeOnExec = 0o2000000;
/** MSG_DONTWAIT and MSG_NOSIGNAL. */
const withoutWaiting = 0x40 | 0x4000;
const familyBytes = 2;
const pathBytesMax = 107;

/** musl's library is its loader, by a path of its own; everywhere else the C library has this name. */
const muslLibraries = ["/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1"];

/** A sender to the socket at that path (`@` first: an abstract name), or null where there is none to be had: not on Linux, path too long. */
export function openDatagramSender(path: string): DatagramSender | null {
  const name = Buffer.from(path.replace(/^@/, "\0"));
  if (process.platform !== "linux" || name.length === 0 || name.length > pathBytesMax) return null;
  try {
    const { symbols } = dlopen(muslLibraries.find((library) => existsSync(library)) ?? "libc.so.6", {
      socket: { args: ["i32", "i32", "i32"], returns: "i32" },
      sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
      close: { args: ["i32"], returns: "i32" },
    });
    // struct sockaddr_un: the family in the machine's order (little-endian wherever this runs), then the path.
    const address = Buffer.alloc(familyBytes + name.length);
    address.writeUInt16LE(unixFamily);
    name.copy(address, familyBytes);
    const descriptor = symbols.socket(unixFamily, datagramType | closeOnExec, 0);
    if (descriptor < 0) return null;
    return {
      send(text) {
        const bytes = Buffer.from(text);
        const sent = symbols.sendto(descriptor, ptr(bytes), bytes.length, withoutWaiting, ptr(address), address.length);
        return Number(sent) === bytes.length;
      },
      close: () => void symbols.close(descriptor),
    };
  } catch {
    return null;
  }
}
