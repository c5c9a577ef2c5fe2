// Exotic options in closed form: digital, barrier, lookback and Asian options. Separate because they share inputs, a batch of the kernel and limits.

import {
  badLimit,
  type InputDefinition,
  lambdaLimit,
  type ModelDefinition,
  overflowLimit,
  priceDomain,
  spotOutputs,
} from "./definition";
import { blackScholesMerton } from "./european";

const barrierTypes = ["none", "down_in", "down_out", "up_in", "up_out", "double_in", "double_out"] as const;

const barrierType: InputDefinition = {
  name: "barrier_type",
  title: "Which barrier there is, and whether it begins or ends the option",
  unit: "a word",
  words: barrierTypes,
  domain: "none, down_in, down_out, up_in, up_out, double_in or double_out",
  example: 2,
};

const barrierLevel: InputDefinition = {
  name: "barrier",
  title: "The barrier, or the lower of two",
  unit: "currency",
  domain: "6.3e-61 to 1.6e60",
  example: 90,
};

const upperBarrier: InputDefinition = {
  name: "upper_barrier",
  title: "The upper of two barriers",
  unit: "currency",
  default: 0,
  domain: "above the barrier with barrier_type double_in or double_out; else not looked at",
  example: 130,
};

const strikeType: InputDefinition = {
  name: "strike_type",
  title:
    "Whether the strike is given, or is what the spot is held against: a lookback's extreme, an Asian option's average",
  unit: "a word",
  words: ["fixed", "floating"],
  domain:
    "lookback, fixed: a call pays the maximum less the strike, a put the strike less the minimum; floating: a call pays the spot less the minimum, a put the maximum less the spot. asian, fixed: the average less the strike, or the strike less the average; floating: the spot less the average, or the average less the spot. Floating does not look at the strike",
  example: 1,
};

const monitoringInterval: InputDefinition = {
  name: "monitoring_interval",
  title: "Time between two looks at the spot, 0 where every moment counts",
  unit: "years",
  default: 0,
  domain: "0 and above; small beside the time to expiry, or the correction is none",
  example: 0.004,
};

/** Two barriers are sums over images, each a formula of one; a window needs the laws of three moments. */
const exoticWeight: ModelDefinition["weight"] = ({ largest }) => {
  if (largest("window_start") > 0 || largest("window_end") > 0) return 4096;
  return largest("barrier_type") >= barrierTypes.indexOf("double_in") ? 512 : 64;
};

const deviationLimit = "volatility · √time above 64 is out_of_domain.";
const sureLimit =
  "volatility 0 and spot 0: the spot grows steadily to its forward, and hits what lies between; the discounted payoff and its derivatives, those in volatility 0.";

export const digital: ModelDefinition = {
  id: 12,
  name: "digital",
  title: "Digital options: cash, asset or gap at expiry, with barriers or without, and payments for touching a level",
  source: "Rubinstein and Reiner (1991), Unscrambling the binary code; Broadie, Glasserman and Kou (1997)",
  inputs: [
    ...blackScholesMerton.inputs,
    {
      name: "payoff",
      title: "What is paid, and when",
      unit: "a word",
      words: [
        "cash",
        "asset",
        "gap",
        "one_touch",
        "one_touch_at_expiry",
        "no_touch",
        "asset_touch",
        "asset_touch_at_expiry",
        "asset_no_touch",
      ],
      domain:
        "cash, asset or gap at expiry beyond the strike; or for touching the strike from below (call) or above (put) before expiry: one_touch (cash at once), one_touch_at_expiry, no_touch, asset_touch (the asset at once), asset_touch_at_expiry, asset_no_touch",
      example: 0,
    },
    {
      name: "cash",
      title: "The amount of cash that is paid",
      unit: "currency",
      default: 1,
      domain: priceDomain,
      example: 10,
    },
    {
      name: "gap_strike",
      title:
        "What the payoff gap is measured from: it pays spot − gap_strike (a call) where the spot ends beyond the strike",
      unit: "currency",
      default: 0,
      domain: "6.3e-61 to 1.6e60 with payoff gap; else not looked at",
      example: 102,
    },
    { ...barrierType, default: 0 },
    { ...barrierLevel, default: 0 },
    upperBarrier,
    monitoringInterval,
  ],
  outputs: spotOutputs,
  impliedVolatility: false,
  limits: [
    "time_to_expiry ≤ 0 is expired: the payoff, which is nothing where the spot is exactly at the strike; delta and dual_delta are its slopes, other Greeks 0.",
    sureLimit,
    "Where the payoff jumps (spot, or without volatility forward, at the strike) every Greek in spot, strike, time or rates is null.",
    "A spot at a barrier or beyond it has been knocked, status ok: a knock-out is worth 0, a knock-in what it is without a barrier. A spot at a touch's level or beyond it has touched.",
    "A touch's barrier_type is none, or a knock-out on the other side of the spot (down_out for a call, up_out for a put), which ends it; that not with payments at expiry for a touch. Anything else is out_of_domain.",
    lambdaLimit,
    deviationLimit,
    badLimit,
    overflowLimit,
  ],
  weight: exoticWeight,
};

export const barrier: ModelDefinition = {
  id: 13,
  name: "barrier",
  title: "Barrier options: calls and puts that begin or end at one barrier or two, with a rebate",
  source:
    "Merton (1973); Reiner and Rubinstein (1991), Breaking down the barriers; Kunitomo and Ikeda (1992); Broadie, Glasserman and Kou (1997)",
  inputs: [
    ...blackScholesMerton.inputs,
    barrierType,
    barrierLevel,
    {
      name: "rebate",
      title: "What is paid instead: for a knock-out when it is hit, for a knock-in at expiry if it never was",
      unit: "currency",
      default: 0,
      domain: priceDomain,
      example: 3,
    },
    upperBarrier,
    monitoringInterval,
    {
      name: "window_start",
      title: "From when on the barrier holds; a spot at it or beyond then has hit it",
      unit: "years",
      default: 0,
      domain: "below the window's end; 0 and below: it holds already",
      example: 0,
    },
    {
      name: "window_end",
      title: "Until when the barrier holds, 0 until expiry",
      unit: "years",
      default: 0,
      domain: "0 to time_to_expiry; a window is for one barrier, and without a knock-out's rebate",
      example: 0,
    },
  ],
  outputs: spotOutputs,
  impliedVolatility: false,
  limits: [
    "time_to_expiry ≤ 0 is expired: the payoff, or the rebate of a knock-in that was not hit; delta and dual_delta 0 or ±1 (±½ where spot equals strike), other Greeks 0.",
    sureLimit,
    "Where the payoff has its kink gamma, dual_gamma, speed and theta are null.",
    "A spot at a barrier or beyond it has been knocked, status ok: a knock-out is worth its rebate now, a knock-in what it is without a barrier.",
    "barrier_type none is the plain option.",
    "A window with two barriers, with a rebate at the hit, beyond expiry, or with |2 (rate − dividend_yield ± volatility²/2) · ln(barrier/spot)| / volatility² above 600 is out_of_domain. Derivatives in time move it together with expiry, but for a start that has passed.",
    lambdaLimit,
    deviationLimit,
    badLimit,
    overflowLimit,
  ],
  weight: exoticWeight,
};

export const lookback: ModelDefinition = {
  id: 14,
  name: "lookback",
  title: "Lookback options on the highest or lowest spot of their life",
  source:
    "Goldman, Sosin and Gatto (1979), Path dependent options; Conze and Viswanathan (1991); Broadie, Glasserman and Kou (1999)",
  inputs: [
    ...blackScholesMerton.inputs,
    strikeType,
    {
      name: "extreme_so_far",
      title: "The extreme until now: the maximum for a fixed call and a floating put, the minimum for the other two",
      unit: "currency",
      domain: "0 or 6.3e-61 to 1.6e60; the spot itself where that lies beyond it",
      example: 95,
    },
    monitoringInterval,
  ],
  outputs: spotOutputs,
  impliedVolatility: false,
  limits: [
    "time_to_expiry ≤ 0 is expired: the payoff and its slopes in spot and strike, other Greeks 0.",
    sureLimit,
    "Where the payoff has its kink gamma, dual_gamma, speed and theta are null.",
    lambdaLimit,
    deviationLimit,
    badLimit,
    overflowLimit,
  ],
  weight: exoticWeight,
};

export const asian: ModelDefinition = {
  id: 15,
  name: "asian",
  title: "Asian options on the arithmetic or geometric average of the spot, over fixings or continuously",
  source:
    "Kemna and Vorst (1990) for geometric averages; Levy (1992) and Turnbull and Wakeman (1991), or Rogers and Shi (1995) and Curran (1994), for arithmetic ones",
  inputs: [
    ...blackScholesMerton.inputs,
    {
      name: "average",
      title: "Which mean of the fixings",
      unit: "a word",
      words: ["arithmetic", "geometric"],
      domain: "arithmetic (taken for lognormal with its first two moments) or geometric (exact)",
      example: 0,
    },
    {
      name: "average_so_far",
      title:
        "The mean, of the same kind, of the fixings before now; without fixings, of the time since averaging_start",
      unit: "currency",
      default: 0,
      domain: "6.3e-61 to 1.6e60 where some fixing lies before now, or averaging_start below 0; else not looked at",
      example: 100,
    },
    {
      name: "averaging_start",
      title: "From when on the average is taken where there are no fixings: years from now, below 0 where it has begun",
      unit: "years",
      default: 0,
      domain: "below time_to_expiry; not looked at beside fixings",
      example: 0,
    },
    { ...strikeType, default: 0 },
    {
      name: "method",
      title: "How an arithmetic average over fixings is priced",
      unit: "a word",
      words: ["moments", "lower_bound", "control_variate"],
      default: 0,
      domain:
        "moments; lower_bound, what conditioning on the geometric average gives, never above the price and near it; control_variate, the bound and what is left above it by simulation. The latter two want fixings and a fixed strike",
      example: 0,
    },
    {
      name: "paths",
      title: "Paths simulated by control_variate, rounded up to whole replicates of 16",
      unit: "1",
      default: 4096,
      domain: "whole numbers from 64 to 262144; at most 64 fixings to come",
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
  ],
  lists: [
    {
      name: "fixings",
      title:
        "When the spot is looked at for the average; those before now are in average_so_far, one now counts the spot. None: it is averaged continuously",
      items: "moments",
      unit: "years",
      lengthMax: 1024,
      domain: "up to the time to expiry, below 0 where past",
      example: [0.125, 0.25, 0.375, 0.5],
    },
  ],
  outputs: [...spotOutputs, "standard_error"],
  impliedVolatility: false,
  limits: [
    "time_to_expiry ≤ 0 is expired: the payoff and its slopes in spot and strike, other Greeks 0.",
    "volatility 0 and spot 0: the average of the forwards; derivatives in volatility 0.",
    "Where the payoff has its kink gamma, dual_gamma, speed and theta are null.",
    "standard_error is that of the means of sixteen independent replicates with method control_variate, else 0; Greeks are then the lower bound's.",
    "Derivatives in time move every fixing and averaging_start together with expiry; average_so_far stays.",
    "A fixing after expiry, or out of order, is out_of_domain; so is an arithmetic average with (2 |rate − dividend_yield| + volatility²) · time above 400.",
    lambdaLimit,
    deviationLimit,
    badLimit,
    overflowLimit,
  ],
  // a continuous average has its second moment by panels, a fixing costs less than a point of them; a path of many as much as 64 rows
  weight: ({ largest }) => (largest("method") === 2 ? 64 * largest("paths") : 512),
};
