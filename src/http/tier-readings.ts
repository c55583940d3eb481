/**
 * How the cold tier is, as numbers on the metrics page: of the status of the service, where it has a tier.
 * What a loss of every node would cost is `thermocline_recovery_point_seconds`.
 */
import type { NodeStatus } from "../service/api.ts";
import type { Reading } from "./reading.ts";

type Tier = NonNullable<NodeStatus["tier"]>;

export function tierGauges(read: () => Tier): readonly Reading[] {
  return [
    ["cold_degraded", "1 while the cold tier is not as it should be", () => Number(read().state !== "ok")],
    [
      "cold_superseded",
      "1 if another lineage goes on from this one",
      () => Number(read().supersededBy !== undefined),
    ],
    [
      "recovery_point_seconds",
      "What a loss of every node would cost now, at most",
      () => read().recoveryPointSeconds,
    ],
    ["cold_covered_index", "Last entry that a restore would lead to", () => read().coveredIndex],
    ["cold_restore_point_index", "Last entry of the newest manifest", () => read().restorePointIndex],
    ["cold_segments", "Segments with a copy in the cold tier", () => read().coldSegments],
    ["cold_copies_bytes", "Bytes of these copies", () => read().coldBytes],
    ["cold_only_segments", "Segments that are not on this disk", () => read().coldOnlySegments],
    ["cold_pending_segments", "Segments that wait to be uploaded", () => read().pendingSegments],
    ["cold_pending_bytes", "Bytes that wait to be uploaded", () => read().pendingBytes],
    ["cold_garbage_objects", "Objects whose grace is not over", () => read().garbageObjects],
    ["cold_tails", "Tails of the open segment", () => read().tails],
    ["hot_bytes_stuck", "Above hotBytesMax, and nothing may leave the disk", () => read().stuckBytes],
  ];
}

export function tierCounters(read: () => Tier): readonly Reading[] {
  return [
    [
      "cold_uploaded_segments_total",
      "Segments that were uploaded and verified",
      () => read().uploadedSegments,
    ],
    ["cold_uploaded_bytes_total", "Bytes of these", () => read().uploadedBytes],
    ["cold_freed_segments_total", "Segments that left this disk", () => read().freedSegments],
    ["cold_recalled_segments_total", "Segments that came back to it", () => read().recalledSegments],
    ["cold_packed_segments_total", "Copies that were replaced by smaller ones", () => read().packedSegments],
    ["cold_deleted_objects_total", "Objects that were cleared away", () => read().deletedObjects],
  ];
}
