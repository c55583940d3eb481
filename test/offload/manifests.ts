/** Manifests as tests need them: a log in segments of ten entries, and what each kind of key holds. */
import { createHash } from "node:crypto";
import { crc32c } from "../../src/base/crc.ts";
import { finishAtOnce } from "../../src/base/steps.ts";
import { coldKey } from "../../src/offload/cold-names.ts";
import type { ColdName, ColdPlace } from "../../src/offload/cold-names.ts";
import { encodeManifest } from "../../src/offload/manifest-format.ts";
import type { ColdObject, Manifest, ManifestSegment, ManifestSnapshot } from "../../src/offload/manifest.ts";
import type { ChainValue } from "../../src/segment/record.ts";

export const CLUSTER = "c0ffee";
export const ENTRIES = 10;
export const at = (lineage: string): ColdPlace => ({ cluster: CLUSTER, lineage });

/** Behind entry `index` of the one history that has this name. */
export function chainOf(history: string, index: number): ChainValue {
  return index === 0
    ? { low: 0, high: 0 }
    : { low: crc32c(`${history}/${index}`), high: crc32c(`${index}/${history}`) };
}

export function objectOf(place: ColdPlace, name: ColdName, bytes = 1000): ColdObject {
  const key = coldKey(place, name);
  return { key, bytes, sha256: createHash("sha256").update(key).digest("hex") };
}

export const firstOf = (id: number): number => (id - 1) * ENTRIES + 1;
export const lastOf = (id: number): number => id * ENTRIES;
export const segmentAt = (index: number): number => Math.ceil(index / ENTRIES);

/** Segment `id`, whole and with a verbatim copy unless something else is said. */
export function segmentOf(
  id: number,
  changes: Partial<ManifestSegment> = {},
  lineage = "aa",
): ManifestSegment {
  const [first, last] = [changes.first ?? firstOf(id), changes.last ?? lastOf(id)];
  return {
    id,
    first,
    last,
    sealed: true,
    chainBefore: chainOf("log", first - 1),
    chainAfter: chainOf("log", last),
    copy: { kind: "verbatim", ...objectOf(at(lineage), { kind: "segment", first, last }) },
    ...changes,
  };
}

/** Segments up to entry `index`; the last one is open unless it ends there. */
export function segmentsUpTo(index: number, lineage = "aa"): readonly ManifestSegment[] {
  return Array.from({ length: segmentAt(index) }, (_, position) => {
    const id = position + 1;
    if (lastOf(id) <= index) return segmentOf(id, {}, lineage);
    return segmentOf(id, { last: index, sealed: false, copy: undefined }, lineage);
  });
}

export function snapshotOf(index: number, lineage = "aa", parts = 1): ManifestSnapshot {
  const made = { index, term: 1, incarnation: "n1.1" };
  const names = Array.from({ length: parts }, (_, position) => position + 1);
  return { ...made, parts: names.map((part) => objectOf(at(lineage), { kind: "snapshot", part, ...made })) };
}

/** Covers `index`; a new one every minute. */
export function manifestOf(index: number, changes: Partial<Manifest> = {}): Manifest {
  const lineage = changes.lineage ?? "aa";
  return {
    cluster: CLUSTER,
    lineage,
    parent: undefined,
    index,
    term: 1,
    incarnation: "n1.1",
    dateMs: index * 60_000,
    logTimeMs: index * 60_000,
    segmentBytes: 64 * 1024 * 1024,
    membership: { voters: ["n1"], learners: [] },
    snapshot: undefined,
    segments: segmentsUpTo(index, lineage),
    ...changes,
  };
}

export function bytesOf(manifest: Manifest): Buffer {
  return Buffer.concat(finishAtOnce(encodeManifest(manifest)));
}
