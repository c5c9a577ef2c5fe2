// `bsopt watch CHANNEL…`: listens to a running server's channels and prints each frame as a line of JSON, for shells and for looking on. It
// shows its key as a header, so that it stands in no address.

import { Command } from "commander";
import { BsoptError } from "../foundation/errors";
import { type CommandIo, UsageError } from "./io";
import { localAddress, readKeyFile, serverAddress } from "./server-client";
import { addSettings, readSettings, type SettingsSource } from "./settings-options";

interface WatchFlags {
  readonly url?: string;
  readonly keyFile?: string;
  readonly count?: number;
}

/** Frames until so many were printed, or the connection ends: `unavailable` STREAM_ENDED then; `invalid` STREAM_REFUSED where a channel is refused. */
export function watchCommand(source: SettingsSource & { readonly io: CommandIo }): Command {
  const { io } = source;
  const command = new Command("watch")
    .description("listen to a running server's channels and print their frames, one a line")
    .argument("<channel...>", "channels, such as test or health")
    .option("--url <url>", "the server, else the one that the settings describe")
    .option("--key-file <file>", "a key with stream:read, else the first administrator's")
    .option("--count <n>", "end after so many frames", frameCount);
  addSettings(command, ["host", "port", "data_dir"]);
  return command.action(async (channels: string[], { url, keyFile, count }: WatchFlags) => {
    const { http, storage } = await readSettings(command, source);
    const key = await readKeyFile(io, keyFile ?? `${storage.dataDirectory}/admin-api-key`);
    const address = url === undefined ? localAddress(http) : serverAddress(url);
    const target = `${address.replace(/^http/, "ws")}/api/v1/ws`;
    let printed = 0;
    for await (const frame of framesOf(target, key, channels)) {
      await io.stdout.write(`${frame}\n`);
      printed += 1;
      if (printed === count) return;
    }
  });
}

function frameCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError("--count must be a whole number of frames");
  return Number(text);
}

/** Every frame's text as it came. Leaving the loop closes the connection. */
async function* framesOf(target: string, key: string, channels: readonly string[]): AsyncGenerator<string> {
  const waiting: string[] = [];
  let ended: string | null = null;
  let wake = () => {};
  // The runtime's own client takes headers, which a browser's does not; its types know the latter.
  const socket = new WebSocket(target, { headers: { "x-api-key": key } } as unknown as string[]);
  socket.onopen = () => socket.send(JSON.stringify({ id: 1, op: "subscribe", channels }));
  socket.onmessage = ({ data }) => {
    waiting.push(String(data));
    wake();
  };
  socket.onclose = ({ code, reason }) => {
    ended = `${code} ${reason}`.trim();
    wake();
  };
  socket.onerror = () => undefined;
  try {
    for (;;) {
      for (let text = waiting.shift(); text !== undefined; text = waiting.shift()) {
        const { error, ch } = JSON.parse(text) as { error?: { detail: string }; ch?: string };
        if (error) throw new BsoptError({ reason: "invalid", code: "STREAM_REFUSED", detail: error.detail });
        if (ch !== undefined) yield text;
      }
      if (ended !== null) {
        const detail = `the connection to ${target} ended: ${ended}`;
        throw new BsoptError({ reason: "unavailable", code: "STREAM_ENDED", detail });
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    socket.close();
  }
}
