// Reads what strace wrote of processes that work on one folder, as steps for the model of a disk, in the order they happened. It must
// miss nothing that changes the folder: a call it does not know is an error, and what it made of the calls is compared with the real
// folder afterwards (recording.ts).

import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Disk, Node, Span } from "./disk";

/** Calls that change files, make them durable, or tell somebody outside something. */
export const tracedCalls = [
  ..."open openat openat2 creat close write pwrite64 writev pwritev pwritev2 sendto sendmsg".split(" "),
  ..."ftruncate truncate fallocate copy_file_range sendfile splice mmap io_uring_setup ioctl".split(" "),
  ..."fsync fdatasync sync syncfs sync_file_range msync".split(" "),
  ..."rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat mkdir mkdirat rmdir".split(" "),
];

/** Something that happened: to the disk, or words that left a process. */
export interface Step {
  /** When: a place in the trace. */
  readonly at: number;
  /** Present where it happened to the disk. */
  readonly apply?: (disk: Disk) => void;
  /** Present where it was said: on a socket, into a pipe, or into a file outside the folder. */
  readonly said?: string;
}

export interface Trace {
  /** In order. */
  readonly steps: readonly Step[];
  /** Calls that a killed process was in: whether they happened nobody knows. */
  readonly unknownCount: number;
}

interface Call {
  readonly name: string;
  readonly args: readonly string[];
  readonly span: Span;
  /** The result and, for a descriptor, its path. */
  readonly result: string;
}

/** Reads the trace; `top` is the folder that matters, and the working folder of every process in it. */
export async function readTrace(path: string, top: string): Promise<Trace> {
  const steps: Step[] = [];
  const open = new Map<string, { text: string; begin: number }>();
  const reader = new CallReader(top, steps);
  let unknownCount = 0;
  let at = 0;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    at += 1;
    const space = line.indexOf(" ");
    const thread = line.slice(0, space);
    const text = line.slice(space).trimStart();
    if (text.startsWith("+++")) {
      const last = open.get(thread)?.text;
      open.delete(thread);
      if (last !== undefined && !/^(fsync|fdatasync|close|openat)\(/.test(last)) unknownCount += 1;
      continue;
    }
    if (text.startsWith("---")) continue;
    const unfinished = text.indexOf(" <unfinished ...>");
    if (unfinished >= 0) {
      open.set(thread, { text: text.slice(0, unfinished), begin: at });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(text);
    const begun = resumed ? open.get(thread) : undefined;
    open.delete(thread);
    const whole = resumed ? (begun?.text ?? "") + text.slice(resumed[0].length) : text;
    const call = callOf(whole, { begin: begun?.begin ?? at, end: at });
    if (call === null) throw new Error(`the trace has a line that nobody understands: ${whole.slice(0, 200)}`);
    reader.read(call);
  }
  steps.sort((one, other) => one.at - other.at);
  return { steps, unknownCount };
}

function callOf(text: string, span: Span): Call | null {
  const name = /^(\w+)\(/.exec(text)?.[1];
  const equals = text.lastIndexOf(") ");
  const result = /^\) += (.+)$/.exec(text.slice(equals))?.[1];
  if (name === undefined || result === undefined) return null;
  return { name, args: splitArguments(text.slice(name.length + 1, equals)), span, result };
}

/** Splits at commas outside brackets; strings hold nothing but \x.. and so no brackets. */
function splitArguments(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x22) index = text.indexOf('"', index + 1);
    else if (code === 0x7b || code === 0x5b || code === 0x28) depth += 1;
    else if (code === 0x7d || code === 0x5d || code === 0x29) depth -= 1;
    else if (code === 0x2c && depth === 0) {
      parts.push(text.slice(from, index).trim());
      from = index + 1;
    }
  }
  parts.push(text.slice(from).trim());
  return parts;
}

/** The bytes of a string as strace -xx writes it. Throws where it was cut short. */
function bytesOf(text: string): Buffer {
  if (!text.startsWith('"') || !text.endsWith('"')) throw new Error(`not a whole string: ${text.slice(0, 60)}`);
  return Buffer.from(text.slice(1, -1).replaceAll("\\x", ""), "hex");
}

const textOf = (text: string) => bytesOf(text).toString("utf8");

/** A descriptor's number and what it stands for, such as 17</a/b> or 3<socket:[1]>. */
function descriptorOf(text: string): { number: string; path: string; isDeleted: boolean } {
  const match = /^(-?\w+)(?:<((?:\\x[0-9a-f]{2})*)>)?(\(deleted\))?/.exec(text);
  if (!match) throw new Error(`not a descriptor: ${text.slice(0, 60)}`);
  const path = textOf(`"${match[2] ?? ""}"`);
  const isDeleted = match[3] !== undefined || path.endsWith(" (deleted)");
  return { number: match[1]!, path: path.replace(/ \(deleted\)$/, ""), isDeleted };
}

/** A scatter list's bytes in one. */
function gathered(text: string): Buffer {
  return Buffer.concat([...text.matchAll(/iov_base=("(?:\\x[0-9a-f]{2})*")/g)].map((match) => bytesOf(match[1]!)));
}

/** Turns calls into steps; knows which descriptors write where. */
class CallReader {
  readonly #top: string;
  readonly #steps: Step[];
  /** Where the next `write` on a descriptor goes, by number and path. */
  readonly #positions = new Map<string, number>();

  constructor(top: string, steps: Step[]) {
    this.#top = top;
    this.#steps = steps;
  }

  /** The path below the top, or null where it is not there. */
  #below(path: string): string | null {
    return path.startsWith(`${this.#top}/`) ? path.slice(this.#top.length + 1) : path === this.#top ? "" : null;
  }

  #pathOf(folder: string | null, name: string): string | null {
    const base = folder === null || folder.startsWith("AT_FDCWD") ? this.#top : descriptorOf(folder).path;
    return this.#below(resolve(base, textOf(name)));
  }

  #changed(span: Span, apply: (disk: Disk) => void): void {
    this.#steps.push({ at: span.begin, apply });
  }

  read({ name, args, span, result }: Call): void {
    const isDone = !result.startsWith("-1 ") && !result.startsWith("?");
    if (!isDone) return;
    const [first = "", second = "", third = "", fourth = ""] = args;
    switch (name) {
      case "open":
      case "creat":
        this.#open(this.#pathOf(null, first), name === "creat" ? "O_CREAT|O_TRUNC" : second, span, result);
        return;
      case "openat":
      case "openat2":
        this.#open(this.#pathOf(first, second), third, span, result);
        return;
      case "write":
        this.#append(first, bytesOf(second).subarray(0, Number(result)), span);
        return;
      case "writev":
      case "sendmsg":
        this.#append(first, gathered(second).subarray(0, Number(result)), span);
        return;
      case "sendto":
        this.#append(first, bytesOf(second).subarray(0, Number(result)), span);
        return;
      case "pwrite64":
        this.#write(first, Number(fourth), bytesOf(second).subarray(0, Number(result)), span);
        return;
      case "pwritev":
      case "pwritev2":
        this.#write(first, Number(fourth), gathered(second).subarray(0, Number(result)), span);
        return;
      case "ftruncate":
        this.#resize(this.#file(first), Number(second), span);
        return;
      case "truncate":
        this.#resize(this.#pathOf(null, first), Number(second), span);
        return;
      case "copy_file_range":
        this.#copy({ from: first, fromOffset: second, to: third, toOffset: fourth, count: Number(result), span });
        return;
      case "sendfile":
        this.#copy({ from: second, fromOffset: third, to: first, toOffset: "NULL", count: Number(result), span });
        return;
      case "fsync":
      case "fdatasync": {
        const path = this.#below(descriptorOf(first).path);
        if (path === null || descriptorOf(first).isDeleted) return;
        this.#steps.push({ at: span.end, apply: (disk) => disk.sync(found(disk, path), span) });
        return;
      }
      case "mkdir":
      case "mkdirat": {
        const path = name === "mkdir" ? this.#pathOf(null, first) : this.#pathOf(first, second);
        if (path !== null) this.#changed(span, (disk) => disk.makeFolder(path, span));
        return;
      }
      case "unlink":
      case "rmdir":
      case "unlinkat": {
        const path = name === "unlinkat" ? this.#pathOf(first, second) : this.#pathOf(null, first);
        if (path === null) return;
        this.#changed(span, (disk) => disk.remove(path, span));
        return;
      }
      case "link":
      case "linkat": {
        const from = name === "link" ? this.#pathOf(null, first) : this.#pathOf(first, second);
        const to = name === "link" ? this.#pathOf(null, second) : this.#pathOf(third, fourth);
        this.#both(from, to, span, (disk, a, b) => disk.link(a, b, span));
        return;
      }
      case "rename":
      case "renameat":
      case "renameat2": {
        const from = name === "rename" ? this.#pathOf(null, first) : this.#pathOf(first, second);
        const to = name === "rename" ? this.#pathOf(null, second) : this.#pathOf(third, fourth);
        this.#both(from, to, span, (disk, a, b) => disk.rename(a, b, span));
        return;
      }
      case "mmap":
        this.#requireUnmapped(args);
        return;
      case "io_uring_setup":
        throw new Error("a process writes through io_uring, which a trace does not see");
      case "ioctl":
        // FICLONE would copy a file unseen.
        if (/CLONE|DEDUPE/.test(second) && this.#file(first) !== null)
          throw new Error(`ioctl ${second} is not modelled`);
        return;
      case "close":
      case "sync":
      case "syncfs":
      case "sync_file_range":
      case "msync":
        // The weaker reading: these make nothing durable here.
        return;
      default: {
        const touches = args.some((arg) => /^\d+</.test(arg) && this.#file(arg) !== null);
        if (touches) throw new Error(`${name} changes the folder and is not modelled`);
      }
    }
  }

  #both(
    from: string | null,
    to: string | null,
    span: Span,
    apply: (disk: Disk, from: string, to: string) => void,
  ): void {
    if (from === null && to === null) return;
    if (from === null || to === null) throw new Error("a name crosses the edge of the folder");
    this.#changed(span, (disk) => apply(disk, from, to));
  }

  /** The path below the top of the file behind a descriptor, or null where it is elsewhere or has no name any more. */
  #file(descriptor: string): string | null {
    const { path, isDeleted } = descriptorOf(descriptor);
    return isDeleted ? null : this.#below(path);
  }

  #open(path: string | null, flags: string, span: Span, result: string): void {
    const { number } = descriptorOf(result);
    if (path === null) return;
    if (flags.includes("O_TMPFILE") || flags.includes("O_APPEND")) throw new Error(`${flags} is not modelled`);
    this.#positions.set(`${number}<${path}`, 0);
    if (!flags.includes("O_CREAT") && !flags.includes("O_TRUNC")) return;
    this.#changed(span, (disk) => {
      const known = disk.find(path);
      if (known === null) disk.makeFile(path, span);
      else if (flags.includes("O_TRUNC")) disk.resize(known, 0, span);
    });
  }

  #append(descriptor: string, bytes: Buffer, span: Span): void {
    const path = this.#file(descriptor);
    if (path === null) {
      this.#steps.push({ at: span.begin, said: bytes.toString("utf8") });
      return;
    }
    const key = `${descriptorOf(descriptor).number}<${path}`;
    const offset = this.#positions.get(key);
    if (offset === undefined) throw new Error(`nobody knows where a write to ${path} goes`);
    this.#positions.set(key, offset + bytes.byteLength);
    this.#write(descriptor, offset, bytes, span);
  }

  #write(descriptor: string, offset: number, bytes: Uint8Array, span: Span): void {
    const path = this.#file(descriptor);
    if (path !== null) this.#changed(span, (disk) => disk.write(found(disk, path), offset, bytes, span));
  }

  #resize(path: string | null, size: number, span: Span): void {
    if (path !== null) this.#changed(span, (disk) => disk.resize(found(disk, path), size, span));
  }

  #copy(copy: { from: string; fromOffset: string; to: string; toOffset: string; count: number; span: Span }): void {
    const [from, to] = [this.#file(copy.from), this.#file(copy.to)];
    if (to === null) return;
    if (from === null) throw new Error(`${to} is copied from outside the folder, which is not modelled`);
    const place = (descriptor: string, path: string, given: string) => {
      const explicit = /^\[?(\d+)/.exec(given)?.[1];
      if (explicit !== undefined) return Number(explicit);
      const key = `${descriptorOf(descriptor).number}<${path}`;
      const position = this.#positions.get(key) ?? 0;
      this.#positions.set(key, position + copy.count);
      return position;
    };
    const [at, target] = [place(copy.from, from, copy.fromOffset), place(copy.to, to, copy.toOffset)];
    this.#changed(copy.span, (disk) => {
      const source = found(disk, from);
      if (source.kind !== "file") throw new Error(`${from} is a folder`);
      disk.write(found(disk, to), target, source.present.copy().subarray(at, at + copy.count), copy.span);
    });
  }

  #requireUnmapped(args: readonly string[]): void {
    const [, , protection = "", flags = "", descriptor = "-1"] = args;
    if (!flags.includes("MAP_SHARED") || !protection.includes("PROT_WRITE") || descriptor === "-1") return;
    const path = this.#file(descriptor);
    if (path !== null && !path.endsWith("-shm")) throw new Error(`${path} is written through memory, unseen`);
  }
}

function found(disk: Disk, path: string): Node {
  const node = disk.find(path);
  if (node === null) throw new Error(`the trace works on ${path}, which the model does not have`);
  return node;
}
