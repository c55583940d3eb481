/**
 * A dry run of a change of policy: what one policy and the other would do with the segments that are there,
 * and what it costs. Nothing is done; the decisions are those of the real policy, without its bound on how
 * many are made at a time.
 */
import type { Steps } from "../base/steps.ts";
import { NO_USAGE, costOf } from "./cost.ts";
import type { Prices, Usage } from "./cost.ts";
import { FETCH_WINDOW_BYTES } from "./fetch-copy.ts";
import { planTier } from "./tier-policy.ts";
import type { TierSegment, TierSettings, TierSituation } from "./tier-policy.ts";
import { LINEAGE_CHECK_EVERY_MS, TAIL_BEGIN_SHARE } from "./tier-settings.ts";

export type ForecastPolicy = {
  readonly tier: TierSettings;
  /** `undefined` if there is none. */
  readonly recoveryPointMs: number | undefined;
  readonly collectEveryMs: number;
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
  readonly tailsPerMonthMax: number;
  /** Whatever the policy: for garbage, and for somebody who was restored from here. */
  readonly listsPerMonth: number;
  /** If what is read goes on being read as of late; caching is not counted. */
  readonly coldReadsPerMonth: number;
  readonly dollarsNow: number;
  readonly dollarsPerMonth: number;
};

export type ForecastFacts = {
  readonly segments: readonly TierSegment[];
  readonly situation: TierSituation;
  /** Of the heat of segments: how fast reads are forgotten. */
  readonly halfLifeMs: number;
};

const MONTH_MS = 30 * 24 * 3_600_000;
const LISTED_AT_ONCE = 1000;
/** Requests that a look at the lineages takes. */
const WATCH_LISTS = 3;

export function* forecastPolicy(
  { segments, situation, halfLifeMs }: ForecastFacts,
  { tier, recoveryPointMs, collectEveryMs }: ForecastPolicy,
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
  let coldCopies = 0;
  let heat = 0;
  for (const segment of segments) {
    const { id, cold, bytes, liveBytes, hotBytes } = segment;
    if (packed.has(id) || cold !== undefined || uploaded.has(id)) coldCopies++;
    if (packed.has(id)) coldBytes += liveBytes;
    else if (cold !== undefined || uploaded.has(id)) coldBytes += cold?.bytes ?? bytes;
    if (!recalled.has(id) && (hotBytes === 0 || freed.has(id))) heat += segment.heat;
  }
  // Reads at an even pace heat up to pace × half-life / ln 2, where as many are forgotten as come.
  const coldReadsPerMonth = ((heat * Math.LN2) / halfLifeMs) * MONTH_MS;
  const tailEveryMs = (recoveryPointMs ?? Infinity) * TAIL_BEGIN_SHARE;
  const tailsPerMonthMax = Math.ceil(MONTH_MS / tailEveryMs);
  const pages = Math.ceil((coldCopies + 1) / LISTED_AT_ONCE);
  const listsPerMonth =
    (MONTH_MS / collectEveryMs) * pages + (MONTH_MS / LINEAGE_CHECK_EVERY_MS) * WATCH_LISTS;
  const now = verifiedPuts(plan.uploads.length + plan.repacks.length);
  const tails = verifiedPuts(tailsPerMonthMax);
  const later = {
    ...tails,
    gets: tails.gets + coldReadsPerMonth,
    lists: listsPerMonth,
    storedBytes: coldBytes,
  };
  const monthly = costOf(later, prices);
  return {
    ...found,
    hotBytes: situation.hotBytes - found.frees.bytes + found.recalls.bytes,
    coldBytes,
    tailsPerMonthMax,
    listsPerMonth,
    coldReadsPerMonth,
    dollarsNow: costOf({ ...now, gets: now.gets + windowsOf(found.recalls) }, prices).requests,
    dollarsPerMonth: monthly.requests + monthly.storagePerMonth,
  };
}

/** Each is asked for, and read at its end, before anybody relies on it. */
function verifiedPuts(puts: number): Usage {
  return { ...NO_USAGE, puts, heads: puts, gets: puts };
}

/** Segments come back a window at a time. */
function windowsOf({ segments, bytes }: Moved): number {
  return Math.max(segments, Math.ceil(bytes / FETCH_WINDOW_BYTES));
}

function sumOf(
  segments: readonly TierSegment[],
  ids: ReadonlySet<number>,
  bytesOf: (segment: TierSegment) => number,
): Moved {
  const chosen = segments.filter(({ id }) => ids.has(id));
  return { segments: chosen.length, bytes: chosen.reduce((sum, segment) => sum + bytesOf(segment), 0) };
}
