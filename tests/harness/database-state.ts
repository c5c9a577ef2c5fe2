// What an attack could change in a database without being asked to, as plain values to compare: the shape of every table, who is
// what, and how many rows each table holds.

import type { Client } from "@libsql/client";

export interface DatabaseState {
  /** Every statement that made a table, index, trigger or view. */
  readonly schema: readonly string[];
  /** Every user whole, but for the moment of the last change. */
  readonly users: readonly string[];
  /** Which key holds what. */
  readonly grants: readonly string[];
  readonly rowCounts: Readonly<Record<string, number>>;
  /** What SQLite itself finds wrong; "ok" where nothing. */
  readonly integrity: string;
}

/** Reads it in one transaction; the caller closes the client. */
export async function stateOf(database: Client): Promise<DatabaseState> {
  const list = async (sql: string) =>
    (await database.execute(sql)).rows.map((row) =>
      JSON.stringify(Object.values(row), (_, value) => (typeof value === "bigint" ? String(value) : value)),
    );
  const tables = (await database.execute("select name from sqlite_master where type = 'table' order by name")).rows.map(
    (row) => String(row.name),
  );
  const rowCounts: Record<string, number> = {};
  for (const table of tables) {
    const { rows } = await database.execute(`select count(*) as count from "${table}"`);
    rowCounts[table] = Number(rows[0]!.count);
  }
  const [check] = (await database.execute("pragma integrity_check")).rows;
  return {
    schema: await list("select type, name, sql from sqlite_master where name not like 'sqlite_%' order by type, name"),
    users: await list("select id, role, email, email_verified_at, disabled_at, erased_at from users order by id"),
    grants: await list(
      "select id, user_id, scopes, rate_class, ip_allow, expires_at, revoked_at from api_keys order by id",
    ),
    rowCounts,
    integrity: String(check?.integrity_check),
  };
}
