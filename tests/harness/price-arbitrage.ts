// Looks for static arbitrage in a surface by its prices alone: normalised calls must fall and be convex in the strike and rise in
// time at equal moneyness. Has its own Black formula and its own normal distribution, so that it shares nothing with what it judges.

import type { Surface } from "../../src/surfaces/surface";

/** The complementary normal distribution by the continued fraction beyond 2 and the series below (Abramowitz & Stegun 26.2). */
function upperTail(x: number): number {
  if (x < 0) return 1 - upperTail(-x);
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (x < 3) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 80; n++) {
      term *= (x * x) / (2 * n + 1);
      sum += term;
    }
    return 0.5 - density * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / (x + fraction);
  return density / (x + fraction);
}

/** A call of strike e^k on a forward of 1, out of the money as it is and in the money by parity. */
function call(k: number, w: number): number {
  const deviation = Math.sqrt(w);
  const d1 = -k / deviation + deviation / 2;
  if (k >= 0) return upperTail(-d1) - Math.exp(k) * upperTail(-(d1 - deviation));
  const put = Math.exp(k) * upperTail(d1 - deviation) - upperTail(d1);
  return put + 1 - Math.exp(k);
}

const stepCount = 120;

/** What is wrong, in words; nothing where there is no arbitrage beyond rounding. */
export function priceFaults(surface: Surface): string[] {
  const faults: string[] = [];
  const last = surface.slices.at(-1)!;
  const reach = 6 * Math.sqrt(surface.jet(0, last.timeToExpiry).w);
  // Strikes in equal steps of k: convexity in the strike is judged by slopes between neighbours.
  const moneyness = Array.from({ length: stepCount + 1 }, (_, index) => -reach + (2 * reach * index) / stepCount);
  const strikes = moneyness.map(Math.exp);
  const times = [0.3 * surface.slices[0]!.timeToExpiry];
  surface.slices.forEach(({ timeToExpiry }, index) => {
    const next = surface.slices[index + 1]?.timeToExpiry ?? 1.5 * timeToExpiry;
    for (const share of [0, 0.3, 0.7]) times.push(timeToExpiry + share * (next - timeToExpiry));
  });
  let before: number[] | null = null;
  for (const time of times) {
    const calls = moneyness.map((k) => call(k, surface.jet(k, time).w));
    const slopes = calls
      .slice(1)
      .map((price, index) => (price - calls[index]!) / (strikes[index + 1]! - strikes[index]!));
    slopes.forEach((slope, index) => {
      const where = `at ${time.toFixed(4)} years, k ${moneyness[index]!.toFixed(3)}`;
      // A price is known to some 1e-16; so much of a slope is rounding.
      const rounding = 4e-15 / (strikes[index + 1]! - strikes[index]!);
      if (slope > rounding || slope < -1 - rounding) faults.push(`not falling as a call must: slope ${slope} ${where}`);
      if (index > 0 && slope < slopes[index - 1]! - 2 * rounding)
        faults.push(`not convex: slope ${slope} after ${slopes[index - 1]!} ${where}`);
    });
    if (before !== null)
      for (const [index, price] of calls.entries())
        if (price < before[index]! - 4e-15)
          faults.push(`falls in time: ${price} after ${before[index]!} at ${time.toFixed(4)} years`);
    before = calls;
  }
  return faults;
}
