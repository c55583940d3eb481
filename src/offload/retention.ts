/**
 * Which manifests of a lineage stay restore points (RULES.md R21): the newest two that are whole, those in
 * the restore window, and the one before the window, because a time early in it is restored from that. Ages
 * are log time, so time that no leader saw makes nothing old.
 *
 * One that cannot be read is kept for as long as a whole one in its place would be. What it reaches is not
 * known, so while it is there nothing else may go.
 */
import type { Steps } from "../base/steps.ts";
import { manifestAt } from "./bucket-contents.ts";
import type { LineageObjects, ListedObject } from "./bucket-contents.ts";
import type { ManifestReading } from "./manifest-format.ts";
import type { Manifest } from "./manifest.ts";

const SEGMENTS_PER_STEP = 4096;
/** Restore points that are kept however old they are. */
const NEWEST_KEPT = 2;

export type KnownManifest = {
  readonly key: string;
  readonly manifest: Manifest | undefined;
  readonly isRetained: boolean;
};

export type RetentionFacts = {
  readonly manifests: LineageObjects["manifest"];
  readonly readings: ReadonlyMap<string, ManifestReading>;
  readonly listed: ReadonlyMap<string, ListedObject>;
  readonly logTimeMs: number;
  readonly restoreWindowMs: number;
};

/** All of them, the newest first. */
export function* retainManifests(facts: RetentionFacts): Steps<readonly KnownManifest[]> {
  const { manifests, readings, listed, logTimeMs, restoreWindowMs } = facts;
  const windowStartMs = logTimeMs - restoreWindowMs;
  const known: KnownManifest[] = [];
  let whole = 0;
  /** Whether what comes now is older than a restore point before the window. */
  let isBeyond = false;
  for (const object of manifests.toReversed()) {
    const { key } = object;
    const isRetained = !isBeyond || whole < NEWEST_KEPT;
    const reading = manifestAt(readings, object);
    const manifest = reading.kind === "manifest" ? reading.manifest : undefined;
    known.push({ key, manifest, isRetained });
    if (manifest === undefined || !(yield* isWhole(manifest, listed))) continue;
    whole++;
    isBeyond ||= manifest.logTimeMs <= windowStartMs;
  }
  return known;
}

/** Log time at which the oldest one that is kept may go, if nothing new comes; Infinity for never. */
export function nextTooOldMs(known: readonly KnownManifest[], restoreWindowMs: number): number {
  const kept = known.filter(({ isRetained }) => isRetained);
  if (kept.length <= NEWEST_KEPT) return Infinity;
  // It stays until the one behind it covers the beginning of the window.
  const times = kept.slice(0, -1).map(({ manifest }) => manifest?.logTimeMs ?? Infinity);
  return Math.min(...times) + restoreWindowMs;
}

/** One that lacks an object is no restore point, and does not push another one out. */
function* isWhole(
  { snapshot, segments }: Manifest,
  listed: ReadonlyMap<string, ListedObject>,
): Steps<boolean> {
  const isThere = ({ key, bytes }: ListedObject): boolean => listed.get(key)?.bytes === bytes;
  if (!(snapshot?.parts ?? []).every(isThere)) return false;
  let seen = 0;
  for (const { copy } of segments) {
    if (++seen % SEGMENTS_PER_STEP === 0) yield;
    if (copy !== undefined && !isThere(copy)) return false;
  }
  return true;
}
