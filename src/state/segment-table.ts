/**
 * The segment table: which run of log indexes lies in which segment, and how many body bytes in it are still
 * named by a row. In memory as a whole (61,000 segments hold a billion small objects), written through to its
 * rows at the end of each entry. Segments that are gone leave no row behind; the next one that is there says
 * how many they were, so that a row which is merely lost is still noticed.
 */
import { assert } from "../base/assert.ts";
import { ranges, keys } from "./keys.ts";
import { rows } from "./rows.ts";
import type { ColdCopy, SegmentRow } from "./rows.ts";
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

/** Of an entry: log time, and what users see. */
export type EntryTime = { readonly timeMs: number; readonly dateMs: number };

export function segmentOfRow(key: string, bytes: Uint8Array): SegmentEntry {
  const id = Number.parseInt(key.slice(ranges.segments.from.length), 36);
  return { id, ...rows.segment.decode(bytes) };
}

/** The id that has to be that of the row behind the one of `before` (0 if there is none). */
export function dueId(before: number, segment: Pick<SegmentEntry, "droppedBefore">): number {
  return before + (segment.droppedBefore ?? 0) + 1;
}

/** The one with this id, in a list that is sorted by it. */
export function segmentById<Segment extends { readonly id: number }>(
  segments: readonly Segment[],
  id: number,
): Segment | undefined {
  const found = segments[lastAtMost(segments, id, (segment) => segment.id)];
  return found?.id === id ? found : undefined;
}

/** Where the last item stands whose value is not above `limit`: 0 if there is none. */
function lastAtMost<Item>(items: readonly Item[], limit: number, valueOf: (item: Item) => number): number {
  let low = 0;
  let high = items.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (valueOf(items[middle] as Item) <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}

export class SegmentTable {
  #segments: SegmentEntry[] = [];
  readonly #dirty = new Set<SegmentEntry>();
  #dropped: number[] = [];

  /** Takes a row that was read at open, in order of the ids. */
  load(key: string, bytes: Uint8Array): void {
    const segment = segmentOfRow(key, bytes);
    const due = dueId(this.#segments.at(-1)?.id ?? 0, segment);
    assert(segment.id === due, `segment row ${segment.id} stands where ${due} is due`);
    this.#segments.push(segment);
  }

  get all(): readonly SegmentEntry[] {
    return this.#segments;
  }

  /** The open segment grows by an entry, or a new one starts. */
  append(position: EntryPosition, time: () => EntryTime): void {
    let last = this.#segments.at(-1);
    if (last === undefined || last.cut) {
      last = {
        id: (last?.id ?? 0) + 1,
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
    if (position.cut) last.ended = time();
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

  byId(id: number): SegmentEntry | undefined {
    return segmentById(this.#segments, id);
  }

  setCold(segment: SegmentEntry, copy: ColdCopy): void {
    segment.cold = copy;
    this.#dirty.add(segment);
  }

  /** The segment that holds entry `index`. */
  find(index: number): SegmentEntry | undefined {
    const found = this.#segments[lastAtMost(this.#segments, index, ({ firstIndex }) => firstIndex)];
    if (found === undefined || index < found.firstIndex || index >= found.firstIndex + found.entries) {
      return undefined;
    }
    return found;
  }

  /** Those of them that are cut and dead; the last one stays, because the log goes on from it. */
  drop(ids: readonly number[]): readonly SegmentEntry[] {
    const doomed = new Set(ids);
    const last = this.#segments.at(-1);
    const kept: SegmentEntry[] = [];
    const gone: SegmentEntry[] = [];
    let dropped = 0;
    for (const segment of this.#segments) {
      if (doomed.has(segment.id) && segment.cut && segment.liveBytes === 0 && segment !== last) {
        dropped += 1 + (segment.droppedBefore ?? 0);
        gone.push(segment);
        this.#dropped.push(segment.id);
        this.#dirty.delete(segment);
        continue;
      }
      if (dropped > 0) {
        const { chainLow: low, chainHigh: high } = gone.at(-1) as SegmentEntry;
        // Of the one right before it: if that went earlier, its value is here already.
        if (segment.droppedBefore === undefined) segment.chainBefore = { low, high };
        segment.droppedBefore = (segment.droppedBefore ?? 0) + dropped;
        this.#dirty.add(segment);
        dropped = 0;
      }
      kept.push(segment);
    }
    this.#segments = kept;
    return gone;
  }

  writeDirty(view: StateView): void {
    for (const id of this.#dropped) view.delete(keys.segment(id));
    this.#dropped = [];
    for (const { id, ...row } of this.#dirty) view.put(keys.segment(id), rows.segment.encode(row));
    this.#dirty.clear();
  }
}
