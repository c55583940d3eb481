/**
 * The segment table: which run of log indexes lies in which segment, and how many body bytes in it are still
 * named by a row. In memory as a whole (61,000 segments hold a billion small objects), written through to its
 * rows at the end of each entry.
 */
import { assert } from "../base/assert.ts";
import { ranges, keys } from "./keys.ts";
import { rows } from "./rows.ts";
import type { SegmentRow } from "./rows.ts";
import type { StateView } from "./view.ts";

export type SegmentEntry = { readonly id: number } & {
  -readonly [Field in keyof SegmentRow]: SegmentRow[Field];
};

/** Where an entry lies, as the log tells it; the same on every replica. */
export type EntryPosition = {
  readonly index: number;
  readonly segmentId: number;
  /** From the start of the segment file. */
  readonly recordOffset: number;
  readonly payloadOffset: number;
  /** Bytes of the segment after this entry. */
  readonly segmentBytes: number;
  /** Whether the segment ends with this entry. */
  readonly cut: boolean;
  readonly chain: { readonly low: number; readonly high: number };
};

export function segmentOfRow(key: string, bytes: Uint8Array): SegmentEntry {
  const id = Number.parseInt(key.slice(ranges.segments.from.length), 36);
  return { id, ...rows.segment.decode(bytes) };
}

export class SegmentTable {
  readonly #segments: SegmentEntry[] = [];
  readonly #dirty = new Set<SegmentEntry>();

  /** Takes a row that was read at open, in order of the ids. */
  load(key: string, bytes: Uint8Array): void {
    const segment = segmentOfRow(key, bytes);
    const count = this.#segments.length;
    assert(segment.id === count + 1, `segment row ${segment.id} follows ${count} others`);
    this.#segments.push(segment);
  }

  get all(): readonly SegmentEntry[] {
    return this.#segments;
  }

  /** The open segment grows by an entry, or a new one starts. */
  append(position: EntryPosition): void {
    let last = this.#segments.at(-1);
    if (last === undefined || last.cut) {
      last = {
        id: this.#segments.length + 1,
        firstIndex: position.index,
        bytes: 0,
        entries: 0,
        liveBytes: 0,
        cut: false,
        chainLow: 0,
        chainHigh: 0,
      };
      this.#segments.push(last);
    }
    assert(
      last.id === position.segmentId,
      `state is in segment ${last.id}, the log in ${position.segmentId}`,
    );
    const next = last.firstIndex + last.entries;
    assert(next === position.index, `entry ${position.index} where ${next} is due`);
    assert(
      last.bytes <= position.recordOffset,
      `a record at ${position.recordOffset} overlaps its neighbour`,
    );
    last.entries++;
    last.bytes = position.segmentBytes;
    last.cut = position.cut;
    last.chainLow = position.chain.low;
    last.chainHigh = position.chain.high;
    this.#dirty.add(last);
  }

  /** Body bytes of entry `index` begin (positive) or cease (negative) to be named. */
  addLive(index: number, bytes: number): void {
    if (bytes === 0) return;
    const segment = this.find(index);
    assert(segment !== undefined, `no segment holds entry ${index}`);
    segment.liveBytes += bytes;
    assert(segment.liveBytes >= 0, `segment ${segment.id} has ${segment.liveBytes} live bytes`);
    this.#dirty.add(segment);
  }

  /** The segment that holds entry `index`. */
  find(index: number): SegmentEntry | undefined {
    let low = 0;
    let high = this.#segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#segments[middle] as SegmentEntry).firstIndex <= index) low = middle;
      else high = middle - 1;
    }
    const found = this.#segments[low];
    if (found === undefined || index < found.firstIndex || index >= found.firstIndex + found.entries) {
      return undefined;
    }
    return found;
  }

  writeDirty(view: StateView): void {
    for (const { id, ...row } of this.#dirty) view.put(keys.segment(id), rows.segment.encode(row));
    this.#dirty.clear();
  }
}
