// Hagan's volatility for the SABR model, Black's price at it, and Greeks of both together: the volatility moves with forward, strike and time, and every derivative
// counts that. Separate from batch/ as every set of formulas is.
// Source: Hagan, Kumar, Lesniewski and Woodward (2002), Managing smile risk, equation 2.17. With α initial volatility, β, ν vol of vol, ρ correlation, y = ln(F/K),
// q = α (FK)^((β-1)/2), z = ν y/q:
//   σ = q (z/χ(z)) (1 + T E)/(1 + (1-β)² y²/24 + (1-β)⁴ y⁴/1920),  E = (1-β)² q²/24 + ρβν q/4 + (2-3ρ²) ν²/24,
//   χ(z) = ln((√(1-2ρz+z²) + z - ρ)/(1-ρ)); χ' = Σ P_n(ρ) zⁿ is the generating function of Legendre's polynomials, which gives χ/z and its slopes near z = 0.
// Derivatives are those of ln σ in ln F and ln K, by hand. The formula is an expansion in T: far out and late its prices imply negative densities (dual gamma below
// zero says so), and where 1 + T E is not positive there is none. Error against the formula itself: 1e-13 relative (tests/numerics/sabr).
import {
  nullBits,
  outputBlackVolatility,
  outputCharm,
  outputDelta,
  outputDualDelta,
  outputDualGamma,
  outputGamma,
  outputLambda,
  outputPrice,
  outputRho,
  outputTheta,
  outputVega,
} from "../abi/layout";
import { exp } from "../math/exp";
import { logRatio } from "../math/log-ratio";
import { normalDensity, normalLaw } from "../math/normal";

const seriesMax: f64 = 0.1;
const seriesTerms: i32 = 18;

// What smile() stores: σ, 1/σ of its slopes and curvatures in ln F and ln K, its slope in T over itself, that
// one's in ln F, and its slope in α over itself.
const smileVolatility: usize = 0;
const smileForward: usize = 8;
const smileForwardTwice: usize = 16;
const smileStrike: usize = 24;
const smileStrikeTwice: usize = 32;
const smileTime: usize = 40;
const smileTimeForward: usize = 48;
const smileInitial: usize = 56;
export const smileBytes: usize = 64;

/** Stores C = χ(z)/z and its first two derivatives at `out`; false where there is none. */
function storeDistance(z: f64, correlation: f64, out: usize): bool {
  let c: f64 = 0;
  let slope: f64 = 0;
  let bend: f64 = 0;
  if (abs<f64>(z) <= seriesMax) {
    let before: f64 = 0;
    let legendre: f64 = 1;
    let power: f64 = 1; // z^(n-2), from n = 2 on
    for (let n = 0; n < seriesTerms; n++) {
      const m = <f64>n;
      const term = legendre / (m + 1);
      if (n == 0) c = term;
      else if (n == 1) {
        c += term * z;
        slope = term;
      } else {
        c += term * power * z * z;
        slope += m * term * power * z;
        bend += m * (m - 1) * term * power;
        power *= z;
      }
      const next = ((2 * m + 1) * correlation * legendre - m * before) / (m + 1);
      before = legendre;
      legendre = next;
    }
  } else {
    const root = sqrt<f64>(1 - 2 * correlation * z + z * z);
    // one of two forms of the same, whichever does not cancel
    const chi =
      z > correlation
        ? logRatio<f64>(root + z - correlation, 1 - correlation)
        : -logRatio<f64>(root - z + correlation, 1 + correlation);
    const perRoot = 1 / root;
    c = chi / z;
    slope = (perRoot - c) / z;
    bend = ((correlation - z) * perRoot * perRoot * perRoot - 2 * slope) / z;
  }
  store<f64>(out, c);
  store<f64>(out, slope, 8);
  store<f64>(out, bend, 16);
  return c > 0 && c - c == 0 && bend - bend == 0;
}

/** Stores the volatility and its slopes at `out`, which has room for three more doubles; false where the formula has no positive volatility. */
export function storeSmile(
  y: f64,
  forward: f64,
  strike: f64,
  time: f64,
  alpha: f64,
  beta: f64,
  volatilityOfVolatility: f64,
  correlation: f64,
  out: usize,
): bool {
  const gap = 1 - beta;
  const e = 0.5 * gap;
  const q = alpha * exp<f64>(-e * (logRatio<f64>(forward, 1) + logRatio<f64>(strike, 1)));
  const perQ = volatilityOfVolatility / q;
  const z = perQ * y;
  const distance = out + smileBytes;
  if (!storeDistance(z, correlation, distance)) return false;
  const c = load<f64>(distance);
  const slope = load<f64>(distance, 8) / c;
  const bend = load<f64>(distance, 16) / c - slope * slope; // of ln C
  const b2 = (gap * gap) / 24;
  const b4 = (gap * gap * gap * gap) / 1920;
  const d = 1 + y * y * (b2 + b4 * y * y);
  const dSlope = (y * (2 * b2 + 4 * b4 * y * y)) / d;
  const dBend = (2 * b2 + 12 * b4 * y * y) / d - dSlope * dSlope;
  const c1 = b2;
  const c2 = 0.25 * correlation * beta * volatilityOfVolatility;
  const c3 = ((2 - 3 * correlation * correlation) / 24) * volatilityOfVolatility * volatilityOfVolatility;
  const growth = c1 * q * q + c2 * q + c3;
  const late = 1 + time * growth;
  if (!(late > 0)) return false;
  // q falls by e in either logarithm
  const growthSlope = -e * (2 * c1 * q * q + c2 * q);
  const growthBend = e * e * (4 * c1 * q * q + c2 * q);
  const lateSlope = (time * growthSlope) / late;
  const lateBend = (time * growthBend) / late - lateSlope * lateSlope;
  const zForward = perQ + e * z;
  const zStrike = e * z - perQ;
  const zForwardTwice = e * (perQ + zForward);
  const zStrikeTwice = e * (zStrike - perQ);
  store<f64>(out, (q / (d * c)) * late, smileVolatility);
  store<f64>(out, -e - dSlope - slope * zForward + lateSlope, smileForward);
  store<f64>(out, -dBend - bend * zForward * zForward - slope * zForwardTwice + lateBend, smileForwardTwice);
  store<f64>(out, -e + dSlope - slope * zStrike + lateSlope, smileStrike);
  store<f64>(out, -dBend - bend * zStrike * zStrike - slope * zStrikeTwice + lateBend, smileStrikeTwice);
  store<f64>(out, growth / late, smileTime);
  store<f64>(out, growthSlope / (late * late), smileTimeForward);
  // q grows with α, z falls
  store<f64>(out, (1 + slope * z + (time * (2 * c1 * q * q + c2 * q)) / late) / alpha, smileInitial);
  return true;
}

// @ts-ignore: decorator
@inline
function put(values: usize, output: usize, value: f64): void {
  store<f64>(values + (output << 3), value);
}

/** The raw values of an option, by output id, at `values`, from storeSmile's at `smile`; false where volatility · √time is above `deviationMax`. */
export function writeSabrValues(
  smile: usize,
  isCall: bool,
  y: f64,
  forward: f64,
  strike: f64,
  time: f64,
  rate: f64,
  deviationMax: f64,
  values: usize,
): bool {
  const volatility = load<f64>(smile, smileVolatility);
  const s = volatility * sqrt<f64>(time);
  if (!(s > 0 && s <= deviationMax)) return false;
  const d2 = y / s - 0.5 * s;
  const d1 = d2 + s;
  const isOutside = isCall == y < 0;
  // the side out of the money, then the forward's own difference
  const side: f64 = y < 0 ? 1 : -1;
  const asset = side * normalLaw<f64>(side * d1);
  const cash = side * normalLaw<f64>(side * d2);
  const shift: f64 = isOutside ? 0 : isCall ? 1 : -1;
  const outside = max<f64>(forward * asset - strike * cash, 0);
  const discount = exp<f64>(-rate * time);
  const density = normalDensity<f64>(d1);
  const inDeviation = forward * density;
  const bend = (inDeviation * d1 * d2) / s;
  const forwardSlope = (s * load<f64>(smile, smileForward)) / forward;
  const forwardBend =
    (s *
      (load<f64>(smile, smileForward) * (load<f64>(smile, smileForward) - 1) + load<f64>(smile, smileForwardTwice))) /
    forward /
    forward;
  const strikeSlope = (s * load<f64>(smile, smileStrike)) / strike;
  const strikeBend =
    (s * (load<f64>(smile, smileStrike) * (load<f64>(smile, smileStrike) - 1) + load<f64>(smile, smileStrikeTwice))) /
    strike /
    strike;
  const cross = (-density * d2) / s;
  const timeSlope = s * (0.5 / time + load<f64>(smile, smileTime));
  const timeCross =
    (timeSlope * load<f64>(smile, smileForward) + s * load<f64>(smile, smileTimeForward)) / forward;
  const price = discount * (outside + shift * (forward - strike));
  const delta = discount * (asset + shift + inDeviation * forwardSlope);
  put(values, outputPrice, price);
  put(values, outputDelta, delta);
  put(
    values,
    outputGamma,
    discount *
      (density / (forward * s) +
        2 * cross * forwardSlope +
        bend * forwardSlope * forwardSlope +
        inDeviation * forwardBend),
  );
  put(values, outputDualDelta, discount * (inDeviation * strikeSlope - cash - shift));
  put(
    values,
    outputDualGamma,
    discount *
      (inDeviation / (strike * s) / strike +
        ((2 * inDeviation * d1) / (strike * s)) * strikeSlope +
        bend * strikeSlope * strikeSlope +
        inDeviation * strikeBend),
  );
  put(values, outputTheta, rate * price - discount * inDeviation * timeSlope);
  put(values, outputRho, -time * price);
  put(
    values,
    outputCharm,
    rate * delta - discount * (cross * timeSlope + bend * timeSlope * forwardSlope + inDeviation * timeCross),
  );
  put(values, outputVega, discount * inDeviation * s * load<f64>(smile, smileInitial));
  put(values, outputBlackVolatility, volatility);
  if (price != 0) put(values, outputLambda, (forward * delta) / price);
  else store<u64>(values + (outputLambda << 3), nullBits);
  return true;
}
