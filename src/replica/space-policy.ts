/**
 * When a snapshot of the index is due, how far the floor may go, and which segments below it are to be
 * deleted or rewritten: decisions only (RULES.md R16, R18). Who carries them out is space-keeper.ts.
 */
import type { Floor } from "../store/floor-file.ts";
import type { SnapshotInfo } from "../store/snapshot-file.ts";
import type { SegmentEntry } from "../state/segment-table.ts";

export type SpaceSettings = {
  /** Least entries between two snapshots, unless space is to be had. */
  readonly snapshotEntriesMin: number;
  /** Entries that stay in the log below a snapshot. */
  readonly entriesKept: number;
  /** Least bytes of log between two snapshots; a quarter of it is worth one if it can be freed. */
  readonly snapshotLogBytes: number;
  /** A segment with a smaller share of live bytes is rewritten: percent. */
  readonly livePercentMin: number;
  /** Of everything that this work reads and writes. */
  readonly bytesPerSecondMax: number;
};

export type SpaceStatus = {
  readonly floorIndex: number;
  readonly snapshotIndex: number;
  readonly snapshotBytes: number;
  /** Of all segments. */
  readonly fileBytes: number;
  readonly reclaimedBytes: number;
};

/** How careful the work has to be: what a disk may lose, and what memory cannot. */
export type Caution = {
  /** The floor stays behind the oldest of them, so all but one may turn out damaged. */
  readonly snapshotsKept: number;
  /** What can be freed is freed this late if nobody writes. */
  readonly quietMs: number;
  /** Readers that looked an object up before it was dropped get so long to begin. */
  readonly reapGraceMs: number;
};

export const DISK_CAUTION: Caution = { snapshotsKept: 2, quietMs: 60_000, reapGraceMs: 1000 };

/** There is no start from a snapshot, and nothing to be gentle to but memory, which is short. */
export const MEMORY_CAUTION: Caution = { snapshotsKept: 1, quietMs: 500, reapGraceMs: 1000 };

/** A snapshot costs its size: it has to be worth so many times that. */
const SIZE_FACTOR = 5;

export type SpaceFacts = {
  readonly appliedIndex: number;
  /** The newest one. */
  readonly snapshot: SnapshotInfo | undefined;
  readonly sinceSnapshotMs: number;
  /** Of the log, since the snapshot. */
  readonly logBytes: number;
  /** Dead bytes that no snapshot so far lets go. */
  readonly deadBytes: number;
};

export function wantsSnapshot(
  facts: SpaceFacts,
  settings: SpaceSettings,
  { quietMs }: Caution = DISK_CAUTION,
): boolean {
  const { appliedIndex, snapshot, sinceSnapshotMs, logBytes, deadBytes } = facts;
  const entries = appliedIndex - (snapshot?.index ?? 0);
  if (entries === 0) return false;
  const cost = SIZE_FACTOR * (snapshot?.bytes ?? 0);
  if (entries >= settings.snapshotEntriesMin && logBytes >= Math.max(settings.snapshotLogBytes, cost)) {
    return true;
  }
  // The floor follows the older of two snapshots, so what is freed by this one is seen with the next.
  const worth = Math.max(settings.snapshotLogBytes / 4, cost);
  return deadBytes >= worth && (logBytes >= worth || sinceSnapshotMs >= quietMs);
}

/** Bytes of the log behind what the snapshot holds. */
export function logBytesSince(snapshot: SnapshotInfo | undefined, segments: readonly SegmentEntry[]): number {
  const last = snapshot?.segments.at(-1);
  let bytes = 0;
  for (let at = segments.length - 1; at >= 0; at--) {
    const segment = segments[at] as SegmentEntry;
    if (last !== undefined && segment.id < last.id) break;
    bytes += segment.bytes - (segment.id === last?.id ? last.bytes : 0);
  }
  return bytes;
}

/** Whether so few of its bytes are live that it is worth rewriting, or deleting. */
export function isSparse(
  segment: { readonly liveBytes: number; readonly fileBytes: number },
  { livePercentMin }: SpaceSettings,
): boolean {
  return segment.liveBytes === 0 || segment.liveBytes * 100 < segment.fileBytes * livePercentMin;
}

/**
 * The floor that the oldest of the snapshots allows: should the newer one turn out damaged, that one and the
 * log are enough. It ends with a sealed segment, and entries stay above it. Where the bucket has to follow
 * the log, it goes no further than what is there.
 */
export function floorBelow(
  oldest: SnapshotInfo,
  log: {
    readonly firstUnsealedId: number;
    readonly stableIndex: number;
    readonly uploadedThroughId: number;
  },
  { entriesKept }: SpaceSettings,
): Floor | undefined {
  const highest = Math.min(oldest.index - entriesKept, log.stableIndex - 1);
  const below = oldest.segments.findLast(
    ({ id, cut, firstIndex, entries }) =>
      cut && id < log.firstUnsealedId && id <= log.uploadedThroughId && firstIndex + entries - 1 <= highest,
  );
  if (below === undefined) return undefined;
  const { id, firstIndex, entries, chain } = below;
  return { segmentId: id, lastIndex: firstIndex + entries - 1, chain };
}
