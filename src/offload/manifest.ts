/**
 * A manifest: at one log index, everything that a restore needs, each object by its full key with length and
 * digest. Whatever no manifest reaches is garbage. And what has to hold between its fields: keys name what
 * they are said to be, segments follow each other, the chain holds wherever two of them meet, and what a
 * replay needs is there and not packed. A writer that breaks one of these has a bug; a reader that finds one
 * broken does not restore from it.
 */
import type { Steps } from "../base/steps.ts";
import { isColdKey } from "../ports/cold-store.ts";
import { sameChain } from "../segment/record.ts";
import type { ChainValue } from "../segment/record.ts";
import { isNamePart, parseColdKey } from "./cold-names.ts";
import type { Attempt, ColdName, EntryRange } from "./cold-names.ts";

/** `key` is the whole key in the store, whoever's prefix it is below (RULES.md R20). */
export type ColdObject = { readonly key: string; readonly bytes: number; readonly sha256: string };

export type ManifestSegment = EntryRange & {
  readonly id: number;
  /** Only the last one may be open; its records are in tails. */
  readonly sealed: boolean;
  /** Before its first record, and behind its last. */
  readonly chainBefore: ChainValue;
  readonly chainAfter: ChainValue;
  /** Absent while there is none that was verified: then the tails have its records. */
  readonly copy: (ColdObject & { readonly kind: "verbatim" | "packed" }) | undefined;
};

export type ManifestSnapshot = Attempt & { readonly parts: readonly ColdObject[] };

export type Manifest = Attempt & {
  readonly cluster: string;
  readonly lineage: string;
  /** Where this lineage was restored from: it shares the parent's entries up to `cutIndex`. */
  readonly parent: { readonly lineage: string; readonly cutIndex: number } | undefined;
  /**
   * Only where the bucket does not follow the log behind `index`: what was uploaded later is no part of it,
   * and what lies between was perhaps never uploaded.
   */
  readonly isEnd?: true;
  /** Of the entry at `index`, as users see dates. */
  readonly dateMs: number;
  readonly logTimeMs: number;
  /** At which size segments are cut, for ever. */
  readonly segmentBytes: number;
  readonly membership: { readonly voters: readonly string[]; readonly learners: readonly string[] };
  /** Absent while the log is there from its first entry on. */
  readonly snapshot: ManifestSnapshot | undefined;
  /**
   * Those with a live byte at `index` and those that a replay from the snapshot needs, up to `index` itself:
   * every entry of theirs was in the bucket when this was written.
   */
  readonly segments: readonly ManifestSegment[];
};

/** Below S3's limit for one PUT. */
const OBJECT_BYTES_MAX = 5 * 1024 ** 3;

/** Between two steps: a key takes a microsecond or two. */
const SEGMENTS_PER_STEP = 256;

/** The first thing that is wrong, or `undefined`. */
export function* whatIsWrongWith(manifest: Manifest): Steps<string | undefined> {
  return (
    wrongHead(manifest) ??
    (manifest.snapshot && wrongSnapshot(manifest, manifest.snapshot)) ??
    (yield* wrongSegments(manifest)) ??
    wrongReplay(manifest)
  );
}

function wrongHead(manifest: Manifest): string | undefined {
  const { cluster, lineage, incarnation, parent, index, term, segmentBytes, dateMs, logTimeMs } = manifest;
  if (![cluster, lineage, incarnation].every(isNamePart)) return "cluster, lineage or incarnation is no name";
  const positive = [index, term, segmentBytes].every((value) => Number.isSafeInteger(value) && value >= 1);
  if (!positive) return "index, term or the size of segments is not positive";
  if (![dateMs, logTimeMs].every((value) => Number.isSafeInteger(value) && value >= 0))
    return "it has no time";
  if (parent === undefined) return undefined;
  if (!isNamePart(parent.lineage) || parent.lineage === lineage) return "its parent is no other lineage";
  return parent.cutIndex <= index ? undefined : `it covers ${index}, but began behind ${parent.cutIndex}`;
}

function wrongSnapshot(manifest: Manifest, snapshot: ManifestSnapshot): string | undefined {
  if (snapshot.index < 1 || snapshot.index > manifest.index) {
    return `its snapshot is of ${snapshot.index}, it covers ${manifest.index}`;
  }
  if (snapshot.parts.length === 0) return "its snapshot has no parts";
  for (const [at, object] of snapshot.parts.entries()) {
    const name = nameIn(manifest, object);
    if (typeof name === "string") return name;
    const belongs =
      name.kind === "snapshot" &&
      name.index === snapshot.index &&
      name.term === snapshot.term &&
      name.incarnation === snapshot.incarnation &&
      name.part === at + 1;
    if (!belongs) return `${object.key} is not part ${at + 1} of its snapshot`;
  }
  return undefined;
}

function* wrongSegments(manifest: Manifest): Steps<string | undefined> {
  const { segments, index } = manifest;
  let before: ManifestSegment | undefined;
  for (const [at, segment] of segments.entries()) {
    if (at % SEGMENTS_PER_STEP === 0) yield;
    const wrong = wrongSegment(segment, before) ?? wrongCopy(manifest, segment);
    if (wrong !== undefined) return wrong;
    before = segment;
  }
  return before?.last === index
    ? undefined
    : `its segments end with ${before?.last ?? 0}, it covers ${index}`;
}

function wrongSegment(segment: ManifestSegment, before: ManifestSegment | undefined): string | undefined {
  const { id, first, last } = segment;
  if (id < 1 || first < 1 || last < first) return `segment ${id} goes from ${first} to ${last}`;
  if (before === undefined) return undefined;
  if (id <= before.id || first <= before.last) return `segment ${id} stands behind segment ${before.id}`;
  if (!before.sealed) return `segment ${before.id} is open, segment ${id} follows it`;
  if ((id === before.id + 1) !== (first === before.last + 1)) {
    return `segment ${id} begins with ${first}, segment ${before.id} ends with ${before.last}`;
  }
  const meets = first === before.last + 1;
  return !meets || sameChain(before.chainAfter, segment.chainBefore)
    ? undefined
    : `segment ${id} continues another history than segment ${before.id}`;
}

function wrongCopy(manifest: Manifest, segment: ManifestSegment): string | undefined {
  const { copy, id, first, last, sealed } = segment;
  if (copy === undefined) return undefined;
  if (!sealed) return `segment ${id} is open and has a copy`;
  const name = nameIn(manifest, copy);
  if (typeof name === "string") return name;
  const fits =
    copy.kind === "packed"
      ? name.kind === "packed"
      : name.kind === "segment" && name.first === first && name.last === last;
  return fits ? undefined : `${copy.key} is no ${copy.kind} copy of segment ${id}`;
}

/** From the segment with the first entry that the snapshot lacks on: all there, none of them packed. */
function wrongReplay({ segments, snapshot }: Manifest): string | undefined {
  const from = (snapshot?.index ?? 0) + 1;
  let due = from;
  for (const { id, first, last, copy } of segments) {
    if (last < from) continue;
    if (due === from ? first > from : first !== due) return `entry ${due} is in no segment`;
    if (copy?.kind === "packed") return `segment ${id} is packed, and its entries are needed for a replay`;
    due = last + 1;
  }
  return undefined;
}

/** Only a lineage that was restored may name another one's. */
function nameIn({ cluster, lineage, parent }: Manifest, object: ColdObject): ColdName | string {
  const { key, bytes, sha256 } = object;
  const parsed = isColdKey(key) ? parseColdKey(key) : undefined;
  if (parsed === undefined || parsed.place.cluster !== cluster) return `${key} is no key of this cluster`;
  if (parsed.place.lineage !== lineage && parent === undefined) return `${key} is of another lineage`;
  if (!(Number.isSafeInteger(bytes) && bytes >= 1 && bytes <= OBJECT_BYTES_MAX)) {
    return `${key} of ${bytes} bytes`;
  }
  return /^[0-9a-f]{64}$/.test(sha256) ? parsed.name : `${key} has no digest`;
}
