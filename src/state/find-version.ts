/**
 * Which versions of a key there are, by point reads: the current one (an object or a delete marker), and any
 * older one by its name. The same for apply and for readers.
 */
import type { BucketEntry } from "./bucket-table.ts";
import { keys } from "./keys.ts";
import type { ObjectFootprint } from "./object-row.ts";
import { footprintOf } from "./release-object.ts";
import type { Standing } from "./release-object.ts";
import { isNamed } from "./version-id.ts";
import type { Birth, VersionName } from "./version-id.ts";
import { decodeHistory, decodeMarker, decodeVersion } from "./version-row.ts";
import type { DeleteMarker, HistoryRow, VersionRow } from "./version-row.ts";
import type { StateView } from "./view.ts";

export type VersionReads = Pick<StateView, "get" | "object">;

/** Where the versions of a key are. */
export type VersionPlace = {
  readonly view: VersionReads;
  readonly bucket: BucketEntry;
  readonly key: string;
};

export type Version =
  | { readonly kind: "object"; readonly standing: Standing; readonly facts: ObjectFootprint }
  | { readonly kind: "marker"; readonly facts: DeleteMarker };

export type FoundVersion =
  | { readonly kind: "current"; readonly version: Version }
  | { readonly kind: "older"; readonly version: Version };

export function objectVersion(standing: Standing): Version {
  return { kind: "object", standing, facts: footprintOf(standing) };
}

export function currentMarker({ view, bucket, key }: VersionPlace): DeleteMarker | undefined {
  if (bucket.row.versioning === undefined) return undefined;
  const bytes = view.get(keys.marker(bucket.row.id, key));
  return bytes === undefined ? undefined : decodeMarker(bytes);
}

export function currentVersion(place: VersionPlace): Version | undefined {
  const standing = place.view.object(place.bucket.objectPrefix, place.key);
  if (standing !== undefined) return objectVersion(standing);
  const marker = currentMarker(place);
  return marker && { kind: "marker", facts: marker };
}

export function historyOf({ view, bucket, key }: VersionPlace): HistoryRow | undefined {
  const bytes = view.get(keys.history(bucket.row.id, key));
  return bytes === undefined ? undefined : decodeHistory(bytes);
}

export function versionRow({ view, bucket, key }: VersionPlace, birth: Birth): VersionRow | undefined {
  const bytes = view.get(keys.version(bucket.row.id, key, birth));
  return bytes === undefined ? undefined : decodeVersion(bytes);
}

export function versionOf({ version }: VersionRow): Version {
  return version.kind === "object" ? objectVersion(version.row) : { kind: "marker", facts: version.marker };
}

export function findVersion(place: VersionPlace, name: VersionName): FoundVersion | undefined {
  const current = currentVersion(place);
  if (current !== undefined && isNamed(current.facts, name)) return { kind: "current", version: current };
  if (place.bucket.row.versioning === undefined) return undefined;
  const birth = name.kind === "null" ? historyOf(place)?.nullVersion : name;
  const row = birth && versionRow(place, birth);
  if (row === undefined) return undefined;
  const version = versionOf(row);
  return isNamed(version.facts, name) ? { kind: "older", version } : undefined;
}
