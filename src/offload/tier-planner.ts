/** What the policy wants now: the facts about each segment, gathered for one look. */
import { finishInSteps } from "../base/steps.ts";
import type { Clock } from "../ports/clock.ts";
import type { SegmentEntry } from "../state/segment-table.ts";
import type { SegmentHeat } from "./heat.ts";
import { lastOf } from "./tier-node.ts";
import type { TierNode } from "./tier-node.ts";
import { planTier, uploadVerdict } from "./tier-policy.ts";
import type { TierPlan, TierSegment, TierSettings, TierSituation } from "./tier-policy.ts";

export type PlannerParts = {
  readonly node: TierNode;
  readonly clock: Clock;
  readonly heat: SegmentHeat;
  readonly isPinned: (segment: SegmentEntry) => boolean;
  /** Of the newest restore point. */
  readonly coldSnapshotIndex: () => number;
  readonly settings: () => TierSettings;
};

/** Of all sealed segments. */
export type SegmentCounts = {
  /** With a copy. */
  readonly coldSegments: number;
  readonly coldBytes: number;
  /** Of those, the ones that are not on this disk. */
  readonly coldOnlySegments: number;
  /** Waiting to be uploaded. */
  readonly pendingSegments: number;
  readonly pendingBytes: number;
};

type Writable<Row> = { -readonly [Field in keyof Row]: Row[Field] };

const NONE: SegmentCounts = {
  coldSegments: 0,
  coldBytes: 0,
  coldOnlySegments: 0,
  pendingSegments: 0,
  pendingBytes: 0,
};

export class TierPlanner {
  readonly #parts: PlannerParts;
  #counts: SegmentCounts = NONE;

  constructor(parts: PlannerParts) {
    this.#parts = parts;
  }

  /** As of the last look. */
  get counts(): SegmentCounts {
    return this.#counts;
  }

  get situation(): TierSituation {
    const { node, coldSnapshotIndex } = this.#parts;
    return {
      nowMs: node.logTimeMs(),
      floorIndex: node.local.floorIndex,
      coldSnapshotIndex: coldSnapshotIndex(),
      hotBytes: node.local.fileBytes,
    };
  }

  async plan(): Promise<TierPlan> {
    const { clock } = this.#parts;
    const settings = this.#parts.settings();
    const { situation } = this;
    const counts = { ...NONE };
    const plan = await finishInSteps(
      planTier(this.#counted(counts, situation, settings), situation, settings),
      clock,
    );
    this.#counts = counts;
    return plan;
  }

  /** Every sealed segment. */
  *segments(): Generator<TierSegment> {
    const { node, heat, clock, isPinned } = this.#parts;
    const nowMs = clock.monotonicMs();
    for (const segment of node.segments.all) {
      if (!segment.cut) continue;
      const { id, bytes, liveBytes, cold, ended } = segment;
      yield {
        id,
        lastIndex: lastOf(segment),
        bytes,
        liveBytes,
        // Of releases that did not write it down: old.
        endedAtMs: ended?.timeMs ?? 0,
        cold: cold && { kind: cold.kind, bytes: cold.bytes },
        hotBytes: node.local.bytesOf(id),
        heat: heat.heatOf(id, nowMs),
        isPinned: isPinned(segment),
      };
    }
  }

  *#counted(
    counts: Writable<SegmentCounts>,
    situation: TierSituation,
    settings: TierSettings,
  ): Generator<TierSegment> {
    for (const segment of this.segments()) {
      const { cold, hotBytes, bytes } = segment;
      if (cold !== undefined) {
        counts.coldSegments++;
        counts.coldBytes += cold.bytes;
        if (hotBytes === 0) counts.coldOnlySegments++;
      } else if (uploadVerdict(segment, situation, settings).kind !== "nothing") {
        counts.pendingSegments++;
        counts.pendingBytes += bytes;
      }
      yield segment;
    }
  }
}
