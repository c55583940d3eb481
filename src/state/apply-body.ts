/**
 * Bodies: staged chunk by chunk, claimed by the object or part that names them, counted, and reaped in steps
 * after the last reference went (RULES.md R5, R6). Live bytes of segments follow every step.
 */
import { assert, unreachable } from "../base/assert.ts";
import type { ApplyContext } from "./apply-context.ts";
import type { Chunk, CommandBody, CommandResult } from "./command.ts";
import { keys } from "./keys.ts";
import { INLINE_BODY_BYTES_MAX } from "./object-row.ts";
import type { BodyReference } from "./object-row.ts";
import { EXTENTS_PER_ROW, packExtent, rows, unpackExtents } from "./rows.ts";
import type { BodyRow } from "./rows.ts";

const EMPTY_BODY: BodyReference = { kind: "empty" };

/** Adds a chunk to its staged body, which the first chunk creates. */
export function applyChunk(context: ApplyContext, chunk: Chunk, bodyStart: number): CommandResult {
  const { view, position } = context;
  const existing = view.get(keys.body(chunk.bodyId));
  if (existing === undefined ? chunk.sequence !== 0 : !isStaged(context, chunk.bodyId)) {
    return { kind: "bodyGone" };
  }
  const body =
    existing === undefined
      ? { refs: 0, size: 0, extentCount: 0, extents: [] as readonly number[] }
      : rows.body.decode(existing);
  if (body.refs !== 0 || body.extentCount !== chunk.sequence) return { kind: "bodyGone" };
  const { length } = chunk;
  const packed = packExtent({
    index: position.index,
    recordOffset: position.recordOffset,
    bodyStart,
    length,
  });
  const page = Math.floor(chunk.sequence / EXTENTS_PER_ROW);
  const grown = { refs: 0, size: body.size + length, extentCount: body.extentCount + 1 };
  if (page === 0) {
    view.put(keys.body(chunk.bodyId), rows.body.encode({ ...grown, extents: [...body.extents, ...packed] }));
  } else {
    view.put(keys.body(chunk.bodyId), rows.body.encode({ ...grown, extents: body.extents }));
    const pageKey = keys.bodyExtents(chunk.bodyId, page);
    const bytes = view.get(pageKey);
    const before = bytes === undefined ? [] : rows.bodyExtents.decode(bytes).extents;
    view.put(pageKey, rows.bodyExtents.encode({ extents: [...before, ...packed] }));
  }
  const stage = { incarnation: chunk.incarnation, lastTimeMs: context.timeMs };
  view.put(keys.stage(chunk.bodyId), rows.stage.encode(stage));
  context.segments.addLive(position.index, length);
  return { kind: "done" };
}

/** Not named and not given up: reaping, which goes page by page, may have begun with any other. */
function isStaged(context: ApplyContext, bodyId: string): boolean {
  return context.view.get(keys.stage(bodyId)) !== undefined;
}

/**
 * Turns the body of a command into what a row names, taking the reference. `undefined`: a staged body that is
 * not there (any more), or not as long as its writer believes.
 */
export function claimBody(
  context: ApplyContext,
  body: CommandBody,
  bodyOffset: number,
): BodyReference | undefined {
  switch (body.kind) {
    case "empty":
      return EMPTY_BODY;
    case "bytes":
      if (body.bytes.length <= INLINE_BODY_BYTES_MAX) return { kind: "inline", bytes: body.bytes };
      context.segments.addLive(context.position.index, body.bytes.length);
      return { kind: "record", offset: context.position.payloadOffset + bodyOffset, crc32c: body.crc32c };
    case "stored": {
      const row = claimable(context, body);
      if (row === undefined) return undefined;
      context.view.put(keys.body(body.bodyId), rows.body.encode({ ...row, refs: 1 }));
      context.view.delete(keys.stage(body.bodyId));
      return { kind: "stored", bodyId: body.bodyId };
    }
    default:
      return unreachable(body);
  }
}

/** Whether `claimBody` would take it. */
export function canClaim(context: ApplyContext, body: CommandBody): boolean {
  return body.kind !== "stored" || claimable(context, body) !== undefined;
}

function claimable(
  context: ApplyContext,
  body: { readonly bodyId: string; readonly size: number },
): BodyRow | undefined {
  const bytes = context.view.get(keys.body(body.bodyId));
  const row = bytes === undefined ? undefined : rows.body.decode(bytes);
  if (row === undefined || row.refs !== 0 || row.size !== body.size) return undefined;
  return isStaged(context, body.bodyId) ? row : undefined;
}

export function sizeOfBody(body: CommandBody): number {
  return body.kind === "bytes" ? body.bytes.length : body.kind === "stored" ? body.size : 0;
}

/** Gives up one reference to a body of `size` bytes that was born in entry `birthIndex`. */
export function releaseBody(
  context: ApplyContext,
  body: BodyReference,
  birth: { readonly index: number; readonly size: number },
): void {
  switch (body.kind) {
    case "empty":
    case "inline":
      return;
    case "record":
      context.segments.addLive(birth.index, -birth.size);
      return;
    case "stored":
      releaseStored(context, body.bodyId);
      return;
    case "parts":
      releaseParts(context, body.uploadId);
      return;
    case "appended":
      releaseList(context, body.listId);
      return;
    case "slice":
      releaseBody(context, body.base, birth);
      return;
    default:
      unreachable(body);
  }
}

function releaseStored(context: ApplyContext, bodyId: string): void {
  const bytes = context.view.get(keys.body(bodyId));
  assert(bytes !== undefined, `body ${bodyId} is named but has no row`);
  const row = rows.body.decode(bytes);
  assert(row.refs > 0, `body ${bodyId} is released more often than it was named`);
  context.view.put(keys.body(bodyId), rows.body.encode({ ...row, refs: row.refs - 1 }));
  if (row.refs === 1) markForReaping(context, "body", bodyId);
}

function releaseParts(context: ApplyContext, uploadId: string): void {
  const bytes = context.view.get(keys.upload(uploadId));
  assert(bytes !== undefined, `upload ${uploadId} is named by an object but has no row`);
  const row = rows.upload.decode(bytes);
  assert(
    row.completed !== undefined && row.completed.refs > 0,
    `upload ${uploadId} has no reference to give`,
  );
  const completed = { ...row.completed, refs: row.completed.refs - 1 };
  context.view.put(keys.upload(uploadId), rows.upload.encode({ ...row, completed }));
  if (completed.refs === 0) markForReaping(context, "parts", uploadId);
}

/** The list goes at once, its pieces in steps. */
function releaseList(context: ApplyContext, listId: string): void {
  const bytes = context.view.get(keys.append(listId));
  assert(bytes !== undefined, `list ${listId} is named by an object but has no row`);
  const row = rows.append.decode(bytes);
  if (row.refs > 1) {
    context.view.put(keys.append(listId), rows.append.encode({ ...row, refs: row.refs - 1 }));
    return;
  }
  context.view.delete(keys.append(listId));
  markForReaping(context, "parts", listId);
}

export function markForReaping(context: ApplyContext, kind: "body" | "parts", id: string): void {
  context.view.put(keys.reap(kind, id), rows.reap.encode({ sinceMs: context.timeMs }));
  context.tally.reapMarks++;
}

/** Gives up a staged body; one that is named already stays. */
export function applyAbortBody(context: ApplyContext, bodyId: string): CommandResult {
  const bytes = context.view.get(keys.body(bodyId));
  if (bytes === undefined || rows.body.decode(bytes).refs !== 0) return { kind: "done" };
  context.view.delete(keys.stage(bodyId));
  markForReaping(context, "body", bodyId);
  return { kind: "done" };
}

/** One page of extents of a body without references; pages go from the last to the first, then the body. */
export function applyReapBody(context: ApplyContext, bodyId: string, page: number): CommandResult {
  const { view } = context;
  const bytes = view.get(keys.body(bodyId));
  if (bytes === undefined) {
    view.delete(keys.reap("body", bodyId));
    return { kind: "done" };
  }
  const row = rows.body.decode(bytes);
  const lastPage = Math.max(0, Math.ceil(row.extentCount / EXTENTS_PER_ROW) - 1);
  if (row.refs !== 0 || page !== lastPage) return { kind: "done" };
  const pageKey = keys.bodyExtents(bodyId, page);
  const pageBytes = page === 0 ? undefined : view.get(pageKey);
  const extents = unpackExtents(
    pageBytes === undefined ? row.extents : rows.bodyExtents.decode(pageBytes).extents,
  );
  for (const extent of extents) context.segments.addLive(extent.index, -extent.length);
  if (page > 0) {
    view.delete(pageKey);
    const extentCount = page * EXTENTS_PER_ROW;
    view.put(keys.body(bodyId), rows.body.encode({ ...row, extentCount }));
    return { kind: "done" };
  }
  view.delete(keys.body(bodyId));
  view.delete(keys.stage(bodyId));
  view.delete(keys.reap("body", bodyId));
  return { kind: "done" };
}
