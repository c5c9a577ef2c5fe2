// A process of its own that looks into a database which a server has open: prints the names of its keys and what SQLite says of the
// file, as JSON. Argument: the file's path.

import { createClient } from "@libsql/client/sqlite3";

const client = createClient({ url: `file:${process.argv[2]}`, intMode: "bigint", timeout: 5000 });
await client.execute("PRAGMA query_only = ON");
const found = await client.execute("SELECT name FROM api_keys WHERE name <> 'first administrator' ORDER BY name");
const [check] = (await client.execute("PRAGMA integrity_check")).rows;
process.stdout.write(JSON.stringify({ names: found.rows.map((row) => row[0]), check: check?.[0] }));
