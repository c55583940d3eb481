/**
 * The order of everything that changes: proposals go in, each is applied once, at one place in the order, and
 * its result comes back. Built-in Raft stands behind it; another source of order could.
 */
import type { LogIndex } from "../base/units.ts";

export interface ReplicatedLog<Command, Chunk, Result> {
  /**
   * Resolves when the command is stable on a quorum and applied. Rejects with BusyError (nothing happened),
   * UnknownOutcomeError (it may have happened) or UnavailableError.
   */
  propose(command: Command): Promise<Result>;
  /** All in one entry, in order; one result each. */
  proposeTogether(commands: readonly Command[]): Promise<readonly Result[]>;
  /**
   * A piece of a body that no row names yet. Proposals of one caller are applied in the order of the calls.
   * The chunk's bytes are looked at until it is answered and never again: their memory may then be freed.
   */
  proposeChunk(chunk: Chunk): Promise<Result>;
  /** Everything acknowledged before the call is applied when it returns (Raft paper, section 8). */
  readBarrier(): Promise<void> | undefined;
  readonly appliedIndex: LogIndex;
}
