// `verify` must pass on the kernel as built, fail on a wrong one, and tell the speed from the clock it is given.

import { beforeAll, describe, expect, test } from "bun:test";
import { modelNamed } from "../../../src/engine/catalog";
import { createEngine, type Engine } from "../../../src/engine/engine";
import { blackModels } from "../../../src/engine/golden/black";
import { describeReport, verify } from "../../../src/engine/verify";
import { type Clock, systemClock } from "../../../src/foundation/clock";
import { kernelBytes } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = createEngine({ wasmBytes: await kernelBytes(), version: "test" });
});

describe("S1.05 verify", () => {
  test("passes every table of the kernel as built and names the module", () => {
    const report = verify(engine, { clock: systemClock });
    expect(report.checks.filter((check) => !check.passed)).toEqual([]);
    expect(report.passed).toBe(true);
    expect(report.wasm_sha256).toBe(engine.info.wasmSha256);
    for (const model of blackModels) {
      for (const output of modelNamed(model).outputs) {
        expect(report.checks.some((check) => check.table === model && check.output === output)).toBe(true);
      }
    }
    for (const { worst, tolerance, rows } of report.checks) {
      expect(worst).toBeLessThanOrEqual(tolerance);
      expect(rows).toBeGreaterThan(0);
    }
  });

  test("fails where one output is off in the fifteenth digit of a price, and says which", () => {
    const wrong: Engine = {
      ...engine,
      price(request) {
        const result = engine.price(request);
        const price = result.columns.price!;
        if (request.units === "raw" && request.model === "black_scholes_merton") price[0] = price[0]! * (1 + 1e-14);
        return result;
      },
    };
    const report = verify(wrong, { clock: systemClock });
    expect(report.passed).toBe(false);
    expect(report.checks.filter((check) => !check.passed).map((check) => check.output)).toEqual(["price"]);
    expect(describeReport(report)).toContain("FAIL");
    expect(describeReport(report)).toContain("A TABLE DOES NOT HOLD");
  });

  test("tells speeds by the given clock alone", () => {
    // every look at this clock is a millisecond later, so the kernel and its twin take the same time
    let now = 0;
    const clock: Clock = { ...systemClock, monotonicMilliseconds: () => now++ };
    for (const { kernel_ns, plain_ns, ratio } of verify(engine, { clock }).speeds) {
      expect(kernel_ns).toBeGreaterThan(0);
      expect(plain_ns).toBe(kernel_ns);
      expect(ratio).toBe(1);
    }
  });

  test("describes a report as one line a check, the speeds and a verdict", () => {
    const report = verify(engine, { clock: systemClock });
    const text = describeReport(report);
    expect(text).toContain("every table holds");
    expect(text).toContain("price_and_greeks");
    expect(text).toContain(engine.info.wasmSha256.slice(0, 16));
    expect(text.split("\n").filter((line) => line.startsWith("ok  "))).toHaveLength(report.checks.length);
    expect(text.endsWith("\n")).toBe(true);
  });
});
