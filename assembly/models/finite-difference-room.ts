// Where finite differences keep their grid: columns of pairs of nodes, and lines of all nodes in order. Separate so that the solver, the
// readings off the grid and the batch name the same places. Addresses only; nothing is computed here. A room is a thread's own,
// `finiteDifferenceBytes` of its scratch; nothing in it outlives a row.
// Node i of 0..n (n odd) is in lane 0 of pair i in the lower half and in lane 1 of pair n - i in the upper: both halves are
// walked from their ends to the middle at once.
import { finiteDifferenceBytes, finiteDifferenceOffset, scratchOffset } from "../abi/layout";

/** Most intervals of space that can be asked for; one more where that is even, and one below the lowest node. */
export const spaceStepsMax: i32 = 1000;
const pairsMax: usize = 504;
const columnBytes: usize = pairsMax << 4;

// Columns of pairs.
export const pairNodes: usize = 0; // forward price at the node, over a strike of 1
export const pairOuter: usize = columnBytes; // what the neighbour away from the middle counts, per year and unit of variance
export const pairInner: usize = 2 * columnBytes; // the neighbour towards the middle
export const pairValues: usize = 3 * columnBytes; // undiscounted values
export const pairExercised: usize = 4 * columnBytes; // all bits where a node is exercised
export const pairFactor: usize = 5 * columnBytes; // of the elimination
export const pairInverse: usize = 6 * columnBytes;
export const pairBack: usize = 7 * columnBytes;
export const pairSteps: usize = 8 * columnBytes; // eliminated right-hand sides
export const pairRight: usize = 9 * columnBytes; // right-hand sides
export const pairPayoff: usize = 10 * columnBytes; // what exercising gives
/** Nodes and values in order. */
export const lineNodes: usize = 11 * columnBytes;
export const lineValues: usize = 12 * columnBytes;
/** Outputs of the row, raw, by id. */
export const rowValues: usize = 13 * columnBytes;
/** The same off a coarser grid. */
export const coarserValues: usize = rowValues + (32 << 3);
/** What is read off the grid in one point. */
export const pointRead: usize = coarserValues + (32 << 3);
export const pointValue: usize = 0;
export const pointSlope: usize = 8;
export const pointCurvature: usize = 16;
const roomEnd: usize = pointRead + 24;

/** Where the room of the thread that computes a request begins. */
// @ts-ignore: decorator
@inline
export function roomOf(request: usize): usize {
  return <usize>load<u32>(request, scratchOffset) + finiteDifferenceOffset;
}

/** That the room is large enough; known when the module is compiled. */
// @ts-ignore: decorator
@inline
export function checkRoom(): void {
  if (roomEnd > finiteDifferenceBytes) unreachable();
}
