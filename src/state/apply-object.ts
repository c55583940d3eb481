/**
 * Put and delete of current objects. A put replaces in one step: condition, body, row, counters, cache
 * effect.
 */
import { assert } from "../base/assert.ts";
import type { ApplyContext } from "./apply-context.ts";
import { claimBody, releaseBody, sizeOfBody } from "./apply-body.ts";
import type { BucketEntry } from "./bucket-table.ts";
import type { CommandResult, PutObject, WriteCondition } from "./command.ts";
import { keys } from "./keys.ts";
import { ObjectFlag, decodeFootprint, decodeObject, encodeObject } from "./object-row.ts";
import type { NewObject, ObjectFootprint } from "./object-row.ts";

export function applyPutObject(
  context: ApplyContext,
  command: PutObject,
  place: { readonly sub: number; readonly bodyOffset: number },
): CommandResult {
  const bucket = context.buckets.find(command.bucket);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const rowKey = bucket.objectPrefix + command.key;
  const old = context.view.get(rowKey);
  const refusal = refusalOf(command.condition, old);
  if (refusal !== undefined) return refusal;
  const body = claimBody(context, command.body, place.bodyOffset);
  if (body === undefined) return { kind: "bodyGone" };
  const object: NewObject = {
    modifiedMs: context.timeMs,
    size: sizeOfBody(command.body),
    etag: command.etag,
    birthIndex: context.position.index,
    birthSub: place.sub,
    body,
    attributes: command.attributes,
  };
  writeObject(context, bucket, rowKey, { object, old });
  const bytes = command.body.kind === "bytes" ? command.body.bytes : undefined;
  context.effects.objectWritten(`${command.bucket}/${command.key}`, object, bytes);
  return { kind: "objectPut", modifiedMs: context.timeMs, etag: command.etag };
}

/** `undefined`: the condition holds against the row of the current object. */
export function refusalOf(condition: WriteCondition, old: Uint8Array | undefined): CommandResult | undefined {
  if (condition.kind === "none") return undefined;
  if (condition.kind === "absent") return old === undefined ? undefined : { kind: "preconditionFailed" };
  if (old === undefined) return { kind: "noSuchKey" };
  const matches = condition.etag === "*" || condition.etag === decodeObject(old).etag;
  return matches ? undefined : { kind: "preconditionFailed" };
}

/** Writes the row of a new object over the old one; the body's reference was taken already. */
export function writeObject(
  context: ApplyContext,
  bucket: BucketEntry,
  rowKey: string,
  write: { readonly object: NewObject; readonly old: Uint8Array | undefined },
): void {
  const { object } = write;
  let objects = 1;
  let bytes = object.size;
  if (write.old !== undefined) {
    const old = decodeFootprint(write.old);
    release(context, old);
    objects = 0;
    bytes -= old.size;
  }
  const encoded = encodeObject(object);
  context.view.put(rowKey, encoded.row);
  if (encoded.detail !== undefined) {
    context.view.put(keys.detail(object.birthIndex, object.birthSub), encoded.detail);
  }
  context.buckets.count(bucket, objects, bytes);
}

function release(context: ApplyContext, old: ObjectFootprint): void {
  releaseBody(context, old.body, { index: old.birthIndex, size: old.size });
  if (old.flags & ObjectFlag.detail) context.view.delete(keys.detail(old.birthIndex, old.birthSub));
}

export function applyDeleteObject(
  context: ApplyContext,
  command: { readonly bucket: string; readonly key: string; readonly condition: WriteCondition },
): CommandResult {
  const bucket = context.buckets.find(command.bucket);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const rowKey = bucket.objectPrefix + command.key;
  const row = context.view.get(rowKey);
  const refusal = refusalOf(command.condition, row);
  if (refusal !== undefined) return refusal;
  if (row === undefined) return { kind: "done" };
  const old = decodeFootprint(row);
  release(context, old);
  context.view.delete(rowKey);
  context.buckets.count(bucket, -1, -old.size);
  assert(bucket.counters.objects >= 0, `bucket ${command.bucket} counts ${bucket.counters.objects} objects`);
  context.effects.objectRemoved(`${command.bucket}/${command.key}`);
  return { kind: "done" };
}
