/**
 * Picks of what is there, made concrete by the state that an operation meets: most requests of a run would be
 * for objects and uploads that are gone, if they were picked blindly.
 */
import { BUCKETS, EXISTING, KEYS } from "./operations.ts";
import type { Operation } from "./operations.ts";
import { placeOf } from "./requests.ts";
import type { Session } from "./session.ts";

function keyOf(pick: number, bucket: number, session: Session): number {
  if (pick < EXISTING) return pick;
  const there = [...KEYS.keys()].filter(
    (key) => session.model.current(placeOf({ bucket, key })) !== undefined,
  );
  return there[pick % there.length] ?? pick % KEYS.length;
}

/** One that is not there, to be made. */
function bucketOf(pick: number, session: Session): number {
  if (pick < EXISTING) return pick;
  return Math.max(
    0,
    BUCKETS.findIndex((name) => session.model.bucket(name) === undefined),
  );
}

/** Counted from the newest. */
function uploadOf(pick: number, session: Session): number {
  if (pick < EXISTING) return pick;
  const open = session.uploads.all.toReversed().flatMap((upload, at) => {
    const place = session.placeOfUpload(upload);
    const isOpen = upload.state === "open" && session.model.bucket(place?.bucket ?? "") === upload.bucket;
    return isOpen ? [at] : [];
  });
  return open[(pick - EXISTING) % open.length] ?? 0;
}

function resolved(value: unknown, bucket: number, session: Session): unknown {
  if (Array.isArray(value)) return value.map((each) => resolved(each, bucket, session));
  if (typeof value !== "object" || value === null) return value;
  const own = "bucket" in value && typeof value.bucket === "number" ? value.bucket : bucket;
  const entries = Object.entries(value).map(([name, part]): [string, unknown] => {
    if (name === "keys") return [name, (part as number[]).map((key) => keyOf(key, own, session))];
    if (name === "key" || name === "fromKey") return [name, keyOf(part as number, own, session)];
    if (name === "bucket") return [name, bucketOf(part as number, session)];
    if (name === "upload") return [name, uploadOf(part as number, session)];
    return [name, resolved(part, own, session)];
  });
  return Object.fromEntries(entries);
}

/** An upload as a whole keeps its picks: each of its parts meets what the parts before it left. */
export function resolve(operation: Operation, session: Session): Operation {
  const copy = resolved(operation, BUCKETS.length, session) as Operation;
  return operation.kind === "upload" && copy.kind === "upload" ? { ...copy, parts: operation.parts } : copy;
}
