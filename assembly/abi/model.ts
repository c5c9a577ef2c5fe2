// Which model a request asks for. Separate so that a new model is one row here, one file in models/ and one case in batch/.
// Ids are only ever added.

export const modelBlackScholesMerton: i32 = 0;
export const modelBlack76: i32 = 1;
export const modelGarmanKohlhagen: i32 = 2;
export const modelBachelier: i32 = 3;
export const modelDisplacedBlack: i32 = 4;
export const modelAmerican: i32 = 5;
export const modelBaroneAdesiWhaley: i32 = 6;
export const modelBjerksundStensland1993: i32 = 7;
export const modelBjerksundStensland2002: i32 = 8;
export const modelJuZhong: i32 = 9;
export const modelBinomial: i32 = 10;
export const modelFiniteDifference: i32 = 11;
export const modelDigital: i32 = 12;
export const modelBarrier: i32 = 13;
export const modelLookback: i32 = 14;
export const modelAsian: i32 = 15;
export const modelHeston: i32 = 16;
export const modelMertonJump: i32 = 17;
export const modelSabr: i32 = 18;
export const modelMonteCarlo: i32 = 19;
