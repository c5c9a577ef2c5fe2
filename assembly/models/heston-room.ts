// Where the Heston model keeps what it works with: the parameters of the last expiry, its curve (the characteristic function at evenly spaced points) and
// space for one point. Separate so that characteristic function, prices and batch name the same places. Addresses only. A room is a thread's own, zeros at first.
import { hestonBytes } from "../abi/layout";

/** Most points a curve may have. */
export const pointsMax: usize = 2048;

// What the curve is for: six doubles as they came, compared bit by bit, then what is held.
export const keyVariance: usize = 0;
export const keyReversion: usize = 8;
export const keyLongVariance: usize = 16;
export const keyVolatility: usize = 24;
export const keyCorrelation: usize = 32;
export const keyTime: usize = 40;
export const curveKind: usize = 48; // i32, see the kinds
export const curveCount: usize = 52; // i32: points, an even number
export const curveStep: usize = 56; // f64: from one point to the next
export const curveReach: usize = 64; // f64: the largest |x| it is for
export const controlVariance: usize = 72; // f64: total variance of the Black price that the integral corrects
export const curveExtent: usize = 80; // f64: from there on in |x| the price is Black's

/** Kinds: nothing held; a curve; too many points for one, so that each option has a contour of its own; no price. */
export const kindNone: i32 = 0;
export const kindCurve: i32 = 1;
export const kindContour: i32 = 2;
export const kindFailed: i32 = 3;

// The parameters as both lanes want them, each twice.
export const pairReversion: usize = 96;
export const pairProduct: usize = 112; // correlation · vol of vol
export const pairSquare: usize = 128; // vol of vol squared
export const pairTime: usize = 144;
export const pairPull: usize = 160; // reversion · long variance
export const pairVariance: usize = 176;
export const pairControl: usize = 192;

// One point: the function's value, the derivative of its logarithm in time, its logarithm; two lanes each.
export const point: usize = 208;
export const pointReal: usize = 0;
export const pointImaginary: usize = 16;
export const pointTimeReal: usize = 32;
export const pointTimeImaginary: usize = 48;
export const pointLogReal: usize = 64;
export const pointLogImaginary: usize = 80;
export const pointVarianceReal: usize = 96; // the derivative of the logarithm in the variance now
export const pointVarianceImaginary: usize = 112;

// The curve's columns: what is integrated, real and imaginary, and its derivatives in time and in the variance now.
const columnBytes: usize = pointsMax << 3;
export const columnReal: usize = 352;
export const columnImaginary: usize = columnReal + columnBytes;
export const columnTimeReal: usize = columnImaginary + columnBytes;
export const columnTimeImaginary: usize = columnTimeReal + columnBytes;
export const columnVarianceReal: usize = columnTimeImaginary + columnBytes;
export const columnVarianceImaginary: usize = columnVarianceReal + columnBytes;
export const curveColumns: usize = 6;
export const columnStride: usize = columnBytes;

// Sums over a curve or a contour: the difference from Black's price over e^(x/2), its derivative in x, what is left of its curvature, that one's derivative; then
// the same of its derivative in time, and its derivative in the variance now.
export const sums: usize = columnVarianceImaginary + columnBytes;
export const sumValue: usize = 0;
export const sumX: usize = 8;
export const sumCurve: usize = 16;
export const sumCurveX: usize = 24;
export const sumTime: usize = 32;
export const sumTimeX: usize = 40;
export const sumTimeCurve: usize = 48;
export const sumVariance: usize = 56;
export const sumBytes: usize = 64;
const roomEnd: usize = sums + 64;

/** That the room is large enough; known when the module is compiled. */
// @ts-ignore: decorator
@inline
export function checkHestonRoom(): void {
  if (roomEnd > hestonBytes) unreachable();
}
