// `npm run build`: the wasm kernel, then dist/bsopt for this machine.

import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { buildExecutable, hostTarget } from "./executable";
import { executablePath, fingerprint, markBuilt } from "./fingerprint.mjs";
import { buildWasm } from "./wasm";

const taken = fingerprint();
process.stderr.write("Building dist/bsopt …\n");
mkdirSync(dirname(executablePath), { recursive: true });
await buildWasm();
await buildExecutable({ target: hostTarget(), outfile: executablePath });
markBuilt(taken);
