// What drizzle-kit reads when build/migrations.ts asks it for the next migration: where tables are declared and
// where SQL goes. Used at development time only; the executable applies migrations itself (src/storage/migrate.ts).

import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "sqlite",
  schema: ["./src/storage/table.ts", "./src/features/!(archive|history)/table.ts"],
  out: "./migrations",
  breakpoints: true,
});
