// The house's rules as functions over source texts, so that the tidy test can hold them against the real tree and
// against small bad samples that each rule must refuse. Each finding names the file, the rule and the mend.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

export interface SourceFile {
  /** Path from the project's top, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export type Finding = string;

/** Which floor each room of src stands on; imports go down or stay in the room. */
const floorOfRoom: Readonly<Record<string, number>> = {
  foundation: 0,
  domain: 1,
  config: 1,
  telemetry: 1,
  engine: 2,
  surfaces: 2,
  book: 2,
  storage: 2,
  adapters: 2,
  features: 3,
  http: 4,
  app: 5,
  commands: 6,
  main: 6,
};

/** The arrows between rooms of the same floor, and the two doors at the top. */
const allowedSideways = new Set(["surfaces→engine", "book→engine", "book→surfaces", "main→commands"]);

/** Features from left to right: each may use the services to its left. */
export const street = [
  "audit",
  "errors",
  "configuration",
  "identity",
  "keys",
  "registration",
  "tokens",
  "sessions",
  "login",
  "pricing",
  "streaming",
  "instruments",
  "archive",
  "market",
  "history",
  "feeds",
  "mode",
  "subscriptions",
  "accounts",
  "portfolio",
  "risk",
  "orders",
  "strategies",
];

/** Features beside the street: they import no other feature. */
export const besideStreet = ["health", "metrics", "operations", "webhooks"];

/** The kernel's rooms and which of the others each may import. */
const kernelRooms: Readonly<Record<string, readonly string[]>> = {
  abi: [],
  lane: [],
  math: ["lane"],
  models: ["lane", "math", "abi"],
  iv: ["lane", "math", "models", "abi"],
  batch: ["lane", "math", "models", "iv", "abi"],
  text: [],
  index: ["batch", "text", "abi"],
};

interface Import {
  readonly from: string;
  /** Path from the top without extension for relative imports, else the package's name. */
  readonly to: string;
  readonly isRelative: boolean;
}

export function importsOf(file: SourceFile): Import[] {
  const found: Import[] = [];
  const pattern =
    /^[ \t]*import\b[^;"'`()]*["']([^"'\n]+)["']|^[ \t]*export\s+(?:type\s+)?(?:\*|\{)[^;"'`()]*\bfrom\s+["']([^"'\n]+)["']|\bimport\(\s*["']([^"'\n]+)["']/gm;
  for (const match of withoutComments(file.text).matchAll(pattern)) {
    const target = match[1] ?? match[2] ?? match[3] ?? "";
    const isRelative = target.startsWith(".");
    const to = isRelative
      ? normalize(join(dirname(file.path), target))
          .replaceAll("\\", "/")
          .replace(/\.ts$/, "")
      : target;
    found.push({ from: file.path, to, isRelative });
  }
  return found;
}

/** Comments blanked out, strings kept: enough for the look-ups here. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`\\])\/\/[^\n]*/g, "$1");
}

const roomOf = (path: string) => path.split("/")[1]?.replace(/\.ts$/, "") ?? "";

/** Imports go downwards or stay in the room; features keep to the street. */
export function checkFloors(files: readonly SourceFile[]): Finding[] {
  const findings: Finding[] = [];
  for (const file of files.filter(({ path }) => path.startsWith("src/"))) {
    const room = roomOf(file.path);
    const floor = floorOfRoom[room];
    if (floor === undefined) {
      findings.push(
        `${file.path}: there is no room "${room}" in src; put the file where its job is (ARCHITECTURE.md, The tree)`,
      );
      continue;
    }
    for (const { to, isRelative } of importsOf(file)) {
      if (!isRelative || !to.startsWith("src/")) continue;
      const otherRoom = roomOf(to);
      const otherFloor = floorOfRoom[otherRoom];
      if (otherFloor === undefined) continue;
      if (room === otherRoom) {
        if (room === "features") findings.push(...checkStreet(file.path, to));
        continue;
      }
      if (otherFloor < floor || allowedSideways.has(`${room}→${otherRoom}`)) continue;
      findings.push(
        `${file.path} imports ${to}: ${room} (floor ${floor}) may not look ${otherFloor === floor ? "sideways" : "up"} at ${otherRoom} (floor ${otherFloor}); let app.ts pass the thing in, or move it down`,
      );
    }
  }
  return findings;
}

function checkStreet(from: string, to: string): Finding[] {
  const [own, other] = [from.split("/")[2] ?? "", to.split("/")[2] ?? ""];
  if (own === other) return [];
  if (besideStreet.includes(own) || besideStreet.includes(other)) {
    return [
      `${from} imports ${to}: ${own} and ${other} do not know each other; app.ts hands over what one offers the other`,
    ];
  }
  const [ownPlace, otherPlace] = [street.indexOf(own), street.indexOf(other)];
  if (ownPlace < 0 || otherPlace < 0)
    return [`${from} imports ${to}: name both features in the street of tests/harness/house.ts first`];
  if (otherPlace >= ownPlace)
    return [`${from} imports ${to}: ${other} stands to the right of ${own}; use a channel or the outbox instead`];
  // A foreign key names the table it refers to, and nothing else of that feature.
  if (from.endsWith("/table.ts") && to.endsWith("/table")) return [];
  if (!to.endsWith("/service")) return [`${from} imports ${to}: only another feature's service may be imported`];
  return [];
}

/** The kernel's own order: lane, math, models, iv, batch, index; nothing from outside. */
export function checkKernel(files: readonly SourceFile[]): Finding[] {
  const findings: Finding[] = [];
  for (const file of files.filter(({ path }) => path.startsWith("assembly/"))) {
    const room = file.path.split("/")[1]?.replace(/\.ts$/, "") ?? "";
    const allowed = kernelRooms[room];
    if (!allowed) {
      findings.push(`${file.path}: there is no room "${room}" in assembly`);
      continue;
    }
    for (const { to, isRelative } of importsOf(file)) {
      const other = to.split("/")[1] ?? "";
      if (!isRelative || !to.startsWith("assembly/"))
        findings.push(`${file.path} imports ${to}: the kernel imports nothing from outside`);
      else if (other !== room && !allowed.includes(other))
        findings.push(`${file.path} imports ${to}: ${room} may use ${allowed.join(", ") || "nothing"}`);
    }
    if (/\b(Math|NativeMath|JSMath)\.|\brelaxed_|\bDate\b|\bconsole\b/.test(withoutComments(file.text))) {
      findings.push(
        `${file.path}: no libm, no relaxed SIMD, no clock, no I/O in the kernel: results must be the same bits everywhere`,
      );
    }
  }
  return findings;
}

/** No cycles among modules of src and assembly, in and across rooms. Type-only imports count: they couple as well. */
export function checkCycles(files: readonly SourceFile[]): Finding[] {
  const graph = new Map<string, string[]>();
  for (const file of files) {
    graph.set(
      file.path.replace(/\.ts$/, ""),
      importsOf(file)
        .filter(({ isRelative }) => isRelative)
        .map(({ to }) => to),
    );
  }
  const findings: Finding[] = [];
  const state = new Map<string, "open" | "done">();
  const visit = (node: string, trail: string[]) => {
    if (state.get(node) === "done" || !graph.has(node)) return;
    if (state.get(node) === "open") {
      findings.push(
        `cycle: ${[...trail.slice(trail.indexOf(node)), node].join(" → ")}; move what both need below them`,
      );
      return;
    }
    state.set(node, "open");
    for (const next of graph.get(node) ?? []) visit(next, [...trail, node]);
    state.set(node, "done");
  };
  for (const node of graph.keys()) visit(node, []);
  return findings;
}

interface Knower {
  readonly what: RegExp;
  readonly onImports: boolean;
  readonly allowed: RegExp;
  readonly mend: string;
}

const knowers: readonly Knower[] = [
  {
    what: /\bprocess\.env\b|\bBun\.env\b|\bimport\.meta\.env\b/,
    onImports: false,
    allowed: /^src\/(config\/|main\.ts)/,
    mend: "only config reads the environment; take the value from Config",
  },
  {
    what: /\bnew Date\(\s*\)|\bDate\.now\(|\bperformance\.(now|timeOrigin)\b|\bBun\.nanoseconds\(/,
    onImports: false,
    allowed: /^src\/foundation\//,
    mend: "time comes in through foundation/clock",
  },
  {
    what: /\bMath\.random\(|\bcrypto\.(getRandomValues|randomUUID)\(|\brandomBytes\(/,
    onImports: false,
    allowed: /^src\/foundation\//,
    mend: "randomness comes in through foundation/random",
  },
  {
    what: /\bsetTimeout\(|\bsetInterval\(|\bBun\.sleep\(/,
    onImports: false,
    allowed: /^src\/(foundation|http)\//,
    mend: "wait through Clock.sleep or an Agent, so that tests own the time",
  },
  { what: /\bWebAssembly\b/, onImports: false, allowed: /^src\/engine\//, mend: "only the engine knows wasm" },
  {
    what: /^(drizzle-orm|@libsql\/client|libsql)(\/|$)/,
    onImports: true,
    allowed: /^src\/(storage\/|features\/[^/]+\/(repository|table)\.ts$)/,
    mend: "SQL lives in storage, a repository.ts or a table.ts",
  },
  {
    what: /^(elysia|@elysiajs\/(?!jwt$).*)$/,
    onImports: true,
    allowed: /^src\/(http\/|features\/[^/]+\/(index|model)\.ts$)/,
    mend: "Elysia is known to http and a feature's index.ts and model.ts, its token plugin to adapters/jwt",
  },
  {
    what: /^@elysiajs\/jwt$/,
    onImports: true,
    allowed: /^src\/adapters\/jwt\.ts$/,
    mend: "tokens are signed and verified through adapters/jwt, which gives the plugin every option it must have",
  },
  {
    what: /^bun:sqlite$/,
    onImports: true,
    allowed: /^$/,
    mend: "two SQLite libraries in one process lose each other's locks",
  },
  { what: /\bconsole\./, onImports: false, allowed: /^$/, mend: "log through Log, print through CommandIo" },
];

/** One knower each: environment, time, randomness, wasm, SQL and Elysia have one room. */
export function checkKnowers(files: readonly SourceFile[]): Finding[] {
  const findings: Finding[] = [];
  for (const file of files.filter(({ path }) => path.startsWith("src/"))) {
    const code = withoutComments(file.text);
    for (const { what, onImports, allowed, mend } of knowers) {
      if (allowed.test(file.path)) continue;
      const isFound = onImports
        ? importsOf(file).some(({ to, isRelative }) => !isRelative && what.test(to))
        : what.test(code);
      if (isFound) findings.push(`${file.path} ${onImports ? "imports" : "uses"} ${what.source}: ${mend}`);
    }
    if (!file.path.startsWith("src/http/") && /\bstatus\(\s*[45]\d\d\b|\.status\s*=\s*[45]\d\d\b/.test(code)) {
      findings.push(`${file.path}: throw a BsoptError; only http/problem.ts knows HTTP's error numbers`);
    }
    if (
      /^src\/(domain\/|features\/[^/]+\/rules\.ts)/.test(file.path) &&
      /\basync\b|\bawait\b|\bDate\b|\bPromise\.|\bIntl\b/.test(code)
    ) {
      findings.push(`${file.path}: domain and rules are pure: no async, no Date, no Intl, no random`);
    }
    if (
      /^src\/features\/[^/]+\/(service|rules|repository|table)\.ts$/.test(file.path) &&
      /\bRequest\b|\bResponse\b/.test(code)
    ) {
      findings.push(`${file.path}: HTTP stays in index.ts; pass plain values`);
    }
  }
  return findings;
}

const featureFiles = /^(index|model|service|rules|repository|table|stream)\.ts$/;

/** Names and sizes: kebab-case, named for the thing, opened by its purpose, short enough to read. */
export function checkFiles(files: readonly SourceFile[]): Finding[] {
  const findings: Finding[] = [];
  for (const { path, text } of files) {
    const name = path.split("/").at(-1) ?? "";
    if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.(test|binary|d))?\.(ts|mjs)$/.test(name))
      findings.push(`${path}: file names are kebab-case`);
    if (/^(utils?|helpers?|common|misc|shared|lib)\./.test(name))
      findings.push(`${path}: name the file for the thing it holds`);
    const feature = /^src\/features\/[^/]+\/(.+)$/.exec(path)?.[1];
    if (feature && !featureFiles.test(feature))
      findings.push(`${path}: a feature's files are index, model, service, rules, repository, table, stream`);
    if (/^(src|assembly|build|bench|tests)\//.test(path)) {
      const [first = ""] = text.replace(/^#![^\n]*\n/, "").split("\n");
      if (!/^\/\/ .{30,}/.test(first)) findings.push(`${path}: open with a comment on what the file is for`);
    }
    const lineCount = text.split("\n").length;
    const lineCountMax = path.startsWith("src/") ? 600 : 1000;
    if (lineCount > lineCountMax)
      findings.push(`${path}: ${lineCount} lines, at most ${lineCountMax}; look for the seam`);
    if (/\b(TODO|FIXME|XXX|HACK)\b/.test(text) && !path.endsWith("harness/house.ts"))
      findings.push(`${path}: finish it or write it down where work is planned`);
  }
  return findings;
}

/** A skipped or focused test hides; a skip belongs behind test.skipIf with its reason printed. */
export function checkTests(files: readonly SourceFile[]): Finding[] {
  return files
    .filter(
      ({ path, text }) =>
        path.startsWith("tests/") && /\b(test|it|describe)\.(skip|only|todo)\(/.test(withoutComments(text)),
    )
    .map(({ path }) => `${path}: no skipped, focused or future tests; use skipIf and print the reason`);
}

/** Every source file below the given folders of the project. */
export function readSources(top: string, folders: readonly string[]): SourceFile[] {
  const visit = (folder: string): SourceFile[] =>
    readdirSync(join(top, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return visit(path);
      return /\.(ts|mjs)$/.test(entry.name) ? [{ path, text: readFileSync(join(top, path), "utf8") }] : [];
    });
  return folders.flatMap(visit);
}
