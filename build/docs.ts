// `npm run generate`: writes the reference pages and the API's document, which are made from the code. They are committed so that a reader
// sees their change in review; a test makes them again and compares.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isLiveSetting } from "../src/config/live-settings";
import { environmentName, flagName, type Setting, settings } from "../src/config/settings";
import { createEngine } from "../src/engine/engine";
import { verify } from "../src/engine/verify";
import { systemClock } from "../src/foundation/clock";
import { kernelWasmBytes } from "../src/storage/assets";
import { healthDashboard, marketDashboard, serviceDashboard } from "./dashboards";
import { root } from "./fingerprint.mjs";
import { metricsPage } from "./metrics-page";
import { openApiText } from "./openapi";
import { permissionsPage } from "./permissions-page";
import { buildWasm } from "./wasm";

/** docs/reference/configuration.md, from the table of settings. */
export function configurationPage(): string {
  const rows = (settings as readonly Setting[]).map((setting) => {
    const shown = Array.isArray(setting.default) ? setting.default.join(",") : setting.default;
    const value = shown === undefined || shown === "" ? "" : `\`${shown}\``;
    return `| \`${setting.key}\` | \`${environmentName(setting)}\` | \`${flagName(setting)}\` | ${value} | ${setting.description} A value ${setting.rule}.${setting.isSecret ? " A secret: never printed, and better kept out of flags, which other users of the machine can see." : ""}${isLiveSetting(setting.key) ? " **Live.**" : ""} |`;
  });
  return `# Settings

Strongest first: flags, environment, what was changed by \`PATCH /api/v1/admin/config\`, \`bsopt.toml\` in the working folder (or the file
that \`--config\` names), defaults. Settings marked **Live** change while the server runs, by that request or, from the file, by
SIGHUP ([how](../operating/running.md#changing-settings-while-it-runs)); the others at the next start. A wrong or unknown setting stops the start with every fault listed, one a line, and exit code 2. Lists are separated by
commas in flags and environment, and are arrays in \`bsopt.toml\`.

| bsopt.toml | environment | flag of \`serve\` | default | meaning |
|---|---|---|---|---|
${rows.join("\n")}
`;
}

/** Two digits, with a power of ten where the number is far from one. */
function shown(value: number): string {
  return value >= 0.1 && value < 100 ? value.toFixed(1) : value.toExponential(1);
}

/** docs/reference/accuracy.md, from what `bsopt verify` finds. Only what is the same on every machine: no speed, no time. */
export function accuracyPage(): string {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const engine = createEngine({ wasmBytes: kernelWasmBytes(), version });
  const rows = verify(engine, { clock: systemClock }).checks.map((check) => [
    check.table,
    check.output,
    String(check.rows),
    shown(check.worst),
    shown(check.tolerance),
    check.measure.replace("|value|", "abs(value)"),
  ]);
  const head = ["table", "output", "values", "worst error", "tolerance", "error is"];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return `# How exact the kernel is

What \`bsopt verify\` finds: the kernel against tables computed at 60 and 80 digits, the worst error of each output. The
kernel gives the same bits on every machine, so these figures hold wherever it runs; \`bsopt verify\` computes them anew
inside the executable at hand and shows its speed. Formulas, sources and how each was checked: docs/numerics.

${line(head)}
| ${widths.map((width) => "-".repeat(width)).join(" | ")} |
${rows.map(line).join("\n")}
`;
}

/** README.md with the kernel's hash in the answer it shows. */
export function readmePage(): string {
  const sha256 = new Bun.CryptoHasher("sha256").update(kernelWasmBytes()).digest("hex");
  return readFileSync(join(root, "README.md"), "utf8").replace(/(?<="wasm_sha256": ")[0-9a-f]{64}/, sha256);
}

export const pages: Readonly<Record<string, () => string>> = {
  "deploy/grafana/health.json": healthDashboard,
  "deploy/grafana/service.json": serviceDashboard,
  "deploy/grafana/market.json": marketDashboard,
  "README.md": readmePage,
  "docs/reference/accuracy.md": accuracyPage,
  "docs/reference/configuration.md": configurationPage,
  "docs/reference/metrics.md": metricsPage,
  "docs/reference/permissions.md": permissionsPage,
  "openapi.json": openApiText,
};

if (import.meta.main) {
  await buildWasm();
  for (const [path, make] of Object.entries(pages)) writeFileSync(join(root, path), make());
}
