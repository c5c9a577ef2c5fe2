// `bsopt replay`: sends a recording to a running server as its clients send quotes, at the pace it was received or at another. Separate from the
// feed of the same name, which a server plays by itself: this one goes through the front door, with a key. What was not answered is sent again,
// since the same quotes twice change nothing. Exit code 1 where the server refuses them as a whole.

import { Command } from "commander";
import { quoteFields, type RecordedQuote, readRecording } from "../adapters/feeds/recording";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import { printable } from "../foundation/printable";
import { type CommandIo, UsageError } from "./io";
import { readKeyFile, ServerClient, serverAddress, shownAnswer } from "./server-client";

export interface ReplayDependencies {
  readonly io: CommandIo;
  readonly clock: Clock;
}

const batchCountMax = 500;
/** Attempts in a row for one batch. */
const attemptsMax = 20;
const waitMillisecondsMax = 30_000;
const faultsShownMax = 10;

interface Totals {
  sent: number;
  accepted: number;
  duplicates: number;
  late: number;
  rejected: number;
  unreadable: number;
}

export function replayCommand({ io, clock }: ReplayDependencies): Command {
  return new Command("replay")
    .description("send a recording's quotes to a running server")
    .argument("<file>", "NDJSON or CSV, plain, gzip or zstd")
    .argument("[url]", "the server's address", "http://127.0.0.1:8080")
    .requiredOption("--key-file <file>", "a key with market:write")
    .option("--speed <number>", "recorded time over real time; 0: as fast as it is taken", "1")
    .option("--json", "as JSON")
    .allowExcessArguments(false)
    .action(async (file: string, url: string, { keyFile, speed, json }: ReplayFlags) => {
      const pace = /^\d{1,7}(\.\d{1,6})?$/.test(speed) ? Number(speed) : Number.NaN;
      if (!(pace <= 1_000_000)) throw new UsageError("--speed is a number from 0 to 1000000");
      const client = new ServerClient(serverAddress(url), { key: await readKeyFile(io, keyFile), clock });
      const totals = { sent: 0, accepted: 0, duplicates: 0, late: 0, rejected: 0, unreadable: 0 };
      await play(file, pace, client, totals);
      const text = json
        ? JSON.stringify(totals)
        : `${totals.sent} quotes sent: ${totals.accepted} accepted, ${totals.duplicates} duplicates, ${totals.late} late, ${totals.rejected} rejected; ${totals.unreadable} lines not read`;
      await io.stdout.write(`${text}\n`);
    });

  async function play(file: string, speed: number, client: ServerClient, totals: Totals): Promise<void> {
    const startedAt = clock.monotonicMilliseconds();
    let first: bigint | null = null;
    let batch: RecordedQuote[] = [];
    for await (const item of readRecording(io.readFile(file), file)) {
      if ("detail" in item) {
        totals.unreadable += 1;
        if (totals.unreadable <= faultsShownMax) {
          await io.stderr.write(`${printable(file)} line ${item.line}: ${printable(item.detail)}\n`);
        }
        continue;
      }
      first ??= item.receivedAt;
      const due = speed > 0 ? startedAt + Number(item.receivedAt - first) / 1000 / speed : 0;
      if (due > clock.monotonicMilliseconds()) {
        await send(batch, client, totals);
        batch = [];
        for (let rest = due - clock.monotonicMilliseconds(); rest > 0; rest = due - clock.monotonicMilliseconds()) {
          await clock.sleep(Math.min(rest, 3_600_000));
        }
      }
      batch.push(item);
      if (batch.length < batchCountMax) continue;
      await send(batch, client, totals);
      batch = [];
    }
    await send(batch, client, totals);
  }

  async function send(batch: readonly RecordedQuote[], client: ServerClient, totals: Totals): Promise<void> {
    if (batch.length === 0) return;
    const body = JSON.stringify({ quotes: batch.map(({ quote }) => quoteFields(quote)) });
    for (let attempt = 1; ; attempt++) {
      let wait = Math.min(waitMillisecondsMax, 100 * 2 ** attempt);
      let refusal = "";
      try {
        const answer = await client.ask({
          ...{ method: "POST", path: "/api/v1/market/quotes", withKey: true, body },
        });
        if (answer.status === 200) {
          count(answer.json, batch.length, totals);
          return;
        }
        refusal = shownAnswer(answer);
        const isPassing = answer.status === 429 || answer.status === 503;
        if (!isPassing) throw refused(refusal);
        const seconds = Number(answer.headers.get("retry-after"));
        if (seconds > 0) wait = Math.min(waitMillisecondsMax, seconds * 1000);
      } catch (error) {
        if (!(error instanceof BsoptError) || error.code !== "NO_ANSWER") throw error;
        refusal = error.detail;
      }
      if (attempt >= attemptsMax) throw refused(refusal);
      await clock.sleep(wait);
    }
  }
}

interface ReplayFlags {
  readonly keyFile: string;
  readonly speed: string;
  readonly json?: true;
}

function count(answer: unknown, sent: number, totals: Totals): void {
  const told = (answer ?? {}) as Record<string, unknown>;
  const of = (name: string) => (Number.isSafeInteger(told[name]) ? (told[name] as number) : 0);
  totals.sent += sent;
  totals.accepted += of("accepted");
  totals.duplicates += of("duplicates");
  totals.late += of("late");
  totals.rejected += of("rejected_count");
}

function refused(detail: string): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "QUOTES_REFUSED",
    detail: `The quotes were not taken: ${detail}`,
  });
}
