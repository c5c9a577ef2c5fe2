// The status of a row. Part of the public contract: a code never changes its meaning.
// Separate so that batches, the implied volatility and the host name the same numbers. 1 to 3 come with limit values;
// from 10 on every output of the row is null.

export const statusOk: i32 = 0;
export const statusExpired: i32 = 1;
export const statusZeroVolatility: i32 = 2;
export const statusZeroUnderlying: i32 = 3;
export const statusBelowIntrinsic: i32 = 10;
export const statusAboveMaximum: i32 = 11;
export const statusNotConverged: i32 = 12;
export const statusNonFinite: i32 = 20;
export const statusOutOfDomain: i32 = 21;
export const statusUnsupportedOutput: i32 = 22;
