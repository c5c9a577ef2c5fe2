// Doubles as the shortest decimals that read back as the same doubles, in the very characters of ECMAScript's Number::toString,
// separated by commas: what a column of numbers is in JSON. Here, because the host's own way costs four times the pricing.
//
// Source: R. Giulietti, "The Schubfach way to render doubles" (2020): among the decimals of the shortest length within the rounding
// interval the nearest, the even one of two. Scaling by a power of ten needs 128 bits of that power,
//   10^k = g · 2^(e−127), g = ceil, e = floor(log2 10^k),
// which the host lays out once: 16 bytes for each k from powersMin to powersMax, the low word first.
// Most numbers need far less (`decimal`): V = value / 10^(k+1) to 43 bits behind its point, from 96 bits of the power, tells which whole
// number within half an interval is nearest, or which further digit, unless something is closer to a tie or to the interval's end
// than the error. Then, for powers of two and for what is no ordinary number, Schubfach decides with every bit (`exactly`).
// Legend: value = c · 2^q; k the decimal exponent of the candidates; middle, lower, upper four times the value and its interval's
// ends, scaled by 10^−k and rounded to odd (the last bit set where anything was cut off). Layout of digits: ECMA-262, Number::toString (radix 10).
// Checked against the host's own text over millions of bit patterns, every power of two and ten, and the hard cases of
// the literature (tests/numerics/decimal.test.ts).

/** Smallest and largest k that a double needs. */
export const powersMin: i32 = -293;
export const powersMax: i32 = 324;

/** Behind the powers: for each exponent that a double has 2^(q−11) · 10^(−k−1) · 2^107, rounded down to 96 bits, and the point k + 17. */
const quickOffset: usize = 16 * (powersMax - powersMin + 1);

/** The longest text of one number, "-1.2345678901234567e-308", and its comma. */
export const decimalBytesMax: i32 = 25;

const signBit: u64 = 0x8000000000000000;
const significandBits: i32 = 52;
const significandMask: u64 = 0x000fffffffffffff;
const hiddenBit: u64 = 0x0010000000000000;
/** Of the integer significand: the exponent's bias and the bits behind the point. */
const exponentBias: i32 = 1075;

/** Bits of V's fraction in the product's highest word, and in all. */
const spareBits: i32 = 11;
const spareMask: u64 = 0x7ff;
const unitBits: u64 = 43;
const unit: u64 = 0x80000000000;
/**
 * More than the fraction, plus or minus half an interval, can be wrong by, in its last place: it lacks less than 1 by the power's lower
 * bits and less than 3 by products left out, and half an interval less than 1.
 */
const slack: u64 = 8;

/** Writes `count` doubles from `values` as text to `to`, null for what is no finite number; returns the bytes written. */
export function decimals(values: usize, count: i32, powers: usize, to: usize): i32 {
  let at = to;
  for (let index = 0; index < count; index++) {
    if (index > 0) store<u8>(at++, 0x2c);
    at = decimal(load<u64>(values + ((<usize>index) << 3)), powers, at);
  }
  return <i32>(at - to);
}

/** One double by its bits; returns where its text ends. */
// @ts-ignore: decorator
@inline
function decimal(bits: u64, powers: usize, start: usize): usize {
  const significand = bits & significandMask;
  const exponent = <i32>(bits >> significandBits) & 0x7ff;
  // Nulls, zeros, subnormals and powers of two.
  if (<u32>(exponent - 1) >= 0x7fe || significand == 0) return exactly(bits, powers, start);
  const scale = powers + quickOffset + ((<usize>exponent) << 4);
  // The upper 96 of the product's 160 bits, without what would only touch the last few.
  const valueLow = (bits << 11) & 0xffffffff;
  const valueHigh: u64 = <u32>(bits >> 21) | 0x80000000;
  const third: u64 = load<u32>(scale);
  const second: u64 = load<u32>(scale, 4);
  const first: u64 = load<u32>(scale, 8);
  const one = valueHigh * second;
  const other = valueLow * first;
  const low = ((valueLow * second) >> 32) + (one & 0xffffffff) + (other & 0xffffffff) + ((valueHigh * third) >> 32);
  const high = valueHigh * first + (one >> 32) + (other >> 32) + (low >> 32);
  const integral = high >> spareBits;
  const fraction = ((high & spareMask) << 32) | (low & 0xffffffff);
  const half = load<u64>(scale, 4) >> 22;
  const nearest = fraction * 10 + unit / 2;
  if (
    fraction - half + slack < 2 * slack ||
    fraction + half - unit + slack < 2 * slack ||
    ((nearest + 10 * slack) & (unit - 1)) < 20 * slack
  ) {
    return exactly(bits, powers, start);
  }
  // Chosen without branches, which random digits would mislead half of the time.
  const isUp = fraction + half >= unit;
  const last = select<u64>(0, nearest >> unitBits, (fraction < half) | isUp);
  store<u8>(start, 0x2d);
  return laidOut(integral + u64(isUp), <u32>last, load<i32>(scale, 12), start + <usize>(bits >> 63));
}

/** The same for every double there is, and with every bit of the product. */
function exactly(bits: u64, powers: usize, start: usize): usize {
  let at = start;
  const significand = bits & significandMask;
  const exponent = <i32>((bits & ~signBit) >> significandBits);
  if (exponent == 0x7ff) {
    store<u32>(at, 0x6c6c756e);
    return at + 4;
  }
  if ((bits & ~signBit) == 0) {
    store<u8>(at, 0x30);
    return at + 1;
  }
  if ((bits & signBit) != 0) store<u8>(at++, 0x2d);

  const c = exponent != 0 ? hiddenBit | significand : significand;
  const q = (exponent != 0 ? exponent : 1) - exponentBias;

  /** 1 where the ends of the interval do not belong to it. */
  const isOdd: u64 = c & 1;
  const isNearerBelow: bool = significand == 0 && exponent > 1;
  const cb = c << 2;
  // floor(log10) of the interval's width, and how far its scaled ends are shifted, in whole numbers.
  const k = (q * 1262611 - (isNearerBelow ? 524031 : 0)) >> 22;
  const h = q + ((-k * 1741647) >> 19) + 1;
  const power = powers + ((<usize>(-k - powersMin)) << 4);
  const low = load<u64>(power);
  const high = load<u64>(power, 8);
  // The value's product with the power, 192 bits in three words; its interval's ends are the power itself, shifted, away.
  const value = cb << h;
  const first = low * value;
  const carried = productHigh(low, value);
  const second = high * value + carried;
  const third = productHigh(high, value) + u64(second < carried);
  const middle = third | u64(second > 1);
  const up = h + 1;
  const upFirst = low << up;
  const upSecond = (high << up) | (low >> (64 - up));
  const upMiddle = second + upSecond;
  const upCarry = u64(first + upFirst < first);
  const upperSecond = upMiddle + upCarry;
  const upperThird = third + (high >> (64 - up)) + u64(upMiddle < second) + u64(upperSecond < upMiddle);
  const upper = (upperThird | u64(upperSecond > 1)) - isOdd;
  const down = up - i32(isNearerBelow);
  const downFirst = low << down;
  // A shift by 64 would be one by 0.
  const downSecond = (high << down) | ((low >> 1) >> (63 - down));
  const downMiddle = second - downSecond;
  const downBorrow = u64(first < downFirst);
  const lowerSecond = downMiddle - downBorrow;
  const lowerThird = third - ((high >> 1) >> (63 - down)) - u64(second < downSecond) - u64(downMiddle < downBorrow);
  const lower = (lowerThird | u64(lowerSecond > 1)) + isOdd;

  // Chosen without branches, which random digits would mislead half of the time.
  const s = middle >> 2;
  const tens = tenth(s);
  const isTensDown = u64(lower <= 40 * tens);
  const isTensUp = u64(40 * tens + 40 <= upper);
  const isDown = u64(lower <= s << 2);
  const isUp = u64((s << 2) + 4 <= upper);
  const half = (s << 2) + 2;
  const isNearerUp = u64(middle > half) | (u64(middle == half) & s & 1);
  const isShorter = (isTensDown ^ isTensUp) & u64(s >= 10);
  const found = select<u64>(tens + isTensUp, s + select<u64>(isUp, isNearerUp, (isDown ^ isUp) != 0), isShorter != 0);
  const count = digitCount(found);
  const seventeen = found * load<u64>(tensTable + ((<usize>(17 - count)) << 3));
  const sixteen = tenth(seventeen);
  return laidOut(sixteen, <u32>(seventeen - sixteen * 10), k + i32(isShorter) + count, at);
}

/** The upper 64 bits of a product. */
// @ts-ignore: decorator
@inline
function productHigh(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const lowHigh = aLow * bHigh;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  const carry = (middle & 0xffffffff) + lowHigh;
  return aHigh * bHigh + (middle >> 32) + (carry >> 32);
}

/**
 * 0.digits · 10^point in the layout of Number::toString, of sixteen digits, of which the first alone may be zero, and one more. Up
 * to 25 bytes are written, whatever of them counts.
 */
// @ts-ignore: decorator
@inline
function laidOut(sixteen: u64, last: u32, point: i32, at: usize): usize {
  const upper = hundredMillionth(sixteen);
  const digits = sixteenDigits(upper, sixteen - upper * 100000000);
  /** Digits up to the last that is no zero. */
  const zeros = i8x16.bitmask(i8x16.eq(digits, i8x16.splat(0x30)));
  const length = select<i32>(17, 32 - <i32>clz(zeros ^ 0xffff), last != 0);
  const isZeroFirst = i32(sixteen < 1000000000000000);
  const magnitude = point - isZeroFirst;
  if (<u32>(magnitude + 5) <= <u32>(5 - isZeroFirst)) {
    store<u64>(at, 0x3030303030302e30);
    const start = at + <usize>(2 - point);
    v128.store(start, digits);
    store<u8>(start, 0x30 + <u8>last, 16);
    return start + <usize>length;
  }
  // The first zero is left out, but before the point; what stands behind the point goes one place further.
  const skipped = select<i32>(0, isZeroFirst, point == 1);
  const isFixed = point > 0 && magnitude <= 21;
  const before = isFixed ? point - skipped : 1;
  const place = i8x16.splat(<i8>before);
  const places = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const from = i8x16.add(i8x16.add(places, i8x16.splat(<i8>skipped)), i8x16.gt_s(places, place));
  const moved = i8x16.swizzle(digits, from);
  v128.store(at, v128.bitselect(i8x16.splat(0x2e), moved, i8x16.eq(places, place)));
  const count = length - skipped;
  const end = 0x3030303030303000 | <u64>(0x30 + last);
  if (before < 16) {
    store<u16>(at, <u16>(skipped != 0 ? end : (end << 8) | <u64>i8x16.extract_lane_u(digits, 15)), 16);
  } else if (before == 16 && skipped == 0) store<u16>(at, <u16>((end << 8) | 0x2e), 16);
  else store<u64>(at + <usize>(16 - skipped), end);
  if (isFixed) return at + <usize>(count > before ? count + 1 : before);
  return exponentOf(magnitude - 1, at + <usize>(count == 1 ? 1 : count + 1));
}

function exponentOf(power: i32, at: usize): usize {
  let end = at;
  store<u8>(end, 0x65);
  store<u8>(end, power < 0 ? 0x2d : 0x2b, 1);
  end += 2;
  const size = <u32>abs(power);
  if (size >= 100) store<u8>(end++, 0x30 + <u8>(size / 100));
  const rest = size % 100;
  if (size >= 10) store<u8>(end++, 0x30 + <u8>(rest / 10));
  store<u8>(end, 0x30 + <u8>(rest % 10));
  return end + 1;
}

/** The digits of two numbers below 10^8, by halving: 8 digits, 4, 2, 1. Products in place of divisions, exact for what they are given. */
// @ts-ignore: decorator
@inline
function sixteenDigits(one: u64, other: u64): v128 {
  const fours = i64x2.replace_lane(i64x2.splat(<i64>twoFours(one)), 1, <i64>twoFours(other));
  const hundreds = i32x4.shr_u(i32x4.dot_i16x8_s(fours, i32x4.splat(10486)), 20);
  const rests = i32x4.sub(fours, i32x4.dot_i16x8_s(hundreds, i32x4.splat(100)));
  const twos = v128.or(hundreds, i32x4.shl(rests, 16));
  const tens = i16x8.shr_u(i16x8.mul(twos, i16x8.splat(103)), 10);
  // A shift by multiplying takes less here: a shift's count is a register, a factor is memory.
  const ones = i16x8.sub(i16x8.mul(twos, i16x8.splat(256)), i16x8.mul(tens, i16x8.splat(2559)));
  return v128.or(ones, i8x16.splat(0x30));
}

/** A number below 10^8 as its first four digits in the lower half and its last four in the upper. */
// @ts-ignore: decorator
@inline
function twoFours(value: u64): u64 {
  return (value << 32) - ((value * 3518437209) >> 45) * 42949672959999;
}

/** A hundred-millionth, rounded down, of a number up to 10^16: a 5^8th of its 256th, so that no sum below has a carry. */
// @ts-ignore: decorator
@inline
function hundredMillionth(value: u64): u64 {
  const low = (value >> 8) & 0xffffffff;
  const high = value >> 40;
  // ceil(2^68 / 5^8) in two halves.
  const middle = high * 3695579528 + low * 175921 + ((low * 3695579528) >> 32);
  return (high * 175921 + (middle >> 32)) >> 4;
}

/** A tenth, rounded down: a product, because a division of 64 bits takes ten times as long. */
// @ts-ignore: decorator
@inline
function tenth(value: u64): u64 {
  return productHigh(value, 0xcccccccccccccccd) >> 3;
}

/** How many decimal digits a number below 10^17 has. */
// @ts-ignore: decorator
@inline
function digitCount(value: u64): i32 {
  // floor(log10) from the number of bits, too small by one at most.
  const guess = ((64 - <i32>clz(value | 1)) * 1233) >> 12;
  return guess + i32(value >= load<u64>(tensTable + ((<usize>guess) << 3)));
}

const tensTable: usize = memory.data<u64>([
  1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
  10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000,
], 16);
