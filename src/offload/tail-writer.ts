/**
 * Keeps tails of the open segment in the bucket, so that a loss of every node costs seconds: what no tail
 * covers goes into a new one, together with the tails before it that are no larger than it has become. So a
 * segment has few of them, one request each time, and few bytes go twice.
 *
 * Tails hold applied entries only, and so committed ones (RULES.md R22). One that a larger one replaces, or
 * whose segment is in the bucket, is deleted a while later, since a listing may show it for so long without
 * showing what came instead. What a crash leaves of them the collector takes.
 */
import { assert } from "../base/assert.ts";
import { DamageError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import { finishInSteps } from "../base/steps.ts";
import type { Clock } from "../ports/clock.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import { RECORD_HEADER_BYTES, readRecordHeader, recordBytes } from "../segment/record.ts";
import { SEGMENT_HEAD_BYTES } from "../segment/segment-head.ts";
import { encodeTail } from "../segment/tail-format.ts";
import type { SegmentEntry } from "../state/segment-table.ts";
import { coldKey } from "./cold-names.ts";
import type { InFlight } from "./in-flight.ts";
import { lastOf } from "./tier-node.ts";
import type { TierNode } from "./tier-node.ts";
import type { TierHealth } from "./tier-health.ts";
import type { TierPace } from "./tier-pace.ts";
import { END_BYTES, verifyCopy, verifyRequests } from "./verify-copy.ts";
import type { VerifyMode } from "./verify-copy.ts";

/**
 * In memory as a whole. A quarter of a segment: one that is written within several recovery points costs a
 * few requests more, whatever the rate.
 */
const TAIL_BYTES_MAX = 16 * 1024 * 1024;
const DELETE_AFTER_MS = 60_000;
const DELETED_AT_ONCE = 100;

export type TailParts = {
  readonly node: TierNode;
  readonly store: ColdStore;
  readonly clock: Clock;
  readonly pace: TierPace;
  readonly inFlight: InFlight;
  readonly verify: VerifyMode;
  readonly health?: Pick<TierHealth, "kept"> | undefined;
};

/** The end of what is applied, while its segment is open. */
export type OpenEnd = {
  readonly segmentId: number;
  readonly firstIndex: number;
  readonly last: number;
  /** Of the segment file: behind the record of `last`. */
  readonly offset: number;
};

/** Entries `first` to `last` in an object, and where their records lie in the segment file. */
type Tail = {
  readonly key: string;
  readonly first: number;
  readonly last: number;
  readonly start: number;
  readonly end: number;
};

/** As of now; `undefined` if the last segment is cut. */
export function openEnd({ segments }: Pick<TierNode, "segments">): OpenEnd | undefined {
  const segment: SegmentEntry | undefined = segments.all.at(-1);
  if (segment === undefined || segment.cut) return undefined;
  const { id: segmentId, firstIndex, bytes: offset } = segment;
  return { segmentId, firstIndex, last: lastOf(segment), offset };
}

export class TailWriter {
  readonly #parts: TailParts;
  /** Restore points, which anybody may ask for, want tails too. */
  readonly #alone = new Semaphore(1);
  #segmentId = 0;
  /** Of that segment, from its first entry on, without a gap. */
  #tails: readonly Tail[] = [];
  #doomed: readonly { readonly key: string; readonly dueMs: number }[] = [];

  constructor(parts: TailParts) {
    this.#parts = parts;
  }

  /** The last entry that tails of this segment hold, from its first one on; 0 for none. */
  reachIn(segmentId: number): number {
    return segmentId === this.#segmentId ? (this.#tails.at(-1)?.last ?? 0) : 0;
  }

  get count(): number {
    return this.#tails.length;
  }

  /** When it returns, tails hold the segment from its first entry to this end, or it lies there itself. */
  async extend(end: OpenEnd, signal: AbortSignal): Promise<void> {
    await this.#alone.run(() => this.#extend(end, signal));
  }

  async #extend(end: OpenEnd, signal: AbortSignal): Promise<void> {
    if (this.#parts.node.segments.byId(end.segmentId)?.cold?.kind === "verbatim") return;
    if (end.segmentId !== this.#segmentId) this.#begin(end.segmentId);
    while (this.reachIn(end.segmentId) < end.last) {
      const { kept, replaced, from } = this.#choose(end);
      const tail = await this.#put(from, end, signal);
      this.#doom(replaced.map(({ key }) => key).filter((key) => key !== tail.key));
      this.#tails = [...kept, tail];
    }
  }

  /** Deletes what was replaced a while ago, and tails of a segment that lies in the bucket by now. */
  async tidy(signal: AbortSignal): Promise<void> {
    await this.#alone.run(() => this.#tidy(signal));
  }

  async #tidy(signal: AbortSignal): Promise<void> {
    const { clock, store, node } = this.#parts;
    if (node.segments.byId(this.#segmentId)?.cold !== undefined) this.#begin(0);
    const nowMs = clock.monotonicMs();
    const due = this.#doomed.filter(({ dueMs }) => dueMs <= nowMs).slice(0, DELETED_AT_ONCE);
    if (due.length === 0) return;
    await store.delete(
      due.map(({ key }) => key),
      { signal },
    );
    this.#doomed = this.#doomed.filter((doomed) => !due.includes(doomed));
  }

  #begin(segmentId: number): void {
    const before = this.#parts.node.segments.byId(this.#segmentId);
    // Where it is not in the bucket, they are all there is of it: the collector knows when they may go.
    if (before?.cold?.kind === "verbatim") this.#doom(this.#tails.map(({ key }) => key));
    this.#segmentId = segmentId;
    this.#tails = [];
  }

  #doom(keys: readonly string[]): void {
    const dueMs = this.#parts.clock.monotonicMs() + DELETE_AFTER_MS;
    this.#doomed = [...this.#doomed, ...keys.map((key) => ({ key, dueMs }))];
  }

  #choose({ firstIndex, offset: end }: OpenEnd): {
    readonly kept: readonly Tail[];
    readonly replaced: readonly Tail[];
    readonly from: { readonly index: number; readonly offset: number };
  } {
    const tails = this.#tails;
    const last = tails.at(-1);
    let offset = last?.end ?? SEGMENT_HEAD_BYTES;
    let index = last === undefined ? firstIndex : last.last + 1;
    let kept = tails.length;
    for (; kept > 0; kept--) {
      const tail = tails[kept - 1] as Tail;
      const isWorth = tail.end - tail.start <= end - offset && end - tail.start <= TAIL_BYTES_MAX;
      if (!isWorth) break;
      ({ start: offset, first: index } = tail);
    }
    return { kept: tails.slice(0, kept), replaced: tails.slice(kept), from: { index, offset } };
  }

  async #put(
    from: { readonly index: number; readonly offset: number },
    end: OpenEnd,
    signal: AbortSignal,
  ): Promise<Tail> {
    const { node, store, clock, pace, inFlight, health, verify: mode } = this.#parts;
    const records = await this.#records(from, end);
    const { lineage } = node.place;
    const { segmentId, firstIndex: segmentFirstIndex, last: commitIndex } = end;
    const owner = { lineage, segmentId, segmentFirstIndex, commitIndex };
    const { facts, body } = await finishInSteps(encodeTail(owner, [records]), clock);
    const { first, last } = facts;
    assert(first === from.index, `a tail from entry ${first}, due is ${from.index}`);
    const key = coldKey(node.place, { kind: "tail", segment: segmentId, first, last });
    const requests = 1 + verifyRequests(mode, records.length);
    await pace.spend({ bytes: records.length, requests, urgent: true }, signal);
    await inFlight.during(key, async () => {
      const stored = await store.put(key, body, { kind: "tail", signal });
      const copy = { ...stored, key, end: records.subarray(-END_BYTES) };
      await verifyCopy(store, copy, { mode, clock, signal, health });
    });
    return { key, first, last, start: from.offset, end: from.offset + records.length };
  }

  /** Whole records from there on: as many as a tail may hold, one at least. */
  async #records(
    { index, offset }: { readonly index: number; readonly offset: number },
    { segmentId, offset: end }: OpenEnd,
  ): Promise<Buffer> {
    const { node } = this.#parts;
    const read = async (bytes: number): Promise<Buffer> =>
      await node.local.readLog(segmentId, { start: offset, end: Math.min(end, offset + bytes) });
    const bytes = await read(TAIL_BYTES_MAX);
    const whole = wholeRecords(bytes, index);
    if (whole.end > 0) return bytes.subarray(0, whole.end);
    return await read(whole.needed);
  }
}

/** Where the last whole record ends; how long the first one is that is not. */
function wholeRecords(bytes: Buffer, first: number): { readonly end: number; readonly needed: number } {
  let end = 0;
  for (let index = first; end + RECORD_HEADER_BYTES <= bytes.length; index++) {
    const header = readRecordHeader(bytes, end);
    if (header?.index !== index) throw new DamageError(`no record of entry ${index} where it is due`);
    const needed = recordBytes(header.payloadBytes);
    if (end + needed > bytes.length) return { end, needed };
    end += needed;
  }
  return { end, needed: 0 };
}
