/**
 * Which segments below the floor are not here, as a start finds it: those that the state knows a verified
 * copy of are read from there; others are missing (RULES.md R16).
 */
import type { SegmentEntry, SegmentTable } from "../state/segment-table.ts";
import type { Floor } from "../store/floor-file.ts";
import type { SegmentFiles } from "../store/segment-files.ts";

/** Marks what was given up as gone, before anybody reads; returns what rows name and nobody has. */
export async function markGivenUp(
  files: SegmentFiles,
  segments: SegmentTable,
  floor: Pick<Floor, "segmentId">,
): Promise<readonly SegmentEntry[]> {
  const here = new Set(await files.list());
  const lost: SegmentEntry[] = [];
  for (const segment of segments.all) {
    if (segment.id > floor.segmentId) break;
    if (here.has(segment.id)) continue;
    if (segment.cold !== undefined) files.markGone(segment.id);
    else if (segment.liveBytes > 0) lost.push(segment);
  }
  return lost;
}
