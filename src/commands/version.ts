// `bsopt version`: what this executable is.

import { Command } from "commander";
import type { BuildInfo } from "../config/build-info";
import type { Engine } from "../engine/engine";
import type { CommandIo } from "./io";

/** Prints version, commit, time of build and the kernel's hash; --json for machines. */
export function versionCommand(dependencies: { io: CommandIo; build: BuildInfo; engine: () => Engine }): Command {
  const { io, build, engine } = dependencies;
  return new Command("version")
    .description("print version, commit, time of build and the kernel's hash")
    .option("--json", "as JSON")
    .action(async ({ json }: { json?: true }) => {
      const wasmSha256 = engine().info.wasmSha256;
      await io.stdout.write(
        json
          ? `${JSON.stringify({ version: build.version, commit: build.commit, build_time: build.buildTime, wasm_sha256: wasmSha256 })}\n`
          : `bsopt ${build.version} (${build.commit}, built ${build.buildTime}, kernel ${wasmSha256.slice(0, 12)})\n`,
      );
    });
}
