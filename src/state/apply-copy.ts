/**
 * Copies and renames. A large body is not copied but named once more, so a copy writes a handful of rows
 * whatever its size. The gateway has read the source before; the command says which version that was, and if
 * another one stands there now, nothing happens and the gateway looks again.
 */
import type { ApplyContext } from "./apply-context.ts";
import { claimBody, sizeOfBody } from "./apply-body.ts";
import {
  getsVersionId,
  newVersionId,
  refusalOf,
  removeObject,
  writeDetail,
  writeObject,
} from "./apply-object.ts";
import { openUpload, placePart } from "./apply-upload.ts";
import type { BucketEntry } from "./bucket-table.ts";
import type { CommandResult, CopyBody, CopyObject, CopyPart, RenameObject } from "./command.ts";
import type { BodyReference, SharedBody } from "./object-row.ts";
import type { Standing } from "./release-object.ts";
import { NESTING_MAX, nestingOf, retainBody } from "./shared-body.ts";
import { copyTags, sourceObject, sourceVersion, writeNewTags } from "./standing-object.ts";
import { NO_RUNS, bytesInMemory, storedObject } from "./stored-object.ts";
import type { StoredObject } from "./stored-object.ts";

export type Place = { readonly sub: number; readonly bodyOffset: number };

/** What the new row names, its reference taken; `undefined` for a staged body that is gone. */
function bodyOfCopy(
  context: ApplyContext,
  source: StoredObject,
  body: CopyBody,
  place: Place,
): BodyReference | undefined {
  if (body.kind !== "shared") return claimBody(context, body, place.bodyOffset);
  retainBody(context, source.body);
  return source.body;
}

/** What a copy has from its source: once it is taken, the source may go. */
export type Taken = {
  readonly source: StoredObject;
  readonly body: BodyReference;
  readonly tagCount: number;
};

/** `undefined`: the staged body that the copy has instead is gone. */
export function takeSource(
  context: ApplyContext,
  command: CopyObject,
  source: StoredObject,
  place: Place,
): Taken | undefined {
  const { tags } = command;
  const body = bodyOfCopy(context, source, command.body, place);
  if (body === undefined) return undefined;
  const isOwn = tags !== undefined;
  const tagCount = isOwn ? writeNewTags(context, place.sub, tags) : copyTags(context, source, place.sub);
  return { source, body, tagCount };
}

export function applyCopyObject(context: ApplyContext, command: CopyObject, place: Place): CommandResult {
  const bucket = context.buckets.find(command.bucket);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const source = sourceVersion(context, command.source);
  if (source === undefined) return { kind: "sourceChanged" };
  const old = context.view.object(bucket.objectPrefix, command.key);
  const refusal = refusalOf(command.condition, old);
  if (refusal !== undefined) return refusal;
  // Before the old object is let go: it may be the source.
  const taken = takeSource(context, command, source, place);
  return taken === undefined
    ? { kind: "bodyGone" }
    : writeCopy(context, command, { bucket, old, place }, taken);
}

export function writeCopy(
  context: ApplyContext,
  command: CopyObject,
  target: { readonly bucket: BucketEntry; readonly old: Standing | undefined; readonly place: Place },
  { source, body, tagCount }: Taken,
): CommandResult {
  const { key, etag, attributes } = command;
  const { bucket, old, place } = target;
  const isShared = command.body.kind === "shared";
  const made = {
    modifiedMs: context.dateMs,
    size: command.body.kind === "shared" ? source.size : sizeOfBody(command.body),
    etag,
    hasDetail: writeDetail(context, place.sub, attributes),
    hasVersionId: getsVersionId(bucket),
    tagCount,
    birthIndex: context.position.index,
    birthSub: place.sub,
    body,
    attributes,
  };
  const runs = isShared ? source.runs : NO_RUNS;
  const object = storedObject(made, attributes, { bytes: bytesInMemory(body), runs });
  writeObject(context, bucket, { key, object, old });
  context.effects.objectWritten(`${command.bucket}/${key}`, object, bytesOf(command.body));
  const versionId = newVersionId(context, bucket, place.sub);
  return { kind: "objectPut", modifiedMs: object.modifiedMs, etag, versionId };
}

function bytesOf(body: CopyBody): Uint8Array | undefined {
  return body.kind === "bytes" ? body.bytes : undefined;
}

/** The object keeps everything but its key, its last modification too. */
export function applyRenameObject(context: ApplyContext, command: RenameObject, place: Place): CommandResult {
  const { bucket: bucketName, key: sourceKey } = command.source;
  const { key } = command;
  const bucket = context.buckets.find(bucketName);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const source = sourceObject(context, command.source);
  if (source === undefined || key === sourceKey) return { kind: "sourceChanged" };
  const old = context.view.object(bucket.objectPrefix, key);
  const refusal = refusalOf(command.condition, old);
  if (refusal !== undefined) return refusal;
  const body = bodyOfCopy(context, source, command.body, place);
  if (body === undefined) return { kind: "bodyGone" };
  const { attributes, modifiedMs, etag, runs } = source;
  const made = {
    modifiedMs,
    size: source.size,
    etag,
    hasDetail: writeDetail(context, place.sub, attributes),
    hasVersionId: getsVersionId(bucket),
    tagCount: copyTags(context, source, place.sub),
    birthIndex: context.position.index,
    birthSub: place.sub,
    body,
    attributes,
  };
  const object = storedObject(made, attributes, { bytes: bytesInMemory(body), runs });
  writeObject(context, bucket, { key, object, old });
  context.effects.objectWritten(`${bucketName}/${key}`, object, bytesOf(command.body));
  removeObject(context, bucket, { bucketName, key: sourceKey, old: source, sub: place.sub });
  const versionId = newVersionId(context, bucket, place.sub);
  return { kind: "objectPut", modifiedMs, etag, versionId };
}

export function applyCopyPart(context: ApplyContext, command: CopyPart, bodyOffset: number): CommandResult {
  const { uploadId, partNumber, etag, checksum, start, size } = command;
  const upload = openUpload(context, uploadId);
  if (upload === undefined) return { kind: "noSuchUpload" };
  const source = sourceVersion(context, command.source);
  if (source === undefined) return { kind: "sourceChanged" };
  let body: BodyReference | undefined;
  let nesting = 0;
  if (command.body.kind === "shared") {
    body = stretchOf(source, { start, size });
    if (body === undefined) return { kind: "sourceChanged" };
    nesting = nestingOf(context, body);
    if (nesting > NESTING_MAX) return { kind: "tooDeep" };
    retainBody(context, body);
  } else {
    body = claimBody(context, command.body, bodyOffset);
    if (body === undefined) return { kind: "bodyGone" };
  }
  placePart(context, { uploadId, partNumber, upload }, { body, size, etag, checksum, nesting });
  return { kind: "partPut", modifiedMs: context.dateMs, etag };
}

function stretchOf(
  source: StoredObject,
  range: { readonly start: number; readonly size: number },
): BodyReference | undefined {
  const base = shareable(source.body);
  if (base === undefined || range.start + range.size > source.size) return undefined;
  return range.size === source.size ? base : { kind: "slice", base, start: range.start };
}

function shareable(body: BodyReference): SharedBody | undefined {
  return body.kind === "stored" || body.kind === "parts" || body.kind === "appended" ? body : undefined;
}
