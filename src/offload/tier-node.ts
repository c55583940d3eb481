/**
 * What the cold tier needs of the node whose segments it moves, and what it knows of a segment at a glance.
 * A node in operation has all of it; tests of single parts give what that part uses.
 */
import type { ChainValue } from "../segment/record.ts";
import { CHAIN_START } from "../segment/record.ts";
import type { Command, CommandResult } from "../state/command.ts";
import type { SegmentEntry, SegmentTable } from "../state/segment-table.ts";
import type { LocalSegments } from "../store/local-segments.ts";
import type { StateIndex } from "../store/state-index.ts";
import type { ColdPlace } from "./cold-names.ts";

export type TierNode = {
  /** Below which this node writes, and nobody else does. */
  readonly place: ColdPlace;
  /** Of this process; never the same twice. */
  readonly incarnation: string;
  readonly segments: SegmentTable;
  readonly index: Pick<StateIndex, "iterate" | "getLater">;
  readonly local: LocalSegments;
  /** `undefined` if there is no such bucket. */
  bucketId(name: string): number | undefined;
  /** As manifests have them. */
  readonly segmentBytes: number;
  readonly voters: readonly string[];
  term(): number;
  /** Of the last entry that is applied. */
  lastTime(): { readonly logTimeMs: number; readonly dateMs: number };
  /** The last entry that did more than keep the store in order; if none did, the last one at the start. */
  changedIndex(): number;
  /** As the next entry will have it. */
  logTimeMs(): number;
  /** On the disk of this node. */
  freeBytes(): number;
  propose(command: Command): Promise<CommandResult>;
};

/** The last entry of a segment, so far. */
export function lastOf({ firstIndex, entries }: Pick<SegmentEntry, "firstIndex" | "entries">): number {
  return firstIndex + entries - 1;
}

/** Behind the last entry of a segment, so far. */
export function chainBehind({ chainLow: low, chainHigh: high }: SegmentEntry): ChainValue {
  return { low, high };
}

/** Before the first entry of the segment at this place of the table; rows that went left their value. */
export function chainBeforeAt(all: readonly SegmentEntry[], at: number): ChainValue {
  const segment = all[at];
  const before = all[at - 1];
  return segment?.chainBefore ?? (before === undefined ? CHAIN_START : chainBehind(before));
}

/** Whether the segment lies in the bucket as it was sealed, and everybody knows. */
export function isInBucket({ cold }: SegmentEntry): boolean {
  return cold?.kind === "verbatim";
}

/**
 * The last segment up to which the bucket holds everything that a replay from this entry on needs: what is
 * above it has to stay part of the log on this disk.
 */
export function uploadedThrough(all: readonly SegmentEntry[], snapshotIndex: number): number {
  let through = 0;
  let first = all.length;
  while (first > 0 && lastOf(all[first - 1] as SegmentEntry) > snapshotIndex) first--;
  // What is below was let go of by the snapshot, whether it is in the bucket or not.
  if (first > 0) through = (all[first - 1] as SegmentEntry).id;
  for (let at = first; at < all.length; at++) {
    const segment = all[at] as SegmentEntry;
    if (!segment.cut || !isInBucket(segment)) break;
    through = segment.id;
  }
  return through;
}

/**
 * How far the bucket holds the log from this entry on without a gap, in sealed segments and then in tails,
 * which reach as far as they do in the first segment that it lacks.
 */
export function coveredFrom(
  index: number,
  all: readonly SegmentEntry[],
  reachIn: (segmentId: number) => number,
): number {
  let first = all.length;
  while (first > 0 && lastOf(all[first - 1] as SegmentEntry) > index) first--;
  let covered = index;
  for (let at = first; at < all.length; at++) {
    const segment = all[at] as SegmentEntry;
    if (segment.firstIndex > covered + 1) break;
    if (!segment.cut || !isInBucket(segment)) return Math.max(covered, reachIn(segment.id));
    covered = lastOf(segment);
  }
  return covered;
}
