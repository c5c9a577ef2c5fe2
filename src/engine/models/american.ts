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

/** By the scheme's place. */
const weights = [128, 512, 4096];

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
    "volatility · √time above 64 is out_of_domain.",
    badLimit,
    overflowLimit,
  ],
  // what is no scheme costs nothing itself, but may stand beside one that does
  weight: ({ largest }) => weights[largest("scheme")] ?? 4096,
};
