// Doubles as the shortest decimals that read back as the same doubles, in the very characters of ECMAScript's Number::toString,
// separated by commas: what a column of numbers is in JSON. Here, because the host's own way costs four times the pricing.
//
// Source: R. Giulietti, "The Schubfach way to render doubles" (2020): among the decimals of the shortest length within the rounding
// interval the nearest, the even one of two. Scaling by a power of ten needs 128 bits of that power,
//   10^k = g · 2^(e−127), g = ceil, e = floor(log2 10^k),
// which the host lays out once: 16 bytes for each k from powersMin to powersMax, the low word first.
// Legend: value = c · 2^q; k the decimal exponent of the candidates; middle, lower, upper four times the value and its interval's
// ends, scaled by 10^−k and rounded to odd (the last bit set where anything was cut off). Layout of digits: ECMA-262, Number::toString (radix 10).
// Checked against the host's own text over millions of bit patterns, every power of two and ten, and the hard cases of
// the literature (tests/numerics/decimal.test.ts).

/** Smallest and largest k that a double needs. */
export const powersMin: i32 = -292;
export const powersMax: i32 = 324;

/** The longest text of one number, "-1.2345678901234567e-308", and its comma. */
export const decimalBytesMax: i32 = 25;

const signBit: u64 = 0x8000000000000000;
const significandBits: i32 = 52;
const significandMask: u64 = 0x000fffffffffffff;
const hiddenBit: u64 = 0x0010000000000000;
/** Of the integer significand: the exponent's bias and the bits behind the point. */
const exponentBias: i32 = 1075;

/** "00" to "99". */
const pairs: usize = memory.data<u8>([
  48,48,48,49,48,50,48,51,48,52,48,53,48,54,48,55,48,56,48,57,49,48,49,49,49,50,49,51,49,52,49,53,49,54,49,55,49,56,49,57,
  50,48,50,49,50,50,50,51,50,52,50,53,50,54,50,55,50,56,50,57,51,48,51,49,51,50,51,51,51,52,51,53,51,54,51,55,51,56,51,57,
  52,48,52,49,52,50,52,51,52,52,52,53,52,54,52,55,52,56,52,57,53,48,53,49,53,50,53,51,53,52,53,53,53,54,53,55,53,56,53,57,
  54,48,54,49,54,50,54,51,54,52,54,53,54,54,54,55,54,56,54,57,55,48,55,49,55,50,55,51,55,52,55,53,55,54,55,55,55,56,55,57,
  56,48,56,49,56,50,56,51,56,52,56,53,56,54,56,55,56,56,56,57,57,48,57,49,57,50,57,51,57,52,57,53,57,54,57,55,57,56,57,57,
], 16);

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
  if (q <= 0 && q > -53 && (c & ((<u64>1 << -q) - 1)) == 0) return laidOut(c >> -q, 0, at);

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
  return laidOut(found, k + i32(isShorter), at);
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

/** digits · 10^exponent in the layout of Number::toString. */
function laidOut(digitsGiven: u64, exponentGiven: i32, start: usize): usize {
  let value = digitsGiven;
  let exponent = exponentGiven;
  for (let shorter = tenth(value); shorter * 10 == value; shorter = tenth(value)) {
    value = shorter;
    exponent += 1;
  }
  const count = digitCount(value);
  const point = count + exponent;
  let at = start;
  if (point > 0 && point <= 21) {
    // One place to the right of where they belong; the part before the point moves back over the gap.
    seventeen(value, count, at + 1);
    const before = min(point, count);
    for (let index = 0; index < before; index++) store<u8>(at + <usize>index, load<u8>(at + <usize>index, 1));
    at += <usize>before;
    for (let zero = 0; zero < exponent; zero++) store<u8>(at++, 0x30);
    if (exponent >= 0) return at;
    store<u8>(at, 0x2e);
    return at + <usize>(1 + count - before);
  }
  if (point > -6 && point <= 0) {
    store<u8>(at++, 0x30);
    store<u8>(at++, 0x2e);
    for (let zero = point; zero < 0; zero++) store<u8>(at++, 0x30);
    seventeen(value, count, at);
    return at + <usize>count;
  }
  seventeen(value, count, at + 1);
  store<u8>(at, load<u8>(at, 1));
  store<u8>(at, 0x2e, 1);
  at += count == 1 ? 1 : <usize>count + 1;
  const power = point - 1;
  store<u8>(at, 0x65);
  store<u8>(at, power < 0 ? 0x2d : 0x2b, 1);
  at += 2;
  const size = <u32>abs(power);
  if (size >= 100) store<u8>(at++, 0x30 + <u8>hundredth(size));
  const rest = size - hundredth(size) * 100;
  if (size < 10) {
    store<u8>(at, 0x30 + <u8>size);
    return at + 1;
  }
  store<u16>(at, load<u16>(pairs + ((<usize>rest) << 1)));
  return at + 2;
}

/** Writes `count` digits and zeros up to the seventeenth, so that every number takes the same way. */
// @ts-ignore: decorator
@inline
function seventeen(value: u64, count: i32, at: usize): void {
  const filled = value * load<u64>(tensTable + ((<usize>(17 - count)) << 3));
  const upper = productHigh(filled, 0xabcc77118461cefd) >> 26;
  const leading = (upper * 1441151881) >> 57;
  store<u8>(at, 0x30 + <u8>leading);
  eight(<u32>(upper - leading * 100000000), at + 1);
  eight(<u32>(filled - upper * 100000000), at + 9);
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

/** Exactly eight digits, leading zeros among them. */
// @ts-ignore: decorator
@inline
function eight(value: u32, at: usize): void {
  // A division by 10,000 and two by 100, as products.
  const upper = <u32>((<u64>value * 3518437209) >> 45);
  const lower = value - upper * 10000;
  const first = hundredth(upper);
  const third = hundredth(lower);
  store<u16>(at, load<u16>(pairs + ((<usize>first) << 1)));
  store<u16>(at, load<u16>(pairs + ((<usize>(upper - first * 100)) << 1)), 2);
  store<u16>(at, load<u16>(pairs + ((<usize>third) << 1)), 4);
  store<u16>(at, load<u16>(pairs + ((<usize>(lower - third * 100)) << 1)), 6);
}

/** A hundredth, rounded down, of a number below 10^8. */
// @ts-ignore: decorator
@inline
function hundredth(value: u32): u32 {
  return <u32>((<u64>value * 1374389535) >> 37);
}
