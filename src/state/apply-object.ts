/**
 * Put and delete of current objects. A put replaces in one step: condition, body, row, counters, cache effect.
 */
import { assert } from "../base/assert.ts";
import type { ApplyContext } from "./apply-context.ts";
import { claimBody, releaseBody, sizeOfBody } from "./apply-body.ts";
import type { BucketEntry } from "./bucket-table.ts";
import type { CommandResult, PutObject, WriteCondition } from "./command.ts";
import { keys } from "./keys.ts";
import { ObjectFlag, decodeFootprint, encodeObject } from "./object-row.ts";
import type { BodyReference, NewObject, ObjectHead } from "./object-row.ts";

type Footprint = ObjectHead & { readonly body: BodyReference };

export function applyPutObject(
  context: ApplyContext,
  command: PutObject,
  place: { readonly sub: number; readonly bodyOffset: number },
): CommandResult {
  const bucket = context.buckets.find(command.bucket);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const old = currentObject(context, bucket, command.key);
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
  const bytes = command.body.kind === "bytes" ? command.body.bytes : undefined;
  writeObject(context, { bucketName: command.bucket, bucket, key: command.key, object, old, bytes });
  return { kind: "objectPut", modifiedMs: context.timeMs, etag: command.etag };
}

export function currentObject(
  context: ApplyContext,
  bucket: BucketEntry,
  key: string,
): Footprint | undefined {
  const bytes = context.view.get(keys.object(bucket.row.id, key));
  return bytes === undefined ? undefined : decodeFootprint(bytes);
}

/** `undefined`: the condition holds. */
export function refusalOf(condition: WriteCondition, old: ObjectHead | undefined): CommandResult | undefined {
  if (condition.kind === "none") return undefined;
  if (condition.kind === "absent") return old === undefined ? undefined : { kind: "preconditionFailed" };
  if (old === undefined) return { kind: "noSuchKey" };
  const matches = condition.etag === "*" || condition.etag === old.etag;
  return matches ? undefined : { kind: "preconditionFailed" };
}

/** Writes the row of a new object over the old one; the body's reference was taken already. */
export function writeObject(
  context: ApplyContext,
  write: {
    readonly bucketName: string;
    readonly bucket: BucketEntry;
    readonly key: string;
    readonly object: NewObject;
    readonly old: Footprint | undefined;
    readonly bytes: Uint8Array | undefined;
  },
): void {
  const { object, old, bucket } = write;
  if (old !== undefined) release(context, old);
  const encoded = encodeObject(object);
  context.view.put(keys.object(bucket.row.id, write.key), encoded.row);
  if (encoded.detail !== undefined) {
    context.view.put(keys.detail(object.birthIndex, object.birthSub), encoded.detail);
  }
  context.buckets.count(bucket, {
    objects: old === undefined ? 1 : 0,
    bytes: object.size - (old?.size ?? 0),
  });
  context.effects.objectWritten(`${write.bucketName}/${write.key}`, object, write.bytes);
}

function release(context: ApplyContext, old: Footprint): void {
  releaseBody(context, old.body, { index: old.birthIndex, size: old.size });
  if (old.flags & ObjectFlag.detail) context.view.delete(keys.detail(old.birthIndex, old.birthSub));
}

export function applyDeleteObject(
  context: ApplyContext,
  command: { readonly bucket: string; readonly key: string; readonly condition: WriteCondition },
): CommandResult {
  const bucket = context.buckets.find(command.bucket);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const old = currentObject(context, bucket, command.key);
  const refusal = refusalOf(command.condition, old);
  if (refusal !== undefined) return refusal;
  if (old === undefined) return { kind: "done" };
  release(context, old);
  context.view.delete(keys.object(bucket.row.id, command.key));
  context.buckets.count(bucket, { objects: -1, bytes: -old.size });
  assert(bucket.counters.objects >= 0, `bucket ${command.bucket} counts ${bucket.counters.objects} objects`);
  context.effects.objectRemoved(`${command.bucket}/${command.key}`);
  return { kind: "done" };
}
