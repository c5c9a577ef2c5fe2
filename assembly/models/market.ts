// The market of one row as jets: spot, strike, time, rate, yield and volatility, each with its own derivative, and what all formulas of
// path-dependent options are made of. Separate so that each of these models is written in the terms of its paper.
// Legend: Q = e^(-qT), D = e^(-rT), s = σ√T, ν = r - q - σ²/2, the drift of ln S. A thread prices one row at a time: its market stands in
// globals, which are an instance's own.
// At the edges (no time, no volatility, no spot) `openSureMarket` makes the jets that a certain future needs, and nothing that divides by s.
import {
  atRate,
  atSpot,
  atStrike,
  atTime,
  atVolatility,
  atYield,
  exponential,
  fixed,
  minus,
  scaled,
  squareRoot,
  times,
  variable,
} from "./jet";

export let spot: usize = 0;
export let strike: usize = 0;
export let time: usize = 0;
export let rate: usize = 0;
export let dividendYield: usize = 0;
export let volatility: usize = 0;
/** Q, D, s, σ², ν. */
export let yieldDiscount: usize = 0;
export let rateDiscount: usize = 0;
export let deviation: usize = 0;
export let variance: usize = 0;
export let drift: usize = 0;
/** S Q/D: what the spot grows to where nothing is uncertain. */
export let forward: usize = 0;

/** Everything of an ordinary row. */
export function openMarket(s: f64, k: f64, t: f64, r: f64, q: f64, v: f64): void {
  spot = variable(s, atSpot);
  strike = variable(k, atStrike);
  time = variable(t, atTime);
  rate = variable(r, atRate);
  dividendYield = variable(q, atYield);
  volatility = variable(v, atVolatility);
  yieldDiscount = exponential(scaled(times(dividendYield, time), -1));
  rateDiscount = exponential(scaled(times(rate, time), -1));
  deviation = times(volatility, squareRoot(time));
  variance = times(volatility, volatility);
  drift = minus(minus(rate, dividendYield), scaled(variance, 0.5));
}

/** A row without uncertainty: derivatives in the volatility are 0, and where it has expired those in spot and strike alone are not. */
export function openSureMarket(s: f64, k: f64, t: f64, r: f64, q: f64): void {
  const hasTime = t > 0;
  spot = variable(s, atSpot);
  strike = variable(k, atStrike);
  time = hasTime ? variable(t, atTime) : fixed(0);
  rate = hasTime ? variable(r, atRate) : fixed(0);
  dividendYield = hasTime ? variable(q, atYield) : fixed(0);
  yieldDiscount = exponential(scaled(times(dividendYield, time), -1));
  rateDiscount = exponential(scaled(times(rate, time), -1));
  variance = fixed(0);
  drift = minus(rate, dividendYield);
  forward = times(spot, exponential(times(minus(rate, dividendYield), time)));
}

