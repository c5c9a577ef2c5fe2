// From the inputs of a row to the one number that carries its volatility: the time value over its largest possible value.
// Separate because here, not in the solver, digits are lost: near the money ln(forward/strike) is a small difference of larger
// numbers, and an in-the-money price less its intrinsic value is one too. Both are therefore carried with a low word.
// Legend: x = ln(S/K) + (r - q)T, A = S e^(-qT), B = K e^(-rT), m = min(A, B), w = e^|x| - 1 = |A - B|/m, O = price - max(0, ±(A - B)).
// Units: S, K and price in money, T in years, r and q continuous per year.
// Errors (tests/numerics/implied-volatility): x within 0.1 units of 2^-53 of max(|ln(S/K)|, |(r - q)T|) before its own rounding;
// the intrinsic value within 1 unit of itself, exactly S - K where both rates are zero.
// Source: put-call parity; the arithmetic is Dekker's (error-free).
import {
  abs,
  add,
  addBits,
  and,
  constant,
  div,
  exponentTimes2Pow20,
  isAllSet,
  isWithinBinades,
  lessOrEqual,
  lessThan,
  mul,
  mulAdd,
  neg,
  or,
  powerOfTwo,
  select,
  sub,
  subBits,
  xor,
} from "../lane/lane";
import { productLow, sumLow, sumLowOrdered } from "../math/error-free";
import { exponentialTail, reduction } from "../math/exp-tail";
import {
  cell,
  columnCap,
  columnCapLow,
  columnGap,
  columnGapLow,
  columnLogHead,
  columnLogLow,
  columnLogMoneyness,
  columnLogMoneynessLow,
  columnLogQuotient,
  columnMoneynessSign,
  columnDividendProduct,
  columnRateProduct,
  columnRegular,
  columnTarget,
  columnTimeValue,
  columnTimeValueLow,
} from "./tile";

const table: usize = memory.data<f64>(
  [
    // 2 atanh f = 2f + f³(2/3 + z p(z)), z = f² <= 0.0402; p by Chebyshev interpolation, 2/3 + z p within 2.0e-18
    0.11651901956637215, 0.11651901956637215, // 0: z^6
    0.13337227776440072, 0.13337227776440072, // 16: z^5
    0.15384541345035768, 0.15384541345035768, // 32: z^4
    0.18181818943826483, 0.18181818943826483, // 48: z^3
    0.22222222218378354, 0.22222222218378354, // 64: z^2
    0.2857142857143595, 0.2857142857143595, // 80: z^1
    0.39999999999999997, 0.39999999999999997, // 96: z^0
    0.6666666666666666, 0.6666666666666666, // 112: 2/3
    6.610366634074438e-7, 6.610366634074438e-7, // 128: high part of ln 2, times 2^-20
    1.8198155682283284e-16, 1.8198155682283284e-16, // 144: the rest
    1.0, 1.0, // 160
    0.5, 0.5, // 176: a time value above half its cap goes to the other solver
    1e-270, 1e-270, // 192: and one below this too
    16.0, 16.0, // 208: largest |x| of the two-lane path
    256.0, 256.0, // 224: largest |rate·T|
    1.7976931348623157e308, 1.7976931348623157e308, // 240
    4.0, 4.0, // 256: |x| below this many f³P is cancellation
    3.700743415417188e-17, 3.700743415417188e-17, // 272: 2/3 less its double
    0.1220273927620248, 0.1220273927620248, // 288: z^7 of p
  ],
  16,
);

const zeros: usize = memory.data<f64>([0.0, 0.0], 16);
const patterns: usize = memory.data<u64>(
  [
    0x0008000000000000, 0x0008000000000000, // 0: half a binade
    0xfff0000000000000, 0xfff0000000000000, // 16: whole binades
    0x8000000000000000, 0x8000000000000000, // 32: the sign
  ],
  16,
);

/** High word of 2^-200 and the width of the domain of spot, strike and time to expiry in binades. */
const lowestHigh: i32 = (1023 - 200) << 20;
const binadesWide: i32 = 400;

/** First stage: ln(S/K) in three parts, n ln 2 + 2f, f³P(f²) and what both lost. */
// @ts-ignore: decorator
@inline
export function storeLogRatio<T>(scratch: usize, at: usize, spot: T, strike: T): void {
  const binades = and<T>(addBits<T>(subBits<T>(spot, strike), constant<T>(patterns)), constant<T>(patterns + 16));
  const near = subBits<T>(spot, binades);
  const n = exponentTimes2Pow20<T>(binades);
  const difference = sub<T>(near, strike); // exact: the two lie within a factor of 1.5
  const sum = add<T>(near, strike);
  const inverse = div<T>(constant<T>(table + 160), sum);
  const f = mul<T>(difference, inverse);
  const product = mul<T>(f, sum);
  const remainder = sub<T>(
    sub<T>(sub<T>(difference, product), productLow<T>(f, sum, product)),
    mul<T>(f, sumLow<T>(near, strike, sum)),
  );
  const z = mul<T>(f, f);
  const twiceLow = mul<T>(add<T>(remainder, remainder), inverse);
  const whole = mul<T>(n, constant<T>(table + 128)); // exact
  const twice = add<T>(f, f);
  const head = add<T>(whole, twice);
  // the derivative of 2 atanh f is 2/(1 - f²)
  const low = mulAdd<T>(n, constant<T>(table + 144), mulAdd<T>(twiceLow, mulAdd<T>(z, z, z), twiceLow));
  store<T>(cell(scratch, columnLogQuotient, at), f);
  store<T>(cell(scratch, columnLogHead, at), head);
  store<T>(cell(scratch, columnLogLow, at), add<T>(sumLow<T>(whole, twice, head), low));
}

/** p(z) of 2 atanh f = 2f + f³(2/3 + z p(z)). */
// @ts-ignore: decorator
@inline
function logSeries<T>(z: T): T {
  let p = mulAdd<T>(constant<T>(table + 288), z, constant<T>(table));
  p = mulAdd<T>(p, z, constant<T>(table + 16));
  p = mulAdd<T>(p, z, constant<T>(table + 32));
  p = mulAdd<T>(p, z, constant<T>(table + 48));
  p = mulAdd<T>(p, z, constant<T>(table + 64));
  p = mulAdd<T>(p, z, constant<T>(table + 80));
  return mulAdd<T>(p, z, constant<T>(table + 96));
}

/** Second stage: |x| and its low word, the sign of x, r·T and q·T, and whether the inputs lie in the two-lane domain. */
// @ts-ignore: decorator
@inline
export function storeMoneyness<T>(scratch: usize, at: usize, spot: T, strike: T, time: T, rate: T, dividendYield: T): void {
  const f = load<T>(cell(scratch, columnLogQuotient, at));
  const head = load<T>(cell(scratch, columnLogHead, at));
  const z = mul<T>(f, f);
  const cube = mul<T>(f, z);
  const series = logSeries<T>(z);
  const tail = mul<T>(cube, mulAdd<T>(series, z, constant<T>(table + 112)));

  const carry = sub<T>(rate, dividendYield);
  const drift = mul<T>(carry, time);
  const driftLow = add<T>(
    productLow<T>(carry, time, drift),
    mul<T>(sumLow<T>(rate, neg<T>(dividendYield), carry), time),
  );
  const high = add<T>(head, drift);
  const low = add<T>(
    add<T>(sumLow<T>(head, drift, high), driftLow),
    load<T>(cell(scratch, columnLogLow, at)),
  );
  const rest = add<T>(tail, low);
  let x = add<T>(high, rest);
  let xLow = sumLow<T>(high, rest, x);
  // where moneyness and carry cancel, the rounding of f³P itself shows: its first term is then made exact
  const bound = mul<T>(abs<T>(tail), constant<T>(table + 256));
  if (!isAllSet<T>(lessOrEqual<T>(bound, abs<T>(x)))) {
    const isCancelling = lessThan<T>(abs<T>(x), bound);
    const cubeLow = mulAdd<T>(f, productLow<T>(f, f, z), productLow<T>(f, z, cube));
    const lead = mul<T>(cube, constant<T>(table + 112));
    const leadLow = add<T>(
      productLow<T>(cube, constant<T>(table + 112), lead),
      mulAdd<T>(cubeLow, constant<T>(table + 112), mul<T>(cube, constant<T>(table + 272))),
    );
    const tailLow = add<T>(add<T>(sub<T>(lead, tail), mul<T>(mul<T>(cube, z), series)), leadLow);
    const exactHigh = add<T>(high, tail);
    const exactLow = add<T>(add<T>(sumLow<T>(high, tail, exactHigh), tailLow), low);
    const exact = add<T>(exactHigh, exactLow);
    x = select<T>(isCancelling, exact, x);
    xLow = select<T>(isCancelling, sumLow<T>(exactHigh, exactLow, exact), xLow);
  }
  const sign = and<T>(x, constant<T>(patterns + 32));
  const magnitude = abs<T>(x);
  const rateProduct = mul<T>(rate, time);
  const dividendProduct = mul<T>(dividendYield, time);
  const isInDomain = and<T>(
    and<T>(
      isWithinBinades<T>(spot, strike, lowestHigh, binadesWide),
      isWithinBinades<T>(time, time, lowestHigh, binadesWide),
    ),
    and<T>(
      lessOrEqual<T>(abs<T>(rateProduct), constant<T>(table + 224)),
      lessOrEqual<T>(abs<T>(dividendProduct), constant<T>(table + 224)),
    ),
  );
  store<T>(cell(scratch, columnLogMoneyness, at), magnitude);
  store<T>(cell(scratch, columnLogMoneynessLow, at), xor<T>(xLow, sign));
  store<T>(cell(scratch, columnMoneynessSign, at), sign);
  store<T>(cell(scratch, columnRateProduct, at), rateProduct);
  store<T>(cell(scratch, columnDividendProduct, at), dividendProduct);
  store<T>(cell(scratch, columnRegular, at), and<T>(isInDomain, lessOrEqual<T>(magnitude, constant<T>(table + 208))));
}

/** Third stage: the cap m with its low word. */
// @ts-ignore: decorator
@inline
export function storeCap<T>(scratch: usize, at: usize, spot: T, strike: T, time: T, rate: T, dividendYield: T): void {
  const magic = constant<T>(reduction + 16);
  const isForwardLow = isForwardBelowStrike<T>(scratch, at);
  const base = select<T>(isForwardLow, spot, strike);
  const discountRate = select<T>(isForwardLow, dividendYield, rate);
  const product = select<T>(
    isForwardLow,
    load<T>(cell(scratch, columnDividendProduct, at)),
    load<T>(cell(scratch, columnRateProduct, at)),
  );
  const exponent = neg<T>(product);
  const shifted = mulAdd<T>(exponent, constant<T>(reduction), magic);
  const n = sub<T>(shifted, magic);
  const r = sub<T>(
    sub<T>(exponent, mul<T>(n, constant<T>(reduction + 32))),
    add<T>(mul<T>(n, constant<T>(reduction + 48)), productLow<T>(discountRate, time, product)),
  );
  const scaled = mul<T>(base, powerOfTwo<T>(shifted));
  const growth = mul<T>(scaled, add<T>(r, exponentialTail<T>(r)));
  const cap = add<T>(scaled, growth);
  store<T>(cell(scratch, columnCap, at), cap);
  store<T>(cell(scratch, columnCapLow, at), sumLowOrdered<T>(scaled, growth, cap));
}

/** Fourth stage: w with its low word. */
// @ts-ignore: decorator
@inline
export function storeGap<T>(scratch: usize, at: usize): void {
  const magic = constant<T>(reduction + 16);
  const magnitude = load<T>(cell(scratch, columnLogMoneyness, at));
  const shifted = mulAdd<T>(magnitude, constant<T>(reduction), magic);
  const n = sub<T>(shifted, magic);
  const r = sub<T>(
    sub<T>(magnitude, mul<T>(n, constant<T>(reduction + 32))),
    sub<T>(mul<T>(n, constant<T>(reduction + 48)), load<T>(cell(scratch, columnLogMoneynessLow, at))),
  );
  const tail = exponentialTail<T>(r);
  const growth = add<T>(r, tail);
  const power = powerOfTwo<T>(shifted);
  const whole = sub<T>(power, constant<T>(table + 160));
  const scaled = mul<T>(power, growth); // exact
  const gap = add<T>(whole, scaled);
  store<T>(cell(scratch, columnGap, at), gap);
  store<T>(
    cell(scratch, columnGapLow, at),
    mulAdd<T>(power, sumLowOrdered<T>(r, tail, growth), sumLowOrdered<T>(whole, scaled, gap)),
  );
}

/**
 * Fifth stage: the time value with its low word and the target, time value / m. Completes the mask of regular lanes.
 * `putSign` has the sign bit set for a put.
 */
// @ts-ignore: decorator
@inline
export function storeTimeValue<T>(scratch: usize, at: usize, spot: T, strike: T, price: T, putSign: T): void {
  const cap = load<T>(cell(scratch, columnCap, at));
  // in the money where the sign of ln(forward/strike), turned for a put, is positive
  const sign = load<T>(cell(scratch, columnMoneynessSign, at));
  const side = xor<T>(load<T>(cell(scratch, columnLogMoneyness, at)), xor<T>(sign, putSign));
  let timeValue = price;
  let timeValueLow = constant<T>(zeros);
  if (!isAllSet<T>(lessOrEqual<T>(side, constant<T>(zeros)))) {
    const isInTheMoney = lessThan<T>(constant<T>(zeros), side);
    const gap = load<T>(cell(scratch, columnGap, at));
    const product = mul<T>(cap, gap);
    const productRest = add<T>(
      productLow<T>(cap, gap, product),
      add<T>(
        mul<T>(cap, load<T>(cell(scratch, columnGapLow, at))),
        mul<T>(load<T>(cell(scratch, columnCapLow, at)), gap),
      ),
    );
    // without rates the intrinsic value is a plain difference, and exact with its low word
    const isForwardLow = isForwardBelowStrike<T>(scratch, at);
    const above = select<T>(isForwardLow, strike, spot);
    const below = select<T>(isForwardLow, spot, strike);
    const plain = sub<T>(above, below);
    const isPlain = lessOrEqual<T>(
      add<T>(
        abs<T>(load<T>(cell(scratch, columnRateProduct, at))),
        abs<T>(load<T>(cell(scratch, columnDividendProduct, at))),
      ),
      constant<T>(zeros),
    );
    const intrinsic = select<T>(isPlain, plain, product);
    const intrinsicLow = select<T>(isPlain, sumLow<T>(above, neg<T>(below), plain), productRest);
    const rest = sub<T>(price, intrinsic);
    const restLow = sub<T>(sumLow<T>(price, neg<T>(intrinsic), rest), intrinsicLow);
    const value = add<T>(rest, restLow);
    timeValue = select<T>(isInTheMoney, value, price);
    timeValueLow = select<T>(isInTheMoney, sumLow<T>(rest, restLow, value), timeValueLow);
  }
  const target = div<T>(timeValue, cap);
  store<T>(cell(scratch, columnTimeValue, at), timeValue);
  store<T>(cell(scratch, columnTimeValueLow, at), timeValueLow);
  store<T>(cell(scratch, columnTarget, at), target);
  const isRegular = and<T>(
    and<T>(load<T>(cell(scratch, columnRegular, at)), lessOrEqual<T>(price, constant<T>(table + 240))),
    and<T>(lessOrEqual<T>(target, constant<T>(table + 176)), lessOrEqual<T>(constant<T>(table + 192), target)),
  );
  store<T>(cell(scratch, columnRegular, at), isRegular);
}

/** Mask of a forward below the strike, from the stored sign. */
// @ts-ignore: decorator
@inline
function isForwardBelowStrike<T>(scratch: usize, at: usize): T {
  return lessThan<T>(or<T>(constant<T>(table + 160), load<T>(cell(scratch, columnMoneynessSign, at))), constant<T>(zeros));
}
