/** The ReplicatedLog of a node that takes no writes: every proposal is refused, and nothing has happened. */
import { UnavailableError } from "../base/errors.ts";
import type { LogIndex } from "../base/units.ts";
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import type { Chunk, Command, CommandResult } from "../state/command.ts";
import { READ_ONLY } from "./salvage-report.ts";

export class ReadOnlyLog implements ReplicatedLog<Command, Chunk, CommandResult> {
  readonly appliedIndex: LogIndex;
  /** Of what is served; nothing else is known to be committed. */
  readonly commitIndex: LogIndex;
  readonly term: number;
  readonly failure = undefined;

  constructor(state: { readonly appliedIndex: LogIndex; readonly term: number }) {
    this.appliedIndex = state.appliedIndex;
    this.commitIndex = state.appliedIndex;
    this.term = state.term;
  }

  propose(): Promise<never> {
    return Promise.reject(new UnavailableError(READ_ONLY));
  }

  proposeTogether(): Promise<never> {
    return Promise.reject(new UnavailableError(READ_ONLY));
  }

  proposeChunk(): Promise<never> {
    return Promise.reject(new UnavailableError(READ_ONLY));
  }

  readBarrier(): undefined {
    return undefined;
  }
}
