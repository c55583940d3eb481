/**
 * Proposals that wait for the next log batch: bounded in number and bytes, in two lanes. Chunks of streamed
 * bodies and what names them keep their order in one, everything else in the other, and entries are taken
 * from both in turn: a large upload does not stand in the way of small writes, nor they in its way. Single
 * commands that stand next to each other become one entry; a group stays one entry of its own.
 */
import { BusyError } from "../base/errors.ts";
import type { Chunk, Command, CommandResult } from "../state/command.ts";

/** What one caller wants, with the way to answer it. */
export type Proposal = {
  /** At least one; several for a group. None for a chunk, or for the end of a segment. */
  readonly commands: readonly Command[];
  readonly chunk: Chunk | undefined;
  readonly bytes: number;
  readonly group: boolean;
  /** It names or gives up a streamed body, whose chunks have to come first. */
  readonly followsBodies: boolean;
  /** It ends the open segment, in an entry of its own. */
  readonly seals: boolean;
  readonly resolve: (results: readonly CommandResult[]) => void;
  readonly reject: (error: unknown) => void;
};

/** First come, first served. */
class Lane {
  #items: Proposal[] = [];
  #taken = 0;

  get length(): number {
    return this.#items.length - this.#taken;
  }

  get first(): Proposal | undefined {
    return this.#items[this.#taken];
  }

  push(proposal: Proposal): void {
    this.#items.push(proposal);
  }

  /** What stands alone, or up to `countMax` single commands of `bytesMax` bytes together (one at least). */
  takeEntry(countMax: number, bytesMax: number): readonly Proposal[] {
    const start = this.#taken;
    let end = start;
    let bytes = 0;
    for (; end < this.#items.length; end++) {
      const item = this.#items[end] as Proposal;
      const alone = item.group || item.chunk !== undefined || item.seals;
      if (end > start && (alone || end - start >= countMax || bytes + item.bytes > bytesMax)) break;
      bytes += item.bytes;
      if (alone) {
        end++;
        break;
      }
    }
    const entry = this.#items.slice(start, end);
    this.#taken = end;
    if (this.#taken > 1024 || this.#taken === this.#items.length) {
      this.#items = this.#items.slice(this.#taken);
      this.#taken = 0;
    }
    return entry;
  }

  takeAll(): readonly Proposal[] {
    const items = this.#items.slice(this.#taken);
    this.#items = [];
    this.#taken = 0;
    return items;
  }
}

export class ProposalQueue {
  readonly #countMax: number;
  readonly #bytesMax: number;
  readonly #bodies = new Lane();
  readonly #others = new Lane();
  #lastTaken = this.#bodies;
  #bytes = 0;

  constructor(bounds: { readonly countMax: number; readonly bytesMax: number }) {
    this.#countMax = bounds.countMax;
    this.#bytesMax = bounds.bytesMax;
  }

  get length(): number {
    return this.#bodies.length + this.#others.length;
  }

  /** Whether something waits beside chunks and what follows them. */
  get othersWait(): boolean {
    return this.#others.length > 0;
  }

  push(proposal: Proposal): void {
    const { length } = this;
    // The first one is always taken, however large: otherwise it could never be.
    if (length >= this.#countMax || (length > 0 && this.#bytes + proposal.bytes > this.#bytesMax)) {
      throw new BusyError(`${length} writes with ${this.#bytes} bytes wait already`);
    }
    this.#bytes += proposal.bytes;
    const toBodies = proposal.chunk !== undefined || proposal.followsBodies;
    (toBodies ? this.#bodies : this.#others).push(proposal);
  }

  /**
   * The proposals of the next entry: a chunk, a group, a seal, or up to `countMax` single commands of
   * `bytesMax` bytes together (one at least). From the lanes in turn, if both have something that may go; a
   * chunk of more than `chunkBytesMax` may not. Empty if nothing may.
   */
  takeEntry(
    countMax: number,
    bytesMax: number,
    { chunkBytesMax }: { readonly chunkBytesMax: number } = { chunkBytesMax: Infinity },
  ): readonly Proposal[] {
    const body = this.#bodies.first;
    const bodiesMayGo = body !== undefined && (body.chunk === undefined || body.bytes <= chunkBytesMax);
    const othersGo = this.othersWait && (this.#lastTaken === this.#bodies || !bodiesMayGo);
    if (!othersGo && !bodiesMayGo) return [];
    const lane = othersGo ? this.#others : this.#bodies;
    const entry = lane.takeEntry(countMax, bytesMax);
    this.#lastTaken = lane;
    for (const { bytes } of entry) this.#bytes -= bytes;
    return entry;
  }

  rejectAll(error: unknown): void {
    for (const lane of [this.#bodies, this.#others]) {
      for (const proposal of lane.takeAll()) proposal.reject(error);
    }
    this.#bytes = 0;
  }
}
