/**
 * An object as memory holds it: made by apply or from a row, then shared by the overlay, the cache and every
 * reader. Nobody changes it; `edge` is a note that the HTTP edge may keep with it.
 */
import type { Attributes } from "./attributes.ts";
import type { BodyReference, NewObject, ObjectRow, PartRun } from "./object-row.ts";

export type StoredObject = NewObject & {
  /** The whole body if it is in memory; else it is read from where `body` says. */
  readonly bytes: Uint8Array | undefined;
  /** Parts of a body of parts. */
  readonly runs: readonly PartRun[];
  readonly partCount: number;
  edge: unknown;
};

const NO_BYTES = new Uint8Array(0);
export const NO_RUNS: readonly PartRun[] = [];

/** The body, if it needs no read. */
export function bytesInMemory(body: BodyReference): Uint8Array | undefined {
  if (body.kind === "inline") return body.bytes;
  return body.kind === "empty" ? NO_BYTES : undefined;
}

/** One literal makes them all, so that they have one shape: readers are fast on one shape only. */
export function storedObject(
  row: ObjectRow,
  attributes: Attributes,
  found: { readonly bytes: Uint8Array | undefined; readonly runs: readonly PartRun[] },
): StoredObject {
  const { bytes, runs } = found;
  return {
    modifiedMs: row.modifiedMs,
    size: row.size,
    etag: row.etag,
    hasDetail: row.hasDetail,
    hasVersionId: row.hasVersionId,
    tagCount: row.tagCount,
    birthIndex: row.birthIndex,
    birthSub: row.birthSub,
    body: row.body,
    attributes,
    bytes,
    runs,
    partCount: runs.length === 0 ? 0 : runs.reduce((sum, run) => sum + run.count, 0),
    edge: undefined,
  };
}
