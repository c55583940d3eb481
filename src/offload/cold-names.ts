/**
 * The keys of the cold tier, relative to the store (whose prefix is the adapter's business):
 *
 *   <cluster>/<lineage>/segments/<first>-<last>.seg          /packed/<id>-<incarnation>.seg
 *                      /snapshots/<index>-<term>-<incarnation>/<part>
 *                      /tail/<segment>/<from>-<to>           /manifest/<term>-<index>-<incarnation>.json
 *
 * Numbers have 16 digits, as many as the largest safe integer, so the order of the bytes is that of the
 * numbers. Ranges of log indexes hold both ends, as footers do. Only what `coldKey` makes is read back:
 * whatever else lies in the bucket is somebody else's, never deleted and never restored from.
 */
import { assert } from "../base/assert.ts";
import type { ColdKind } from "../ports/cold-store.ts";

/** Whose objects: everything below `<cluster>/<lineage>/`. */
export type ColdPlace = { readonly cluster: string; readonly lineage: string };

/** From `first` to `last`, both of them in it. */
export type EntryRange = { readonly first: number; readonly last: number };

/** One attempt at something: the log says how far it got, the incarnation who made it. */
export type Attempt = { readonly index: number; readonly term: number; readonly incarnation: string };

export type SegmentName = { readonly kind: "segment" } & EntryRange;
export type PackedName = { readonly kind: "packed"; readonly id: number; readonly incarnation: string };
/** Parts are counted from 1. */
export type SnapshotName = { readonly kind: "snapshot"; readonly part: number } & Attempt;
/** A piece of the segment with this ordinal. */
export type TailName = { readonly kind: "tail"; readonly segment: number } & EntryRange;
export type ManifestName = { readonly kind: "manifest" } & Attempt;
export type ColdName = SegmentName | PackedName | SnapshotName | TailName | ManifestName;

const FOLDERS: { readonly [Kind in ColdKind]: string } = {
  segment: "segments",
  packed: "packed",
  snapshot: "snapshots",
  tail: "tail",
  manifest: "manifest",
};
const DIGITS = 16;
const PART = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/;
const NUMBER = "([0-9]{16})";
const WRITER = "([A-Za-z0-9_-][A-Za-z0-9._-]{0,99})";
const SHAPES: { readonly [Kind in ColdKind]: RegExp } = {
  segment: new RegExp(`^segments/${NUMBER}-${NUMBER}\\.seg$`),
  packed: new RegExp(`^packed/${NUMBER}-${WRITER}\\.seg$`),
  snapshot: new RegExp(`^snapshots/${NUMBER}-${NUMBER}-${WRITER}/${NUMBER}$`),
  tail: new RegExp(`^tail/${NUMBER}/${NUMBER}-${NUMBER}$`),
  manifest: new RegExp(`^manifest/${NUMBER}-${NUMBER}-${WRITER}\\.json$`),
};

/** Whether it may be a cluster, a lineage or an incarnation in a key. */
export function isNamePart(text: string): boolean {
  return PART.test(text);
}

export function coldKey(place: ColdPlace, name: ColdName): string {
  assert(isNamePart(place.cluster) && isNamePart(place.lineage), `not a cold place: ${shown(place)}`);
  assert(isSound(name), `not a cold name: ${shown(name)}`);
  return `${place.cluster}/${place.lineage}/${restOf(name)}`;
}

/** What a listing of the cluster, of a lineage or of one kind of its objects begins with. */
export function coldPrefix(
  place: { readonly cluster: string; readonly lineage?: string },
  kind?: ColdKind,
): string {
  const { cluster, lineage } = place;
  assert(isNamePart(cluster), `not a cluster: ${cluster}`);
  if (lineage === undefined) return `${cluster}/`;
  assert(isNamePart(lineage), `not a lineage: ${lineage}`);
  return kind === undefined ? `${cluster}/${lineage}/` : `${cluster}/${lineage}/${FOLDERS[kind]}/`;
}

/** Whether both keys are below the same lineage of the same cluster. */
export function isSameLineage(key: string, other: string): boolean {
  const end = key.indexOf("/", key.indexOf("/") + 1) + 1;
  return end > 0 && other.startsWith(key.slice(0, end));
}

/** `undefined` for everything that `coldKey` would not have made. */
export function parseColdKey(
  key: string,
): { readonly place: ColdPlace; readonly name: ColdName } | undefined {
  const [cluster = "", lineage = ""] = key.split("/", 2);
  if (!isNamePart(cluster) || !isNamePart(lineage)) return undefined;
  const name = parseRest(key.slice(cluster.length + lineage.length + 2));
  return name !== undefined && isSound(name) ? { place: { cluster, lineage }, name } : undefined;
}

/** Of a key, or of what the keys of a listing begin with; `undefined` for none of ours. */
export function coldKindIn(keyOrPrefix: string): ColdKind | undefined {
  const [, , folder, rest] = keyOrPrefix.split("/", 4);
  return rest === undefined ? undefined : KINDS.find((kind) => FOLDERS[kind] === folder);
}

function restOf(name: ColdName): string {
  const folder = FOLDERS[name.kind];
  switch (name.kind) {
    case "segment":
      return `${folder}/${fixed(name.first)}-${fixed(name.last)}.seg`;
    case "packed":
      return `${folder}/${fixed(name.id)}-${name.incarnation}.seg`;
    case "snapshot":
      return `${folder}/${fixed(name.index)}-${fixed(name.term)}-${name.incarnation}/${fixed(name.part)}`;
    case "tail":
      return `${folder}/${fixed(name.segment)}/${fixed(name.first)}-${fixed(name.last)}`;
    case "manifest":
      return `${folder}/${fixed(name.term)}-${fixed(name.index)}-${name.incarnation}.json`;
  }
}

function fixed(value: number): string {
  return String(value).padStart(DIGITS, "0");
}

function parseRest(rest: string): ColdName | undefined {
  const kind = kindOf(rest);
  if (kind === undefined) return undefined;
  const [, one = "", two = "", three = "", four = ""] = SHAPES[kind].exec(rest) ?? [];
  if (one === "") return undefined;
  switch (kind) {
    case "segment":
      return { kind, first: Number(one), last: Number(two) };
    case "packed":
      return { kind, id: Number(one), incarnation: two };
    case "snapshot":
      return { kind, index: Number(one), term: Number(two), incarnation: three, part: Number(four) };
    case "tail":
      return { kind, segment: Number(one), first: Number(two), last: Number(three) };
    case "manifest":
      return { kind, term: Number(one), index: Number(two), incarnation: three };
  }
}

const KINDS: readonly ColdKind[] = ["segment", "packed", "snapshot", "tail", "manifest"];

function kindOf(rest: string): ColdKind | undefined {
  const folder = rest.slice(0, rest.indexOf("/"));
  return KINDS.find((kind) => FOLDERS[kind] === folder);
}

/** Entries, segments, parts and packed objects are counted from 1. Nothing is covered at index or term 0. */
function isSound(name: ColdName): boolean {
  switch (name.kind) {
    case "segment":
      return isRange(name);
    case "packed":
      return isCount(name.id) && isNamePart(name.incarnation);
    case "snapshot":
      return isAttempt(name) && isCount(name.part);
    case "tail":
      return isRange(name) && isCount(name.segment);
    case "manifest":
      return isAttempt(name);
  }
}

function isRange({ first, last }: EntryRange): boolean {
  return isCount(first) && isCount(last) && first <= last;
}

function isAttempt({ index, term, incarnation }: Attempt): boolean {
  return isCount(index) && isCount(term) && isNamePart(incarnation);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

function shown(value: object): string {
  return JSON.stringify(value);
}
