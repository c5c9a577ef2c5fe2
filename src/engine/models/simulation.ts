// Options by simulation. Separate because how a simulation is done are inputs of its own.

import {
  badLimit,
  expiredLimit,
  type InputDefinition,
  lambdaLimit,
  type ModelDefinition,
  overflowLimit,
} from "./definition";
import { blackScholesMerton } from "./european";

const word = (
  name: InputDefinition["name"],
  title: string,
  words: readonly string[],
  given: number,
): InputDefinition => ({
  name,
  title,
  unit: "a word",
  words,
  default: given,
  domain: words.join(", ").replace(/, ([^,]*)$/, " or $1"),
  example: given,
});

export const monteCarlo: ModelDefinition = {
  id: 19,
  name: "monte_carlo",
  title: "Options by simulation, European or American at a number of dates",
  source:
    "Longstaff and Schwartz (2001), Valuing American options by simulation; Sobol (1967) with Joe and Kuo's (2008) directions; Glasserman (2003), Monte Carlo Methods in Financial Engineering",
  inputs: [
    ...blackScholesMerton.inputs,
    word("exercise", "When the option may be exercised", ["european", "american"], 0),
    {
      name: "steps",
      title: "Dates at which an American option may be exercised, evenly spaced; a European one has its expiry alone",
      unit: "1",
      default: 32,
      domain: "whole numbers from 1 to 64",
      example: 32,
    },
    {
      name: "paths",
      title: "Paths simulated, rounded up to whole replicates of 16 (32 with antithetic ones)",
      unit: "1",
      default: 8192,
      domain: "whole numbers from 64 to 262144; for American options paths · steps ≤ 2097152",
      example: 4096,
    },
    {
      name: "seed",
      title: "What random numbers are drawn by: the same seed gives the same answer",
      unit: "1",
      default: 1,
      domain: "whole numbers from 0 to 2^53",
      example: 1,
    },
    word("sampling", "How points are spread", ["sobol", "pseudo_random"], 0),
    word("variance_reduction", "How the error is made smaller", ["none", "antithetic", "control", "both"], 3),
  ],
  outputs: ["price", "delta", "vega", "rho", "dividend_rho", "dual_delta", "lambda", "standard_error"],
  impliedVolatility: false,
  limits: [
    expiredLimit,
    "volatility 0: as black_scholes_merton for European options, as american for American ones.",
    "standard_error is that of the means of sixteen independent replicates, 0 at the limits and where exercising at once is best.",
    "An American price is what a rule fitted to other paths earns, so it is biased low, by the rule and by the dates; never below the payoff nor the European price.",
    lambdaLimit,
    "spot 0: a call is worth 0, a put strike · e^(−rate · time), or strike where it is American and that is more. strike 0: a call is worth the asset, a put 0.",
    "volatility · √time above 8, and numbers that are not whole where they must be, are out_of_domain.",
    badLimit,
    overflowLimit,
  ],
  // a point of a path costs about as much as a row of Black–Scholes–Merton; an American option has two sets of them
  weight: ({ largest }) => largest("paths") * (largest("exercise") > 0 ? 2 * largest("steps") : 1),
};
