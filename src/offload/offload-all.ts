/**
 * Everything into the cold tier, on demand: the open segment is ended, what is live is uploaded and verified,
 * a restore point names it, and what may leave this disk leaves it. Whatever interrupts it, what was done
 * stays done, and is not done twice when it is asked for again.
 */
import { BusyError } from "../base/errors.ts";
import type { SegmentEntry } from "../state/segment-table.ts";
import type { LogFollower } from "./log-follower.ts";
import type { Offloader } from "./offloader.ts";
import type { Residence } from "./residence.ts";
import { lastOf } from "./tier-node.ts";
import type { TierNode } from "./tier-node.ts";

/** Between two lines about how far it is. */
const UPLOADS_PER_LINE = 8;

export type OffloadAllParts = {
  readonly node: TierNode;
  readonly offloader: Pick<Offloader, "uploadAll">;
  readonly follower: Pick<LogFollower, "writeManifest">;
  readonly residence: Pick<Residence, "free">;
  readonly isPinned: (segment: SegmentEntry) => boolean;
  /** What was read much until now would come back at once: somebody has said otherwise. */
  readonly forgetHeat: (segmentId: number) => void;
};

export type OffloadCall = {
  readonly signal: AbortSignal;
  /** One line for people, now and then. */
  readonly onProgress: (line: string) => void;
};

export type OffloadCounts = {
  readonly uploaded: number;
  readonly freed: number;
  /** Sealed segments that are still on this disk: pinned, or without a copy because they are damaged. */
  readonly kept: number;
  /** Of the restore point. */
  readonly index: number;
};

export async function offloadAll(
  { node, offloader, follower, residence, isPinned, forgetHeat }: OffloadAllParts,
  { signal, onProgress }: OffloadCall,
): Promise<OffloadCounts> {
  const { local, segments } = node;
  const lastId = await local.seal();
  const wanted = segments.all.filter((segment) => segment.id <= lastId && needsCopy(segment));
  for (let at = 0; at < wanted.length; at += UPLOADS_PER_LINE) {
    const ids = wanted.slice(at, at + UPLOADS_PER_LINE).map(({ id }) => id);
    await offloader.uploadAll(ids, signal);
    onProgress(`${at + ids.length} of ${wanted.length} segments uploaded`);
  }
  const last = segments.byId(lastId);
  const minIndex = last === undefined ? 0 : lastOf(last);
  const { index } = await follower.writeManifest({ minIndex, signal });
  onProgress(`a restore point of entry ${index} is in the bucket`);
  await local.raiseFloor(lastId);
  let freed = 0;
  let kept = 0;
  for (const segment of segments.all) {
    signal.throwIfAborted();
    if (segment.id > lastId || local.bytesOf(segment.id) === 0) continue;
    if (isPinned(segment)) {
      if (segment.liveBytes > 0) kept++;
      continue;
    }
    forgetHeat(segment.id);
    if (await residence.free(segment.id)) freed++;
    else if (segment.liveBytes > 0) kept++;
  }
  const uploaded = wanted.filter(({ cold }) => cold !== undefined).length;
  if (uploaded < wanted.length && wanted.some(needsCopy)) {
    throw new BusyError(
      `${wanted.length - uploaded} segments could not be uploaded; see the log of the server`,
    );
  }
  return { uploaded, freed, kept, index };
}

function needsCopy({ cold, liveBytes }: SegmentEntry): boolean {
  return cold === undefined && liveBytes > 0;
}
