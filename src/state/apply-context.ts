/** What every apply function works with: the view, the tables and the entry that is being applied. */
import type { BucketTable } from "./bucket-table.ts";
import type { Dates } from "./dates.ts";
import type { EntryPosition, SegmentTable } from "./segment-table.ts";
import type { StateEffects, StateView } from "./view.ts";

export type ApplyContext = {
  readonly view: StateView;
  readonly effects: StateEffects;
  readonly buckets: BucketTable;
  readonly segments: SegmentTable;
  readonly dates: Dates;
  /** Monotone log time: what ages are measured in. */
  readonly timeMs: number;
  /** What users see as the time of this command. */
  readonly dateMs: number;
  readonly position: EntryPosition;
  /** How often something was marked for reaping: tells housekeeping when to look. */
  readonly tally: { reapMarks: number };
};
