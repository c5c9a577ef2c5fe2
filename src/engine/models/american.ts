// American options by their exercise boundary. Separate because their scheme, limits and weights are their own.

import {
  badLimit,
  expiredLimit,
  kinkLimit,
  lambdaLimit,
  type ModelDefinition,
  overflowLimit,
  spotOutputs,
} from "./definition";
import { blackScholesMerton } from "./european";
import { discreteDividends, gridWeight } from "./finite-difference";

/** By the scheme's place. */
const weights = [128, 512, 4096];

/** Steps in price and time of the finer grid that each scheme solves where there are dividends. */
const dividendSteps: readonly (readonly [number, number])[] = [
  [100, 50],
  [200, 100],
  [800, 400],
];

export const american: ModelDefinition = {
  id: 5,
  name: "american",
  title: "American options on an asset with a continuous dividend yield, exercised at any time",
  source:
    "Kim (1990); Andersen, Lake and Offengenden (2016), High-performance American option pricing; Andersen and Lake (2021) for rates below 0",
  inputs: [
    ...blackScholesMerton.inputs,
    {
      name: "scheme",
      title: "How finely the exercise boundary is solved for",
      unit: "a word",
      words: ["fast", "accurate", "reference"],
      default: 1,
      domain: "fast, accurate or reference",
      example: 1,
    },
  ],
  lists: [discreteDividends],
  outputs: [
    ...spotOutputs.filter((output) => output !== "color" && output !== "ultima"),
    "early_exercise_premium",
    "exercise_boundary",
  ],
  impliedVolatility: true,
  limits: [
    expiredLimit,
    "volatility 0: the holder exercises at the best moment of a sure future, now, at expiry or in between; derivatives in volatility 0.",
    kinkLimit,
    lambdaLimit,
    "Where exercising at once is best, price and delta are the payoff's and every other Greek is 0; on the boundary itself too.",
    "exercise_boundary is null where there is none now: where exercising early never pays, at the limits, and with rates below 0 once both boundaries have met. Where there are two it is the one nearer the strike.",
    "spot 0: a call is worth 0, a put strike, or strike · e^(−rate · time) where that is more. strike 0: a call is worth the asset, or what it is without its dividends where that is more; a put 0.",
    "volatility · √time above 64 is out_of_domain, above 20 with discrete_dividends, where below 1e-6 counts as none.",
    "With discrete_dividends there are price, delta, gamma, vega, theta, rho, dividend_rho, vanna, lambda and early_exercise_premium; a row asked for another output is unsupported_output. theta is what passing time costs: dividends come nearer as expiry does.",
    badLimit,
    overflowLimit,
  ],
  // what is no scheme costs nothing itself, but may stand beside one that does
  weight: ({ largest, isListed, outputs }) => {
    const scheme = largest("scheme");
    const [space, time] = isListed("discrete_dividends") ? (dividendSteps[scheme] ?? [800, 400]) : [0, 0];
    const own = weights[scheme] ?? 4096;
    return Math.max(own, 1.25 * gridWeight(space, time, outputs));
  },
};
