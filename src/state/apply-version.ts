/**
 * Versions of a key in a bucket that has, or once had, versioning. Every change is made of three: something
 * becomes current, the current one becomes the newest of the older ones, one of the older ones is taken out.
 * Point reads and a handful of writes each, however many versions there are (RULES.md R5).
 */
import { assert } from "../base/assert.ts";
import type { ApplyContext } from "./apply-context.ts";
import type { BucketEntry } from "./bucket-table.ts";
import { currentMarker, historyOf, objectVersion, versionOf, versionRow } from "./find-version.ts";
import type { Version } from "./find-version.ts";
import { keys } from "./keys.ts";
import { encodeObject } from "./object-row.ts";
import { releaseObject } from "./release-object.ts";
import type { Standing } from "./release-object.ts";
import { wholeObject } from "./standing-object.ts";
import type { StoredObject } from "./stored-object.ts";
import { isSameBirth } from "./version-id.ts";
import type { Birth } from "./version-id.ts";
import { encodeHistory, encodeMarker, encodeVersion } from "./version-row.ts";
import type { DeleteMarker, HistoryRow, VersionRow } from "./version-row.ts";
import type { StateView } from "./view.ts";

/** The versions of one key, with what is needed to change them. */
export type VersionsOfKey = {
  readonly context: ApplyContext;
  readonly view: StateView;
  readonly bucket: BucketEntry;
  readonly key: string;
};

export function versionsOfKey(context: ApplyContext, bucket: BucketEntry, key: string): VersionsOfKey {
  return { context, view: context.view, bucket, key };
}

type NewVersion =
  | { readonly kind: "object"; readonly object: StoredObject }
  | { readonly kind: "marker"; readonly marker: DeleteMarker };

/**
 * A new version becomes the current one. One with an id leaves all others; one without replaces the one
 * without, wherever that stands.
 */
export function addVersion(place: VersionsOfKey, added: NewVersion, old: Standing | undefined): void {
  const current = currentOf(place, old);
  const { hasVersionId } = added.kind === "object" ? added.object : added.marker;
  if (!hasVersionId) removeOlderNull(place);
  if (current !== undefined && (hasVersionId || current.facts.hasVersionId)) retire(place, current);
  else if (current !== undefined) discard(place, current, "current");
  becomeCurrent(place, added, current?.kind);
}

function currentOf(place: VersionsOfKey, standing: Standing | undefined): Version | undefined {
  if (standing !== undefined) return objectVersion(standing);
  const marker = currentMarker(place);
  return marker && { kind: "marker", facts: marker };
}

/** Takes the current version out for good; the newest of the older ones follows it. */
export function removeCurrent(place: VersionsOfKey, current: Version): StoredObject | undefined {
  discard(place, current, "current");
  const history = historyOf(place);
  if (history === undefined) {
    clearCurrent(place, current.kind);
    return undefined;
  }
  const next = versionOf(takeOut(place, history.newest));
  count(place, next, "older", -1);
  if (next.kind === "marker") {
    becomeCurrent(place, { kind: "marker", marker: next.facts }, current.kind);
    return undefined;
  }
  const object = wholeObject(place.context, next.standing);
  becomeCurrent(place, { kind: "object", object }, current.kind);
  return object;
}

export function removeOlder(place: VersionsOfKey, version: Version): void {
  takeOut(place, version.facts);
  discard(place, version, "older");
}

function removeOlderNull(place: VersionsOfKey): void {
  const birth = historyOf(place)?.nullVersion;
  if (birth === undefined) return;
  discard(place, versionOf(takeOut(place, birth)), "older");
}

/** What a version holds is given up; its own row is the caller's. */
function discard(place: VersionsOfKey, version: Version, from: "current" | "older"): void {
  count(place, version, from, -1);
  if (version.kind === "object") releaseObject(place.context, version.facts);
}

/** Delete markers count among the versions also while they are current. */
function count(place: VersionsOfKey, version: Version, where: "current" | "older", sign: 1 | -1): void {
  const { buckets } = place.context;
  if (version.kind === "marker") buckets.countVersions(place.bucket, sign, 0);
  else if (where === "current") buckets.count(place.bucket, sign, sign * version.facts.size);
  else buckets.countVersions(place.bucket, sign, sign * version.facts.size);
}

function becomeCurrent(place: VersionsOfKey, version: NewVersion, before: Version["kind"] | undefined): void {
  const { view, bucket, key } = place;
  if (before !== undefined && before !== version.kind) clearCurrent(place, before);
  if (version.kind === "object") {
    view.putObject(bucket.objectPrefix, key, version.object);
    count(place, objectVersion(version.object), "current", 1);
  } else {
    view.put(keys.marker(bucket.row.id, key), encodeMarker(version.marker));
    count(place, { kind: "marker", facts: version.marker }, "current", 1);
  }
}

function clearCurrent({ view, bucket, key }: VersionsOfKey, kind: Version["kind"]): void {
  if (kind === "object") view.deleteObject(bucket.objectPrefix, key);
  else view.delete(keys.marker(bucket.row.id, key));
}

/** The current version becomes the newest of the older ones; its row as the current one is the caller's. */
function retire(place: VersionsOfKey, current: Version): void {
  count(place, current, "current", -1);
  count(place, current, "older", 1);
  const history = historyOf(place);
  const { birthIndex, birthSub, hasVersionId } = current.facts;
  const birth = { birthIndex, birthSub };
  if (history !== undefined) relink(place, history.newest, { newer: birth });
  const version =
    current.kind === "marker"
      ? { kind: "marker" as const, marker: current.facts }
      : { kind: "object" as const, row: rowOf(current.standing) };
  putVersion(place, birth, { older: history?.newest, newer: undefined, version });
  putHistory(place, { newest: birth, nullVersion: hasVersionId ? history?.nullVersion : birth });
}

function rowOf(standing: Standing): Uint8Array {
  return standing instanceof Uint8Array ? standing : encodeObject(standing);
}

/** Takes one of the older versions out of the list; what it holds is the caller's. */
function takeOut(place: VersionsOfKey, birth: Birth): VersionRow {
  const row = needRow(place, birth);
  const history = historyOf(place);
  assert(history !== undefined, `versions of ${place.key} without a history`);
  if (row.newer !== undefined) relink(place, row.newer, { older: row.older });
  if (row.older !== undefined) relink(place, row.older, { newer: row.newer });
  place.view.delete(keys.version(place.bucket.row.id, place.key, birth));
  const newest = row.newer === undefined ? row.older : history.newest;
  const { nullVersion } = history;
  const isNull = nullVersion !== undefined && isSameBirth(nullVersion, birth);
  if (newest === undefined) place.view.delete(keys.history(place.bucket.row.id, place.key));
  else putHistory(place, { newest, nullVersion: isNull ? undefined : nullVersion });
  return row;
}

function needRow(place: VersionsOfKey, birth: Birth): VersionRow {
  const row = versionRow(place, birth);
  assert(row !== undefined, `a version of ${place.key} is linked but has no row`);
  return row;
}

function relink(
  place: VersionsOfKey,
  birth: Birth,
  link: { readonly older: Birth | undefined } | { readonly newer: Birth | undefined },
): void {
  putVersion(place, birth, { ...needRow(place, birth), ...link });
}

function putVersion({ view, bucket, key }: VersionsOfKey, birth: Birth, row: VersionRow): void {
  view.put(keys.version(bucket.row.id, key, birth), encodeVersion(row));
}

function putHistory({ view, bucket, key }: VersionsOfKey, history: HistoryRow): void {
  view.put(keys.history(bucket.row.id, key), encodeHistory(history));
}
