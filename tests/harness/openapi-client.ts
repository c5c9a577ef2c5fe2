// A client made from the API's document by openapi-typescript: written to a folder, compiled strictly, run against a
// server. Both the tests of the source and those of the executable use it, so the two are judged alike.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import openapiTypescript, { astToString } from "openapi-typescript";
import ts from "typescript";

/** What the client of `clientProgram` prints, as one line of JSON. */
export interface ClientReport {
  readonly price: number | null;
  readonly status: string;
  readonly batch: { readonly count: number; readonly prices: readonly (number | null)[] };
  readonly rows: { readonly count: number };
  readonly models: readonly string[];
  /** The code of the problem an unknown field gets. */
  readonly problem: string;
}

/** The contract's example, priced through types that only the document gave. */
const clientProgram = `import type { components, paths } from "./schema";

type Posts = "/api/v1/pricing/price" | "/api/v1/pricing/batch";
type BodyOf<P extends Posts> = paths[P]["post"]["requestBody"]["content"]["application/json"];
type AnswerOf<P extends Posts> = paths[P]["post"]["responses"][200]["content"]["application/json"];
type Models = paths["/api/v1/pricing/models"]["get"]["responses"][200]["content"]["application/json"];
type Problem = components["schemas"]["Problem"];

declare const process: { argv: string[]; stdout: { write(text: string): void } };
const [, , url, key] = process.argv as [string, string, string, string];
const headers = { "content-type": "application/json", "x-api-key": key };

async function post<P extends Posts>(path: P, body: BodyOf<P>): Promise<AnswerOf<P>> {
  const response = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw (await response.json()) as Problem;
  return (await response.json()) as AnswerOf<P>;
}

const option = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  strike: 105,
  time_to_expiry: 0.5,
  rate: 0.03,
  dividend_yield: 0.01,
  volatility: 0.2,
} as const satisfies BodyOf<"/api/v1/pricing/price">;

const single = await post("/api/v1/pricing/price", { ...option, outputs: ["price", "delta"] });
const batch = await post("/api/v1/pricing/batch", { ...option, option_type: ["call", "put"], strike: [105, 95] });
const rows = await post("/api/v1/pricing/batch", { options: [option] });
const models = (await (await fetch(url + "/api/v1/pricing/models", { headers })).json()) as Models;
const problem: Problem = await post("/api/v1/pricing/price", { ...option, ...({ spto: 1 } as object) }).then(
  () => {
    throw new Error("an unknown field was taken");
  },
  (thrown: Problem) => thrown,
);

const report = {
  price: single.price ?? null,
  status: single.status satisfies string,
  batch: { count: batch.count, prices: batch.price ?? [] },
  rows: { count: rows.count },
  models: models.models.map((model) => model.name),
  problem: problem.code,
};
process.stdout.write(JSON.stringify(report) + "\\n");
`;

/** What must not compile: a misspelt field, a wrong output, a missing one. */
const wrongProgram = `import type { paths } from "./schema";
type Body = paths["/api/v1/pricing/price"]["post"]["requestBody"]["content"]["application/json"];
export const misspelt: Body = { model: "black_scholes_merton", option_type: "call", spto: 1, strike: 1, rate: 0, volatility: 1 };
export const wrong: Body = { model: "black_scholes_merton", option_type: "cal", spot: 1, strike: 1, rate: 0, volatility: 1 };
export const missing: Body = { model: "black_scholes_merton", option_type: "call" };
`;

/** Writes schema.ts, client.ts and wrong.ts into the folder. */
export async function writeClient(document: object, folder: string): Promise<void> {
  const types = astToString(await openapiTypescript(document as never));
  writeFileSync(join(folder, "schema.ts"), types);
  writeFileSync(join(folder, "client.ts"), clientProgram);
  writeFileSync(join(folder, "wrong.ts"), wrongProgram);
}

/** What `tsc --strict` says about the folder's client and its wrong sibling, a line a finding. */
export function compileErrors(folder: string): string[] {
  const files = ["client.ts", "wrong.ts"].map((name) => join(folder, name));
  const program = ts.createProgram(files, {
    strict: true,
    noEmit: true,
    noUncheckedIndexedAccess: true,
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.Preserve,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ["lib.esnext.d.ts", "lib.dom.d.ts"],
    types: [],
  });
  return ts.getPreEmitDiagnostics(program).map(({ messageText, file, start }) => {
    const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
    return `${file?.fileName.split("/").at(-1)}:${line} ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
  });
}

/** Runs the compiled client against a server. Throws with what it wrote where it fails. */
export async function runClient(folder: string, server: { url: string; key: string }): Promise<ClientReport> {
  const child = Bun.spawn([process.execPath, join(folder, "client.ts"), server.url, server.key], {
    cwd: folder,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`the client failed with ${code}: ${stderr}`);
  return JSON.parse(stdout) as ClientReport;
}
