/** What the tier is told by its settings, as numbers; and what follows from them for the policy. */
import type { Pin } from "./pins.ts";
import type { TierBudget } from "./tier-pace.ts";
import type { TierSettings } from "./tier-policy.ts";
import type { VerifyMode } from "./verify-copy.ts";

export type ColdTierSettings = {
  /** `undefined`: the bucket does not follow the log, uploads wait until segments have cooled. */
  readonly recoveryPointMs: number | undefined;
  readonly afterMs: number;
  readonly verify: VerifyMode;
  readonly budget: TierBudget;
  /** A segment with a smaller share of live bytes is packed: percent. */
  readonly livePercentMin: number;
  /** Of all segments on this disk. */
  readonly hotBytesMax: number;
  /** What is to stay on this disk. */
  readonly pins: readonly Pin[];
  readonly restoreWindowMs: number;
  readonly graceMs: number;
  /** When the next snapshot is due: so many entries, and so many bytes of log. */
  readonly snapshot: { readonly entriesMin: number; readonly logBytes: number };
  /** Of the whole disk, which others fill too: segments go before writes are refused. */
  readonly freeBytesMin: number;
};

/** Reads that count: half of them are forgotten each hour. */
export const HEAT_HALF_LIFE_MS = 3_600_000;
/** Some ten megabytes of memory. */
export const HEAT_SEGMENTS_MAX = 100_000;
const FREE_HEAT_MAX = 2;
export const RECALL_HEAT_MIN = 16;
/** A tail is begun when so much of the recovery point has passed: it takes time, too. */
export const TAIL_BEGIN_SHARE = 0.7;
/** How often somebody looks whether this lineage is still the newest. */
export const LINEAGE_CHECK_EVERY_MS = 600_000;
/** What goes makes room for a while. */
const LOW_SHARE = 0.9;
const DECISIONS_MAX = 64;

const COLLECT_EVERY_MS_MIN = 300_000;
const COLLECT_EVERY_MS_MAX = 3_600_000;
const COLLECTIONS_PER_WAIT = 24;

/**
 * How often the collector lists the cluster of a store that is written to, a thousand objects a request:
 * garbage waits for days by default, and nobody notices whether it goes an hour later.
 */
export function collectEveryMs(settings: {
  readonly graceMs: number;
  readonly restoreWindowMs: number;
}): number {
  const waitMs = Math.min(settings.graceMs, settings.restoreWindowMs);
  return Math.max(COLLECT_EVERY_MS_MIN, Math.min(waitMs / COLLECTIONS_PER_WAIT, COLLECT_EVERY_MS_MAX));
}

/** As of now: the room on a disk is others' business too. */
export function policySettings(
  settings: ColdTierSettings,
  disk: { readonly hotBytes: number; readonly freeBytes: number },
): TierSettings {
  const { recoveryPointMs, afterMs, livePercentMin, hotBytesMax, freeBytesMin } = settings;
  const room = Math.max(0, disk.hotBytes + disk.freeBytes - freeBytesMin);
  const hotBytesHigh = Math.min(hotBytesMax, room);
  return {
    recoveryPoint: recoveryPointMs !== undefined,
    afterMs,
    livePercentMin,
    freeHeatMax: FREE_HEAT_MAX,
    recallHeatMin: RECALL_HEAT_MIN,
    hotBytesHigh,
    hotBytesLow: Math.floor(hotBytesHigh * LOW_SHARE),
    decisionsMax: DECISIONS_MAX,
  };
}
