/**
 * Appends. The body of an object that grew is a list of pieces: `append/<list>` counts who names it, and each
 * piece is a part row under the list's id that knows where it begins, so an append writes three rows however
 * many there are and a reader finds its piece by halving. A list grows in place while one object alone names
 * it; one that a copy or an older version names too stays as it is, and becomes the first piece of a new one.
 */
import { assert } from "../base/assert.ts";
import type { ApplyContext } from "./apply-context.ts";
import { canClaim, claimBody, sizeOfBody } from "./apply-body.ts";
import { getsVersionId, newVersionId, writeDetail, writeObject } from "./apply-object.ts";
import type { Place } from "./apply-copy.ts";
import type { BucketEntry } from "./bucket-table.ts";
import type { AppendObject, CommandResult } from "./command.ts";
import { keys } from "./keys.ts";
import type { BodyReference } from "./object-row.ts";
import { rows } from "./rows.ts";
import type { PartRow } from "./rows.ts";
import { NESTING_MAX, nestingOf, retainBody } from "./shared-body.ts";
import { copyTags, sourceObject } from "./standing-object.ts";
import { NO_RUNS, storedObject } from "./stored-object.ts";
import type { StoredObject } from "./stored-object.ts";

/** As many as S3 allows. */
export const PIECES_MAX = 10_000;

type List = { readonly listId: string; readonly pieces: number };

export function applyAppendObject(context: ApplyContext, command: AppendObject, place: Place): CommandResult {
  const { bucket: bucketName, key } = command.source;
  const bucket = context.buckets.find(bucketName);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const source = sourceObject(context, command.source);
  if (source === undefined || source.size !== command.offset) return { kind: "sourceChanged" };
  // Both bodies or none: one that was claimed would have to be given up again.
  if (!canClaimBoth(context, command)) return { kind: "bodyGone" };
  const list = growing(context, bucket, source, command) ?? startList(context, source, command);
  if ("kind" in list) return list;
  const body = claimBody(context, command.body, place.bodyOffset);
  assert(body !== undefined, "a body that could be claimed a moment ago");
  const size = sizeOfBody(command.body);
  putPiece(context, list, { start: source.size, size, etag: command.pieceEtag, body });
  const { attributes, etag } = command;
  const made = {
    modifiedMs: context.dateMs,
    size: source.size + size,
    etag,
    hasDetail: writeDetail(context, place.sub, attributes),
    hasVersionId: getsVersionId(bucket),
    tagCount: copyTags(context, source, place.sub),
    birthIndex: context.position.index,
    birthSub: place.sub,
    body: { kind: "appended" as const, listId: list.listId, pieces: list.pieces + 1 },
    attributes,
  };
  const object = storedObject(made, attributes, { bytes: undefined, runs: NO_RUNS });
  writeObject(context, bucket, { key, object, old: source });
  context.effects.objectWritten(`${bucketName}/${key}`, object, undefined);
  const versionId = newVersionId(context, bucket, place.sub);
  return { kind: "objectPut", modifiedMs: context.dateMs, etag, versionId };
}

function canClaimBoth(context: ApplyContext, { base, body }: AppendObject): boolean {
  if (base.kind === "stored" && body.kind === "stored" && base.bodyId === body.bodyId) return false;
  return canClaim(context, base) && canClaim(context, body);
}

/** The list of the object, if it may grow where it is; it is named once more until the old object goes. */
function growing(
  context: ApplyContext,
  bucket: BucketEntry,
  source: StoredObject,
  command: AppendObject,
): List | CommandResult | undefined {
  const { body } = source;
  if (body.kind !== "appended" || command.base.kind !== "empty") return undefined;
  const bytes = context.view.get(keys.append(body.listId));
  assert(bytes !== undefined, `list ${body.listId} is named but has no row`);
  if (rows.append.decode(bytes).refs > 1 || staysAsVersion(bucket, source)) return undefined;
  if (body.pieces >= PIECES_MAX) return { kind: "tooManyPieces" };
  retainBody(context, body);
  return { listId: body.listId, pieces: body.pieces };
}

function staysAsVersion(bucket: BucketEntry, old: StoredObject): boolean {
  const { versioning } = bucket.row;
  return versioning === "Enabled" || (versioning === "Suspended" && old.hasVersionId);
}

/** A new list whose first piece is all there was. */
function startList(context: ApplyContext, source: StoredObject, command: AppendObject): List | CommandResult {
  const { listId } = command;
  const isShared = command.base.kind === "empty";
  const nesting = isShared ? nestingOf(context, source.body) : 0;
  if (nesting > NESTING_MAX) return { kind: "tooDeep" };
  if (isShared) retainBody(context, source.body);
  const body = isShared ? source.body : claimBody(context, command.base, 0);
  assert(body !== undefined, "a body that could be claimed a moment ago");
  context.view.put(keys.append(listId), rows.append.encode({ refs: 1, nesting }));
  const { size, etag } = source;
  putPiece(context, { listId, pieces: 0 }, { start: 0, size, etag, body });
  return { listId, pieces: 1 };
}

function putPiece(
  context: ApplyContext,
  list: List,
  piece: {
    readonly start: number;
    readonly size: number;
    readonly etag: string;
    readonly body: BodyReference;
  },
): void {
  const { start, size, etag, body } = piece;
  const birthIndex = context.position.index;
  const row: PartRow = {
    size,
    etag,
    modifiedMs: context.dateMs,
    checksum: undefined,
    body,
    birthIndex,
    start,
  };
  context.view.put(keys.part(list.listId, list.pieces + 1), rows.part.encode(row));
}
