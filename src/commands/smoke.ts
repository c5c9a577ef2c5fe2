// `bsopt smoke`: asks a running server for a little of everything it offers and says of each whether it is well. It changes nothing there but
// what any refused request leaves in the audit log, so it may be run against a server that is in use. What the server's own document
// does not offer is told as such, never as a success. Exit code 1 where a check failed.

import { Command } from "commander";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import { printable } from "../foundation/printable";
import { CommandExit, exitCodes, UsageError } from "./io";
import { localAddress, readKeyFile, ServerClient, serverAddress } from "./server-client";
import { addSettings, readSettings, type SettingsSource } from "./settings-options";
import { type SmokeCheck, SmokeFault, smokeChecks } from "./smoke-checks";
import { alignedTable } from "./text-table";

export interface SmokeDependencies extends SettingsSource {
  readonly clock: Clock;
}

/** Of one check. */
interface Outcome {
  readonly check: string;
  /** Not offered: the server's document has no such thing. Skipped: it needs a key and there is none, or is not open to it. */
  readonly status: "ok" | "failed" | "skipped" | "not_offered";
  readonly detail: string;
  readonly milliseconds: number;
}

/** A line a check, or one JSON document of all. */
export function smokeCommand(dependencies: SmokeDependencies): Command {
  const { io, clock } = dependencies;
  const command = new Command("smoke")
    .description("ask a running server for a little of everything and say what is not well")
    .argument("[url]", "its address; left out, the server that these settings describe")
    .option("--key-file <file>", "a key for what is not open to all, else the first administrator's where it is here")
    .option("--json", "as JSON")
    .allowExcessArguments(false);
  addSettings(command, ["host", "port", "data_dir"]);
  return command.action(async (url: string | undefined, { keyFile, json }: { keyFile?: string; json?: true }) => {
    const client = await clientOf(url, keyFile);
    if (!client.hasKey && !json)
      await io.stderr.write("no key: only what is open to all is checked (--key-file names one)\n");
    const outcomes: Outcome[] = [];
    const state = { document: null };
    for (const check of smokeChecks) outcomes.push(await outcomeOf(check, client, state, clock));
    const isWell = outcomes.every(({ status }) => status !== "failed");
    if (json) {
      await io.stdout.write(
        `${JSON.stringify({ url: client.url, status: isWell ? "ok" : "failed", checks: outcomes })}\n`,
      );
    } else {
      const rows = outcomes.map(({ check, status, detail, milliseconds }) => [
        status.replace("_", " "),
        check,
        `${milliseconds.toFixed(1)} ms`,
        detail,
      ]);
      await io.stdout.write(alignedTable(["result", "check", "took", "found"], rows));
    }
    if (!isWell) throw new CommandExit(exitCodes.failed);
  });

  async function clientOf(url: string | undefined, keyFile: string | undefined): Promise<ServerClient> {
    const key = keyFile === undefined ? null : await readKeyFile(io, keyFile);
    if (url !== undefined) return new ServerClient(serverAddress(url), { key, clock });
    const { http, storage } = await readSettings(command, dependencies);
    if (http.port === 0) throw new UsageError("port 0 is none to ask", "name the server's address");
    const own = key ?? (await readKeyFile(io, `${storage.dataDirectory}/admin-api-key`).catch(whereThereIsOne));
    return new ServerClient(localAddress(http), { key: own, clock });
  }
}

function whereThereIsOne(error: unknown): null {
  if (error instanceof BsoptError && error.reason === "not-found") return null;
  throw error;
}

async function outcomeOf(
  { name, isKeyed, run }: SmokeCheck,
  client: ServerClient,
  state: Parameters<SmokeCheck["run"]>[1],
  clock: Clock,
): Promise<Outcome> {
  const started = clock.monotonicMilliseconds();
  const outcome = (status: Outcome["status"], detail: string): Outcome => ({
    check: name,
    status,
    detail: printable(detail),
    milliseconds: clock.monotonicMilliseconds() - started,
  });
  if (isKeyed && !client.hasKey) return outcome("skipped", "needs a key");
  try {
    const found = await run(client, state);
    return typeof found === "string" ? outcome("ok", found) : outcome(found.status, found.detail);
  } catch (error) {
    if (error instanceof SmokeFault) return outcome("failed", error.message);
    if (error instanceof BsoptError) return outcome("failed", error.detail);
    throw error;
  }
}
