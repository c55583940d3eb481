/**
 * What a manifest is to say, taken from the segment table at one moment: which segments a restore needs on
 * top of a snapshot, up to which entry the bucket has all of them, and the words for it. Nothing here waits:
 * what is taken at once belongs together.
 */
import type { Steps } from "../base/steps.ts";
import type { ChainValue } from "../segment/record.ts";
import type { ColdCopy } from "../state/rows.ts";
import type { SegmentEntry } from "../state/segment-table.ts";
import type { ManifestSegment } from "./manifest.ts";
import { openEnd } from "./tail-writer.ts";
import type { OpenEnd } from "./tail-writer.ts";
import { chainBeforeAt, chainBehind, lastOf } from "./tier-node.ts";
import type { TierNode } from "./tier-node.ts";

/** Between two breaths: well below a millisecond. */
const SEGMENTS_PER_STEP = 256;

/** On which a manifest stands; index 0 for none, where the log is whole from its first entry on. */
export type Ground = {
  readonly index: number;
  /** Segments with something live in that snapshot. */
  readonly liveIds: ReadonlySet<number>;
};

export const NO_SNAPSHOT: Ground = { index: 0, liveIds: new Set() };

/** Segments that a restore on this ground needs: that with the last entry of the snapshot ends its log. */
function isNeededOn(ground: Ground, segment: SegmentEntry): boolean {
  return lastOf(segment) >= ground.index || ground.liveIds.has(segment.id);
}

/** Those of them that are to be uploaded first, in the order of the log. */
export function* missingOn(ground: Ground, all: readonly SegmentEntry[]): Steps<readonly number[]> {
  const missing: number[] = [];
  for (const [at, segment] of all.entries()) {
    if (at % SEGMENTS_PER_STEP === SEGMENTS_PER_STEP - 1) yield;
    if (segment.cut && isNeededOn(ground, segment) && !isCopied(segment, ground)) missing.push(segment.id);
  }
  return missing;
}

/** A replay needs the segment as it was; for what is live in a snapshot any copy will do. */
function isCopied(segment: SegmentEntry, ground: Ground): boolean {
  const { cold } = segment;
  return lastOf(segment) > ground.index ? cold?.kind === "verbatim" : cold !== undefined;
}

/** Whether the log is whole from its first entry on, as far as the table says, and nothing of it packed. */
export function isWhole(all: readonly SegmentEntry[]): boolean {
  let next = 1;
  for (const segment of all) {
    if (segment.firstIndex !== next || segment.cold?.kind === "packed") return false;
    next = lastOf(segment) + 1;
  }
  return next > 1;
}

/** Bytes of the log behind this entry, to the start of its segment. */
export function logBytesBehind(index: number, all: readonly SegmentEntry[]): number {
  let bytes = 0;
  for (let at = all.length - 1; at >= 0; at--) {
    const segment = all[at] as SegmentEntry;
    if (lastOf(segment) <= index) break;
    bytes += segment.bytes;
  }
  return bytes;
}

/** The entry behind which so many bytes of the log follow. */
export function indexBefore(bytes: number, all: readonly SegmentEntry[]): number {
  let left = bytes;
  for (let at = all.length - 1; at >= 0; at--) {
    const segment = all[at] as SegmentEntry;
    left -= segment.bytes;
    if (left <= 0) return segment.firstIndex - 1;
  }
  return 0;
}

/** At one moment. */
export type Draft = {
  readonly index: number;
  readonly logTimeMs: number;
  readonly dateMs: number;
  /** The table as it was, which only grows, and where in it the segments stand that have a copy each. */
  readonly all: readonly SegmentEntry[];
  readonly sealedAt: readonly number[];
  /** What tails have to hold before the manifest may be put. */
  readonly open:
    { readonly end: OpenEnd; readonly chainBefore: ChainValue; readonly chainAfter: ChainValue } | undefined;
};

/**
 * Up to the last entry that is applied, or, if a sealed segment is not in the bucket yet, up to that one.
 * `undefined` if the bucket does not even have what the snapshot needs.
 */
export function* takeDraft(
  node: Pick<TierNode, "segments" | "lastTime">,
  ground: Ground,
): Steps<Draft | undefined> {
  for (;;) {
    const { all } = node.segments;
    const sealedAt: number[] = [];
    let liveCount = 0;
    let next: number | undefined;
    let stoppedAt: number | undefined;
    let isSame = true;
    for (const [at, segment] of all.entries()) {
      // What was looked at does not change, but by rows that go: then the table is another one.
      if (at % SEGMENTS_PER_STEP === SEGMENTS_PER_STEP - 1) yield;
      isSame = node.segments.all === all;
      if (!isSame) break;
      if (!isNeededOn(ground, segment)) continue;
      if (ground.liveIds.has(segment.id)) liveCount++;
      if (lastOf(segment) > ground.index) {
        const { firstIndex } = segment;
        const isNext = next === undefined ? firstIndex <= ground.index + 1 : firstIndex === next;
        if (!isNext) return undefined;
        next = lastOf(segment) + 1;
      }
      if (!segment.cut || !isCopied(segment, ground)) {
        stoppedAt = at;
        break;
      }
      sealedAt.push(at);
    }
    if (!isSame) continue;
    // One that was live in the snapshot has gone since, or lies behind one without a copy.
    if (liveCount < ground.liveIds.size) return undefined;
    const isOpenLeft = stoppedAt === all.length - 1 && all[stoppedAt]?.cut === false;
    return isOpenLeft ? upToOpen(node, sealedAt) : upToSealed(all, sealedAt, ground);
  }
}

function upToSealed(
  all: readonly SegmentEntry[],
  sealedAt: readonly number[],
  { index }: Ground,
): Draft | undefined {
  const last = all[sealedAt.at(-1) ?? -1];
  if (last === undefined || lastOf(last) < Math.max(1, index)) return undefined;
  const { timeMs = 0, dateMs = 0 } = last.ended ?? {};
  return { index: lastOf(last), logTimeMs: timeMs, dateMs, all, sealedAt, open: undefined };
}

function upToOpen(
  node: Pick<TierNode, "segments" | "lastTime">,
  sealedAt: readonly number[],
): Draft | undefined {
  const { all } = node.segments;
  const at = all.length - 1;
  const segment = all[at];
  const end = openEnd(node);
  if (end === undefined || segment === undefined) return undefined;
  const open = { end, chainBefore: chainBeforeAt(all, at), chainAfter: chainBehind(segment) };
  return { index: end.last, ...node.lastTime(), all, sealedAt, open };
}

export function* draftedSegments({ all, sealedAt, open }: Draft): Steps<readonly ManifestSegment[]> {
  const segments: ManifestSegment[] = [];
  for (const at of sealedAt) {
    if (segments.length % SEGMENTS_PER_STEP === SEGMENTS_PER_STEP - 1) yield;
    const segment = all[at] as SegmentEntry;
    const { id, firstIndex: first, cold } = segment;
    const [chainBefore, chainAfter] = [chainBeforeAt(all, at), chainBehind(segment)];
    const copy = cold && copyOf(cold);
    segments.push({ id, first, last: lastOf(segment), sealed: true, chainBefore, chainAfter, copy });
  }
  if (open !== undefined) {
    const { end, chainBefore, chainAfter } = open;
    const { segmentId: id, firstIndex: first, last } = end;
    segments.push({ id, first, last, sealed: false, chainBefore, chainAfter, copy: undefined });
  }
  return segments;
}

function copyOf({ kind, key, bytes, sha256 }: ColdCopy): NonNullable<ManifestSegment["copy"]> {
  return { kind, key, bytes, sha256 };
}
