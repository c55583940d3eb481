/**
 * Put and delete of current objects. A put replaces in one step: condition, body, row, counters, cache
 * effect.
 */
import { assert } from "../base/assert.ts";
import type { ApplyContext } from "./apply-context.ts";
import { claimBody, sizeOfBody } from "./apply-body.ts";
import type { BucketEntry } from "./bucket-table.ts";
import type { CommandResult, PutObject, WriteCondition } from "./command.ts";
import { keys } from "./keys.ts";
import { decodeObject, encodeDetail } from "./object-row.ts";
import { footprintOf, releaseObject } from "./release-object.ts";
import type { Standing } from "./release-object.ts";
import type { Attributes } from "./attributes.ts";
import { writeNewTags } from "./standing-object.ts";
import { NO_RUNS, bytesInMemory, storedObject } from "./stored-object.ts";
import type { StoredObject } from "./stored-object.ts";

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
  return { kind: "objectPut", modifiedMs: context.dateMs, etag: command.etag };
}

/** `undefined`: the condition holds against the current object. */
export function refusalOf(condition: WriteCondition, old: Standing | undefined): CommandResult | undefined {
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

export function applyDeleteObject(
  context: ApplyContext,
  command: { readonly bucket: string; readonly key: string; readonly condition: WriteCondition },
): CommandResult {
  const bucket = context.buckets.find(command.bucket);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const standing = context.view.object(bucket.objectPrefix, command.key);
  const refusal = refusalOf(command.condition, standing);
  if (refusal !== undefined) return refusal;
  if (standing === undefined) return { kind: "done" };
  removeObject(context, bucket, { bucketName: command.bucket, key: command.key, old: standing });
  return { kind: "done" };
}

/** Takes the current object away, as a delete without a version does. */
export function removeObject(
  context: ApplyContext,
  bucket: BucketEntry,
  removal: { readonly bucketName: string; readonly key: string; readonly old: Standing },
): void {
  const { bucketName, key } = removal;
  const old = footprintOf(removal.old);
  releaseObject(context, old);
  context.view.deleteObject(bucket.objectPrefix, key);
  context.buckets.count(bucket, -1, -old.size);
  assert(bucket.counters.objects >= 0, `bucket ${bucketName} counts ${bucket.counters.objects} objects`);
  context.effects.objectRemoved(`${bucketName}/${key}`);
}
