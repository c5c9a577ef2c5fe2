// The C++ rival of the kernel benches: compiled here, run as a process of its own that keeps the columns and answers one question at a
// time, so that its rounds and the kernel's take turns. Separate because nothing else needs a compiler. It times itself:
// pipes are no part of the figure.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { PriceRequest } from "../../src/engine/engine";

const root = join(import.meta.dir, "../..");
/** The rival must answer every question well within this. */
const lifeMilliseconds = 120_000;

/** A running program over one request's columns. */
export interface Native {
  /** Computes the columns so many times; nanoseconds an option. */
  readonly round: (calls: number) => Promise<number>;
  /** The prices it computed last. */
  readonly prices: () => Promise<Float64Array>;
  /** Ends it. */
  readonly close: () => Promise<void>;
}

/** Compiles and starts it; null where the machine has no g++. Throws where the source does not compile. */
export async function startNative(request: PriceRequest): Promise<Native | null> {
  const compiler = Bun.which("g++");
  if (compiler === null) return null;
  await mkdir(join(root, "dist"), { recursive: true });
  const program = join(root, "dist", `bench-black-${process.pid}`);
  const source = join(import.meta.dir, "black.cpp");
  const built = Bun.spawnSync([compiler, "-std=c++17", "-O3", "-march=native", source, "-o", program]);
  if (built.exitCode !== 0) throw new Error(`black.cpp does not compile\n${built.stderr.toString()}`);
  const child = Bun.spawn([program], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
    timeout: lifeMilliseconds,
  });
  await Bun.file(program).delete(); // it runs on without its name
  const { count, isCall, inputs } = request;
  child.stdin.write(new BigUint64Array([BigInt(count)]));
  child.stdin.write(isCall as Uint8Array);
  for (const name of ["spot", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility"] as const) {
    child.stdin.write(inputs[name] as Float64Array);
  }
  const reader = child.stdout.getReader();
  const ask = async (calls: number, doubles: number): Promise<Float64Array> => {
    child.stdin.write(new Uint32Array([calls]));
    await child.stdin.flush();
    const answer = new Uint8Array(doubles * 8);
    for (let at = 0; at < answer.length; ) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the program ended after ${at} of ${answer.length} bytes`);
      answer.set(value, at);
      at += value.length;
    }
    return new Float64Array(answer.buffer);
  };
  return {
    round: async (calls) => (await ask(calls, 1))[0]! / (calls * count),
    prices: () => ask(0, count),
    close: async () => {
      await child.stdin.end();
      await child.exited;
    },
  };
}
