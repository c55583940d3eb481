/**
 * What a restore from the bucket alone does, decided from a listing and the small objects in it: which
 * manifest it begins with, what it fetches in which order, where the log ends, and what is missing by name.
 *
 * The newest sound manifest wins. One that lacks something is passed over, because the one before it and the
 * log usually lead just as far; but nothing that the lineage promises is left out in silence: that is a
 * refusal, unless gaps are accepted. Objects that a manifest names hold all that is live at any later entry
 * too, so after the replay segments lie where `cold` says, whatever entries of the log said meanwhile.
 */
import { finishAtOnce } from "../base/steps.ts";
import type { ChainValue } from "../segment/record.ts";
import { manifestAt, objectsByLineage, parentOf } from "./bucket-contents.ts";
import type { BucketContents, LineageObjects, ListedObject } from "./bucket-contents.ts";
import type { EntryRange } from "./cold-names.ts";
import type { ColdObject, Manifest, ManifestSegment } from "./manifest.ts";
import { followChain } from "./restore-chain.ts";
import type { Chain, ChainLink, Problem } from "./restore-chain.ts";
import { collectSources, lackOf, startOf } from "./restore-sources.ts";
import type { RestoreSources } from "./restore-sources.ts";

export type RestoreTarget =
  | { readonly kind: "newest" }
  | { readonly kind: "manifest"; readonly key: string }
  /** The state that users saw then: the last entry that is not younger. */
  | { readonly kind: "time"; readonly dateMs: number };

export type RestoreWish = {
  readonly target: RestoreTarget;
  readonly acceptGap: boolean;
  /** Needed only where the bucket holds several that nobody has gone on from. */
  readonly lineage?: string;
};

/** Entries `first` to `last` of one object. Hot: they have to be written to disk, no object is just them. */
export type RestoreFetch = EntryRange & {
  readonly kind: "segment" | "tail";
  readonly key: string;
  readonly bytes: number;
  /** Of the whole object, if somebody wrote it down; else its own chain and checks have to do. */
  readonly sha256: string | undefined;
  readonly keep: "cold" | "hot";
};

/** A segment that stays where it is. */
export type RestoredSegment = EntryRange & {
  readonly kind: "verbatim" | "packed";
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string | undefined;
};

export type PassedOver = { readonly key: string; readonly problems: readonly Problem[] };

export type RestorePlan = {
  readonly kind: "plan";
  readonly manifestKey: string;
  readonly manifest: Manifest;
  /** First, and in this order; empty if the log is there from its first entry on. */
  readonly snapshot: readonly ColdObject[];
  readonly cold: readonly RestoredSegment[];
  /** Segments below the snapshot that only tails hold: to disk, and not replayed. */
  readonly fill: readonly RestoreFetch[];
  /** In the order of the log. Entries below `applyFrom` are in the snapshot already. */
  readonly replay: readonly RestoreFetch[];
  readonly applyFrom: number;
  /** Apply no entry that is younger. */
  readonly untilDateMs: number | undefined;
  /** The last entry; with `untilDateMs` it may turn out an earlier one, not before the manifest's own. */
  readonly recoveryPoint: { readonly index: number; readonly chain: ChainValue | undefined };
  /** Entries whose bytes are gone, where that was accepted. */
  readonly lost: readonly EntryRange[];
  readonly accepted: readonly Problem[];
  /** Objects that should hold entries and do not; where one was needed, `accepted` says so. */
  readonly warnings: readonly Problem[];
  readonly passedOver: readonly PassedOver[];
};

export type RestoreRefusal = {
  readonly kind: "refused";
  readonly reason: "noManifest" | "severalLineages" | "newerRelease" | "noSoundManifest" | "gap";
  readonly message: string;
  readonly problems: readonly Problem[];
  readonly passedOver: readonly PassedOver[];
};

/** Where to begin, the newest first, and how far to go. */
type Choice = {
  readonly objects: LineageObjects;
  readonly candidates: LineageObjects["manifest"];
  /** No entry behind this one. */
  readonly limit: number;
  /** Somebody says, under this key, that the log goes at least that far. */
  readonly due: { readonly index: number; readonly key: string };
};

type Found = { readonly key: string; readonly manifest: Manifest };

/** What a restore from one manifest would come to. */
type Survey = Found & {
  readonly lacks: readonly Problem[];
  readonly lacksSnapshot: boolean;
  readonly cold: readonly RestoredSegment[];
  readonly fill: readonly RestoreFetch[];
  readonly lost: readonly EntryRange[];
  readonly chain: Chain;
  readonly sources: RestoreSources;
};

export function planRestore(bucket: BucketContents, wish: RestoreWish): RestorePlan | RestoreRefusal {
  const listed = new Map<string, ListedObject>();
  for (const object of bucket.listing) listed.set(object.key, object);
  const choice = choose(bucket, listed, wish);
  if ("kind" in choice) return choice;
  const passedOver: PassedOver[] = [];
  let spare: Survey | undefined;
  for (const object of choice.candidates) {
    const { key } = object;
    const reading = manifestAt(bucket.manifests, object);
    if (reading.kind !== "manifest") {
      passedOver.push({ key, problems: [{ ...reading, key }] });
      if (reading.kind === "damaged" || wish.acceptGap) continue;
      return refusal("newerRelease", `a newer release wrote ${key}`, [{ ...reading, key }], passedOver);
    }
    const found = { key, manifest: reading.manifest, objects: choice.objects };
    const limit = limitOf(found.manifest, choice);
    const survey = surveyOf(bucket, listed, found, limit);
    if (survey.lacks.length === 0) return finish(survey, choice, wish, passedOver);
    if (!survey.lacksSnapshot) spare ??= survey;
    passedOver.push({ key, problems: survey.lacks });
  }
  if (spare !== undefined && wish.acceptGap) return finish(spare, choice, wish, passedOver);
  const problems = passedOver.flatMap((over) => over.problems);
  return refusal("noSoundManifest", "every manifest lacks something", problems, passedOver);
}

function refusal(
  reason: RestoreRefusal["reason"],
  message: string,
  problems: readonly Problem[] = [],
  passedOver: readonly PassedOver[] = [],
): RestoreRefusal {
  return { kind: "refused", reason, message, problems, passedOver };
}

function choose(
  bucket: BucketContents,
  listed: ReadonlyMap<string, ListedObject>,
  { target, lineage }: RestoreWish,
): Choice | RestoreRefusal {
  // Nobody is served meanwhile, so nobody waits.
  const lineages = finishAtOnce(objectsByLineage(bucket.cluster, listed));
  if (target.kind === "manifest") return chooseManifest(bucket, lineages, target.key);
  const youngest = lineage ?? youngestLineage(bucket, lineages);
  if (typeof youngest !== "string") return youngest;
  return target.kind === "newest"
    ? chooseNewest(lineages.get(youngest), youngest)
    : chooseByDate(bucket, lineages, youngest, target.dateMs);
}

function chooseManifest(
  { manifests }: BucketContents,
  lineages: ReadonlyMap<string, LineageObjects>,
  key: string,
): Choice | RestoreRefusal {
  for (const objects of lineages.values()) {
    const candidates = objects.manifest.toReversed();
    const at = candidates.findIndex((object) => object.key === key);
    if (at === -1) continue;
    const object = candidates[at] as (typeof candidates)[number];
    const reading = manifestAt(manifests, object);
    if (reading.kind !== "manifest") {
      const reason = reading.kind === "damaged" ? "noSoundManifest" : "newerRelease";
      return refusal(reason, `${key} cannot be read`, [{ ...reading, key }]);
    }
    const { index } = object.name;
    return { objects, candidates: candidates.slice(at), limit: index, due: { index, key } };
  }
  return refusal("noManifest", `there is no manifest ${key}`, [{ kind: "missing", key }]);
}

function chooseNewest(objects: LineageObjects | undefined, lineage: string): Choice | RestoreRefusal {
  const candidates = objects?.manifest.toReversed() ?? [];
  if (objects === undefined || candidates.length === 0) {
    return refusal("noManifest", `lineage ${lineage} has no manifest`);
  }
  return { objects, candidates, limit: Number.MAX_SAFE_INTEGER, due: furthestOf(candidates) };
}

/** What a damaged one covered is told by its name. */
function furthestOf(candidates: LineageObjects["manifest"]): Choice["due"] {
  return candidates
    .map(({ name, key }) => ({ index: name.index, key }))
    .reduce((furthest, other) => (other.index > furthest.index ? other : furthest));
}

/** In the youngest lineage that has one that old; what came before it was another lineage's. */
function chooseByDate(
  { manifests }: BucketContents,
  lineages: ReadonlyMap<string, LineageObjects>,
  youngest: string,
  dateMs: number,
): Choice | RestoreRefusal {
  const seen = new Set<string>();
  let lineage: string | undefined = youngest;
  while (lineage !== undefined && !seen.has(lineage)) {
    seen.add(lineage);
    const objects = lineages.get(lineage);
    if (objects === undefined) break;
    const candidates = objects.manifest.toReversed();
    const isOldEnough = (object: ListedObject): boolean => {
      const reading = manifestAt(manifests, object);
      return reading.kind === "manifest" && reading.manifest.dateMs <= dateMs;
    };
    const at = candidates.findIndex(isOldEnough);
    const chosen = candidates[at];
    if (chosen === undefined) {
      lineage = parentOf(objects, manifests);
      continue;
    }
    // Every entry behind the next manifest is younger than it, and it is too young.
    const next = candidates.slice(0, at).findLast((other) => {
      return other.name.index > chosen.name.index && manifestAt(manifests, other).kind === "manifest";
    });
    const due = next === undefined ? furthestOf(candidates) : { index: next.name.index, key: next.key };
    const limit = next?.name.index ?? Number.MAX_SAFE_INTEGER;
    return { objects, candidates: candidates.slice(at), limit, due };
  }
  return refusal("noManifest", "no manifest is that old");
}

/** The one that nobody was restored from. */
function youngestLineage(
  { manifests }: BucketContents,
  lineages: ReadonlyMap<string, LineageObjects>,
): string | RestoreRefusal {
  const withManifest = [...lineages].filter(([, objects]) => objects.manifest.length > 0);
  const parents = new Set(withManifest.map(([, objects]) => parentOf(objects, manifests)));
  const youngest = withManifest.map(([lineage]) => lineage).filter((lineage) => !parents.has(lineage));
  if (youngest.length === 0) return refusal("noManifest", "there is no manifest");
  const [lineage, other] = youngest;
  if (lineage !== undefined && other === undefined) return lineage;
  return refusal("severalLineages", `say which lineage: ${youngest.toSorted().join(", ")}`);
}

function surveyOf(
  bucket: BucketContents,
  listed: ReadonlyMap<string, ListedObject>,
  found: Found & { readonly objects: LineageObjects },
  limit: number,
): Survey {
  const { manifest, key } = found;
  const sources = collectSources(bucket, listed, found);
  const start = startOf(manifest);
  const lacks: Problem[] = [];
  const lost: EntryRange[] = [];
  const cold: RestoredSegment[] = [];
  const fill: RestoreFetch[] = [];
  for (const part of manifest.snapshot?.parts ?? []) {
    const lack = lackOf(listed, part);
    if (lack !== undefined) lacks.push(lack);
  }
  const lacksSnapshot = lacks.length > 0;
  for (const segment of manifest.segments) {
    if (segment.last >= start) break;
    const lack = settle(segment, { listed, sources, cold, fill });
    if (lack === undefined) continue;
    lacks.push(lack);
    lost.push({ first: segment.first, last: segment.last });
  }
  const chain = followChain(sources, { first: start, last: limit });
  const needed = manifest.snapshot?.index ?? 0;
  if (chain.reached < needed) {
    const hole = { first: chain.reached + 1, last: needed };
    lacks.push(chain.problem ?? { kind: "gap", ...hole, behind: key }, ...sources.problems);
    lost.push(hole);
  }
  return { key, manifest, lacks, lacksSnapshot, cold, fill, lost, chain, sources };
}

/** Where a segment below the snapshot lies: in its copy, in one that was made later, or in tails. */
function settle(
  { id, first, last, copy }: ManifestSegment,
  into: {
    readonly listed: ReadonlyMap<string, ListedObject>;
    readonly sources: RestoreSources;
    readonly cold: RestoredSegment[];
    readonly fill: RestoreFetch[];
  },
): Problem | undefined {
  if (copy !== undefined) {
    const lack = lackOf(into.listed, copy);
    if (lack === undefined) into.cold.push({ first, last, ...copy });
    return lack;
  }
  const { links, reached } = followChain(into.sources, { first, last });
  if (reached < last) return { kind: "nowhere", segment: id, first, last };
  for (const fetch of links.map(fetchOf)) {
    if (fetch.keep === "hot") into.fill.push(fetch);
    else into.cold.push(staying(fetch));
  }
  return undefined;
}

function fetchOf({ kind, source, first, last }: ChainLink): RestoreFetch {
  const isWhole = kind === "segment" && first === source.first && last === source.last;
  const sha256 = kind === "segment" ? source.sha256 : undefined;
  return { kind, key: source.key, bytes: source.bytes, sha256, first, last, keep: isWhole ? "cold" : "hot" };
}

function staying({ key, bytes, sha256, first, last }: RestoreFetch): RestoredSegment {
  return { kind: "verbatim", key, bytes, sha256, first, last };
}

function finish(
  survey: Survey,
  choice: Choice,
  { target, acceptGap }: RestoreWish,
  passedOver: readonly PassedOver[],
): RestorePlan | RestoreRefusal {
  const { manifest, chain, sources, lacks, lost } = survey;
  const { due } = choice;
  const limit = limitOf(manifest, choice);
  const replay = chain.links.map(fetchOf);
  const applyFrom = (manifest.snapshot?.index ?? 0) + 1;
  const index = Math.max(chain.reached, applyFrom - 1);
  const gaps: Problem[] = [];
  if (chain.problem !== undefined && matters(chain.problem, chain.reached, limit)) gaps.push(chain.problem);
  else if (index < due.index) gaps.push({ kind: "gap", first: index + 1, last: due.index, behind: due.key });
  if (gaps.length > 0 && !acceptGap) {
    return refusal(
      "gap",
      `the log ends with entry ${index}, and there is more behind it`,
      [...gaps, ...sources.problems],
      passedOver,
    );
  }
  return {
    kind: "plan",
    manifestKey: survey.key,
    manifest,
    snapshot: manifest.snapshot?.parts ?? [],
    cold: [...survey.cold, ...replay.filter(({ keep }) => keep === "cold").map(staying)],
    fill: survey.fill,
    replay,
    applyFrom,
    untilDateMs: target.kind === "time" ? target.dateMs : undefined,
    recoveryPoint: { index, chain: index === chain.reached ? chain.chain : undefined },
    lost,
    accepted: [...new Set([...lacks, ...gaps])],
    warnings: sources.problems,
    passedOver,
  };
}

/** Behind some manifests the bucket holds this and that, and not the log. */
function limitOf({ isEnd, index }: Manifest, { limit }: Choice): number {
  return isEnd === true ? Math.min(limit, index) : limit;
}

/** Whether it is about an entry that is wanted. */
function matters(problem: Problem, reached: number, limit: number): boolean {
  return problem.kind === "disagreement" ? problem.index <= limit : reached < limit;
}
