/**
 * What happens to segments between hot and cold, decided from numbers alone: which are uploaded now, which
 * are packed, which files this node frees and which it fetches back. One look at all segments, in steps,
 * answers with a bounded number of decisions; the same facts give the same ones, in whatever order they come.
 *
 * Upload and freeing are two decisions. With a recovery point every sealed segment is needed in the bucket as
 * it is; without one, upload waits until a segment has cooled, so what is deleted before costs no request.
 * Nothing is freed that has no verified copy (promise P5), and what a replay from the oldest retained
 * snapshot needs is never packed (RULES.md R21).
 */
import { assert } from "../base/assert.ts";
import type { Steps } from "../base/steps.ts";
import { BestFew } from "./best-few.ts";

export type TierSettings = {
  /** Whether the bucket has to follow the log closely. */
  readonly recoveryPoint: boolean;
  readonly afterMs: number;
  /** A segment with a smaller share of live bytes is packed: percent. */
  readonly livePercentMin: number;
  /** A segment that has cooled is freed at this heat or below, and fetched back at the other or above. */
  readonly freeHeatMax: number;
  readonly recallHeatMin: number;
  /** Bytes of all segments on this disk: above `high` the coldest go until it is `low`. */
  readonly hotBytesHigh: number;
  readonly hotBytesLow: number;
  /** Decisions of each kind in one look. */
  readonly decisionsMax: number;
};

/** A sealed segment. */
export type TierSegment = {
  readonly id: number;
  readonly lastIndex: number;
  /** As it was written. */
  readonly bytes: number;
  readonly liveBytes: number;
  /** Log time of its last entry. */
  readonly endedAtMs: number;
  /** The verified copy that a committed and applied entry names. */
  readonly cold: { readonly kind: "verbatim" | "packed"; readonly bytes: number } | undefined;
  /** Of its file on this node; 0 if there is none. */
  readonly hotBytes: number;
  readonly heat: number;
  /** Something in it was asked to stay hot. */
  readonly isPinned: boolean;
};

export type TierSituation = {
  /** Log time. */
  readonly nowMs: number;
  /** Segments that end here or before are values: they may go, and what is live in them can be gathered. */
  readonly floorIndex: number;
  /** Of the oldest retained snapshot in the bucket; 0 if there is none. */
  readonly coldSnapshotIndex: number;
  /** Of all segments on this node. */
  readonly hotBytes: number;
};

export type UploadVerdict =
  | { readonly kind: "upload" | "pack" }
  | { readonly kind: "nothing"; readonly why: "uploaded" | "dead" | "young" | "notBelowFloor" };

export type FreeVerdict =
  | { readonly kind: "free"; readonly why: "cooled" | "diskFull" }
  | {
      readonly kind: "keep";
      readonly why: "notHere" | "noCopy" | "notBelowFloor" | "pinned" | "young" | "warm";
    };

export type TierPlan = {
  /** The first of them first. */
  readonly uploads: readonly { readonly id: number; readonly how: "verbatim" | "packed" }[];
  /** Cold copies to be replaced by one with the live bytes only. */
  readonly repacks: readonly number[];
  readonly frees: readonly { readonly id: number; readonly why: "cooled" | "diskFull" }[];
  readonly recalls: readonly number[];
  /** Above the high mark although everything that may go will go: pins, uploads that are behind, new data. */
  readonly stuckBytes: number;
};

const SEGMENTS_PER_STEP = 256;

export function* planTier(
  segments: Iterable<TierSegment>,
  situation: TierSituation,
  settings: TierSettings,
): Steps<TierPlan> {
  assert(settings.freeHeatMax < settings.recallHeatMin, "what is freed would be fetched back at once");
  assert(settings.hotBytesLow <= settings.hotBytesHigh, "the low mark is above the high one");
  const few = settings.decisionsMax;
  const uploads = new BestFew<TierSegment & { readonly how: "verbatim" | "packed" }>(few, byLog);
  const repacks = new BestFew<TierSegment>(few, byDeadBytes);
  const cooled = new BestFew<TierSegment>(few, byColdness);
  const others = new BestFew<TierSegment>(few, byColdness);
  const recalls = new BestFew<TierSegment>(few, byWish);
  let seen = 0;
  for (const segment of segments) {
    if (++seen % SEGMENTS_PER_STEP === 0) yield;
    const upload = uploadVerdict(segment, situation, settings).kind;
    if (upload !== "nothing") uploads.add({ ...segment, how: upload === "pack" ? "packed" : "verbatim" });
    if (wantsRepack(segment, situation, settings)) repacks.add(segment);
    if (wantsRecall(segment, situation, settings)) recalls.add(segment);
    const free = freeVerdict(segment, situation, settings);
    if (free.kind === "free") (free.why === "cooled" ? cooled : others).add(segment);
  }
  const frees = chooseFrees(cooled.all, others.all, situation, settings);
  return {
    uploads: uploads.all.map(({ id, how }) => ({ id, how })),
    repacks: repacks.all.map(({ id }) => id),
    ...frees,
    recalls: chooseRecalls(recalls.all, situation, settings),
  };
}

export function uploadVerdict(
  segment: TierSegment,
  situation: TierSituation,
  settings: TierSettings,
): UploadVerdict {
  const { cold, liveBytes, lastIndex, endedAtMs } = segment;
  if (cold !== undefined) return { kind: "nothing", why: "uploaded" };
  const isReplayed = settings.recoveryPoint && lastIndex > situation.coldSnapshotIndex;
  if (isReplayed) return { kind: "upload" };
  if (liveBytes === 0) return { kind: "nothing", why: "dead" };
  const ageMs = situation.nowMs - endedAtMs;
  const isPressed = situation.hotBytes > settings.hotBytesHigh;
  if (!settings.recoveryPoint && !isPressed && ageMs < settings.afterMs)
    return { kind: "nothing", why: "young" };
  if (!isSparse(liveBytes, segment.bytes, settings)) return { kind: "upload" };
  if (lastIndex <= situation.floorIndex) return { kind: "pack" };
  // The floor follows snapshots, which dead bytes bring about: that is worth waiting for, but not for ever.
  const isWorthWaiting = !isPressed && ageMs < 2 * settings.afterMs;
  return isWorthWaiting ? { kind: "nothing", why: "notBelowFloor" } : { kind: "upload" };
}

export function freeVerdict(
  segment: TierSegment,
  situation: TierSituation,
  settings: TierSettings,
): FreeVerdict {
  const { hotBytes, cold, lastIndex, isPinned, endedAtMs, heat } = segment;
  if (hotBytes === 0) return { kind: "keep", why: "notHere" };
  if (cold === undefined) return { kind: "keep", why: "noCopy" };
  if (lastIndex > situation.floorIndex) return { kind: "keep", why: "notBelowFloor" };
  if (isPinned) return { kind: "keep", why: "pinned" };
  const isYoung = situation.nowMs - endedAtMs < settings.afterMs;
  if (!isYoung && heat <= settings.freeHeatMax) return { kind: "free", why: "cooled" };
  if (situation.hotBytes > settings.hotBytesHigh) return { kind: "free", why: "diskFull" };
  return { kind: "keep", why: isYoung ? "young" : "warm" };
}

/** Whether its copy in the bucket holds little that is live, and nobody needs it as it is. */
export function wantsRepack(segment: TierSegment, situation: TierSituation, settings: TierSettings): boolean {
  const { cold, liveBytes, lastIndex } = segment;
  if (cold === undefined || liveBytes === 0 || !isSparse(liveBytes, cold.bytes, settings)) return false;
  return lastIndex <= situation.floorIndex && lastIndex <= situation.coldSnapshotIndex;
}

function wantsRecall(segment: TierSegment, situation: TierSituation, settings: TierSettings): boolean {
  const { cold, hotBytes, heat, isPinned, liveBytes } = segment;
  if (cold === undefined || hotBytes > 0 || liveBytes === 0) return false;
  return (
    (isPinned || heat >= settings.recallHeatMin) && situation.hotBytes + cold.bytes <= settings.hotBytesLow
  );
}

function isSparse(liveBytes: number, bytes: number, { livePercentMin }: TierSettings): boolean {
  return liveBytes * 100 < bytes * livePercentMin;
}

/** All that have cooled; and if the disk is still too full, of the others the coldest until it is not. */
function chooseFrees(
  cooled: readonly TierSegment[],
  others: readonly TierSegment[],
  situation: TierSituation,
  { hotBytesHigh, hotBytesLow, decisionsMax }: TierSettings,
): Pick<TierPlan, "frees" | "stuckBytes"> {
  const frees: TierPlan["frees"][number][] = [];
  let left = situation.hotBytes;
  for (const { id, hotBytes } of cooled) {
    frees.push({ id, why: "cooled" });
    left -= hotBytes;
  }
  if (left > hotBytesHigh) {
    for (const { id, hotBytes } of others) {
      if (left <= hotBytesLow || frees.length >= decisionsMax) break;
      frees.push({ id, why: "diskFull" });
      left -= hotBytes;
    }
  }
  // With as many decisions as a look may make, the next look goes on.
  return { frees, stuckBytes: frees.length >= decisionsMax ? 0 : Math.max(0, left - hotBytesHigh) };
}

function chooseRecalls(
  wanted: readonly TierSegment[],
  situation: TierSituation,
  { hotBytesLow }: TierSettings,
): readonly number[] {
  let filled = situation.hotBytes;
  return wanted.flatMap(({ id, cold }) => {
    const bytes = cold?.bytes ?? 0;
    if (filled + bytes > hotBytesLow) return [];
    filled += bytes;
    return [id];
  });
}

function byLog(one: TierSegment, other: TierSegment): number {
  return one.id - other.id;
}

function byDeadBytes(one: TierSegment, other: TierSegment): number {
  const dead = ({ cold, liveBytes }: TierSegment): number => (cold?.bytes ?? 0) - liveBytes;
  return dead(other) - dead(one) || one.id - other.id;
}

function byColdness(one: TierSegment, other: TierSegment): number {
  return one.heat - other.heat || one.id - other.id;
}

function byWish(one: TierSegment, other: TierSegment): number {
  return Number(other.isPinned) - Number(one.isPinned) || other.heat - one.heat || one.id - other.id;
}
