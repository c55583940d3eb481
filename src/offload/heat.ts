/**
 * How warm each segment is: the number of its reads, of which a half-life later half are forgotten. It is
 * this node's own guess and never reaches the state.
 *
 * Nothing is aged by itself. A read now counts for more than one an hour ago by a factor that only depends on
 * the time, so counts are kept as if at one moment, `#sinceMs`, and a read is one addition; when the factor
 * becomes large that moment is moved. Memory is bounded: of too many segments the coldest half is forgotten,
 * and whoever is not known is cold.
 */
import { assert } from "../base/assert.ts";

export type HeatOptions = {
  readonly halfLifeMs: number;
  /** Segments that are remembered. */
  readonly segmentsMax: number;
};

/** Doublings of the factor before all counts are brought down: far from the end of a double's range. */
const DOUBLINGS_MAX = 256;
/** Cold by any measure: not worth its memory. */
const FORGOTTEN = 1e-9;

export class SegmentHeat {
  readonly #options: HeatOptions;
  /** By segment, in reads at `#sinceMs`. */
  #counts = new Map<number, number>();
  #sinceMs = 0;
  #nowMs = 0;
  #factor = 1;

  constructor(options: HeatOptions) {
    assert(options.halfLifeMs > 0 && options.segmentsMax >= 2, "heat without a half-life or any memory");
    this.#options = options;
  }

  get size(): number {
    return this.#counts.size;
  }

  /** A body of the segment was read. `nowMs` is monotonic; if it is not, the read counts as of before. */
  touch(segmentId: number, nowMs: number, reads = 1): void {
    if (nowMs > this.#nowMs) this.#moveTo(nowMs);
    const count = this.#counts.get(segmentId);
    this.#counts.set(segmentId, (count ?? 0) + reads * this.#factor);
    if (count === undefined && this.#counts.size > this.#options.segmentsMax) this.#forgetColdest();
  }

  /** Reads that still count; 0 for a segment that is not known. */
  heatOf(segmentId: number, nowMs: number): number {
    const count = this.#counts.get(segmentId);
    if (count === undefined) return 0;
    return count / this.#factorAt(Math.max(nowMs, this.#nowMs));
  }

  /** The segment is gone. */
  forget(segmentId: number): void {
    this.#counts.delete(segmentId);
  }

  #moveTo(nowMs: number): void {
    if ((nowMs - this.#sinceMs) / this.#options.halfLifeMs > DOUBLINGS_MAX) {
      const factor = this.#factorAt(nowMs);
      for (const [segmentId, count] of this.#counts) {
        const left = count / factor;
        if (left < FORGOTTEN) this.#counts.delete(segmentId);
        else this.#counts.set(segmentId, left);
      }
      this.#sinceMs = nowMs;
    }
    this.#nowMs = nowMs;
    this.#factor = this.#factorAt(nowMs);
  }

  #factorAt(nowMs: number): number {
    return 2 ** ((nowMs - this.#sinceMs) / this.#options.halfLifeMs);
  }

  /** Half of them at once, so that the sorting is paid once in that many new segments. */
  #forgetColdest(): void {
    const byHeat = [...this.#counts].toSorted(([a, one], [b, other]) => other - one || b - a);
    this.#counts = new Map(byHeat.slice(0, Math.ceil(this.#options.segmentsMax / 2)));
  }
}
