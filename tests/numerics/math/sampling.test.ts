// What simulations draw: random bits by number against the published answers, Sobol's sequence against an expansion of its own from the published
// parameters, scrambling, the normal law's inverse, and paths built from the end.

import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { buildProbe } from "../../../build/wasm";
import { seededRandom } from "../../../src/foundation/random";
import golden from "../../golden/math-routines.json";
import sobol from "../../golden/sobol.json";

interface Probe {
  heap_base(): number;
  evaluate_inverse_normal(p: number): number;
  random_bits(seed: bigint, first: number, second: number, third: number, fourth: number): bigint;
  sobol_word(dimension: number, index: number): number;
  scrambled_word(word: number, key: number): number;
  bridge_path(times: number, count: number, table: number, normals: number, path: number): void;
}

const memory = new WebAssembly.Memory({ initial: 4 });
let probe: Probe;

beforeAll(async () => {
  const module = new WebAssembly.Module(readFileSync((await buildProbe()).path));
  probe = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Probe;
});

describe("S4.47 random bits by number", () => {
  // Salmon and others' own answers to Philox 4x32-10 (Random123, kat_vectors): counter, key, the first two words
  test.each([
    [[0, 0, 0, 0], [0, 0], "6627e8d5", "e169c58d"],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], "408f276d", "41c83b0e"],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], "d16cfe09", "94fdcceb"],
  ])("are the published ones for the counter %j", (counter, [low, high], first, second) => {
    const [a, b, c, d] = counter as [number, number, number, number];
    const seed = BigInt.asIntN(64, (BigInt(high!) << 32n) | BigInt(low!));
    const bits = BigInt.asUintN(64, probe.random_bits(seed, a, b, c, d));
    expect((bits & 0xffffffffn).toString(16).padStart(8, "0")).toBe(first);
    expect((bits >> 32n).toString(16).padStart(8, "0")).toBe(second);
  });
});

/** Direction numbers of 32 bits from a primitive polynomial and the first odd integers: Bratley and Fox (1988), by powers of two from the left. */
function expand([polynomial, first]: [number, number[]]): number[] {
  const degree = 31 - Math.clz32(polynomial);
  const v: number[] = [];
  for (let bit = 0; bit < 20; bit++) {
    if (degree === 0) v.push(2 ** (31 - bit));
    else if (bit < degree) v.push(first[bit]! * 2 ** (31 - bit));
    else {
      let value = v[bit - degree]! ^ (v[bit - degree]! >>> degree);
      for (let k = 1; k < degree; k++) if ((polynomial >> (degree - k)) & 1) value ^= v[bit - k]!;
      v.push(value >>> 0);
    }
  }
  return v;
}

describe("S4.47 Sobol's sequence", () => {
  const dimensions = sobol.dimensions as [number, number[]][];

  test("is Joe and Kuo's in all 64 dimensions, point after point", () => {
    for (const [dimension, parameters] of dimensions.entries()) {
      const directions = expand(parameters);
      let word = 0;
      for (let index = 0; index < 600; index++) {
        expect(probe.sobol_word(dimension, index) >>> 0).toBe(word);
        // Antonov and Saleev: the next point differs by the direction of the lowest zero bit
        word = (word ^ directions[31 - Math.clz32(~index & (index + 1))]!) >>> 0;
      }
      // and at the far end, where every direction counts
      const gray = 0xfffff ^ (0xfffff >> 1);
      const far = directions.reduce((sum, each, bit) => ((gray >> bit) & 1 ? sum ^ each : sum), 0) >>> 0;
      expect(probe.sobol_word(dimension, 0xfffff) >>> 0).toBe(far);
    }
  });

  test("scrambled by any key has one point in each of 256 parts, as without, and each key another", () => {
    const seen = new Set<number>();
    for (const key of [1, 77, 0xdeadbeef, 0xffffffff]) {
      for (const dimension of [0, 1, 17, 63]) {
        const parts = new Set<number>();
        for (let index = 0; index < 256; index++) {
          parts.add(probe.scrambled_word(probe.sobol_word(dimension, index), key) >>> 24);
        }
        expect(parts.size).toBe(256);
      }
      seen.add(probe.scrambled_word(probe.sobol_word(5, 100), key));
    }
    expect(seen.size).toBe(4);
  });

  test("scrambled is nested: words that agree down to a bit still do", () => {
    const source = seededRandom(3n);
    for (let round = 0; round < 200; round++) {
      const word = Math.floor(source.unit() * 2 ** 32);
      const bit = Math.floor(source.unit() * 32);
      const key = Math.floor(source.unit() * 2 ** 32);
      const difference = probe.scrambled_word(word, key) ^ probe.scrambled_word(word ^ (1 << bit), key);
      expect(31 - Math.clz32(difference)).toBe(bit);
    }
  });

  test("scrambled by random keys is without bias: the mean over keys of a coordinate is one half", () => {
    const source = seededRandom(4n);
    let sum = 0;
    const keys = 4000;
    for (let round = 0; round < keys; round++) {
      sum += (probe.scrambled_word(probe.sobol_word(3, 5), Math.floor(source.unit() * 2 ** 32)) >>> 0) / 2 ** 32;
    }
    // five deviations of the mean of so many uniform numbers
    expect(Math.abs(sum / keys - 0.5)).toBeLessThan((5 * Math.sqrt(1 / 12)) / Math.sqrt(keys));
  });
});

describe("S4.47 the normal law's inverse", () => {
  test("stays within 8 units of 2^-53 of values at 60 digits up to one half, within that and 1 − p's rounding above", () => {
    let worst = 0;
    for (const row of golden.inverse_normal) {
      const [p, high, low] = row as [number, number, number];
      const found = probe.evaluate_inverse_normal(p);
      if (p > 0.5) {
        // the law's own slope says what half a unit of 1 - p moves
        const density = Math.exp((-high * high) / 2) / Math.sqrt(2 * Math.PI);
        expect(Math.abs(found - high)).toBeLessThanOrEqual(2 ** -53 / density + 8 * 2 ** -53 * Math.abs(high));
      } else if (high !== 0) worst = Math.max(worst, Math.abs(found - high - low) / Math.abs(high) / 2 ** -53);
      else expect(found).toBe(0);
    }
    expect(worst).toBeLessThanOrEqual(8);
    expect(worst).toBeGreaterThan(8 / 2.5);
  });

  test("of mirrored words is mirrored to the bit", () => {
    for (const word of [0, 1, 12345, 2 ** 31 - 1, 2 ** 20]) {
      const uniform = (value: number) => (value + 0.5) / 2 ** 32;
      expect(probe.evaluate_inverse_normal(uniform(2 ** 32 - 1 - word))).toBe(
        -probe.evaluate_inverse_normal(uniform(word)),
      );
    }
  });
});

describe("S4.47 a path built from its end", () => {
  /** The matrix that turns normal numbers into a path, column by column. */
  function matrix(times: number[]): number[][] {
    const count = times.length;
    const base = Math.ceil(probe.heap_base() / 16) * 16;
    const place = (bytes: number) => base + bytes;
    const [timesAt, normalsAt, pathAt, tableAt] = [0, 8 * count, 16 * count, 24 * count].map(place);
    new Float64Array(memory.buffer, timesAt, count).set(times);
    return times.map((_, column) => {
      new Float64Array(memory.buffer, normalsAt, count).fill(0)[column] = 1;
      probe.bridge_path(timesAt!, count, tableAt!, normalsAt!, pathAt!);
      return Array.from(new Float64Array(memory.buffer, pathAt, count));
    });
  }

  test.each([
    [[1]],
    [[0.5, 1]],
    [[0.25, 0.5, 0.75, 1, 1.25]],
    [[0.01, 0.02, 0.5, 0.51, 1.7, 3, 3.5, 9, 9.01, 10, 30]],
    [Array.from({ length: 64 }, (_, step) => (step + 1) / 64)],
  ])("has a Brownian path's covariance, the earlier of both times (%j)", (times) => {
    const columns = matrix(times);
    for (const [row, s] of times.entries()) {
      for (const [other, t] of times.entries()) {
        const covariance = columns.reduce((sum, column) => sum + column[row]! * column[other]!, 0);
        expect(Math.abs(covariance - Math.min(s, t))).toBeLessThanOrEqual(1e-13 * Math.max(s, t));
      }
    }
  });

  test("settles the end by the first number alone and the middle by the second", () => {
    const columns = matrix(Array.from({ length: 16 }, (_, step) => (step + 1) / 16));
    for (const [index, column] of columns.entries()) if (index > 0) expect(column[15]).toBe(0);
    expect(columns[0]![15]).toBe(1);
    for (const [index, column] of columns.entries()) if (index > 1) expect(column[7]).toBe(0);
    expect(columns[1]![7]).toBe(0.5);
  });
});
