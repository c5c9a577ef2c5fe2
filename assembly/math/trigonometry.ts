// Sine, cosine and the angle of a point, over one or two lanes: what complex exponentials and logarithms are made of. Separate because everything that
// inverts a characteristic function needs them.
// Sine and cosine: the nearest multiple n of π/2 is taken off in three parts (Cody and Waite 1980; 33 bits each, so that n times the first two is exact up to
// n = 2^20), then a polynomial on |r| <= π/4; both share the reduction. Angle: the smaller coordinate over the larger, or where that is above tan(π/8) their
// difference over their sum, in either case within tan(π/8), then the octant. Polynomials by tests/golden/generate/trigonometry_fit.py: within 2e-17.
// Error: sine and cosine 2.5 units of 2^-53 of the value for |x| <= 1e5, absolute 2^-53 beyond (up to 1.6e6, where the parts end; past it the result is within
// [-1, 1] and nothing more); the angle 2 units of 2^-53 of the value (tests/numerics/math).
import { abs, add, addBits, and, constant, div, larger, lessThan, mul, mulAdd, select, smaller, sub, subBits, xor } from "../lane/lane";

const table: usize = memory.data<f64>(
  [
    0.6366197723675814, 0.6366197723675814, // 0: 2/π
    6755399441055744.0, 6755399441055744.0, // 16: 1.5·2^52: leaves n in the low bits
    1.5707963267341256, 1.5707963267341256, // 32: π/2, its first 33 bits
    6.077100506303966e-11, 6.077100506303966e-11, // 48: the next 33
    2.0222662487959506e-21, 2.0222662487959506e-21, // 64: the rest
    1.5918115263265974e-10, 1.5918115263265974e-10, // 80: sine, z^5
    -2.505113165023518e-8, -2.505113165023518e-8, // 96
    2.7557316101617874e-6, 2.7557316101617874e-6, // 112
    -0.00019841269836756774, -0.00019841269836756774, // 128
    0.008333333333330948, 0.008333333333330948, // 144
    -0.16666666666666666, -0.16666666666666666, // 160: z^0
    -1.1382623647474604e-11, -1.1382623647474604e-11, // 176: cosine, z^5
    2.087614614655861e-9, 2.087614614655861e-9, // 192
    -2.7557317271145144e-7, -2.7557317271145144e-7, // 208
    2.480158729876456e-5, 2.480158729876456e-5, // 224
    -0.0013888888888887398, -0.0013888888888887398, // 240
    0.041666666666666664, 0.041666666666666664, // 256: z^0
    0.5, 0.5, // 272
    1.0, 1.0, // 288
    -0.019175404711104935, -0.019175404711104935, // 304: angle, z^10
    0.03923044778479309, 0.03923044778479309, // 320
    -0.050854078345894844, -0.050854078345894844, // 336
    0.05858140904866328, 0.05858140904866328, // 352
    -0.06664510525508936, -0.06664510525508936, // 368
    0.07692183125376892, 0.07692183125376892, // 384
    -0.0909090457530649, -0.0909090457530649, // 400
    0.11111111015187018, 0.11111111015187018, // 416
    -0.14285714284665682, -0.14285714284665682, // 432
    0.19999999999995516, 0.19999999999995516, // 448
    -0.3333333333333333, -0.3333333333333333, // 464: z^0
    0.41421356237309503, 0.41421356237309503, // 480: tan(π/8)
    0.7853981633974483, 0.7853981633974483, // 496: π/4
    1.5707963267948966, 1.5707963267948966, // 512: π/2
    3.141592653589793, 3.141592653589793, // 528: π
    0.0, 0.0, // 544
    3.061616997868383e-17, 3.061616997868383e-17, // 560: π/4, what its double leaves
  ],
  16,
);
const patterns: usize = memory.data<u64>(
  [
    1, 1, // 0
    2, 2, // 16
    0x8000000000000000, 0x8000000000000000, // 32: the sign
  ],
  16,
);

/** The nearest multiple of a quarter turn, in the low bits of a large number. */
// @ts-ignore: decorator
@inline
export function quarterTurns<T>(x: T): T {
  return mulAdd<T>(x, constant<T>(table), constant<T>(table + 16));
}

/** What is left of the angle. */
// @ts-ignore: decorator
@inline
export function withoutTurns<T>(x: T, turns: T): T {
  const n = sub<T>(turns, constant<T>(table + 16));
  const near = sub<T>(x, mul<T>(n, constant<T>(table + 32)));
  return sub<T>(sub<T>(near, mul<T>(n, constant<T>(table + 48))), mul<T>(n, constant<T>(table + 64)));
}

// @ts-ignore: decorator
@inline
function sineNear<T>(r: T): T {
  const z = mul<T>(r, r);
  let p = mulAdd<T>(constant<T>(table + 80), z, constant<T>(table + 96));
  p = mulAdd<T>(p, z, constant<T>(table + 112));
  p = mulAdd<T>(p, z, constant<T>(table + 128));
  p = mulAdd<T>(p, z, constant<T>(table + 144));
  p = mulAdd<T>(p, z, constant<T>(table + 160));
  return mulAdd<T>(mul<T>(r, z), p, r);
}

// @ts-ignore: decorator
@inline
function cosineNear<T>(r: T): T {
  const z = mul<T>(r, r);
  let p = mulAdd<T>(constant<T>(table + 176), z, constant<T>(table + 192));
  p = mulAdd<T>(p, z, constant<T>(table + 208));
  p = mulAdd<T>(p, z, constant<T>(table + 224));
  p = mulAdd<T>(p, z, constant<T>(table + 240));
  p = mulAdd<T>(p, z, constant<T>(table + 256));
  const half = mul<T>(constant<T>(table + 272), z);
  const near = sub<T>(constant<T>(table + 288), half);
  // what 1 - z/2 lost to rounding comes back with the small terms
  const lost = sub<T>(sub<T>(constant<T>(table + 288), near), half);
  return add<T>(near, mulAdd<T>(mul<T>(z, z), p, lost));
}

/** One of two by the turns' lowest bit, its sign turned by the bit above. */
// @ts-ignore: decorator
@inline
function placed<T>(turns: T, even: T, odd: T): T {
  const isOdd = subBits<T>(constant<T>(table + 544), and<T>(turns, constant<T>(patterns)));
  const isBack = subBits<T>(constant<T>(table + 544), and<T>(turns, constant<T>(patterns + 16)));
  return xor<T>(select<T>(isOdd, odd, even), and<T>(isBack, constant<T>(patterns + 32)));
}

/** The sine, from quarterTurns and withoutTurns. */
// @ts-ignore: decorator
@inline
export function sineOf<T>(r: T, turns: T): T {
  return placed<T>(turns, sineNear<T>(r), cosineNear<T>(r));
}

/** The cosine, from quarterTurns and withoutTurns. */
// @ts-ignore: decorator
@inline
export function cosineOf<T>(r: T, turns: T): T {
  return placed<T>(addBits<T>(turns, constant<T>(patterns)), sineNear<T>(r), cosineNear<T>(r));
}

/** The angle of the point (x, y), in (-π, π]; not both may be 0. */
// @ts-ignore: decorator
@inline
export function angle<T>(y: T, x: T): T {
  const width = abs<T>(x);
  const height = abs<T>(y);
  const long = larger<T>(width, height);
  const short = smaller<T>(width, height);
  const isWide = lessThan<T>(mul<T>(long, constant<T>(table + 480)), short);
  const t = div<T>(select<T>(isWide, sub<T>(short, long), short), select<T>(isWide, add<T>(short, long), long));
  const z = mul<T>(t, t);
  let p = mulAdd<T>(constant<T>(table + 304), z, constant<T>(table + 320));
  p = mulAdd<T>(p, z, constant<T>(table + 336));
  p = mulAdd<T>(p, z, constant<T>(table + 352));
  p = mulAdd<T>(p, z, constant<T>(table + 368));
  p = mulAdd<T>(p, z, constant<T>(table + 384));
  p = mulAdd<T>(p, z, constant<T>(table + 400));
  p = mulAdd<T>(p, z, constant<T>(table + 416));
  p = mulAdd<T>(p, z, constant<T>(table + 432));
  p = mulAdd<T>(p, z, constant<T>(table + 448));
  p = mulAdd<T>(p, z, constant<T>(table + 464));
  const low = mul<T>(mul<T>(t, z), p);
  const eighth = and<T>(isWide, constant<T>(table + 496));
  const near = add<T>(eighth, add<T>(t, add<T>(low, and<T>(isWide, constant<T>(table + 560)))));
  const steep = lessThan<T>(width, height);
  const upright = select<T>(steep, sub<T>(constant<T>(table + 512), near), near);
  const isLeft = lessThan<T>(x, constant<T>(table + 544));
  const turned = select<T>(isLeft, sub<T>(constant<T>(table + 528), upright), upright);
  return xor<T>(turned, and<T>(y, constant<T>(patterns + 32)));
}
