/**
 * Errors that cross rooms: the world failed, and the caller has to know how. Each has a stable `code`; facts
 * are in the message and `cause`. Expected outcomes are returned unions, bugs are InvariantError.
 */

/** A bound was reached (memory, queue, disk water mark): nothing happened, try again later. */
export class BusyError extends Error {
  readonly code = "BUSY";
  override readonly name = "BusyError";
}

/** Commands that have to take effect together do not fit together: nothing happened, nor ever will. */
export class TooLargeError extends Error {
  readonly code = "TOO_LARGE";
  override readonly name = "TooLargeError";
}

/** The proposal may or may not take effect; only a later read can tell. */
export class UnknownOutcomeError extends Error {
  readonly code = "OUTCOME_UNKNOWN";
  override readonly name = "UnknownOutcomeError";
}

/** Bytes at rest are not what their checksum says, or not where a row says they are. */
export class DamageError extends Error {
  readonly code = "DAMAGED";
  override readonly name = "DamageError";
}

/** This node does not serve (any more): it is stopping, or found something broken. */
export class UnavailableError extends Error {
  readonly code = "UNAVAILABLE";
  override readonly name = "UnavailableError";
}

/** What a message about damaged files offers beside mending them. */
export const OR_SALVAGE = "or start with --salvage to read what is left";

/** The store refuses to start; the message says what is wrong and how to mend it. */
export class RefusedError extends Error {
  readonly code = "REFUSED_TO_START";
  override readonly name = "RefusedError";
}
