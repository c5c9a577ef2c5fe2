// What a kernel's worker thread runs under tests and benches, where main's own module is not the process's entrance.

import { serveKernel } from "../../src/engine/worker";

serveKernel();
