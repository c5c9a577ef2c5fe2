// Where the American model keeps what it works with: tables for each order of approximation, memories of the last boundaries (one
// for puts, one for calls, two for volatilities nearby), and space for one solution. Separate so that boundary, prices and batch name the same places. Addresses only;
// nothing is computed here. A room is a thread's own, `americanBytes` of its scratch, zeros at first.
import { americanBytes } from "../abi/layout";

/** Orders: Chebyshev's degree in √time, points of the boundary's integrals, points of the price's, in three schemes. */
export const schemeFast: i32 = 0;
export const schemeAccurate: i32 = 1;
export const schemeReference: i32 = 2;

/** Highest degree and most points that any scheme has. */
export const degreeMax: usize = 24;
export const integralPointsMax: usize = 32;
/** Points that a price's integral may have in all, over its panels. */
export const pricePointsMax: usize = 768;

// Tables of a scheme: the grading they are for, then degree + 1 roots of time, then for each point of the integrals the sine,
// the cosine and the weight, then the interpolation from the boundary's values: for each row, each value, each point.
export const tableGrading: usize = 0;
export const tableIsMade: usize = 8;
export const tableRoots: usize = 16;
export const tableSines: usize = tableRoots + ((degreeMax + 2) << 3);
export const tableWeights: usize = tableSines + (integralPointsMax << 3);
export const tableRows: usize = tableWeights + (integralPointsMax << 3);
const tableHeadBytes: usize = tableRows;

/** Bytes of a scheme's table. */
// @ts-ignore: decorator
@inline
function tableBytes(degree: usize, points: usize): usize {
  return tableHeadBytes + ((degree * degree * points) << 3);
}

const tableFast: usize = 0;
const tableAccurate: usize = tableFast + tableHeadBytes + ((6 * 6 * 8) << 3);
const tableReference: usize = tableAccurate + tableHeadBytes + ((12 * 12 * 16) << 3);
const tablesBytes: usize = tableReference + tableHeadBytes + ((24 * 24 * 32) << 3);

/** Where a scheme's table begins. */
// @ts-ignore: decorator
@inline
export function tableOf(room: usize, scheme: i32): usize {
  return room + (scheme == schemeFast ? tableFast : scheme == schemeAccurate ? tableAccurate : tableReference);
}

// Space for one solution.
const vectorBytes: usize = 32 << 3;
/** The equations' matrix, by rows; after a solution its factors. */
export const solveMatrix: usize = tablesBytes;
export const solveResidual: usize = solveMatrix + ((degreeMax * degreeMax) << 3);
/** Right-hand sides of the sensitivities, in volatility, rate and yield. */
export const solveSides: usize = solveResidual + vectorBytes;
export const solveSquares: usize = solveSides + 3 * vectorBytes;
/** What of a row's points does not change from one pass to the next: three columns of degree · points. */
export const solveInverse: usize = solveSquares + vectorBytes;
const solveColumnBytes: usize = (degreeMax * integralPointsMax) << 3;
export const solveDrift: usize = solveInverse + solveColumnBytes;
export const solveWeight: usize = solveDrift + solveColumnBytes;
/** A row's derivative in each of its points. */
export const solveSlopes: usize = solveWeight + solveColumnBytes;
export const solvePivots: usize = solveSlopes + vectorBytes;
const solveEnd: usize = solvePivots + vectorBytes;
export const sideBytes: usize = vectorBytes;

// A curve: one exercise boundary up to a horizon, over a strike of 1.
export const curveState: usize = 0; // i32: 0 none, 1 solved, 2 not to be had
export const curveScheme: usize = 4; // i32: the scheme it was solved by, the asked one or a finer
export const curveHorizon: usize = 8; // f64: the time it reaches
export const curveLogStart: usize = 16; // f64: logarithm of the boundary at no time left
export const curveSign: usize = 24; // f64: -1 where it falls with time (the upper one), 1 where it rises
export const curveGrading: usize = 32; // f64: grading of its roots of time
export const curveHasTangents: usize = 40; // i32
export const curvePointsKey: usize = 48; // f64: grading of the points held below, -1 without any
export const curvePointsCount: usize = 56; // i32
export const curvePointsTangents: usize = 60; // i32: whether the points hold sensitivities too
export const curvePointsTime: usize = 64; // f64, f64: the time to expiry they are for, and the time of the curve's own end
export const curveValues: usize = 80; // |ln(boundary/start)| at the degree + 1 roots
export const curveTangents: usize = curveValues + vectorBytes; // its derivatives in volatility, rate, yield
export const curvePoints: usize = curveTangents + 3 * vectorBytes; // columns of points
export const pointColumnBytes: usize = pricePointsMax << 3;
export const pointColumns: usize = 12;
const curveBytes: usize = curvePoints + pointColumns * pointColumnBytes;

// A memory: for which option the curves are, and the curves.
export const memoryRate: usize = 0;
export const memoryYield: usize = 8;
export const memoryVolatility: usize = 16;
export const memoryTime: usize = 24;
export const memoryScheme: usize = 32; // i32
export const memoryKind: usize = 36; // i32: 0 nothing held, else see the kinds
export const memoryMeeting: usize = 40; // f64: the time at which two curves meet
export const memoryUpper: usize = 64;
export const memoryLower: usize = memoryUpper + curveBytes;
export const memoryBytes: usize = memoryLower + curveBytes;

/** Kinds: nothing to exercise for; one boundary; two; none found. */
export const kindEuropean: i32 = 1;
export const kindSingle: i32 = 2;
export const kindDouble: i32 = 3;
export const kindFailed: i32 = 4;

/** Memories: of puts (0), of calls (1), and two for volatilities beside the asked one. */
export const memories: usize = 4;

/** A memory by its index. */
// @ts-ignore: decorator
@inline
export function memoryOf(room: usize, index: usize): usize {
  return room + solveEnd + index * memoryBytes;
}

/** Values of one row, raw: by output id, then those of a neighbour. */
export const rowValues: usize = solveEnd + memories * memoryBytes;
export const neighbourValues: usize = rowValues + (32 << 3);
export const roomEnd: usize = neighbourValues + (32 << 3);

/** That the room is large enough; known when the module is compiled. What it remembers stays from one batch to the next: fresh memory holds nothing. */
// @ts-ignore: decorator
@inline
export function checkRoom(): void {
  if (roomEnd > americanBytes) unreachable();
}
