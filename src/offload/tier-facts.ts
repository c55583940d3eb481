/** What a dry run of another policy starts from: every segment as the policy sees it now. */
import { finishInSteps } from "../base/steps.ts";
import type { Steps } from "../base/steps.ts";
import type { Clock } from "../ports/clock.ts";
import { coldKindIn } from "./cold-names.ts";
import type { UsageKind } from "./cost.ts";
import type { ForecastFacts } from "./policy-forecast.ts";
import type { TierPlanner } from "./tier-planner.ts";
import type { TierSegment } from "./tier-policy.ts";
import { HEAT_HALF_LIFE_MS } from "./tier-settings.ts";

const SEGMENTS_PER_STEP = 512;

export type StoredBytes = { readonly [Kind in UsageKind]?: number };

export async function gatherFacts(planner: TierPlanner, clock: Clock): Promise<ForecastFacts> {
  const segments = await finishInSteps(gathered(planner), clock);
  return { segments, situation: planner.situation, halfLifeMs: HEAT_HALF_LIFE_MS };
}

function* gathered(planner: TierPlanner): Steps<readonly TierSegment[]> {
  const segments: TierSegment[] = [];
  for (const segment of planner.segments()) {
    segments.push(segment);
    if (segments.length % SEGMENTS_PER_STEP === 0) yield;
  }
  return segments;
}

/** Of a listing. */
export function* bytesByKind(
  listing: Iterable<{ readonly key: string; readonly bytes: number }>,
): Steps<StoredBytes> {
  const stored: { [Kind in UsageKind]: number } = {
    segment: 0,
    packed: 0,
    snapshot: 0,
    tail: 0,
    manifest: 0,
    other: 0,
  };
  let seen = 0;
  for (const { key, bytes } of listing) {
    stored[coldKindIn(key) ?? "other"] += bytes;
    if (++seen % SEGMENTS_PER_STEP === 0) yield;
  }
  return stored;
}

/** Of copies that segments name: what the bucket holds of them by the state. */
export function bytesOfCopies(segments: readonly TierSegment[]): StoredBytes {
  let [segment, packed] = [0, 0];
  for (const { cold } of segments) {
    if (cold?.kind === "verbatim") segment += cold.bytes;
    else if (cold !== undefined) packed += cold.bytes;
  }
  return { segment, packed };
}
