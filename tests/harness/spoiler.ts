// A server that passes every request on to another and answers what that answers, but for what a test spoils: so that a command that judges
// servers meets a real one with one fault. And a command line run in this process on real files, its output kept.

import type { Command } from "commander";
import { type CommandIo, systemIo } from "../../src/commands/io";
import { runCommandLine } from "../../src/commands/run";
import { seededRandom } from "../../src/foundation/random";
import type { Loose } from "./executable";

/** Instead of an answer; a body that is no text becomes JSON. */
export interface Spoiled {
  readonly status: number;
  readonly body: unknown;
  readonly type?: string;
  readonly afterMilliseconds?: number;
}

/** What to say instead, given what would be said; null leaves it. */
export type Spoil = (
  path: string,
  method: string,
  answer: { readonly status: number; readonly json: Loose },
) => Spoiled | null;

export function startSpoiler(target: string, spoil: Spoil): { readonly url: string; stop(): Promise<void> } {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const headers = new Headers(request.headers);
      headers.delete("host");
      headers.delete("accept-encoding");
      const body = request.method === "GET" ? undefined : await request.arrayBuffer();
      const answer = await fetch(`${target}${pathname}${search}`, {
        method: request.method,
        headers,
        ...(body && { body }),
      });
      const bytes = await answer.arrayBuffer();
      const isJson =
        answer.headers.get("content-type")?.includes("json") && !answer.headers.get("content-type")?.includes("nd");
      const json = isJson ? JSON.parse(new TextDecoder().decode(bytes)) : undefined;
      const spoiled = spoil(pathname, request.method, { status: answer.status, json });
      if (spoiled?.afterMilliseconds) await Bun.sleep(spoiled.afterMilliseconds);
      if (spoiled === null || spoiled.body === undefined)
        return new Response(bytes, {
          status: answer.status,
          headers: { "content-type": answer.headers.get("content-type") ?? "" },
        });
      const { status, body: said, type = typeof said === "string" ? "text/plain" : "application/json" } = spoiled;
      return new Response(typeof said === "string" ? said : JSON.stringify(said), {
        status,
        headers: { "content-type": type },
      });
    },
  });
  return { url: server.url.origin, stop: () => server.stop(true) };
}

const files = systemIo(seededRandom(1n));

/** Runs a command line over this machine's files; what it said and its exit code. */
export async function recordedIo(
  programOf: (io: CommandIo) => Command,
  argv: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  const said = { out: "", err: "" };
  const streamOf = (name: "out" | "err") => ({
    isTTY: false,
    columns: 120,
    write: async (chunk: string | Uint8Array) => {
      said[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    },
  });
  const io: CommandIo = { ...files, stdout: streamOf("out"), stderr: streamOf("err") };
  const code = await runCommandLine({ program: programOf(io), argv, io });
  return { code, ...said };
}
