// The real log: one JSON line an event on standard error, by pino. Standard output stays free for what a
// command was asked to print. Fields whose names tell of secrets are blanked, and each finished line passes redaction.ts, the last gate, so
// that a careless call elsewhere cannot leak one.

import pino, { type DestinationStream } from "pino";
import type { Log } from "../foundation/log";
import { redacted } from "./redaction";

/** Names whose values never reach the log, at the top of an entry or one level down. */
const secretNames = ["password", "secret", "token", "authorization", "api_key", "apiKey", "x-api-key", "cookie", "key"];

/** Bytes of lines kept while the descriptor takes none; further ones are dropped. */
const unwrittenBytesMax = 1_048_576;

/**
 * Writes each line to a file descriptor at once. Where that fails (a full disk), lines wait for the next one to be
 * tried with, up to a mebibyte: no request fails, and nothing is undone, because its log line could not be written.
 */
export function logDestination(descriptor: number): DestinationStream {
  const destination = pino.destination({ dest: descriptor, sync: true, maxLength: unwrittenBytesMax });
  destination.on("error", () => undefined);
  return destination;
}

/** A log whose least level may change. */
export interface LeveledLog extends Log {
  setLevel(level: LogLevel): void;
}

type LogLevel = "debug" | "info" | "warn" | "error";

/** A log that writes lines of JSON with `level` and an RFC 3339 `time` to the destination (default: standard error). */
export function createLog(options: { level: LogLevel; version: string; destination?: DestinationStream }): LeveledLog {
  const destination = options.destination ?? logDestination(2);
  const log = pino(
    {
      level: options.level,
      base: { service: "bsopt", version: options.version },
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretNames.flatMap((name) => [`["${name}"]`, `*["${name}"]`]), censor: "[redacted]" },
      serializers: { error: pino.stdSerializers.err },
    },
    { write: (line: string) => destination.write(redacted(line)) },
  );
  return Object.assign(log, {
    setLevel(level: LogLevel) {
      log.level = level;
    },
  });
}
