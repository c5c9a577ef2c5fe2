// `bsopt health`: asks a running server whether it lives, for container probes on images that have no shell.

import { Command } from "commander";
import { BsoptError } from "../foundation/errors";
import type { CommandIo } from "./io";

const timeoutMilliseconds = 3000;

/** Resolves where GET /health answers 200 within three seconds; throws `unavailable` otherwise. */
export function healthCommand(dependencies: { io: CommandIo; defaultUrl: string }): Command {
  return new Command("health")
    .description("ask a running server whether it lives; exit code 0 or 1")
    .option("--url <url>", "where the server is", dependencies.defaultUrl)
    .action(async ({ url }: { url: string }) => {
      const target = new URL("/health", url);
      try {
        const response = await fetch(target, { signal: AbortSignal.timeout(timeoutMilliseconds), redirect: "manual" });
        if (response.status === 200) return await dependencies.io.stdout.write("ok\n");
      } catch (error) {
        throw new BsoptError({
          reason: "unavailable",
          code: "NO_ANSWER",
          detail: `no answer from ${target}`,
          cause: error,
        });
      }
      throw new BsoptError({ reason: "unavailable", code: "UNHEALTHY", detail: `${target} did not answer 200` });
    });
}
