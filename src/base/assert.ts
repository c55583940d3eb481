/**
 * Invariants, checked in production too: a broken one means the data on this node can no longer be trusted to
 * be what the log says (promise P9), so the error is of its own class and whoever catches everything else
 * must let this one end the process.
 */

export class InvariantError extends Error {
  readonly code = "INVARIANT_BROKEN";
  override readonly name = "InvariantError";
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Ends every switch over a closed union: a new member fails to compile until each switch knows it. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}
