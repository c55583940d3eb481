/**
 * What may lie in a bucket, from the rules alone (RULES.md R20 to R22) and without a look at the code that
 * clears it away: manifests that are kept, what they name, what a replay from the oldest of them needs, what
 * the state names, tails of what is not uploaded. And what has to lie there.
 */
import { createHash } from "node:crypto";
import { finishAtOnce } from "../../src/base/steps.ts";
import { decodeManifest } from "../../src/offload/manifest-format.ts";
import type { Manifest } from "../../src/offload/manifest.ts";
import type { ColdCopy } from "../../src/state/rows.ts";
import type { Bucket } from "./tier-process.ts";

type Segment = {
  readonly id: number;
  readonly cut: boolean;
  readonly cold?: ColdCopy;
};

export type BucketFacts = {
  readonly bucket: Bucket;
  readonly cluster: string;
  /** Own lineage first, then those that it adopted. */
  readonly lineages: readonly string[];
  readonly segments: readonly Segment[];
  /** Manifests that are younger are kept, and one more. */
  readonly windowStartMs: number;
};

const KEY = /^([^/]+)\/([^/]+)\/(segments|packed|snapshots|tail|manifest)\/(.+)$/;
const KEPT = 2;

type Listed = {
  readonly key: string;
  readonly lineage: string;
  readonly folder: string;
  readonly rest: string;
};

/** Objects that nothing names, and things named that are not there. */
export function judgeBucket(facts: BucketFacts): readonly string[] {
  const { bucket, cluster, lineages, segments } = facts;
  const wrong: string[] = [];
  const listed: Listed[] = [];
  for (const key of bucket.keys()) {
    const [, inCluster, lineage = "", folder = "", rest = ""] = KEY.exec(key) ?? [];
    // Notes about heirs stay until a person takes them away.
    if (key.startsWith(`${cluster}/lineages/`)) continue;
    if (inCluster === cluster && lineages.includes(lineage)) listed.push({ key, lineage, folder, rest });
    else if (inCluster !== cluster) wrong.push(`${key} is of nobody`);
  }
  const manifests = keptManifests(facts, listed);
  const named = new Map<string, { readonly bytes: number; readonly sha256: string }>();
  for (const { snapshot, segments: wanted } of manifests.values()) {
    for (const part of snapshot?.parts ?? []) named.set(part.key, part);
    for (const { copy } of wanted) if (copy !== undefined) named.set(copy.key, copy);
  }
  for (const { cold } of segments) if (cold !== undefined) named.set(cold.key, cold);
  for (const [key, { bytes, sha256 }] of named) {
    const object = bucket.get(key);
    if (object === undefined) wrong.push(`${key} is named and not there`);
    else if (object.bytes.length !== bytes) wrong.push(`${key} has ${object.bytes.length} bytes`);
    else if (createHash("sha256").update(object.bytes).digest("hex") !== sha256)
      wrong.push(`${key} is another`);
  }
  const replayed = Math.min(...[...manifests.values()].map(({ snapshot }) => snapshot?.index ?? 0));
  for (const object of listed) {
    if (named.has(object.key) || manifests.has(object.key)) continue;
    if (!isKeptOtherwise(object, { replayed, facts })) wrong.push(`${object.key} stays for ever`);
  }
  if (manifests.size === 0) wrong.push("there is no restore point");
  return wrong;
}

function isKeptOtherwise(
  { lineage, folder, rest }: Listed,
  { replayed, facts }: { readonly replayed: number; readonly facts: BucketFacts },
): boolean {
  if (lineage !== facts.lineages[0]) return false;
  const [one = 0, two = 0] = rest.match(/\d+/g)?.map(Number) ?? [];
  if (folder === "segments") return two > replayed;
  if (folder !== "tail") return false;
  const segment = facts.segments.find(({ id }) => id === one);
  return segment !== undefined && segment.cold === undefined;
}

/** The newest two that can be read, those in the window, and the one before it. */
function keptManifests(
  { bucket, lineages, windowStartMs }: BucketFacts,
  listed: readonly Listed[],
): ReadonlyMap<string, Manifest> {
  const kept = new Map<string, Manifest>();
  let isBeyond = false;
  for (const lineage of lineages) {
    const keys = listed.filter((object) => object.folder === "manifest" && object.lineage === lineage);
    for (const { key } of keys.toSorted((a, b) => (a.key < b.key ? 1 : -1))) {
      const reading = finishAtOnce(decodeManifest(bucket.get(key)?.bytes ?? Buffer.alloc(0)));
      if (reading.kind !== "manifest") continue;
      if (isBeyond && kept.size >= KEPT) break;
      kept.set(key, reading.manifest);
      isBeyond ||= reading.manifest.logTimeMs <= windowStartMs;
    }
  }
  return kept;
}
