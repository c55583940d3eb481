/**
 * Multipart uploads. Parts keep their rows for life: Complete only makes the object name the upload, so it
 * writes a handful of rows however many parts there are (RULES.md R5). The gateway validated the parts
 * against a revision of the upload, which every part raises; apply compares revisions and nothing else.
 */
import type { ApplyContext } from "./apply-context.ts";
import { claimBody, markForReaping, releaseBody, sizeOfBody } from "./apply-body.ts";
import { getsVersionId, newVersionId, refusalOf, writeDetail, writeObject } from "./apply-object.ts";
import type { Command, CommandResult, CompleteUpload, PutPart } from "./command.ts";
import { keys } from "./keys.ts";
import { storageClassOf } from "./attributes.ts";
import type { StoredChecksum } from "./attributes.ts";
import type { BodyReference } from "./object-row.ts";
import { rows } from "./rows.ts";
import { writeNewTags } from "./standing-object.ts";
import { storedObject } from "./stored-object.ts";
import type { PartRow, UploadRow } from "./rows.ts";

export function applyCreateUpload(
  context: ApplyContext,
  command: Extract<Command, { kind: "createUpload" }>,
): CommandResult {
  const bucket = context.buckets.find(command.bucket);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const { uploadId, key, owner, attributes, checksum } = command;
  const row: UploadRow = {
    bucketId: bucket.row.id,
    key,
    owner,
    initiatedMs: context.dateMs,
    attributes,
    checksum,
    revision: 0,
    partCount: 0,
    lastTimeMs: context.timeMs,
    completed: undefined,
    ...(command.tags === undefined ? {} : { tags: command.tags }),
  };
  context.view.put(keys.upload(uploadId), rows.upload.encode(row));
  const storageClass = storageClassOf(attributes);
  const listed = rows.openUpload.encode({
    initiatedMs: context.dateMs,
    owner,
    checksum,
    ...(storageClass === "STANDARD" ? {} : { storageClass }),
  });
  context.view.put(keys.uploads(bucket.row.id, key, uploadId), listed);
  return { kind: "done" };
}

export function openUpload(context: ApplyContext, uploadId: string): UploadRow | undefined {
  const bytes = context.view.get(keys.upload(uploadId));
  const row = bytes === undefined ? undefined : rows.upload.decode(bytes);
  return row?.completed === undefined ? row : undefined;
}

export function applyPutPart(context: ApplyContext, command: PutPart, bodyOffset: number): CommandResult {
  const { uploadId, partNumber, etag } = command;
  const upload = openUpload(context, uploadId);
  if (upload === undefined) return { kind: "noSuchUpload" };
  const body = claimBody(context, command.body, bodyOffset);
  if (body === undefined) return { kind: "bodyGone" };
  const { checksum } = command;
  const size = sizeOfBody(command.body);
  placePart(context, { uploadId, partNumber, upload }, { body, size, etag, checksum, nesting: 0 });
  return { kind: "partPut", modifiedMs: context.dateMs, etag };
}

/** Puts a part where perhaps another one was; the reference to its body was taken already. */
export function placePart(
  context: ApplyContext,
  place: { readonly uploadId: string; readonly partNumber: number; readonly upload: UploadRow },
  made: {
    readonly body: BodyReference;
    readonly size: number;
    readonly etag: string;
    readonly checksum: StoredChecksum | undefined;
    readonly nesting: number;
  },
): void {
  const { uploadId, partNumber, upload } = place;
  const { body, size, etag, checksum, nesting } = made;
  const partKey = keys.part(uploadId, partNumber);
  const oldBytes = context.view.get(partKey);
  if (oldBytes !== undefined) releasePart(context, rows.part.decode(oldBytes));
  const part: PartRow = {
    size,
    etag,
    modifiedMs: context.dateMs,
    checksum: checksum === undefined ? undefined : { algorithm: checksum.algorithm, value: checksum.value },
    body,
    birthIndex: context.position.index,
  };
  context.view.put(partKey, rows.part.encode(part));
  const grown: UploadRow = {
    ...upload,
    revision: upload.revision + 1,
    partCount: upload.partCount + (oldBytes === undefined ? 1 : 0),
    lastTimeMs: context.timeMs,
    ...(nesting === 0 ? {} : { nesting: Math.max(nesting, upload.nesting ?? 0) }),
  };
  context.view.put(keys.upload(uploadId), rows.upload.encode(grown));
}

function releasePart(context: ApplyContext, part: PartRow): void {
  releaseBody(context, part.body, { index: part.birthIndex, size: part.size });
}

export function applyCompleteUpload(
  context: ApplyContext,
  command: CompleteUpload,
  sub: number,
): CommandResult {
  const { uploadId, bucket: bucketName, key, runs, size, etag, checksum } = command;
  const bucket = context.buckets.find(bucketName);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const upload = openUpload(context, uploadId);
  if (upload === undefined || upload.bucketId !== bucket.row.id || upload.key !== key) {
    return { kind: "noSuchUpload" };
  }
  if (upload.revision !== command.revision) return { kind: "uploadChanged" };
  const old = context.view.object(bucket.objectPrefix, key);
  const refusal = refusalOf(command.condition, old);
  if (refusal !== undefined) return refusal;
  const versionId = newVersionId(context, bucket, sub);
  const answered = { etag, size, checksum: checksum?.value, refs: 1, runs };
  const completed = versionId === undefined ? answered : { ...answered, versionId };
  context.view.put(keys.upload(uploadId), rows.upload.encode({ ...upload, completed }));
  context.view.delete(keys.uploads(bucket.row.id, key, uploadId));
  const chosen = runs.reduce((sum, run) => sum + run.count, 0);
  if (chosen < upload.partCount) markForReaping(context, "parts", uploadId);
  const attributes = { ...upload.attributes, checksum };
  const made = {
    modifiedMs: context.dateMs,
    size,
    etag,
    hasDetail: writeDetail(context, sub, attributes),
    hasVersionId: getsVersionId(bucket),
    tagCount: writeNewTags(context, sub, upload.tags),
    birthIndex: context.position.index,
    birthSub: sub,
    body: { kind: "parts" as const, uploadId },
    attributes,
  };
  const object = storedObject(made, attributes, { bytes: undefined, runs });
  writeObject(context, bucket, { key, object, old });
  context.effects.objectWritten(`${bucketName}/${key}`, object, undefined);
  return { kind: "objectPut", modifiedMs: context.dateMs, etag, versionId };
}

export function applyAbortUpload(
  context: ApplyContext,
  command: Extract<Command, { kind: "abortUpload" }>,
): CommandResult {
  const { uploadId } = command;
  const upload = openUpload(context, uploadId);
  if (upload === undefined || upload.key !== command.key) return { kind: "noSuchUpload" };
  const idle = command.idleSinceMs;
  if (idle !== undefined && upload.lastTimeMs > idle) return { kind: "uploadChanged" };
  context.view.delete(keys.uploads(upload.bucketId, upload.key, uploadId));
  context.view.delete(keys.upload(uploadId));
  if (upload.partCount > 0) markForReaping(context, "parts", uploadId);
  return { kind: "done" };
}

/** Some parts of an upload that nothing names any more, or that Complete did not choose. */
export function applyReapParts(
  context: ApplyContext,
  command: Extract<Command, { kind: "reapParts" }>,
): CommandResult {
  const { uploadId } = command;
  const bytes = context.view.get(keys.upload(uploadId));
  const completed = bytes === undefined ? undefined : rows.upload.decode(bytes).completed;
  const dropped = completed === undefined || completed.refs === 0;
  // What the proposer saw has changed: it looks again.
  if (dropped !== command.dropped) return { kind: "uploadChanged" };
  for (const partNumber of command.partNumbers) {
    const partKey = keys.part(uploadId, partNumber);
    const part = context.view.get(partKey);
    if (part === undefined) continue;
    releasePart(context, rows.part.decode(part));
    context.view.delete(partKey);
  }
  if (command.last) {
    context.view.delete(keys.reap("parts", uploadId));
    if (dropped) context.view.delete(keys.upload(uploadId));
  }
  return { kind: "done" };
}
