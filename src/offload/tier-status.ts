/** What a cold tier says about itself: on the status page, in metrics, to `thermocline tier status`. */
import type { TierState } from "./tier-health.ts";

export type TierStatus = {
  readonly state: TierState;
  readonly reason?: string;
  readonly place: string;
  readonly lineage: string;
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
  /** What the disk holds above `hotBytesMax` although everything that may go has gone. */
  readonly stuckBytes: number;
  readonly lastUploadSecondsAgo?: number;
};
