// `bun build/docs.ts`: writes the reference pages that are made from the code. They are committed so that a reader
// sees their change in review; a test makes them again and compares.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { environmentName, flagName, type Setting, settings } from "../src/config/settings";
import { root } from "./fingerprint.mjs";

/** docs/reference/configuration.md, from the table of settings. */
export function configurationPage(): string {
  const rows = (settings as readonly Setting[]).map((setting) => {
    const shown = Array.isArray(setting.default) ? setting.default.join(",") : setting.default;
    const value = shown === undefined || shown === "" ? "" : `\`${shown}\``;
    return `| \`${setting.key}\` | \`${environmentName(setting)}\` | \`${flagName(setting)}\` | ${value} | ${setting.description} A value ${setting.rule}. |`;
  });
  return `# Settings

Strongest first: flags, environment, \`bsopt.toml\` in the working folder (or the file that \`--config\` names), defaults. A
wrong or unknown setting stops the start with every fault listed, one a line, and exit code 2. Lists are separated by
commas in flags and environment, and are arrays in \`bsopt.toml\`.

| bsopt.toml | environment | flag of \`serve\` | default | meaning |
|---|---|---|---|---|
${rows.join("\n")}
`;
}

export const pages: Readonly<Record<string, () => string>> = {
  "docs/reference/configuration.md": configurationPage,
};

if (import.meta.main) for (const [path, make] of Object.entries(pages)) writeFileSync(join(root, path), make());
