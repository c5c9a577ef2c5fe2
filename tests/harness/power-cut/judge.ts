// Says what is wrong with the files that a power cut left, by opening them with the program's own parts: its start, its audit log's
// proof, its stored answers, its backups. Separate from the model so that the two can be doubted apart. What must be there is what
// somebody had been told by the moment of the cut; whatever else is there must be there whole.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { sql } from "drizzle-orm";
import { masterKeyMark, openMasterKey } from "../../../src/adapters/master-key";
import { everyTable } from "../../../src/app";
import { createAudit } from "../../../src/features/audit/service";
import { systemClock } from "../../../src/foundation/clock";
import { BsoptError } from "../../../src/foundation/errors";
import { silentLog } from "../../../src/foundation/log";
import { systemRandom } from "../../../src/foundation/random";
import { createSecretBox } from "../../../src/foundation/secret-box";
import { readManifest } from "../../../src/storage/backup";
import { fileSha256, inspectDatabase, runLongJob } from "../../../src/storage/database-copy";
import { parseDatabaseUrl } from "../../../src/storage/location";
import type { LongWork } from "../../../src/storage/long-work";
import { restoreBackup } from "../../../src/storage/restore";
import { openStorage, type Storage } from "../../../src/storage/storage";
import type { Image } from "./disk";
import type { Recording, Told, Work } from "./recording";

const base = { clock: systemClock, random: systemRandom, log: silentLog };

/** One past that a data folder may have. */
interface Past {
  readonly done: Set<Work>;
  readonly heads: Set<string>;
  /** Places in the list of all works, from and to: of another past, and not to be found in this one. */
  readonly absent: (readonly [number, number])[];
}

/** What may be found in one data folder. */
export interface Expectation {
  certain: Past;
  /** While a restore is under way: what it would bring, and from where. */
  other: { readonly past: Past; readonly backup: string } | null;
}

export interface Expectations {
  readonly data: ReadonlyMap<string, Expectation>;
  /** Backups that somebody was told are finished. */
  readonly backups: ReadonlySet<string>;
}

/** What must be there, by what had been told until the cut. */
export function expectationsAt(told: readonly Told[], at: number): Expectations {
  const data = new Map<string, Expectation>();
  const copies = new Map<string, { past: Past; askedCount: number }>();
  const backups = new Set<string>();
  const of = (name: string): Expectation => {
    const known = data.get(name) ?? { certain: emptyPast(), other: null };
    data.set(name, known);
    return known;
  };
  for (const one of told) {
    if (one.at > at) break;
    if (one.kind === "done") of(one.work.dataFolder).certain.done.add(one.work);
    else if (one.kind === "head") of(one.dataFolder).certain.heads.add(one.head);
    else {
      const { kind, when, folder, dataFolder, askedCount } = one.mark;
      const here = of(dataFolder);
      if (kind === "backup" && when === "begins") copies.set(folder, { past: copyOf(here.certain), askedCount });
      else if (kind === "backup") {
        backups.add(folder);
        copies.get(folder)!.askedCount = askedCount;
      } else if (when === "begins") {
        const copy = copies.get(folder)!;
        const past = copyOf(copy.past);
        past.absent.push([copy.askedCount, askedCount]);
        here.other = { past, backup: folder };
      } else {
        here.certain = here.other!.past;
        here.other = null;
      }
    }
  }
  return { data, backups };
}

const emptyPast = (): Past => ({ done: new Set(), heads: new Set(), absent: [] });
const copyOf = ({ done, heads, absent }: Past): Past => ({
  done: new Set(done),
  heads: new Set(heads),
  absent: [...absent],
});

/** Puts the image into a folder that does not exist yet. */
export function writeImage(image: Image, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [path, bytes] of image) {
    if (bytes === null) mkdirSync(join(folder, path), { recursive: true, mode: 0o700 });
    else {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), bytes, { mode: 0o600 });
    }
  }
}

/** Everything that is wrong with what stands in the folder; empty where all is well. */
export async function judge(folder: string, expected: Expectations, { works }: Recording): Promise<string[]> {
  const faults: string[] = [];
  faults.push(...(await faultsOfBackups(join(folder, "backups"), expected.backups)));
  for (const name of ["data", "other"]) {
    const expectation = expected.data.get(name) ?? { certain: emptyPast(), other: null };
    const found = await faultsOfData(folder, name, expectation, works);
    faults.push(...found.map((fault) => `${name}: ${fault}`));
  }
  return faults;
}

/** A folder under a backup's name is a whole backup, and those that were told of are there. */
async function faultsOfBackups(folder: string, told: ReadonlySet<string>): Promise<string[]> {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => !name.endsWith(".unfinished")) : [];
  const faults = [...told].filter((name) => !names.includes(name)).map((name) => `the backup ${name} is gone`);
  for (const name of names) {
    try {
      const manifest = readManifest(join(folder, name));
      for (const file of [manifest.database, ...manifest.keys]) {
        if ((await fileSha256(join(folder, name, file.name))) !== file.sha256)
          faults.push(`${name}/${file.name} differs`);
      }
    } catch (error) {
      faults.push(`the backup ${name} is not whole: ${error}`);
    }
  }
  return faults;
}

async function faultsOfData(
  folder: string,
  name: string,
  { certain, other }: Expectation,
  works: readonly Work[],
): Promise<string[]> {
  const data = join(folder, name);
  // Nobody was told of anything in it yet.
  const isKnown = certain.done.size > 0 || certain.heads.size > 0;
  if (!existsSync(data)) return isKnown ? ["the data folder is gone"] : [];
  const path = join(data, "bsopt.db");
  let allowed = other === null ? [certain] : [certain, other.past];
  let storage: Storage;
  try {
    storage = await open(path);
  } catch (error) {
    if (!(error instanceof BsoptError && error.code === "RESTORE_UNFINISHED" && other !== null)) {
      return [`it does not open: ${told(error)}`];
    }
    // The operator is told to run it again, and does.
    try {
      await restoreAgain(folder, data, other.backup);
      storage = await open(path);
      allowed = [other.past];
    } catch (again) {
      return [`it cannot be restored again: ${told(again)}`];
    }
  }
  try {
    const faults = await faultsOfDatabase(storage, data, allowed, works);
    await storage.close();
    const { damage, brokenReferences } = await inspectDatabase(path, "whole");
    return [...faults, ...damage, ...brokenReferences];
  } catch (error) {
    return [`it cannot be read: ${told(error)}`];
  } finally {
    await storage.close();
  }
}

const told = (error: unknown) => (error instanceof BsoptError ? `${error.code} ${error.detail}` : String(error));
const open = (path: string) => openStorage({ ...base, url: `file:${path}`, tables: everyTable });

async function restoreAgain(folder: string, data: string, backup: string): Promise<void> {
  const longWork: LongWork = {
    run: (job) => runLongJob(job) as never,
    stop: () => undefined,
  };
  await restoreBackup({
    ...{ ...base, longWork, acceptsOtherKey: false, from: join(folder, "backups", backup) },
    location: parseDatabaseUrl(`file:${join(data, "bsopt.db")}`),
    keys: ["master-key", "admin-api-key"].map((name) => ({ name, path: join(data, name) })),
    masterKeyMark: masterKeyMark(data, systemRandom),
  });
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly isRevoked: bigint;
}

async function faultsOfDatabase(
  storage: Storage,
  data: string,
  allowed: readonly Past[],
  works: readonly Work[],
): Promise<string[]> {
  const faults: string[] = [];
  const rows = await storage.read.all<Row>(
    sql`SELECT id, name, revoked_at IS NOT NULL AS isRevoked FROM api_keys WHERE name LIKE 'work-%'`,
  );
  const answers = await storage.read.all<{ key: string; status: bigint; body: string }>(
    sql`SELECT key, status, body FROM idempotency_answers`,
  );
  const events = await storage.read.all<{ type: string; resource: string }>(
    sql`SELECT event_type AS type, resource FROM audit_events WHERE event_type LIKE 'apikey.%' AND user_id IS NOT NULL`,
  );

  // Each act stands with its stored answer and its event, or not at all.
  const eventsOf = (type: string) =>
    new Set(events.filter((event) => event.type === type).map(({ resource }) => resource));
  const [created, revoked] = [eventsOf("apikey.created"), eventsOf("apikey.revoked")];
  const answerOf = new Map(answers.map((answer) => [answer.key, answer]));
  for (const { id, name, isRevoked } of rows) {
    if (!created.has(`api_keys/${id}`)) faults.push(`${name} is there without its event`);
    const answer = answerOf.get(name);
    if (answer === undefined) faults.push(`${name} is there without its stored answer`);
    else if (answer.status !== 201n || JSON.parse(answer.body).id !== id) faults.push(`${name} has another's answer`);
    if ((isRevoked === 1n) !== revoked.has(`api_keys/${id}`))
      faults.push(`${name} and its revocation's event disagree`);
  }
  if (answers.length !== rows.length) faults.push(`${answers.length} answers are stored for ${rows.length} keys`);
  if (created.size !== rows.length) faults.push(`${created.size} keys were told of and ${rows.length} are there`);

  const users = await storage.read.all<{ count: bigint }>(sql`SELECT count(*) AS count FROM users`);
  if (users[0]?.count !== 0n) faults.push(...(await faultsOfKeys(storage, data)));
  const reports = [];
  for (const past of allowed) reports.push([...(await faultsOfPast(storage, data, past, rows, works))]);
  if (!reports.some((report) => report.length === 0)) faults.push(...reports[0]!);
  return faults;
}

/** The files without which the database is worth nothing. */
async function faultsOfKeys(storage: Storage, data: string): Promise<string[]> {
  if (!existsSync(join(data, "master-key"))) {
    const chained = await storage.read.all<{ count: bigint }>(sql`SELECT count(*) AS count FROM audit_events`);
    if (chained[0]?.count !== 0n) return ["the master key is gone"];
  }
  const file = join(data, "admin-api-key");
  if (!existsSync(file)) return ["the first administrator's key is gone"];
  const [, id = "", secret = ""] = readFileSync(file, "utf8").trim().split("_");
  const keys = await storage.read.all<{ hash: string }>(sql`SELECT secret_hash AS hash FROM api_keys WHERE id = ${id}`);
  const opens = keys[0]?.hash === createHash("sha256").update(secret).digest("hex");
  return opens ? [] : ["the first administrator's key opens nothing"];
}

async function faultsOfPast(
  storage: Storage,
  data: string,
  past: Past,
  rows: readonly Row[],
  works: readonly Work[],
): Promise<string[]> {
  const faults: string[] = [];
  const byName = new Map(rows.map((row) => [row.name, row]));
  for (const work of past.done) {
    const { name, id } = work.kind === "create" ? work : work.of;
    const row = byName.get(name);
    if (row === undefined) faults.push(`${name} was acknowledged and is gone`);
    else if (id !== null && row.id !== id) faults.push(`${name} was made twice`);
    else if (work.kind === "revoke" && row.isRevoked !== 1n)
      faults.push(`${name}'s revocation was acknowledged and is gone`);
  }
  for (const work of past.absent.flatMap(([from, to]) => works.slice(from, to))) {
    if (work.kind === "create" && byName.has(work.name)) faults.push(`${work.name} is there, from another past`);
  }
  if (!existsSync(join(data, "master-key"))) return faults;
  const key = createSecretBox(openMasterKey(data, systemRandom), systemRandom).keyFor("audit");
  const audit = createAudit({ ...base, storage, key });
  const heads = [...past.heads].map((text) => audit.readHead(text)!);
  const report = await audit.verify(heads);
  if (!report.isIntact) faults.push(`the audit log: ${JSON.stringify(report.faults[0])}`);
  if (report.headsUncompared > 0) faults.push(`${report.headsUncompared} heads could not be compared`);
  return faults;
}
