// Binomial trees the slow and plain way, for tests: every node's spot by its own power, every value in an array of its own, chances by the papers'
// formulas. Nothing is done two at a time, in place or by logarithms.

import type { AmericanRow } from "./american";
import { europeanTwin } from "./approximations";

/** How a tree is made. */
export interface TreeTerms {
  readonly tree: "cox_ross_rubinstein" | "leisen_reimer";
  readonly steps: number;
  readonly isAmerican: boolean;
  readonly isSmoothed?: boolean;
}

/** Peizer and Pratt's second inversion. */
function inversion(z: number, n: number): number {
  const scaled = z / (n + 1 / 3 + 0.1 / (n + 1));
  return 0.5 + 0.5 * Math.sign(z) * Math.sqrt(-Math.expm1(-(scaled ** 2) * (n + 1 / 6)));
}

/** What waiting is worth now by the tree; of Leisen and Reimer an odd number of steps. */
export function treeTwin(row: AmericanRow, { tree, steps, isAmerican, isSmoothed = false }: TreeTerms): number {
  const { spot, strike, time_to_expiry: time, rate, dividend_yield: yields, volatility } = row;
  const sign = row.isCall ? 1 : -1;
  const dt = time / steps;
  const growth = Math.exp((rate - yields) * dt);
  let up = Math.exp(volatility * Math.sqrt(dt));
  let down = 1 / up;
  let chance = (growth - down) / (up - down);
  if (tree === "leisen_reimer") {
    const v = volatility * Math.sqrt(time);
    const d1 = (Math.log(spot / strike) + (rate - yields) * time) / v + v / 2;
    chance = inversion(d1 - v, steps);
    const other = inversion(d1, steps);
    up = (growth * other) / chance;
    down = (growth * (1 - other)) / (1 - chance);
  } else if (!(chance > 0 && chance < 1)) {
    chance = 1 / (1 + up);
    up *= growth;
    down *= growth;
  }
  const spotAt = (step: number, ups: number) => spot * up ** ups * down ** (step - ups);
  const payoff = (s: number) => sign * (s - strike);
  let values = Array.from({ length: steps + 1 }, (_, ups) => Math.max(payoff(spotAt(steps, ups)), 0));
  for (let step = steps - 1; step >= 0; step--) {
    values = Array.from({ length: step + 1 }, (_, ups) => {
      const s = spotAt(step, ups);
      const held =
        isSmoothed && step === steps - 1
          ? europeanTwin({ ...row, time_to_expiry: dt }, s)
          : Math.exp(-rate * dt) * (chance * values[ups + 1]! + (1 - chance) * values[ups]!);
      return isAmerican && step > 0 ? Math.max(held, payoff(s)) : held;
    });
  }
  return values[0]!;
}
