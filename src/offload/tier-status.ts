/** What a cold tier says about itself: on the status page, in metrics, to `thermocline tier status`. */
import type { TierState } from "./tier-health.ts";

export type TierStatus = {
  readonly state: TierState;
  readonly reason?: string;
  readonly place: string;
  readonly lineage: string;
  /** What a loss of every node would cost at this moment, at most. */
  readonly recoveryPointSeconds: number;
  /** The last entry that a restore would lead to. */
  readonly coveredIndex: number;
  /** Of the newest manifest; 0 if there is none, or it is not known yet. */
  readonly restorePointIndex: number;
  /** Of the open segment. */
  readonly tails: number;
  readonly lastManifestSecondsAgo?: number;
  /**
   * The lineage that was restored from this one, or this one itself, if it went on without this disk: nothing
   * is uploaded any more.
   */
  readonly supersededBy?: string;
  /** Of all segments that have a copy. */
  readonly coldSegments: number;
  readonly coldBytes: number;
  /** Of those, the ones that are not on this disk. */
  readonly coldOnlySegments: number;
  readonly pendingSegments: number;
  readonly pendingBytes: number;
  /** Since the start. */
  readonly uploadedSegments: number;
  readonly uploadedBytes: number;
  readonly freedSegments: number;
  readonly recalledSegments: number;
  readonly packedSegments: number;
  /** Objects of the bucket that nothing needs, and that wait for the end of their grace. */
  readonly garbageObjects: number;
  readonly deletedObjects: number;
  /** Lineages or manifests because of which nothing is deleted. */
  readonly deletionsBlockedBy?: string;
  /** What the disk holds above `hotBytesMax` although everything that may go has gone. */
  readonly stuckBytes: number;
  readonly lastUploadSecondsAgo?: number;
};
