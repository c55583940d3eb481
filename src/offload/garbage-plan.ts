/**
 * What may be deleted in the cold tier, and in which order (RULES.md R21): old manifests once newer ones are
 * there; then objects that no manifest in the bucket reaches, neither by name nor by a replay from its
 * snapshot, and that were marked by an entry a while of log time ago; tails as soon as a sealed segment holds
 * their entries. Whatever has been garbage once stays garbage: names are never given out twice, so a plan may
 * be carried out in part, late or again.
 *
 * Only the own lineage is touched, with those that it adopted, and nothing at all once another one may have
 * been restored from one of them: that one names our objects, and only it knows which.
 */
import type { Steps } from "../base/steps.ts";
import { NO_OBJECTS, joinObjects, manifestAt, objectsByLineage, parentOf } from "./bucket-contents.ts";
import type { BucketContents, LineageObjects, ListedObject, NamedObject } from "./bucket-contents.ts";
import { isSameLineage } from "./cold-names.ts";
import type { ColdPlace, EntryRange } from "./cold-names.ts";
import { notesPrefix, parseHeir } from "./heir-notes.ts";
import type { ManifestReading } from "./manifest-format.ts";
import { nextTooOldMs, retainManifests } from "./retention.ts";
import type { KnownManifest } from "./retention.ts";

/** A segment as the state knows it. */
export type StateSegment = EntryRange & {
  readonly id: number;
  /** The verified copy that it names. */
  readonly cold: { readonly kind: "verbatim" | "packed"; readonly key: string } | undefined;
};

export type GarbageFacts = {
  readonly place: ColdPlace;
  /** Lineages before it that nobody else continues, and that it may clear away: the newest first. */
  readonly adopted?: readonly string[];
  /** Everything below the cluster, other lineages too. Manifests that were read count as listed. */
  readonly bucket: Pick<BucketContents, "listing"> & {
    readonly manifests: ReadonlyMap<string, ManifestReading>;
  };
  readonly segments: readonly StateSegment[];
  /** Since when, in log time, each object has been marked as garbage. */
  readonly marks: ReadonlyMap<string, number>;
  /** Objects that the state named once, and that an entry replaced or dropped. */
  readonly replaced: ReadonlySet<string>;
  /** What this node is writing now, or has written and not yet proposed. */
  readonly isInFlight: (key: string) => boolean;
  readonly logTimeMs: number;
};

export type GarbageSettings = {
  readonly restoreWindowMs: number;
  readonly graceMs: number;
  /** For what nobody ever named: an upload that a crash cut short, or one that is not finished. */
  readonly orphanGraceMs: number;
  /** Of each kind in one plan. */
  readonly deletionsMax: number;
};

export type GarbagePlan = {
  readonly retained: readonly string[];
  /** The oldest first. */
  readonly deleteManifests: readonly string[];
  readonly deleteTails: readonly string[];
  /** Marked long enough ago. */
  readonly deleteObjects: readonly string[];
  /** By an entry, with its log time. */
  readonly mark: readonly string[];
  /** By an entry, before a manifest goes: they are gone, or needed. */
  readonly unmark: readonly string[];
  /** Marked, and not long enough ago. */
  readonly waiting: readonly string[];
  /** Log time at which something more of these facts becomes due; Infinity if nothing will. */
  readonly dueMs: number;
  /** Of all manifests that are there; 0 if one has none, or could not be read. */
  readonly oldestSnapshotIndex: number;
  /** Why nothing at all is deleted. */
  readonly blockedBy: readonly string[];
};

/** What the manifests in the bucket need. */
type Reach = {
  readonly keys: ReadonlySet<string>;
  /** Segments without a copy then, by their ids and first entries: they lie in tails, or verbatim by now. */
  readonly pendingIds: ReadonlySet<number>;
  readonly pendingFirsts: ReadonlySet<number>;
  /** Entries above are replayed by somebody. */
  readonly replayIndex: number;
  /** Of the newest snapshot. */
  readonly snapshotIndex: number;
};

const NOTHING = {
  deleteManifests: [],
  deleteTails: [],
  deleteObjects: [],
  mark: [],
  unmark: [],
  waiting: [],
  oldestSnapshotIndex: 0,
  dueMs: Infinity,
};
const ITEMS_PER_STEP = 2048;

export function* planGarbage(facts: GarbageFacts, settings: GarbageSettings): Steps<GarbagePlan> {
  const { place, bucket, logTimeMs } = facts;
  const listed = yield* listedIn(bucket);
  const lineages = yield* objectsByLineage(place.cluster, listed);
  const mine = [place.lineage, ...(facts.adopted ?? [])];
  const own = joinObjects(mine.toReversed().map((lineage) => lineages.get(lineage) ?? NO_OBJECTS));
  const { restoreWindowMs, deletionsMax } = settings;
  const readings = bucket.manifests;
  const times = { logTimeMs, restoreWindowMs };
  const known = yield* retainManifests({ manifests: own.manifest, readings, listed, ...times });
  const retained = known.filter(({ isRetained }) => isRetained).map(({ key }) => key);
  const heirs = yield* heirsOf(place, mine, { lineages, readings, listed });
  if (heirs.length > 0) return { retained, ...NOTHING, blockedBy: heirs };
  const old = known.filter(({ isRetained }) => !isRetained).map(({ key }) => key);
  const deleteManifests = old.toReversed().slice(0, deletionsMax);
  // One that cannot be read may reach anything, until it is old enough to go itself.
  const unread = known.filter(({ manifest }) => manifest === undefined).map(({ key }) => key);
  if (unread.length > 0) return { retained, ...NOTHING, deleteManifests, blockedBy: unread };
  const reach = yield* reachOf(known);
  const rest = yield* planObjects({ own, listed, reach }, facts, settings);
  const { replayIndex: oldestSnapshotIndex } = reach;
  const dueMs = Math.min(rest.dueMs, nextTooOldMs(known, restoreWindowMs));
  return { retained, deleteManifests, ...rest, dueMs, oldestSnapshotIndex, blockedBy: [] };
}

function* listedIn({ manifests, listing }: GarbageFacts["bucket"]): Steps<ReadonlyMap<string, ListedObject>> {
  const listed = new Map<string, ListedObject>();
  // A listing may lag behind what was written.
  for (const key of manifests.keys()) listed.set(key, { key, bytes: 0 });
  for (const object of listing) {
    listed.set(object.key, object);
    if (listed.size % ITEMS_PER_STEP === 0) yield;
  }
  return listed;
}

/** Others who may have been restored from one of these; the first of them is the own one. */
export function* heirsOf(
  place: ColdPlace,
  mine: readonly string[],
  seen: {
    readonly lineages: ReadonlyMap<string, LineageObjects>;
    readonly readings: GarbageFacts["bucket"]["manifests"];
    readonly listed: ReadonlyMap<string, ListedObject>;
  },
): Steps<readonly string[]> {
  const noted = yield* notedHeirs(place, mine, seen.listed);
  return [...new Set([...possibleHeirs(mine, seen.lineages, seen.readings), ...noted])];
}

/** Of whom the bucket says so, before they have put anything else. */
function* notedHeirs(
  { cluster }: ColdPlace,
  mine: readonly string[],
  listed: ReadonlyMap<string, ListedObject>,
): Steps<readonly string[]> {
  const heirs: string[] = [];
  let seen = 0;
  for (const key of listed.keys()) {
    if (++seen % ITEMS_PER_STEP === 0) yield;
    if (!key.startsWith(notesPrefix(cluster))) continue;
    for (const lineage of mine) {
      const heir = parseHeir({ cluster, lineage }, key)?.lineage;
      if (heir !== undefined && !mine.includes(heir)) heirs.push(heir);
    }
  }
  return heirs;
}

/** Lineages that were restored from one of these, or of which nobody can tell. */
function possibleHeirs(
  mine: readonly string[],
  lineages: ReadonlyMap<string, LineageObjects>,
  manifests: GarbageFacts["bucket"]["manifests"],
): readonly string[] {
  const lineOf = (from: string): readonly string[] => {
    const line: string[] = [];
    let next: string | undefined = from;
    while (next !== undefined && !line.includes(next)) {
      line.push(next);
      const objects = lineages.get(next);
      next = objects && parentOf(objects, manifests);
    }
    return line;
  };
  const known = new Set([...mine, ...mine.slice(0, 1).flatMap(lineOf)]);
  const isStranger = (other: string, { manifest }: LineageObjects): boolean => {
    const isTold = manifest.some((object) => manifestAt(manifests, object).kind === "manifest");
    return isTold && !lineOf(other).some((before) => mine.includes(before));
  };
  return [...lineages]
    .filter(([other, objects]) => !known.has(other) && !isStranger(other, objects))
    .map(([other]) => other);
}

/** Of all that are there, also those that go now: their objects go after them. */
function* reachOf(known: readonly KnownManifest[]): Steps<Reach> {
  const keys = new Set<string>();
  const pendingIds = new Set<number>();
  const pendingFirsts = new Set<number>();
  const indexes = known.map(({ manifest }) => manifest?.snapshot?.index ?? 0);
  let seen = 0;
  for (const { manifest } of known) {
    for (const { key } of manifest?.snapshot?.parts ?? []) keys.add(key);
    for (const { copy, id, first } of manifest?.segments ?? []) {
      if (++seen % ITEMS_PER_STEP === 0) yield;
      if (copy !== undefined) {
        keys.add(copy.key);
        continue;
      }
      pendingIds.add(id);
      pendingFirsts.add(first);
    }
  }
  // Without any manifest everything is needed for one.
  const replayIndex = Math.min(...(indexes.length > 0 ? indexes : [0]));
  return { keys, pendingIds, pendingFirsts, replayIndex, snapshotIndex: Math.max(0, ...indexes) };
}

type Found = {
  readonly own: LineageObjects;
  readonly listed: ReadonlyMap<string, ListedObject>;
  readonly reach: Reach;
};

function* planObjects(
  { own, listed, reach }: Found,
  facts: GarbageFacts,
  { graceMs, orphanGraceMs, deletionsMax }: GarbageSettings,
): Steps<Pick<GarbagePlan, "deleteTails" | "deleteObjects" | "mark" | "unmark" | "waiting" | "dueMs">> {
  const { segments, marks, replaced, logTimeMs } = facts;
  const { byFirst, byId, named } = yield* inState(segments);
  const isGarbage = ({ key, name }: NamedObject): boolean => {
    if (reach.keys.has(key) || named.has(key) || facts.isInFlight(key)) return false;
    return name.kind !== "segment" || isDeadSegment(name, reach, byFirst);
  };
  const garbage = new Set<string>();
  const deleteObjects: string[] = [];
  const mark: string[] = [];
  const waiting: string[] = [];
  let dueMs = Infinity;
  let seen = 0;
  for (const object of [...own.segment, ...own.packed, ...own.snapshot]) {
    if (++seen % ITEMS_PER_STEP === 0) yield;
    if (!isGarbage(object)) continue;
    const { key, name } = object;
    garbage.add(key);
    const since = marks.get(key);
    // A dead segment has no upload whose entry is still to come, and no older snapshot a manifest.
    const isPast = name.kind === "segment" || (name.kind === "snapshot" && name.index < reach.snapshotIndex);
    const wasNamed = isPast || replaced.has(key);
    const grace = wasNamed ? graceMs : orphanGraceMs;
    if (since === undefined) mark.push(key);
    else if (logTimeMs - since >= grace) deleteObjects.push(key);
    else {
      waiting.push(key);
      dueMs = Math.min(dueMs, since + grace);
    }
  }
  const spareTails = own.tail.filter((tail) => {
    return !facts.isInFlight(tail.key) && isSpareTail(tail, reach, byId.get(tail.name.segment), listed);
  });
  return {
    deleteTails: spareTails.slice(0, deletionsMax).map(({ key }) => key),
    deleteObjects: deleteObjects.slice(0, deletionsMax),
    mark: mark.slice(0, deletionsMax),
    unmark: [...marks.keys()].filter((key) => !garbage.has(key)).slice(0, deletionsMax),
    waiting,
    dueMs,
  };
}

type InState = {
  readonly byFirst: ReadonlyMap<number, StateSegment>;
  readonly byId: ReadonlyMap<number, StateSegment>;
  /** Keys of copies. */
  readonly named: ReadonlySet<string>;
};

function* inState(segments: readonly StateSegment[]): Steps<InState> {
  const byFirst = new Map<number, StateSegment>();
  const byId = new Map<number, StateSegment>();
  const named = new Set<string>();
  for (const segment of segments) {
    byFirst.set(segment.first, segment);
    byId.set(segment.id, segment);
    if (segment.cold !== undefined) named.add(segment.cold.key);
    if (byId.size % ITEMS_PER_STEP === 0) yield;
  }
  return { byFirst, byId, named };
}

/** Neither a replay nor a manifest needs it, and nobody will upload it again. */
function isDeadSegment(
  { first, last }: EntryRange,
  { pendingFirsts, replayIndex }: Reach,
  byFirst: ReadonlyMap<number, StateSegment>,
): boolean {
  if (last > replayIndex || pendingFirsts.has(first)) return false;
  const segment = byFirst.get(first);
  // One without a copy is on its way: this is the upload whose entry has not come yet.
  return segment === undefined || segment.last !== last || segment.cold !== undefined;
}

/** A verified segment has its entries; or no replay needs them, and their bytes lie elsewhere. */
function isSpareTail(
  { key, name: { first, last, segment: id } }: NamedObject<"tail">,
  { pendingIds, replayIndex }: Reach,
  segment: StateSegment | undefined,
  listed: ReadonlyMap<string, ListedObject>,
): boolean {
  // In another lineage the segment of that number may hold another history.
  const { kind, key: copy = "" } = segment?.cold ?? {};
  if (segment !== undefined && kind === "verbatim" && listed.has(copy) && isSameLineage(copy, key)) {
    return segment.first <= first && last <= segment.last;
  }
  const isElsewhere = segment === undefined || segment.cold !== undefined;
  return isElsewhere && last <= replayIndex && !pendingIds.has(id);
}
