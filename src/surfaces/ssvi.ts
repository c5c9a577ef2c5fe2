// Slices of the extended SSVI surface: three numbers an expiry whose conditions rule out butterfly and calendar arbitrage
// altogether, so that nothing has to be looked for or repaired. Separate from the freer slices of svi.ts, which fit far closer
// and have to be checked. Pure.
//
// Source: w = θ/2·(1 + ρφk + √((φk + ρ)² + 1 − ρ²)): Gatheral & Jacquier (2014), section 4, with ρ by expiry: Hendriks & Martini,
//   "The extended SSVI volatility surface", Journal of Computational Finance 22 (2019). With ψ = θφ:
//   butterflies: ψ(1 + |ρ|) < 4 and ψ²(1 + |ρ|) ≤ 4θ (Gatheral & Jacquier, theorem 4.2: sufficient);
//   calendar: θ rises, ψ(1 + ρ) and ψ(1 − ρ) don't fall (necessary), φ doesn't rise (then sufficient; Hendriks & Martini,
//   proposition 3.5). Fitted expiry by expiry inside these bounds, as in Corbetta, Cohort, Laachir & Martini, "Robust
//   calibration and arbitrage-free interpolation of SSVI slices", Decisions in Economics and Finance 42 (2019).
// Legend: θ total variance at the money · ρ correlation · ψ, φ steepness · k log-moneyness.
// Checked: tests/unit/surfaces/ssvi, tests/property/surfaces (random slices within the bounds, by the exact checks).

import { lowestBetween } from "./golden-section";
import { type RawSvi, rawFromNatural } from "./svi";
import { lossOf } from "./svi-constrained";
import { correlationMax, type SlicePoints, slicePointsMin } from "./svi-fit";

/** One expiry of an extended SSVI surface. */
export interface SsviSlice {
  /** θ > 0, total variance at the money. */
  readonly theta: number;
  readonly rho: number;
  /** ψ = θφ > 0. */
  readonly psi: number;
}

/** The same slice as a raw SVI hyperbola. */
export function rawFromSsvi({ theta, rho, psi }: SsviSlice): RawSvi {
  return rawFromNatural({ delta: 0, mu: 0, rho, omega: theta, zeta: psi / theta });
}

/** Whether the slice keeps the sufficient conditions against butterfly arbitrage. */
export function hasNoButterflies({ theta, rho, psi }: SsviSlice): boolean {
  const steep = 1 + Math.abs(rho);
  return theta > 0 && psi > 0 && psi * steep < 4 && psi * psi * steep <= 4 * theta;
}

/** Whether two slices keep the sufficient conditions against calendar arbitrage. */
export function hasNoCalendars(earlier: SsviSlice, later: SsviSlice): boolean {
  const isNotBelow = (value: number, bound: number) => value >= bound * (1 - 1e-12);
  return (
    isNotBelow(later.theta, earlier.theta) &&
    isNotBelow(later.psi * (1 + later.rho), earlier.psi * (1 + earlier.rho)) &&
    isNotBelow(later.psi * (1 - later.rho), earlier.psi * (1 - earlier.rho)) &&
    isNotBelow(earlier.psi / earlier.theta, later.psi / later.theta)
  );
}

/**
 * The slice nearest to the points (Huber's loss in units of their errors) that has no arbitrage in itself or with the earlier
 * one, whose variance at the money it exceeds by `share` at least; null where there are too few points.
 */
export function fitSsvi(points: SlicePoints, earlier: SsviSlice | null, share: number): SsviSlice | null {
  if (points.k.length < slicePointsMin) return null;
  const thetaMin = earlier === null ? 0 : earlier.theta * (1 + share);
  const quoted = varianceAtTheMoney(points);
  let theta = Math.max(thetaMin, quoted);
  let best = bestAt(points, earlier, theta);
  for (let round = 0; round < roundsMax; round++) {
    const { rho, psi } = best;
    // The level within the bounds that this steepness leaves it.
    const low = Math.max(thetaMin, quoted * 0.8, (psi * psi * (1 + Math.abs(rho))) / 4);
    const high = Math.max(low, quoted * 1.25);
    const floor = earlier === null ? low : Math.max(low, (psi * earlier.theta) / earlier.psi);
    if (floor < high)
      theta = lowestBetween((each) => lossOf(rawFromSsvi({ theta: each, rho, psi }), points), floor, high, sections);
    const next = bestAt(points, earlier, theta);
    if (lossOf(rawFromSsvi(next), points) >= lossOf(rawFromSsvi(best), points)) break;
    best = next;
  }
  return best;
}

const roundsMax = 4;
const gridSteps = 10;
const refinements = 4;
const sections = 30;

/** The best ρ and ψ for a level, by a grid over ρ that closes in, ψ by golden sections within its bounds. */
function bestAt(points: SlicePoints, earlier: SsviSlice | null, theta: number): SsviSlice {
  let best: SsviSlice | null = null;
  let loss = Number.POSITIVE_INFINITY;
  const tryOut = (rho: number) => {
    const steep = 1 + Math.abs(rho);
    const low =
      earlier === null
        ? 1e-4 * Math.sqrt(theta)
        : earlier.psi * Math.max((1 + earlier.rho) / (1 + rho), (1 - earlier.rho) / (1 - rho));
    const steepest = Math.min((4 / steep) * (1 - 1e-9), 2 * Math.sqrt(theta / steep));
    const high = earlier === null ? steepest : Math.min(steepest, (earlier.psi * theta) / earlier.theta);
    if (low > high) return;
    const psi = lowestBetween((each) => lossOf(rawFromSsvi({ theta, rho, psi: each }), points), low, high, sections);
    const next = lossOf(rawFromSsvi({ theta, rho, psi }), points);
    if (next < loss) [best, loss] = [{ theta, rho, psi }, next];
  };
  // The earlier slice's own ρ always leaves room: its ψ will do.
  let centre = earlier?.rho ?? 0;
  tryOut(centre);
  let reach = 1;
  for (let round = 0; round < refinements; round++) {
    for (let step = -gridSteps; step <= gridSteps; step++) {
      const rho = centre + (reach * step) / gridSteps;
      if (Math.abs(rho) <= correlationMax) tryOut(rho);
    }
    const found: SsviSlice | null = best;
    if (found !== null) centre = (found as SsviSlice).rho;
    reach /= gridSteps / 2;
  }
  // Rounding may have left no room even there.
  return best ?? { theta, rho: earlier?.rho ?? 0, psi: earlier?.psi ?? Math.sqrt(theta) };
}

/** Total variance at k = 0: on the line between the two quotes that enclose it, else that of the nearest. */
function varianceAtTheMoney({ k, w }: SlicePoints): number {
  let below = -1;
  let above = -1;
  for (let index = 0; index < k.length; index++) {
    if (k[index]! <= 0 && (below < 0 || k[index]! > k[below]!)) below = index;
    if (k[index]! > 0 && (above < 0 || k[index]! < k[above]!)) above = index;
  }
  if (below < 0) return w[above]!;
  if (above < 0) return w[below]!;
  return w[below]! + ((w[above]! - w[below]!) * -k[below]!) / (k[above]! - k[below]!);
}
