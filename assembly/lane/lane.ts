// One formula, two widths. Every numeric routine of the island is written once over a type T that is either
// f64 (one option) or v128 (two options, f64x2); the functions here pick the instruction when the code is compiled,
// so that the scalar path is the same source and gives the same bits as the batch.
// A mask is a T whose lanes are all ones or all zeros. A constant is a pointer to a 16-byte pair of equal doubles:
// engines load such a pair faster than they rebuild a v128 literal inside a loop.
// Nothing here may use a fused multiply-add, a relaxed instruction or Math.*: the bits must not depend on the machine.

// @ts-ignore: decorator
@inline
export function constant<T>(pair: usize): T {
  return load<T>(pair);
}

/** One double in memory, in every lane. */
// @ts-ignore: decorator
@inline
export function repeated<T>(address: usize): T {
  if (isVector<T>()) return v128.load64_splat(address);
  else return load<T>(address);
}

// @ts-ignore: decorator
@inline
export function splat<T>(value: f64): T {
  if (isVector<T>()) return f64x2.splat(value) as T;
  else return value as T;
}

// @ts-ignore: decorator
@inline
export function add<T>(a: T, b: T): T {
  if (isVector<T>()) return f64x2.add(a, b);
  else return f64.add(a, b);
}

// @ts-ignore: decorator
@inline
export function sub<T>(a: T, b: T): T {
  if (isVector<T>()) return f64x2.sub(a, b);
  else return f64.sub(a, b);
}

// @ts-ignore: decorator
@inline
export function mul<T>(a: T, b: T): T {
  if (isVector<T>()) return f64x2.mul(a, b);
  else return f64.mul(a, b);
}

// @ts-ignore: decorator
@inline
export function div<T>(a: T, b: T): T {
  if (isVector<T>()) return f64x2.div(a, b);
  else return f64.div(a, b);
}

/** a·b + c with two roundings, never fused. */
// @ts-ignore: decorator
@inline
export function mulAdd<T>(a: T, b: T, c: T): T {
  return add<T>(mul<T>(a, b), c);
}

// @ts-ignore: decorator
@inline
export function sqrt<T>(a: T): T {
  if (isVector<T>()) return f64x2.sqrt(a);
  else return f64.sqrt(a);
}

// @ts-ignore: decorator
@inline
export function abs<T>(a: T): T {
  if (isVector<T>()) return f64x2.abs(a);
  else return f64.abs(a);
}

// @ts-ignore: decorator
@inline
export function neg<T>(a: T): T {
  if (isVector<T>()) return f64x2.neg(a);
  else return -a;
}

/** b < a ? b : a. A NaN in either gives a. */
// @ts-ignore: decorator
@inline
export function smaller<T>(a: T, b: T): T {
  if (isVector<T>()) return f64x2.pmin(a, b);
  else return b < a ? b : a;
}

/** a < b ? b : a. A NaN in either gives a. */
// @ts-ignore: decorator
@inline
export function larger<T>(a: T, b: T): T {
  if (isVector<T>()) return f64x2.pmax(a, b);
  else return a < b ? b : a;
}

/** Mask of a < b. */
// @ts-ignore: decorator
@inline
export function lessThan<T>(a: T, b: T): T {
  if (isVector<T>()) return f64x2.lt(a, b);
  else return f64.reinterpret_i64(-(<i64>(a < b)));
}

/** Mask of a <= b. */
// @ts-ignore: decorator
@inline
export function lessOrEqual<T>(a: T, b: T): T {
  if (isVector<T>()) return f64x2.le(a, b);
  else return f64.reinterpret_i64(-(<i64>(a <= b)));
}

// @ts-ignore: decorator
@inline
export function and<T>(a: T, b: T): T {
  if (isVector<T>()) return v128.and(a, b);
  else return f64.reinterpret_i64(i64.reinterpret_f64(a) & i64.reinterpret_f64(b));
}

// @ts-ignore: decorator
@inline
export function or<T>(a: T, b: T): T {
  if (isVector<T>()) return v128.or(a, b);
  else return f64.reinterpret_i64(i64.reinterpret_f64(a) | i64.reinterpret_f64(b));
}

// @ts-ignore: decorator
@inline
export function xor<T>(a: T, b: T): T {
  if (isVector<T>()) return v128.xor(a, b);
  else return f64.reinterpret_i64(i64.reinterpret_f64(a) ^ i64.reinterpret_f64(b));
}

/** mask ? a : b, lane by lane. */
// @ts-ignore: decorator
@inline
export function select<T>(mask: T, a: T, b: T): T {
  if (isVector<T>()) return v128.bitselect(a, b, mask);
  else return i64.reinterpret_f64(mask) != 0 ? a : b;
}

/** True where every lane of the mask is set. */
// @ts-ignore: decorator
@inline
export function isAllSet<T>(mask: T): bool {
  if (isVector<T>()) return i64x2.all_true(mask);
  else return i64.reinterpret_f64(mask) != 0;
}

/** The doubles' bit patterns subtracted as 64-bit integers. */
// @ts-ignore: decorator
@inline
export function subBits<T>(a: T, b: T): T {
  if (isVector<T>()) return i64x2.sub(a, b);
  else return f64.reinterpret_i64(i64.reinterpret_f64(a) - i64.reinterpret_f64(b));
}

/** The doubles' bit patterns added as 64-bit integers. */
// @ts-ignore: decorator
@inline
export function addBits<T>(a: T, b: T): T {
  if (isVector<T>()) return i64x2.add(a, b);
  else return f64.reinterpret_i64(i64.reinterpret_f64(a) + i64.reinterpret_f64(b));
}

// Byte moves for the vector forms below (index 0x80 writes zero): an arithmetic 64-bit shift is emulated in some engines.
const swizzles: usize = memory.data<u8>(
  [
    // 0: bytes 6 and 7 of each double to the high half of the i32 lanes 0 and 1
    0x80, 0x80, 6, 7, 0x80, 0x80, 14, 15, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    // 16: two option-type bytes: byte 0 to byte 7, byte 1 to byte 15
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1,
    // 32: the sign bit of both doubles
    0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x80,
  ],
  16,
);

/**
 * 2^n where the low eleven bits of the argument's pattern hold n + 1023 (the trace of adding a large round number,
 * see math/exp). Higher bits are ignored.
 */
// @ts-ignore: decorator
@inline
export function powerOfTwo<T>(shifted: T): T {
  if (isVector<T>()) return i64x2.shl(shifted, 52);
  else return f64.reinterpret_i64(i64.reinterpret_f64(shifted) << 52);
}

/** The signed exponent field (bits 52 to 63) of the pattern as a number, times 2^20. */
// @ts-ignore: decorator
@inline
export function exponentTimes2Pow20<T>(bits: T): T {
  if (isVector<T>()) return f64x2.convert_low_i32x4_s(i8x16.swizzle(bits, v128.load(swizzles)));
  else return <f64>(i64.reinterpret_f64(bits) >> 52) * 1048576.0;
}

/**
 * Sign bit set where the option-type byte at the pointer is zero (a put), clear for a call; one byte a lane. Reads up to two bytes
 * more than it uses: a load of 16 bits keeps part of a register, and a loop would wait for what its last turn left there.
 */
// @ts-ignore: decorator
@inline
export function putSign<T>(bytes: usize): T {
  if (isVector<T>()) {
    const isPut = i8x16.eq(i8x16.swizzle(v128.load32_splat(bytes), v128.load(swizzles, 16)), i8x16.splat(0));
    return v128.and(isPut, v128.load(swizzles, 32));
  } else return f64.reinterpret_i64(load<u8>(bytes) == 0 ? 0x8000000000000000 : 0);
}

/**
 * The high words of two doubles' patterns less `lowestHigh`, kept where larger than what has been gathered, as unsigned numbers: a
 * positive double is inside [lowest, lowest·2^binades) where this is below binades·2^20, and zero, negative, infinite and NaN are
 * outside. Low words are garbage. One comparison at the end (areHighWordsBelow) serves a whole loop.
 */
// @ts-ignore: decorator
@inline
export function gatherHighWords<T>(gathered: T, a: T, lowestHigh: T): T {
  if (isVector<T>()) return i32x4.max_u(gathered, i32x4.sub(a, lowestHigh));
  else {
    const high = <u32>((i64.reinterpret_f64(a) >> 32) - (i64.reinterpret_f64(lowestHigh) >> 32));
    return f64.reinterpret_i64((<i64>max<u32>(high, <u32>(i64.reinterpret_f64(gathered) >> 32))) << 32);
  }
}

/** As gatherHighWords, of a number that is not negative, from zero on. */
// @ts-ignore: decorator
@inline
export function gatherLargest<T>(gathered: T, a: T): T {
  if (isVector<T>()) return i32x4.max_u(gathered, a);
  else {
    const high = max<u32>(<u32>(i64.reinterpret_f64(a) >> 32), <u32>(i64.reinterpret_f64(gathered) >> 32));
    return f64.reinterpret_i64((<i64>high) << 32);
  }
}

/** True where every gathered high word is below the limit. */
// @ts-ignore: decorator
@inline
export function areHighWordsBelow<T>(gathered: T, limit: u32): bool {
  if (isVector<T>()) {
    return max<u32>(i32x4.extract_lane(gathered, 1), i32x4.extract_lane(gathered, 3)) < limit;
  } else return <u32>(i64.reinterpret_f64(gathered) >> 32) < limit;
}

/**
 * Mask of `lowest <= a < lowest·2^binades` for positive finite a, judged by the high 32 bits of the pattern: zero,
 * negative, infinite and NaN are outside by construction. `lowestHigh` is the high word of `lowest` (a power of two).
 */
// @ts-ignore: decorator
@inline
export function isWithinBinades<T>(a: T, b: T, lowestHigh: i32, binades: i32): T {
  if (isVector<T>()) {
    // both arguments' high words side by side, one comparison, then widened back to two 64-bit masks
    const high = v128.shuffle<i32>(a, b, 1, 3, 5, 7);
    const inside = i32x4.lt_u(i32x4.sub(high, i32x4.splat(lowestHigh)), i32x4.splat(binades << 20));
    return v128.and(v128.shuffle<i32>(inside, inside, 0, 0, 1, 1), v128.shuffle<i32>(inside, inside, 2, 2, 3, 3));
  } else {
    const span = <u32>(binades << 20);
    const insideA = <u32>(<i32>(i64.reinterpret_f64(a) >> 32) - lowestHigh) < span;
    const insideB = <u32>(<i32>(i64.reinterpret_f64(b) >> 32) - lowestHigh) < span;
    return f64.reinterpret_i64(-(<i64>(insideA & insideB)));
  }
}
