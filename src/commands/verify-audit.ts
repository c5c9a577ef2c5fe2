// `bsopt verify audit`: walks the audit log's chain from its first row to its last, beside a running server or without one, and says
// what was changed and where. Reads only. Exit code 1 where the chain does not hold, so that a script can be told.

import { Command } from "commander";
import type { Config } from "../config/config";
import type { Audit, ChainReport } from "../features/audit/service";
import { quoted } from "../foundation/printable";
import { CommandExit, exitCodes, UsageError } from "./io";
import { addSettings, readSettings, type SettingsSource } from "./settings-options";

/** The audit log of an open database, to be closed after use. */
export interface OpenedAudit {
  readonly audit: Pick<Audit, "readHead" | "verify">;
  close(): Promise<void>;
}

export interface VerifyAuditDependencies extends SettingsSource {
  /** Opens the configured database, which must be there; loaded only when the command runs. */
  readonly openAudit: (config: Config) => Promise<OpenedAudit>;
}

interface VerifyAuditOptions {
  readonly head: readonly string[];
  readonly headsFrom: readonly string[];
  readonly json?: true;
}

/** Heads compared in one run: two years of one a minute. */
const headCountMax = 1_000_000;
const lineCharactersMax = 1_048_576;
const headPattern = /\bv1\.\d{1,16}\.[0-9a-f]{64}\.\d{1,19}\.[0-9a-f]{64}\b/g;
const settingKeys = ["data_dir", "database_url"] as const;
const several = (value: string, known: readonly string[]): string[] => [...known, value];

/** Says whether the audit log is as it was written; exit code 1 where it is not. */
export function verifyAuditCommand(dependencies: VerifyAuditDependencies): Command {
  const { io, openAudit } = dependencies;
  const command = addSettings(
    new Command("audit").description("check that nobody changed the audit log").allowExcessArguments(false),
    settingKeys,
  )
    .option("--head <text>", "a head as the server's log told it; may be given several times", several, [])
    .option("--heads-from <file>", "a log with heads in it, - for standard input; likewise", several, [])
    .option("--json", "as JSON");
  command.action(async ({ head, headsFrom }: VerifyAuditOptions) => {
    // `verify` takes the same flag and, standing further left, is given it wherever it was written.
    const { json } = command.optsWithGlobals<VerifyAuditOptions>();
    const config = await readSettings(command, dependencies);
    const found = new Set<string>();
    for (const file of headsFrom) await gatherHeads(file, found);
    const opened = await openAudit(config);
    try {
      const heads = [...head, ...found].map((text) => {
        const read = opened.audit.readHead(text);
        if (read === null) throw new UsageError(`${quoted(text)} is no head`, "A head is v1.ID.HASH.TIME.SIGNATURE.");
        return read;
      });
      const report = await opened.audit.verify(heads);
      await io.stdout.write(json ? `${JSON.stringify(onWire(report))}\n` : describe(report, heads.length));
      if (!report.isIntact) throw new CommandExit(exitCodes.failed);
    } finally {
      await opened.close();
    }
  });
  return command;

  /** Every head in a text, whatever stands around it. */
  async function gatherHeads(file: string, found: Set<string>): Promise<void> {
    const countBefore = found.size;
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of file === "-" ? io.stdin() : io.readFile(file)) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!.slice(-lineCharactersMax);
      for (const line of lines) for (const [text] of line.matchAll(headPattern)) found.add(text);
      if (found.size > headCountMax) throw new UsageError(`${quoted(file)} holds more than ${headCountMax} heads`);
    }
    for (const [text] of rest.matchAll(headPattern)) found.add(text);
    if (found.size === countBefore && countBefore === 0) throw new UsageError(`${quoted(file)} holds no head`);
  }
}

function onWire(report: ChainReport): object {
  const { isIntact, rowCount, cutAt, lastId, erasedCount, headsMatched, headsUncompared, faultCount, faults } = report;
  return {
    status: isIntact ? "intact" : "broken",
    row_count: rowCount,
    cut_at: cutAt === null ? null : cutAt.id,
    last_id: lastId,
    erased_count: erasedCount,
    heads_matched: headsMatched,
    heads_uncompared: headsUncompared,
    fault_count: faultCount,
    faults: faults.map(({ kind, eventId, detail }) => ({ kind, event_id: eventId, detail })),
  };
}

function describe(report: ChainReport, headCount: number): string {
  const { isIntact, rowCount, cutAt, lastId, erasedCount, headsMatched, headsUncompared, faultCount, faults } = report;
  const lines = [
    isIntact
      ? `the audit log is intact: ${rowCount} rows, the last is ${lastId}`
      : `the audit log is NOT intact: ${faultCount} faults in ${rowCount} rows`,
    ...faults.map(({ kind, eventId, detail }) => `  row ${eventId}: ${detail} (${kind})`),
  ];
  if (faultCount > faults.length) lines.push(`  and ${faultCount - faults.length} more`);
  if (cutAt !== null) lines.push(`retention cut off everything up to row ${cutAt.id}`);
  if (erasedCount > 0) lines.push(`what names a person was erased in ${erasedCount} rows`);
  if (headCount === 0) lines.push("no head was given: rows cut off at the end would not be missed");
  else lines.push(`heads: ${headsMatched} match, ${headsUncompared} are of rows cut off since`);
  return `${lines.join("\n")}\n`;
}
