/**
 * Proposals that wait for the next log batch: bounded in number and bytes, first come first served. Single
 * commands that stand next to each other become one entry; a group stays one entry of its own.
 */
import { BusyError } from "../base/errors.ts";
import type { Chunk, Command, CommandResult } from "../state/command.ts";

/** What one caller wants, with the way to answer it. */
export type Proposal = {
  /** At least one; several for a group. Empty for a chunk. */
  readonly commands: readonly Command[];
  readonly chunk: Chunk | undefined;
  readonly bytes: number;
  readonly group: boolean;
  readonly resolve: (results: readonly CommandResult[]) => void;
  readonly reject: (error: unknown) => void;
};

export class ProposalQueue {
  readonly #countMax: number;
  readonly #bytesMax: number;
  #items: Proposal[] = [];
  #taken = 0;
  #bytes = 0;

  constructor(bounds: { readonly countMax: number; readonly bytesMax: number }) {
    this.#countMax = bounds.countMax;
    this.#bytesMax = bounds.bytesMax;
  }

  get length(): number {
    return this.#items.length - this.#taken;
  }

  push(proposal: Proposal): void {
    const { length } = this;
    // The first one is always taken, however large: otherwise it could never be.
    if (length >= this.#countMax || (length > 0 && this.#bytes + proposal.bytes > this.#bytesMax)) {
      throw new BusyError(`${length} writes with ${this.#bytes} bytes wait already`);
    }
    this.#bytes += proposal.bytes;
    this.#items.push(proposal);
  }

  /**
   * The proposals of the next entry: a chunk, a group, or up to `countMax` single commands of `bytesMax`
   * bytes together (one at least).
   */
  takeEntry(countMax: number, bytesMax: number): readonly Proposal[] {
    const start = this.#taken;
    let end = start;
    let bytes = 0;
    for (; end < this.#items.length; end++) {
      const item = this.#items[end] as Proposal;
      const alone = item.group || item.chunk !== undefined;
      if (end > start && (alone || end - start >= countMax || bytes + item.bytes > bytesMax)) break;
      bytes += item.bytes;
      if (alone) {
        end++;
        break;
      }
    }
    const entry = this.#items.slice(start, end);
    this.#taken = end;
    this.#bytes -= bytes;
    if (this.#taken > 1024 || this.#taken === this.#items.length) {
      this.#items = this.#items.slice(this.#taken);
      this.#taken = 0;
    }
    return entry;
  }

  rejectAll(error: unknown): void {
    for (const item of this.#items.slice(this.#taken)) item.reject(error);
    this.#items = [];
    this.#taken = 0;
    this.#bytes = 0;
  }
}
