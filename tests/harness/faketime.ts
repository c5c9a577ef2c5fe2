// A machine whose clock a test sets while a program runs: libfaketime between the program and the system, which leaves the monotonic clock
// alone as the system does. Where it is not installed the tests that need it say so and are left out.

import { existsSync, readdirSync, writeFileSync } from "node:fs";

function findLibrary(): string | null {
  for (const folder of ["/usr/lib", "/usr/lib64"]) {
    if (!existsSync(folder)) continue;
    for (const name of ["", ...readdirSync(folder)]) {
      const path = `${folder}/${name}/faketime/libfaketimeMT.so.1`;
      if (existsSync(path)) return path;
    }
  }
  return null;
}

const library = process.platform === "linux" ? findLibrary() : null;

/** Whether tests can have one; prints why not. */
export const hasFaketime = library !== null;
if (!hasFaketime) process.stderr.write("left out: tests with a clock that is set need libfaketime\n");

/** A clock kept in that file, at first right. */
export class MachineClock {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.set("+0");
  }

  /** How far it is off: "-1h", "+3600", "+0". */
  set(offset: string): void {
    writeFileSync(this.#path, offset);
  }

  get environment(): Record<string, string> {
    return {
      LD_PRELOAD: library!,
      FAKETIME_TIMESTAMP_FILE: this.#path,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }
}
