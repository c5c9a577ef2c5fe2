// Closed approximations of American options, for those who must agree with systems that use them. Separate from the exact model because
// what they share is that they are approximate.

import {
  type Asked,
  badLimit,
  expiredLimit,
  kinkLimit,
  lambdaLimit,
  type ModelDefinition,
  type OutputName,
  overflowLimit,
  spotOutputs,
} from "./definition";
import { blackScholesMerton } from "./european";

const outputs: readonly OutputName[] = [...spotOutputs, "early_exercise_premium", "exercise_boundary"];

const limits: readonly string[] = [
  expiredLimit,
  "volatility 0, or so small that it is worth less than 1e-7 of the strike: the holder exercises at the best moment of a sure future; derivatives in volatility 0.",
  kinkLimit,
  lambdaLimit,
  "Never below the payoff nor the European price: where the formula is, the price and its derivatives are theirs.",
  "Where exercising at once is best price, delta and dual_delta are the payoff's and every other Greek is 0.",
  "exercise_boundary is null where the formula has none: a call whose dividend_yield is 0 or below, a put whose rate is; there the option is European, or its payoff where that is more.",
  "spot 0: a call is worth 0, a put strike, or strike · e^(−rate · time) where that is more. strike 0: a call is worth the asset, or what it is without its dividends where that is more; a put 0.",
  "volatility · √time above 64 is out_of_domain.",
  badLimit,
  overflowLimit,
];

/** Greeks cost several prices. */
const weightOf =
  (price: number, greeks: number) =>
  ({ outputs: asked }: Asked): number =>
    asked.every((output) => output === "price") ? price : greeks;

const shared = { inputs: blackScholesMerton.inputs, outputs, impliedVolatility: true, limits } as const;

export const baroneAdesiWhaley: ModelDefinition = {
  ...shared,
  id: 6,
  name: "barone_adesi_whaley",
  title: "American options by the quadratic approximation of Barone-Adesi and Whaley",
  source:
    "Barone-Adesi and Whaley (1987), Efficient Analytic Approximation of American Option Values; MacMillan (1986)",
  weight: weightOf(28, 160),
};

export const bjerksundStensland1993: ModelDefinition = {
  ...shared,
  id: 7,
  name: "bjerksund_stensland_1993",
  title: "American options by Bjerksund and Stensland's flat exercise boundary",
  source: "Bjerksund and Stensland (1993), Closed-Form Approximation of American Options",
  weight: weightOf(20, 160),
};

export const bjerksundStensland2002: ModelDefinition = {
  ...shared,
  id: 8,
  name: "bjerksund_stensland_2002",
  title: "American options by Bjerksund and Stensland's exercise boundary of two steps",
  source: "Bjerksund and Stensland (2002), Closed Form Valuation of American Options; Haug (2007), section 3.2",
  weight: weightOf(72, 1600),
};

export const juZhong: ModelDefinition = {
  ...shared,
  id: 9,
  name: "ju_zhong",
  title: "American options by Ju and Zhong's correction of the quadratic approximation",
  source: "Ju and Zhong (1999), An Approximate Formula for Pricing American Options",
  weight: weightOf(28, 192),
};
