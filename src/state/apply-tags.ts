/** Tags of an object that is there. The object stays what it is; only how many tags it has is in its row. */
import type { ApplyContext } from "./apply-context.ts";
import type { BucketEntry } from "./bucket-table.ts";
import type { CommandResult, PutObjectTags } from "./command.ts";
import { versionRow } from "./find-version.ts";
import { keys } from "./keys.ts";
import { encodeObject } from "./object-row.ts";
import { footprintOf } from "./release-object.ts";
import type { Standing } from "./release-object.ts";
import { wholeObject } from "./standing-object.ts";
import type { StoredObject } from "./stored-object.ts";
import { encodeTags } from "./tags.ts";
import type { TagSet } from "./tags.ts";
import { isSameBirth } from "./version-id.ts";
import type { Birth } from "./version-id.ts";
import { encodeVersion } from "./version-row.ts";

export function applyPutObjectTags(context: ApplyContext, command: PutObjectTags): CommandResult {
  const { key, tags, version } = command;
  const bucket = context.buckets.find(command.bucket);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const standing = context.view.object(bucket.objectPrefix, key);
  if (standing === undefined && version === undefined) return { kind: "noSuchKey" };
  if (standing !== undefined && (version === undefined || isSameBirth(footprintOf(standing), version))) {
    const object = retagged(context, standing, tags);
    context.view.putObject(bucket.objectPrefix, key, object);
    context.effects.objectWritten(`${command.bucket}/${key}`, object, object.bytes);
    return { kind: "done" };
  }
  return version === undefined ? { kind: "noSuchKey" } : tagOlder(context, bucket, { key, tags, version });
}

function retagged(context: ApplyContext, standing: Standing, tags: TagSet): StoredObject {
  const { birthIndex, birthSub } = footprintOf(standing);
  const tagsKey = keys.tags(birthIndex, birthSub);
  if (tags.length > 0) context.view.put(tagsKey, encodeTags(tags));
  else context.view.delete(tagsKey);
  // Without what the edge noted: it shows the number of tags.
  return { ...wholeObject(context, standing), tagCount: tags.length, edge: undefined };
}

function tagOlder(
  context: ApplyContext,
  bucket: BucketEntry,
  named: { readonly key: string; readonly tags: TagSet; readonly version: Birth },
): CommandResult {
  const { key, tags, version } = named;
  const isVersioned = bucket.row.versioning !== undefined;
  const row = isVersioned ? versionRow({ view: context.view, bucket, key }, version) : undefined;
  if (row?.version.kind !== "object") return { kind: "sourceChanged" };
  const object = encodeObject(retagged(context, row.version.row, tags));
  const changed = { ...row, version: { kind: "object" as const, row: object } };
  context.view.put(keys.version(bucket.row.id, key, version), encodeVersion(changed));
  return { kind: "done" };
}
