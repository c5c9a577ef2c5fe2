// Compares the database as it is with the tables the code declares, and says every difference in words. Separate
// from migrations: those say what was run, this says what is there. It only reads.

import { sql } from "drizzle-orm";
import { getTableConfig, SQLiteColumn, type SQLiteTable } from "drizzle-orm/sqlite-core";
import type { ReadDatabase } from "./bind";
import { marksTable } from "./remote-client";

/** Tables that belong to the machinery, not to a table.ts. */
const ownTables: readonly string[] = ["schema_migrations", marksTable];

export interface SchemaCheckOptions {
  readonly read: Pick<ReadDatabase, "all">;
  readonly tables: readonly SQLiteTable[];
  /** Are these all the tables there should be? Then one more is a difference too. */
  readonly isComplete: boolean;
}

/** A table put into comparable words: one entry a fact, keyed so that two tables' facts can be matched. */
type Facts = Map<string, string>;

/** One sentence a difference, in the order of the tables; empty where code and database agree. */
export async function schemaDifferences(options: SchemaCheckOptions): Promise<string[]> {
  const { read, tables, isComplete } = options;
  const differences: string[] = [];
  const present = await read.all<{ name: string; sql: string }>(
    sql`SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`,
  );
  const declaredNames = new Set(tables.map((table) => getTableConfig(table).name));
  for (const table of tables) {
    const { name } = getTableConfig(table);
    const there = present.find((row) => row.name === name);
    if (there === undefined) {
      differences.push(`table ${name} is missing`);
      continue;
    }
    const declared = declaredFacts(table);
    const actual = await actualFacts(read, name, there.sql, declared);
    for (const [fact, value] of declared) {
      const found = actual.get(fact);
      if (found === undefined) differences.push(`${name}: ${fact} is missing`);
      else if (found !== value) differences.push(`${name}: ${fact} is ${found}, expected ${value}`);
    }
    for (const fact of actual.keys()) if (!declared.has(fact)) differences.push(`${name}: ${fact} is not expected`);
  }
  if (isComplete) {
    for (const { name } of present) {
      if (!declaredNames.has(name) && !ownTables.includes(name)) differences.push(`table ${name} is not expected`);
    }
  }
  return differences;
}

function columnWords(type: string, isNotNull: boolean, hasDefault: boolean): string {
  return `${type.toLowerCase()}${isNotNull ? " not null" : ""}${hasDefault ? " with a default" : ""}`;
}

function declaredFacts(table: SQLiteTable): Facts {
  const { columns, indexes, foreignKeys, primaryKeys, uniqueConstraints, checks } = getTableConfig(table);
  const facts: Facts = new Map();
  for (const column of columns) {
    // A bigint arrives where drizzle's own integer promises a number: see columns.ts.
    const type =
      column.columnType === "SQLiteInteger" ? "integer declared without storage/columns" : column.getSQLType();
    facts.set(`column ${column.name}`, columnWords(type, column.notNull, column.default !== undefined));
    if (column.isUnique) facts.set(`unique (${column.name})`, "present");
  }
  const keyColumns = primaryKeys[0]?.columns ?? columns.filter((column) => column.primary);
  if (keyColumns.length > 0) facts.set("primary key", keyColumns.map((column) => column.name).join(", "));
  for (const constraint of uniqueConstraints) {
    facts.set(`unique (${constraint.columns.map((column) => column.name).join(", ")})`, "present");
  }
  for (const { config } of indexes) {
    const parts = config.columns.map((part) => (part instanceof SQLiteColumn ? part.name : "expression")).join(", ");
    if (config.unique && config.where === undefined) facts.set(`unique (${parts})`, "present");
    else
      facts.set(`index ${config.name}`, `${config.unique ? "unique " : ""}(${parts})${config.where ? " partial" : ""}`);
  }
  for (const key of foreignKeys) {
    const { columns: from, foreignTable, foreignColumns: to } = key.reference();
    const names = (list: readonly { readonly name: string }[]) => list.map((column) => column.name).join(", ");
    facts.set(
      `foreign key (${names(from)})`,
      foreignKeyWords(getTableConfig(foreignTable).name, names(to), key.onDelete, key.onUpdate),
    );
  }
  for (const check of checks) facts.set(`check ${check.name}`, "present");
  return facts;
}

function foreignKeyWords(table: string, columns: string, onDelete?: string, onUpdate?: string): string {
  const rule = (action: string | undefined) => (action ?? "no action").toLowerCase();
  return `→ ${table} (${columns}) on delete ${rule(onDelete)} on update ${rule(onUpdate)}`;
}

interface ColumnRow {
  readonly name: string;
  readonly type: string;
  readonly notnull: bigint;
  readonly dflt_value: string | null;
  readonly pk: bigint;
}

interface IndexRow {
  readonly name: string;
  readonly unique: bigint;
  readonly origin: string;
  readonly partial: bigint;
}

interface ForeignKeyRow {
  readonly id: bigint;
  readonly table: string;
  readonly from: string;
  readonly to: string | null;
  readonly on_delete: string;
  readonly on_update: string;
}

async function actualFacts(
  read: Pick<ReadDatabase, "all">,
  name: string,
  ddl: string,
  declared: Facts,
): Promise<Facts> {
  const facts: Facts = new Map();
  const columns = await read.all<ColumnRow>(sql`SELECT * FROM pragma_table_info(${name}) ORDER BY cid`);
  for (const column of columns) {
    facts.set(`column ${column.name}`, columnWords(column.type, column.notnull !== 0n, column.dflt_value !== null));
  }
  const key = columns.filter((column) => column.pk > 0n).sort((a, b) => Number(a.pk - b.pk));
  if (key.length > 0) facts.set("primary key", key.map((column) => column.name).join(", "));

  const indexes = await read.all<IndexRow>(sql`SELECT * FROM pragma_index_list(${name}) WHERE origin <> 'pk'`);
  for (const index of indexes) {
    const parts = await read.all<{ name: string | null }>(
      sql`SELECT name FROM pragma_index_info(${index.name}) ORDER BY seqno`,
    );
    const words = parts.map((part) => part.name ?? "expression").join(", ");
    if (index.unique !== 0n && index.partial === 0n) facts.set(`unique (${words})`, "present");
    else {
      const unique = index.unique !== 0n ? "unique " : "";
      facts.set(`index ${index.name}`, `${unique}(${words})${index.partial !== 0n ? " partial" : ""}`);
    }
  }

  const foreignKeys = await read.all<ForeignKeyRow>(
    sql`SELECT * FROM pragma_foreign_key_list(${name}) ORDER BY id, seq`,
  );
  for (const id of new Set(foreignKeys.map((row) => row.id))) {
    const rows = foreignKeys.filter((row) => row.id === id);
    const first = rows[0]!;
    facts.set(
      `foreign key (${rows.map((row) => row.from).join(", ")})`,
      foreignKeyWords(first.table, rows.map((row) => row.to).join(", "), first.on_delete, first.on_update),
    );
  }
  // SQLite shows a check's name only in the table's own text.
  for (const fact of declared.keys()) {
    const check = /^check (.+)$/.exec(fact)?.[1];
    if (check !== undefined && new RegExp(`constraint\\s+["\`]?${check}["\`]?\\s+check`, "i").test(ddl)) {
      facts.set(fact, "present");
    }
  }
  return facts;
}
