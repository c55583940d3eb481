/**
 * The live bytes of a few segments, gathered from every row of the index while a snapshot of it is written.
 * They are complete when their sum is what the segment table counts in that very snapshot; only then may
 * anybody drop the rest.
 */
import { lengthOf, namedBytes } from "../state/named-bytes.ts";
import type { NamedBytes } from "../state/named-bytes.ts";
import type { SegmentTable } from "../state/segment-table.ts";

/** Over all segments together: some twenty megabytes. */
const PIECES_MAX = 200_000;

export type FoundPieces = {
  readonly id: number;
  readonly pieces: readonly NamedBytes[];
  readonly liveBytes: number;
};

export class LivePieces {
  readonly #segments: SegmentTable;
  readonly #wanted: Map<number, NamedBytes[]>;
  #count = 0;

  constructor(segments: SegmentTable, ids: readonly number[]) {
    this.#segments = segments;
    this.#wanted = new Map(ids.map((id) => [id, []]));
  }

  /** To be told of every row. */
  visit(key: string, value: Uint8Array): void {
    if (this.#wanted.size === 0) return;
    for (const named of namedBytes(key, value)) {
      const segment = this.#segments.find(named.index);
      const pieces = segment && this.#wanted.get(segment.id);
      if (pieces === undefined) continue;
      pieces.push(named);
      if (++this.#count > PIECES_MAX) this.#giveUpOne();
    }
  }

  /** The segment that was wanted least. */
  #giveUpOne(): void {
    const last = [...this.#wanted].at(-1);
    if (last === undefined) return;
    this.#wanted.delete(last[0]);
    this.#count -= last[1].length;
  }

  /** All of them with their sum, in the order of `ids`. */
  *found(): Generator<FoundPieces> {
    for (const [id, pieces] of this.#wanted) {
      let liveBytes = 0;
      for (const piece of pieces) liveBytes += lengthOf(piece);
      yield { id, pieces, liveBytes };
    }
  }
}
