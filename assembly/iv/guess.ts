// A first guess of s = σ√T from the normalised time value: the volatility of the Bachelier model at the same price, turned into
// Black's. Separate because the step that follows multiplies digits by four, so a guess within 3e-5 needs one step only.
// Legend: v = time value / m, w = e^|x| - 1, X = |x|; η = ν/atanh ν, ν = w/(2v + w); sN Bachelier's σ√T times X/(2 sinh(X/2)), u = sN².
// Source: Bachelier volatility by a rational function of η (after Choi, Kim and Kwak 2009; coefficients refitted for this project),
// within 1.3e-5; then s/sN = 1 + A1 u + A2 u²/(1 - 0.106 u), where A1 = ln(2 sinh(X/2)/X)/X² is the known short-time term, here a
// rational function of X² within 2e-3, and A2 = 7/1920/(1 + X²/64) is fitted (within 5 % up to X = 8).
// Error: within 4e-5 for s <= 0.6, 1.5e-4 for s <= 1 and 1e-2 for s <= 2.5, X <= 16, v <= 1/2 (tests/numerics/implied-volatility-math).
import { add, addBits, and, constant, div, exponentTimes2Pow20, larger, mul, mulAdd, select, sqrt, sub, subBits, lessOrEqual } from "../lane/lane";

const table: usize = memory.data<f64>(
  [
    // numerator of the Bachelier volatility
    3610.3272898518767, 3610.3272898518767, // 0: η^5
    2706.6195172045377, 2706.6195172045377, // 16
    824.8631729287413, 824.8631729287413, // 32
    435.32285823554747, 435.32285823554747, // 48
    42.820415231979815, 42.820415231979815, // 64
    0.39918556838957714, 0.39918556838957714, // 80
    // denominator
    1052.9111301027785, 1052.9111301027785, // 96: η^5
    4916.652704864277, 4916.652704864277, // 112
    675.165988959212, 675.165988959212, // 128
    870.3633908920312, 870.3633908920312, // 144
    104.3014443404073, 104.3014443404073, // 160
    1.0, 1.0, // 176
    1.2533141373155003, 1.2533141373155003, // 192: √(π/2)
    // A1 = (a0 + a1 X²)/(1 + b1 X² + b2 X⁴)
    0.041666666666666664, 0.041666666666666664, // 208: a0 = 1/24
    0.00034507655, 0.00034507655, // 224: a1
    0.0164709128, 0.0164709128, // 240: b1
    1.77338547e-5, 1.77338547e-5, // 256: b2
    0.0036458333333333334, 0.0036458333333333334, // 272: 7/1920
    0.015625, 0.015625, // 288: 1/64
    0.106, 0.106, // 304
    // 2 atanh f to 1e-7
    0.2857142854755, 0.2857142854755, // 320
    0.4, 0.4, // 336
    0.6666666666666666, 0.6666666666666666, // 352
    6.610368362777016e-7, 6.610368362777016e-7, // 368: ln 2 · 2^-20
    1e-290, 1e-290, // 384: keeps 0/0 out at the money
    0.0, 0.0, // 400
    0.2222222, 0.2222222, // 416
  ],
  16,
);
const patterns: usize = memory.data<u64>(
  [
    0x0008000000000000, 0x0008000000000000, // 0: half a binade
    0xfff0000000000000, 0xfff0000000000000, // 16: whole binades
  ],
  16,
);

/** η = ν/atanh ν of the normalised time value v in [1e-270, 0.5]. */
// @ts-ignore: decorator
@inline
export function guessEta<T>(gap: T, target: T): T {
  const w = larger<T>(gap, constant<T>(table + 384));
  const c = add<T>(add<T>(target, target), w);
  const nu = div<T>(w, c);
  // 2 atanh ν = ln((v + w)/v), in difference form where the quotient is near one
  const sum = add<T>(target, w);
  const binades = and<T>(addBits<T>(subBits<T>(sum, target), constant<T>(patterns)), constant<T>(patterns + 16));
  const near = subBits<T>(sum, binades);
  const n = exponentTimes2Pow20<T>(binades);
  const quotient = div<T>(sub<T>(near, target), add<T>(near, target));
  const f = select<T>(lessOrEqual<T>(n, constant<T>(table + 400)), nu, quotient);
  const z = mul<T>(f, f);
  let p = mulAdd<T>(constant<T>(table + 416), z, constant<T>(table + 320));
  p = mulAdd<T>(p, z, constant<T>(table + 336));
  p = mulAdd<T>(p, z, constant<T>(table + 352));
  const twiceAtanh = mulAdd<T>(n, constant<T>(table + 368), mulAdd<T>(mul<T>(f, z), p, add<T>(f, f)));
  return div<T>(add<T>(nu, nu), twiceAtanh);
}

/** First guess of s; X in [0, 16], v in [1e-270, 0.5]. */
// @ts-ignore: decorator
@inline
export function guessDeviation<T>(logMoneyness: T, gap: T, target: T, eta: T): T {
  const x = larger<T>(logMoneyness, constant<T>(table + 384));
  const w = larger<T>(gap, constant<T>(table + 384));
  const c = add<T>(add<T>(target, target), w);
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
  const scale = mul<T>(mul<T>(sqrt<T>(eta), constant<T>(table + 192)), mul<T>(c, x));
  const bachelier = div<T>(mul<T>(scale, numerator), mul<T>(w, denominator));

  const one = constant<T>(table + 176);
  const u = mul<T>(bachelier, bachelier);
  const x2 = mul<T>(x, x);
  const firstTop = mulAdd<T>(constant<T>(table + 224), x2, constant<T>(table + 208));
  const firstBottom = mulAdd<T>(mulAdd<T>(constant<T>(table + 256), x2, constant<T>(table + 240)), x2, one);
  const secondTop = mul<T>(constant<T>(table + 272), u);
  const secondBottom = mul<T>(
    mulAdd<T>(constant<T>(table + 288), x2, one),
    sub<T>(one, mul<T>(constant<T>(table + 304), u)),
  );
  const correction = div<T>(
    mulAdd<T>(firstTop, secondBottom, mul<T>(secondTop, firstBottom)),
    mul<T>(firstBottom, secondBottom),
  );
  return mulAdd<T>(mul<T>(bachelier, u), correction, bachelier);
}
