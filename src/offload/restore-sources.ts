/**
 * What a bucket offers to a restore from one manifest: the objects that the manifest names and that are
 * there, the segments and tails of its lineage that came later, and what should be usable and is not.
 */
import type { ChainValue } from "../segment/record.ts";
import type { BucketContents, LineageObjects, ListedObject } from "./bucket-contents.ts";
import type { ColdObject, Manifest } from "./manifest.ts";
import type { ChainSources, Problem, SegmentSource, TailSource } from "./restore-chain.ts";

export type RestoreSources = ChainSources & { readonly problems: readonly Problem[] };

/** Of an object that is named somewhere: `undefined` if it is there as it was written. */
export function lackOf(
  listed: ReadonlyMap<string, ListedObject>,
  { key, bytes }: { readonly key: string; readonly bytes: number },
): Problem | undefined {
  const found = listed.get(key);
  if (found === undefined) return { kind: "missing", key };
  if (found.damage !== undefined) return { kind: "damaged", key, reason: found.damage };
  return found.bytes === bytes ? undefined : { kind: "wrongSize", key, bytes: found.bytes, expected: bytes };
}

/** The first entry whose record is needed: where the segment begins in which the snapshot ends. */
export function startOf({ segments, snapshot, index }: Manifest): number {
  const from = (snapshot?.index ?? 0) + 1;
  return segments.find(({ last, sealed }) => last >= from || !sealed)?.first ?? index + 1;
}

type Collected = {
  readonly segments: Map<number, SegmentSource>;
  readonly tails: TailSource[];
  readonly known: Map<number, { readonly chain: ChainValue; readonly key: string }>;
  readonly unusable: { readonly first: number; readonly last: number; readonly key: string }[];
  readonly problems: Problem[];
};

export function collectSources(
  bucket: BucketContents,
  listed: ReadonlyMap<string, ListedObject>,
  found: { readonly key: string; readonly manifest: Manifest; readonly objects: LineageObjects },
): RestoreSources {
  const into: Collected = { segments: new Map(), tails: [], known: new Map(), unusable: [], problems: [] };
  const { key, manifest, objects } = found;
  const start = startOf(manifest);
  for (const { first, last, chainBefore, chainAfter, copy } of manifest.segments) {
    into.known.set(first, { chain: chainBefore, key });
    into.known.set(last + 1, { chain: chainAfter, key });
    if (last < start || copy?.kind !== "verbatim") continue;
    const lack = lackOf(listed, copy);
    if (lack === undefined)
      into.segments.set(first, { ...sourceOf(copy), first, last, chainBefore, chainAfter });
    else refuse(into, { first, last, key: copy.key }, lack);
  }
  for (const object of objects.segment) addSegment(into, bucket, object);
  for (const object of objects.tail) addTail(into, bucket, object, manifest.lineage);
  return into;
}

function sourceOf({ key, bytes, sha256 }: ColdObject): Pick<SegmentSource, "key" | "bytes" | "sha256"> {
  return { key, bytes, sha256 };
}

function refuse(
  into: Collected,
  { first, last, key }: Collected["unusable"][number],
  problem: Problem,
): void {
  into.unusable.push({ first, last, key });
  into.problems.push(problem);
}

/** One that the manifest does not name: it was sealed later, or had not been verified yet. */
function addSegment(
  into: Collected,
  { segmentEnds }: BucketContents,
  object: LineageObjects["segment"][number],
): void {
  const { key, bytes, name } = object;
  const { first, last } = name;
  const isTaken = into.segments.get(first)?.key === key || into.unusable.some((other) => other.key === key);
  if (isTaken) return;
  const ends = segmentEnds.get(key);
  if (ends?.kind === "damaged") return refuse(into, { first, last, key }, { ...ends, key });
  if (ends !== undefined && (ends.first !== first || ends.last !== last)) {
    const reason = `it holds entries ${ends.first} to ${ends.last}`;
    return refuse(into, { first, last, key }, { kind: "damaged", key, reason });
  }
  const other = into.segments.get(first);
  if (other !== undefined) {
    // A log is cut at the same places wherever it is replayed.
    const index = Math.min(last, other.last) + 1;
    return refuse(into, { first, last, key }, { kind: "disagreement", index, keys: [other.key, key] });
  }
  const { chainBefore, chainAfter } = ends ?? {};
  into.segments.set(first, { key, bytes, sha256: undefined, first, last, chainBefore, chainAfter });
}

function addTail(
  into: Collected,
  { tails }: BucketContents,
  { key, bytes, name }: LineageObjects["tail"][number],
  lineage: string,
): void {
  const { first, last, segment } = name;
  const reading = tails.get(key) ?? { kind: "damaged", reason: "it was not read" };
  if (reading.kind !== "tail") return refuse(into, { first, last, key }, { ...reading, key });
  const { tail } = reading;
  const isNamed = tail.first === first && tail.last === last && tail.segmentId === segment;
  if (!isNamed || tail.lineage !== lineage) {
    return refuse(
      into,
      { first, last, key },
      { kind: "damaged", key, reason: "it says that it is another one" },
    );
  }
  into.tails.push({ key, bytes, first, last, chainBefore: tail.chainBefore });
}
