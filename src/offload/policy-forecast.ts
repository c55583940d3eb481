/**
 * A dry run of a change of policy: what one policy and the other would do with the segments that are there,
 * and what it costs. Nothing is done; the decisions are those of the real policy, without its bound on how
 * many are made at a time.
 */
import type { Steps } from "../base/steps.ts";
import { NO_USAGE, costOf } from "./cost.ts";
import type { Prices } from "./cost.ts";
import { planTier } from "./tier-policy.ts";
import type { TierSegment, TierSettings, TierSituation } from "./tier-policy.ts";

export type ForecastPolicy = {
  readonly tier: TierSettings;
  /** `undefined` if there is none. */
  readonly recoveryPointMs: number | undefined;
};

type Moved = { readonly segments: number; readonly bytes: number };

export type Forecast = {
  readonly uploads: Moved;
  readonly packs: Moved;
  readonly frees: Moved;
  readonly recalls: Moved;
  readonly hotBytes: number;
  readonly coldBytes: number;
  /** If there is something new in the log all the time; a quiet store needs none. */
  readonly tailPutsPerMonthMax: number;
  /** If what is read goes on being read as of late; caching is not counted. */
  readonly coldReadsPerMonth: number;
  readonly dollarsNow: number;
  readonly dollarsPerMonthMax: number;
};

export type ForecastFacts = {
  readonly segments: readonly TierSegment[];
  readonly situation: TierSituation;
  /** Of the heat of segments: how fast reads are forgotten. */
  readonly halfLifeMs: number;
};

const MONTH_MS = 30 * 24 * 3_600_000;

export function* forecastPolicy(
  { segments, situation, halfLifeMs }: ForecastFacts,
  { tier, recoveryPointMs }: ForecastPolicy,
  prices: Prices,
): Steps<Forecast> {
  const unbounded = { ...tier, recoveryPoint: recoveryPointMs !== undefined, decisionsMax: Infinity };
  const plan = yield* planTier(segments, situation, unbounded);
  const packed = new Set([
    ...plan.repacks,
    ...plan.uploads.filter(({ how }) => how === "packed").map(({ id }) => id),
  ]);
  const uploaded = new Set(plan.uploads.map(({ id }) => id).filter((id) => !packed.has(id)));
  const freed = new Set(plan.frees.map(({ id }) => id));
  const recalled = new Set(plan.recalls);
  const found = {
    uploads: sumOf(segments, uploaded, ({ bytes }) => bytes),
    packs: sumOf(segments, packed, ({ liveBytes }) => liveBytes),
    frees: sumOf(segments, freed, ({ hotBytes }) => hotBytes),
    recalls: sumOf(segments, recalled, ({ cold }) => cold?.bytes ?? 0),
  };
  let coldBytes = 0;
  let heat = 0;
  for (const segment of segments) {
    const { id, cold, bytes, liveBytes, hotBytes } = segment;
    if (packed.has(id)) coldBytes += liveBytes;
    else if (cold !== undefined || uploaded.has(id)) coldBytes += cold?.bytes ?? bytes;
    if (!recalled.has(id) && (hotBytes === 0 || freed.has(id))) heat += segment.heat;
  }
  // Reads at an even pace heat up to pace × half-life / ln 2, where as many are forgotten as come.
  const coldReadsPerMonth = ((heat * Math.LN2) / halfLifeMs) * MONTH_MS;
  const tailPutsPerMonthMax = recoveryPointMs === undefined ? 0 : MONTH_MS / recoveryPointMs;
  const now = { ...NO_USAGE, puts: plan.uploads.length + plan.repacks.length, gets: plan.recalls.length };
  const later = { ...NO_USAGE, puts: tailPutsPerMonthMax, gets: coldReadsPerMonth, storedBytes: coldBytes };
  const monthly = costOf(later, prices);
  return {
    ...found,
    hotBytes: situation.hotBytes - found.frees.bytes + found.recalls.bytes,
    coldBytes,
    tailPutsPerMonthMax,
    coldReadsPerMonth,
    dollarsNow: costOf(now, prices).requests,
    dollarsPerMonthMax: monthly.requests + monthly.storagePerMonth,
  };
}

function sumOf(
  segments: readonly TierSegment[],
  ids: ReadonlySet<number>,
  bytesOf: (segment: TierSegment) => number,
): Moved {
  const chosen = segments.filter(({ id }) => ids.has(id));
  return { segments: chosen.length, bytes: chosen.reduce((sum, segment) => sum + bytesOf(segment), 0) };
}
