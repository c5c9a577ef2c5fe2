// Giving way: long work is done in short steps, and between two of them everything that waits is served. Separate from the
// clock because no time passes here and a test must not have to move any.

/** Resolves once the event loop has looked after sockets, timers and messages; about a microsecond where nothing waits. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
