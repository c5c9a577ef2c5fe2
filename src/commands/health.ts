// `bsopt health`: asks the server that these settings describe whether it lives, for container probes on images that
// have no shell.

import { Command } from "commander";
import { BsoptError } from "../foundation/errors";
import { localAddress } from "./server-client";
import { addSettings, readSettings, type SettingsSource } from "./settings-options";

const timeoutMilliseconds = 3000;

/** Prints ok where GET /health answers 200 within three seconds; throws `unavailable` otherwise. */
export function healthCommand(source: SettingsSource): Command {
  const command = new Command("health").description("ask the running server whether it lives");
  return addSettings(command, ["host", "port"]).action(async () => {
    const target = `${localAddress((await readSettings(command, source)).http)}/health`;
    const response = await fetch(target, {
      signal: AbortSignal.timeout(timeoutMilliseconds),
      redirect: "manual",
    }).catch((cause) => {
      throw new BsoptError({ reason: "unavailable", code: "NO_ANSWER", detail: `no answer from ${target}`, cause });
    });
    if (response.status !== 200) {
      throw new BsoptError({
        reason: "unavailable",
        code: "UNHEALTHY",
        detail: `${target} answered ${response.status}`,
      });
    }
    await source.io.stdout.write("ok\n");
  });
}
