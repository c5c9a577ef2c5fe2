// Binomial trees. Separate because what a row costs goes with the square of its steps.

import {
  type Asked,
  badLimit,
  expiredLimit,
  kinkLimit,
  lambdaLimit,
  type ModelDefinition,
  type OutputName,
  overflowLimit,
} from "./definition";
import { blackScholesMerton } from "./european";

/** Steps that a tree may have. */
export const stepsMax = 2000;

const outputs: readonly OutputName[] = [
  "price",
  "delta",
  "gamma",
  "vega",
  "theta",
  "rho",
  "dividend_rho",
  "dual_delta",
  "dual_gamma",
  "lambda",
  "early_exercise_premium",
];

/** Outputs that take two more trees each. */
const bumped: readonly OutputName[] = ["vega", "rho", "dividend_rho"];

/** Nodes that cost what a row of Black–Scholes–Merton does. */
const nodesPerRow = 16;

function weight({ largest, outputs: asked }: Asked): number {
  const steps = largest("steps");
  const trees = 1 + 2 * asked.filter((output) => bumped.includes(output)).length;
  const halves = largest("extrapolation") === 0 ? 1 : 1.25;
  return (8 + (steps * steps) / 2 / nodesPerRow) * trees * halves;
}

export const binomial: ModelDefinition = {
  id: 10,
  name: "binomial",
  title: "Binomial trees, European or American options on an asset with a continuous dividend yield",
  source:
    "Cox, Ross and Rubinstein (1979); Leisen and Reimer (1996); Broadie and Detemple (1996) for smoothing and extrapolation",
  inputs: [
    ...blackScholesMerton.inputs,
    {
      name: "tree",
      title: "Which tree",
      unit: "a word",
      words: ["cox_ross_rubinstein", "leisen_reimer"],
      default: 0,
      domain: "cox_ross_rubinstein or leisen_reimer",
      example: 1,
    },
    {
      name: "steps",
      title: "Steps of the tree; leisen_reimer makes an even number odd by one more",
      unit: "a whole number",
      default: 200,
      domain: `1 to ${stepsMax}`,
      example: 201,
    },
    {
      name: "exercise",
      title: "When it may be exercised",
      unit: "a word",
      words: ["european", "american"],
      default: 1,
      domain: "european: at expiry, american: at any time",
      example: 1,
    },
    {
      name: "smoothing",
      title: "What stands in place of the last step",
      unit: "a word",
      words: ["none", "black_scholes"],
      default: 0,
      domain: "none, or black_scholes: the European price over that step",
      example: 0,
    },
    {
      name: "extrapolation",
      title: "Whether the tree's error is estimated from half the steps and taken off",
      unit: "a word",
      words: ["none", "richardson"],
      default: 0,
      domain: "none or richardson",
      example: 0,
    },
  ],
  outputs,
  impliedVolatility: true,
  limits: [
    expiredLimit,
    "volatility 0: what is american is exercised at the best moment of a sure future, or where the volatility is worth less than 1e-7 of the strike; what is european is the discounted payoff of the forward. Derivatives in volatility 0.",
    kinkLimit,
    lambdaLimit,
    "exercise american: never below the payoff nor the European price of Black–Scholes–Merton; where the tree is, price and Greeks are theirs. exercise european: the tree's own value.",
    "Where exercising at once is best price, delta and dual_delta are the payoff's and every other Greek is 0.",
    "A cox_ross_rubinstein tree whose chance would lie outside 0 to 1, volatility < |rate − dividend_yield| · √step, goes along the forward instead.",
    "spot 0: a call is worth 0, a put strike, or strike · e^(−rate · time) where that is more or exercise is european. strike 0: a call is worth the asset, or what it is without its dividends where that is more or exercise is european; a put 0.",
    "steps outside 1 to 2000 or not whole, spots of the tree too large for a double and volatility · √time above 64 are out_of_domain.",
    badLimit,
    overflowLimit,
  ],
  weight,
};
