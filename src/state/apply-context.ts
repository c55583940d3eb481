/** What every apply function works with: the view, the tables and the entry that is being applied. */
import type { BucketTable } from "./bucket-table.ts";
import type { EntryPosition, SegmentTable } from "./segment-table.ts";
import type { StateEffects, StateView } from "./view.ts";

export type ApplyContext = {
  readonly view: StateView;
  readonly effects: StateEffects;
  readonly buckets: BucketTable;
  readonly segments: SegmentTable;
  /** Monotone log time. */
  readonly timeMs: number;
  readonly position: EntryPosition;
  /** How often something was marked for reaping: tells housekeeping when to look. */
  readonly tally: { reapMarks: number };
};
