// Assertions are for our own mistakes: one condition each, the value in the message.
// A user's mistake is a BsoptError instead. An assertion is never switched off.

/** A broken invariant: a mistake in this program, never in its input. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Throws InvariantError unless the condition holds. Put the offending value in the message. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Ends an exhaustive switch: the compiler refuses a missing case, and a foreign value stops here. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable value ${JSON.stringify(value)}`);
}
