/**
 * An object that stands in the state, with everything that belongs to it: what a copy of it is made of.
 */
import { assert } from "../base/assert.ts";
import type { ApplyContext } from "./apply-context.ts";
import type { CopySource } from "./command.ts";
import { versionRow } from "./find-version.ts";
import { keys } from "./keys.ts";
import { decodeDetail, decodeObject } from "./object-row.ts";
import type { ObjectRow, PartRun } from "./object-row.ts";
import type { Standing } from "./release-object.ts";
import { footprintOf } from "./release-object.ts";
import { rows } from "./rows.ts";
import { NO_RUNS, bytesInMemory, storedObject } from "./stored-object.ts";
import type { StoredObject } from "./stored-object.ts";
import { NO_TAGS, encodeTags } from "./tags.ts";
import type { TagSet } from "./tags.ts";

export function wholeObject(context: ApplyContext, standing: Standing): StoredObject {
  if (!(standing instanceof Uint8Array)) return standing;
  const row = decodeObject(standing);
  const detail = row.hasDetail
    ? decodeDetail(rowOf(context, keys.detail(row.birthIndex, row.birthSub)))
    : row.attributes;
  assert(detail !== undefined, "an object without attributes");
  return storedObject(row, detail, { bytes: bytesInMemory(row.body), runs: runsOf(context, row) });
}

function runsOf(context: ApplyContext, { body }: ObjectRow): readonly PartRun[] {
  if (body.kind !== "parts") return NO_RUNS;
  const { completed } = rows.upload.decode(rowOf(context, keys.upload(body.uploadId)));
  return completed?.runs ?? NO_RUNS;
}

function rowOf(context: ApplyContext, key: string): Uint8Array {
  const bytes = context.view.get(key);
  assert(bytes !== undefined, `${key} is named but has no row`);
  return bytes;
}

/** The source of a copy: the current object, or an older version of it. */
export function sourceVersion(context: ApplyContext, source: CopySource): StoredObject | undefined {
  const current = sourceObject(context, source);
  const bucket = context.buckets.find(source.bucket);
  if (current !== undefined || bucket?.row.versioning === undefined) return current;
  const row = versionRow({ view: context.view, bucket, key: source.key }, source);
  return row?.version.kind === "object" ? wholeObject(context, row.version.row) : undefined;
}

/** The current object; `undefined`: something else stands there by now, or nothing. */
export function sourceObject(context: ApplyContext, source: CopySource): StoredObject | undefined {
  const bucket = context.buckets.find(source.bucket);
  const standing = bucket && context.view.object(bucket.objectPrefix, source.key);
  if (standing === undefined) return undefined;
  const { birthIndex, birthSub } = footprintOf(standing);
  if (birthIndex !== source.birthIndex || birthSub !== source.birthSub) return undefined;
  return wholeObject(context, standing);
}

/** Puts a set of tags beside an object that is born now; how many they are. */
export function writeNewTags(context: ApplyContext, sub: number, tags: TagSet | undefined): number {
  const { length } = tags ?? NO_TAGS;
  if (length > 0) context.view.put(keys.tags(context.position.index, sub), encodeTags(tags ?? NO_TAGS));
  return length;
}

/** The same tags for an object that is born now. */
export function copyTags(context: ApplyContext, source: StoredObject, sub: number): number {
  const { tagCount, birthIndex, birthSub } = source;
  if (tagCount === 0) return 0;
  const bytes = rowOf(context, keys.tags(birthIndex, birthSub));
  context.view.put(keys.tags(context.position.index, sub), bytes);
  return tagCount;
}
