/**
 * All versions that rows hold, by bucket and key, in the order of the rows: the current one, then those of
 * `version/`; in the shape of the model.
 */
import { keys } from "../../src/state/keys.ts";
import { decodeObject } from "../../src/state/object-row.ts";
import { rows } from "../../src/state/rows.ts";
import { decodeTags } from "../../src/state/tags.ts";
import { birthText, versionIdOf } from "../../src/state/version-id.ts";
import { decodeMarker, decodeVersion } from "../../src/state/version-row.ts";
import type { DeleteMarker } from "../../src/state/version-row.ts";
import type { ModelVersion } from "./model-objects.ts";

type Rows = ReadonlyMap<string, Uint8Array>;

function ofObject(all: Rows, row: Uint8Array): ModelVersion {
  const object = decodeObject(row);
  const { etag, size, modifiedMs: timeMs, tagCount } = object;
  const tagRow = all.get(keys.tags(object.birthIndex, object.birthSub));
  const tags = tagCount === 0 || tagRow === undefined ? [] : decodeTags(tagRow);
  const shown = { etag, size, timeMs, birth: birthText(object), tags, nesting: 0 };
  return { id: versionIdOf(object), object: shown, timeMs };
}

function ofMarker(marker: DeleteMarker): ModelVersion {
  return { id: versionIdOf(marker), object: undefined, timeMs: marker.modifiedMs };
}

function ofVersion(all: Rows, row: Uint8Array): ModelVersion {
  const { version } = decodeVersion(row);
  return version.kind === "object" ? ofObject(all, version.row) : ofMarker(version.marker);
}

function inBucket(all: Rows, id: number): Readonly<Record<string, readonly ModelVersion[]>> {
  const found = new Map<string, ModelVersion[]>();
  const add = (key: string, version: ModelVersion): void => {
    found.set(key, [...(found.get(key) ?? []), version]);
  };
  const under = (prefix: string): readonly (readonly [string, Uint8Array])[] =>
    [...all]
      .filter(([key]) => key.startsWith(prefix))
      .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .map(([key, row]) => [key.slice(prefix.length), row] as const);
  for (const [key, row] of under(keys.objectPrefix(id))) add(key, ofObject(all, row));
  for (const [key, row] of under(keys.markerPrefix(id))) add(key, ofMarker(decodeMarker(row)));
  for (const [key, row] of under(keys.versionPrefix(id)))
    add(key.slice(0, key.indexOf("\0")), ofVersion(all, row));
  return Object.fromEntries(found);
}

export function versionsInRows(all: Rows): unknown {
  const buckets = [...all].filter(([key]) => key.startsWith("bucket/"));
  return Object.fromEntries(
    buckets.map(([key, bytes]) => {
      const { id, versioning } = rows.bucket.decode(bytes);
      return [key.slice("bucket/".length), { versioning, keys: inBucket(all, id) }];
    }),
  );
}
