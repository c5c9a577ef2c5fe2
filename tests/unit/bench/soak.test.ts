// The judge of long runs, shown what it must see and what it must let pass: leaks of a known size in noise of a known size, steps,
// slow waves, warm-ups. Seeded, so that each row is the same every time.

import { describe, expect, test } from "bun:test";
import { judge, judgedFrom, type Sampled, trendOf, type Watched } from "../../../bench/soak/judge";
import { seededRandom } from "../../../src/foundation/random";

/** A sample a second for so many minutes. */
function sampled(minutes: number, valueAt: (minutes: number, noise: () => number) => number, seed = 1n): Sampled[] {
  const random = seededRandom(seed);
  // The sum of twelve is near enough to a normal deviate.
  const noise = () => Array.from({ length: 12 }, () => random.unit()).reduce((sum, value) => sum + value, -6);
  return Array.from({ length: minutes * 60 }, (_, second) => ({
    minutes: second / 60,
    value: valueAt(second / 60, noise),
  }));
}

const memory = (samples: readonly Sampled[], further: Partial<Watched> = {}): Watched => ({
  name: "resident memory",
  unit: "MiB",
  samples,
  allowed: { atOnce: 24, perHour: 8 },
  ...further,
});
const isFine = (watched: Watched, minutes: number) => judge(watched, judgedFrom(minutes)).isFine;

describe("S2.42 S4.65 a long run's judge", () => {
  const rows: { name: string; minutes: number; at: (minutes: number, noise: () => number) => number; fine: boolean }[] =
    [
      { name: "noise around a level", minutes: 3, at: (_, noise) => 150 + 6 * noise(), fine: true },
      {
        name: "a leak of 15 MiB a minute in three minutes",
        minutes: 3,
        at: (at, noise) => 150 + 15 * at + 6 * noise(),
        fine: false,
      },
      {
        name: "a leak of 1 MiB a minute in an hour",
        minutes: 60,
        at: (at, noise) => 150 + at + 6 * noise(),
        fine: false,
      },
      {
        name: "a leak of 1 MiB a minute in three minutes, which is a cache for all anybody knows",
        minutes: 3,
        at: (at) => 150 + at,
        fine: true,
      },
      {
        name: "a warm-up that ends before the judged part",
        minutes: 3,
        at: (at, noise) => 250 - 180 * Math.exp(-at * 8) + 4 * noise(),
        fine: true,
      },
      {
        name: "saw teeth of 60 MiB, as a collector leaves them",
        minutes: 3,
        at: (at) => 150 + 60 * ((at * 4) % 1),
        fine: true,
      },
      {
        name: "a leak of 50 MiB a minute under such saw teeth",
        minutes: 3,
        at: (at) => 150 + 50 * at + 60 * ((at * 4) % 1),
        fine: false,
      },
      { name: "falling memory", minutes: 3, at: (at, noise) => 300 - 20 * at + 5 * noise(), fine: true },
      {
        name: "a wave longer than the run, of 10 MiB",
        minutes: 10,
        at: (at, noise) => 150 + 10 * Math.sin(at / 3) + 2 * noise(),
        fine: true,
      },
    ];
  for (const { name, minutes, at, fine } of rows) {
    test(`${fine ? "lets pass" : "refuses"} ${name}`, () => {
      for (const seed of [1n, 2n, 3n, 4n, 5n]) {
        expect([seed, isFine(memory(sampled(minutes, at, seed)), minutes)]).toEqual([seed, fine]);
      }
    });
  }

  test("refuses what is above its ceiling once, however level", () => {
    const samples = sampled(3, (at) => (at > 1 && at < 1.02 ? 1100 : 150));
    expect(isFine(memory(samples), 3)).toBe(true);
    expect(isFine(memory(samples, { ceiling: 1024 }), 3)).toBe(false);
  });

  test("refuses a file left open every ten seconds", () => {
    const files = (perMinute: number) =>
      memory(
        sampled(3, (at) => 40 + Math.floor(perMinute * at)),
        { allowed: { atOnce: 6, perHour: 2 } },
      );
    expect(isFine(files(0), 3)).toBe(true);
    expect(isFine(files(6), 3)).toBe(false);
  });

  test("fits a line exactly where there is no noise, and says how sure a noisy slope is", () => {
    const exact = trendOf(
      sampled(4, (at) => 10 + 3 * at),
      1,
    );
    expect(exact.perMinute).toBeCloseTo(3, 2);
    expect(exact.highPerMinute - exact.lowPerMinute).toBeLessThan(0.1);
    const noisy = trendOf(
      sampled(4, (at, noise) => 10 + 3 * at + 5 * noise()),
      1,
    );
    expect(noisy.lowPerMinute).toBeLessThan(3);
    expect(noisy.highPerMinute).toBeGreaterThan(3);
    expect(noisy.highPerMinute - noisy.lowPerMinute).toBeGreaterThan(0.5);
  });

  test("tells nothing of a run with too few samples", () => {
    expect(() => trendOf([{ minutes: 0, value: 1 }], 0)).toThrow("too few samples");
  });
});
