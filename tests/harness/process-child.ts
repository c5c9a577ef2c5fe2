// A process for the tests of several processes: says what it was told to say, then waits until it is asked to stop. Its first
// argument after the script says how it lives: `listens`, `hangs` once it listens, `ends` before it has said anything, or `parent` of one
// that listens.

import { systemProcesses, untilAskedToStop } from "../../src/commands/system-processes";

const [life = "listens", ...further] = process.argv.slice(2);
const processes = systemProcesses(Bun.main, ["listens"], { everyMilliseconds: 25 });
switch (life) {
  case "ends":
    process.exit(7);
    break;
  case "parent": {
    const child = processes.start([]);
    await child.listening;
    process.stdout.write(`${child.pid}\n`);
    await new Promise(() => {});
    break;
  }
  default: {
    const stopped = untilAskedToStop();
    processes.announce?.({ url: `http://127.0.0.1:${further[0] ?? "1"}`, firstAdminKey: null });
    // Not at once: what it has said must be on its way.
    if (life === "hangs") setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 200);
    await stopped;
    process.exit(0);
  }
}
