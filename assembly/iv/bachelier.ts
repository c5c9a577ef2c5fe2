// Price back to volatility in the normal model, in closed form: a rational function of the price and one correction of fourth order, no
// iteration. Separate from the other solver because this equation has no cap, no carry and one scale only.
// Source: Jäckel, Implied Normal Volatility, 2017, for the way (a rational function whose error one step of fourth order removes); the
// variable η = ν/atanh ν is Choi, Kim and Kwak's (2009), since one function of it serves all distances and two lanes need no
// branch. The coefficients are this project's own (Remez, 50 digits, tests/golden/generate/bachelier_guess.py).
// Legend: x = |forward - strike|, s = σ√t, h = x/s, G(h) = 1 - h R(h) with the Mills ratio R, φ the normal density, p = price·e^(rt) less the
// intrinsic value max(0, ±(forward - strike)): p = s φ(h) G(h). ν = x/(2p + x), so η = 2ν/ln(1 + x/p).
// First guess: s = √(η π/2)·(2p + x)·P(η)/Q(η), relative error 8.3e-6 for h <= 48, beyond any that doubles can mean.
// Step: Householder's third order on L = ln p - ln(s φ(h) G(h)), whose derivative by ln s is -1/G (see step.ts, of which this is the limit
// t -> 0): it leaves less than 1e-19. What is lost is the rounding of L, times G: hence the low words.
import {
  abs,
  add,
  and,
  constant,
  div,
  larger,
  lessOrEqual,
  lessThan,
  mul,
  mulAdd,
  neg,
  powerOfTwo,
  select,
  sqrt,
  sub,
  xor,
} from "../lane/lane";
import { productLow, sumLow, sumLowOrdered } from "../math/error-free";
import { exponentialTail, reduction } from "../math/exp-tail";
import { logRatio } from "../math/log-ratio";
import { millsSlope } from "../math/mills-slope";
import { cell } from "./tile";

const table: usize = memory.data<f64>(
  [
    // numerator of the first guess
    8180.7419739532, 8180.7419739532, // 0: η^5
    4512.575633366547, 4512.575633366547, // 16
    1257.5333562419135, 1257.5333562419135, // 32
    876.9399857733613, 876.9399857733613, // 48
    59.48773814387873, 59.48773814387873, // 64
    0.39911387532404546, 0.39911387532404546, // 80
    // denominator
    2471.9755614076307, 2471.9755614076307, // 96: η^5
    10333.756980491837, 10333.756980491837, // 112
    62.33924441365904, 62.33924441365904, // 128
    1872.771152840979, 1872.771152840979, // 144
    145.9576798827384, 145.9576798827384, // 160
    1.0, 1.0, // 176
    1.2533141373155003, 1.2533141373155003, // 192: √(π/2)
    2.5066282746310002, 2.5066282746310002, // 208: √(2π)
    0.5, 0.5, // 224
    2.0, 2.0, // 240
    3.0, 3.0, // 256
    0.16666666666666666, 0.16666666666666666, // 272
    0.0, 0.0, // 288
    1e-6, 1e-6, // 304: a distance below this share of the time value is as good as none to the guess
    3.054936363499605e-151, 3.054936363499605e-151, // 320: 2^-500, below which prices are scaled
    3.273390607896142e150, 3.273390607896142e150, // 336: 2^500
    1.1102230246251565e-16, 1.1102230246251565e-16, // 352: 2^-53
    256.0, 256.0, // 368: largest |rate·T|
    1.6069380442589903e60, 1.6069380442589903e60, // 384: 2^200
    6.223015277861142e-61, 6.223015277861142e-61, // 400: 2^-200
    2.5822498780869086e120, 2.5822498780869086e120, // 416: 2^400
    2.2250738585072014e-308, 2.2250738585072014e-308, // 432: smallest normal double
    1.7976931348623157e308, 1.7976931348623157e308, // 448: largest double
  ],
  16,
);
const patterns: usize = memory.data<u64>([0x8000000000000000, 0x8000000000000000], 16); // the sign

// Numbers of the columns of intermediates.
const columnTimeValue: usize = 0; // p, scaled
const columnDistance: usize = 1; // x, scaled
const columnDistanceLow: usize = 2; // what its rounding lost
const columnPremium: usize = 3; // price·e^(rt), scaled
const columnDeviation: usize = 4; // s, scaled, first a guess
const columnUnscale: usize = 5; // what takes the scale off
const columnSpread: usize = 6; // h
const columnSpreadLow: usize = 7; // what its rounding lost
const columnSlope: usize = 8; // G(h)
/** Mask of the rows whose answer stands; the others have a status. */
export const columnRegular: usize = 9;

/** Stage 1: p and x. `putSign` has the sign bit set for a put. Prices below 2^-500 and their x are scaled so that nothing is subnormal. */
// @ts-ignore: decorator
@inline
export function storeTimeValue<T>(
  scratch: usize,
  at: usize,
  forward: T,
  strike: T,
  time: T,
  rate: T,
  price: T,
  putSign: T,
): void {
  const isTiny = lessThan<T>(price, constant<T>(table + 320));
  const scale = select<T>(isTiny, constant<T>(table + 336), constant<T>(table + 176));
  const difference = sub<T>(forward, strike);
  const sign = and<T>(difference, constant<T>(patterns));
  const x = mul<T>(abs<T>(difference), scale);
  const xLow = mul<T>(xor<T>(sumLow<T>(forward, neg<T>(strike), difference), sign), scale);

  const magic = constant<T>(reduction + 16);
  const exponent = mul<T>(rate, time);
  const shifted = mulAdd<T>(exponent, constant<T>(reduction), magic);
  const n = sub<T>(shifted, magic);
  const r = sub<T>(
    sub<T>(exponent, mul<T>(n, constant<T>(reduction + 32))),
    sub<T>(mul<T>(n, constant<T>(reduction + 48)), productLow<T>(rate, time, exponent)),
  );
  const whole = mul<T>(mul<T>(price, scale), powerOfTwo<T>(shifted));
  const growth = mul<T>(whole, add<T>(r, exponentialTail<T>(r)));
  const premium = add<T>(whole, growth);
  const premiumLow = sumLowOrdered<T>(whole, growth, premium);

  const isInTheMoney = lessThan<T>(constant<T>(table + 288), xor<T>(difference, putSign));
  const rest = sub<T>(premium, x);
  const restLow = add<T>(sumLow<T>(premium, neg<T>(x), rest), sub<T>(premiumLow, xLow));
  const timeValue = select<T>(isInTheMoney, add<T>(rest, restLow), premium);

  const highest = constant<T>(table + 384);
  const lowest = constant<T>(table + 400);
  const isInDomain = and<T>(
    and<T>(
      and<T>(lessThan<T>(abs<T>(forward), highest), lessThan<T>(abs<T>(strike), highest)),
      and<T>(lessThan<T>(time, highest), lessOrEqual<T>(lowest, time)),
    ),
    and<T>(
      and<T>(
        lessOrEqual<T>(abs<T>(exponent), constant<T>(table + 368)),
        lessThan<T>(price, constant<T>(table + 416)),
      ),
      lessThan<T>(constant<T>(table + 288), timeValue),
    ),
  );
  store<T>(cell(scratch, columnTimeValue, at), timeValue);
  store<T>(cell(scratch, columnDistance, at), x);
  store<T>(cell(scratch, columnDistanceLow, at), xLow);
  store<T>(cell(scratch, columnPremium, at), premium);
  store<T>(cell(scratch, columnUnscale, at), select<T>(isTiny, constant<T>(table + 320), constant<T>(table + 176)));
  store<T>(cell(scratch, columnRegular, at), isInDomain);
}

/** Stage 2: the first guess of s. */
// @ts-ignore: decorator
@inline
export function storeGuess<T>(scratch: usize, at: usize): void {
  const p = load<T>(cell(scratch, columnTimeValue, at));
  const x = larger<T>(load<T>(cell(scratch, columnDistance, at)), mul<T>(p, constant<T>(table + 304)));
  const straddle = add<T>(add<T>(p, p), x);
  const eta = div<T>(add<T>(x, x), mul<T>(straddle, logRatio<T>(add<T>(p, x), p)));
  let numerator = mulAdd<T>(constant<T>(table), eta, constant<T>(table + 16));
  let denominator = mulAdd<T>(constant<T>(table + 96), eta, constant<T>(table + 112));
  numerator = mulAdd<T>(numerator, eta, constant<T>(table + 32));
  denominator = mulAdd<T>(denominator, eta, constant<T>(table + 128));
  numerator = mulAdd<T>(numerator, eta, constant<T>(table + 48));
  denominator = mulAdd<T>(denominator, eta, constant<T>(table + 144));
  numerator = mulAdd<T>(numerator, eta, constant<T>(table + 64));
  denominator = mulAdd<T>(denominator, eta, constant<T>(table + 160));
  numerator = mulAdd<T>(numerator, eta, constant<T>(table + 80));
  denominator = mulAdd<T>(denominator, eta, constant<T>(table + 176));
  const scale = mul<T>(mul<T>(sqrt<T>(eta), constant<T>(table + 192)), straddle);
  store<T>(cell(scratch, columnDeviation, at), div<T>(mul<T>(scale, numerator), denominator));
}

/** Stage 3: h with its low word and G(h). */
// @ts-ignore: decorator
@inline
export function storeSlope<T>(scratch: usize, at: usize): void {
  const x = load<T>(cell(scratch, columnDistance, at));
  const s = load<T>(cell(scratch, columnDeviation, at));
  const h = div<T>(x, s);
  const product = mul<T>(h, s);
  const remainder = add<T>(
    sub<T>(sub<T>(x, product), productLow<T>(h, s, product)),
    load<T>(cell(scratch, columnDistanceLow, at)),
  );
  store<T>(cell(scratch, columnSpread, at), h);
  store<T>(cell(scratch, columnSpreadLow, at), div<T>(remainder, s));
  store<T>(cell(scratch, columnSlope, at), millsSlope<T>(h));
}

/** Stage 4: the step; then σ = s/√t and the attainable error 2^-53·(1 + price/(vega·σ)), and the mask of regular rows is final. */
// @ts-ignore: decorator
@inline
export function storeAnswer<T>(scratch: usize, at: usize, time: T, volatility: usize, attainableError: usize): void {
  const one = constant<T>(table + 176);
  const half = constant<T>(table + 224);
  const p = load<T>(cell(scratch, columnTimeValue, at));
  const s = load<T>(cell(scratch, columnDeviation, at));
  const h = load<T>(cell(scratch, columnSpread, at));
  const slope = load<T>(cell(scratch, columnSlope, at));
  const d = mul<T>(s, slope);
  const square = mul<T>(h, h);
  const squareLow = mulAdd<T>(
    add<T>(h, h),
    load<T>(cell(scratch, columnSpreadLow, at)),
    productLow<T>(h, h, square),
  );
  const log = mulAdd<T>(
    squareLow,
    half,
    mulAdd<T>(square, half, logRatio<T>(mul<T>(p, constant<T>(table + 208)), d)),
  );
  const a = mul<T>(square, slope);
  const kappa = mul<T>(mul<T>(a, slope), constant<T>(table + 256));
  const first = mul<T>(log, sub<T>(a, one));
  const second = mul<T>(
    mul<T>(log, log),
    sub<T>(mulAdd<T>(a, sub<T>(a, constant<T>(table + 256)), constant<T>(table + 240)), kappa),
  );
  const top = mul<T>(log, mulAdd<T>(first, half, one));
  const bottom = mulAdd<T>(second, constant<T>(table + 272), add<T>(first, one));
  const share = div<T>(top, bottom);
  const delta = mul<T>(share, d);
  const next = add<T>(s, delta);
  // s G moves by Δ(1 - a) + Δ²/(2 s G)·(a² - a - κ)
  const bend = mul<T>(mul<T>(share, half), mulAdd<T>(a, sub<T>(a, one), kappa));
  const moved = mulAdd<T>(delta, add<T>(sub<T>(one, a), bend), d);
  const answer = div<T>(mul<T>(next, load<T>(cell(scratch, columnUnscale, at))), sqrt<T>(time));
  const condition = mul<T>(div<T>(load<T>(cell(scratch, columnPremium, at)), p), div<T>(moved, next));
  const unit = constant<T>(table + 352);
  store<T>(volatility + at, answer);
  store<T>(attainableError + at, mulAdd<T>(condition, unit, unit));
  store<T>(
    cell(scratch, columnRegular, at),
    and<T>(
      load<T>(cell(scratch, columnRegular, at)),
      and<T>(lessOrEqual<T>(constant<T>(table + 432), answer), lessOrEqual<T>(answer, constant<T>(table + 448))),
    ),
  );
}

/** Whether the row's price lies above its intrinsic value. */
export function hasTimeValue(scratch: usize, at: usize): bool {
  return load<f64>(cell(scratch, columnTimeValue, at)) > 0.0;
}
