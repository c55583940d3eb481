/**
 * What somebody has read of a bucket: its listing, its manifests and tails, the ends of segments. What was
 * listed and not read, or says something else than its key, counts as damaged: nothing is assumed of it.
 */
import type { Steps } from "../base/steps.ts";
import type { ColdKind } from "../ports/cold-store.ts";
import type { ChainValue } from "../segment/record.ts";
import { parseColdKey } from "./cold-names.ts";
import type { ColdName, EntryRange } from "./cold-names.ts";
import type { ManifestReading } from "./manifest-format.ts";
import type { Manifest } from "./manifest.ts";

export type ListedObject = {
  readonly key: string;
  readonly bytes: number;
  /** What was wrong with it when somebody read it. */
  readonly damage?: string;
};

/** What was read, by key: all of it, or as much as anybody asked for. */
export type Readings<Reading> = { get(key: string): Reading | undefined };

/** A tail that was decoded; `chainBefore` knows each entry of it and the one behind the last. */
export type TailView = EntryRange & {
  readonly lineage: string;
  readonly segmentId: number;
  readonly chainBefore: (index: number) => ChainValue;
};
export type TailViewReading =
  | { readonly kind: "tail"; readonly tail: TailView }
  | { readonly kind: "damaged"; readonly reason: string }
  | { readonly kind: "unknownVersion"; readonly version: number };

/** Head and trailer of a sealed segment. */
export type SegmentEnds = EntryRange & { readonly chainBefore: ChainValue; readonly chainAfter: ChainValue };
export type SegmentEndsReading =
  ({ readonly kind: "ends" } & SegmentEnds) | { readonly kind: "damaged"; readonly reason: string };

export type BucketContents = {
  readonly cluster: string;
  /** Everything below the cluster; of keys that come twice the last one counts. */
  readonly listing: Iterable<ListedObject>;
  readonly manifests: Readings<ManifestReading>;
  readonly tails: Readings<TailViewReading>;
  /** Of those that no manifest names, as far as they were read; the others are checked when fetched. */
  readonly segmentEnds: Readings<SegmentEndsReading>;
};

export type NamedObject<Kind extends ColdKind = ColdKind> = ListedObject & {
  readonly name: ColdName & { readonly kind: Kind };
};

/** The objects of one lineage by what they are; manifests from the oldest to the newest. */
export type LineageObjects = { readonly [Kind in ColdKind]: readonly NamedObject<Kind>[] };

export const NO_OBJECTS: LineageObjects = { segment: [], packed: [], snapshot: [], tail: [], manifest: [] };

const OBJECTS_PER_STEP = 1024;

/** What `coldKey` made and nothing else, by lineage. */
export function* objectsByLineage(
  cluster: string,
  listed: ReadonlyMap<string, ListedObject>,
): Steps<ReadonlyMap<string, LineageObjects>> {
  const lineages = new Map<string, { readonly [Kind in ColdKind]: NamedObject[] }>();
  let seen = 0;
  for (const { key, bytes } of listed.values()) {
    if (++seen % OBJECTS_PER_STEP === 0) yield;
    const parsed = parseColdKey(key);
    if (parsed?.place.cluster !== cluster) continue;
    const { lineage } = parsed.place;
    const objects = lineages.get(lineage) ?? {
      segment: [],
      packed: [],
      snapshot: [],
      tail: [],
      manifest: [],
    };
    lineages.set(lineage, objects);
    objects[parsed.name.kind].push({ key, bytes, name: parsed.name });
  }
  for (const { manifest } of lineages.values()) manifest.sort((one, other) => (one.key < other.key ? -1 : 1));
  // Each name went to the list of its kind.
  return lineages as ReadonlyMap<string, LineageObjects>;
}

/** Of lineages that follow each other, the oldest first: its manifests come before those of the next one. */
export function joinObjects(lineages: readonly LineageObjects[]): LineageObjects {
  if (lineages.length === 1) return lineages[0] as LineageObjects;
  return {
    segment: lineages.flatMap(({ segment }) => segment),
    packed: lineages.flatMap(({ packed }) => packed),
    snapshot: lineages.flatMap(({ snapshot }) => snapshot),
    tail: lineages.flatMap(({ tail }) => tail),
    manifest: lineages.flatMap(({ manifest }) => manifest),
  };
}

/** A manifest by its key; one that was not read, or says that it is another one, is damaged. */
export function manifestAt(manifests: Readings<ManifestReading>, { key }: ListedObject): ManifestReading {
  const reading = manifests.get(key) ?? { kind: "damaged", reason: "it was not read" };
  if (reading.kind !== "manifest" || isNamed(reading.manifest, key)) return reading;
  return { kind: "damaged", reason: "it says that it is another one" };
}

/** From which lineage this one was restored, as its newest manifest that can be read says. */
export function parentOf(objects: LineageObjects, manifests: Readings<ManifestReading>): string | undefined {
  for (const object of objects.manifest.toReversed()) {
    const reading = manifestAt(manifests, object);
    if (reading.kind === "manifest") return reading.manifest.parent?.lineage;
  }
  return undefined;
}

function isNamed({ cluster, lineage, index, term, incarnation }: Manifest, key: string): boolean {
  const parsed = parseColdKey(key);
  return (
    parsed?.name.kind === "manifest" &&
    parsed.place.cluster === cluster &&
    parsed.place.lineage === lineage &&
    parsed.name.index === index &&
    parsed.name.term === term &&
    parsed.name.incarnation === incarnation
  );
}
