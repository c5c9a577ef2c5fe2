// Runs before every test run: builds the wasm kernel if its sources have changed, so that `bun test` alone works.

import { buildWasm } from "../../build/wasm";

await buildWasm();
