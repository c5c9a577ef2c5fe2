// The characteristic function of ln(S_T/F) in Heston's model, at one or two points z of the complex plane. Separate from the integrals over it: this is all there is
// to know of the model, everything else is Fourier's.
// Source: Heston (1993), A closed-form solution for options with stochastic volatility; Albrecher, Mayer, Schoutens and Tistaert (2007), The little Heston trap,
// for the form without a branch cut in the way, here written without its quotient g, which cancels:
//   b = k - i r s z, m = z² + i z, d = √(b² + s² m) with a real part >= 0, H = (1 - e^(-dT))/d, a = m/(b + d),
//   Q = 1 - s² a H/2, B = -m H/(2 Q), A = k θ (-a T - 2 ln(Q)/s²), φ(z) = e^(A + B v0),
//   and in time A' = k θ B, B' = s² B²/2 - b B - m/2.
// k mean reversion, θ long variance, s volatility of variance, r correlation, v0 variance now. Where b's real part is negative d is at least √2 times as large on the
// line Im z = -1/2 (there m >= 1/4 and |b| < |r s|/2), so b + d never cancels. As s goes to 0 nothing divides by it: ln Q is of the order of s².
// Error: about 1e-15 relative to φ times the size of ln φ. Checked against 50-digit values and through prices (tests/numerics/heston).
import { abs, add, and, constant, div, larger, lessOrEqual, mul, mulAdd, or, select, sqrt, sub } from "../lane/lane";
import { exp, expLessOne } from "../math/exp";
import { logOnePlus } from "../math/log-one-plus";
import { angle, cosineOf, quarterTurns, sineOf, withoutTurns } from "../math/trigonometry";
import {
  pairPull,
  pairProduct,
  pairReversion,
  pairSquare,
  pairTime,
  pairVariance,
  point,
  pointImaginary,
  pointLogImaginary,
  pointLogReal,
  pointReal,
  pointTimeImaginary,
  pointTimeReal,
  pointVarianceImaginary,
  pointVarianceReal,
} from "./heston-room";

const table: usize = memory.data<f64>(
  [
    0.0, 0.0, // 0
    0.5, 0.5, // 16
    1.0, 1.0, // 32
    2.0, 2.0, // 48
    -700.0, -700.0, // 64: the exponent below which it is as good as zero
    -0.5, -0.5, // 80
  ],
  16,
);
const signs: usize = memory.data<u64>([0x8000000000000000, 0x8000000000000000], 16);

/** Stores φ, (ln φ)' in time and in v0, and ln φ at z = re + i im into the room's point. */
// @ts-ignore: decorator
@inline
export function storeCharacteristic<T>(room: usize, re: T, im: T): void {
  const half = constant<T>(table + 16);
  const one = constant<T>(table + 32);
  const square = constant<T>(room + pairSquare);
  const time = constant<T>(room + pairTime);
  const mr = sub<T>(sub<T>(mul<T>(re, re), mul<T>(im, im)), im);
  const mi = mulAdd<T>(mul<T>(constant<T>(table + 48), re), im, re);
  const br = mulAdd<T>(constant<T>(room + pairProduct), im, constant<T>(room + pairReversion));
  const bi = sub<T>(constant<T>(table), mul<T>(constant<T>(room + pairProduct), re));
  // d
  const qr = mulAdd<T>(square, mr, sub<T>(mul<T>(br, br), mul<T>(bi, bi)));
  const qi = mulAdd<T>(square, mi, mul<T>(constant<T>(table + 48), mul<T>(br, bi)));
  const size = sqrt<T>(mulAdd<T>(qr, qr, mul<T>(qi, qi)));
  const long = sqrt<T>(mul<T>(half, add<T>(size, abs<T>(qr))));
  const short = div<T>(mul<T>(half, qi), long);
  const isRight = lessOrEqual<T>(constant<T>(table), qr);
  const dr = select<T>(isRight, long, abs<T>(short));
  const di = select<T>(isRight, short, or<T>(long, and<T>(qi, constant<T>(signs))));
  // 1 - e^(-dT), by half the angle so that nothing is lost as dT goes to 0
  const lessOne = expLessOne<T>(larger<T>(sub<T>(constant<T>(table), mul<T>(dr, time)), constant<T>(table + 64)));
  const fade = add<T>(one, lessOne);
  const turn = mul<T>(mul<T>(constant<T>(table + 80), di), time);
  const turns = quarterTurns<T>(turn);
  const rest = withoutTurns<T>(turn, turns);
  const s = sineOf<T>(rest, turns);
  const c = cosineOf<T>(rest, turns);
  const doubled = mul<T>(mul<T>(constant<T>(table + 48), s), fade);
  const fr = sub<T>(mul<T>(doubled, s), lessOne);
  const fi = sub<T>(constant<T>(table), mul<T>(doubled, c));
  // H
  const perSize = div<T>(one, mulAdd<T>(dr, dr, mul<T>(di, di)));
  const hr = mul<T>(mulAdd<T>(fr, dr, mul<T>(fi, di)), perSize);
  const hi = mul<T>(sub<T>(mul<T>(fi, dr), mul<T>(fr, di)), perSize);
  // a, Q and its logarithm
  const er = add<T>(br, dr);
  const ei = add<T>(bi, di);
  const per = div<T>(one, mulAdd<T>(er, er, mul<T>(ei, ei)));
  const ar = mul<T>(mulAdd<T>(mr, er, mul<T>(mi, ei)), per);
  const ai = mul<T>(sub<T>(mul<T>(mi, er), mul<T>(mr, ei)), per);
  const factor = mul<T>(constant<T>(table + 80), square);
  const yr = mul<T>(factor, sub<T>(mul<T>(ar, hr), mul<T>(ai, hi)));
  const quotientImaginary = mul<T>(factor, mulAdd<T>(ar, hi, mul<T>(ai, hr)));
  const quotientReal = add<T>(one, yr);
  const excess = mulAdd<T>(yr, yr, mulAdd<T>(constant<T>(table + 48), yr, mul<T>(quotientImaginary, quotientImaginary)));
  const logReal = mul<T>(half, logOnePlus<T>(excess));
  const logImaginary = angle<T>(quotientImaginary, quotientReal);
  // B
  const perQuotient = div<T>(
    constant<T>(table + 80),
    mulAdd<T>(quotientReal, quotientReal, mul<T>(quotientImaginary, quotientImaginary)),
  );
  const tr = mul<T>(mulAdd<T>(hr, quotientReal, mul<T>(hi, quotientImaginary)), perQuotient);
  const ti = mul<T>(sub<T>(mul<T>(hi, quotientReal), mul<T>(hr, quotientImaginary)), perQuotient);
  const Br = sub<T>(mul<T>(mr, tr), mul<T>(mi, ti));
  const Bi = mulAdd<T>(mr, ti, mul<T>(mi, tr));
  // ln φ
  const pull = constant<T>(room + pairPull);
  const variance = constant<T>(room + pairVariance);
  const perSquare = div<T>(constant<T>(table + 48), square);
  const lr = sub<T>(mul<T>(variance, Br), mul<T>(pull, mulAdd<T>(ar, time, mul<T>(perSquare, logReal))));
  const li = sub<T>(mul<T>(variance, Bi), mul<T>(pull, mulAdd<T>(ai, time, mul<T>(perSquare, logImaginary))));
  const amplitude = exp<T>(larger<T>(lr, constant<T>(table + 64)));
  const wholeTurns = quarterTurns<T>(li);
  const phase = withoutTurns<T>(li, wholeTurns);
  // in time
  const halfSquare = mul<T>(half, square);
  const pr = sub<T>(
    mulAdd<T>(halfSquare, sub<T>(mul<T>(Br, Br), mul<T>(Bi, Bi)), mul<T>(constant<T>(table + 80), mr)),
    sub<T>(mul<T>(br, Br), mul<T>(bi, Bi)),
  );
  const pi = sub<T>(
    mulAdd<T>(square, mul<T>(Br, Bi), mul<T>(constant<T>(table + 80), mi)),
    mulAdd<T>(br, Bi, mul<T>(bi, Br)),
  );
  const at = room + point;
  store<T>(at, mul<T>(amplitude, cosineOf<T>(phase, wholeTurns)), pointReal);
  store<T>(at, mul<T>(amplitude, sineOf<T>(phase, wholeTurns)), pointImaginary);
  store<T>(at, mulAdd<T>(pull, Br, mul<T>(variance, pr)), pointTimeReal);
  store<T>(at, mulAdd<T>(pull, Bi, mul<T>(variance, pi)), pointTimeImaginary);
  store<T>(at, lr, pointLogReal);
  store<T>(at, li, pointLogImaginary);
  store<T>(at, Br, pointVarianceReal);
  store<T>(at, Bi, pointVarianceImaginary);
}
