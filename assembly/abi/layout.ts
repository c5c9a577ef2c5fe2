// How a request crosses from the host into the island: one block of numbers at an address the host chooses.
// Separate so that the host (src/engine/abi.ts mirrors it) and every batch read the same offsets; `abiVersion` changes when
// they do. Columns are doubles in row order, option types are bytes (0 put, else call), statuses are 32-bit integers.
// Nothing here computes, allocates or knows a model's formulas.

/** Raised with every change of offsets, ids or meanings. */
export const abiVersion: i32 = 2;

/** Rows worked on at once: intermediates of a tile stay in the first-level cache. */
export const tileRows: usize = 128;
/** Bytes of one column of intermediates. */
export const tileBytes: usize = tileRows << 3;
/** Input and output columns a request has room for. */
export const inputsMax: usize = 16;
export const outputsMax: usize = 32;
/** Columns of a tile's width in the scratch: one per input (broadcast values), then the intermediates, then option types. */
export const scratchColumns: usize = 48;
/** Where the American model's room begins in the scratch, and its bytes (models/american-room.ts divides it). */
export const americanOffset: usize = scratchColumns * tileBytes;
export const americanBytes: usize = 860_160;
/** Where the Heston model's room begins, and its bytes (models/heston-room.ts). */
export const hestonOffset: usize = americanOffset + americanBytes;
export const hestonBytes: usize = 98_816;
/** Where simulations work, and its bytes (models/monte-carlo.ts); nothing there outlives a row. */
export const monteCarloOffset: usize = hestonOffset + hestonBytes;
export const monteCarloBytes: usize = 272_384;
/**
 * Where finite differences keep their grid (models/finite-difference-room.ts divides it): where simulations work, which remember nothing
 * either; the American model's and Heston's rooms do.
 */
export const finiteDifferenceOffset: usize = monteCarloOffset;
export const finiteDifferenceBytes: usize = 106_496;
/** Where approximations and trees work (batch/approximation.ts, batch/binomial.ts divide it): there too. */
export const approximationOffset: usize = monteCarloOffset;
export const approximationBytes: usize = 98_304;
/** Bytes of scratch a caller must give, the last those of the largest that work there; one scratch per thread, aligned to 16. */
export const scratchBytes: usize = monteCarloOffset + monteCarloBytes;
/** Bytes of a request block; aligned to 16. */
export const requestBytes: usize = 480;

// Offsets within the request block, in bytes.
export const modelOffset: usize = 0; // i32 model id
export const countOffset: usize = 4; // i32 rows
export const outputMaskOffset: usize = 8; // u32 bit per output id
export const broadcastMaskOffset: usize = 12; // u32 bit per input id: that column is one number, for every row
export const scratchOffset: usize = 16; // u32 address
export const isCallOffset: usize = 20; // u32 address of bytes
export const statusOffset: usize = 24; // u32 address of i32s
export const flagsOffset: usize = 28; // u32, see the flags
export const inputsOffset: usize = 32; // u32 address per input id
export const outputsOffset: usize = 96; // u32 address per output id
export const factorsOffset: usize = 224; // f64 per output id: raw values are multiplied by it

/** The option-type column is one byte, for every row. */
export const flagIsCallBroadcast: u32 = 1;
/** Implied volatility: an unattainable price gives 0 instead of null. */
export const flagUnattainableIsZero: u32 = 2;

// Input ids. A forward takes the spot's place and a foreign rate the dividend yield's: a model has one or the other. `price`
// stands in for volatility where the volatility is asked for.
export const inputSpot: usize = 0;
export const inputStrike: usize = 1;
export const inputTimeToExpiry: usize = 2;
export const inputRate: usize = 3;
export const inputDividendYield: usize = 4;
export const inputVolatility: usize = 5;
export const inputPrice: usize = 6;
export const inputDisplacement: usize = 7;
export const inputScheme: usize = 8;
// Of digital, barrier, lookback and Asian options.
export const inputPayoff: usize = 9;
export const inputCash: usize = 10;
export const inputGapStrike: usize = 11;
export const inputBarrierType: usize = 12;
export const inputBarrier: usize = 13;
export const inputUpperBarrier: usize = 14;
export const inputMonitoringInterval: usize = 15;
export const inputRebate: usize = 9;
export const inputWindowStart: usize = 10;
export const inputWindowEnd: usize = 11;
export const inputStrikeType: usize = 9;
export const inputExtremeSoFar: usize = 13;
export const inputAverage: usize = 11;
export const inputAveragingStart: usize = 7;
export const inputAverageSoFar: usize = 8;
export const inputMethod: usize = 14;
// From 9 on a model's own: two inputs that no model has both share an id.
export const inputJumpIntensity: usize = 9;
export const inputJumpMean: usize = 10;
export const inputJumpVolatility: usize = 11;
export const inputV0: usize = 9;
export const inputKappa: usize = 10;
export const inputLongVariance: usize = 11;
export const inputVolOfVol: usize = 12;
export const inputCorrelation: usize = 13;
export const inputInitialVolatility: usize = 9;
export const inputBeta: usize = 10;
export const inputSteps: usize = 10;
export const inputExercise: usize = 11;
export const inputPaths: usize = 12;
export const inputSeed: usize = 13;
export const inputSampling: usize = 14;
export const inputVarianceReduction: usize = 15;

// Inputs that are lists: a row's number is the address of its list, 0 that of an empty one.
export const inputDiscreteDividends: usize = 9;
export const inputFixings: usize = 10;

// Of models that are solved over a grid of time and price.
export const inputSpaceSteps: usize = 12;
export const inputTimeSteps: usize = 13;
// Of binomial trees, beside `inputSteps` and `inputExercise`.
export const inputTree: usize = 9;
export const inputSmoothing: usize = 12;
export const inputExtrapolation: usize = 13;

// Output ids.
export const outputPrice: usize = 0;
export const outputDelta: usize = 1;
export const outputGamma: usize = 2;
export const outputVega: usize = 3;
export const outputTheta: usize = 4;
export const outputRho: usize = 5;
export const outputDividendRho: usize = 6;
export const outputVanna: usize = 7;
export const outputVolga: usize = 8;
export const outputCharm: usize = 9;
export const outputVeta: usize = 10;
export const outputSpeed: usize = 11;
export const outputZomma: usize = 12;
export const outputColor: usize = 13;
export const outputUltima: usize = 14;
export const outputDualDelta: usize = 15;
export const outputDualGamma: usize = 16;
export const outputLambda: usize = 17;
export const outputEarlyExercisePremium: usize = 18;
export const outputExerciseBoundary: usize = 19;
export const outputBlackVolatility: usize = 20;
export const outputStandardError: usize = 21;
export const outputImpliedVolatility: usize = 30;
export const outputAttainableError: usize = 31;

/** The one NaN that stands for null: wasm fixes neither sign nor payload of a computed one. */
export const nullBits: u64 = 0x7ff8000000000000;

// @ts-ignore: decorator
@inline
export function inputAddress(request: usize, input: usize): usize {
  return <usize>load<u32>(request + inputsOffset + (input << 2));
}

// @ts-ignore: decorator
@inline
export function outputAddress(request: usize, output: usize): usize {
  return <usize>load<u32>(request + outputsOffset + (output << 2));
}

// @ts-ignore: decorator
@inline
export function isBroadcast(request: usize, input: usize): bool {
  return (load<u32>(request, broadcastMaskOffset) & (1 << <u32>input)) != 0;
}

/** How many numbers the list at an address holds. */
// @ts-ignore: decorator
@inline
export function listLength(list: usize): usize {
  return list == 0 ? 0 : <usize>load<f64>(list);
}

/** Address of the first number of the list at an address; the others follow. */
// @ts-ignore: decorator
@inline
export function listNumbers(list: usize): usize {
  return list + 8;
}

// @ts-ignore: decorator
@inline
export function isRequested(mask: u32, output: usize): bool {
  return (mask & (1 << <u32>output)) != 0;
}

/** The address of a column of intermediates (0-based, after the input columns) within a scratch. */
// @ts-ignore: decorator
@inline
export function intermediate(scratch: usize, index: usize): usize {
  return scratch + (inputsMax + index) * tileBytes;
}

/** Where a broadcast input's value is repeated across a tile. */
// @ts-ignore: decorator
@inline
export function broadcastColumn(scratch: usize, input: usize): usize {
  return scratch + input * tileBytes;
}

/** Where a broadcast option type is repeated across a tile. */
// @ts-ignore: decorator
@inline
export function broadcastIsCall(scratch: usize): usize {
  return scratch + (scratchColumns - 1) * tileBytes;
}
