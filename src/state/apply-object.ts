/**
 * Put and delete of current objects. A put replaces in one step: condition, body, row, counters, cache
 * effect.
 */
import { assert } from "../base/assert.ts";
import type { ApplyContext } from "./apply-context.ts";
import { claimBody, sizeOfBody } from "./apply-body.ts";
import type { BucketEntry } from "./bucket-table.ts";
import { addVersion, removeCurrent, removeOlder, versionsOfKey } from "./apply-version.ts";
import type { Command, CommandResult, DeleteVersion, PutObject, WriteCondition } from "./command.ts";
import { findVersion } from "./find-version.ts";
import { keys } from "./keys.ts";
import { decodeObject, encodeDetail } from "./object-row.ts";
import { footprintOf, releaseObject } from "./release-object.ts";
import type { Standing } from "./release-object.ts";
import type { Attributes } from "./attributes.ts";
import { writeNewTags } from "./standing-object.ts";
import { NO_RUNS, bytesInMemory, storedObject } from "./stored-object.ts";
import type { StoredObject } from "./stored-object.ts";
import { NULL_VERSION_ID, birthText, versionIdOf, versionNameText } from "./version-id.ts";

export function applyPutObject(
  context: ApplyContext,
  command: PutObject,
  place: { readonly sub: number; readonly bodyOffset: number },
): CommandResult {
  const bucket = context.buckets.find(command.bucket);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const old = context.view.object(bucket.objectPrefix, command.key);
  const refusal = refusalOf(command.condition, old);
  if (refusal !== undefined) return refusal;
  const body = claimBody(context, command.body, place.bodyOffset);
  if (body === undefined) return { kind: "bodyGone" };
  const { key, attributes } = command;
  const made = {
    modifiedMs: context.dateMs,
    size: sizeOfBody(command.body),
    etag: command.etag,
    hasDetail: writeDetail(context, place.sub, attributes),
    hasVersionId: getsVersionId(bucket),
    tagCount: writeNewTags(context, place.sub, command.tags),
    birthIndex: context.position.index,
    birthSub: place.sub,
    body,
    attributes,
  };
  const object = storedObject(made, attributes, { bytes: bytesInMemory(body), runs: NO_RUNS });
  writeObject(context, bucket, { key, object, old });
  const bytes = command.body.kind === "bytes" ? command.body.bytes : undefined;
  context.effects.objectWritten(`${command.bucket}/${command.key}`, object, bytes);
  const versionId = newVersionId(context, bucket, place.sub);
  return { kind: "objectPut", modifiedMs: context.dateMs, etag: command.etag, versionId };
}

/** `undefined`: the condition holds against the current object, or the one that will be. */
export function refusalOf(
  condition: WriteCondition,
  old: Standing | { readonly etag: string } | undefined,
): { readonly kind: "noSuchKey" | "preconditionFailed" } | undefined {
  if (condition.kind === "none") return undefined;
  if (condition.kind === "absent") return old === undefined ? undefined : { kind: "preconditionFailed" };
  if (old === undefined) return { kind: "noSuchKey" };
  const etag = old instanceof Uint8Array ? decodeObject(old).etag : old.etag;
  const matches = condition.etag === "*" || condition.etag === etag;
  return matches ? undefined : { kind: "preconditionFailed" };
}

/** Attributes too large for an object's row get one of their own; whether these are. */
export function writeDetail(context: ApplyContext, sub: number, attributes: Attributes): boolean {
  const detail = encodeDetail(attributes);
  if (detail !== undefined) context.view.put(keys.detail(context.position.index, sub), detail);
  return detail !== undefined;
}

/** Whether what is written into the bucket now has a version id of its own. */
export function getsVersionId(bucket: BucketEntry): boolean {
  return bucket.row.versioning === "Enabled";
}

/** The version id that a write shows; `undefined` where there never was versioning. */
export function newVersionId(context: ApplyContext, bucket: BucketEntry, sub: number): string | undefined {
  if (bucket.row.versioning === undefined) return undefined;
  if (!getsVersionId(bucket)) return NULL_VERSION_ID;
  return birthText({ birthIndex: context.position.index, birthSub: sub });
}

/**
 * Writes a new current object, and does with the one that stood there what the bucket's versioning says. The
 * body's reference was taken already, `hasVersionId` is what `getsVersionId` said. Every way to a new
 * current object ends here.
 */
export function writeObject(
  context: ApplyContext,
  bucket: BucketEntry,
  write: { readonly key: string; readonly object: StoredObject; readonly old: Standing | undefined },
): void {
  const { key, object } = write;
  if (bucket.row.versioning !== undefined) {
    return addVersion(versionsOfKey(context, bucket, key), { kind: "object", object }, write.old);
  }
  let objects = 1;
  let bytes = object.size;
  if (write.old !== undefined) {
    const old = footprintOf(write.old);
    releaseObject(context, old);
    objects = 0;
    bytes -= old.size;
  }
  context.view.putObject(bucket.objectPrefix, key, object);
  context.buckets.count(bucket, objects, bytes);
}

type Removal = {
  readonly bucketName: string;
  readonly key: string;
  readonly old: Standing | undefined;
  readonly sub: number;
};

/** Without a version id: the object goes, or a delete marker comes where versions are kept. */
export function applyDeleteObject(
  context: ApplyContext,
  command: Extract<Command, { kind: "deleteObject" }>,
  sub: number,
): CommandResult {
  const bucket = context.buckets.find(command.bucket);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const { key } = command;
  const old = context.view.object(bucket.objectPrefix, key);
  const refusal = refusalOf(command.condition, old);
  if (refusal !== undefined) return refusal;
  return removeObject(context, bucket, { bucketName: command.bucket, key, old, sub });
}

/** Takes the current object away; every way to that ends here, or at a version by its id. */
export function removeObject(context: ApplyContext, bucket: BucketEntry, removal: Removal): CommandResult {
  const { bucketName, key, old } = removal;
  if (old !== undefined) context.effects.objectRemoved(`${bucketName}/${key}`);
  if (bucket.row.versioning !== undefined) return addMarker(context, bucket, removal);
  if (old === undefined) return { kind: "done" };
  const facts = footprintOf(old);
  releaseObject(context, facts);
  context.view.deleteObject(bucket.objectPrefix, key);
  context.buckets.count(bucket, -1, -facts.size);
  assert(bucket.counters.objects >= 0, `bucket ${bucketName} counts ${bucket.counters.objects} objects`);
  return { kind: "done" };
}

function addMarker(context: ApplyContext, bucket: BucketEntry, removal: Removal): CommandResult {
  const marker = {
    birthIndex: context.position.index,
    birthSub: removal.sub,
    hasVersionId: getsVersionId(bucket),
    modifiedMs: context.dateMs,
  };
  addVersion(versionsOfKey(context, bucket, removal.key), { kind: "marker", marker }, removal.old);
  return { kind: "versionDeleted", versionId: versionIdOf(marker), isMarker: true };
}

/** With a version id: exactly that version goes; if it was the current one, what is older comes to light. */
export function applyDeleteVersion(context: ApplyContext, command: DeleteVersion): CommandResult {
  const bucket = context.buckets.find(command.bucket);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const { key } = command;
  const place = versionsOfKey(context, bucket, key);
  const found = findVersion(place, command.version);
  const version = found?.version;
  const refusal = refusalOf(command.condition, version?.kind === "object" ? version.standing : undefined);
  if (refusal !== undefined) return refusal;
  if (found?.kind === "older") removeOlder(place, found.version);
  if (found?.kind === "current") {
    const path = `${command.bucket}/${key}`;
    const promoted = removeCurrent(place, found.version);
    if (promoted === undefined) context.effects.objectRemoved(path);
    else context.effects.objectWritten(path, promoted, undefined);
  }
  if (bucket.row.versioning === undefined) return { kind: "done" };
  const isMarker = version?.kind === "marker";
  return { kind: "versionDeleted", versionId: versionNameText(command.version), isMarker };
}
