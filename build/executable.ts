// Compiles the executable for one target. The native libSQL addon is embedded by rewriting its loader to one
// literal require; the build fails where the loader's text is not the one known here, because a miss would
// only show on a machine without node_modules.

import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { BunPlugin } from "bun";
import { root } from "./fingerprint.mjs";

/** The name Bun gives a compile target, beside the package that holds libSQL's addon for it. */
export const addonOfTarget = {
  "bun-linux-x64": "@libsql/linux-x64-gnu",
  "bun-linux-x64-baseline": "@libsql/linux-x64-gnu",
  "bun-linux-x64-musl": "@libsql/linux-x64-musl",
  "bun-linux-arm64": "@libsql/linux-arm64-gnu",
  "bun-linux-arm64-musl": "@libsql/linux-arm64-musl",
  "bun-darwin-x64": "@libsql/darwin-x64",
  "bun-darwin-arm64": "@libsql/darwin-arm64",
  "bun-windows-x64": "@libsql/win32-x64-msvc",
} as const;

export type Target = keyof typeof addonOfTarget;

const loaderStart = "function requireNative() {";
// biome-ignore lint/suspicious/noTemplateCurlyInString: the text of the loader, not a template of ours
const loaderEnd = "return require(`@libsql/${target}`);\n}";

function embedAddon(target: Target): BunPlugin {
  return {
    name: "embed-libsql-addon",
    setup(build) {
      build.onLoad({ filter: /[\\/]node_modules[\\/]libsql[\\/]index\.js$/ }, ({ path }) => {
        const source = readFileSync(path, "utf8");
        const start = source.indexOf(loaderStart);
        const end = source.indexOf(loaderEnd);
        const head = source.slice(0, start).replaceAll(/^const .*require\("(@neon-rs\/load|detect-libc)"\);$/gm, "");
        if (start < 0 || end < 0 || head.includes("require(")) {
          throw new Error(`${path}: this is not the loader the build knows how to embed; read it and adapt the build`);
        }
        const loader = `function requireNative() { return require("${addonOfTarget[target]}/index.node"); }`;
        return { contents: head + loader + source.slice(end + loaderEnd.length), loader: "js" };
      });
    },
  };
}

/** The target this machine runs. */
export function hostTarget(): Target {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const isMusl =
    platform === "linux" && existsSync(`/lib/ld-musl-${process.arch === "x64" ? "x86_64" : "aarch64"}.so.1`);
  const isGlibc = existsSync("/lib64/ld-linux-x86-64.so.2") || existsSync("/lib/ld-linux-aarch64.so.1");
  const name = `bun-${platform}-${process.arch}${isMusl && !isGlibc ? "-musl" : ""}`;
  if (!Object.hasOwn(addonOfTarget, name)) throw new Error(`no executable is built for ${name}`);
  return name as Target;
}

function gitCommit(): string {
  const done = Bun.spawnSync(["git", "rev-parse", "--short=12", "HEAD"], { cwd: root, stderr: "ignore" });
  return done.success ? done.stdout.toString().trim() : "unknown";
}

/** RFC 3339 to the second; SOURCE_DATE_EPOCH fixes it for a reproducible build. */
function buildTime(): string {
  const epochSeconds = process.env.SOURCE_DATE_EPOCH;
  return new Date(epochSeconds ? Number(epochSeconds) * 1000 : Date.now()).toISOString().replace(/\.\d+Z$/, "Z");
}

/** Compiles the executable for one target to `outfile`, replacing what stands there in one step. */
export async function buildExecutable(options: { target: Target; outfile: string }): Promise<void> {
  const staged = options.outfile.replace(/(\.exe)?$/, `.${process.pid}$1`);
  const result = await Bun.build({
    entrypoints: [join(root, "src", "main.ts")],
    compile: { target: options.target, outfile: staged, autoloadDotenv: false, autoloadBunfig: false },
    format: "esm",
    minify: true,
    bytecode: true,
    sourcemap: "inline",
    define: {
      BSOPT_BUILD_COMMIT: JSON.stringify(gitCommit()),
      BSOPT_BUILD_TIME: JSON.stringify(buildTime()),
      "process.env.NODE_ENV": '"production"',
    },
    plugins: [embedAddon(options.target)],
  });
  if (!result.success) {
    rmSync(staged, { force: true });
    throw new AggregateError(result.logs, `compiling ${options.outfile} failed`);
  }
  renameSync(staged, options.outfile);
  // The map is inside the executable; the compiler leaves a copy beside it.
  rmSync(`${staged.replace(/\.exe$/, "")}.map`, { force: true });
}
