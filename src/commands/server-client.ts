// Asks a running server from outside, as its clients do, for the commands that judge one. Separate from them because an address, a key and
// how long to wait mean the same to each. It must never print a key, nor follow an answer to another address.

import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import { printable, quoted } from "../foundation/printable";
import { type CommandIo, UsageError } from "./io";

/** One request. */
export interface Asked {
  readonly method?: "GET" | "POST";
  readonly path: string;
  /** With the key; left out, as a stranger. */
  readonly withKey?: boolean;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** The body's media type; JSON unless given. */
  readonly type?: string;
  readonly accept?: string;
}

/** What came back, whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  readonly milliseconds: number;
  /** The parsed body; undefined where it is no JSON. */
  readonly json: unknown;
}

/** How long an answer may take, its body included. */
export const answerMillisecondsMax = 10_000;
const keyBytesMax = 4096;

/** A server by its address, and a key for what is not open to all. */
export class ServerClient {
  constructor(
    readonly url: string,
    private readonly options: { readonly key: string | null; readonly clock: Clock },
  ) {}

  get hasKey(): boolean {
    return this.options.key !== null;
  }

  /** Throws BsoptError `unavailable` NO_ANSWER where none comes in time. */
  async ask({ method = "GET", path, withKey = false, body, type, accept }: Asked): Promise<Answer> {
    const { key, clock } = this.options;
    const started = clock.monotonicMilliseconds();
    try {
      const response = await fetch(`${this.url}${path}`, {
        method,
        redirect: "manual",
        signal: AbortSignal.timeout(answerMillisecondsMax),
        headers: {
          ...(withKey && key !== null && { "x-api-key": key }),
          ...(body !== undefined && { "content-type": type ?? "application/json" }),
          ...(accept !== undefined && { accept }),
        },
        ...(body !== undefined && { body }),
      });
      const bytes = new Uint8Array(await response.arrayBuffer());
      const milliseconds = clock.monotonicMilliseconds() - started;
      return { status: response.status, headers: response.headers, bytes, milliseconds, json: jsonOf(bytes) };
    } catch (cause) {
      throw new BsoptError({
        reason: "unavailable",
        code: "NO_ANSWER",
        detail: `no answer from ${this.url}${path}`,
        cause,
      });
    }
  }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** A server's address without a slash at its end. Throws UsageError where it is none, or holds more than an address. */
export function serverAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new UsageError(`${quoted(text)} is no server's address`, "such as http://127.0.0.1:8080");
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    throw new UsageError("a server's address holds no credentials, query or fragment", "a key comes by --key-file");
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/** The address to ask where the server listens on every one. */
export function localAddress({ host, port }: { readonly host: string; readonly port: number }): string {
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

/** The key in a file. Throws BsoptError where there is no such file, UsageError where it holds anything but a key. */
export async function readKeyFile(io: CommandIo, path: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let byteCount = 0;
  for await (const chunk of io.readFile(path)) {
    byteCount += chunk.byteLength;
    if (byteCount > keyBytesMax) throw new UsageError(`${printable(path)} is too long for a key`);
    chunks.push(chunk);
  }
  const key = Buffer.concat(chunks).toString("utf8").trim();
  if (!/^[\x21-\x7e]+$/.test(key)) throw new UsageError(`${printable(path)} holds no key`);
  return key;
}

/** What a problem says of itself, in one line, for whoever did not expect it. */
export function shownAnswer({ status, json }: Answer): string {
  const { code, detail } = (json ?? {}) as { code?: unknown; detail?: unknown };
  const words = [code, detail].filter((word) => typeof word === "string").map((word) => printable(word as string));
  return [`answered ${status}`, ...words].join(" ").slice(0, 200);
}
