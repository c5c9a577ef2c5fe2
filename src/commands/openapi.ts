// `bsopt openapi`: prints the document that the server would serve, for making clients without a server.

import { Command } from "commander";
import type { CommandIo } from "./io";

/** Prints OpenAPI 3.1 JSON on standard output. */
export function openapiCommand(dependencies: { io: CommandIo; document: () => Promise<object> }): Command {
  const { io, document } = dependencies;
  return new Command("openapi").description("print the OpenAPI 3.1 document").action(async () => {
    await io.stdout.write(`${JSON.stringify(await document(), null, 2)}\n`);
  });
}
