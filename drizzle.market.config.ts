// The same as drizzle.config.ts for the market's own database: the log of its features and what is made of it.

import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "sqlite",
  schema: ["./src/features/{archive,history}/table.ts"],
  out: "./migrations/market",
  breakpoints: true,
});
